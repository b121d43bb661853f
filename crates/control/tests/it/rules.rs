use std::fs;

use control::slo::rules;
use model::slo::{Counted, Good, Indicator, Objective, Query, Rule};

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
    let (page, _) = rules(&[objective("pay \"fast\""), of_prometheus("orders")]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), &page).unwrap();
    let said = run_promtool(folder.path(), &["check", "rules", "rules.yaml"]);
    assert!(said.contains("22 rules found"), "{said}\n{page}");
}
