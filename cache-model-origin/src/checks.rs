//! What was checked of a commit: check runs, and statuses in contexts.
//!
//! Both belong to the commit, by whatever name it is asked for.

use super::{
    repository::{API, Repository, View, at},
    subject::{PULLS, small_id},
    world::World,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The check runs and statuses of one commit, by their names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Checks {
    pub(super) runs: BTreeMap<String, Run>,
    /// By context: `success`, `failure`, `error` or `pending`.
    pub(super) statuses: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Run {
    /// `queued`, `in_progress` or `completed`.
    pub(super) status: String,
    /// Such as `success`, once it is completed.
    pub(super) conclusion: Option<String>,
}

impl Default for Checks {
    fn default() -> Self {
        let run = || Run { status: "completed".to_owned(), conclusion: Some("success".to_owned()) };
        Self {
            runs: (1..=4).map(|number| (format!("check {number}"), run())).collect(),
            statuses: BTreeMap::from([("lint".to_owned(), "success".to_owned())]),
        }
    }
}

impl Checks {
    /// What the statuses come to, as REST names it.
    pub(super) fn state(&self) -> &'static str {
        summed(self.statuses.values().map(String::as_str))
    }
}

pub(super) fn summed<'a>(states: impl Iterator<Item = &'a str>) -> &'static str {
    states.fold("success", |sum, state| match (sum, state) {
        ("failure", _) => sum,
        (_, "success" | "neutral" | "skipped") => sum,
        (_, "pending" | "queued" | "in_progress") => "pending",
        _failed => "failure",
    })
}

impl World {
    /// The commit that `name` stands for: a branch, or itself.
    pub(super) fn resolve(&self, view: &View, name: &str) -> String {
        let branch = name.strip_prefix("refs/heads/").or(name.strip_prefix("heads/")).unwrap_or(name);
        if matches!(branch, "main" | "HEAD") {
            return view.tip();
        }
        let pull = branch.strip_prefix("topic-").and_then(|number| number.parse().ok());
        let subject =
            pull.filter(|number| (1..=PULLS).contains(number)).and_then(|it| self.subject(view, it));
        subject.map_or_else(|| branch.to_owned(), |subject| subject.tip(view))
    }

    pub(super) fn checks(&self, repository: Repository, commit: &str) -> Checks {
        self.checks.get(&(repository, commit.to_owned())).cloned().unwrap_or_default()
    }

    pub(super) fn set_check(
        &mut self,
        view: &View,
        commit: &str,
        name: &str,
        status: &str,
        conclusion: Option<&str>,
    ) {
        let run = Run { status: status.to_owned(), conclusion: conclusion.map(str::to_owned) };
        let checks = self.checks.entry((view.repository, commit.to_owned())).or_default();
        checks.runs.insert(name.to_owned(), run);
    }

    pub(super) fn set_status(&mut self, view: &View, commit: &str, context: &str, state: &str) {
        let checks = self.checks.entry((view.repository, commit.to_owned())).or_default();
        checks.statuses.insert(context.to_owned(), state.to_owned());
    }
}

pub(super) fn run_id(view: &View, commit: &str, name: &str) -> u64 {
    small_id(&[&view.repository.full_name(), "run", commit, name])
}

pub(super) fn run_node_id(view: &View, commit: &str, name: &str) -> String {
    format!("CR_{}_{}", view.repository.id(), run_id(view, commit, name))
}

pub(super) fn status_node_id(view: &View, commit: &str, context: &str) -> String {
    format!("SC_{}_{}", view.repository.id(), run_id(view, commit, context))
}

pub(super) fn details_url(view: &View, commit: &str, name: &str) -> String {
    format!("https://github.com/{}/runs/{}", view.repository.full_name(), run_id(view, commit, name))
}

/// What REST says of a check run.
pub(super) fn describe_run(view: &View, commit: &str, name: &str, run: &Run) -> Value {
    let id = run_id(view, commit, name);
    json!({
        "id": id, "node_id": run_node_id(view, commit, name), "name": name, "head_sha": commit,
        "status": run.status, "conclusion": run.conclusion, "started_at": at(0),
        "completed_at": run.conclusion.as_ref().map(|_| at(1)), "revision": view.revision,
        "details_url": details_url(view, commit, name), "html_url": details_url(view, commit, name),
        "url": format!("{API}/repos/{}/check-runs/{id}", view.repository.full_name()),
        "check_suite": { "id": small_id(&[&view.repository.full_name(), "suite", commit]) },
        "app": { "id": 1, "slug": "ci", "name": "CI" },
    })
}

/// What REST says of a status.
pub(super) fn describe_status(view: &View, commit: &str, context: &str, state: &str) -> Value {
    let url = format!("{API}/repos/{}/statuses/{commit}", view.repository.full_name());
    json!({
        "id": run_id(view, commit, context), "node_id": status_node_id(view, commit, context), "url": url,
        "context": context, "state": state, "description": null, "created_at": at(0), "updated_at": at(0),
        "target_url": details_url(view, commit, context),
    })
}
