//! Whether the API that is to be cached is this daemon itself.
//!
//! `GITHUB_API_URL` tells clients where the daemon is, and tells the daemon where the API is: set for both, each request
//! would come back to where it came from.

use crate::{exit::CommandError, settings::Settings};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Refuses settings by which calls for the origin, or the proxy on the way there, lead to one of `doors`.
///
/// A name that cannot be looked up, or not in time, is let pass: whether it can is the first call's business.
///
/// # Errors
///
/// [`CommandError::Usage`], which says what to set instead.
pub(crate) async fn refuse(settings: &Settings, doors: &[SocketAddr]) -> Result<(), CommandError> {
    let Settings { origin, origin_source, proxy, .. } = settings;
    if let Some(door) = door_at(origin.name(), origin.port(), doors).await {
        let text = format!(
            "origin {origin} ({origin_source}) is this daemon's own address, {door}: every request would come back to \
             it; give the API itself with --origin https://api.github.com, and set GITHUB_API_URL for clients alone"
        );
        return Err(CommandError::Usage(text.into()));
    }
    if let Some(proxy) = proxy
        && let Some(door) = door_at(proxy.host(), proxy.port(), doors).await
    {
        let text = format!(
            "proxy {}:{} ({}) is this daemon's own address, {door}: every call would come back to it; give --proxy none, \
             and set HTTPS_PROXY for clients alone",
            proxy.host(),
            proxy.port(),
            settings.proxy_source
        );
        return Err(CommandError::Usage(text.into()));
    }
    Ok(())
}

/// The one of `doors` that is reached at `host` and `port`.
async fn door_at(host: &str, port: u16, doors: &[SocketAddr]) -> Option<SocketAddr> {
    let name = host.trim_matches(['[', ']']);
    let found = tokio::time::timeout(LOOK_UP_TIME, tokio::net::lookup_host((name, port))).await;
    let leads_to: Vec<SocketAddr> = found.ok()?.ok()?.collect();
    let own = own_addresses();
    doors.iter().find(|door| leads_to.iter().any(|address| is_at(**door, *address, &own))).copied()
}

/// Whether `address` leads to the program that listens on `door`, where `own` are the addresses of this machine.
fn is_at(door: SocketAddr, address: SocketAddr, own: &BTreeSet<IpAddr>) -> bool {
    let (at, to) = (door.ip().to_canonical(), address.ip().to_canonical());
    let is_own = to.is_loopback() || to.is_unspecified() || own.contains(&to);
    door.port() == address.port() && (at == to || at.is_unspecified() && is_own || to.is_unspecified())
}

fn own_addresses() -> BTreeSet<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(|interface| interface.ip().to_canonical()).collect()
}

/// Longest wait for the address of the origin's name. The start waits for it, and a resolver that is down need not keep
/// a daemon from serving what it has.
const LOOK_UP_TIME: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use cache_origin_github::OriginUrl;

    async fn is_refused(origin: &str, door: &str) -> bool {
        let origin: OriginUrl = origin.parse().unwrap();
        door_at(origin.name(), origin.port(), &[door.parse().unwrap()]).await.is_some()
    }

    #[tokio::test]
    async fn every_way_to_write_an_own_address_is_refused() {
        for (origin, door) in [
            ("http://127.0.0.1:8484", "127.0.0.1:8484"),
            ("http://localhost:8484/api/v3", "127.0.0.1:8484"),
            ("http://0.0.0.0:8484", "127.0.0.1:8484"),
            ("http://127.0.0.1:8484", "0.0.0.0:8484"),
            ("http://127.3.2.1:8484", "0.0.0.0:8484"),
            ("http://[::1]:8484", "[::]:8484"),
            ("http://[::ffff:127.0.0.1]:8484", "127.0.0.1:8484"),
            ("http://127.0.0.1", "127.0.0.1:80"),
            ("https://127.0.0.1", "127.0.0.1:443"),
        ] {
            assert!(is_refused(origin, door).await, "{origin} at {door}");
        }
    }

    #[tokio::test]
    async fn another_port_another_address_and_an_unknown_name_are_let_pass() {
        for (origin, door) in [
            ("http://127.0.0.1:8485", "127.0.0.1:8484"),
            ("http://127.0.0.2:8484", "127.0.0.1:8484"),
            ("http://192.0.2.1:8484", "0.0.0.0:8484"),
            ("http://no-such-name.invalid:8484", "127.0.0.1:8484"),
        ] {
            assert!(!is_refused(origin, door).await, "{origin} at {door}");
        }
    }
}
