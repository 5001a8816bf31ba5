//! GraphQL, whose path tells neither what it asks nor what it changes.
//!
//! Reads the body of a request: a query is looked up like any other read, under a key made from its canonical form
//! ([`GitHub::plan_query`]); it never changes anything. What a mutation changes could only be told from its document, with
//! knowledge of GitHub's whole schema.

mod asking;
mod cover;
mod document;
mod gate;
mod mutation;
mod plan;
mod points;
mod query;
mod rule;
mod table;

pub(crate) use {
    asking::is_throttled,
    gate::Gates,
    query::{LatelyRead, Query, Told, tells},
    rule::{Lifetimes, RuleSet},
};
pub use {gate::Gate, rule::GraphqlRule};

/// Why a mutation passes the cache by.
pub(crate) const MUTATION: &str = "graphql-mutation";

use crate::{GitHub, url::local_path};
use cache_core::{Reach, Scope};
use document::Document;
use http::{HeaderMap, Uri, header};
use serde::Deserialize;
use std::{borrow::Cow, collections::BTreeSet};

impl GitHub {
    /// Whether `target` is where GraphQL is spoken.
    pub(crate) fn is_graphql(target: &Uri) -> bool {
        local_path(target.path()) == "/graphql"
    }

    /// What a mutation sent with `headers` makes doubtful: all that its own domain holds of the API, and the named one that
    /// it is in.
    ///
    /// Of what other domains hold, [`left_by`](Self::left_by) adds what is of the repositories that the mutation is about, if
    /// its ids tell. The rest stays: they see such a change as they see one that is made without this cache, when their
    /// entries' lifetime is over. Otherwise every mutation of any client would make all others ask about everything.
    pub(crate) fn touched_by_mutation(&self, headers: &HeaderMap) -> Reach {
        let rules = self.rules();
        let readers = match headers.get(header::AUTHORIZATION) {
            Some(value) => rules.domains.of_field(value).ok(),
            None => Some(rules.default_readers),
        };
        // With a credential that has no domain nothing is kept.
        let domains = readers.map(|readers| BTreeSet::from([readers.domain, readers.alone().domain]));
        let prefix = || format!("{}/", self.origin().host()).into();
        let scope = |domain| Scope::Prefix { prefix: prefix(), domain: Some(domain) };
        Reach::doubt(domains.into_iter().flatten().map(scope))
    }

    /// The repositories that the mutation in `body` is about; `None` if that cannot be told from the ids that it names, as
    /// far as answers have told here what they stand for.
    pub(crate) fn repositories_of_mutation(&self, body: &[u8]) -> Option<BTreeSet<Box<str>>> {
        let places = mutation::ids_of(body)?.into_iter().map(|id| self.gates().place_of_id(&id));
        places.map(|place| Some((*place?.repository).into())).collect()
    }

    /// The repositories that a write is about which touches `touched`; `None` if it is about none, or none alone.
    pub(crate) fn repositories_in(&self, touched: &Reach) -> Option<BTreeSet<Box<str>>> {
        let begin = format!("{}/repos/", self.origin().host());
        let repository = |scope: &Scope| {
            let Scope::Prefix { prefix, .. } = scope else { return None };
            let mut segments = prefix.strip_prefix(&*begin)?.split(['/', '?', ' ']);
            let (owner, name) = (segments.next()?, segments.next()?);
            (!name.is_empty()).then(|| format!("{owner}/{name}").into())
        };
        let found: BTreeSet<_> =
            touched.forgotten.iter().chain(&touched.doubted).filter_map(repository).collect();
        (!found.is_empty()).then_some(found)
    }

    /// What begins with the path of `repository`, and what is filed under the numbers of repositories, in every domain.
    pub(crate) fn resources_of(&self, repository: &str) -> Vec<Scope> {
        let host = self.origin().host();
        let mut prefixes = [" ", "?", "/"].map(|end| format!("{host}/repos/{repository}{end}")).to_vec();
        prefixes.push(format!("{host}/repositories/"));
        let scope = |prefix: String| Scope::Prefix { prefix: prefix.into(), domain: None };
        prefixes.into_iter().map(scope).collect()
    }

    /// Whether `scope` means answers to queries.
    pub(crate) fn is_of_queries(&self, scope: &Scope) -> bool {
        let prefix = format!("{}{ANSWERS_TO_QUERIES}", self.origin().host());
        matches!(scope, Scope::Prefix { prefix: meant, .. } if meant.starts_with(&*prefix))
    }
}

/// Whether the request that `body` is surely changes nothing. What cannot be read may change anything.
pub(crate) fn is_query(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow)]
        query: Cow<'a, str>,
    }
    let asked = serde_json::from_slice::<Asked<'_>>(body);
    asked.is_ok_and(|asked| Document::read(&asked.query).is_some_and(|document| document.changes_nothing()))
}

/// How the keys of all answers to queries begin, behind the host.
pub(crate) const ANSWERS_TO_QUERIES: &str = "/graphql?";

/// Most bytes of a GraphQL request that are read to tell what it asks: far more than queries of clients come to. What is
/// longer passes the cache by, and counts as a mutation.
pub const GRAPHQL_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests;
