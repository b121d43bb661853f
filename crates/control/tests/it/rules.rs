use std::{fs, sync::Arc};

use control::slo::rules;
use model::slo::{Counted, Good, Indicator, Objective, Operator, Query, Rule, Sample, Samples};

use crate::{prometheus::run_promtool, support::objective};

fn of_prometheus(name: &str) -> Objective {
    let query = Query {
        server: "http://127.0.0.1:9090".into(),
        counted: Counted::Bad(r#"sum(errors_total{job="pay"})"#.into()),
        total: r#"sum(requests_total{job="pay"})"#.into(),
    };
    Objective { indicator: Indicator::Prometheus(query), ..objective(name) }
}

#[test]
fn rules_look_at_the_windows_of_the_alerts() {
    let (page, left_out) = rules(&[objective("pay \"fast\"")]);
    assert_eq!(left_out, []);
    for window in ["5m", "30m", "1h", "2h", "6h", "1d", "3d"] {
        assert!(page.contains(&format!("slo:sli_error:ratio_rate{window}\n")), "{page}");
    }
    assert!(page.contains("0.014400000"), "14.4 times a budget of 0.001: {page}");
    assert_eq!(page.matches("- alert: ErrorBudgetBurn").count(), 4);
}

#[test]
fn what_rules_cannot_say_is_left_out_and_told() {
    let slow = Rule::new(Good::Faster(std::time::Duration::from_millis(300)));
    let latency = Objective { indicator: Indicator::Requests(slow), ..objective("fast") };
    let (page, left_out) = rules(&[latency]);
    assert_eq!(page, "groups: []\n");
    assert_eq!(left_out[0].objective, "fast");
}

#[test]
fn promtool_accepts_them() {
    let [good, bad] = [Counted::Good("part".into()), Counted::Bad("part".into())];
    let (query, total) =
        ("histogram_quantile(0.99, sum by (le) (rate(b[1m])))".into(), "all".into());
    let samples = [
        Sample::Threshold { query, op: Operator::AtMost, value: 0.3 },
        Sample::Raw(good.clone()),
        Sample::Raw(bad.clone()),
        Sample::Ratio { counted: good, total: Arc::clone(&total) },
        Sample::Ratio { counted: bad, total },
    ];
    let sampled = samples.into_iter().enumerate().map(|(number, sample)| {
        let samples = Samples { server: "http://127.0.0.1:9090".into(), sample };
        let indicator = Indicator::Samples(samples);
        Objective { indicator, ..objective(&format!("sampled {number}")) }
    });
    let mut objectives = vec![objective("pay \"fast\""), of_prometheus("orders")];
    objectives.extend(sampled);
    let (page, left_out) = rules(&objectives);
    assert_eq!(left_out, []);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), &page).unwrap();
    let said = run_promtool(folder.path(), &["check", "rules", "rules.yaml"]);
    assert!(said.contains("77 rules found"), "{said}\n{page}");
}
