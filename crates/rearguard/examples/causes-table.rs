//! Prints the table of causes that is kept in `docs/causes/README.md`; with `facts`, a line for
//! each cause with what its own page must say. `cargo xtask` runs it.

use std::{
    env,
    io::{self, Write},
};

use rearguard::{Blame, Cause};

const HEAD: &str = "\
# Causes

Why a request was not served well, and whose it is: a closed list. The code is the party, a dot,
what happened. Each has its page here, which `rearguard explain CODE` prints.

The status is the one that the gateway answers with, and – where it is the service's own, has been
sent already, or is set by whoever asked for the answer. *Counts against* says whose error budget
the request spends. Envoy's flag is what Envoy would log for the same event. The RFC 9209 type is
the error in the `Proxy-Status` header.

This page is made from the code by `cargo xtask generate`.

| code | what happened | status | gRPC status | outcome | Envoy flag | RFC 9209 type | counts against |
|---|---|---|---|---|---|---|---|
";

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    if env::args().nth(1).as_deref() == Some("facts") {
        for &cause in Cause::ALL {
            writeln!(out, "{cause}\t{}\t{}", sentence(cause), facts(cause))?;
        }
        return Ok(());
    }
    out.write_all(HEAD.as_bytes())?;
    for &cause in Cause::ALL {
        writeln!(out, "| [`{cause}`]({cause}.md) | {} {}", cause.sentence(), facts(cause))?;
    }
    Ok(())
}

/// What happened, with a capital and a full stop.
fn sentence(cause: Cause) -> String {
    let (first, rest) = cause.sentence().split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}

/// The cells of the table after the code and the sentence.
fn facts(cause: Cause) -> String {
    let blame = match cause.blame() {
        Blame::Nobody => "nobody",
        Blame::Gateway => "the gateway",
        Blame::Service => "the service",
    };
    format!(
        "| {} | {} | {} | {} | {} | {blame} |",
        cause.status().map_or("–".to_owned(), |status| status.to_string()),
        cause.grpc_status().map_or("–".to_owned(), grpc_status),
        cause.outcome(),
        cause.envoy_flag().unwrap_or("–"),
        cause.proxy_error().unwrap_or("–"),
    )
}

/// A status with its name in the gRPC specification (`doc/statuscodes.md`).
fn grpc_status(status: u32) -> String {
    let name = match status {
        1 => "CANCELLED",
        4 => "DEADLINE_EXCEEDED",
        8 => "RESOURCE_EXHAUSTED",
        12 => "UNIMPLEMENTED",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        _ => return status.to_string(),
    };
    format!("{status} ({name})")
}
