//! `fleet-cache demo`: shows on this machine, in seconds, what sharing saves.
//!
//! Starts real nodes that talk over real sockets on the loopback interface, and a model of GitHub's API that
//! counts what it is asked. Everything is in this process and in memory, so nothing is left behind.

mod report;
mod trial;

use crate::{
    exit::CommandError,
    output::{Rendering, print, print_json},
    settings::Transport,
};
use report::{Comparison, Report};
use std::{
    io::{self, Write},
    time::Duration,
};
use trial::{Bodies, Pace, Sharing, Trial};

/// What the demo shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    /// How many nodes read.
    pub(crate) nodes: usize,
    /// How many repositories each of them reads.
    pub(crate) repositories: usize,
    /// How the nodes talk to one another.
    pub(crate) transport: Transport,
    /// Whether the outcome is for people or for programs.
    pub(crate) rendering: Rendering,
}

/// Makes every trial, writes how it goes to standard error, and what came of it to `out`.
///
/// # Errors
///
/// When a node cannot start, a request has no answer, or what was measured is not what sharing promises;
/// in the last case the figures are written all the same.
pub(crate) async fn run(wishes: Wishes, out: &mut impl Write) -> Result<(), CommandError> {
    let Wishes { nodes, repositories, transport, rendering } = wishes;
    let delay = answer_delay(nodes * repositories);
    progress(&format!(
        "{nodes} nodes read {repositories} repositories each, over {transport}; \
         the model of GitHub's API takes {} ms for an answer",
        delay.as_millis()
    ));
    let mut bodies = Bodies::new(repositories);
    let mut comparisons = Vec::new();
    for pace in [Pace::Sequential, Pace::AtOnce] {
        let mut measured = Vec::new();
        for sharing in [Sharing::Off, Sharing::Over(transport)] {
            let trial = Trial { nodes, repositories, delay, pace, sharing };
            let reading = trial.make(&mut bodies).await?;
            progress(&format!("{pace}, {sharing}: {} calls, {:.2} s", reading.calls, reading.seconds));
            measured.push(reading);
        }
        let [without_sharing, with_sharing] = measured[..] else { unreachable!("there are two trials") };
        comparisons.push(Comparison::new(pace, without_sharing, with_sharing));
    }
    let report = Report::new(wishes, delay, comparisons, bodies.are_identical());
    match rendering {
        Rendering::Json => print_json(out, &serde_json::json!(report))?,
        Rendering::Text => print(out, &report.to_string())?,
    }
    report.check()
}

/// How long the model takes for an answer: as GitHub does, unless reading everything one after another would
/// take much more than [`READING_MAX`] then.
fn answer_delay(reads: usize) -> Duration {
    let reads = u32::try_from(reads).unwrap_or(u32::MAX).max(1);
    (READING_MAX / reads).clamp(DELAY_MIN, DELAY_MAX)
}

fn progress(line: &str) {
    // Standard error may be closed.
    drop(writeln!(io::stderr(), "demo: {line}"));
}

/// Longest time for reading everything one after another, without sharing.
const READING_MAX: Duration = Duration::from_millis(1500);
/// Long enough for reads that begin together to overlap.
const DELAY_MIN: Duration = Duration::from_millis(5);
/// About what `api.github.com` takes for a repository over a good connection.
const DELAY_MAX: Duration = Duration::from_millis(100);
/// Most nodes: each is connected with every other, all in this process.
pub(crate) const NODES_MAX: usize = 20;
/// Most repositories that each node reads.
pub(crate) const REPOSITORIES_MAX: usize = 100;
