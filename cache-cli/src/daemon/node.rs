//! The daemon's node, as its settings describe it.

use super::joining::take_part;
use crate::{
    exit::CommandError,
    settings::{Limits, Profile, Settings},
};
use cache_origin_github::{ConfigError, Timeouts};
use fleet_cache::{
    Budget, GitHub, GitHubBuilder, Node, OpenError, StartError, WriteBehindSettings,
    github::Rules,
    http_cache::{HttpCache, Policy},
};

/// Starts the node that `settings` describe.
///
/// # Errors
///
/// [`CommandError::Usage`] where they do not fit the machine; else when a part of the node cannot be had.
pub(super) async fn start(settings: &Settings) -> Result<Node, CommandError> {
    let budget = |limits: Limits| Budget { entries_max: limits.entries_max, bytes_max: limits.bytes_max };
    let secret = settings.fleet.secret.found().map(|found| found.secret.clone());
    let write_behind =
        WriteBehindSettings { durability: settings.durability, ..WriteBehindSettings::default() };
    take_part(Node::builder(secret, github(settings)?), &settings.fleet)?
        .cache_dir(&settings.cache_dir)
        .budget(budget(settings.memory))
        .disk_budget(budget(settings.disk))
        .write_behind(write_behind)
        .settings(fleet_cache::Settings {
            reserves: settings.reserves,
            writes: settings.write_pace,
            ..fleet_cache::Settings::default()
        })
        .start()
        .await
        .map_err(|error| match error {
            StartError::Environment { .. } | StartError::Origin(_) => CommandError::Usage(error.into()),
            StartError::Open(OpenError::InUse { .. }) => CommandError::InUse(error.into()),
            other => CommandError::failed("cannot start the node", other),
        })
}

/// How the node reaches the API that `settings` name.
///
/// # Errors
///
/// [`CommandError::Usage`], saying what does not fit.
pub(super) fn github(settings: &Settings) -> Result<GitHub, CommandError> {
    github_builder(settings).and_then(GitHubBuilder::build).map_err(|error| unfit(error, settings))
}

/// The rules by which requests are judged, for a node that runs.
///
/// # Errors
///
/// [`CommandError::Usage`], saying what does not fit.
pub(super) fn rules(settings: &Settings) -> Result<Rules, CommandError> {
    github_builder(settings).and_then(GitHubBuilder::rules).map_err(|error| unfit(error, settings))
}

/// What answers by the rules of HTTP alone, if `settings` want that.
pub(super) fn http_cache(settings: &Settings, node: &Node) -> Option<HttpCache> {
    match settings.profile {
        Profile::Github => None,
        Profile::Rfc9111 => {
            let policy = Policy { while_unreachable: settings.if_error };
            let cache = HttpCache::new(node.clone(), settings.origin.clone(), policy);
            Some(cache.body_bytes_max(settings.body_bytes_max))
        }
    }
}

/// The fault of settings that the adapter has found, with where that stands which no reader of settings could see.
fn unfit(error: ConfigError, settings: &Settings) -> CommandError {
    match error {
        ConfigError::Certificates { path, problem } => {
            let source = &settings.certificates_source;
            let remedy = "name a file of certificates in PEM that the daemon's user may read";
            CommandError::Usage(
                format!("ca-file {path:?} ({source}) cannot be used: {problem}; {remedy}").into(),
            )
        }
        other => CommandError::Usage(other.into()),
    }
}

fn github_builder(settings: &Settings) -> Result<GitHubBuilder, ConfigError> {
    let mut github = GitHub::builder()
        .origin(&settings.origin.to_string())
        .default_lifetime(settings.default_lifetime)
        .if_error(settings.if_error)
        .max_stale(settings.max_stale)
        .while_revalidating(settings.while_revalidating)
        .settle(settings.settle)
        .body_bytes_max(settings.body_bytes_max)
        .respect_origin_max_age(settings.respect_max_age)
        .pretty_print(settings.pretty_print)
        .graphql(!settings.no_graphql)
        .proxy(settings.proxy.clone())
        .anonymous_as(settings.anonymous_as.clone())
        .pseudonym(&pseudonym())
        .timeouts(Timeouts {
            head: settings.origin_timeout,
            body_idle: settings.origin_timeout,
            ..Timeouts::default()
        });
    if let Some(path) = &settings.certificates {
        github = github.certificates(path);
    }
    // The first rule that fits counts: one for a route is meant for it, whatever is pushed.
    for rule in settings.routes.iter().chain(&settings.pushed) {
        github = github.route(rule);
    }
    for rule in &settings.graphql_rules {
        github = github.graphql_rule(*rule);
    }
    for rule in &settings.priorities {
        github = github.priority_rule(rule.clone());
    }
    for name in &settings.forwarded_headers {
        github = github.forward_header(name);
    }
    for domain in &settings.domains {
        let (name, members) = (&domain.name, domain.members.iter().map(String::as_str));
        github = if domain.is_trusted {
            github.trusted_domain(name, members)
        } else {
            github.named_domain(name, members)
        };
    }
    Ok(github)
}

/// A name for `Via` that does not tell which machine this is, and that a daemon that starts again does not share.
fn pseudonym() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("fleet-cache-{:016x}", RandomState::new().hash_one(std::process::id()))
}
