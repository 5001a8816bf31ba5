//! What the demonstration found, as a table or as JSON, and whether it is what sharing promises.

use super::{
    Wishes,
    trial::{Pace, Reading},
};
use crate::exit::CommandError;
use serde::Serialize;
use std::{fmt, time::Duration};

/// What all trials came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    nodes: usize,
    repositories: usize,
    transport: String,
    /// How long the model of GitHub's API took for an answer.
    answer_milliseconds: u64,
    trials: Vec<Comparison>,
    /// Whether all nodes got the same bytes in all trials.
    identical: bool,
    /// Whether all of this is as sharing promises.
    kept: bool,
}

/// The same reads without and with sharing.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pace: Pace,
    without_sharing: Reading,
    with_sharing: Reading,
    saved_calls: u64,
    saved_percent: u64,
}

impl Comparison {
    pub(super) fn new(pace: Pace, without_sharing: Reading, with_sharing: Reading) -> Self {
        let saved_calls = without_sharing.calls.saturating_sub(with_sharing.calls);
        let saved_percent = (saved_calls * 100).checked_div(without_sharing.calls).unwrap_or(0);
        Self { pace, without_sharing, with_sharing, saved_calls, saved_percent }
    }
}

impl Report {
    pub(super) fn new(wishes: Wishes, delay: Duration, trials: Vec<Comparison>, identical: bool) -> Self {
        let Wishes { nodes, repositories, transport, rendering: _ } = wishes;
        let counts_hold = trials.iter().all(|trial| {
            trial.without_sharing.calls == (nodes * repositories) as u64
                && trial.with_sharing.calls == repositories as u64
        });
        Self {
            nodes,
            repositories,
            transport: transport.to_string(),
            answer_milliseconds: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            trials,
            identical,
            kept: counts_hold && identical,
        }
    }

    /// # Errors
    ///
    /// When a count is another than it should be, or bodies differ.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        if self.kept {
            return Ok(());
        }
        let reason = format!(
            "{} calls were to be counted without sharing, {} with it, and all bodies to be the same",
            self.nodes * self.repositories,
            self.repositories
        );
        Err(CommandError::failed("sharing did not do what it promises", reason))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, repositories, transport, answer_milliseconds, trials, identical, kept: _ } = self;
        writeln!(
            f,
            "{nodes} nodes, each reads {repositories} repositories; over {transport}, on this machine"
        )?;
        writeln!(f)?;
        let (left, column) = (LEFT_WIDTH, COLUMN_WIDTH);
        writeln!(
            f,
            "{:left$}{:>column$}{:>column$}{:>column$}",
            "calls to the API", "without sharing", "with sharing", "saved"
        )?;
        for Comparison { pace, without_sharing, with_sharing, saved_calls, saved_percent } in trials {
            let cell = |reading: &Reading| format!("{} in {:.2} s", reading.calls, reading.seconds);
            writeln!(
                f,
                "{:left$}{:>column$}{:>column$}{:>column$}",
                pace.to_string(),
                cell(without_sharing),
                cell(with_sharing),
                format!("{saved_calls} ({saved_percent} %)")
            )?;
        }
        writeln!(f)?;
        let same =
            if *identical { "every node got the same bytes" } else { "NOT every node got the same bytes" };
        writeln!(
            f,
            "Counted by a model of GitHub's API that took {answer_milliseconds} ms for an answer; {same}."
        )
    }
}

/// Width of the table's first column: its longest text and a gap.
const LEFT_WIDTH: usize = 20;
/// Width of the others.
const COLUMN_WIDTH: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{output::Rendering, settings::Transport};

    fn report(calls_with_sharing: u64, identical: bool) -> Report {
        let wishes =
            Wishes { nodes: 5, repositories: 3, transport: Transport::Quic, rendering: Rendering::Text };
        let reading = |calls, seconds| Reading { calls, seconds };
        let compared = Comparison::new(Pace::Sequential, reading(15, 1.5), reading(calls_with_sharing, 0.31));
        Report::new(wishes, Duration::from_millis(100), vec![compared], identical)
    }

    #[test]
    fn one_call_too_many_or_a_wrong_byte_is_a_failure() {
        assert!(report(3, true).check().is_ok());
        assert!(report(4, true).check().is_err());
        assert!(report(2, true).check().is_err());
        assert!(report(3, false).check().is_err());
    }

    #[test]
    fn the_table_tells_calls_seconds_and_savings() {
        let text = report(3, true).to_string();
        let line = text.lines().find(|line| line.starts_with("one after another")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[3..], ["15", "in", "1.50", "s", "3", "in", "0.31", "s", "12", "(80", "%)"]);
    }
}
