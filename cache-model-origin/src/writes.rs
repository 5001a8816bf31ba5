//! What any other method means: changes, and GraphQL.

use super::{
    access::Asker,
    answer::{Answer, Caching, Charge},
    asked::Asked,
    quota::Resource,
    repository::{API, ISSUES, Named, Repository, View},
    routes::moved,
    world::World,
};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

impl World {
    /// Changes a repository; every change gives it a new revision.
    pub(super) fn write(&mut self, asked: &Asked, asker: &Asker) -> Answer {
        if asker.account().is_none() {
            return Answer::error(StatusCode::UNAUTHORIZED, "Requires authentication");
        }
        let segments = asked.segments();
        let (repository, rest) = match segments.as_slice() {
            ["repos", owner, name, rest @ ..] => match Repository::named(owner, name) {
                Named::Here(repository) => (repository, rest),
                Named::Moved(repository) => {
                    return moved(repository, rest, StatusCode::TEMPORARY_REDIRECT);
                }
                Named::Nothing => return Answer::not_found(),
            },
            ["repositories", id, rest @ ..] => match id.parse().ok().and_then(Repository::with_id) {
                Some(repository) => (repository, rest),
                None => return Answer::not_found(),
            },
            _ => return Answer::not_found(),
        };
        match self.view(repository, asker) {
            Some(view) => self.change(&view, rest, asked),
            None => Answer::not_found(),
        }
    }

    fn change(&mut self, view: &View, rest: &[&str], asked: &Asked) -> Answer {
        if (&asked.method, rest) == (&Method::POST, &["issues"]) {
            return self.create_issue(view, asked);
        }
        self.bump(view.repository);
        if let ["actions", "runners", "registration-token" | "remove-token"] = rest {
            let token = format!("RUNNER{}", self.next_serial());
            let answer = Answer::json(&json!({ "token": token, "expires_at": "2030-01-01T00:00:00Z" }));
            return answer.with_status(StatusCode::CREATED).cached(Caching::Unsaid);
        }
        let status = match asked.method {
            Method::DELETE => return Answer::empty(StatusCode::NO_CONTENT),
            Method::PATCH => StatusCode::OK,
            _ => StatusCode::CREATED,
        };
        Answer::json(&json!({
            "method": asked.method.as_str(), "path": asked.path(),
            "bytes": asked.body.bytes, "sha256": asked.body.sha256,
        }))
        .with_status(status)
        .cached(Caching::Unsaid)
    }

    fn create_issue(&mut self, view: &View, asked: &Asked) -> Answer {
        let Ok(request) = serde_json::from_slice::<Value>(&asked.body.start) else {
            return Answer::error(StatusCode::BAD_REQUEST, "Problems parsing JSON");
        };
        let Some(title) = request["title"].as_str() else {
            return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
        };
        self.bump(view.repository);
        let number = ISSUES + 1 + self.created(view.repository).len() as u64;
        let mut issue = view.issue(number);
        issue["title"] = title.into();
        issue["body"] = request["body"].clone();
        self.create(view.repository, issue.clone());
        let location = format!("{API}/repos/{}/issues/{number}", view.repository.full_name());
        Answer::json(&issue).with_status(StatusCode::CREATED).header(header::LOCATION, location)
    }

    /// GraphQL is not interpreted: the answer repeats the query and names the account that sent it.
    pub(super) fn graphql(&mut self, asked: &Asked, asker: &Asker) -> Answer {
        let charge = Charge::One(Resource::Graphql);
        let Some(account) = asker.account() else {
            let message = "This endpoint requires you to be authenticated.";
            return Answer::error(StatusCode::UNAUTHORIZED, message).charged(charge);
        };
        let query: Value = serde_json::from_slice(&asked.body.start).unwrap_or_default();
        let echo = json!({
            "query": query["query"], "variables": query["variables"], "viewer": account.login,
            "bytes": asked.body.bytes, "sha256": asked.body.sha256,
        });
        Answer::json(&json!({ "data": echo })).cached(Caching::Unsaid).charged(charge)
    }
}
