//! Writes: each changes what REST shows of the same things.

use super::{
    super::{
        repository::View,
        subject::{ReviewState, State, Subject},
    },
    object::{Arguments, Failure, Scene, Seed, fields, texts},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Scene<'_> {
    pub(super) fn mutate(&self, name: &str, arguments: &Arguments) -> Result<Seed, Failure> {
        let input = arguments.get("input");
        let mut seeds = match name {
            "createIssue" => self.create_issue(input)?,
            "updateIssueComment" => self.update_comment(input)?,
            _of_a_subject => self.change(name, input)?,
        };
        seeds.insert("actor", Seed::Account(self.asker.payer().to_owned()));
        let plain = json!({ "clientMutationId": input["clientMutationId"] });
        let type_name = format!("{}{}Payload", name[..1].to_uppercase(), &name[1..]);
        Ok(Seed::Made(type_name, fields(plain), seeds))
    }

    fn create_issue(&self, input: &Value) -> Result<BTreeMap<&'static str, Seed>, Failure> {
        let id = input["repositoryId"].as_str().unwrap_or_default();
        let Seed::Repository(view) = self.node(id)? else { return Err(missing(id)) };
        let title = input["title"].as_str().unwrap_or_default();
        if title.is_empty() {
            return Err(Failure::new("UNPROCESSABLE", "Title can't be blank"));
        }
        let labels: Vec<String> = label_names(&input["labelIds"]).collect();
        let mut world = self.world.borrow_mut();
        let number = world.create(&view, self.asker.payer(), title, input["body"].as_str()).number;
        let view = View { revision: view.revision + 1, ..view };
        let created = world.edit(&view, number, |issue| issue.labels = labels);
        Ok(BTreeMap::from([("issue", seed(&view, created))]))
    }

    fn update_comment(&self, input: &Value) -> Result<BTreeMap<&'static str, Seed>, Failure> {
        let id = input["id"].as_str().unwrap_or_default();
        self.node(id)?;
        let parts: Vec<&str> = id.split('_').collect();
        let ["IC", repository, number, index] = parts.as_slice() else { return Err(missing(id)) };
        let Seed::Repository(view) = self.node(&format!("R_{repository}"))? else { return Err(missing(id)) };
        let index: usize = index.parse().unwrap_or_default();
        let edited = self.world.borrow_mut().edit(&view, number.parse().unwrap_or_default(), |subject| {
            if let Some(comment) = subject.comments.get_mut(index) {
                comment.body = input["body"].as_str().unwrap_or_default().to_owned();
                comment.is_edited = true;
            }
        });
        let comment = edited.and_then(|subject| self.comment(&view, &subject, index));
        Ok(BTreeMap::from([("issueComment", Seed::or_null(comment))]))
    }

    /// Changes the issue or pull request that the input names.
    fn change(&self, name: &str, input: &Value) -> Result<BTreeMap<&'static str, Seed>, Failure> {
        let names = ["issueId", "pullRequestId", "subjectId", "labelableId", "id"];
        let id = names.into_iter().find_map(|name| input[name].as_str()).unwrap_or_default();
        let Seed::Subject(view, before) = self.node(id)? else { return Err(missing(id)) };
        if before.is_pull() != name.contains("PullRequest") && !name.contains("abel") && name != "addComment"
        {
            return Err(missing(id));
        }
        let view = if name == "mergePullRequest" { self.merge(&view, &before, input)? } else { view };
        let author = self.asker.payer();
        let edited =
            self.world.borrow_mut().edit(&view, before.number, |subject| edit(subject, name, input, author));
        let thing = seed(&view, edited.clone());
        let mut seeds = BTreeMap::from([
            ("issue", thing.clone()),
            ("labelable", thing.clone()),
            ("pullRequest", thing.clone()),
            ("subject", thing),
        ]);
        let Some(subject) = edited else { return Ok(seeds) };
        if let Some(comment) = self.comment(&view, &subject, subject.comments.len().saturating_sub(1)) {
            let edge = fields(json!({ "cursor": "" }));
            let edge = Seed::Made("IssueCommentEdge".to_owned(), edge, BTreeMap::from([("node", comment)]));
            seeds.insert("commentEdge", edge);
        }
        if let Some(review) = self.review(&view, &subject, subject.reviews.len().saturating_sub(1)) {
            seeds.insert("pullRequestReview", review);
        }
        Ok(seeds)
    }

    /// What its repository is once it is merged.
    fn merge(&self, view: &View, pull: &Subject, input: &Value) -> Result<View, Failure> {
        let is_expected = input["expectedHeadOid"].as_str().is_none_or(|oid| oid == pull.tip(view));
        if !pull.is_open() || !is_expected {
            return Err(Failure::new("UNPROCESSABLE", "Pull Request is not mergeable"));
        }
        self.world.borrow_mut().bump(view.repository);
        Ok(View { revision: view.revision + 1, ..*view })
    }
}

fn edit(subject: &mut Subject, name: &str, input: &Value, author: &str) {
    let text = |name: &str| input[name].as_str();
    match name {
        "addComment" => subject.comment(author, text("body").unwrap_or_default()),
        "addLabelsToLabelable" => {
            label_names(&input["labelIds"]).for_each(|label| subject.add_label(&label));
        }
        "removeLabelsFromLabelable" => {
            label_names(&input["labelIds"]).for_each(|label| subject.remove_label(&label));
        }
        "addPullRequestReview" => {
            subject.review(author, text("body").unwrap_or_default(), ReviewState::of_event(text("event")));
        }
        "closeIssue" if text("stateReason") == Some("NOT_PLANNED") => subject.settle(State::NotPlanned),
        "closeIssue" | "closePullRequest" => subject.settle(State::Closed),
        "convertPullRequestToDraft" | "markPullRequestReadyForReview" => {
            subject.is_draft = name == "convertPullRequestToDraft";
            subject.update();
        }
        "mergePullRequest" => subject.settle(State::Merged),
        "reopenIssue" | "reopenPullRequest" => subject.settle(State::Reopened),
        _update => update(subject, input),
    }
}

fn update(subject: &mut Subject, input: &Value) {
    let text = |name: &str| input[name].as_str();
    if let Some(title) = text("title") {
        subject.rename(title);
    }
    if let Some(body) = text("body") {
        subject.body = Some(body.to_owned());
    }
    if let Some(base) = text("baseRefName") {
        subject.base = base.to_owned();
    }
    if input["labelIds"].is_array() {
        subject.labels = label_names(&input["labelIds"]).collect();
    }
    match text("state") {
        Some("CLOSED") => subject.settle(State::Closed),
        Some(_open) => subject.settle(State::Reopened),
        None => subject.update(),
    }
}

/// The names in the ids of labels.
fn label_names(ids: &Value) -> impl Iterator<Item = String> {
    texts(ids).filter_map(|id| Some(id.splitn(3, '_').nth(2)?.to_owned()))
}

fn seed(view: &View, subject: Option<Subject>) -> Seed {
    Seed::or_null(subject.map(|subject| Seed::Subject(*view, Box::new(subject))))
}

fn missing(id: &str) -> Failure {
    Failure::not_found(&format!("a node with the global id of '{id}'"))
}
