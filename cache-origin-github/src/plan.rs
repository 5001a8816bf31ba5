//! What to do with a request: answer it from the cache, or pass it through.
//!
//! [`GitHub::plan`] looks at a request's head alone, makes no call, and allocates nothing once its buffer has grown:
//! it runs for every hit.

use crate::{
    GitHub,
    admission::is_of_applications,
    canonical,
    directive::Demands,
    domain::Readers,
    form::{Coding, Form, lists_any_tag},
    forwarded::Forwarded,
    graphql::{self, Query},
    own::concerns_the_credential,
    route::{Keeping, RouteIndex, allowance},
    rules::{Loan, Surrogacy},
    url::local_path,
    version::{NAMED, Naming},
};
use bytes::Bytes;
use cache_core::{
    Bucket, Domain, Headers, KEY_BYTES_MAX, Key, Reader,
    freshness::{Directives, Freshness},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts};
use std::{fmt, sync::Arc, time::Instant};
use tracing::trace;

/// What to do with a request.
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, and is taken apart at once")]
#[derive(Clone, Debug)]
pub enum Plan {
    /// What its body asks decides: see [`GitHub::plan_query`].
    Body,
    /// The cache may answer it.
    Cached(Planned),
    /// Only the origin may answer it.
    Pass(PassReason),
}

/// A request that the cache may answer.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What the request demands of a stored answer.
    pub directives: Directives,
    /// The allowance that a call for it would draw on.
    pub bucket: Bucket,
    /// The domain of those that may read the answer.
    pub domain: Domain,
    /// The credential in that domain that asks, and what it may be served.
    pub reader: Reader,
    /// How the reply is to look.
    pub form: Form,
    pub(crate) readers: Readers,
    /// Whether another credential may ask for the client, if it sends none.
    pub surrogacy: Surrogacy,
    pub(crate) route: RouteIndex,
    pub(crate) naming: Naming,
    /// What it was planned by.
    pub(crate) rules: Loan,
    /// Whether the request has a field that is neither part of the key nor without consequence.
    pub(crate) unusual: bool,
    /// The GraphQL query that is asked, if it is one.
    pub(crate) graphql: Option<Arc<Query>>,
}

/// Why a request is passed through. Its text fits the `detail` of `Cache-Status` (RFC 9211).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PassReason {
    /// The representation asked for cannot be told from others.
    Accept,
    /// It has a body.
    Body,
    /// It is conditional in a way that only the origin can judge.
    Condition,
    /// Its credential is not a token, or there are several.
    Credential,
    /// It speaks GraphQL, and its answer is not kept for the reason named.
    Graphql(&'static str),
    /// Its method is neither GET nor HEAD.
    Method,
    /// It forbids keeping the answer (`no-store`).
    NoStore,
    /// It asks for a part.
    Range,
    /// Its route is never kept, for the reason named.
    Route(&'static str),
    /// It depends on a field that is not part of the key.
    SpecialField,
    /// Its target is not in a form that has one meaning.
    Target,
    /// Its canonical form is longer than a key can be.
    TooLong,
    /// It wants to leave HTTP.
    Upgrade,
}

impl fmt::Display for PassReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Body => "request-body",
            Self::Condition => "condition",
            Self::Credential => "credential",
            Self::Graphql(reason) => reason,
            Self::Method => "method",
            Self::NoStore => "no-store",
            Self::Range => "range",
            Self::Route(reason) => reason,
            Self::SpecialField => "special-field",
            Self::Target => "target",
            Self::TooLong => "too-long",
            Self::Upgrade => "upgrade",
        })
    }
}

impl GitHub {
    /// What to do with `request`; writes the text of its key into `key_text`, which is cleared first.
    ///
    /// Pure and cheap. The text equals [`cache_core::Key::as_str`] and serves to look an entry up without
    /// making a key. It means nothing when the plan is [`Plan::Pass`].
    ///
    /// ```
    /// # use cache_origin_github::{GitHub, Plan};
    /// let github = GitHub::builder().build()?;
    /// let (parts, ()) = http::Request::get("/repos/Acme/Site?b=1&a=2").body(()).unwrap().into_parts();
    /// let mut key_text = String::new();
    /// assert!(matches!(github.plan(&parts, &mut key_text), Plan::Cached(_)));
    /// assert!(key_text.starts_with("api.github.com/repos/acme/site?a=2&b=1 json\n"));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn plan(&self, request: &Parts, key_text: &mut String) -> Plan {
        self.plan_with(request, key_text, Surrogacy::Allowed)
    }

    /// The same, and whether another credential may ask for a client that sends none.
    pub fn plan_with(&self, request: &Parts, key_text: &mut String, surrogacy: Surrogacy) -> Plan {
        self.plan_as(request, key_text, surrogacy, |named| self.naming(named))
    }

    /// The same for a request that was given another version of the API than it names: its key names the version, and
    /// so does the call for it.
    pub fn plan_apart(&self, request: &Parts, key_text: &mut String, surrogacy: Surrogacy) -> Plan {
        self.plan_as(request, key_text, surrogacy, |_named| Naming::Apart)
    }

    fn plan_as(
        &self,
        request: &Parts,
        key_text: &mut String,
        surrogacy: Surrogacy,
        naming: impl FnOnce(Option<&HeaderValue>) -> Naming,
    ) -> Plan {
        trace!("planned");
        key_text.clear();
        match self.plan_or_pass(request, key_text, surrogacy, naming) {
            Ok(planned) => Plan::Cached(planned),
            Err(PassReason::Method) if self.may_be_query(request) => Plan::Body,
            Err(reason) => Plan::Pass(reason),
        }
    }

    /// For how long, at most, an answer under `resource` may be fresh and then stale by this node's own rules; `None`
    /// if they do not let it be kept, or it is not a resource of this origin.
    ///
    /// Limit for answers that others fetched: what they say of their lifetime counts only within this.
    ///
    /// ```
    /// # use {cache_origin_github::GitHub, std::time::Duration};
    /// let github = GitHub::builder().build()?;
    /// let most = |resource| github.freshness_max(resource).map(|most| most.lifetime);
    /// assert_eq!(most("api.github.com/repos/acme/site json"), Some(Duration::from_secs(300)));
    /// assert_eq!(most("api.github.com/rate_limit json"), None);
    /// assert_eq!(most("elsewhere.example/repos/acme/site json"), None);
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn freshness_max(&self, resource: &str) -> Option<Freshness> {
        let path = resource.strip_prefix(self.origin().host())?;
        if path.starts_with(graphql::ANSWERS_TO_QUERIES) {
            return self.freshness_of_query_max(path);
        }
        let end = path.find(['?', ' ']).unwrap_or(path.len());
        self.rules().routes.rule(&path[..end]).freshness()
    }

    fn plan_or_pass(
        &self,
        request: &Parts,
        key_text: &mut String,
        surrogacy: Surrogacy,
        naming: impl FnOnce(Option<&HeaderValue>) -> Naming,
    ) -> Result<Planned, PassReason> {
        let head = match request.method {
            Method::GET => false,
            Method::HEAD => true,
            _ => return Err(PassReason::Method),
        };
        let rules = self.rules();
        let fields = Fields::look(&request.headers, &rules.forwarded)?;
        fields.are_of_a_read()?;
        let host = self.origin().host();
        key_text.push_str(host);
        canonical::write_path(key_text, local_path(request.uri.path()))?;
        // The rules see the normal form: no route is another one for being written otherwise.
        let path = &key_text[host.len()..];
        let route = rules.routes.find(path);
        let rule = rules.routes.by_index(route);
        if let Keeping::Never(reason) = rule.keeping() {
            return Err(PassReason::Route(reason));
        }
        let grant = rules.grant(rule);
        let bucket = allowance(path);
        if let Some(query) = request.uri.query() {
            canonical::write_query(key_text, query)?;
        }
        let is_own = concerns_the_credential(&key_text[host.len()..]);
        let readers = rules.readers(fields.authorization, is_own, surrogacy)?;
        write_class(key_text, &request.headers, &fields)?;
        let naming = naming(fields.version);
        if let (Naming::Apart, Some(version)) = (naming, fields.version) {
            canonical::write_version(key_text, version)?;
        }
        rules.forwarded.write_key(key_text, &request.headers);
        readers.domain.write_suffix(key_text);
        if key_text.len() > KEY_BYTES_MAX {
            return Err(PassReason::TooLong);
        }
        let mut directives = fields.demands.directives(fields.are_conditional());
        directives.max_stale = directives.max_stale.min(rules.max_stale);
        directives.grant = grant;
        Ok(Planned {
            directives,
            bucket,
            domain: readers.domain,
            form: Form {
                head,
                coding: Coding::accepted(fields.accept_encoding),
                if_none_match: fields.if_none_match.cloned(),
                if_modified_since: fields.if_modified_since.cloned(),
                pretty: rules.pretty_print && fields.user_agent.is_some_and(is_persons_agent),
            },
            reader: readers.reader(),
            readers,
            surrogacy,
            route,
            naming,
            rules,
            unusual: fields.unusual,
            graphql: None,
        })
    }

    /// Whether an answer with `headers` may be given to `request`, which was planned as `planned`.
    ///
    /// It may not where it depends (`Vary`) on a field that the request has and the origin was not sent, since the
    /// field is not part of the key. Such a request is the origin's to answer.
    ///
    /// ```
    /// # use cache_origin_github::{GitHub, Plan};
    /// # use cache_core::Headers;
    /// let github = GitHub::builder().build()?;
    /// let request = http::Request::get("/zen").header("accept-language", "fr").body(()).unwrap();
    /// let (parts, ()) = request.into_parts();
    /// let Plan::Cached(planned) = github.plan(&parts, &mut String::new()) else { unreachable!() };
    /// let headers = |vary| Headers::from_iter([("vary", vary)]);
    /// assert!(github.suits(&headers("Accept, Authorization"), &parts, &planned));
    /// assert!(!github.suits(&headers("Accept, Accept-Language"), &parts, &planned));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn suits(&self, headers: &Headers, request: &Parts, planned: &Planned) -> bool {
        !planned.unusual
            || !headers.iter().any(|(name, value)| name == "vary" && planned.parts_by(value, request))
    }
}

impl Planned {
    /// The same, to be held for long.
    #[must_use]
    pub fn kept(self) -> Self {
        Self { rules: self.rules.kept(), ..self }
    }

    /// The body that the request came with: empty unless it is a query.
    pub fn body(&self) -> Bytes {
        self.graphql.as_ref().map_or_else(Bytes::new, |query| query.body.clone())
    }

    /// Whether it is a GraphQL query.
    pub fn is_query(&self) -> bool {
        self.graphql.is_some()
    }

    /// Whether another credential asks for the client, which sends none.
    pub fn has_surrogate(&self) -> bool {
        self.rules.surrogate.as_ref().is_some_and(|surrogate| surrogate.stands_behind(self.readers))
    }

    /// Takes note that the origin refused what is kept under `key` with a 401 to the credential that asks for the client.
    /// Returns whether it is news that the origin does not know that credential: from now on it asks for none.
    pub fn note_surrogate_unknown(&self, key: &Key) -> bool {
        let is_meant = self.has_surrogate() && !is_of_applications(key.resource());
        let surrogate = self.rules.surrogate.as_ref().filter(|_| is_meant);
        surrogate.is_some_and(|surrogate| surrogate.refuse(Instant::now()))
    }

    /// Whether a `Vary` of `value` names a field of `request` that the origin was not sent.
    fn parts_by(&self, value: &[u8], request: &Parts) -> bool {
        let names = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        names.filter_map(|name| HeaderName::from_bytes(name).ok()).any(|name| {
            let is_in_key =
                IN_KEY.contains(&name.as_str()) || (self.graphql.is_some() && graphql::tells(&name));
            !is_in_key && request.headers.contains_key(&name) && !self.rules.forwarded.holds(&name)
        })
    }
}

/// Writes a space and the class of representation.
pub(crate) fn write_class(
    out: &mut String,
    headers: &HeaderMap,
    fields: &Fields<'_>,
) -> Result<(), PassReason> {
    out.push(' ');
    if fields.accept_many {
        canonical::write_accept(out, headers.get_all(http::header::ACCEPT).iter())
    } else {
        canonical::write_accept(out, fields.accept.into_iter())
    }
}

/// The fields of a request that matter, found in one pass.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) accept: Option<&'a HeaderValue>,
    pub(crate) accept_many: bool,
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) version: Option<&'a HeaderValue>,
    pub(crate) accept_encoding: Option<&'a HeaderValue>,
    /// Whether it says that it has a body.
    announces_body: bool,
    pub(crate) demands: Demands,
    pub(crate) if_modified_since: Option<&'a HeaderValue>,
    pub(crate) if_none_match: Option<&'a HeaderValue>,
    pub(crate) unusual: bool,
    user_agent: Option<&'a HeaderValue>,
}

impl<'a> Fields<'a> {
    pub(crate) fn look(headers: &'a HeaderMap, forwarded: &Forwarded) -> Result<Self, PassReason> {
        let mut found = Self::default();
        for (name, value) in headers {
            if !forwarded.holds(name) {
                found.add(name, value)?;
            }
        }
        Ok(found)
    }

    /// Whether the client has validators that may name something.
    fn are_conditional(&self) -> bool {
        match self.if_none_match {
            Some(tags) => lists_any_tag(tags),
            None => self.if_modified_since.is_some_and(is_date),
        }
    }

    /// Refuses what announces a body, and what may not be kept.
    fn are_of_a_read(&self) -> Result<(), PassReason> {
        if self.announces_body {
            Err(PassReason::Body)
        } else if self.demands.forbid_storing() {
            Err(PassReason::NoStore)
        } else {
            Ok(())
        }
    }

    fn add(&mut self, name: &HeaderName, value: &'a HeaderValue) -> Result<(), PassReason> {
        match name.as_str() {
            "accept" => self.accept_many |= self.accept.replace(value).is_some(),
            "accept-encoding" => self.accept_encoding = Some(value),
            "authorization" if self.authorization.is_some() => return Err(PassReason::Credential),
            "authorization" => self.authorization = Some(value),
            "cache-control" => self.demands.add_cache_control(value),
            "content-length" if value.as_bytes() == b"0" => {}
            // `Expect` and `Trailer` announce a body as well.
            "content-length" | "transfer-encoding" | "expect" | "trailer" => self.announces_body = true,
            "if-match" | "if-range" | "if-unmodified-since" => return Err(PassReason::Condition),
            "if-modified-since" if self.if_modified_since.is_some() => return Err(PassReason::Condition),
            "if-modified-since" => self.if_modified_since = Some(value),
            "if-none-match" if self.if_none_match.is_some() => return Err(PassReason::Condition),
            "if-none-match" => self.if_none_match = Some(value),
            "pragma" => self.demands.add_pragma(value),
            "range" => return Err(PassReason::Range),
            "cookie" | "x-github-otp" | "x-http-method-override" => return Err(PassReason::SpecialField),
            "upgrade" => return Err(PassReason::Upgrade),
            "user-agent" => self.user_agent = Some(value),
            NAMED if self.version.is_some() => return Err(PassReason::Accept),
            NAMED => self.version = Some(value),
            other => self.unusual |= !OF_NO_CONSEQUENCE.contains(&other),
        }
        Ok(())
    }
}

/// Whether `value` is a date as HTTP writes them.
pub(crate) fn is_date(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| httpdate::parse_http_date(text).is_ok())
}

/// Agents for which GitHub lays JSON out for reading.
fn is_persons_agent(agent: &HeaderValue) -> bool {
    let agent = agent.as_bytes();
    ["curl/", "Wget/", "HTTPie/", "Mozilla/"].iter().any(|name| agent.starts_with(name.as_bytes()))
}

/// Fields that are part of the key, or sent in a form that suits every client.
const IN_KEY: [&str; 5] = ["accept", "accept-encoding", "authorization", "user-agent", NAMED];

/// Fields of a connection or of the way here, on which no answer depends.
const OF_NO_CONSEQUENCE: [&str; 14] = [
    "connection",
    "content-type",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "traceparent",
    "tracestate",
    "via",
    "x-fleet-client",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

#[cfg(test)]
mod tests;
