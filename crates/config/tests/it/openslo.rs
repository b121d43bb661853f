use std::time::Duration;

use config::{Color, LoadedObjectives, Source, load_objectives};
use jiff::tz::TimeZone;
use model::slo::{AlertWhen, Counted, Good, Indicator, Method, Objective, Severity, Window};

const ALL: &str = "\
apiVersion: openslo/v1
kind: Service
metadata: {name: payment-service, displayName: Payments}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: served}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {type: rearguard, spec: {}}}
    total: {metricSource: {type: rearguard, spec: {}}}
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: pay
  displayName: Payments are served
  annotations: {rearguard.dev/sla-target: 99.5%}
spec:
  service: payment-service
  indicatorRef: served
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
  alertPolicies: [fast-burn]
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast-burn}
spec:
  alertWhenBreaching: true
  conditions: [{conditionRef: hour}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: hour}
spec:
  severity: page
  condition: {kind: burnrate, op: gte, threshold: 13.44, lookbackWindow: 1h}
";

fn zones(name: &str) -> Option<TimeZone> {
    (name == "America/New_York").then(|| TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap())
}

fn load(text: &str) -> LoadedObjectives {
    load_objectives(&[Source::new("slo.yaml", text)], &zones)
}

fn good(text: &str) -> Vec<Objective> {
    let loaded = load(text);
    assert!(!loaded.has_errors(), "{}", say(text));
    loaded.objectives
}

/// Each finding in a line, with the line that it is about.
fn say(text: &str) -> String {
    let found = load(text).diagnostics;
    let lines = found.iter().map(|found| {
        let line = found.location.as_ref().map_or(0, |at| at.line);
        format!("{}[{}] line {line}: {}", found.severity.as_str(), found.code, found.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// An SLO with these lines in its spec, of requests below 300 ms.
fn slo(spec: &str) -> String {
    format!(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: fast}}\nspec:\n  service: pay\n  indicator:\n    \
         spec: {{thresholdMetric: {{metricSource: {{type: rearguard, spec: {{metric: latency}}}}}}}}\n{spec}"
    )
}

#[test]
fn documents_that_refer_to_each_other_become_an_objective() {
    let [objective] = good(ALL).try_into().unwrap();
    assert_eq!((&*objective.name, &*objective.service), ("pay", "payment-service"));
    assert_eq!(&*objective.title, "Payments are served");
    assert_eq!(objective.target.to_string(), "99.9 %");
    assert_eq!(objective.agreement.unwrap().to_string(), "99.5 %");
    assert!(matches!(objective.window, Window::Rolling(length) if length.as_secs() == 28 * 86_400));
    assert!(
        matches!(&objective.indicator, Indicator::Requests(rule) if *rule.good() == Good::Served)
    );
    let [alert] = *objective.alerts else { panic!("{:?}", objective.alerts) };
    assert_eq!((alert.burn, alert.long.as_secs(), alert.short.as_secs()), (13.44, 3600, 300));
    assert_eq!(alert.severity, Severity::Page);
}

#[test]
fn both_kinds_of_latency_objective_can_be_said() {
    let by_request = slo("  objectives: [{op: lte, value: 0.3, target: 0.999}]\n");
    let [objective] = good(&by_request).try_into().unwrap();
    let Indicator::Requests(rule) = &objective.indicator else { panic!("of requests") };
    assert_eq!(*rule.good(), Good::Faster(Duration::from_millis(300)));
    assert_eq!(objective.method, Method::Occurrences);
    assert_eq!(objective.alerts.len(), 4, "the workbook's, where none is named");
    let by_time = slo(
        "  budgetingMethod: Timeslices\n  objectives:\n  - {op: lte, value: 0.3, target: 0.999, \
         timeSliceTarget: 0.99, timeSliceWindow: 1m}\n",
    );
    let [objective] = good(&by_time).try_into().unwrap();
    let Method::Timeslices { target, width } = objective.method else { panic!("of slices") };
    assert_eq!((target.to_string().as_str(), width), ("99 %", Duration::from_secs(60)));
}

#[test]
fn requests_can_be_chosen_in_the_source() {
    let text = ALL.replace(
        "good: {metricSource: {type: rearguard, spec: {}}}",
        "good: {metricSource: {type: Rearguard, spec: {service: pay-v2, routes: [pay], latencyBelow: 300ms}}}",
    );
    let [objective] = good(&text).try_into().unwrap();
    assert_eq!(&*objective.service, "pay-v2");
    let Indicator::Requests(rule) = &objective.indicator else { panic!("of requests") };
    assert_eq!(*rule.good(), Good::Faster(Duration::from_millis(300)));
}

#[test]
fn a_prometheus_is_asked_where_a_data_source_says() {
    let text = ALL.replace(
        "    good: {metricSource: {type: rearguard, spec: {}}}
    total: {metricSource: {type: rearguard, spec: {}}}
",
        "    bad: {metricSource: {metricSourceRef: prom, spec: {query: 'sum(errors_total)'}}}
    total: {metricSource: {metricSourceRef: prom, spec: {query: 'sum(requests_total)'}}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: 'http://127.0.0.1:9090'}}
",
    );
    let [objective] = good(&text).try_into().unwrap();
    let Indicator::Prometheus(query) = &objective.indicator else { panic!("of Prometheus") };
    assert_eq!(&*query.server, "http://127.0.0.1:9090");
    assert_eq!(query.counted, Counted::Bad("sum(errors_total)".into()));
}

#[test]
fn a_calendar_has_its_place() {
    let text = slo(
        "  timeWindow:\n  - {duration: 1M, isRolling: false, calendar: {startTime: 2026-01-01 00:00:00, \
         timeZone: America/New_York}}\n  objectives: [{op: lt, value: 0.3, targetPercent: 99.9}]\n",
    );
    let [objective] = good(&text).try_into().unwrap();
    // 2026-03-15: a month with a day of 23 hours.
    assert_eq!(objective.window.length(1_773_600_000), Duration::from_secs(31 * 86_400 - 3_600));
}

#[test]
fn several_objectives_are_parts_of_one() {
    let text = slo(
        "  objectives:\n  - {displayName: most, op: lte, value: 0.3, target: 0.99}\n  - {displayName: nearly \
         all, op: lte, value: 1, target: 0.999, compositeWeight: 3}\n",
    );
    let objectives = good(&text);
    let names: Vec<_> = objectives.iter().map(|it| (&*it.name, &*it.slo, it.weight)).collect();
    assert_eq!(names, [("fast/most", "fast", 1.0), ("fast/nearly all", "fast", 3.0)]);
    // Thresholds of one number are no parts of a whole.
    let objectives = good(&text.replace(", compositeWeight: 3", ""));
    let names: Vec<_> = objectives.iter().map(|it| (&*it.name, &*it.slo)).collect();
    assert_eq!(names, [("fast/most", "fast/most"), ("fast/nearly all", "fast/nearly all")]);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    for (text, expected) in [
        (
            slo("  objectives: [{op: lte, value: 0.3, target: 1}]\n"),
            "error[bad-target] line 8: a target of 100 % leaves no budget: every failure would break it; \
             expected a share below 1, such as 0.9999",
        ),
        (
            slo(
                "  timeWindow: [{duration: 28d}, {duration: 7d}]\n  objectives: [{op: lte, value: 0.3, target: 0.9}]\n",
            ),
            "error[two-windows] line 8: an SLO with two time windows",
        ),
        (
            slo(
                "  timeWindow: [{duration: 28d}]\n  objectives: [{op: gte, value: 0.3, target: 0.9}]\n",
            ),
            "error[op-contradicts] line 9: `op: gte` asks for latency above 300ms",
        ),
        (
            slo(
                "  timeWindow: [{duration: 28d}]\n  objectives:\n  - {displayName: slower than 300 ms, op: lte, value: 0.3, target: 0.9}\n",
            ),
            "error[op-contradicts] line 10: `op: lte`, and the objective is called \"slower than 300 ms\", \
             which says `slower`",
        ),
        (
            ALL.replace("target: 0.999", "target: 0.9"),
            "error[never-fires] line 39: an alert at a burn of 13.44 can never fire: if everything \
             fails, this target burns at 10; expected a threshold below that, or a stricter target",
        ),
        (
            ALL.replace("op: gte", "op: lt"),
            "error[op-contradicts] line 40: `op: lt` would alert while the budget does not burn",
        ),
        (
            ALL.replace("indicatorRef: served", "indicatorRef: serve"),
            "error[unknown-reference] line 22: there is no SLI named `serve`",
        ),
        (
            ALL.replace("openslo/v1\nkind: SLI", "openslo/v2\nkind: SLI"),
            "error[unknown-version] line 5: `openslo/v2` is not a version that is read",
        ),
        (
            slo(
                "  timeWindow: [{duration: 28d}]\n  objectives:\n  - {displayName: a, op: lte, value: 0.3, target: 0.9}\n  - {displayName: a, op: lte, value: 1, target: 0.9}\n",
            ),
            "error[duplicate-name] line 11: there are two objectives named `fast/a`",
        ),
        (
            slo(
                "  timeWindow: [{duration: 28d}]\n  objectives: [{op: lte, value: 0.3, target: 0.9, compositeWeight: 2}]\n",
            ),
            "error[bad-weight] line 9: a weight of the only objective, which is a part of nothing",
        ),
        (
            slo(
                "  timeWindow: [{duration: 28d}]\n  budgetingMethod: RatioTimeslices\n  objectives:\n  - {op: lte, value: 0.3, target: 0.9, timeSliceWindow: 1m, compositeWeight: 2}\n  - {op: lte, value: 1, target: 0.9, timeSliceWindow: 5m}\n",
            ),
            "error[two-widths] line 12: slices of another width than those of the first objective",
        ),
        (
            ALL.replace("counter: true", "countr: true"),
            "error[unknown-field] line 10: unknown field `spec.ratioMetric.countr`",
        ),
    ] {
        let said = say(&text);
        assert!(said.lines().any(|line| line == expected), "expected {expected}\nfound\n{said}");
    }
}

#[test]
fn a_policy_says_of_what_somebody_is_told_and_how_long_it_must_last() {
    let alert = |policy: &str, condition: &str| {
        let text = ALL
            .replace("  alertWhenBreaching: true\n", policy)
            .replace("lookbackWindow: 1h", &format!("lookbackWindow: 1h{condition}"));
        let [objective] = good(&text).try_into().unwrap();
        objective.alerts[0]
    };
    let usual = alert("", "");
    assert_eq!((usual.when, usual.after), (AlertWhen::default(), Duration::ZERO));
    let all = alert("  alertWhenNoData: true\n  alertWhenResolved: false\n", ", alertAfter: 5m");
    let expected = AlertWhen { breaching: true, resolved: false, no_data: true };
    assert_eq!((all.when, all.after), (expected, Duration::from_secs(300)));
    assert_eq!(alert("", ", alertAfter: 0m").after, Duration::ZERO);
    let text = ALL.replace("lookbackWindow: 1h", "lookbackWindow: 1h, alertAfter: 1h");
    assert_eq!(say(&text), "error[bad-duration] line 40: `1h` is no time before an alert");
    let never = "  alertWhenBreaching: false\n  alertWhenResolved: false\n";
    let text = ALL.replace("  alertWhenBreaching: true\n", never);
    let said = "warning[tells-nobody] line 32: this policy tells nobody of anything";
    assert_eq!(say(&text), said);
}

#[test]
fn a_contract_that_nothing_protects_is_warned_of() {
    let text = ALL.replace("sla-target: 99.5%", "sla-target: 99.9%");
    assert_eq!(
        say(&text),
        "warning[unprotected-agreement] line 19: the contract promises 99.9 %, and the objective is 99.9 %"
    );
}

#[test]
fn each_loader_leaves_the_others_documents_alone() {
    let istio =
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: {}\n";
    assert_eq!(say(istio), "");
    let loaded = config::load(&[Source::new("slo.yaml", ALL)], &[], &config::Defaults::default());
    let shown: Vec<_> = loaded.diagnostics.iter().map(|it| it.render(&[], Color::Never)).collect();
    assert!(!loaded.has_errors() && !shown.concat().contains("SLO"), "{shown:?}");
}
