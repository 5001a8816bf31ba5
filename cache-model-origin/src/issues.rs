//! How REST reads and writes issues, pull requests, and the checks of commits.

use super::{
    access::Asker,
    answer::{Answer, Caching, page},
    asked::Asked,
    checks::{Checks, Run, describe_run, describe_status},
    repository::View,
    subject::{LABELS, ReviewState, State, Subject, label},
    world::World,
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

impl World {
    /// The answer to a GET for `rest`, if that is among the things that this file knows.
    pub(super) fn read_subjects(
        &self,
        view: &View,
        rest: &[&str],
        base: &str,
        asked: &Asked,
    ) -> Option<Answer> {
        let subject = |number: &str| self.subject(view, number.parse().ok()?);
        let list = |items: Vec<Value>| listed(asked, base, None, items.len(), |at| items[at].clone());
        let show = |number, how: fn(&Subject, &View) -> Value| {
            self.subject(view, number).map(|subject| how(&subject, view)).unwrap_or_default()
        };
        let answer = match rest {
            ["issues"] => {
                let kept = self.asked_for(view, false, asked, None);
                Some(listed(asked, base, None, kept.len(), |at| show(kept[at], Subject::issue)))
            }
            ["issues", number] => subject(number).map(|subject| issue(&subject, view, asked)),
            ["issues", number, "comments"] => subject(number).map(|subject| {
                let comments = 0..subject.comments.len();
                list(comments.filter_map(|at| subject.comment_at(view, at)).collect())
            }),
            ["issues", number, "labels"] => subject(number)
                .map(|subject| list(subject.labels.iter().map(|name| label(view, name)).collect())),
            ["labels"] => Some(list(LABELS.iter().map(|name| label(view, name)).collect())),
            ["labels", name] => LABELS.contains(name).then(|| Answer::json(&label(view, name))),
            ["pulls"] => {
                let kept = self.asked_for(view, true, asked, Some("open"));
                Some(listed(asked, base, None, kept.len(), |at| show(kept[at], Subject::pull)))
            }
            ["pulls", number] => subject(number).and_then(|subject| pull(&subject, view, asked)),
            ["pulls", number, "commits"] => subject(number).filter(Subject::is_pull).map(|subject| {
                let commits = (0..=subject.pushes).map(|pushes| commit(view, &subject.commit(view, pushes)));
                list(commits.collect())
            }),
            ["pulls", number, "reviews"] => subject(number).filter(Subject::is_pull).map(|subject| {
                let reviews = 0..subject.reviews.len();
                list(reviews.filter_map(|at| subject.review_at(view, at)).collect())
            }),
            ["commits", name] => Some(Answer::json(&commit(view, &self.resolve(view, name)))),
            ["commits", name, "check-runs"] => {
                let sha = self.resolve(view, name);
                let checks = self.checks(view.repository, &sha);
                let runs: Vec<Value> =
                    checks.runs.iter().map(|(name, run)| describe_run(view, &sha, name, run)).collect();
                Some(listed(asked, base, Some("check_runs"), runs.len(), |at| runs[at].clone()))
            }
            ["commits", name, "status"] => {
                let sha = self.resolve(view, name);
                Some(status(&self.checks(view.repository, &sha), view, &sha))
            }
            _other => return None,
        };
        Some(answer.unwrap_or_else(Answer::not_found))
    }

    /// The numbers of the issues or pull requests that the filters of a list let pass, newest first.
    fn asked_for(&self, view: &View, pulls_only: bool, asked: &Asked, usual_state: Option<&str>) -> Vec<u64> {
        let is_filtered = |name: &&str| asked.parameter(name).is_some();
        if usual_state.is_none() && !FILTERS.iter().any(is_filtered) {
            return (1..=self.subjects_total(view)).rev().collect();
        }
        let mut kept = self.subjects(view, pulls_only);
        kept.retain(|subject| is_asked_for(subject, asked, usual_state));
        kept.into_iter().map(|subject| subject.number).collect()
    }

    /// What a write to `rest` changes besides the revision of its repository, if it is one that this file knows.
    pub(super) fn write_subjects(
        &mut self,
        view: &View,
        rest: &[&str],
        asked: &Asked,
        asker: &Asker,
    ) -> Option<Answer> {
        let is_known = matches!(
            (&asked.method, rest),
            (&Method::POST, ["issues"])
                | (&Method::PATCH, ["issues" | "pulls", _])
                | (&Method::POST, ["issues", _, "comments" | "labels"])
                | (&Method::DELETE, ["issues", _, "labels", _])
                | (&Method::PUT, ["pulls", _, "merge"])
                | (&Method::POST, ["pulls", _, "reviews"] | ["statuses", _] | ["check-runs"])
        );
        if !is_known {
            return None;
        }
        let request = match asked.body.bytes {
            0 => json!({}),
            _ => match serde_json::from_slice::<Value>(&asked.body.start) {
                Ok(request) => request,
                Err(_) => return Some(Answer::error(StatusCode::BAD_REQUEST, "Problems parsing JSON")),
            },
        };
        let answer = match rest {
            ["issues"] => self.create_issue(view, &request, asker),
            ["statuses", sha] => self.create_status(view, sha, &request),
            ["check-runs"] => self.create_check(view, &request),
            [_family, number, rest @ ..] => {
                let number = number.parse().ok().filter(|number| self.subject(view, *number).is_some());
                number.map_or_else(Answer::not_found, |number| {
                    self.bump(view.repository);
                    let view = &View { revision: view.revision + 1, ..*view };
                    self.write_subject(view, number, rest, &request, asker)
                })
            }
            [] | [_] => Answer::not_found(),
        };
        Some(answer)
    }

    fn write_subject(
        &mut self,
        view: &View,
        number: u64,
        rest: &[&str],
        request: &Value,
        asker: &Asker,
    ) -> Answer {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let edited = self.edit(view, number, |subject| match rest {
            ["comments"] => subject.comment(asker.payer(), &text("body")),
            ["labels"] => names(&request["labels"]).for_each(|name| subject.add_label(name)),
            ["labels", name] => subject.remove_label(name),
            ["merge"] => subject.settle(State::Merged),
            ["reviews"] => {
                let state = ReviewState::of_event(request["event"].as_str());
                subject.review(asker.payer(), &text("body"), state);
            }
            _whole => patch(subject, request),
        });
        let Some(subject) = edited else { return Answer::not_found() };
        let created = |value: Option<Value>| {
            Answer::json(&value.unwrap_or_default()).with_status(StatusCode::CREATED).cached(Caching::Unsaid)
        };
        match rest {
            ["comments"] => created(subject.comment_at(view, subject.comments.len() - 1)),
            ["labels", ..] => {
                Answer::json(&subject.labels.iter().map(|name| label(view, name)).collect::<Value>())
            }
            ["merge"] => Answer::json(&json!({ "merged": true, "sha": subject.merge_commit(view) })),
            ["reviews"] => created(subject.review_at(view, subject.reviews.len() - 1)),
            _whole if subject.is_pull() => Answer::json(&subject.pull(view)),
            _whole => Answer::json(&subject.issue(view)),
        }
        .cached(Caching::Unsaid)
    }

    fn create_issue(&mut self, view: &View, request: &Value, asker: &Asker) -> Answer {
        let Some(title) = request["title"].as_str() else {
            return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
        };
        let subject = self.create(view, asker.payer(), title, request["body"].as_str());
        let view = View { revision: view.revision + 1, ..*view };
        let issue = subject.issue(&view);
        let location = issue["url"].as_str().unwrap_or_default().to_owned();
        Answer::json(&issue).with_status(StatusCode::CREATED).header(header::LOCATION, location)
    }

    fn create_status(&mut self, view: &View, sha: &str, request: &Value) -> Answer {
        let context = request["context"].as_str().unwrap_or("default");
        let Some(state) = request["state"].as_str() else {
            return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
        };
        self.bump(view.repository);
        self.set_status(view, sha, context, state);
        let status = describe_status(view, sha, context, state);
        Answer::json(&status).with_status(StatusCode::CREATED).cached(Caching::Unsaid)
    }

    fn create_check(&mut self, view: &View, request: &Value) -> Answer {
        let (Some(name), Some(sha)) = (request["name"].as_str(), request["head_sha"].as_str()) else {
            return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
        };
        let conclusion = request["conclusion"].as_str();
        let usual = if conclusion.is_some() { "completed" } else { "queued" };
        let status = request["status"].as_str().unwrap_or(usual);
        self.bump(view.repository);
        self.set_check(view, sha, name, status, conclusion);
        let run = Run { status: status.to_owned(), conclusion: conclusion.map(str::to_owned) };
        let run = describe_run(view, sha, name, &run);
        Answer::json(&run).with_status(StatusCode::CREATED).cached(Caching::Unsaid)
    }
}

fn patch(subject: &mut Subject, request: &Value) {
    if let Some(title) = request["title"].as_str() {
        subject.rename(title);
    }
    if let Some(body) = request["body"].as_str() {
        subject.body = Some(body.to_owned());
    }
    if let Some(base) = request["base"].as_str() {
        subject.base = base.to_owned();
    }
    if request["labels"].is_array() {
        subject.labels = names(&request["labels"]).map(str::to_owned).collect();
    }
    match (request["state"].as_str(), request["state_reason"].as_str()) {
        (Some("closed"), Some("not_planned")) => subject.settle(State::NotPlanned),
        (Some("closed"), _) => subject.settle(State::Closed),
        (Some("open"), _) => subject.settle(State::Reopened),
        _unchanged => subject.update(),
    }
}

/// The labels that a request names.
fn names(labels: &Value) -> impl Iterator<Item = &str> {
    labels.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Whether the filters of a list let it pass. Where they do not say it, it is in this state, or in any.
fn is_asked_for(subject: &Subject, asked: &Asked, usual_state: Option<&str>) -> bool {
    let state = asked.parameter("state").or(usual_state).unwrap_or("all");
    let labels = asked.parameter("labels").unwrap_or_default().split(',').filter(|name| !name.is_empty());
    let head = asked.parameter("head").map(|head| head.rsplit([':', '/']).next().unwrap_or(head));
    (state == "all" || (state == "open") == subject.is_open())
        && labels.into_iter().all(|name| subject.labels.iter().any(|label| label == name))
        && asked.parameter("creator").is_none_or(|login| login == subject.author)
        && asked.parameter("base").is_none_or(|base| base == subject.base)
        && head.is_none_or(|head| head.trim_start_matches("acme%3A") == subject.head())
}

fn issue(subject: &Subject, view: &View, asked: &Asked) -> Answer {
    let mut issue = subject.issue(view);
    if asked.header(header::ACCEPT).contains("full+json") {
        issue["body_html"] = "<p>what happened, and what should have</p>".into();
    }
    Answer::json(&issue)
}

fn pull(subject: &Subject, view: &View, asked: &Asked) -> Option<Answer> {
    let accept = asked.header(header::ACCEPT);
    let (number, tip) = (subject.number, subject.tip(view));
    let patch = format!("diff --git a/f b/f\n-old\n+new {number}, {tip}, revision {}\n", view.revision);
    if !subject.is_pull() {
        return None;
    }
    Some(if accept.contains("diff") {
        Answer::bytes(patch, "application/vnd.github.v3.diff; charset=utf-8")
    } else if accept.contains("patch") {
        Answer::bytes(format!("From: acme\n{patch}"), "application/vnd.github.v3.patch; charset=utf-8")
    } else {
        Answer::json(&subject.pull(view))
    })
}

fn status(checks: &Checks, view: &View, sha: &str) -> Answer {
    let statuses = checks.statuses.iter();
    let statuses = statuses.map(|(context, state)| describe_status(view, sha, context, state));
    Answer::json(&json!({
        "state": checks.state(), "sha": sha, "revision": view.revision, "total_count": checks.statuses.len(),
        "statuses": statuses.collect::<Value>(),
    }))
}

fn commit(view: &View, sha: &str) -> Value {
    json!({
        "sha": sha, "node_id": format!("C_{}_{sha}", view.repository.id()),
        "commit": { "message": "change", "author": { "name": "alice", "email": "alice@acme.example" } },
        "html_url": format!("https://github.com/{}/commit/{sha}", view.repository.full_name()),
    })
}

/// What a list can be filtered by.
const FILTERS: [&str; 5] = ["base", "creator", "head", "labels", "state"];

/// One page of `count` things, which are in their order.
fn listed(
    asked: &Asked,
    base: &str,
    wrap: Option<&str>,
    count: usize,
    item: impl Fn(usize) -> Value,
) -> Answer {
    // Pages count from the newest, which has the highest number.
    page(asked, base, count as u64, wrap, |number| item(count - usize::try_from(number).unwrap_or(count)))
}
