//! What the daemon is told to do: one typed [`Settings`], each value with the place it came from.
//!
//! Flags override the environment, which overrides the file, which overrides the defaults. Everything is checked
//! here, once, and all faults are reported together; no other code looks at a flag or a variable.

mod access_log;
mod address;
mod client_naming;
mod definition;
mod detour;
mod domain;
mod file;
mod fleet;
mod github_cli;
mod given;
mod imprint;
mod intercept;
mod listening;
mod log_filter;
mod profile;
mod report;
mod secret_source;
mod sources;
mod spelling;
mod value;
mod web_origin;
mod webhook;

pub(crate) use {
    access_log::AccessLogTarget,
    address::{Contact, ListenAddress, own_addresses},
    client_naming::ClientNaming,
    definition::{Change, DEFINITIONS, Definition, Shape, Shown, definition},
    detour::Detour,
    domain::{DomainWarning, warnings as domain_warnings},
    file::read as read_file,
    fleet::{FleetSettings, Transport},
    given::{CONFIG_VARIABLE, Given, Source},
    imprint::Imprint,
    intercept::InterceptSettings,
    profile::Profile,
    report::{FleetReport, Report, SecretReport},
    secret_source::{REMEDY, SecretSearch, SourcedSecret, from_input},
    sources::Sources,
    value::{NamedDomain, Problem, Secret, reserve, secret},
    web_origin::WebOrigin,
    webhook::WebhookSettings,
};

use crate::{exit::CommandError, socket::Access};
use cache_core::{Priority, Reserves, port::Durability};
use cache_origin_github::{Credential, GraphqlRule, OriginUrl, PriorityRule, Proxy, ProxyScope};
use fleet_cache::{WritePace, environment};
use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

/// Everything that can be set, checked and typed.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where to listen for HTTP over TCP.
    pub(crate) listen: Option<SocketAddr>,
    /// Where to listen for HTTP on a unix socket.
    pub(crate) unix: Option<PathBuf>,
    /// The users that may connect to that socket.
    pub(crate) unix_access: Access,
    /// The rules by which answers are kept.
    pub(crate) profile: Profile,
    /// The API to cache.
    pub(crate) origin: OriginUrl,
    /// The source of the origin's address.
    pub(crate) origin_source: Source,
    /// How long the origin may take to begin, or to go on with, an answer.
    pub(crate) origin_timeout: Duration,
    /// A proxy through which to reach the API.
    pub(crate) proxy: Option<Proxy>,
    /// The source of the proxy's address.
    pub(crate) proxy_source: Source,
    /// A file of certificates to trust besides the public ones.
    pub(crate) certificates: Option<PathBuf>,
    /// The source of that file's path.
    pub(crate) certificates_source: Source,
    /// Where requests for hosts other than the API go.
    pub(crate) detours: Vec<Detour>,
    /// What the TCP door does for clients that take it for a proxy; `None` to refuse them.
    pub(crate) intercept: Option<InterceptSettings>,
    /// Where entries, the lock and the admin socket are.
    pub(crate) cache_dir: PathBuf,
    /// How long an answer is fresh unless its route says otherwise.
    pub(crate) default_lifetime: Duration,
    /// How long past that an answer stands in while the origin fails.
    pub(crate) if_error: Duration,
    /// How long past that a request gets an answer by its `max-stale`.
    pub(crate) max_stale: Duration,
    /// How long past that an answer is served while it is renewed.
    pub(crate) while_revalidating: Duration,
    /// How long after a write the origin is asked about what it touched before each use.
    pub(crate) settle: Duration,
    /// Lifetimes of paths by pattern, as the origin's rules are written.
    pub(crate) routes: Vec<String>,
    /// Lifetimes of answers to GraphQL queries, by what they show.
    pub(crate) graphql_rules: Vec<GraphqlRule>,
    /// How much requests matter, by path.
    pub(crate) priorities: Vec<PriorityRule>,
    /// What is kept of each allowance from requests that matter less.
    pub(crate) reserves: Reserves,
    /// How many writes are made for one credential in a time.
    pub(crate) write_pace: WritePace,
    /// Whether all of GraphQL passes the cache by.
    pub(crate) no_graphql: bool,
    /// Headers of clients that reach the origin on cached reads too.
    pub(crate) forwarded_headers: Vec<String>,
    /// Whether the origin's `max-age` may shorten a lifetime.
    pub(crate) respect_max_age: bool,
    /// The domains of credentials that share answers.
    pub(crate) domains: Vec<NamedDomain>,
    /// A credential that asks for clients that send none.
    pub(crate) anonymous_as: Option<Credential>,
    /// The source of that credential.
    pub(crate) anonymous_as_source: Source,
    /// How much may be in memory.
    pub(crate) memory: Limits,
    /// How much may be on disk.
    pub(crate) disk: Limits,
    /// When an entry must survive a crash.
    pub(crate) durability: Durability,
    /// Largest body that is kept, in bytes.
    pub(crate) body_bytes_max: usize,
    /// Whether JSON is laid out for curl and browsers.
    pub(crate) pretty_print: bool,
    /// Most client connections at once.
    pub(crate) connections_max: usize,
    /// How long requests in progress may take to end once the daemon is told to.
    pub(crate) drain_timeout: Duration,
    /// Host names by which clients reach the TCP door.
    pub(crate) hosts: Vec<String>,
    /// Web pages that may use the TCP door.
    pub(crate) web_origins: Vec<WebOrigin>,
    /// Where to tell of the daemon's health and counts.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Lifetimes of what webhooks tell the changes of, as those of routes.
    pub(crate) pushed: Vec<String>,
    /// Where webhooks are received.
    pub(crate) webhook: Option<WebhookSettings>,
    /// Where to show people a page of what the daemon does.
    pub(crate) dashboard: Option<SocketAddr>,
    /// What TCP clients must present.
    pub(crate) client_token: Option<Secret>,
    /// How this node takes part in a fleet.
    pub(crate) fleet: FleetSettings,
    /// How clients of the unix socket are told apart.
    pub(crate) unix_client: ClientNaming,
    /// Where to write a line for each request.
    pub(crate) access_log: Option<AccessLogTarget>,
    /// The source of that place.
    pub(crate) access_log_source: Source,
    /// What to log and how.
    pub(crate) log: Log,
    /// The sources of the settings that name a place where something is opened.
    pub(crate) sources: Sources,
    /// What the user should know although it is not an error.
    pub(crate) warnings: Vec<String>,
}

/// How many entries, and how many bytes of them, may be held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// Most entries in memory.
    pub(crate) entries_max: usize,
    /// Most bytes of entries in memory.
    pub(crate) bytes_max: usize,
}

/// What to log and how.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// A level or a `tracing` filter.
    pub(crate) filter: String,
    /// How a line looks.
    pub(crate) format: LogFormat,
}

impl Settings {
    /// Gives every value its type.
    ///
    /// # Errors
    ///
    /// Lists every value that does not fit and every combination that is refused.
    pub(crate) fn resolve(given: &Given, defaults: &Defaults) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(given);
        let mut settings = reader.settings(defaults);
        reader.check_listening(&settings);
        reader.check_clear_origin(&settings);
        reader.check_intercept(&settings);
        reader.check_profile(&settings);
        settings.warnings = std::mem::take(&mut reader.warnings);
        reader.finish(settings)
    }

    /// Looks for the fleet's secret where it takes a while, and notes what its user should know of it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the node without a secret that was not found yet.
    pub(crate) async fn find_secret(&mut self) {
        let warnings = self.fleet.secret.finish().await;
        self.warnings.extend(warnings);
        if self.fleet.enabled && self.fleet.secret.found().is_none() {
            let alone = "no fleet secret is set: this node keeps to itself and does not share";
            self.warnings.push(format!("{alone}; {REMEDY}, or give --no-p2p"));
        }
    }
}

/// The cache directory alone, for a command that only looks for the daemon.
///
/// # Errors
///
/// When none is given and none can be assumed.
pub(crate) fn cache_dir(given: &Given, defaults: &Defaults) -> Result<PathBuf, SettingsError> {
    let mut reader = Reader::new(given);
    let directory = reader.cache_dir(defaults);
    reader.finish(directory)
}

/// The client token alone, for a command that connects to a door.
///
/// # Errors
///
/// When a token is given but cannot be used.
pub(crate) fn client_token(given: &Given) -> Result<Option<Secret>, SettingsError> {
    let mut reader = Reader::new(given);
    let token = reader.client_token();
    reader.finish(token)
}

/// Where this node listens for others, for a command that tells them.
///
/// # Errors
///
/// When an address, the port or the transport does not fit.
pub(crate) fn fleet_listen(given: &Given) -> Result<Vec<ListenAddress>, SettingsError> {
    let mut reader = Reader::new(given);
    let transport = reader.transport();
    let (listen, _source) = reader.fleet_listen(transport);
    reader.finish(listen)
}

/// The fleet's secret alone, as the daemon would look for it.
///
/// # Errors
///
/// If a secret is given but cannot be used.
pub(crate) fn fleet_secret(given: &Given, defaults: &Defaults) -> Result<SecretSearch, SettingsError> {
    let mut reader = Reader::new(given);
    let search = reader.shared_secret(defaults);
    reader.finish(search)
}

/// What is assumed for settings whose default depends on the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    /// The platform's cache directory for this program, if it can be told.
    pub(crate) cache_dir: Option<PathBuf>,
    /// The machine's credential for the API, and the variable that holds it.
    pub(crate) token: Option<(&'static str, Secret)>,
    /// Where GitHub's own command line is.
    pub(crate) github_cli: Option<PathBuf>,
}

impl Defaults {
    /// What this machine's environment implies.
    pub(crate) fn of_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            cache_dir: environment::cache_directory(variable),
            token: secret_source::ambient_token(variable),
            github_cli: variable("PATH").and_then(|path| github_cli::find(&path)),
        }
    }
}

struct Reader<'a> {
    given: &'a Given,
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(given: &'a Given) -> Self {
        Self { given, faults: given.faults().to_vec(), warnings: given.warnings().to_vec() }
    }

    /// `value`, unless something that it was made of does not fit.
    fn finish<T>(self, value: T) -> Result<T, SettingsError> {
        if self.faults.is_empty() { Ok(value) } else { Err(SettingsError(self.faults)) }
    }

    fn settings(&mut self, defaults: &Defaults) -> Settings {
        Settings {
            listen: self.listen("listen").flatten(),
            unix: self.one("unix", path),
            unix_access: self.unix_access(),
            profile: self.one("profile", value::word).unwrap_or_default(),
            origin: self.one("origin", value::origin).unwrap_or_else(OriginUrl::github),
            origin_source: self.source("origin"),
            origin_timeout: self.one("origin-timeout", value::origin_timeout).unwrap_or_default(),
            proxy: self.proxy(),
            proxy_source: self.source("proxy"),
            certificates: self.one("ca-file", path),
            certificates_source: self.source("ca-file"),
            detours: self.many("upstream", value::word),
            intercept: self.intercept(),
            cache_dir: self.cache_dir(defaults),
            default_lifetime: self.one("default-ttl", value::lifetime).unwrap_or_default(),
            if_error: self.one("stale-if-error", value::lifetime).unwrap_or_default(),
            max_stale: self.one("max-stale", value::lifetime).unwrap_or_default(),
            while_revalidating: self.one("stale-while-revalidate", value::lifetime).unwrap_or_default(),
            settle: self.one("settle", value::settle).unwrap_or_default(),
            routes: self.many("route", value::route),
            graphql_rules: self.many("graphql", value::graphql_rule),
            priorities: self.many("priority", value::priority_rule),
            reserves: self.reserves(),
            write_pace: WritePace {
                per_minute: self.one("writes-per-minute", value::writes).flatten(),
                per_hour: self.one("writes-per-hour", value::writes).flatten(),
                wait: self.one("write-wait", value::write_wait).unwrap_or_default(),
            },
            no_graphql: self.one("no-graphql", value::truth).unwrap_or_default(),
            forwarded_headers: self.many("forward-header", value::forwarded_header),
            respect_max_age: self.one("respect-max-age", value::truth).unwrap_or_default(),
            domains: self.domains(),
            anonymous_as: self.anonymous_as(),
            anonymous_as_source: self.source("anonymous-as"),
            memory: self.limits("max-entries", "max-bytes"),
            disk: self.limits("disk-entries", "disk-bytes"),
            durability: self.one("durability", value::durability).unwrap_or(Durability::Eventual),
            body_bytes_max: self.one("body-max", value::body_size).unwrap_or_default(),
            pretty_print: self.one("pretty-print", value::truth).unwrap_or_default(),
            connections_max: self.one("max-connections", value::count).unwrap_or_default(),
            drain_timeout: self.one("drain", value::drain).unwrap_or_default(),
            hosts: self.many("host", value::host),
            web_origins: self.many("allow-web-origin", value::word),
            metrics_listen: self.listen("metrics-listen").flatten(),
            pushed: self.pushed(),
            webhook: self.webhook(),
            dashboard: self.listen("dashboard").flatten(),
            client_token: self.client_token(),
            fleet: self.fleet(defaults),
            unix_client: self.one("unix-client", value::word).unwrap_or_default(),
            access_log: self.one("access-log", value::word),
            access_log_source: self.source("access-log"),
            log: Log {
                filter: self.one("log", log_filter::parse).unwrap_or_default(),
                format: self.one("log-format", value::word).unwrap_or(LogFormat::Text),
            },
            sources: Sources::of_given(self.given),
            warnings: Vec::new(),
        }
    }

    /// Of several for one class the last counts.
    fn reserves(&mut self) -> Reserves {
        let given = self.many("reserve", reserve);
        let is_twice = |class| given.iter().filter(|(other, _)| *other == class).count() > 1;
        if let Some(class) = Priority::ALL.into_iter().find(|class| is_twice(*class)) {
            self.refuse("reserve", &format!("says twice what is kept from {class} requests; give it once"));
        }
        given.into_iter().fold(Reserves::NONE, |reserves, (class, percent)| {
            reserves.with(class, percent).unwrap_or(reserves)
        })
    }

    /// Variables that other programs read too mean what they mean to those: two of them the way to `https://` alone.
    fn proxy(&mut self) -> Option<Proxy> {
        let except = self.one("no-proxy", |text| Ok(text.to_owned())).unwrap_or_default();
        let scope = match self.source("proxy") {
            Source::Environment("HTTPS_PROXY" | "https_proxy") => ProxyScope::Https,
            _other => ProxyScope::All,
        };
        self.one("proxy", |text| value::proxy(text, scope, &except)).flatten()
    }

    /// A group without a mode may use the socket: that is what it was named for.
    fn unix_access(&mut self) -> Access {
        let group = self.one("unix-group", value::group);
        let mode = self.one("unix-mode", value::mode);
        if let Some(mode) = mode.filter(|mode| mode & 0o007 != 0) {
            self.warnings.push(format!(
                "unix-mode {mode:04o} lets every user of this machine use the socket; --unix-group with 0660 lets \
                 those of one group"
            ));
        }
        let usual = if group.is_some() { 0o660 } else { Access::OWNER.mode };
        Access { mode: mode.unwrap_or(usual), group }
    }

    fn domains(&mut self) -> Vec<NamedDomain> {
        let domains = self.many("domain", value::domain);
        self.warnings.extend(domain::warnings(&domains).iter().map(ToString::to_string));
        domains
    }

    fn anonymous_as(&mut self) -> Option<Credential> {
        let (credential, warning) = self.one("anonymous-as", |text| {
            let (text, warning) = secret_source::read(&path(text)?, "a credential for the API")?;
            let credential =
                Credential::from_token(&text).map_err(|error| format!("cannot be used: {error}"))?;
            Ok((credential, warning))
        })?;
        self.warnings.extend(warning);
        Some(credential)
    }

    fn limits(&mut self, entries: &'static str, bytes: &'static str) -> Limits {
        Limits {
            entries_max: self.one(entries, value::count).unwrap_or_default(),
            bytes_max: self.one(bytes, value::positive_size).unwrap_or_default(),
        }
    }

    fn cache_dir(&mut self, defaults: &Defaults) -> PathBuf {
        if let Some(directory) = self.one("cache-dir", path).or_else(|| defaults.cache_dir.clone()) {
            return directory;
        }
        let problem = "is not set and there is no home directory; give --cache-dir DIR";
        self.refuse("cache-dir", problem);
        PathBuf::new()
    }

    fn client_token(&mut self) -> Option<Secret> {
        let token = self.one("client-token", secret);
        let from_file = self.one("client-token-file", |text| {
            let contents =
                std::fs::read_to_string(text).map_err(|error| secret_source::unreadable(&error))?;
            secret(&contents)
        });
        if token.is_some() && from_file.is_some() {
            let problem = "is given beside client-token; give one of them";
            self.refuse("client-token-file", problem);
        }
        token.or(from_file)
    }

    /// Anything that listens on the way to such an origin reads every credential.
    fn check_clear_origin(&mut self, settings: &Settings) {
        let host = settings.origin.name();
        let is_here = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !settings.origin.is_encrypted() && !is_here {
            self.warnings.push(format!(
                "origin {} ({}) sends credentials and answers in clear; write it with https://",
                settings.origin, settings.origin_source
            ));
        }
    }

    fn one<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<T> {
        self.many(name, parse).pop()
    }

    fn many<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, Problem>) -> Vec<T> {
        let definition = definition(name);
        let Some(given) = self.given.value(definition) else {
            return Vec::new();
        };
        let mut values = Vec::new();
        for text in &given.texts {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(problem) => {
                    self.faults.push(fault(definition, Some(text), &given.source, &problem));
                }
            }
        }
        values
    }

    fn source(&self, name: &str) -> Source {
        self.given.value(definition(name)).map_or(Source::Default, |given| given.source)
    }

    fn refuse(&mut self, name: &'static str, problem: &str) {
        let definition = definition(name);
        let given = self.given.value(definition);
        let text = given.as_ref().and_then(|given| given.texts.first()).map(String::as_str);
        let source = given.as_ref().map_or(Source::Default, |given| given.source.clone());
        self.faults.push(fault(definition, text, &source, problem));
    }
}

/// The settings that do not fit; nothing was started.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct SettingsError(Vec<String>);

impl From<SettingsError> for CommandError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(error.into())
    }
}

/// What is said of a value that does not fit: its name, itself where it may be shown, where it stands, and the problem.
fn fault(definition: &Definition, text: Option<&str>, source: &Source, problem: &str) -> String {
    let name = definition.name;
    match text {
        // An origin with an `@` holds a credential that has no place there, and so does a domain with a whole token.
        Some(text)
            if definition.shown == Shown::Whole
                && !text.contains('@')
                && !secret_source::holds_token(text) =>
        {
            format!("{name} {text:?} ({source}) {problem}")
        }
        Some(_) | None => format!("{name} ({source}) {problem}"),
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Lines of text, for people.
    Text,
}

impl FromStr for LogFormat {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _other => Err("is not a log format; write `text` or `json`".to_owned()),
        }
    }
}

fn path(text: &str) -> Result<PathBuf, Problem> {
    std::path::absolute(text).map_err(|error| format!("is not a path: {error}"))
}

/// Shortest client token with which the door may be opened to other machines: 16 characters of 64 kinds are 96 bits.
const CLIENT_TOKEN_BYTES_MIN: usize = 16;

#[cfg(test)]
mod manual;
#[cfg(test)]
mod tests;
