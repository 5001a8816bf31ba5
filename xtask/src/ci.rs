//! Every check that needs nothing but this workspace, in one run that stops at no failure.
//!
//! A step for which a program or a toolchain is missing says so and does not count as failed: a clone without a network
//! passes. `.ci/run` gets what it can before.

mod tools;

use crate::{layers, registry, tidy};
use anyhow::{Result, bail};
use comfy_table::Table;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Runs the steps that `only` names, or all if it names none. Prints what each took, and returns whether none failed.
pub(crate) fn run(root: &Path, only: &[String]) -> Result<bool> {
    let is_step = |name: &&String| STEPS.iter().any(|step| step.name == **name);
    if let Some(unknown) = only.iter().find(|name| !is_step(name)) {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("`{unknown}` is no step; the steps are {}", names.join(", "));
    }
    let mut outcomes = Vec::new();
    for step in STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)) {
        println!("== {} ==", step.name);
        let start = Instant::now();
        let verdict = (step.run)(root);
        if let Verdict::Skipped(reason) = &verdict {
            println!("skipped: {reason}");
        }
        outcomes.push((step.name, verdict, start.elapsed()));
    }
    println!("\n{}", summary(&outcomes));
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|(_, verdict, _)| *verdict == Verdict::Failed)
        .map(|(name, ..)| *name)
        .collect();
    for (name, verdict, _took) in &outcomes {
        if let Verdict::Skipped(reason) = verdict {
            println!("{name} was skipped: {reason}");
        }
    }
    if failed.is_empty() {
        println!("all passed");
    } else {
        println!("failed: {}", failed.join(", "));
    }
    Ok(failed.is_empty())
}

struct Step {
    name: &'static str,
    run: fn(&Path) -> Verdict,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Verdict {
    Failed,
    Passed,
    /// Something is missing that the step needs.
    Skipped(String),
}

impl Verdict {
    fn of(has_passed: bool) -> Self {
        if has_passed { Self::Passed } else { Self::Failed }
    }
}

/// Cheap ones first, so that most faults are told soon.
const STEPS: &[Step] = &[
    Step { name: "fmt", run: |root| cargo(root, &["fmt", "--all", "--check"], &[]) },
    Step { name: "tidy", run: |root| reported(tidy::run(root)) },
    Step { name: "layers", run: |root| reported(layers::run(root)) },
    Step { name: "licences", run: tools::licences },
    Step {
        name: "clippy",
        run: |root| cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
    },
    Step { name: "features", run: tools::features },
    Step { name: "page", run: tools::page },
    Step { name: "bare metal", run: tools::bare_metal },
    Step { name: "oldest rust", run: tools::oldest_rust },
    Step { name: "package", run: |root| reported(registry::put_together(root)) },
    Step { name: "semver", run: tools::semver },
    Step {
        name: "doc",
        run: |root| cargo(root, &["doc", "--no-deps", "--workspace"], &[("RUSTDOCFLAGS", "-D warnings")]),
    },
];

fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Verdict {
    let mut command = crate::cargo::cargo(root);
    command.args(arguments).envs(environment.iter().copied());
    match command.status() {
        Ok(status) => Verdict::of(status.success()),
        Err(error) => {
            println!("cannot run cargo: {error}");
            Verdict::Failed
        }
    }
}

fn reported(outcome: Result<bool>) -> Verdict {
    Verdict::of(outcome.unwrap_or_else(|error| {
        println!("{error:#}");
        false
    }))
}

fn summary(outcomes: &[(&str, Verdict, Duration)]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["step", "verdict", "seconds"]);
    for (name, verdict, took) in outcomes {
        let verdict = match verdict {
            Verdict::Failed => "FAILED",
            Verdict::Passed => "passed",
            Verdict::Skipped(_) => "skipped",
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
            ("semver", Verdict::Skipped("no release".to_owned()), Duration::ZERO),
        ];
        let summary = summary(&outcomes);
        assert!(summary.contains("fmt     passed   1.5"), "{summary}");
        assert!(summary.contains("tidy    FAILED   0.0"), "{summary}");
        assert!(summary.contains("semver  skipped  0.0"), "{summary}");
    }
}
