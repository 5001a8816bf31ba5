//! The adapter itself and its settings.

mod times;

pub use times::{MAX_STALE_DEFAULT, SETTLE_DEFAULT};

use crate::{
    ConfigError, Credential, CredentialMatch, OriginUrl, PriorityRule, Proxy, RouteRule, RouteTable,
    Timeouts,
    client::{Client, read_certificates},
    domain::{Domains, Rights},
    forwarded::Forwarded,
    graphql::{Gates, GraphqlRule, LatelyRead, Lifetimes},
    lending::{KIN_WAIT_DEFAULT, Lending},
    recipe::Recipes,
    route::{IF_ERROR_DEFAULT, LIFETIME_MAX},
    rules::{InForce, Loan, Rules},
    stats::Counters,
    surrogate::Surrogate,
    version::UsualVersion,
    via::{self, Pseudonym},
};
use cache_core::{BODY_BYTES_MAX, SETTLE_MAX, Timestamp};
use http::{HeaderMap, HeaderValue, header};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// GitHub's API as an origin: what a request means, which requests may read its answer, how to ask, what to keep.
///
/// A clone is another handle on the same connections, settings and counters.
#[derive(Clone, Debug)]
pub struct GitHub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    origin: OriginUrl,
    client: Client,
    credential: Option<Credential>,
    in_force: InForce,
    counters: Counters,
    user_agent: HeaderValue,
    pseudonym: Option<Pseudonym>,
    usual_version: UsualVersion,
    gates: Gates,
    lately_read: LatelyRead,
}

impl GitHub {
    /// Begins with the defaults: api.github.com, no credential of its own, the built-in routes.
    ///
    /// ```
    /// # use {cache_origin_github::GitHub, std::time::Duration};
    /// let github = GitHub::builder()
    ///     .origin("https://ghe.example/api/v3")
    ///     .default_lifetime(Duration::from_secs(120))
    ///     .route("GET /repos/*/*/issues** = 30s")
    ///     .named_domain("ci", ["ghs_*"])
    ///     .build()?;
    /// assert_eq!(github.origin().host(), "ghe.example");
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn builder() -> GitHubBuilder {
        GitHubBuilder::default()
    }

    /// GitHub's own API, asked with `token` whenever a request brings no credential.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::with_token("ghp_...")?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::Credential`] when it cannot be a token.
    pub fn with_token(token: &str) -> Result<Self, ConfigError> {
        Self::builder().credential(Credential::from_token(token)?).build()
    }

    /// Where the API is.
    pub fn origin(&self) -> &OriginUrl {
        &self.0.origin
    }

    /// The rules in force, for one request.
    pub(crate) fn rules(&self) -> Loan {
        self.in_force().loan()
    }

    pub(crate) fn in_force(&self) -> &InForce {
        &self.0.in_force
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn default_credential(&self) -> Option<&Credential> {
        self.0.credential.as_ref()
    }

    pub(crate) fn user_agent(&self) -> &HeaderValue {
        &self.0.user_agent
    }

    pub(crate) fn pseudonym(&self) -> Option<&Pseudonym> {
        self.0.pseudonym.as_ref()
    }

    pub(crate) fn gates(&self) -> &Gates {
        &self.0.gates
    }

    pub(crate) fn lately_read(&self) -> &LatelyRead {
        &self.0.lately_read
    }

    pub(crate) fn usual_version(&self) -> &UsualVersion {
        &self.0.usual_version
    }

    /// Whether a request with `headers` came through this node before, or through more caches than any real chain
    /// has. Such a request goes in a circle, and a call to the origin for it would only make the circle go on.
    pub fn goes_in_a_circle(&self, headers: &HeaderMap) -> bool {
        let is_named = headers.contains_key(header::VIA);
        is_named && (via::is_too_long(headers) || self.pseudonym().is_some_and(|own| own.is_in(headers)))
    }

    /// Names this node in `Via`, behind the ways that `headers` name, so that a request that comes back is known. Nothing
    /// without a [`pseudonym`](GitHubBuilder::pseudonym).
    pub fn add_via(&self, headers: &mut HeaderMap) {
        if let Some(via) = self.pseudonym().and_then(|own| own.behind(headers)) {
            headers.insert(header::VIA, via);
        }
    }
}

/// Settings of a [`GitHub`]. They can be made in any order, and none undoes another; what is wrong with one of them is told
/// by [`build`](Self::build).
///
/// ```
/// # use cache_origin_github::{ConfigError, GitHub};
/// let refused = GitHub::builder().origin("ftp://ghe.example").pretty_print(true).build();
/// assert!(matches!(refused, Err(ConfigError::Origin { .. })));
/// ```
#[derive(Debug)]
#[must_use = "an adapter is there only once it is built"]
pub struct GitHubBuilder {
    /// What was wrong with the first setting that cannot be used.
    fault: Option<ConfigError>,
    origin: OriginUrl,
    credential: Option<Credential>,
    surrogate: Option<Credential>,
    domains: Domains,
    forwarded: Forwarded,
    routes: Option<RouteTable>,
    rules: Vec<RouteRule>,
    default_lifetime: Option<Duration>,
    if_error: Option<Duration>,
    while_revalidating: Option<Duration>,
    kin_wait: Duration,
    body_bytes_max: usize,
    max_stale: Duration,
    settle: Duration,
    timeouts: Timeouts,
    user_agent: HeaderValue,
    certificates: Option<PathBuf>,
    proxy: Option<Proxy>,
    pseudonym: Option<Pseudonym>,
    respect_max_age: bool,
    pretty_print: bool,
    graphql: bool,
    graphql_rules: Vec<GraphqlRule>,
    priorities: Vec<PriorityRule>,
}

impl Default for GitHubBuilder {
    fn default() -> Self {
        Self {
            fault: None,
            origin: OriginUrl::github(),
            credential: None,
            surrogate: None,
            domains: Domains::default(),
            forwarded: Forwarded::default(),
            routes: None,
            rules: Vec::new(),
            default_lifetime: None,
            if_error: None,
            while_revalidating: None,
            kin_wait: KIN_WAIT_DEFAULT,
            body_bytes_max: BODY_BYTES_MAX,
            max_stale: MAX_STALE_DEFAULT,
            settle: SETTLE_DEFAULT,
            timeouts: Timeouts::default(),
            user_agent: HeaderValue::from_static(USER_AGENT),
            certificates: None,
            proxy: None,
            pseudonym: None,
            respect_max_age: false,
            pretty_print: false,
            graphql: true,
            graphql_rules: Vec::new(),
            priorities: Vec::new(),
        }
    }
}

impl GitHubBuilder {
    /// The base address of the API, such as `https://ghe.example/api/v3`.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().origin("https://ghe.example/api/v3").build()?;
    /// assert_eq!(github.origin().host(), "ghe.example");
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn origin(self, url: &str) -> Self {
        let url = url.parse();
        self.with(|builder| {
            builder.origin = url?;
            Ok(())
        })
    }

    /// Makes a setting, and keeps the first fault for `build`.
    fn with(mut self, set: impl FnOnce(&mut Self) -> Result<(), ConfigError>) -> Self {
        if let Err(fault) = set(&mut self) {
            self.fault.get_or_insert(fault);
        }
        self
    }

    /// The credential for requests that bring none. A client that may send such a request reads what this credential
    /// may read.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use cache_origin_github::Credential;
    ///
    /// let github = GitHub::builder().credential(Credential::from_token("ghp_...")?).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn credential(mut self, credential: impl Into<Option<Credential>>) -> Self {
        self.credential = credential.into();
        self
    }

    /// A credential that asks for clients that send none, so that a revalidation is free and an hour has 5,000 calls and not
    /// 60. It must read nothing private.
    ///
    /// It is used once [`GitHub::examine`] or [`GitHub::examine_if_due`] has seen that, and not for what concerns a
    /// credential itself, such as `/user`, nor for calls that pass the cache by. Its answers are in a domain of their own.
    /// If there is a [`credential`](Self::credential), it has no effect.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use cache_origin_github::{Credential, SurrogateState};
    ///
    /// let github = GitHub::builder().anonymous_as(Credential::from_token("ghp_...")?).build()?;
    /// assert_eq!(github.surrogate_state(), Some(SurrogateState::Unexamined));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn anonymous_as(mut self, credential: impl Into<Option<Credential>>) -> Self {
        self.surrogate = credential.into();
        self
    }

    /// Puts the credentials that fit one of `members` into one domain: they share entries, and each is served one once
    /// the origin has confirmed it to that very credential.
    ///
    /// Of several domains that hold a credential, the first that was named counts. Answers that are *about* the
    /// credential, such as `/user`, are its own. A name has 1 to 100 bytes.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().named_domain("ci", ["ghs_*"]).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn named_domain<'a>(self, name: &str, members: impl IntoIterator<Item = &'a str>) -> Self {
        self.domain(name, members, Rights::Proven)
    }

    /// The same, but what one credential of the domain was given answers all others, without a call by which the origin
    /// could refuse it to them.
    ///
    /// So a client that sends any text that fits one of `members` reads what is kept, even if the origin does not know
    /// it, or has revoked it. Meant for credentials that are known by more than their kind, and may read the same.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().trusted_domain("bots", ["ghp_bot1", "ghp_bot2"]).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn trusted_domain<'a>(self, name: &str, members: impl IntoIterator<Item = &'a str>) -> Self {
        self.domain(name, members, Rights::Trusted)
    }

    fn domain<'a>(self, name: &str, members: impl IntoIterator<Item = &'a str>, rights: Rights) -> Self {
        let read = |text: &str| text.parse::<CredentialMatch>().unwrap_or_else(|never| match never {});
        self.with(|builder| builder.domains.name(name, members.into_iter().map(read).collect(), rights))
    }

    /// Sends the field `name` of clients' requests to the origin on cached reads as well, for a gateway that asks for
    /// it. Requests with another value are other requests: none is answered from what the origin gave the other.
    ///
    /// All fields of requests that pass the cache by, writes among them, reach the origin anyway.
    ///
    /// Refused are what is not a name, fields that the cache itself obeys or sends, those of a connection, and more than 16.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().forward_header("X-Gateway-Team").build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn forward_header(self, name: &str) -> Self {
        self.with(|builder| builder.forwarded.add(name))
    }

    /// Takes the place of the built-in routes, those that are never kept included.
    pub fn routes(mut self, routes: RouteTable) -> Self {
        self.routes = Some(routes);
        self
    }

    /// Adds a rule behind those added before and in front of all others; see [`RouteRule`] for its form.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().route("GET /repos/*/*/issues** = 30s").route("/users/** = 1h").build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn route(self, rule: &str) -> Self {
        let rule = rule.parse();
        self.with(|builder| {
            builder.rules.push(rule?);
            Ok(())
        })
    }

    /// The longest body that is kept, in bytes, at most [`BODY_BYTES_MAX`]. Longer ones stream past the cache.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().body_bytes_max(256 * 1024).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes.min(BODY_BYTES_MAX);
        self
    }

    /// How long each part of a call may take.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// use {cache_origin_github::Timeouts, std::time::Duration};
    ///
    /// let timeouts = Timeouts { head: Duration::from_secs(3), ..Timeouts::default() };
    /// let github = GitHub::builder().timeouts(timeouts).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The `User-Agent` of cached calls and of requests that bring none.
    ///
    /// One for all, since GitHub lays JSON out differently for some agents, and what one client is given the next may
    /// be served. [`forward_header`](Self::forward_header) with `User-Agent` sends each client's own instead.
    pub fn user_agent(mut self, agent: HeaderValue) -> Self {
        self.user_agent = agent;
        self
    }

    /// A PEM file of certificates to trust besides the public ones, for a private Enterprise Server.
    pub fn certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.certificates = Some(path.into());
        self
    }

    /// A name, the same for no other node, by which each call says in `Via` that it came through here. Default: none.
    ///
    /// It is what [`GitHub::goes_in_a_circle`] finds again.
    pub fn pseudonym(mut self, name: &str) -> Self {
        self.pseudonym = Some(Pseudonym::new(name));
        self
    }

    /// A proxy through which to reach the origin. Default: none, whatever the environment says.
    pub fn proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.proxy = proxy.into();
        self
    }

    /// Whether an answer's own `max-age` may shorten the lifetime that its route has. Off by default:
    /// GitHub sends 60 s with everything.
    pub fn respect_origin_max_age(mut self, respect: bool) -> Self {
        self.respect_max_age = respect;
        self
    }

    /// Whether curl and browsers get JSON laid out for reading, as GitHub does it. Off by default: every
    /// client gets the origin's own bytes.
    pub fn pretty_print(mut self, pretty: bool) -> Self {
        self.pretty_print = pretty;
        self
    }

    /// Whether answers to GraphQL queries are kept and shared. On by default; otherwise all GraphQL passes by.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().graphql(false).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn graphql(mut self, kept: bool) -> Self {
        self.graphql = kept;
        self
    }

    /// Sets for how long answers to GraphQL queries are fresh that show what the rule is for. Of several for one rule the
    /// last counts.
    pub fn graphql_rule(mut self, rule: GraphqlRule) -> Self {
        self.graphql_rules.push(rule);
        self
    }

    /// Sets how much requests of some clients, or for a class of routes, matter that do not say so themselves. The first rule that
    /// is for a client counts, else the first that is for a route.
    ///
    /// ```
    /// # use cache_origin_github::GitHub;
    /// let github = GitHub::builder().priority_rule("/repos/*/*/actions/** = critical".parse()?).build()?;
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn priority_rule(mut self, rule: PriorityRule) -> Self {
        self.priorities.push(rule);
        self
    }

    /// Makes the adapter. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the first setting that cannot be used, and its fault.
    pub fn build(mut self) -> Result<GitHub, ConfigError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let times = [
            ("the connect timeout", self.timeouts.connect),
            ("the head timeout", self.timeouts.head),
            ("the body's idle timeout", self.timeouts.body_idle),
        ];
        for (setting, value) in times {
            in_range(setting, value, TIMEOUT_MIN, TIMEOUT_MAX)?;
        }
        let certificates =
            self.certificates.take().map_or(Ok(Vec::new()), |path| read_certificates(&path))?;
        let client = Client::new(self.timeouts, &certificates, self.proxy.take())?;
        let (origin, credential) = (self.origin.clone(), self.credential.clone());
        let (user_agent, pseudonym) = (self.user_agent.clone(), self.pseudonym.take());
        Ok(GitHub(Arc::new(Shared {
            client,
            origin,
            credential,
            in_force: InForce::new(self.rules()?),
            counters: Counters::default(),
            user_agent,
            pseudonym,
            usual_version: UsualVersion::default(),
            gates: Gates::default(),
            lately_read: LatelyRead::default(),
        })))
    }

    /// Makes the rules alone, for an adapter that runs already; see [`GitHub::adopt`]. What else was set counts for
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the first setting that cannot be used, and its fault.
    pub fn rules(self) -> Result<Rules, ConfigError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let times = [
            ("the default lifetime", self.default_lifetime),
            ("the time to stand in for errors", self.if_error),
            ("the time for requests that accept stale answers", Some(self.max_stale)),
            ("the time while revalidating", self.while_revalidating),
            ("the time to wait for another credential's call", Some(self.kin_wait)),
        ];
        for (setting, value) in times {
            in_range(setting, value.unwrap_or_default(), Duration::ZERO, LIFETIME_MAX)?;
        }
        in_range("the time to settle", self.settle, Duration::ZERO, SETTLE_MAX)?;
        let if_error = self.if_error.unwrap_or(IF_ERROR_DEFAULT);
        let graphql = self.graphql.then(|| Lifetimes::new(&self.graphql_rules, if_error));
        let mut routes = self.routes.unwrap_or_default();
        if let Some(lifetime) = self.default_lifetime {
            routes = routes.with_default_lifetime(lifetime);
        }
        let routes =
            routes.with_default_staleness(self.if_error, self.while_revalidating).with_rules(self.rules);
        let (client_priorities, priorities) =
            self.priorities.into_iter().partition(PriorityRule::is_of_clients);
        Ok(Rules {
            default_readers: Rules::default_readers(&self.domains, self.credential.as_ref()),
            surrogate: self
                .surrogate
                .filter(|_| self.credential.is_none())
                .map(|credential| Arc::new(Surrogate::new(credential))),
            domains: self.domains,
            forwarded: self.forwarded,
            // One class for usual representations of a route and one for all others.
            recipes: Arc::new(Recipes::new(routes.len() * 2)),
            lending: Arc::new(Lending::new(self.kin_wait)),
            routes,
            body_bytes_max: self.body_bytes_max,
            max_stale: self.max_stale,
            settle: self.settle,
            respect_max_age: self.respect_max_age,
            pretty_print: self.pretty_print,
            graphql,
            client_priorities,
            priorities,
            asked_from: Timestamp::default(),
        })
    }
}

fn in_range(setting: &'static str, value: Duration, min: Duration, max: Duration) -> Result<(), ConfigError> {
    if value < min || value > max {
        return Err(ConfigError::Range { setting, value, min, max });
    }
    Ok(())
}

/// How cached calls name themselves.
const USER_AGENT: &str = concat!("fleet-cache/", env!("CARGO_PKG_VERSION"));
/// Shortest time allowed for a part of a call; less can only fail.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(10);
/// Longest time allowed for a part of a call.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);
