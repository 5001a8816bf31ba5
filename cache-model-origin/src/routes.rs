//! What a GET means: from a path to an answer.

use super::{
    access::{Asker, Kind},
    answer::{Answer, Caching, Charge, page},
    asked::Asked,
    quota::Resource,
    repository::{API, Named, RELEASES, RUNS, Repository, View, digest, user},
    subject::Subject,
    world::World,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderName, StatusCode, header};
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

impl World {
    /// The answer to a GET, or to a HEAD, whose body is dropped later.
    pub(super) fn read(&mut self, asked: &Asked, asker: &Asker) -> Answer {
        match asked.segments().as_slice() {
            [] => Answer::json(&json!({ "current_user_url": format!("{API}/user") })),
            ["rate_limit"] => self.rate_limit(asker),
            ["orgs" | "users", _, "installation"] | ["repos", _, _, "installation"] => {
                Answer::error(StatusCode::UNAUTHORIZED, "A JSON web token could not be decoded")
            }
            ["repos", owner, name, rest @ ..] => match Repository::named(owner, name) {
                Named::Here(repository) => self.read_repository(repository, rest, asked, asker),
                Named::Moved(repository) => moved(repository, rest, StatusCode::MOVED_PERMANENTLY),
                Named::Nothing => Answer::not_found(),
            },
            ["repositories", id, rest @ ..] => match id.parse().ok().and_then(Repository::with_id) {
                Some(repository) => self.read_repository(repository, rest, asked, asker),
                None => Answer::not_found(),
            },
            ["orgs", _name, "repos"] => organization_repositories(asked, asker),
            ["search", kind] => search(kind, asked),
            ["user"] => match asker.account() {
                Some(account) => Answer::json(&user(&account.login)),
                None => Answer::error(StatusCode::UNAUTHORIZED, "Requires authentication"),
            },
            ["user", "emails"] => match asker.account() {
                Some(account) if account.login == "mail" => {
                    Answer::json(&json!([{ "email": "mail@acme.example" }]))
                }
                Some(_) | None => Answer::not_found(),
            },
            ["user", "repos"]
                if asker.account().is_some() && asked.parameter("visibility") == Some("private") =>
            {
                let first = Repository::named("acme", "secret-0");
                let view = match first {
                    Named::Here(repository) => self.view(repository, asker),
                    Named::Moved(_) | Named::Nothing => None,
                };
                Answer::json(&view.iter().map(View::describe).collect::<Value>())
            }
            ["installation", "repositories"] => match asker.account() {
                Some(account) if account.kind == Kind::Installation => {
                    Answer::json(&json!({ "total_count": 0, "repositories": [] }))
                }
                Some(_) | None => Answer::error(StatusCode::FORBIDDEN, "Resource not accessible"),
            },
            ["users", login] => Answer::json(&user(login)),
            _ => Answer::not_found(),
        }
    }

    fn rate_limit(&mut self, asker: &Asker) -> Answer {
        let mut of = |resource| {
            let quota = *self.quotas.of(asker.payer(), resource);
            let (limit, used, remaining) = (quota.limit, quota.used, quota.remaining());
            json!({ "limit": limit, "used": used, "remaining": remaining, "reset": quota.reset_unix_seconds })
        };
        let (core, graphql, search) = (of(Resource::Core), of(Resource::Graphql), of(Resource::Search));
        let resources = json!({ "core": core, "graphql": graphql, "search": search });
        Answer::json(&json!({ "resources": resources, "rate": core }))
            .cached(Caching::Forbidden)
            .charged(Charge::Free)
    }

    fn read_repository(
        &mut self,
        repository: Repository,
        rest: &[&str],
        asked: &Asked,
        asker: &Asker,
    ) -> Answer {
        let Some(view) = self.view(repository, asker) else {
            return Answer::not_found();
        };
        let base = format!("/repositories/{}/{}", repository.id(), rest.join("/"));
        match rest {
            [] => {
                let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 60 * view.revision);
                Answer::json(&view.describe())
                    .header(header::LAST_MODIFIED, httpdate::fmt_http_date(modified))
            }
            ["actions", rest @ ..] => self.read_actions(&view, rest, &base, asked, asker),
            ["collaborators", _login] => Answer::empty(StatusCode::NO_CONTENT),
            ["contents", path @ ..] if !path.is_empty() => contents(&view, &path.join("/"), asked),
            ["languages"] => Answer::json(&json!({ "Rust": 1000 + view.revision, "Shell": 20 })),
            ["readme"] => contents(&view, "README.md", asked),
            ["releases"] => page(asked, &base, RELEASES, None, |number| view.release(number)),
            ["releases", "latest"] => Answer::json(&view.release(RELEASES)),
            ["stats", _kind] if self.compute(asked.path()) => {
                Answer::json(&json!([{ "total": 3 + view.revision, "weeks": [] }]))
            }
            ["stats", _kind] => {
                Answer::json(&json!({})).with_status(StatusCode::ACCEPTED).cached(Caching::Unsaid)
            }
            ["tarball" | "zipball", ..] => self.signed_redirect(&view, &rest.join("/")),
            _ => self.read_subjects(&view, rest, &base, asked).unwrap_or_else(Answer::not_found),
        }
    }

    fn read_actions(
        &mut self,
        view: &View,
        rest: &[&str],
        base: &str,
        asked: &Asked,
        asker: &Asker,
    ) -> Answer {
        let list = |total, wrap, kind: &str| {
            page(asked, base, total, Some(wrap), |number| view.numbered(kind, number))
        };
        let run_number =
            |id: &str| id.parse::<u64>().ok()?.checked_sub(9000).filter(|n| (1..=RUNS).contains(n));
        match rest {
            ["runners"] if matches!(asker.payer(), "anonymous" | "bob" | "reader") => {
                Answer::error(StatusCode::FORBIDDEN, "Must have admin rights to Repository.")
            }
            ["runners"] => list(3, "runners", "runner"),
            ["runs"] => page(asked, base, RUNS, Some("workflow_runs"), |number| view.run(number)),
            ["runs", id] => match run_number(id) {
                Some(number) => Answer::json(&view.run(number)),
                None => Answer::not_found(),
            },
            ["runs", id, "jobs"] if run_number(id).is_some() => list(3, "jobs", "job"),
            ["runs", id, "logs"] if run_number(id).is_some() => self.signed_redirect(view, &rest.join("/")),
            ["workflows"] => list(4, "workflows", "workflow"),
            ["workflows", number] => match number.parse() {
                Ok(number @ 1..=4) => Answer::json(&view.numbered("workflow", number)),
                _other => Answer::not_found(),
            },
            _ => Answer::not_found(),
        }
    }

    /// A redirect to another host, with a signature that is different every time.
    fn signed_redirect(&mut self, view: &View, what: &str) -> Answer {
        let target = format!("/_blob/{}/{what}", view.repository.full_name());
        let signature = &digest(&[&target, &self.next_serial().to_string()])[..16];
        let location = format!("{}{target}?sig={signature}", self.blob_url);
        Answer::empty(StatusCode::FOUND)
            .header(header::LOCATION, location)
            .header(header::CACHE_CONTROL, "public, must-revalidate, max-age=0")
    }
}

/// GitHub names the new place by id, and says the same in the body.
pub(super) fn moved(repository: Repository, rest: &[&str], status: StatusCode) -> Answer {
    let location = format!("{API}/repositories/{}", repository.id());
    let location = rest.iter().fold(location, |path, segment| format!("{path}/{segment}"));
    let message = if status == StatusCode::MOVED_PERMANENTLY { "Moved Permanently" } else { "Moved" };
    Answer::json(&json!({ "message": message, "url": location }))
        .with_status(status)
        .cached(Caching::Unsaid)
        .header(header::LOCATION, location)
}

/// What `asker` sees of the repositories of an organisation, oldest first: two that are public, and more behind them that
/// are not. A field that no documentation names tells for which account the answer is.
fn organization_repositories(asked: &Asked, asker: &Asker) -> Answer {
    let sees_private = asker.account().is_some_and(|account| account.sees_private(0));
    let total = if sees_private { 18 } else { 2 };
    let repository = |newest: u64| json!({ "id": total + 1 - newest });
    page(asked, "/organizations/1/repos", total, None, repository)
        .header(HeaderName::from_static("x-something-new"), asker.payer())
}

fn search(kind: &str, asked: &Asked) -> Answer {
    let found = |number| {
        let repository = Repository::with_id(100_000).expect("widget-0 has this id");
        let view = View { repository, revision: 0, private: false };
        if kind == "repositories" {
            view.numbered("repository", number)
        } else {
            Subject::first(number).issue(&view)
        }
    };
    page(asked, asked.path(), 60, Some("items"), found)
        .cached(Caching::Forbidden)
        .charged(Charge::One(Resource::Search))
}

fn contents(view: &View, path: &str, asked: &Asked) -> Answer {
    let reference = asked.parameter("ref").unwrap_or("main");
    let accept = asked.header(header::ACCEPT);
    let file = view.file(path, reference);
    if accept.contains("raw") {
        return Answer::bytes(file, "application/vnd.github.raw; charset=utf-8");
    }
    if accept.contains(".html") {
        let page = [b"<article>".as_slice(), &file, b"</article>"].concat();
        return Answer::bytes(page, "application/vnd.github.html; charset=utf-8");
    }
    let encoded = BASE64_STANDARD.encode(&file);
    Answer::json(&view.content(path, reference, &encoded, file.len()))
}

/// Tells which media type was understood.
pub(super) const MEDIA_TYPE: HeaderName = HeaderName::from_static("x-github-media-type");
