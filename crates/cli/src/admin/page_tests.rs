//! The first page as a person sees it, in Chromium.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use model::{Cause, ConnectionUse, Outcome, Phases, Reported};

use super::{
    browser::{Browser, Scheme},
    fake::{Fake, failure},
    history::{HISTORY_SECONDS, History},
    router::{App, now_unix_micros},
    server::{AdminServer, start, start_app},
};

pub(super) const PHONE: (u32, u32) = (360, 740);
pub(super) const DESKTOP: (u32, u32) = (1280, 800);

pub(super) fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn quiet() -> (Arc<Fake>, AdminServer, SocketAddr) {
    let fake = Arc::new(Fake::default());
    let (listener, address) = bound();
    let server = start(listener, fake.clone()).unwrap();
    (fake, server, address)
}

/// A gateway after five minutes of traffic in which much went wrong.
fn busy() -> (Arc<Fake>, AdminServer, SocketAddr) {
    let fake = Arc::new(Fake::default());
    let mut history = History::default();
    history.record(0, &[]);
    for second in 1..=HISTORY_SECONDS {
        let wave = (second as f64 / 17.0).sin() * 9.0 + (second as f64 / 3.1).sin() * 2.0;
        fake.add("cart-service", Outcome::Succeeded, None, (24.0 + wave) as u64);
        fake.add("payment-service", Outcome::Succeeded, None, 6 + second % 3);
        count_failures(&fake, second);
        history.record(second, &super::Observed::counts(fake.as_ref()));
    }
    keep_failures(&fake);
    let (listener, address) = bound();
    let app = Arc::new(App::resumed(fake.clone(), history, HISTORY_SECONDS));
    let server = start_app(listener, app).unwrap();
    (fake, server, address)
}

fn count_failures(fake: &Fake, second: u64) {
    let fail = |service: &str, cause: Cause| fake.add(service, cause.outcome(), Some(cause), 1);
    if second > 210 && !second.is_multiple_of(3) {
        fail("payment-service", Cause::UpstreamClosedBeforeResponse);
    }
    if second.is_multiple_of(23) {
        fail("payment-service", Cause::UpstreamResponseTimedOut);
        fail("cart-service", Cause::ClientDisconnected);
    }
    if second.is_multiple_of(41) {
        fail("inventory.warehouse.internal.example", Cause::UpstreamPanicked);
        fail("", Cause::GatewayNoRoute);
    }
    if second.is_multiple_of(97) {
        fail("cart-service", Cause::GatewayQueueTimedOut);
    }
}

/// One failure of each kind that looks different.
fn keep_failures(fake: &Fake) {
    let now = now_unix_micros();
    let mut no_route = failure(Cause::GatewayNoRoute, now - 250_000_000);
    no_route.service = "".into();
    no_route.subset = "".into();
    no_route.endpoint = None;
    no_route.connection = None;
    no_route.phases = Phases { total: Duration::from_micros(85), ..Phases::default() };
    no_route.tries = 0;
    no_route.detail = Some("no route for host shop.example and path /nothing".into());
    no_route.path =
        "/nothing?with=<b>a</b>&long=abcdefghijklmnopqrstuvwxyz0123456789abcdefghij".into();
    fake.fail(no_route);

    let mut overran = failure(Cause::UpstreamCleanupOverran, now - 95_000_000);
    overran.connection = Some(ConnectionUse::Fresh);
    overran.status = 504;
    overran.detail = Some("work 120 ms, cleanup 2.4 s, deadline 2 s".into());
    overran.phases.connect = Some(Duration::from_micros(410));
    overran.phases.upstream = Some(Duration::from_millis(2000));
    overran.phases.total = Duration::from_micros(2_000_600);
    let (work, cleanup) = (Duration::from_millis(120), Duration::from_millis(1880));
    overran.reported = Reported { work: Some(work), cleanup: Some(cleanup) };
    fake.fail(overran);

    let mut cut = failure(Cause::UpstreamClosedMidResponse, now - 31_000_000);
    cut.status = 200;
    cut.detail = Some("the head promised 48,211 bytes, 16,384 came".into());
    cut.phases.transfer = Some(Duration::from_millis(12));
    cut.phases.total = Duration::from_micros(15_400);
    cut.tries = 2;
    fake.fail(cut);
    fake.fail(failure(Cause::ClientDisconnected, now - 17_000_000));
    fake.fail(failure(Cause::GatewayQueueTimedOut, now - 9_000_000));
    fake.fail(failure(Cause::UpstreamClosedBeforeResponse, now - 2_000_000));
}

pub(super) fn assert_no_overflow(browser: &mut Browser, what: &str) {
    let widths = browser.evaluate(
        "[document.scrollingElement.scrollWidth, innerWidth,
          [...document.querySelectorAll('body *')]
            .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1)
            .filter((e) => e.clientWidth > 0 && !e.closest('.unseen, .causes thead, .prose :is(pre, table)'))
            .map((e) => e.outerHTML.slice(0, 120))]",
    );
    let (page, window) = (widths[0].as_f64().unwrap(), widths[1].as_f64().unwrap());
    assert!(page <= window, "{what}: the page is {page} wide: {}", widths[2]);
    assert_eq!(widths[2].as_array().unwrap().len(), 0, "{what}: {}", widths[2]);
}

pub(super) fn shows(text: &str) -> String {
    format!("document.body?.innerText.includes({})", serde_json::to_string(text).unwrap())
}

#[test]
fn each_failure_is_explained_on_a_phone_and_on_a_desk_in_light_and_in_dark() {
    let (_fake, server, address) = busy();
    let mut browser = Browser::start();
    for (name, (width, height)) in [("phone", PHONE), ("desktop", DESKTOP)] {
        for scheme in [Scheme::Light, Scheme::Dark] {
            let what = format!("busy-{name}-{scheme:?}").to_lowercase();
            browser.show(width, height, scheme);
            browser.open(&format!("http://{address}/"));
            browser.wait_for("document.querySelectorAll('.failure').length == 6");
            let text = browser.text();
            for cause in [
                Cause::UpstreamClosedBeforeResponse,
                Cause::UpstreamCleanupOverran,
                Cause::GatewayNoRoute,
            ] {
                assert!(text.contains(cause.code()), "{what}: {cause}");
                let sentence = &cause.sentence()[1..];
                assert!(text.contains(sentence), "{what}: {sentence}");
            }
            for words in ["idle 41 ms", "cleanup", "1.88 s", "of requests are not served well"] {
                assert!(text.contains(words), "{what}: {words:?} in\n{text}");
            }
            assert!(text.contains("with=<b>a</b>"), "{what}: what came from outside is text");
            assert_no_overflow(&mut browser, &what);
            assert_eq!(browser.problems(), [""; 0], "{what}");
            browser.picture(&what);
        }
    }
    server.stop().unwrap();
}

#[test]
fn the_page_follows_what_happens() {
    let (fake, server, address) = quiet();
    let mut browser = Browser::start();
    browser.show(PHONE.0, PHONE.1, Scheme::Light);
    browser.open(&format!("http://{address}/"));
    browser.wait_for(&shows("No traffic yet"));
    browser.wait_for(&shows("curl -i http://127.0.0.1:8080/"));
    assert_no_overflow(&mut browser, "no traffic");
    browser.picture("quiet-phone");

    fake.add("payment-service", Outcome::Succeeded, None, 9);
    browser.wait_for(&shows("Every request was served well"));
    browser.wait_for(&shows("Nothing has failed yet."));
    browser.wait_for(&shows("curl -i http://127.0.0.1:8080/pay/panic"));
    browser.picture("well-phone");

    browser.evaluate("window.kept = document.querySelector('main')");
    fake.fail(failure(Cause::UpstreamReset, now_unix_micros()));
    browser.wait_for(&shows("upstream.reset"));
    browser.wait_for(&shows("The service reset the connection or the stream."));
    browser.wait_for(&shows("10% of requests are not served well"));
    browser.wait_for("document.title.startsWith('10% failing')");
    browser.wait_for(
        "document.querySelector('#announcement').textContent.includes('payment-service')",
    );
    assert_eq!(browser.evaluate("kept.isConnected"), true, "the page is updated in place");
    assert_no_overflow(&mut browser, "one failure");

    browser.evaluate(
        "window.first = document.querySelector('.failure'); first.querySelector('a').focus()",
    );
    fake.fail(failure(Cause::UpstreamFailed, now_unix_micros()));
    browser.wait_for("document.querySelectorAll('.failure').length == 2");
    assert_eq!(
        browser.evaluate("[...document.querySelectorAll('.failure')].indexOf(first)"),
        1,
        "the newest comes first"
    );
    assert_eq!(browser.evaluate("first.contains(document.activeElement)"), true, "focus stays");
    assert_eq!(browser.problems(), [""; 0]);
    server.stop().unwrap();
}

#[test]
fn failures_are_filtered_by_cause_and_the_choice_is_kept_in_the_address() {
    let (_fake, server, address) = busy();
    let mut browser = Browser::start();
    browser.show(DESKTOP.0, DESKTOP.1, Scheme::Light);
    browser.open(&format!("http://{address}/"));
    browser.wait_for("document.querySelectorAll('.failure').length == 6");
    browser.evaluate(
        "(() => {
           const select = document.querySelector('#filter select[name=cause]');
           select.value = 'gateway.no_route';
           select.dispatchEvent(new Event('change', { bubbles: true }));
         })()",
    );
    browser.wait_for("document.querySelectorAll('.failure').length == 1");
    browser.wait_for("location.search.includes('cause=gateway.no_route')");
    browser.evaluate("location.reload()");
    browser.wait_for(
        "document.readyState == 'complete' && document.querySelectorAll('.failure').length == 1
         && document.querySelector('#filter select[name=cause]').value == 'gateway.no_route'",
    );
    assert_eq!(browser.problems(), [""; 0]);
    server.stop().unwrap();
}

#[test]
fn a_paused_page_stands_still_and_one_without_answers_says_so() {
    let (fake, server, address) = quiet();
    fake.add("payment-service", Outcome::Succeeded, None, 9);
    let mut browser = Browser::start();
    browser.show(PHONE.0, PHONE.1, Scheme::Light);
    browser.open(&format!("http://{address}/"));
    browser.wait_for("document.querySelector('#connection').textContent == 'live'");

    browser.evaluate("document.querySelector('#pause').click()");
    browser.wait_for("document.querySelector('#connection').textContent.startsWith('paused ')");
    browser.picture("paused-phone");
    fake.fail(failure(Cause::UpstreamReset, now_unix_micros()));
    browser.evaluate("document.querySelector('#pause').click()");
    browser.wait_for(&shows("upstream.reset"));
    assert_eq!(browser.problems(), [""; 0]);

    server.stop().unwrap();
    browser.wait_for("document.querySelector('#lost').checkVisibility()");
    browser.wait_for(&shows("The gateway has stopped answering"));
    browser.wait_for(&shows("Last seen"));
    assert_no_overflow(&mut browser, "no answer");
    browser.picture("lost-phone");

    let server = start(TcpListener::bind(address).unwrap(), fake).unwrap();
    browser.wait_for("!document.querySelector('#lost').checkVisibility()");
    browser.wait_for("document.querySelector('#connection').textContent == 'live'");
    server.stop().unwrap();
}

#[test]
fn the_page_is_useful_without_its_script() {
    let (_fake, server, address) = busy();
    let mut browser = Browser::start();
    browser.show(PHONE.0, PHONE.1, Scheme::Dark);
    browser.without_scripts();
    browser.open(&format!(
        "http://{address}/?service=payment-service&cause=upstream.closed_before_response"
    ));
    let text = browser.text();
    assert!(text.contains("idle 41 ms") && text.contains("Show all"), "{text}");
    assert!(!text.contains("Pause") && !text.contains("Copy"), "what needs a script is not there");
    server.stop().unwrap();
}

#[test]
fn the_pages_of_causes_fit_a_phone() {
    let (_fake, server, address) = quiet();
    let mut browser = Browser::start();
    for (name, (width, height)) in [("phone", PHONE), ("desktop", DESKTOP)] {
        browser.show(width, height, Scheme::Light);
        for path in ["/causes", "/causes/upstream.closed_before_response"] {
            browser.open(&format!("http://{address}{path}"));
            assert_no_overflow(&mut browser, path);
            browser.picture(&format!("{}-{name}", path[1..].replace('/', "-")));
        }
    }
    assert_eq!(browser.problems(), [""; 0]);
    server.stop().unwrap();
}
