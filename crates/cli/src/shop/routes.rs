//! What each URL of the shop does.

use std::{
    fmt::Write as _,
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Every so many payments, version 2 of the payment service panics.
const V2_PANICS_EVERY: u64 = 5;

/// The paths to ask the gateway for, with what they show.
pub(super) const URLS_TO_TRY: &[(&str, &str)] = &[
    ("/", "this page: the shop's front"),
    ("/products", "a good answer"),
    ("/cart", "a good answer"),
    ("/stock", "a good answer of another service"),
    (
        "/pay",
        "mostly a good answer; a tenth goes to version 2, which panics at every fifth (a GET that \
         dies with a reused connection is sent again: POST shows them all)",
    ),
    ("/pay/error", "upstream.failed: the service itself answers 500"),
    ("/pay/panic", "upstream.closed_before_response: a panic closes the connection"),
    ("/pay/panic-reported", "upstream.panicked: the same panic, reported by the service"),
    ("/pay/close", "upstream.closed_before_response: closed without an answer, but no panic"),
    ("/pay/half", "upstream.closed_mid_response: the answer stops half-way"),
    ("/pay/reset", "upstream.reset: the connection is reset"),
    ("/pay/rubbish", "upstream.protocol_error: the answer is not HTTP"),
    ("/pay/stall", "upstream.response_timed_out: no answer within the route's 2 s"),
    ("/pay/cleanup", "upstream.response_timed_out: 12 ms of work, held back by 3 s of cleanup"),
    (
        "/pay/cleanup/patient",
        "upstream.cleanup_overran: the same on a route that waits, so the service says why",
    ),
    ("/pay/slow", "upstream.body_timed_out: the answer begins at once and dawdles past 2 s"),
    ("/gift", "upstream.connect_refused: nothing listens where the service should be"),
];

/// Which of the shop's services.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Front,
    PaymentV1,
    PaymentV2,
    Inventory,
}

/// A service and what it remembers.
#[derive(Debug)]
pub(super) struct Service {
    role: Role,
    payments: AtomicU64,
}

/// What a connection does with a request.
#[derive(Debug)]
pub(super) enum Act {
    /// Answers.
    Answer(Response),
    /// Answers when the work and then the cleanup are done, and says how long each took.
    AnswerAfterCleanup { work: Duration, cleanup: Duration, response: Response },
    /// Closes without a word.
    Close,
    /// Sends the head and half of the body, and closes.
    Half(Response),
    /// Resets the connection.
    Reset,
    /// Sends this instead of HTTP, and closes.
    Rubbish(&'static [u8]),
    /// Sends the head at once and the body byte by byte.
    Slow(Response),
    /// Does not answer for a minute, or until the client leaves.
    Stall,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Response {
    status: u16,
    fields: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Response {
    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, fields: vec![("content-type", content_type.to_owned())], body }
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{body}\n"))
    }

    fn json(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body.into())
    }

    /// With one more header field.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.fields.push((name, value));
        self
    }

    /// Head and body as they go out.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            _ => "Internal Server Error",
        };
        let mut out = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        for (name, value) in &self.fields {
            // Writing to a string cannot fail.
            write!(out, "{name}: {value}\r\n").unwrap_or_default();
        }
        write!(out, "content-length: {}\r\n\r\n{}", self.body.len(), self.body).unwrap_or_default();
        out.into_bytes()
    }
}

impl Service {
    pub(super) fn new(role: Role) -> Self {
        Self { role, payments: AtomicU64::new(0) }
    }

    /// The route's handler. Panics where the route says so; the caller's task contains it.
    pub(super) fn answer(&self, path: &str) -> Act {
        match self.role {
            Role::Front => front(path),
            Role::PaymentV1 => payment(path, "v1", || {}),
            Role::PaymentV2 => payment(path, "v2", || {
                let payment = self.payments.fetch_add(1, Ordering::Relaxed) + 1;
                if payment.is_multiple_of(V2_PANICS_EVERY) {
                    charge_a_card_that_is_not_there();
                }
            }),
            Role::Inventory => inventory(path),
        }
    }
}

fn front(path: &str) -> Act {
    Act::Answer(match path {
        "/" => Response::new(200, "text/html; charset=utf-8", front_page()),
        "/products" => Response::json(200, r#"{"products":["teapot","kettle","cup"]}"#),
        "/cart" => Response::json(200, r#"{"cart":[{"product":"teapot","count":1}]}"#),
        _ => not_found(path),
    })
}

fn payment(path: &str, version: &str, charge: impl Fn()) -> Act {
    match path {
        "/pay" => {
            charge();
            Act::Answer(paid(version))
        }
        "/pay/error" => Act::Answer(Response::json(500, r#"{"error":"the bank said no"}"#)),
        "/pay/panic" => charge_a_card_that_is_not_there(),
        "/pay/panic-reported" => Act::Answer(panic_reported()),
        "/pay/stall" => Act::Stall,
        "/pay/close" => Act::Close,
        "/pay/half" => Act::Half(paid(version)),
        "/pay/reset" => Act::Reset,
        "/pay/cleanup" | "/pay/cleanup/patient" => Act::AnswerAfterCleanup {
            work: Duration::from_millis(12),
            cleanup: Duration::from_secs(3),
            response: paid(version),
        },
        "/pay/rubbish" => Act::Rubbish(b"\x15\x03\x01 this is not HTTP\r\n"),
        "/pay/slow" => Act::Slow(paid(version)),
        _ => Act::Answer(not_found(path)),
    }
}

fn inventory(path: &str) -> Act {
    Act::Answer(match path {
        "/stock" => Response::json(200, r#"{"in_stock":{"teapot":4,"kettle":0,"cup":12}}"#),
        _ => not_found(path),
    })
}

fn paid(version: &str) -> Response {
    Response::json(200, format!(r#"{{"paid":true,"amount":"12.50","version":"{version}"}}"#))
}

fn not_found(path: &str) -> Response {
    Response::text(404, &format!("nothing at {path}"))
}

/// Panics and unwinds as `panic!` does, but past the panic hook: a sample that fails on purpose
/// does not fill the terminal with messages, and the hook of the process stays as it is.
fn charge_a_card_that_is_not_there() -> ! {
    panic::resume_unwind(Box::new("the card is not there"))
}

/// What a service does that recovers the panics of its handlers and tells the gateway of them.
fn panic_reported() -> Response {
    let charged: Result<Response, _> =
        panic::catch_unwind(AssertUnwindSafe(|| charge_a_card_that_is_not_there()));
    charged.unwrap_or_else(|_| {
        Response::json(500, r#"{"error":"internal error"}"#)
            .with("rearguard-outcome", "panicked".to_owned())
    })
}

fn front_page() -> String {
    let mut page = String::from(concat!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width\"><title>Sample shop</title>",
        "<style>body{font:16px/1.6 system-ui;max-width:46em;margin:2em auto;padding:0 1em}</style>",
        "<h1>Sample shop</h1>",
        "<p>A few small services that succeed, and fail in every way that services do. ",
        "Follow the links, then look at the gateway's own page.</p><ul>\n",
    ));
    for (path, shows) in URLS_TO_TRY {
        // Writing to a string cannot fail.
        writeln!(page, "<li><a href=\"{path}\"><code>{path}</code></a> {shows}")
            .unwrap_or_default();
    }
    page.push_str("</ul></html>\n");
    page
}
