//! Which answers a successful write makes doubtful.

mod effect;
mod event;
mod table;

pub(crate) use event::{Subject, effect_of_event};

use crate::{GitHub, canonical, url::local_path};
use cache_core::{Reach, Scope};
use effect::{Effect, effect};
use http::{HeaderValue, Method, Uri};
use std::collections::BTreeSet;

impl GitHub {
    /// What a successful `method` on `target` makes doubtful, in every domain.
    ///
    /// Errs on the side of forgetting: an answer forgotten needlessly costs a call, one kept wrongly is wrong. Empty
    /// for reads, and for GraphQL, whose path does not tell what it changes.
    ///
    /// ```
    /// # use {cache_core::{Domain, Key, Manner}, cache_origin_github::GitHub, http::Method};
    /// let github = GitHub::builder().build()?;
    /// let touched = github.touched_by(&Method::POST, &"/repos/o/r/issues".parse().unwrap());
    /// let issues = Key::new("api.github.com/repos/o/r/issues json", Domain::ANONYMOUS);
    /// assert_eq!(touched.manner(&issues, 200), Some(Manner::Forget));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn touched_by(&self, method: &Method, target: &Uri) -> Reach {
        self.reach_of(self.effect(method, target).shortest())
    }

    /// What of this origin `effect` means, in every domain.
    pub(crate) fn reach_of(&self, effect: Effect) -> Reach {
        let Effect { forgotten, doubted } = effect;
        let host = self.origin().host();
        let scope = |path: String| Scope::Prefix { prefix: format!("{host}{path}").into(), domain: None };
        Reach {
            forgotten: forgotten.into_iter().map(scope).collect(),
            doubted: doubted.into_iter().map(scope).collect(),
            ..Reach::default()
        }
    }

    /// What `method` on `target` of another of GitHub's hosts, by the name of `host`, touches if it is carried out.
    ///
    /// Files of a release are uploaded to a host of their own, and show in the API.
    pub fn touched_through(&self, host: &HeaderValue, method: &Method, target: &Uri) -> Reach {
        if host.as_bytes().starts_with(b"uploads.") {
            self.touched_by(method, target)
        } else {
            Reach::default()
        }
    }

    fn effect(&self, method: &Method, target: &Uri) -> Effect {
        let path = local_path(target.path());
        let path = path.strip_prefix(ENTERPRISE_UPLOADS).unwrap_or(path);
        if method.is_safe() || path == "/graphql" {
            return Effect::default();
        }
        let mut normal = String::new();
        match canonical::write_path(&mut normal, path) {
            Ok(()) => effect(method.as_str(), &normal),
            // The origin may make sense of it, and it is unknown which.
            Err(_) => Effect { doubted: BTreeSet::from(["/".to_owned()]), ..Effect::default() },
        }
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

impl GitHub {
    /// What it means to forget all that begins with `prefix`, as [`GitHub::resource_prefix`] writes it: that, and in
    /// doubt, where it names a repository or an account, what GitHub files under their numbers, such as the pages
    /// behind the first.
    ///
    /// ```
    /// # use {cache_core::{Domain, Key, Manner}, cache_origin_github::GitHub};
    /// let github = GitHub::builder().build()?;
    /// let reach = github.reach_of_prefix(github.resource_prefix("/repos/acme/site/"));
    /// let manner = |path| reach.manner(&Key::new(&format!("api.github.com{path} json"), Domain::ANONYMOUS), 200);
    /// assert_eq!(manner("/repos/acme/site/issues"), Some(Manner::Forget));
    /// assert_eq!(manner("/repositories/17/issues?page=2"), Some(Manner::Doubt));
    /// assert_eq!(manner("/user"), None);
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn reach_of_prefix(&self, prefix: String) -> Reach {
        let host = self.origin().host();
        let scope = |prefix: String| Scope::Prefix { prefix: prefix.into(), domain: None };
        let numbers = prefix.strip_prefix(host).map_or(&[][..], effect::by_number);
        let doubted = numbers.iter().map(|begin| scope(format!("{host}{begin}"))).collect();
        Reach { forgotten: vec![scope(prefix)], doubted, ..Reach::default() }
    }
}

/// Where Enterprise Server takes files: what lies below has the paths of the API.
const ENTERPRISE_UPLOADS: &str = "/api/uploads";

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Domain, Key};

    fn is_touched(method: &Method, target: &str, resource: &str) -> bool {
        let github = GitHub::builder().build().unwrap();
        let touched = github.touched_by(method, &target.parse().unwrap());
        touched.covers(&Key::new(&format!("api.github.com{resource}"), Domain::ANONYMOUS), 200)
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
