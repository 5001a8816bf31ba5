//! Every check that needs nothing but this workspace, in one run that stops at no failure.

use crate::{layers, tidy};
use comfy_table::Table;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Runs all steps and prints what each took. Returns whether all passed.
pub(crate) fn run(root: &Path) -> bool {
    let mut outcomes = Vec::new();
    for step in STEPS {
        println!("== {} ==", step.name);
        let start = Instant::now();
        let verdict = if (step.run)(root) { Verdict::Passed } else { Verdict::Failed };
        outcomes.push((step.name, verdict, start.elapsed()));
    }
    println!("\n{}", summary(&outcomes));
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|(_, verdict, _)| *verdict == Verdict::Failed)
        .map(|(name, ..)| *name)
        .collect();
    if failed.is_empty() {
        println!("all passed");
    } else {
        println!("failed: {}", failed.join(", "));
    }
    failed.is_empty()
}

struct Step {
    name: &'static str,
    run: fn(&Path) -> bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Failed,
    Passed,
}

/// Cheap ones first, so that a fault shows before the long ones begin.
const STEPS: &[Step] = &[
    Step { name: "fmt", run: |root| cargo(root, &["fmt", "--all", "--check"], &[]) },
    Step { name: "tidy", run: |root| reported(tidy::run(root)) },
    Step { name: "layers", run: |root| reported(layers::run(root)) },
    Step {
        name: "clippy",
        run: |root| cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
    },
    Step { name: "features", run: |root| FEATURE_SETS.iter().all(|features| builds_with(root, features)) },
    Step {
        name: "doc",
        run: |root| cargo(root, &["doc", "--no-deps", "--workspace"], &[("RUSTDOCFLAGS", "-D warnings")]),
    },
];

/// What the facade is built with other than by default: nothing, and each feature alone.
const FEATURE_SETS: &[&str] = &["", "libp2p", "quic", "tower"];

fn builds_with(root: &Path, features: &str) -> bool {
    println!("features: `{features}`");
    let check =
        ["check", "--package", "fleet-cache", "--lib", "--no-default-features", "--features", features];
    cargo(root, &check, &[])
}

fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> bool {
    let mut command = crate::cargo::cargo(root);
    command.args(arguments).envs(environment.iter().copied());
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("cannot run cargo: {error}");
            false
        }
    }
}

fn reported(outcome: anyhow::Result<bool>) -> bool {
    outcome.unwrap_or_else(|error| {
        println!("{error:#}");
        false
    })
}

fn summary(outcomes: &[(&str, Verdict, Duration)]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["step", "verdict", "seconds"]);
    for (name, verdict, took) in outcomes {
        let verdict = match verdict {
            Verdict::Failed => "FAILED",
            Verdict::Passed => "passed",
        };
        table.add_row([(*name).to_owned(), verdict.to_owned(), format!("{:.1}", took.as_secs_f64())]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_failed() {
        let outcomes = [
            ("fmt", Verdict::Passed, Duration::from_millis(1500)),
            ("tidy", Verdict::Failed, Duration::ZERO),
        ];
        let summary = summary(&outcomes);
        assert!(summary.contains("fmt   passed   1.5"), "{summary}");
        assert!(summary.contains("tidy  FAILED   0.0"), "{summary}");
    }
}
