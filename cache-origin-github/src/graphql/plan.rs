//! What to do with a GraphQL request, once its body is there.

use super::{ANSWERS_TO_QUERIES, Lifetimes, Query, RuleSet, cover::Subject};
use crate::{
    GRAPHQL, GitHub, PassReason, Plan, Planned, Surrogacy,
    domain::{Readers, Rights},
    form::{Coding, Form},
    plan::Fields,
    rules::Rules,
    version::Naming,
};
use bytes::Bytes;
use cache_core::{
    KEY_BYTES_MAX, Scope,
    freshness::{Freshness, Grant},
};
use http::{Method, header, request::Parts};
use std::fmt::Write as _;

impl GitHub {
    /// Whether `request` may be a query whose answer is kept. Its body says whether it is.
    ///
    /// The origin answers nothing to a request without a credential.
    pub(crate) fn may_be_query(&self, request: &Parts) -> bool {
        request.method == Method::POST
            && Self::is_graphql(&request.uri)
            && request.uri.query().is_none()
            && self.rules().graphql.is_some()
            && (request.headers.contains_key(header::AUTHORIZATION) || self.default_credential().is_some())
    }

    /// What to do with `request`, planned as [`Plan::Body`], whose whole body is `body`; writes the text of its key into
    /// `key_text`, as [`plan`](Self::plan) does.
    ///
    /// ```
    /// # use cache_origin_github::{GitHub, Plan};
    /// let github = GitHub::with_token("ghp_...")?;
    /// let (parts, ()) = http::Request::post("/graphql").body(()).unwrap().into_parts();
    /// let (mut one, mut other) = (String::new(), String::new());
    /// assert!(matches!(github.plan(&parts, &mut one), Plan::Body));
    /// let body = |document| bytes::Bytes::from(format!(r#"{{"query":"{document}"}}"#));
    /// let query = github.plan_query(&parts, &body("{ repository(owner: \\\"o\\\", name: \\\"r\\\") { id } }"), &mut one);
    /// assert!(matches!(query, Plan::Cached(_)));
    /// github.plan_query(&parts, &body("query {repository(owner:\\\"o\\\" name:\\\"r\\\"){id}}"), &mut other);
    /// assert_ne!(one, other, "the tokens differ");
    /// let mutation = github.plan_query(&parts, &body("mutation { a }"), &mut one);
    /// assert!(matches!(mutation, Plan::Pass(_)));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn plan_query(&self, request: &Parts, body: &Bytes, key_text: &mut String) -> Plan {
        key_text.clear();
        match self.plan_query_or_pass(request, body, key_text) {
            Ok(planned) => Plan::Cached(planned),
            Err(reason) => Plan::Pass(reason),
        }
    }

    fn plan_query_or_pass(
        &self,
        request: &Parts,
        body: &Bytes,
        key_text: &mut String,
    ) -> Result<Planned, PassReason> {
        let rules = self.rules();
        let lifetimes = rules.graphql.as_ref().ok_or(PassReason::Method)?;
        let fields = Fields::look(&request.headers, &rules.forwarded)?;
        if fields.demands.forbid_storing() {
            return Err(PassReason::NoStore);
        }
        let query = self.lately_read().read(&request.headers, body).map_err(PassReason::Graphql)?;
        let most = lifetimes.of(query.rules).ok_or(PassReason::Graphql(NEVER_BY_OPERATOR))?;
        let readers = match fields.authorization {
            Some(value) => rules.domains.of_field(value)?,
            None => rules.default_readers,
        };
        let readers = readers_of(&query, readers);
        write_key(key_text, self.origin().host(), &query);
        rules.forwarded.write_key(key_text, &request.headers);
        readers.domain.write_suffix(key_text);
        if key_text.len() > KEY_BYTES_MAX {
            return Err(PassReason::TooLong);
        }
        // Nothing is known here by a tag, so that no validator of the client's means anything.
        let mut directives = fields.demands.directives(false);
        directives.max_stale = directives.max_stale.min(rules.max_stale);
        directives.grant = Grant { most, born_from: rules.asked_from };
        Ok(Planned {
            directives,
            bucket: GRAPHQL,
            domain: readers.domain,
            reader: readers.reader(),
            form: Form { coding: Coding::accepted(fields.accept_encoding), ..Form::default() },
            readers,
            surrogacy: Surrogacy::Forbidden,
            route: rules.routes.find("/graphql"),
            naming: Naming::Absent,
            rules,
            unusual: fields.unusual,
            graphql: Some(query),
        })
    }

    /// For how long, at most, an answer under a key that begins with `target` may be fresh and then stale by this node's
    /// own rules.
    pub(crate) fn freshness_of_query_max(&self, target: &str) -> Option<Freshness> {
        let (_, rest) = target.strip_prefix(OF)?.split_once(RULES)?;
        let names = rest.split('&').next()?;
        self.rules().graphql.as_ref()?.of(RuleSet::read(names)?)
    }
}

/// The readers of the answer to `query`, which one of `readers` asks.
///
/// Where the origin's 304s show each credential's right to an answer, several may share one. GraphQL has no 304. So an
/// answer is for the credential that asked, unless the operator vouches for several, and then it is for all of them only
/// if it does not speak of the one that asked.
fn readers_of(query: &Query, readers: Readers) -> Readers {
    if readers.rights == Rights::Trusted && !query.is_personal { readers } else { readers.alone() }
}

/// Writes the resource: the repository that the answer is of, if it is of one, so that what is written elsewhere does not
/// end it; which rules the answer comes under, so that a member that has no more than the key can tell for how
/// long it may keep it; and the digest of what is asked.
fn write_key(out: &mut String, host: &str, query: &Query) {
    let of = query.repository().unwrap_or(OF_SEVERAL);
    write!(out, "{host}{OF}{of}{RULES}{}&query=", query.rules).expect("a string takes whatever is written");
    for byte in query.digest {
        write!(out, "{byte:02x}").expect("a string takes whatever is written");
    }
}

impl Query {
    /// The repository that all of the answer is of, as `owner/name`.
    pub(super) fn repository(&self) -> Option<&str> {
        match &self.reading.as_ref().filter(|reading| reading.is_within)?.subject {
            Subject::Repository(name) => Some(name),
            Subject::Id(_) => None,
        }
    }
}

impl GitHub {
    /// The answers to queries that a write about these `repositories` may end, in every domain: those of each, and those of no
    /// single one; all, if it is unknown what it is about.
    ///
    /// They have no validators by which the origin could be asked about them, so that a doubt would spare nothing.
    pub(crate) fn answers_of<'a>(
        &self,
        repositories: Option<impl IntoIterator<Item = &'a str>>,
    ) -> Vec<Scope> {
        let scope = |rest: &str| Scope::Prefix {
            prefix: format!("{}{rest}", self.origin().host()).into(),
            domain: None,
        };
        match repositories {
            Some(repositories) => repositories
                .into_iter()
                .chain([OF_SEVERAL])
                .map(|of| scope(&format!("{OF}{of}{RULES}")))
                .collect(),
            None => vec![scope(ANSWERS_TO_QUERIES)],
        }
    }
}

impl Rules {
    /// The times of answers to queries, if any are kept.
    pub(crate) fn lifetimes_of_queries(&self) -> Option<&Lifetimes> {
        self.graphql.as_ref()
    }
}

/// How the part of a key begins that is behind the host.
const OF: &str = "/graphql?of=";
/// Stands for a repository where the answer is of no single one.
const OF_SEVERAL: &str = "-";
const RULES: &str = "&rules=";
const NEVER_BY_OPERATOR: &str = "a rule of the operator";
