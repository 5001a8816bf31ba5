//! Issues and pull requests: what each is to begin with, how it changes, and what REST says of it.
//!
//! GraphQL shows the same things in `graphql/subject.rs`.

use super::{
    repository::{API, ISSUES, View, at, digest, user},
    world::World,
};
use serde_json::{Value, json};

/// The numbers up to this one are pull requests, which are issues as well.
pub(super) const PULLS: u64 = 40;

/// An issue or a pull request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Subject {
    pub(super) number: u64,
    pub(super) author: String,
    pub(super) base: String,
    pub(super) body: Option<String>,
    pub(super) comments: Vec<Comment>,
    pub(super) is_draft: bool,
    pub(super) labels: Vec<String>,
    /// Commits on its branch besides the first.
    pub(super) pushes: u64,
    pub(super) reviews: Vec<Review>,
    /// What its branch's rules make of the reviews, if that is not what the last review says.
    pub(super) ruling: Option<Ruling>,
    pub(super) state: State,
    /// Another title than the one it was born with.
    title: Option<String>,
    /// Moves the time of its last update.
    updates: u64,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Open,
    Reopened,
    Closed,
    NotPlanned,
    Merged,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Comment {
    pub(super) author: String,
    pub(super) body: String,
    pub(super) is_edited: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Review {
    pub(super) author: String,
    pub(super) body: String,
    /// Those before it: it is about the commit that was the latest then.
    pub(super) pushes: u64,
    pub(super) state: ReviewState,
}

/// What a review says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReviewState {
    /// The change may be merged.
    Approved,
    /// It may not yet.
    ChangesRequested,
    /// It leaves open whether the change may be merged.
    Commented,
}

/// What the rules of a branch make of the reviews of a pull request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ruling {
    /// There are enough of them.
    Approved,
    /// A review stands against it.
    ChangesRequested,
    /// A review that lets it be merged is needed.
    ReviewRequired,
}

/// A change of one issue or pull request, or of its checks. It moves the tags of what REST shows of that, and no others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The check run of this name on its latest commit, with a status such as `in_progress`, and a conclusion such as
    /// `failure` if it has one.
    Check(String, String, Option<String>),
    /// It is closed, as done.
    Close,
    /// Bob comments on it.
    Comment(String),
    /// The last comment is another, which leaves the time of the issue's last update as it was.
    CommentEdit(String),
    /// It becomes a draft, or stops being one.
    Draft(bool),
    /// It gets this label.
    Label(String),
    /// It is merged, which changes its repository as a push does.
    Merge,
    /// A commit is added to its branch.
    Push,
    /// It is open again.
    Reopen,
    /// A review, which leaves the pull request itself as it was, and the time of its last update.
    Review(ReviewState),
    /// Its branch's rules change, which no answer of REST shows.
    Rule(Ruling),
    /// The status in this context on its latest commit, such as `pending`.
    Status(String, String),
    /// It gets another title.
    Title(String),
    /// It loses this label.
    Unlabel(String),
}

impl Subject {
    pub(super) fn first(number: u64) -> Self {
        let is_pull = number <= PULLS;
        let state = match number {
            _ if is_pull && number.is_multiple_of(4) => State::Merged,
            _ if number.is_multiple_of(3) => State::Closed,
            _ => State::Open,
        };
        let labels = if number.is_multiple_of(5) { vec!["bug".to_owned()] } else { Vec::new() };
        let reviewed = is_pull && number.is_multiple_of(2);
        let review = Review {
            author: "carol".to_owned(),
            body: "fine by me".to_owned(),
            pushes: 0,
            state: ReviewState::Approved,
        };
        Self {
            number,
            author: AUTHORS[usize::try_from(number / 4 % 3).unwrap_or_default()].to_owned(),
            base: "main".to_owned(),
            body: Some("what happened, and what should have".to_owned()),
            comments: Vec::new(),
            is_draft: is_pull && number.is_multiple_of(7),
            labels,
            pushes: 0,
            reviews: if reviewed { vec![review] } else { Vec::new() },
            ruling: None,
            state,
            title: None,
            updates: 0,
        }
    }

    pub(super) fn is_pull(&self) -> bool {
        self.number <= PULLS
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Reopened)
    }

    pub(super) fn title(&self, view: &View) -> String {
        let number = self.number;
        match &self.title {
            Some(title) => title.clone(),
            None if self.is_pull() => format!("pull request {number}"),
            // One issue changes with each revision, so that a list changes whenever its repository does.
            None if number == ISSUES => format!("issue {number} (revision {})", view.revision),
            None => format!("issue {number}"),
        }
    }

    pub(super) fn head(&self) -> String {
        format!("topic-{}", self.number)
    }

    /// The name of the commit that its branch has after `pushes`.
    pub(super) fn commit(&self, view: &View, pushes: u64) -> String {
        let full_name = view.repository.full_name();
        digest(&[&full_name, "pull", &self.number.to_string(), &pushes.to_string()])[..40].to_owned()
    }

    pub(super) fn tip(&self, view: &View) -> String {
        self.commit(view, self.pushes)
    }

    pub(super) fn merge_commit(&self, view: &View) -> Option<String> {
        let name = || digest(&[&self.tip(view), "merge"])[..40].to_owned();
        (self.state == State::Merged).then(name)
    }

    pub(super) fn updated_at(&self, view: &View) -> String {
        at(view.revision + self.updates)
    }

    /// When it was closed, if it is.
    pub(super) fn closed_at(&self, view: &View) -> Option<String> {
        (!self.is_open()).then(|| self.updated_at(view))
    }

    pub(super) fn node_id(&self, view: &View) -> String {
        let kind = if self.is_pull() { "PR" } else { "I" };
        format!("{kind}_{}_{}", view.repository.id(), self.number)
    }

    pub(super) fn issue_id(&self, view: &View) -> u64 {
        u64::from(view.repository.id()) * 10_000 + self.number
    }

    /// The number by which REST knows the pull request, which is another one than the issue's.
    pub(super) fn pull_id(&self, view: &View) -> u64 {
        self.issue_id(view) + 5_000
    }

    pub(super) fn html_url(&self, view: &View) -> String {
        let kind = if self.is_pull() { "pull" } else { "issues" };
        format!("https://github.com/{}/{kind}/{}", view.repository.full_name(), self.number)
    }

    pub(super) fn update(&mut self) {
        self.updates += 1;
    }

    pub(super) fn rename(&mut self, title: &str) {
        self.title = Some(title.to_owned());
        self.update();
    }

    pub(super) fn settle(&mut self, state: State) {
        self.state = state;
        self.update();
    }

    pub(super) fn comment(&mut self, author: &str, body: &str) {
        self.comments.push(Comment { author: author.to_owned(), body: body.to_owned(), is_edited: false });
        self.update();
    }

    /// Adds a review, which leaves the time of the last update as it was.
    pub(super) fn review(&mut self, author: &str, body: &str, state: ReviewState) {
        let (author, body) = (author.to_owned(), body.to_owned());
        self.reviews.push(Review { author, body, pushes: self.pushes, state });
    }

    pub(super) fn add_label(&mut self, label: &str) {
        if !self.labels.iter().any(|other| other == label) {
            self.labels.push(label.to_owned());
            self.update();
        }
    }

    pub(super) fn remove_label(&mut self, label: &str) {
        self.labels.retain(|other| other != label);
        self.update();
    }

    /// Makes `change`, unless it is one of the checks of its commit.
    fn change(&mut self, change: Change) {
        match change {
            Change::Check(..) | Change::Status(..) => {}
            Change::Close => self.settle(State::Closed),
            Change::Comment(body) => self.comment("bob", &body),
            Change::CommentEdit(body) => {
                if let Some(last) = self.comments.last_mut() {
                    last.body = body;
                    last.is_edited = true;
                }
            }
            Change::Draft(is_draft) => {
                self.is_draft = is_draft;
                self.update();
            }
            Change::Label(label) => self.add_label(&label),
            Change::Merge => self.settle(State::Merged),
            Change::Push => {
                self.pushes += 1;
                self.update();
            }
            Change::Reopen => self.settle(State::Reopened),
            Change::Review(state) => {
                self.review("carol", "", state);
            }
            Change::Rule(ruling) => self.ruling = Some(ruling),
            Change::Title(title) => self.rename(&title),
            Change::Unlabel(label) => self.remove_label(&label),
        }
    }

    /// What REST says of it as an issue.
    pub(super) fn issue(&self, view: &View) -> Value {
        let (number, full_name) = (self.number, view.repository.full_name());
        let repository = format!("{API}/repos/{full_name}");
        let url = format!("{repository}/issues/{number}");
        let mut issue = json!({
            "id": self.issue_id(view), "node_id": self.node_id(view), "number": number,
            "title": self.title(view), "state": if self.is_open() { "open" } else { "closed" },
            "state_reason": self.state_reason(), "comments": self.comments.len(), "locked": false,
            "labels": self.labels.iter().map(|name| label(view, name)).collect::<Value>(),
            "assignees": [], "milestone": null, "author_association": "MEMBER",
            "url": url, "repository_url": repository, "labels_url": format!("{url}/labels{{/name}}"),
            "comments_url": format!("{url}/comments"), "events_url": format!("{url}/events"),
            "html_url": self.html_url(view), "user": user(&self.author), "body": self.body,
            "created_at": at(0), "updated_at": self.updated_at(view), "closed_at": self.closed_at(view),
        });
        if self.is_pull() {
            issue["draft"] = self.is_draft.into();
            issue["pull_request"] = json!({
                "url": format!("{repository}/pulls/{number}"), "html_url": self.html_url(view),
                "merged_at": self.closed_at(view).filter(|_| self.state == State::Merged),
            });
        }
        issue
    }

    /// What REST says of it as a pull request.
    pub(super) fn pull(&self, view: &View) -> Value {
        let mut pull = self.issue(view);
        let (number, full_name) = (self.number, view.repository.full_name());
        let is_merged = self.state == State::Merged;
        let branch = |name: &str, sha: String| {
            json!({
                "label": format!("acme:{name}"), "ref": name, "sha": sha, "user": { "login": "acme", "id": 7 },
                "repo": { "id": view.repository.id(), "full_name": full_name },
            })
        };
        let more = json!({
            "id": self.pull_id(view), "url": format!("{API}/repos/{full_name}/pulls/{number}"),
            "issue_url": format!("{API}/repos/{full_name}/issues/{number}"),
            "head": branch(&self.head(), self.tip(view)),
            "base": branch(&self.base, view.tip()),
            "merged": is_merged, "merged_at": self.closed_at(view).filter(|_| is_merged),
            "merged_by": is_merged.then(|| user("alice")), "merge_commit_sha": self.merge_commit(view),
            "mergeable": if is_merged { Value::Null } else { true.into() },
            "mergeable_state": if is_merged { "unknown" } else { "clean" },
            "maintainer_can_modify": false, "auto_merge": null, "requested_reviewers": [],
            "additions": number, "deletions": 1, "changed_files": 2, "commits": 1 + self.pushes,
            "review_comments": 0,
        });
        if let (Value::Object(pull), Value::Object(more)) = (&mut pull, more) {
            pull.remove("pull_request");
            pull.remove("state_reason");
            pull.extend(more);
        }
        pull
    }

    fn state_reason(&self) -> Option<&'static str> {
        match self.state {
            State::Open | State::Merged => None,
            State::Reopened => Some("reopened"),
            State::Closed => (!self.is_pull()).then_some("completed"),
            State::NotPlanned => Some("not_planned"),
        }
    }

    pub(super) fn comment_id(&self, view: &View, index: usize) -> u64 {
        small_id(&[&self.node_id(view), "comment", &index.to_string()])
    }

    pub(super) fn comment_node_id(&self, view: &View, index: usize) -> String {
        format!("IC_{}_{}_{index}", view.repository.id(), self.number)
    }

    /// What REST says of its comment at `index`.
    pub(super) fn comment_at(&self, view: &View, index: usize) -> Option<Value> {
        let comment = self.comments.get(index)?;
        let id = self.comment_id(view, index);
        let repository = format!("{API}/repos/{}", view.repository.full_name());
        Some(json!({
            "id": id, "node_id": self.comment_node_id(view, index), "body": comment.body,
            "user": user(&comment.author), "author_association": "MEMBER",
            "url": format!("{repository}/issues/comments/{id}"),
            "issue_url": format!("{repository}/issues/{}", self.number),
            "html_url": format!("{}#issuecomment-{id}", self.html_url(view)),
            "created_at": at(0), "updated_at": at(u64::from(comment.is_edited)),
        }))
    }

    pub(super) fn review_id(&self, view: &View, index: usize) -> u64 {
        small_id(&[&self.node_id(view), "review", &index.to_string()])
    }

    pub(super) fn review_node_id(&self, view: &View, index: usize) -> String {
        format!("PRR_{}_{}_{index}", view.repository.id(), self.number)
    }

    /// What REST says of its review at `index`.
    pub(super) fn review_at(&self, view: &View, index: usize) -> Option<Value> {
        let review = self.reviews.get(index)?;
        let id = self.review_id(view, index);
        Some(json!({
            "id": id, "node_id": self.review_node_id(view, index), "body": review.body,
            "user": user(&review.author), "author_association": "MEMBER", "state": review.state.as_str(),
            "commit_id": self.commit(view, review.pushes), "submitted_at": at(0),
            "html_url": format!("{}#pullrequestreview-{id}", self.html_url(view)),
        }))
    }
}

impl ReviewState {
    /// What an event does that a request names.
    pub(super) fn of_event(event: Option<&str>) -> Self {
        match event {
            Some("APPROVE") => Self::Approved,
            Some("REQUEST_CHANGES") => Self::ChangesRequested,
            Some(_) | None => Self::Commented,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::ChangesRequested => "CHANGES_REQUESTED",
            Self::Commented => "COMMENTED",
        }
    }
}

impl World {
    /// How many issues and pull requests the repository has. They are numbered from 1.
    pub(super) fn subjects_total(&self, view: &View) -> u64 {
        ISSUES + self.created.get(&view.repository).copied().unwrap_or(0)
    }

    /// The issue or pull request with this number, if there is one.
    pub(super) fn subject(&self, view: &View, number: u64) -> Option<Subject> {
        let exists = (1..=self.subjects_total(view)).contains(&number);
        let known = || self.subjects.get(&(view.repository, number)).cloned();
        exists.then(|| known().unwrap_or_else(|| Subject::first(number)))
    }

    /// The pull requests, or all that are issues, newest first.
    pub(super) fn subjects(&self, view: &View, pulls_only: bool) -> Vec<Subject> {
        let last = if pulls_only { PULLS } else { self.subjects_total(view) };
        (1..=last).rev().filter_map(|number| self.subject(view, number)).collect()
    }

    /// Changes the issue or pull request with this number, if there is one.
    pub(super) fn edit(
        &mut self,
        view: &View,
        number: u64,
        edit: impl FnOnce(&mut Subject),
    ) -> Option<Subject> {
        let mut subject = self.subject(view, number)?;
        edit(&mut subject);
        self.subjects.insert((view.repository, number), subject.clone());
        Some(subject)
    }

    /// Adds an issue, and changes its repository with that.
    pub(super) fn create(&mut self, view: &View, author: &str, title: &str, body: Option<&str>) -> Subject {
        self.bump(view.repository);
        let count = self.created.entry(view.repository).or_default();
        *count += 1;
        let mut subject = Subject::first(ISSUES + *count);
        subject.author = author.to_owned();
        subject.body = body.map(str::to_owned);
        subject.title = Some(title.to_owned());
        subject.state = State::Open;
        subject.labels = Vec::new();
        self.subjects.insert((view.repository, subject.number), subject.clone());
        subject
    }

    /// Makes `change`, if there is an issue or pull request with this number.
    pub(super) fn change_subject(&mut self, view: &View, number: u64, change: Change) -> Option<()> {
        let subject = self.subject(view, number)?;
        match &change {
            Change::Check(name, status, conclusion) => {
                self.set_check(view, &subject.tip(view), name, status, conclusion.as_deref());
            }
            Change::Status(context, state) => self.set_status(view, &subject.tip(view), context, state),
            Change::Merge => self.bump(view.repository),
            _of_itself_alone => {}
        }
        self.edit(view, number, |subject| subject.change(change)).map(|_subject| ())
    }
}

/// What REST says of a label.
pub(super) fn label(view: &View, name: &str) -> Value {
    let (id, full_name) = (view.repository.id(), view.repository.full_name());
    json!({
        "id": small_id(&[&full_name, "label", name]), "node_id": format!("LA_{id}_{name}"), "name": name,
        "color": &digest(&[name])[..6], "description": format!("what is a {name}"), "default": name == "bug",
        "url": format!("{API}/repos/{full_name}/labels/{name}"),
    })
}

/// A number that GraphQL can name as well, which has signed ones of 32 bits.
pub(super) fn small_id(parts: &[&str]) -> u64 {
    u64::from_str_radix(&digest(parts)[..7], 16).unwrap_or_default()
}

/// The labels of every repository.
pub(super) const LABELS: [&str; 3] = ["bug", "enhancement", "question"];

/// In turn, the authors of issues and pull requests.
const AUTHORS: [&str; 3] = ["alice", "bob", "carol"];
