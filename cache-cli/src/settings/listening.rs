//! Where the daemon listens for what is not another node: each address apart from the others, and open to other machines on
//! purpose alone.

use super::{CLIENT_TOKEN_BYTES_MIN, Problem, Reader, Settings, definition, value};
use std::net::{IpAddr, SocketAddr};

impl Reader<'_> {
    /// The address that the setting `name` gives, if it gives one.
    pub(super) fn listen(&mut self, name: &'static str) -> Option<Option<SocketAddr>> {
        self.one(name, |text| listen(name, text))
    }

    /// Whether addresses that other machines reach are permitted. A value that says neither does not permit them.
    pub(super) fn is_remote_allowed(&self) -> bool {
        let given = self.given.value(definition("allow-remote"));
        let text = given.as_ref().and_then(|given| given.texts.last());
        text.is_some_and(|text| value::truth(text) == Ok(true))
    }

    /// Checks all the addresses on which the daemon is to listen.
    pub(super) fn check_listening(&mut self, settings: &Settings) {
        self.one("allow-remote", value::truth);
        self.check_remote(settings);
        self.check_remote_counts("metrics-listen", settings.metrics_listen);
        self.check_remote_counts("dashboard", settings.dashboard);
        self.check_apart(settings);
    }

    /// The system would refuse the second of two that are the same, and not say that this daemon has the first.
    fn check_apart(&mut self, settings: &Settings) {
        let webhook = settings.webhook.as_ref().map(|webhook| webhook.listen);
        let given = [settings.listen, settings.metrics_listen, webhook, settings.dashboard];
        let given = EXAMPLES.iter().zip(given).filter_map(|((name, _), address)| Some((*name, address?)));
        let given: Vec<_> = given.collect();
        for (at, (name, address)) in given.iter().enumerate() {
            let before = given[..at].iter().find(|(_, before)| is_taken(*address, *before));
            if let Some((before, _)) = before {
                let source = self.source(before);
                let problem = format!(
                    "is what {before} ({source}) has too, and two cannot listen on one port; give each a port of its own, \
                     such as --{name} {}",
                    another(name, &given)
                );
                self.refuse(name, &problem);
            }
        }
    }

    /// A door that other machines reach hands out private answers and spends quota, so it takes two deliberate steps
    /// to open one.
    fn check_remote(&mut self, settings: &Settings) {
        let Some(address) = settings.listen.filter(|address| !address.ip().is_loopback()) else {
            return;
        };
        let weak =
            settings.client_token.as_ref().filter(|token| token.expose().len() < CLIENT_TOKEN_BYTES_MIN);
        if weak.is_some() {
            let named = ["client-token", "client-token-file"]
                .into_iter()
                .find(|name| self.given.value(definition(name)).is_some());
            let problem = format!(
                "is shorter than {CLIENT_TOKEN_BYTES_MIN} characters, which other machines could guess; \
                 `fleet-cache secret generate` makes one that they cannot"
            );
            self.refuse(named.unwrap_or("client-token"), &problem);
        }
        if !self.is_remote_allowed() || settings.client_token.is_none() {
            self.refuse(
                "listen",
                &format!(
                    "is reached by other machines, and an open proxy would let them use this cache; \
                     listen on 127.0.0.1:{}, or give both --allow-remote and --client-token-file FILE",
                    address.port()
                ),
            );
        }
    }

    /// Counts and names of domains are no secrets, and neither Prometheus nor a browser presents a client token, so one
    /// deliberate step is enough here.
    fn check_remote_counts(&mut self, name: &'static str, address: Option<SocketAddr>) {
        let Some(address) = address.filter(|address| !address.ip().is_loopback()) else {
            return;
        };
        if !self.is_remote_allowed() {
            let port = address.port();
            let problem = format!(
                "is reached by other machines, which would see how this cache is used; \
                 give 127.0.0.1:{port}, or --allow-remote as well"
            );
            self.refuse(name, &problem);
        } else if name == "dashboard" {
            self.warnings.push(format!(
                "dashboard {address} shows, in clear and to everyone that reaches it, which clients use this cache, the \
                 addresses of members and how quotas stand; `ssh -L` to a loopback address shows it to fewer"
            ));
        }
    }
}

/// Takes `127.0.0.1:8484`, `[::1]:8484`, `localhost:8484`, a port alone, or `none`.
fn listen(name: &str, text: &str) -> Result<Option<SocketAddr>, Problem> {
    if text == "none" {
        return Ok(None);
    }
    let loopback = |port: &str| port.parse().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    text.parse()
        .or_else(|_error| loopback(text.strip_prefix("localhost:").unwrap_or(text)))
        .map(Some)
        .map_err(|_error| {
            format!("is not an address and port; write for example `127.0.0.1:{}`", example(name))
        })
}

/// Whether what listens on `other` leaves no room for `address`. Port 0 is whichever is free.
fn is_taken(address: SocketAddr, other: SocketAddr) -> bool {
    let (ip, there) = (address.ip(), other.ip());
    // What listens on all of IPv6 has IPv4 as well, where the system is set up as usual.
    let covers = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    address.port() != 0
        && address.port() == other.port()
        && (ip == there || covers(ip, there) || covers(there, ip))
}

/// An address for the setting `name` with a port that none of those `given` has.
fn another(name: &str, given: &[(&str, SocketAddr)]) -> SocketAddr {
    let is_free = |port: &u16| given.iter().all(|(_, address)| address.port() != *port);
    let usual = example(name);
    let port = (usual..=u16::MAX).find(is_free).unwrap_or(usual);
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn example(name: &str) -> u16 {
    EXAMPLES.iter().find(|(known, _)| *known == name).map_or(0, |(_, port)| *port)
}

/// The settings that name an address, and the port that its users are shown.
const EXAMPLES: [(&str, u16); 4] =
    [("listen", 8484), ("metrics-listen", 8485), ("webhook-listen", 8487), ("dashboard", 8486)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_or_localhost_means_this_machine() {
        let here = Some("127.0.0.1:80".parse().unwrap());
        for text in ["80", "localhost:80", "127.0.0.1:80"] {
            assert_eq!(listen("listen", text), Ok(here), "{text}");
        }
        assert_eq!(listen("listen", "none"), Ok(None));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_port_that_is_usual_there() {
        for (name, port) in EXAMPLES {
            let refused = listen(name, "nowhere").unwrap_err();
            assert!(refused.contains(&format!("`127.0.0.1:{port}`")), "{refused}");
        }
    }

    #[test]
    fn a_port_is_taken_where_both_would_listen_on_it() {
        let is_taken = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| text.parse().unwrap());
            assert_eq!(is_taken(one, other), is_taken(other, one));
            is_taken(one, other)
        };
        for (one, other) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("127.0.0.1:1", "0.0.0.0:1"),
            ("[::]:1", "127.0.0.1:1"),
            ("[::]:1", "0.0.0.0:1"),
            ("[::]:1", "[::1]:1"),
        ] {
            assert!(is_taken(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("127.0.0.1:1", "127.0.0.1:2"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("127.0.0.1:1", "[::1]:1"),
            ("0.0.0.0:1", "[::1]:1"),
        ] {
            assert!(!is_taken(one, other), "{one} {other}");
        }
    }
}
