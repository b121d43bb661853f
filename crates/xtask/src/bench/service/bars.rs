//! What must hold.

use super::figures::{Figures, INSTRUCTIONS};

/// A number that must not be exceeded.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// The number, in words.
    pub(super) name: String,
    /// None where it was not measured.
    pub(super) value: Option<f64>,
    pub(super) most: f64,
}

impl Bar {
    pub(super) fn is_met(&self) -> Option<bool> {
        self.value.map(|value| value <= self.most)
    }
}

pub(super) const AROUND: &str = "a request, layers around the router";
/// In the bench's `wire.rs`.
const WIRE: &str = "a request over TCP, layers by Router::layer";
const CPU_TIME: &str = "CPU ns";
const PLAIN: &str = "plain axum";
const PEER: &str = "tower-http Trace, Timeout, CatchPanic";
const OURS: &str = "ServiceLayer";

pub(super) fn bars(figures: &Figures) -> Vec<Bar> {
    let added =
        |row, side, unit| Some(figures.get(row, side, unit)? - figures.get(row, PLAIN, unit)?);
    let ratio = |over: Option<f64>, under: Option<f64>| Some(over? / under?);
    vec![
        Bar {
            name: format!("{AROUND}: instructions that {OURS} adds ÷ those that {PEER} add"),
            value: ratio(added(AROUND, OURS, INSTRUCTIONS), added(AROUND, PEER, INSTRUCTIONS)),
            most: 1.0,
        },
        Bar {
            name: format!("{WIRE}: processor's time that {OURS} adds ÷ that of {PLAIN}"),
            value: ratio(added(WIRE, OURS, CPU_TIME), figures.get(WIRE, PLAIN, CPU_TIME)),
            most: 0.1,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::{AROUND, CPU_TIME, OURS, PEER, PLAIN, WIRE, bars};
    use crate::bench::service::figures::{Figures, INSTRUCTIONS};

    #[test]
    fn what_the_layers_add_is_set_beside_what_the_peers_add() {
        for (ours, met) in [(1500.0, true), (1600.0, false)] {
            let mut figures = Figures::default();
            for (side, value) in [(PLAIN, 1000.0), (PEER, 1500.0), (OURS, ours)] {
                figures.set(AROUND, side, INSTRUCTIONS, value);
            }
            let bars = bars(&figures);
            assert_eq!(bars[0].is_met(), Some(met), "{ours}");
            assert_eq!(bars[1].is_met(), None, "it was not measured");
        }
    }

    #[test]
    fn what_the_layers_add_is_set_beside_a_request_over_the_wire() {
        for (ours, met) in [(10_900.0, true), (11_100.0, false)] {
            let mut figures = Figures::default();
            figures.set(WIRE, PLAIN, CPU_TIME, 10_000.0);
            figures.set(WIRE, OURS, CPU_TIME, ours);
            assert_eq!(bars(&figures)[1].is_met(), Some(met), "{ours}");
        }
    }
}
