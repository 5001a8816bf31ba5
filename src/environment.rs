//! The environment variables that a node is set up from, and what they mean.

use crate::{Node, NodeBuilder, StartError};
use cache_core::{Settings, port::Budget};
use cache_crypto::FleetSecret;
use cache_origin_github::{Credential, GitHub};
use std::{path::PathBuf, time::Duration};

/// Nodes to contact first, as multiaddrs with commas between them. Default: none.
pub const CACHE_BOOTSTRAP_PEERS: &str = "CACHE_BOOTSTRAP_PEERS";
/// Directory for entries on disk. Default: the platform's cache directory.
pub const CACHE_DIR: &str = "CACHE_DIR";
/// Whether the node shares with the fleet, if it has a secret: `true` or `false`. Default: `true`.
pub const CACHE_ENABLE_P2P: &str = "CACHE_ENABLE_P2P";
/// Port that other nodes reach this one at. Default: any free one, since one host may run many programs; the
/// daemon's is 9100.
pub const CACHE_LISTEN_PORT: &str = "CACHE_LISTEN_PORT";
/// Lifetime of what no route class says otherwise, in seconds. Default: 300.
pub const CACHE_DEFAULT_TTL: &str = "CACHE_DEFAULT_TTL";
/// Most entries in memory. Default: 1000.
pub const CACHE_MAX_ENTRIES: &str = "CACHE_MAX_ENTRIES";
/// The fleet's secret: with it the node shares, and listens for other nodes. It also seals what is on disk; without
/// it the directory has a key of its own.
///
/// A token is not taken in its place, as the daemon does: to embed a cache is no wish to open a port.
pub const CACHE_P2P_SHARED_SECRET: &str = "CACHE_P2P_SHARED_SECRET";
/// How nodes talk: `libp2p` or `quic`, the same for the whole fleet. Default: `libp2p`.
pub const CACHE_TRANSPORT: &str = "CACHE_TRANSPORT";
/// The credential for [`Node::get`]. Looked up before [`GITHUB_TOKEN`].
pub const GH_TOKEN: &str = "GH_TOKEN";
/// The credential for [`Node::get`].
pub const GITHUB_TOKEN: &str = "GITHUB_TOKEN";
/// The origin's base address. Default: `https://api.github.com`.
pub const GITHUB_API_URL: &str = "GITHUB_API_URL";
/// Another name for [`CACHE_LISTEN_PORT`], which counts where both are set.
pub const P2P_LISTEN_PORT: &str = "P2P_LISTEN_PORT";

/// A builder set up from the environment, as [`global`](crate::global) uses it.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let node = fleet_cache::environment::builder()?.max_peers(64).start().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`StartError::Environment`] naming the variable, its problem and what would be right.
pub fn builder() -> Result<NodeBuilder, StartError> {
    builder_from(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The same with another source of variables, such as a table in a test.
///
/// ```
/// use fleet_cache::environment::{CACHE_MAX_ENTRIES, builder_from};
///
/// let refused = builder_from(&|name| (name == CACHE_MAX_ENTRIES).then(|| "many".to_owned()));
/// assert!(refused.unwrap_err().to_string().contains("many"));
/// ```
///
/// # Errors
///
/// [`StartError::Environment`], as for [`builder`].
pub fn builder_from(variable: &dyn Fn(&str) -> Option<String>) -> Result<NodeBuilder, StartError> {
    let mut github = GitHub::builder();
    if let Some(origin) = variable(GITHUB_API_URL) {
        github = github.origin(&origin);
    }
    if let Some(token) = variable(GH_TOKEN).or_else(|| variable(GITHUB_TOKEN)) {
        github = github.credential(Credential::from_token(&token).map_err(StartError::Origin)?);
    }
    if let Some(seconds) = number(variable, CACHE_DEFAULT_TTL, "a number of seconds, such as 300")? {
        github = github.default_lifetime(Duration::from_secs(seconds));
    }
    let secret = variable(CACHE_P2P_SHARED_SECRET).map(|text| FleetSecret::parse(&text)).transpose();
    let secret = secret.map_err(|error| StartError::Environment {
        name: CACHE_P2P_SHARED_SECRET,
        problem: error.to_string(),
    })?;
    let mut builder = Node::builder(secret, github.build().map_err(StartError::Origin)?);
    if let Some(entries) = number(variable, CACHE_MAX_ENTRIES, "a number of entries, such as 1000")? {
        let entries_max = usize::try_from(entries).unwrap_or(usize::MAX);
        builder = builder.budget(Budget { entries_max, ..Settings::default().budget });
    }
    if is_enabled(variable)? {
        builder = sharing(builder, variable)?;
    }
    let directory = variable(CACHE_DIR).map(PathBuf::from).or_else(|| default_directory(variable));
    Ok(match directory {
        Some(directory) => builder.cache_dir(directory),
        None => builder,
    })
}

/// The platform's cache directory for this project; `None` where no home is known.
pub fn default_directory(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(caches) = variable("XDG_CACHE_HOME") {
        return Some(PathBuf::from(caches).join(DIRECTORY_NAME));
    }
    let home = PathBuf::from(variable("HOME")?);
    let caches = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    Some(home.join(caches).join(DIRECTORY_NAME))
}

fn is_enabled(variable: &dyn Fn(&str) -> Option<String>) -> Result<bool, StartError> {
    let Some(text) = variable(CACHE_ENABLE_P2P) else { return Ok(true) };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _other => {
            let problem = format!("`{text}` is neither `true` nor `false`");
            Err(StartError::Environment { name: CACHE_ENABLE_P2P, problem })
        }
    }
}

/// Lets the node share over what the variables say. Nothing is opened before it starts, nor then without a secret.
fn sharing(
    builder: NodeBuilder,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<NodeBuilder, StartError> {
    let name = if variable(CACHE_LISTEN_PORT).is_some() { CACHE_LISTEN_PORT } else { P2P_LISTEN_PORT };
    let port = number(variable, name, "a port from 0 to 65535")?.unwrap_or(0);
    let port = u16::try_from(port).map_err(|_too_high| {
        let problem = format!("`{port}` is not a port from 0 to 65535");
        StartError::Environment { name, problem }
    })?;
    let contacts = variable(CACHE_BOOTSTRAP_PEERS).unwrap_or_default();
    let contacts = contacts.split(',').map(str::trim).filter(|contact| !contact.is_empty());
    let builder = builder.bootstrap(contacts);
    let chosen = variable(CACHE_TRANSPORT);
    let transport = match chosen.as_deref().map(str::trim) {
        None => TRANSPORTS.first(),
        Some(name) => Some(TRANSPORTS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            let problem = format!("`{name}` is not one of the transports that this program has");
            StartError::Environment { name: CACHE_TRANSPORT, problem }
        })?),
    };
    Ok(match transport {
        Some((_name, listen)) => listen(builder, port),
        None => builder,
    })
}

type Listen = fn(NodeBuilder, u16) -> NodeBuilder;

/// The transports that are compiled in, the default first.
const TRANSPORTS: &[(&str, Listen)] = &[
    #[cfg(feature = "libp2p")]
    ("libp2p", |builder, port| {
        let transport = crate::Libp2p::listen(format!("/ip4/0.0.0.0/tcp/{port}"));
        builder.transport(transport.and_listen(format!("/ip4/0.0.0.0/udp/{port}/quic-v1")))
    }),
    #[cfg(feature = "quic")]
    ("quic", |builder, port| builder.transport(crate::Quic::listen(format!("0.0.0.0:{port}")))),
];

fn number(
    variable: &dyn Fn(&str) -> Option<String>,
    name: &'static str,
    wanted: &str,
) -> Result<Option<u64>, StartError> {
    let Some(text) = variable(name) else { return Ok(None) };
    let number = text.trim().parse::<u64>();
    number
        .map(Some)
        .map_err(|_malformed| StartError::Environment { name, problem: format!("`{text}` is not {wanted}") })
}

const DIRECTORY_NAME: &str = "fleet-cache";
