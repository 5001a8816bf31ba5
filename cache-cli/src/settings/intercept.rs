//! What a door intercepts, and where its tunnels may lead.

use super::{Problem, Reader, Settings, value};
use http::uri::Authority;

/// What a door that is a proxy does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct InterceptSettings {
    /// The hosts besides the API whose TLS ends here, in lower case.
    pub(crate) hosts: Vec<String>,
    /// The ports to which tunnels may lead.
    pub(crate) tunnel_ports: Vec<u16>,
    /// Whether tunnels may lead to addresses that are not the public internet's.
    pub(crate) tunnel_private: bool,
}

impl Reader<'_> {
    /// What the door intercepts; `None` if it does not.
    pub(super) fn intercept(&mut self) -> Option<InterceptSettings> {
        let is_on = self.one("intercept", value::truth).unwrap_or_default();
        let hosts = self.many("intercept-host", host);
        let mut tunnel_ports = vec![443];
        tunnel_ports.extend(self.many("tunnel-port", port));
        tunnel_ports.dedup();
        let tunnel_private = self.one("tunnel-private", value::truth).unwrap_or_default();
        if is_on {
            return Some(InterceptSettings { hosts, tunnel_ports, tunnel_private });
        }
        let beside = [
            ("intercept-host", !hosts.is_empty()),
            ("tunnel-port", tunnel_ports.len() > 1),
            ("tunnel-private", tunnel_private),
        ];
        for (name, _given) in beside.into_iter().filter(|(_name, given)| *given) {
            self.refuse(name, "says nothing without interception; give --intercept as well");
        }
        None
    }

    /// Checks that there is a door to intercept on, and warns of what weakens it.
    pub(super) fn check_intercept(&mut self, settings: &Settings) {
        let Some(intercept) = &settings.intercept else { return };
        if settings.listen.is_none() {
            let problem =
                "needs a port for clients to take for a proxy; give --listen 127.0.0.1:8484 as well";
            self.refuse("intercept", problem);
        }
        if intercept.tunnel_private {
            let source = self.source("tunnel-private");
            self.warnings.push(format!(
                "tunnel-private ({source}) lets every client of the port reach what this machine reaches: its own services, \
                 its networks, and its cloud's metadata with credentials; NO_PROXY at the clients spares that"
            ));
        }
    }
}

fn host(text: &str) -> Result<String, Problem> {
    let remedy = "is not the name of a host; write for example `raw.githubusercontent.com`";
    let authority: Authority = text.trim().parse().map_err(|_error| remedy)?;
    let is_name = authority.port().is_none() && !authority.as_str().contains(['@', '*', '[']);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if !is_name || authority.host().is_empty() || !authority.host().bytes().all(is_plain) {
        return Err(remedy.to_owned());
    }
    if authority.host().split('.').any(str::is_empty) {
        return Err(remedy.to_owned());
    }
    Ok(authority.host().to_ascii_lowercase())
}

fn port(text: &str) -> Result<u16, Problem> {
    match text.parse() {
        Ok(0) | Err(_) => Err("is not a port; write a number from 1 to 65535".to_owned()),
        Ok(25 | 465 | 587) => {
            Err("is a port of mail servers, to which a proxy is an open relay; leave it out".to_owned())
        }
        Ok(port) => Ok(port),
    }
}
