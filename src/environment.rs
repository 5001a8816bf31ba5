//! The environment variables that a node is set up from, and what they mean.

use crate::{Node, NodeBuilder, StartError};
use cache_core::{Settings, port::Budget};
use cache_crypto::FleetSecret;
use cache_origin_github::{Credential, GitHub};
use std::{path::PathBuf, time::Duration};

/// Directory for entries on disk. Default: the platform's cache directory.
pub const CACHE_DIR: &str = "CACHE_DIR";
/// Lifetime of what no route class says otherwise, in seconds. Default: 300.
pub const CACHE_DEFAULT_TTL: &str = "CACHE_DEFAULT_TTL";
/// Most entries in memory. Default: 1000.
pub const CACHE_MAX_ENTRIES: &str = "CACHE_MAX_ENTRIES";
/// The fleet's secret. It also seals what is on disk; without it the directory has a key of its own.
pub const CACHE_P2P_SHARED_SECRET: &str = "CACHE_P2P_SHARED_SECRET";
/// The credential for [`Node::get`]. Looked up before [`GITHUB_TOKEN`].
pub const GH_TOKEN: &str = "GH_TOKEN";
/// The credential for [`Node::get`].
pub const GITHUB_TOKEN: &str = "GITHUB_TOKEN";
/// The origin's base address. Default: `https://api.github.com`.
pub const GITHUB_API_URL: &str = "GITHUB_API_URL";

/// A builder set up from the environment, as [`global`](crate::global) uses it.
///
/// # Errors
///
/// [`StartError::Environment`] naming the variable, its problem and what would be right.
pub fn builder() -> Result<NodeBuilder, StartError> {
    builder_from(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The same with another source of variables, such as a table in a test.
///
/// # Errors
///
/// [`StartError::Environment`], as for [`builder`].
pub fn builder_from(variable: &dyn Fn(&str) -> Option<String>) -> Result<NodeBuilder, StartError> {
    let mut github = GitHub::builder();
    if let Some(origin) = variable(GITHUB_API_URL) {
        github = github.origin(&origin).map_err(StartError::Origin)?;
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
