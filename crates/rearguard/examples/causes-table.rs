//! Prints the table of causes that is kept in `docs/causes/README.md`; with `codes`, only their
//! codes. `cargo xtask generate` runs it.

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
the request spends. Envoy's flag is what Envoy would log for the same event. The last column is
the proxy error type of RFC 9209 in the `Proxy-Status` header.

This page is made from the code by `cargo xtask generate`.

| code | what happened | status | gRPC status | outcome | counts against | Envoy flag | RFC 9209 type |
|---|---|---|---|---|---|---|---|
";

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    if env::args().nth(1).as_deref() == Some("codes") {
        for cause in Cause::ALL {
            writeln!(out, "{cause}")?;
        }
        return Ok(());
    }
    out.write_all(HEAD.as_bytes())?;
    for &cause in Cause::ALL {
        write_row(&mut out, cause)?;
    }
    Ok(())
}

fn write_row(out: &mut impl Write, cause: Cause) -> io::Result<()> {
    let blame = match cause.blame() {
        Blame::Nobody => "nobody",
        Blame::Gateway => "the gateway",
        Blame::Service => "the service",
    };
    let number = |number: Option<u32>| number.map_or("–".to_owned(), |number| number.to_string());
    writeln!(
        out,
        "| [`{cause}`]({cause}.md) | {} | {} | {} | `{}` | {blame} | {} | {} |",
        cause.sentence(),
        number(cause.status().map(u32::from)),
        number(cause.grpc_status()),
        cause.outcome(),
        cause.envoy_flag().unwrap_or("–"),
        cause.proxy_error().unwrap_or("–"),
    )
}
