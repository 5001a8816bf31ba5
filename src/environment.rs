//! The environment variables that a node is set up from, and what they mean.
//!
//! The daemon reads its own variables, settings and directories by the same rules, so that both understand the same.

mod directory;
mod reading;

pub use directory::{cache_directory, settings_directory};
pub use reading::{Misspelt, Variable, count, port, text, truth};

use crate::{Discover, Node, NodeBuilder, StartError};
use cache_core::{Settings, port::Budget};
use cache_crypto::FleetSecret;
use cache_origin_github::{Credential, GitHub, LIFETIME_MAX, parse_duration};
use std::{path::PathBuf, time::Duration};

/// Nodes to contact first, as multiaddrs with commas between them. Default: none.
pub const CACHE_BOOTSTRAP_PEERS: &str = "CACHE_BOOTSTRAP_PEERS";
/// Ways to find other nodes, with commas between them: `dns:NAME[:PORT]`, `file:PATH`, `mdns`. Default: none.
pub const CACHE_DISCOVER: &str = "CACHE_DISCOVER";
/// Directory for entries on disk. Default: the platform's cache directory.
pub const CACHE_DIR: &str = "CACHE_DIR";
/// Whether the node shares with the fleet, if it has a secret: `true` or `false`. Default: `true`.
pub const CACHE_ENABLE_P2P: &str = "CACHE_ENABLE_P2P";
/// Port at which other nodes reach this one. Default: any free one, since one host may run many programs; the
/// daemon's is 9100.
pub const CACHE_LISTEN_PORT: &str = "CACHE_LISTEN_PORT";
/// Lifetime of an answer, unless its route class says otherwise: `300`, in seconds, or `5m`. Default: 300.
pub const CACHE_DEFAULT_TTL: &str = "CACHE_DEFAULT_TTL";
/// Most entries in memory. Default: 1000.
pub const CACHE_MAX_ENTRIES: &str = "CACHE_MAX_ENTRIES";
/// The fleet's secret: with it the node shares, and listens for other nodes. It also seals what is on disk; without
/// it the directory has a key of its own.
///
/// Unlike the daemon, the library does not fall back to a GitHub token: embedding a cache should not open a port.
pub const CACHE_P2P_SHARED_SECRET: &str = "CACHE_P2P_SHARED_SECRET";
/// How nodes talk: `libp2p` or `quic`, the same for the whole fleet. Default: `libp2p`, or `quic` in a program that is
/// built without the other.
pub const CACHE_TRANSPORT: &str = "CACHE_TRANSPORT";
/// The credential for [`Node::get`]. Looked up before [`GITHUB_TOKEN`].
pub const GH_TOKEN: &str = "GH_TOKEN";
/// The credential for [`Node::get`].
pub const GITHUB_TOKEN: &str = "GITHUB_TOKEN";
/// The origin's base address. Default: `https://api.github.com`.
pub const GITHUB_API_URL: &str = "GITHUB_API_URL";
/// Another name for [`CACHE_LISTEN_PORT`], which counts where both are set.
pub const P2P_LISTEN_PORT: &str = "P2P_LISTEN_PORT";

/// Variables that mean the same, the strongest first.
pub const ALIASES: &[&[&str]] = &[
    &[CACHE_BOOTSTRAP_PEERS, "BOOTSTRAP_PEERS", "P2P_BOOTSTRAP_PEERS"],
    &[CACHE_DEFAULT_TTL, "CACHE_TTL"],
    &[CACHE_DIR, "IPFS_ACCELERATE_CACHE_DIR"],
    &[CACHE_LISTEN_PORT, P2P_LISTEN_PORT],
    &[GH_TOKEN, GITHUB_TOKEN],
];

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
/// [`StartError::Environment`], which names the variable, its problem and what would be right.
pub fn builder() -> Result<NodeBuilder, StartError> {
    builder_from(&|name| std::env::var_os(name))
}

/// The same with another source of variables, such as a table in a test.
///
/// ```
/// use fleet_cache::environment::{CACHE_MAX_ENTRIES, builder_from};
///
/// let refused = builder_from(&|name| (name == CACHE_MAX_ENTRIES).then(|| "many".into()));
/// assert!(refused.unwrap_err().to_string().contains("many"));
/// ```
///
/// # Errors
///
/// [`StartError::Environment`], as for [`builder`].
pub fn builder_from(variable: Variable<'_>) -> Result<NodeBuilder, StartError> {
    let read = Reader(variable);
    let mut github = GitHub::builder();
    if let Some((_name, origin)) = read.text(GITHUB_API_URL)? {
        github = github.origin(&origin);
    }
    if let Some((_name, token)) = read.text(GH_TOKEN)? {
        github = github.credential(Credential::from_token(&token).map_err(StartError::Origin)?);
    }
    let lifetime = |text: &str| parse_duration(text, Duration::ZERO..=LIFETIME_MAX);
    if let Some(lifetime) = read.value(CACHE_DEFAULT_TTL, lifetime)? {
        github = github.default_lifetime(lifetime);
    }
    let secret = match read.text(CACHE_P2P_SHARED_SECRET)? {
        Some((name, text)) => Some(
            FleetSecret::parse(&text)
                .map_err(|error| StartError::Environment { name, problem: error.to_string() })?,
        ),
        None => None,
    };
    let mut builder = Node::builder(secret, github.build().map_err(StartError::Origin)?);
    if let Some(entries_max) = read.value(CACHE_MAX_ENTRIES, count)? {
        builder = builder.budget(Budget { entries_max, ..Settings::default().budget });
    }
    if read.value(CACHE_ENABLE_P2P, truth)?.unwrap_or(true) {
        builder = read.sharing(builder)?;
    }
    let directory = read.text(CACHE_DIR)?.map(|(_name, path)| PathBuf::from(path));
    Ok(match directory.or_else(|| cache_directory(variable)) {
        Some(directory) => builder.cache_dir(directory),
        None => builder,
    })
}

/// Reads variables, by whichever of their names is set.
#[derive(Clone, Copy)]
struct Reader<'a>(Variable<'a>);

impl Reader<'_> {
    /// What is set under `name` or a weaker alias of it, and under which.
    fn text(self, name: &'static str) -> Result<Option<(&'static str, String)>, StartError> {
        let aliases = ALIASES.iter().find(|aliases| aliases[0] == name).copied();
        for name in aliases.unwrap_or(&[name]).iter().copied() {
            match text(self.0, name) {
                Ok(None) => {}
                Ok(Some(text)) => return Ok(Some((name, text))),
                Err(misspelt) => {
                    return Err(StartError::Environment { name, problem: misspelt.to_string() });
                }
            }
        }
        Ok(None)
    }

    /// The same, as `parse` reads it. Not for secrets: an error repeats the text.
    fn value<T, E: std::fmt::Display>(
        self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, StartError> {
        let Some((name, text)) = self.text(name)? else { return Ok(None) };
        let value = parse(&text).map_err(|problem| {
            let problem = format!("`{text}` {problem}");
            StartError::Environment { name, problem }
        })?;
        Ok(Some(value))
    }

    /// Lets the node share over what the variables say. Nothing is opened before it starts, nor then without a secret.
    fn sharing(self, builder: NodeBuilder) -> Result<NodeBuilder, StartError> {
        let port = self.value(CACHE_LISTEN_PORT, port)?.unwrap_or(0);
        let contacts = self.text(CACHE_BOOTSTRAP_PEERS)?.map(|(_name, text)| text).unwrap_or_default();
        let contacts = contacts.split(',').map(str::trim).filter(|contact| !contact.is_empty());
        let builder = builder.bootstrap(contacts);
        let ways = |text: &str| {
            let ways = text.split(',').map(str::trim).filter(|way| !way.is_empty());
            let ways = ways.map(|way| {
                way.parse::<Discover>().map_err(|error| format!("is no list of ways to find nodes: {error}"))
            });
            ways.collect::<Result<Vec<_>, _>>()
        };
        let ways = self.value(CACHE_DISCOVER, ways)?.unwrap_or_default();
        let builder = ways.into_iter().fold(builder, NodeBuilder::discover);
        let chosen = self.value(CACHE_TRANSPORT, |text| {
            let chosen = TRANSPORTS.iter().find(|(name, _listen)| *name == text.trim());
            chosen.ok_or_else(|| {
                let names: Vec<_> = TRANSPORTS.iter().map(|(name, _listen)| format!("`{name}`")).collect();
                format!("is not a transport of this program; it has {}", names.join(" and "))
            })
        })?;
        Ok(match chosen.or(TRANSPORTS.first()) {
            Some((_name, listen)) => listen(builder, port),
            None => builder,
        })
    }
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
