//! Branches, commits and files, and what was checked of a commit.

use super::{
    super::{
        checks::{Checks, details_url, run_id, run_node_id, status_node_id, summed},
        repository::{View, at, digest, user},
        subject::small_id,
    },
    connection::connection,
    object::{Arguments, Failure, Scene, Seed, fields},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl Scene<'_> {
    pub(super) fn describe_ref(&self, view: &View, name: &str) -> Map<String, Value> {
        fields(json!({
            "__typename": "Ref", "id": format!("REF_{}_{name}", view.repository.id()), "name": name,
            "prefix": "refs/heads/", "branchProtectionRule": null,
        }))
    }

    pub(super) fn ref_field(&self, view: &View, branch: &str, name: &str) -> Seed {
        match name {
            "repository" => Seed::Repository(*view),
            "target" => Seed::Commit(*view, self.world.borrow().resolve(view, branch)),
            _other => Seed::NULL,
        }
    }

    /// The file or commit that is asked for.
    pub(super) fn object(&self, view: &View, arguments: &Arguments) -> Seed {
        let expression = arguments.text("expression");
        if let Some((reference, path)) = expression.split_once(':') {
            let file = view.file(path, reference);
            let oid =
                digest(&[&view.repository.full_name(), path, &view.revision.to_string()])[..40].to_owned();
            let text = String::from_utf8(file.clone()).ok();
            let plain = json!({
                "id": format!("B_{}_{oid}", view.repository.id()), "oid": oid, "abbreviatedOid": &oid[..7],
                "byteSize": file.len(), "isBinary": text.is_none(), "text": text,
            });
            let seeds = BTreeMap::from([("repository", Seed::Repository(*view))]);
            return Seed::Made("Blob".to_owned(), fields(plain), seeds);
        }
        let name = [arguments.text("oid"), expression].into_iter().find(|name| !name.is_empty());
        let commit = self.world.borrow().resolve(view, name.unwrap_or("main"));
        Seed::Commit(*view, commit)
    }

    pub(super) fn describe_commit(&self, view: &View, sha: &str) -> Map<String, Value> {
        fields(json!({
            "__typename": "Commit", "id": format!("C_{}_{sha}", view.repository.id()), "oid": sha,
            "abbreviatedOid": sha.get(..7).unwrap_or(sha), "message": "change", "messageHeadline": "change",
            "messageBody": "", "authoredDate": at(0), "committedDate": at(0),
            "url": format!("https://github.com/{}/commit/{sha}", view.repository.full_name()),
        }))
    }

    pub(super) fn commit_field(
        &self,
        view: &View,
        sha: &str,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Seed, Failure> {
        match name {
            "author" => Ok(author()),
            "authors" => connection("GitActorConnection", &[author()], &Value::Null, arguments),
            "repository" => Ok(Seed::Repository(*view)),
            "status" => {
                let checks = self.world.borrow().checks(view.repository, sha);
                let statuses = checks.statuses.iter();
                let statuses = statuses.map(|(context, state)| status(view, sha, context, state));
                let plain = json!({
                    "id": format!("ST_{}_{sha}", view.repository.id()), "state": checks.state().to_uppercase(),
                });
                let seeds = BTreeMap::from([("contexts", Seed::List(statuses.collect()))]);
                Ok(Seed::Made("Status".to_owned(), fields(plain), seeds))
            }
            "statusCheckRollup" => Ok(Seed::Rollup(*view, sha.to_owned())),
            _other => Ok(Seed::NULL),
        }
    }

    pub(super) fn describe_rollup(&self, view: &View, sha: &str) -> Map<String, Value> {
        let checks = self.world.borrow().checks(view.repository, sha);
        fields(json!({
            "__typename": "StatusCheckRollup", "id": format!("SCR_{}_{sha}", view.repository.id()),
            "state": rollup(&checks).to_uppercase(),
        }))
    }

    pub(super) fn rollup_field(
        &self,
        view: &View,
        sha: &str,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Seed, Failure> {
        if name != "contexts" {
            return Ok(Seed::NULL);
        }
        let checks = self.world.borrow().checks(view.repository, sha);
        let runs = checks.runs.iter().map(|(name, run)| {
            let (id, url) = (run_id(view, sha, name), details_url(view, sha, name));
            let suite = small_id(&[&view.repository.full_name(), "suite", sha]);
            Seed::Plain(json!({
                "__typename": "CheckRun", "id": run_node_id(view, sha, name), "databaseId": id, "name": name,
                "status": run.status.to_uppercase(),
                "conclusion": run.conclusion.as_ref().map(|conclusion| conclusion.to_uppercase()),
                "startedAt": at(0), "completedAt": run.conclusion.as_ref().map(|_| at(1)), "detailsUrl": url,
                "url": url, "title": null, "isRequired": false,
                "checkSuite": {
                    "__typename": "CheckSuite", "id": format!("CS_{suite}"), "databaseId": suite,
                    "app": { "__typename": "App", "id": "A_1", "name": "CI", "slug": "ci" },
                    "workflowRun": {
                        "__typename": "WorkflowRun", "id": format!("WFR_{suite}"), "databaseId": suite, "event": "push",
                        "workflow": { "__typename": "Workflow", "id": "W_1", "databaseId": 1, "name": "CI" },
                    },
                },
            }))
        });
        let statuses = checks.statuses.iter().map(|(context, state)| status(view, sha, context, state));
        let items: Vec<Seed> = runs.chain(statuses).collect();
        let more = json!({ "checkRunCount": checks.runs.len(), "statusContextCount": checks.statuses.len() });
        connection("StatusCheckRollupContextConnection", &items, &more, arguments)
    }
}

fn status(view: &View, sha: &str, context: &str, state: &str) -> Seed {
    Seed::Plain(json!({
        "__typename": "StatusContext", "id": status_node_id(view, sha, context), "context": context,
        "state": state.to_uppercase(), "description": null, "createdAt": at(0), "isRequired": false,
        "targetUrl": details_url(view, sha, context),
    }))
}

/// What check runs and statuses come to.
fn rollup(checks: &Checks) -> &'static str {
    let runs = checks.runs.values().map(|run| run.conclusion.as_deref().unwrap_or("pending"));
    summed(runs.chain(checks.statuses.values().map(String::as_str)))
}

/// The author of every commit.
fn author() -> Seed {
    let plain = json!({ "name": user("alice")["name"], "email": "alice@acme.example" });
    let seeds = BTreeMap::from([("user", Seed::Account("alice".to_owned()))]);
    Seed::Made("GitActor".to_owned(), fields(plain), seeds)
}
