//! How calls return after a pause, as a picture.

use crate::{plot, scenarios::calls_return};
use std::error::Error;

/// The calls of one fleet around the pause that the origin asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ramp {
    /// The size of the fleet.
    pub nodes: usize,
    /// Calls in each second, by how many seconds after the end of the pause it begins; the pause itself has none.
    pub calls: Vec<(i64, u64)>,
}

impl Ramp {
    /// Runs `calls-return` with `nodes` nodes; if it `encodes`, messages cross links as bytes.
    ///
    /// # Errors
    ///
    /// If a rule is broken, or calls never stop for a pause.
    pub fn measure(seed: u64, nodes: usize, encodes: bool) -> Result<Self, Box<dyn Error>> {
        // What comes when all has ended takes a thousand nodes far longer, and the scenario shows it in smaller fleets.
        let plan = crate::Plan { encodes, heals: false, ..calls_return(seed, nodes) };
        let report = crate::run(&plan, false);
        if let Some(violation) = report.violation {
            return Err(format!("{nodes} nodes: {violation:?}").into());
        }
        let by_second = &report.figures.calls_by_second;
        let seconds: Vec<u64> = by_second.keys().copied().collect();
        let gap = seconds.windows(2).find(|pair| pair[1] - pair[0] > GAP_SECONDS);
        let returns = gap.ok_or_else(|| format!("{nodes} nodes: no pause was kept"))?[1];
        let calls = (-SHOWN_BEFORE..SHOWN_AFTER).map(|offset| {
            let second = returns.checked_add_signed(offset);
            (offset, second.and_then(|second| by_second.get(&second)).copied().unwrap_or_default())
        });
        Ok(Self { nodes, calls: calls.collect() })
    }

    /// The calls in the first seconds after the pause.
    #[must_use]
    pub fn first(&self, seconds: usize) -> Vec<u64> {
        let after = self.calls.iter().filter(|(offset, _)| *offset >= 0);
        after.take(seconds).map(|(_, calls)| *calls).collect()
    }
}

/// Draws fleets around the pause, and the return alone, as SVG.
///
/// # Errors
///
/// If the library that draws refuses something.
pub fn picture(ramps: &[Ramp]) -> Result<String, Box<dyn Error>> {
    let lines: Vec<(String, Vec<(f64, f64)>)> = ramps
        .iter()
        .map(|ramp| {
            let points = ramp.calls.iter().map(|(offset, calls)| (*offset as f64, *calls as f64));
            (format!("{} nodes", plot::grouped(ramp.nodes as u64)), points.collect())
        })
        .collect();
    plot::seconds(
        &lines,
        "calls a second, by seconds after the pause",
        &[-75.0..SHOWN_AFTER as f64, -1.0..12.0],
    )
}

/// What is no pause: requests that come by chance leave no second without a call for longer.
const GAP_SECONDS: u64 = 30;

/// How much of the run is shown, in seconds.
const SHOWN_BEFORE: i64 = 85;
const SHOWN_AFTER: i64 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_shows_the_calls_before_none_in_the_pause_and_few_at_first() {
        let ramp = Ramp::measure(1, 3, true).unwrap();
        let at = |offset: i64| ramp.calls.iter().find(|(at, _)| *at == offset).unwrap().1;
        assert!((5..40).contains(&at(-65)) && at(-30) == 0, "{ramp:?}");
        assert!(ramp.first(1)[0] <= 36, "{ramp:?}");
        assert!(picture(&[ramp]).unwrap().contains("3 nodes"));
    }
}
