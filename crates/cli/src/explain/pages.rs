use rearguard::Cause;

macro_rules! pages {
    ($($name:ident $code:literal)*) => {
        /// The page of a cause: `docs/causes/CODE.md` as it stands.
        pub(crate) const fn page(cause: Cause) -> &'static str {
            match cause {
                $(Cause::$name => {
                    include_str!(concat!("../../../../docs/causes/", $code, ".md"))
                })*
            }
        }
    };
}

pages! {
    ClientBadRequest "client.bad_request"
    ClientTooLarge "client.too_large"
    ClientTooSlow "client.too_slow"
    ClientDeadlinePassed "client.deadline_passed"
    ClientDisconnected "client.disconnected"
    GatewayNoRoute "gateway.no_route"
    GatewayNoUpstream "gateway.no_upstream"
    GatewayLoopDetected "gateway.loop_detected"
    GatewayCircuitOpen "gateway.circuit_open"
    GatewayQueueTimedOut "gateway.queue_timed_out"
    GatewayRetriesSpent "gateway.retries_spent"
    GatewayRateLimited "gateway.rate_limited"
    GatewayOverloaded "gateway.overloaded"
    GatewayDraining "gateway.draining"
    GatewayFaultInjected "gateway.fault_injected"
    GatewayInternal "gateway.internal"
    UpstreamDnsFailed "upstream.dns_failed"
    UpstreamNoHealthyEndpoint "upstream.no_healthy_endpoint"
    UpstreamConnectRefused "upstream.connect_refused"
    UpstreamConnectTimedOut "upstream.connect_timed_out"
    UpstreamUnreachable "upstream.unreachable"
    UpstreamTlsFailed "upstream.tls_failed"
    UpstreamClosedBeforeResponse "upstream.closed_before_response"
    UpstreamReset "upstream.reset"
    UpstreamClosedMidResponse "upstream.closed_mid_response"
    UpstreamResponseTimedOut "upstream.response_timed_out"
    UpstreamBodyTimedOut "upstream.body_timed_out"
    UpstreamProtocolError "upstream.protocol_error"
    UpstreamFailed "upstream.failed"
    UpstreamPanicked "upstream.panicked"
    UpstreamCleanupOverran "upstream.cleanup_overran"
}

#[cfg(test)]
mod tests {
    use rearguard::Blame;

    use super::*;

    const SECTIONS: [&str; 5] = [
        "## What it means",
        "## The usual reasons",
        "## What to look at",
        "## How to tell it from its neighbours",
        "## What to do",
    ];

    /// The numbers of the gRPC specification, `doc/statuscodes.md`.
    fn grpc_name(status: u32) -> &'static str {
        match status {
            1 => "CANCELLED",
            4 => "DEADLINE_EXCEEDED",
            8 => "RESOURCE_EXHAUSTED",
            12 => "UNIMPLEMENTED",
            13 => "INTERNAL",
            14 => "UNAVAILABLE",
            _ => panic!("no name for gRPC status {status}"),
        }
    }

    fn expected_head(cause: Cause) -> String {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let sentence = cause.sentence();
        let blame = match cause.blame() {
            Blame::Nobody => "nobody",
            Blame::Gateway => "the gateway",
            Blame::Service => "the service",
        };
        format!(
            "# {code}\n\n{first}{rest}.\n\n\
             | status | gRPC status | outcome | Envoy flag | RFC 9209 type | counts against |\n\
             |---|---|---|---|---|---|\n\
             | {status} | {grpc} | {outcome} | {flag} | {proxy_error} | {blame} |\n\n",
            code = cause.code(),
            first = sentence[..1].to_uppercase(),
            rest = &sentence[1..],
            status = or_dash(cause.status().map(|status| status.to_string())),
            grpc = or_dash(
                cause.grpc_status().map(|status| format!("{status} ({})", grpc_name(status)))
            ),
            outcome = cause.outcome(),
            flag = or_dash(cause.envoy_flag().map(str::to_owned)),
            proxy_error = or_dash(cause.proxy_error().map(str::to_owned)),
        )
    }

    #[test]
    fn every_page_begins_with_what_the_program_knows_about_its_cause() {
        for &cause in Cause::ALL {
            let expected = expected_head(cause);
            let found: String = page(cause).chars().take(expected.chars().count()).collect();
            assert_eq!(found, expected, "docs/causes/{cause}.md");
        }
    }

    #[test]
    fn every_page_has_the_same_sections_and_none_is_empty() {
        for &cause in Cause::ALL {
            let page = page(cause);
            let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(headings, SECTIONS, "docs/causes/{cause}.md");
            for section in page.split("\n## ").skip(1) {
                let text = section.split_once('\n').map_or("", |(_, text)| text);
                assert!(!text.trim().is_empty(), "docs/causes/{cause}.md: {section}");
            }
        }
    }

    #[test]
    fn every_page_names_its_metric_and_links_only_to_pages() {
        for &cause in Cause::ALL {
            let page = page(cause);
            let metric = format!("rearguard_requests_total{{cause=\"{cause}\"}}");
            assert!(page.contains(&metric), "docs/causes/{cause}.md: no {metric}");
            for link in page.split("](").skip(1) {
                let target = link.split(')').next().unwrap();
                let code = target.strip_suffix(".md").unwrap_or(target);
                assert!(code.parse::<Cause>().is_ok(), "docs/causes/{cause}.md: {target}");
            }
        }
    }
}
