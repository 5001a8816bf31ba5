//! GraphQL, whose path does not tell what it changes.
//!
//! Answers a single question: can a request have changed anything? A query cannot. What a mutation changes could only
//! be told from its document, with knowledge of GitHub's whole schema.

use crate::{GitHub, url::local_path};
use cache_core::{Reach, Scope};
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
    /// What other domains hold stays: they see such a change as they see one that is made without this cache, when
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
        Reach::doubt(domains.into_iter().flatten().map(scope))
    }
}

/// Whether the request that `body` is surely changes nothing.
pub(crate) fn is_query(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow)]
        query: Cow<'a, str>,
    }
    serde_json::from_slice::<Asked<'_>>(body).is_ok_and(|asked| !has_mutation(&asked.query))
}

/// Whether one of the operations in `document` is a mutation, or is called so.
fn has_mutation(document: &str) -> bool {
    let mut depth = 0_usize;
    let mut rest = document;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => string_bytes(rest),
            '{' | '(' | '[' => {
                depth += 1;
                1
            }
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                1
            }
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
                if depth == 0 && &rest[..end] == "mutation" {
                    return true;
                }
                end
            }
            other => other.len_utf8(),
        };
        rest = &rest[taken..];
    }
    false
}

/// How long the string is that `text` begins with, quotes included. One that does not end goes to the end.
fn string_bytes(text: &str) -> usize {
    if let Some(block) = text.strip_prefix(r#"""""#) {
        let mut at = 0;
        while let Some(end) = block[at..].find(r#"""""#) {
            let is_escaped = block[..at + end].ends_with('\\');
            at += end + 3;
            if !is_escaped {
                return 3 + at;
            }
        }
        return text.len();
    }
    let mut is_escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Domain, Key, Manner};
    use serde_json::json;

    fn asks(document: &str) -> bool {
        is_query(json!({ "query": document, "variables": { "a": 1 } }).to_string().as_bytes())
    }

    #[test]
    fn a_query_is_told_from_a_mutation() {
        let queries = [
            "{ viewer { login } }",
            "query { viewer { login } }",
            "query Q($a: Int = 1) @live { mutation: node(id: \"mutation\") { mutation } }",
            "# mutation\nquery { a }",
            "fragment F on User { login } query { viewer { ...F } }",
            "query { a(b: \"\"\"{ \\\"\"\" mutation\"\"\") }",
            "query { a(b: \"\\\" } mutation {\") }",
            "",
        ];
        for document in queries {
            assert!(asks(document), "{document}");
        }
        let mutations = [
            "mutation { a }",
            "mutation M($a: Int) { addStar(input: { id: $a }) { clientMutationId } }",
            "query Q { a } mutation M { b }",
            "{ a } # x\n mutation{b}",
            "fragment F on User { login }\n\n,mutation{b}",
        ];
        for document in mutations {
            assert!(!asks(document), "{document}");
        }
    }

    #[test]
    fn what_cannot_be_read_may_be_a_mutation() {
        for body in ["", "{}", "[]", "query", r#"[{"query":"{a}"}]"#, r#"{"query":1}"#, r#"{"query":"{a"#] {
            assert!(!is_query(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn a_mutation_doubts_all_that_its_own_domain_holds() {
        let github = GitHub::builder().build().unwrap();
        let headers = |token: &str| {
            HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
        };
        let reach = github.touched_by_mutation(&headers("ghp_one"));
        let domain = |token: &str| {
            github.rules().domains.of_field(&headers(token)[header::AUTHORIZATION]).unwrap().domain
        };
        let key = |domain| Key::new("api.github.com/repos/o/r json", domain);
        assert_eq!(reach.manner(&key(domain("ghp_one")), 200), Some(Manner::Doubt));
        assert_eq!(reach.manner(&key(domain("ghp_two")), 200), None);
        assert_eq!(reach.manner(&key(Domain::ANONYMOUS), 200), None);
    }

    #[test]
    fn a_mutation_by_a_credential_of_a_named_domain_doubts_what_is_its_own_as_well() {
        let github = GitHub::builder().named_domain("ci", ["ghp_*"]).build().unwrap();
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, "Bearer ghp_one".parse().unwrap())]);
        let readers = github.rules().domains.of_field(&headers[header::AUTHORIZATION]).unwrap();
        assert_ne!(readers.domain, readers.alone().domain);
        let reach = github.touched_by_mutation(&headers);
        for domain in [readers.domain, readers.alone().domain] {
            assert_eq!(
                reach.manner(&Key::new("api.github.com/issues json", domain), 200),
                Some(Manner::Doubt)
            );
        }
    }
}
