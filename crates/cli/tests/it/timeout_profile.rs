//! `up --profile-on-timeout`: a Go service that blocks in a deferred cleanup, and what its failure
//! says of it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use crate::{
    go_service::build,
    support::{Gateway, Server, file, wait_for},
};

const ROUTE: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: late
spec:
  hosts: [\"*\"]
  http:
  - name: late
    timeout: 500ms
    route:
    - destination:
        host: late-service
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/late")
}

fn service() -> Server {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    Server::start(&mut Command::new(BUILT.get_or_init(|| build(&folder(), "late"))))
}

fn in_front_of(service: &Server, name: &str, arguments: &[&str]) -> Gateway {
    let route = file(&format!("{name}.yaml"), ROUTE);
    let address = service.first_line.strip_prefix("listening on ").unwrap();
    let upstream = format!("late-service={address}");
    let mut all = vec![route.to_str().unwrap(), "--upstream", &upstream];
    all.extend(arguments);
    Gateway::up(&all)
}

/// The failure of a path once something has been found out about it.
fn profiled(gateway: &Gateway, path: &str) -> Value {
    wait_for("a profile of the service", || {
        let failures = gateway.failures().into_iter();
        failures
            .into_iter()
            .find(|failure| failure["path"] == path && !failure["profile"].is_null())
    })
}

#[test]
fn a_timeout_names_the_line_that_the_service_is_blocked_in_and_the_defer_that_led_there() {
    let service = service();
    let source = folder();
    let source = source.to_str().unwrap();
    let arguments = ["--profile-on-timeout", "auto", "--profile-source", source];
    let gateway = in_front_of(&service, "late", &arguments);
    assert_eq!(gateway.get("/pay").status, 504);
    let failure = profiled(&gateway, "/pay");
    assert_eq!(failure["cause"], "upstream.response_timed_out");
    let profile = &failure["profile"];
    let at = format!("{source}/main.go");
    assert_eq!(profile["blocked_at"], format!("{at}:15"), "{failure:#}");
    assert_eq!(profile["deferred_at"], format!("{at}:20"), "{failure:#}");
    assert_eq!(profile["in_deferred_call"], true, "{failure:#}");
    let sentence = profile["sentence"].as_str().unwrap();
    for said in ["Blocked in chan receive", "`defer l.Close`", "handler main.pay", "likely"] {
        assert!(sentence.contains(said), "{said}: {sentence}");
    }
    // The page and `explain` say the same.
    let page = gateway.page("/");
    assert!(page.contains("Blocked in chan receive at main.(*ledger).Close"), "{page}");
    let trace_id = failure["trace_id"].as_str().unwrap();
    let explained = Command::new(env!("CARGO_BIN_EXE_rearguard"))
        .args(["explain", trace_id, "--admin", &gateway.admin()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&explained.stdout);
    assert!(explained.status.success() && said.contains(sentence), "{explained:?}");
}

#[test]
fn a_service_is_asked_for_one_profile_in_a_while() {
    let service = service();
    let gateway = in_front_of(&service, "late-once", &["--profile-on-timeout", "auto"]);
    assert_eq!(gateway.get("/pay?1").status, 504);
    profiled(&gateway, "/pay?1");
    assert_eq!(gateway.get("/pay?2").status, 504);
    wait_for("the second one to be passed over", || {
        let metrics = gateway.page("/metrics");
        let skipped = "rearguard_timeout_profiles_total{result=\"skipped\"} 1";
        metrics.contains(skipped).then_some(())
    });
    assert!(gateway.failure("/pay?2")["profile"].is_null());
}

#[test]
fn a_service_without_profiles_is_told_how_to_expose_them() {
    let service = service();
    let address = service.first_line.strip_prefix("listening on ").unwrap();
    let pattern = format!("{address}/elsewhere");
    let gateway = in_front_of(&service, "late-hidden", &["--profile-on-timeout", &pattern]);
    assert_eq!(gateway.get("/pay").status, 504);
    let failure = profiled(&gateway, "/pay");
    let sentence = failure["profile"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("404") && sentence.contains("net/http/pprof"), "{sentence}");
}

#[test]
fn a_live_service_is_asked_for_its_goroutines_and_what_else_it_shows() {
    let service = service();
    let address = service.first_line.strip_prefix("listening on ").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rearguard"));
        command.args(["doctor", "profile"]).args(arguments).output().unwrap()
    };
    let asked = run(&[address]);
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(asked.status.success(), "{asked:?}");
    assert!(said.starts_with("goroutine profile: "), "{said}");
    assert!(said.contains(&format!("{address}/debug/pprof/heap")), "{said}");
    let asked = run(&[&format!("{address}/debug/pprof/nothing")]);
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(!asked.status.success() && said.contains("net/http/pprof"), "{said}");
    let flame = file("late-flame.html", "");
    let asked = run(&[
        &format!("{address}/debug/pprof/heap"),
        "--format",
        "json",
        "--flame",
        flame.to_str().unwrap(),
    ]);
    let report: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(report["kind"], "heap", "{report:#}");
    assert!(std::fs::read_to_string(flame).unwrap().starts_with("<!doctype html>"));
}
