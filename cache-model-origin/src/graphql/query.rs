//! The root of queries: things by their names, numbers and ids.

use super::{
    super::{
        repository::{Named, Repository, View, user},
        subject::LABELS,
        world::World,
    },
    object::{Arguments, Failure, Scene, Seed, fields},
    repository::label,
};
use serde_json::{Map, Value, json};

impl Scene<'_> {
    pub(super) fn root_field(&self, name: &str, arguments: &Arguments) -> Result<Seed, Failure> {
        match name {
            "node" => self.node(arguments.text("id")),
            "nodes" => {
                let ids = arguments.get("ids").as_array().into_iter().flatten();
                let nodes = ids.map(|id| self.node(id.as_str().unwrap_or_default()).unwrap_or(Seed::NULL));
                Ok(Seed::List(nodes.collect()))
            }
            "rateLimit" => Ok(self.rate_limit()),
            "repository" => self.repository(arguments.text("owner"), arguments.text("name")),
            "search" => self.search(arguments),
            "viewer" => Ok(Seed::Account(self.asker.payer().to_owned())),
            "organization" | "repositoryOwner" | "user" => {
                let login = arguments.text("login");
                let (kind, is_meant) = match name {
                    "organization" => ("an Organization", login == ORGANIZATION),
                    "user" => ("a User", login != ORGANIZATION),
                    _either => ("a User", true),
                };
                let account = Seed::Account(login.to_owned());
                let missing = || Failure::not_found(&format!("{kind} with the login of '{login}'"));
                if is_meant { Ok(account) } else { Err(missing()) }
            }
            _other => Ok(Seed::NULL),
        }
    }

    fn repository(&self, owner: &str, name: &str) -> Result<Seed, Failure> {
        let view = match Repository::named(owner, name) {
            Named::Here(repository) | Named::Moved(repository) => self.view(repository),
            Named::Nothing => None,
        };
        let missing = || Failure::not_found(&format!("a Repository with the name '{owner}/{name}'"));
        view.map(Seed::Repository).ok_or_else(missing)
    }

    pub(super) fn view(&self, repository: Repository) -> Option<View> {
        self.world.borrow().view(repository, self.asker)
    }

    /// The thing with this id, which the asker may see.
    pub(super) fn node(&self, id: &str) -> Result<Seed, Failure> {
        self.find(id).ok_or_else(|| Failure::not_found(&format!("a node with the global id of '{id}'")))
    }

    fn find(&self, id: &str) -> Option<Seed> {
        let (kind, rest) = id.split_once('_')?;
        let known = || {
            self.asker
                .account()
                .map(|account| account.login.clone())
                .into_iter()
                .chain(LOGINS.map(str::to_owned))
        };
        match kind {
            "O" if rest == "7" => return Some(Seed::Account(ORGANIZATION.to_owned())),
            "U" => return known().find(|login| user(login)["node_id"] == id).map(Seed::Account),
            "RE" => {
                let release: u64 = rest.parse().ok()?;
                let view = self.view(Repository::with_id(u32::try_from(release / 100).ok()?)?)?;
                return self.release(&view, release % 100);
            }
            _of_a_repository => {}
        }
        let (repository, rest) = rest.split_once('_').unwrap_or((rest, ""));
        let view = self.view(Repository::with_id(repository.parse().ok()?)?)?;
        match kind {
            "R" if rest.is_empty() => Some(Seed::Repository(view)),
            "C" => Some(Seed::Commit(view, rest.to_owned())),
            "LA" if LABELS.contains(&rest) => Some(label(&view, rest)),
            "I" | "PR" => {
                let subject = self.world.borrow().subject(&view, rest.parse().ok()?)?;
                (subject.node_id(&view) == id).then(|| Seed::Subject(view, Box::new(subject)))
            }
            "IC" | "PRR" => {
                let (number, index) = rest.split_once('_')?;
                let subject = self.world.borrow().subject(&view, number.parse().ok()?)?;
                let index = index.parse().ok()?;
                if kind == "IC" {
                    self.comment(&view, &subject, index)
                } else {
                    self.review(&view, &subject, index)
                }
            }
            _unknown => None,
        }
    }

    fn rate_limit(&self) -> Seed {
        let world: &mut World = &mut self.world.borrow_mut();
        let quota = *world.quotas.of(self.asker.payer(), super::super::quota::Resource::Graphql);
        let cost = self.weight.points();
        let reset = std::time::UNIX_EPOCH + std::time::Duration::from_secs(quota.reset_unix_seconds);
        Seed::Plain(json!({
            "__typename": "RateLimit", "cost": cost, "limit": quota.limit, "nodeCount": self.weight.nodes,
            "remaining": quota.remaining().saturating_sub(cost), "used": quota.used + cost,
            "resetAt": iso(reset),
        }))
    }

    pub(super) fn describe_account(&self, login: &str) -> Map<String, Value> {
        let is_organization = login == ORGANIZATION;
        let account = user(login);
        let (id, database_id) = if is_organization {
            ("O_7".into(), 7.into())
        } else {
            (account["node_id"].clone(), account["id"].clone())
        };
        let mut plain = json!({
            "__typename": if is_organization { "Organization" } else { "User" }, "id": id,
            "databaseId": database_id, "login": login, "name": login,
            "url": format!("https://github.com/{login}"),
            "avatarUrl": format!("https://avatars.githubusercontent.com/u/{database_id}?v=4"),
        });
        if !is_organization {
            plain["email"] = "".into();
            plain["isViewer"] = self.is_asker(login).into();
        }
        fields(plain)
    }
}

/// A time in seconds since 1970, as GraphQL writes it.
fn iso(time: std::time::SystemTime) -> String {
    // HTTP's form has the same parts: `Sun, 06 Nov 1994 08:49:37 GMT`.
    let text = httpdate::fmt_http_date(time);
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = month.iter().position(|name| *name == &text[8..11]).map_or(0, |at| at + 1);
    format!("{}-{month:02}-{}T{}Z", &text[12..16], &text[5..7], &text[17..25])
}

/// The one organisation, which owns every repository.
pub(super) const ORGANIZATION: &str = "acme";
/// People that are known by their ids, besides the asker.
const LOGINS: [&str; 3] = ["alice", "bob", "carol"];
