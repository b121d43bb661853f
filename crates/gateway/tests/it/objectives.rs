//! Each request is counted for each objective of its service, by how it ended and why.

use std::{sync::Arc, time::Duration};

use gateway::observe::Watched;
use model::{
    Cause,
    slo::{Counts, Good, Rule, Tally},
};

use crate::support::{Rig, Service, ms, wait_for};

fn watched(service: &str, good: Good) -> Watched {
    Watched { service: service.into(), rule: Arc::new(Rule::new(good)) }
}

#[test]
fn requests_are_counted_by_outcome_cause_latency_and_cleanup() {
    let service = Service::start(|with| {
        while let Some(head) = with.wire.head() {
            let path = head.first_line.split(' ').nth(1).unwrap_or_default().to_owned();
            if path == "/close" {
                return;
            }
            if path == "/slow" {
                std::thread::sleep(ms(1_200));
            }
            let timing = if path == "/cleanup" {
                "work;dur=1, cleanup;dur=80"
            } else {
                "work;dur=1, cleanup;dur=2"
            };
            with.say(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nserver-timing: {timing}\r\n\r\n"
            ));
        }
    });
    let rig = Rig::with(service.address, |settings, _| {
        settings.watched = Box::new([
            watched("svc", Good::Served),
            watched("svc", Good::Faster(Duration::from_secs(1))),
            watched("svc", Good::CleanupFaster(Duration::from_millis(50))),
            watched("another", Good::Served),
        ]);
    });
    for path in ["/", "/", "/slow", "/cleanup", "/close"] {
        rig.get(path);
    }
    let bad = |counts: &[Tally]| counts.iter().map(|tally| tally.counts().bad).sum::<u64>();
    wait_for("all are counted", || bad(&rig.handle.tallies()) == 3);
    let tallies = rig.handle.tallies();
    assert_eq!(tallies[0].counts(), Counts { good: 4, bad: 1 });
    assert_eq!(tallies[0].bad[Tally::place(Some(Cause::UpstreamClosedBeforeResponse))], 1);
    assert_eq!(tallies[1].counts(), Counts { good: 3, bad: 1 }, "a quick failure is not slow");
    assert_eq!(tallies[2].counts(), Counts { good: 3, bad: 1 }, "where it was reported");
    assert_eq!(tallies[3].counts(), Counts::NONE);
}
