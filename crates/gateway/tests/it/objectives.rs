//! Each request is counted for each objective of its service, by how it ended and why.

use std::{sync::Arc, time::Duration};

use gateway::observe::Watched;
use model::{
    Cause,
    slo::{Counts, Good, Rule, Tally},
};

use crate::support::{Rig, Service, ms, wait_for};

fn watched(name: &str, service: &str, good: Good) -> Watched {
    Watched { name: name.into(), service: service.into(), rule: Arc::new(Rule::new(good)) }
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
            watched("served", "svc", Good::Served),
            watched("fast", "svc", Good::Faster(Duration::from_secs(1))),
            watched("clean", "svc", Good::CleanupFaster(Duration::from_millis(50))),
            watched("another", "another", Good::Served),
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

#[test]
fn after_a_reload_what_is_as_it_was_goes_on_counting_and_the_rest_begins_anew() {
    let service = Service::ok();
    let mut routing = None;
    let mut rig = Rig::with(service.address, |settings, routes| {
        settings.workers = 2;
        settings.watched = Box::new([
            watched("going", "svc", Good::Served),
            watched("staying", "svc", Good::Served),
            watched("changing", "svc", Good::Served),
        ]);
        routing = Some(routes.clone());
    });
    let routing = routing.expect("a routing");
    let gateway = rig.gateway.take().expect("it runs");
    let good =
        || -> Vec<u64> { rig.handle.tallies().iter().map(|tally| tally.counts().good).collect() };
    for _ in 0..20 {
        rig.get("/");
    }
    wait_for("all are counted", || good() == [20, 20, 20]);
    let next = [
        watched("coming", "svc", Good::Served),
        watched("changing", "svc", Good::Faster(Duration::from_secs(1))),
        watched("staying", "svc", Good::Served),
    ];
    let next = gateway.prepare(&routing, &next).expect("it is good");
    assert_eq!(good(), [20, 20, 20], "nothing has changed yet");
    gateway.serve(next);
    assert_eq!(good(), [0, 0, 20]);
    // Each worker takes the next configuration in its own time.
    let mut sent = 0;
    wait_for("both workers to count for what came", || {
        rig.get("/");
        sent += 1;
        good()[0] >= 20
    });
    wait_for("what stayed to count all", || good()[2] == 20 + sent);
    let [coming, changing, _] = good().try_into().expect("three");
    assert_eq!(coming, changing);
    let asked: u64 = rig.handle.counts().iter().map(|count| count.requests).sum();
    assert_eq!(asked, 20 + sent, "the requests of a series are counted once");
    gateway.reload(&routing).expect("it is good");
    assert_eq!(good()[2], 20 + sent, "routes alone change no objective");
    gateway.stop(|| true);
}
