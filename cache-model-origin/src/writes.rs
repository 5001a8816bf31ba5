//! What any other method means: changes.

use super::{
    access::Asker,
    answer::{Answer, Caching},
    asked::Asked,
    repository::{Named, Repository, View},
    routes::moved,
    world::World,
};
use http::{Method, StatusCode};
use serde_json::json;

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
            Some(view) => match self.write_subjects(&view, rest, asked, asker) {
                Some(answer) => answer,
                None => self.write_other(&view, rest, asked),
            },
            None => Answer::not_found(),
        }
    }

    fn write_other(&mut self, view: &View, rest: &[&str], asked: &Asked) -> Answer {
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
}
