//! GraphQL, whose path tells neither what it asks nor what it changes.
//!
//! Reads the body of a request: a query is looked up like any other read, under a key made from its canonical form
//! ([`GitHub::plan_query`]); it never changes anything. What a mutation changes could only be told from its document, with
//! knowledge of GitHub's whole schema.

mod asking;
mod document;
mod plan;
mod query;
mod rule;
mod table;

pub use rule::GraphqlRule;
pub(crate) use {
    asking::is_throttled,
    query::{Query, Told, tells},
    rule::{Lifetimes, RuleSet},
};

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
    /// it is in; and it ends all answers to queries.
    ///
    /// What other domains hold besides stays: they see such a change as they see one that is made without this cache, when
    /// their entries' lifetime is over. Otherwise every mutation of any client would make all others ask about
    /// everything.
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
        let doubted = Reach::doubt(domains.into_iter().flatten().map(scope));
        Reach { forgotten: vec![self.answers_to_queries()], ..doubted }
    }

    /// All answers to queries, in every domain.
    ///
    /// What an answer shows its key does not tell, so any write ends all of them. They have no validators, so that a doubt
    /// would spare nothing.
    pub(crate) fn answers_to_queries(&self) -> Scope {
        Scope::Prefix { prefix: format!("{}{ANSWERS_TO_QUERIES}", self.origin().host()).into(), domain: None }
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
