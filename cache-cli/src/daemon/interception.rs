//! Opens what the TCP door needs to be a proxy: the certificate authority, for the hosts that it is to answer for.

use crate::{
    ca::{CaFiles, Found, HostNames, Leaves, time_of_day},
    door::{Hosts, Interception, TunnelRules},
    exit::CommandError,
    settings::{InterceptSettings, Settings},
};
use http::uri::Authority;
use std::sync::Arc;
use tracing::{info, warn};

/// The hosts whose TLS the daemon of `settings` ends: the API by the origin's name, and by its public name if it is that API;
/// and those that are named.
///
/// # Errors
///
/// When a host is named to which no request could go.
pub(crate) fn hosts(settings: &Settings, intercept: &InterceptSettings) -> Result<HostNames, CommandError> {
    let served = Hosts::new(&settings.origin, &settings.hosts, &settings.detours);
    for host in &intercept.hosts {
        let is_served = host.parse().is_ok_and(|host: Authority| served.serves(&host));
        let is_served = is_served && (host != PUBLIC_API || served.is_of_public_api());
        if !is_served {
            let text = format!(
                "intercept-host {host:?} is neither the API nor one of GitHub's other hosts, so its requests could go nowhere; \
                 leave it out, and its connections are tunnelled, or say where it is by --upstream {host}=https://{host}"
            );
            return Err(CommandError::Usage(text.into()));
        }
    }
    let origin = settings.origin.name().trim_matches(['[', ']']).to_ascii_lowercase();
    let public = served.is_of_public_api().then(|| PUBLIC_API.to_owned());
    Ok(intercept.hosts.iter().cloned().chain(public).chain([origin]).collect())
}

/// The name of GitHub.com's API.
const PUBLIC_API: &str = "api.github.com";

/// Opens it, if the settings say so.
///
/// # Errors
///
/// When a host does not fit, or the certificate authority cannot be read or made.
pub(super) fn open(settings: &Settings) -> Result<Option<Arc<Interception>>, CommandError> {
    let Some(intercept) = &settings.intercept else { return Ok(None) };
    let hosts = hosts(settings, intercept)?;
    let files = CaFiles::of(&settings.cache_dir);
    let opened = files.open(&hosts, time_of_day());
    let (authority, found) = opened.map_err(|error| CommandError::failed("cannot intercept", error))?;
    let path = files.certificate();
    let named = authority.facts().hosts().join(", ");
    match found {
        Found::Usable => {}
        Found::Nothing => info!(certificate = %path.display(), hosts = named, "made a certificate authority"),
        Found::Outdated => warn!(
            certificate = %path.display(),
            hosts = named,
            "made a new certificate authority: clients that were given the last one have to be given this one"
        ),
    }
    let tunnels = TunnelRules {
        ports: intercept.tunnel_ports.clone(),
        private: intercept.tunnel_private,
        proxy: settings.proxy.clone(),
        count_max: settings.connections_max.div_ceil(2),
    };
    Ok(Some(Arc::new(Interception::new(Leaves::of(authority), tunnels))))
}
