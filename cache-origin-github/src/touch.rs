//! Which answers a successful write makes doubtful.

use crate::{GitHub, canonical, url::local_path};
use http::{Method, Uri};

impl GitHub {
    /// How the resources begin that a successful `method` on `target` makes doubtful, in every domain.
    ///
    /// Errs on the side of forgetting: an answer forgotten in vain costs a call, one kept in vain is wrong.
    /// Empty for reads, and for GraphQL, whose path does not tell what it changes.
    ///
    /// ```
    /// # use {cache_origin_github::GitHub, http::Method};
    /// let github = GitHub::builder().build()?;
    /// let touched = github.touched_by(&Method::POST, &"/repos/o/r/issues".parse().unwrap());
    /// assert!(touched.iter().any(|prefix| &**prefix == "api.github.com/repos/o/r/issues"));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn touched_by(&self, method: &Method, target: &Uri) -> Vec<Box<str>> {
        let mut path = String::new();
        let readable = canonical::write_path(&mut path, local_path(target.path())).is_ok();
        if !readable || method.is_safe() || path == "/graphql" {
            return Vec::new();
        }
        let mut touched = Touched { host: self.origin().host(), prefixes: Vec::new() };
        touched.by_write_to(&path);
        touched.prefixes
    }

    /// How the resources under `path` begin, for forgetting them by prefix.
    ///
    /// The prefix of `/repos/o/r` is one of `/repos/o/r2` too; end the path in `/` for what lies below it
    /// alone, or the result in a space or `?` for the path itself without or with a query.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().build()?;
    /// assert_eq!(github.resource_prefix("/api/v3/repos/Acme/Site"), "api.github.com/repos/acme/site");
    /// assert_eq!(github.resource_prefix("zen?a=1"), "api.github.com/zen?a=1");
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn resource_prefix(&self, path: &str) -> String {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let rooted = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let host = self.origin().host();
        let mut prefix = host.to_owned();
        // What has no normal form is the beginning of no resource; as it is it matches nothing.
        if canonical::write_path(&mut prefix, local_path(&rooted)).is_err() {
            return format!("{host}{rooted}");
        }
        if let Some(query) = query {
            let plain = prefix.len();
            if canonical::write_query(&mut prefix, query).is_err() {
                prefix.truncate(plain);
                prefix.push('?');
                prefix.push_str(query);
            }
        }
        prefix
    }
}

/// Gathers what one write touches.
struct Touched<'a> {
    host: &'a str,
    prefixes: Vec<Box<str>>,
}

impl Touched<'_> {
    fn by_write_to(&mut self, path: &str) {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments[..] {
            ["repos", owner, name, ref rest @ ..] => self.by_write_to_repository(owner, name, rest),
            // By number: which name it has, the path does not tell.
            ["repositories", ..] => self.add_all(&["/repositories/", "/repos/"]),
            ["user", ..] => self.add_all(&["/user", "/users/"]),
            [kind @ ("orgs" | "users"), name, ref rest @ ..] => {
                let account = format!("/{kind}/{name}");
                self.add_exactly(&account);
                self.add(&format!("{account}/"));
                if rest.first() == Some(&"repos") {
                    self.add_all(&["/user/repos", "/repositories"]);
                }
            }
            [first, ..] => self.add(&format!("/{first}")),
            [] => {}
        }
    }

    fn by_write_to_repository(&mut self, owner: &str, name: &str, rest: &[&str]) {
        let repository = format!("/repos/{owner}/{name}");
        self.add_exactly(&repository);
        // Pages behind the first are linked by the repository's number.
        self.add("/repositories/");
        if let Some(families) = families(rest) {
            for family in families {
                self.add(&format!("{repository}/{family}"));
            }
        } else {
            self.add(&format!("{repository}/"));
            self.add("/user/repos");
            self.add(&format!("/orgs/{owner}/repos"));
            self.add(&format!("/users/{owner}/repos"));
        }
        if matches!(rest.first(), Some(&("issues" | "pulls"))) {
            self.add_all(&["/issues", "/user/issues"]);
            self.add(&format!("/orgs/{owner}/issues"));
        }
    }

    /// The path itself, with a query or with its class behind it, and not what begins like it.
    fn add_exactly(&mut self, path: &str) {
        self.add(&format!("{path}?"));
        self.add(&format!("{path} "));
    }

    fn add_all(&mut self, paths: &[&str]) {
        for path in paths {
            self.add(path);
        }
    }

    fn add(&mut self, path: &str) {
        self.prefixes.push(format!("{}{path}", self.host).into());
    }
}

/// The parts of a repository that a write to `rest` concerns; `None` means all of it.
fn families(rest: &[&str]) -> Option<&'static [&'static str]> {
    let first = rest.first()?;
    let (_, touched) = FAMILIES.iter().find(|(family, _)| family.contains(first))?;
    Some(touched)
}

type Family = (&'static [&'static str], &'static [&'static str]);

/// What hangs together within a repository: a write to one of the left concerns all on the right.
const FAMILIES: &[Family] = &[
    (
        &["issues", "pulls", "labels", "milestones", "comments", "assignees"],
        &[
            "assignees",
            "comments",
            "commits",
            "compare",
            "events",
            "issues",
            "labels",
            "milestones",
            "pulls",
            "activity",
            "branches",
            "contents",
            "git",
            "timeline",
        ],
    ),
    (&["actions"], &["actions", "check-", "commits", "deployments", "environments", "events"]),
    (&["check-runs", "check-suites", "statuses"], &["actions", "check-", "commits", "pulls", "status"]),
    (&["deployments", "environments"], &["deployments", "environments", "events", "actions"]),
    (&["releases"], &["events", "git/", "releases", "tags"]),
    (&["hooks"], &["hooks"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn is_touched(method: &Method, target: &str, resource: &str) -> bool {
        let github = GitHub::builder().build().unwrap();
        let touched = github.touched_by(method, &target.parse().unwrap());
        let resource = format!("api.github.com{resource}");
        touched.iter().any(|prefix| resource.starts_with(&**prefix))
    }

    #[test]
    fn a_write_touches_what_shows_it_and_nothing_else() {
        let rows = [
            ("/repos/o/r/issues", "/repos/o/r/issues?page=2 json", true),
            ("/repos/O/R/issues/5", "/repos/o/r json", true),
            ("/repos/o/r/issues", "/repositories/17/issues?page=2 json", true),
            ("/repos/o/r/issues", "/repos/o/r2/issues json", false),
            ("/repos/o/r/issues", "/repos/o/r2 json", false),
            ("/repos/o/r/issues", "/repos/o/r/actions/runs json", false),
            ("/repos/o/r/check-runs", "/repos/o/r/contents/a json", false),
            ("/repos/o/r/contents/a", "/repos/o/r/commits json", true),
            ("/repos/o/r", "/orgs/o/repos json", true),
            ("/api/v3/repos/o/r/statuses/abc", "/repos/o/r/commits/abc/status json", true),
            ("/user/repos", "/user/repos json", true),
            ("/orgs/o/repos", "/orgs/o/repos?type=all json", true),
            ("/gists", "/gists/1 json", true),
        ];
        for (target, resource, expected) in rows {
            assert_eq!(is_touched(&Method::POST, target, resource), expected, "{target} {resource}");
        }
        assert!(!is_touched(&Method::GET, "/repos/o/r", "/repos/o/r json"));
        assert!(!is_touched(&Method::POST, "/graphql", "/graphql json"));
    }
}
