//! Where a request belongs, told by the door it came through and the host that it names.
//!
//! `gh` sends requests for every host into its unix socket, and a web page can make a browser send
//! requests for any name to this machine: what names neither the API nor this door is never sent to the API. A door
//! that serves GitHub's other hosts tells them apart; everything else is refused.

mod other_hosts;

pub(crate) use other_hosts::OtherHost;

use super::policy::{Door, DoorHosts, DoorUrls};
use crate::settings::Detour;
use cache_origin_github::OriginUrl;
use http::{HeaderValue, Method, Request, header, uri::Authority};
use other_hosts::OtherHosts;
use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

/// Which hosts lead to the API.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// The origin's authority, as Enterprise Server's clients name it.
    origin: Authority,
    /// Names of this door, in lower case.
    own: Vec<String>,
    other: OtherHosts,
}

/// Where a request belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Destination {
    /// The request is for the API.
    Api(Urls),
    /// To another host, past the cache.
    Other(OtherHost),
}

/// What to do with the URLs in the answer to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Urls {
    /// They lead back by themselves.
    Kept,
    /// They are to begin with this text, which ends in a slash.
    Rewritten(Arc<str>),
}

/// Why a request was refused. It was sent nowhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Inadmissible {
    /// It asks for a tunnel, in which nothing could be cached.
    Connect,
    /// It names another host than the one that its connection is to.
    BesideConnection {
        /// The host that the connection is to.
        only: String,
    },
    /// Its `Host` is missing, repeated, or no host.
    HostMalformed,
    /// It names a host that is neither the API nor this door.
    Misdirected {
        /// The host that the request names.
        host: String,
        /// The door that it came through.
        door: Door,
    },
}

impl Hosts {
    /// The hosts of `origin` and the names `own` of this door; `detours` are other hosts than the API.
    pub(crate) fn new(origin: &OriginUrl, own: &[String], detours: &[Detour]) -> Self {
        let other = OtherHosts::new(origin, detours);
        let origin = origin.host().parse().expect("an origin's host is an authority");
        Self { origin, own: own.to_vec(), other }
    }

    /// Tells where `request`, come through `door`, belongs.
    ///
    /// # Errors
    ///
    /// When it belongs nowhere.
    pub(crate) fn route<B>(&self, door: Door, request: &Request<B>) -> Result<Destination, Inadmissible> {
        if request.method() == Method::CONNECT {
            return Err(Inadmissible::Connect);
        }
        let named = match request.uri().authority() {
            Some(authority) => authority.clone(),
            None => host_of(request)?,
        };
        // A user part is of use only to disguise a host.
        if named.as_str().contains('@') {
            return Err(Inadmissible::HostMalformed);
        }
        let (own, path) = (self.is_own(&named), request.uri().path());
        let serves_others = door.hosts == DoorHosts::ApiAndOthers;
        let beside = || self.other.find(&named).filter(|_other| serves_others);
        if serves_others && self.other.is_beside_api(&named, path) {
            // Named twice over, as the API and as a server's pages; the path tells.
            return beside().map(Destination::Other).ok_or(Inadmissible::HostMalformed);
        }
        if self.is_api(&named) {
            return Ok(Destination::Api(Urls::Kept));
        }
        match (beside(), own, door.urls) {
            (Some(other), ..) => Ok(Destination::Other(other)),
            (None, true, DoorUrls::Kept) => Ok(Destination::Api(Urls::Kept)),
            (None, true, DoorUrls::Rewritten { scheme }) => {
                Ok(Destination::Api(Urls::Rewritten(target(scheme, &named, path))))
            }
            (None, false, _) => Err(Inadmissible::Misdirected { host: named.as_str().to_owned(), door }),
        }
    }

    /// Checks that `request`, come through `door`, is for the origin itself: by the origin's own name or the door's, and not by
    /// that of GitHub's API, for which an origin by the rules of HTTP does not stand.
    ///
    /// # Errors
    ///
    /// When it is for another host.
    pub(crate) fn admit_plainly<B>(&self, door: Door, request: &Request<B>) -> Result<(), Inadmissible> {
        let named = match request.uri().authority() {
            Some(authority) => authority.clone(),
            None => host_of(request)?,
        };
        if named.as_str().contains('@') {
            return Err(Inadmissible::HostMalformed);
        }
        if self.is_own(&named) || self.is_origin(&named) {
            Ok(())
        } else {
            Err(Inadmissible::Misdirected { host: named.as_str().to_owned(), door })
        }
    }

    /// Whether `request` names this door.
    pub(crate) fn is_own_named<B>(&self, request: &Request<B>) -> bool {
        match request.uri().authority() {
            Some(named) => self.is_own(named),
            None => host_of(request).is_ok_and(|named| self.is_own(&named)),
        }
    }

    /// Whether `request` names this door, or nothing at all, as probes that speak HTTP/1.0 do and browsers never.
    pub(crate) fn is_own_or_unnamed<B>(&self, request: &Request<B>) -> bool {
        let is_unnamed = request.uri().authority().is_none() && !request.headers().contains_key(header::HOST);
        is_unnamed || self.is_own_named(request)
    }

    /// Whether the origin is GitHub.com's API, or a mirror of that. A credential for the one is nothing for another server.
    pub(crate) fn is_of_public_api(&self) -> bool {
        self.other.is_public()
    }

    /// Whether requests for `named` that come out of intercepted TLS have a place to go.
    pub(crate) fn serves(&self, named: &Authority) -> bool {
        self.is_api(named) || self.other.find(named).is_some()
    }

    /// Whether clients that name this host think that they talk to the API itself.
    fn is_api(&self, named: &Authority) -> bool {
        let is = |host: &str| named.host().eq_ignore_ascii_case(host);
        has_usual_port(named) && (is("api.github.com") || is("api.github.localhost")) || self.is_origin(named)
    }

    /// Whether `named` is the origin's own name.
    fn is_origin(&self, named: &Authority) -> bool {
        let is_its_port = named.port_u16() == self.origin.port_u16();
        let is_port = is_its_port || has_usual_port(named) && has_usual_port(&self.origin);
        named.host().eq_ignore_ascii_case(self.origin.host()) && is_port
    }

    /// Whether this host is a name of this door that no stranger can make a browser resolve to it.
    fn is_own(&self, named: &Authority) -> bool {
        let host = named.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let lower = host.to_ascii_lowercase();
        lower == "localhost"
            || lower.ends_with(".localhost")
            || bare.parse::<Ipv4Addr>().is_ok()
            || bare.parse::<Ipv6Addr>().is_ok()
            || self.own.contains(&lower)
    }
}

/// Checks that `request` names the host `only`, in lower case and without brackets, wherever it names one: what one name let
/// in is not meant for another's pages.
///
/// # Errors
///
/// When it names another, or none.
pub(super) fn names_only<B>(only: &str, request: &Request<B>) -> Result<(), Inadmissible> {
    let is_it = |named: &Authority| named.host().trim_matches(['[', ']']).eq_ignore_ascii_case(only);
    let target = request.uri().authority();
    if is_it(&host_of(request)?) && target.is_none_or(is_it) {
        Ok(())
    } else {
        Err(Inadmissible::BesideConnection { only: only.to_owned() })
    }
}

/// Whether clients leave the port out, or could.
fn has_usual_port(authority: &Authority) -> bool {
    matches!(authority.port_u16(), None | Some(80 | 443))
}

fn host_of<B>(request: &Request<B>) -> Result<Authority, Inadmissible> {
    let mut values = request.headers().get_all(header::HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Inadmissible::HostMalformed);
    };
    authority(value).ok_or(Inadmissible::HostMalformed)
}

/// Parses a `Host`; what passes may be written into JSON and headers as it is.
fn authority(value: &HeaderValue) -> Option<Authority> {
    let authority: Authority = value.to_str().ok()?.parse().ok()?;
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let port_is_number = authority.as_str() == authority.host() || authority.port_u16().is_some();
    let usable = !authority.host().is_empty() && port_is_number && authority.as_str().bytes().all(safe);
    usable.then_some(authority)
}

/// How the URLs of a client begin that came by `named`: with Enterprise Server's prefix if it used that.
fn target(scheme: &str, named: &Authority, path: &str) -> Arc<str> {
    let prefix = if path == "/api/v3" || path.starts_with("/api/v3/") { "/api/v3/" } else { "/" };
    format!("{scheme}://{named}{prefix}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(&OriginUrl::github(), &["cache.internal".to_owned()], &[])
    }

    fn request(target: &str, host: &str) -> Request<()> {
        Request::builder().uri(target).header(header::HOST, host).body(()).unwrap()
    }

    fn routed(door: Door, target: &str, host: &str) -> Result<Urls, Inadmissible> {
        api(hosts().route(door, &request(target, host)))
    }

    fn api(destination: Result<Destination, Inadmissible>) -> Result<Urls, Inadmissible> {
        destination.map(|destination| match destination {
            Destination::Api(urls) => urls,
            Destination::Other(other) => panic!("it goes to {other:?}"),
        })
    }

    fn rewritten(to: &str) -> Result<Urls, Inadmissible> {
        Ok(Urls::Rewritten(to.into()))
    }

    #[test]
    fn a_client_that_names_the_api_keeps_its_urls() {
        for host in ["api.github.com", "API.GitHub.com:443", "api.github.com:80", "api.github.localhost"] {
            for door in [Door::TCP, Door::UNIX] {
                assert_eq!(routed(door, "/user", host), Ok(Urls::Kept), "{host}");
            }
        }
    }

    #[test]
    fn a_client_that_names_this_door_gets_urls_to_it() {
        for host in ["127.0.0.1:8484", "localhost:8484", "[::1]:8484", "gh.localhost", "cache.internal:80"] {
            assert_eq!(routed(Door::TCP, "/user", host), rewritten(&format!("http://{host}/")));
        }
    }

    #[test]
    fn a_client_that_uses_the_enterprise_prefix_gets_it_back() {
        let routed = routed(Door::TCP, "/api/v3/user", "localhost:1");
        assert_eq!(routed, rewritten("http://localhost:1/api/v3/"));
    }

    #[test]
    fn an_absolute_target_outweighs_the_host_field() {
        let absolute = routed(Door::TCP, "http://api.github.com:80/user", "127.0.0.1:8484");
        assert_eq!(absolute, Ok(Urls::Kept));
        let elsewhere = routed(Door::TCP, "http://example.com/", "api.github.com");
        assert!(matches!(elsewhere, Err(Inadmissible::Misdirected { .. })));
    }

    #[test]
    fn on_the_unix_socket_nothing_is_rewritten_and_only_githubs_other_hosts_are_served() {
        assert_eq!(routed(Door::UNIX, "/user", "localhost"), Ok(Urls::Kept));
        for host in ["github.com", "uploads.github.com", "results-receiver.actions.githubusercontent.com"] {
            let found = hosts().route(Door::UNIX, &request("/x", host));
            assert!(matches!(found, Ok(Destination::Other(other)) if other.name == host), "{host}");
            let refusal = Inadmissible::Misdirected { host: host.to_owned(), door: Door::TCP };
            assert_eq!(routed(Door::TCP, "/x", host), Err(refusal));
        }
        let refusal = Inadmissible::Misdirected { host: "evil.example".to_owned(), door: Door::UNIX };
        assert_eq!(routed(Door::UNIX, "/x", "evil.example"), Err(refusal));
    }

    #[test]
    fn which_hosts_a_door_serves_and_where_its_urls_lead_are_told_apart() {
        let encrypted = Door { urls: DoorUrls::Rewritten { scheme: "https" }, ..Door::TCP };
        assert_eq!(routed(encrypted, "/user", "localhost:8443"), rewritten("https://localhost:8443/"));
        let told_its_address = Door { urls: Door::TCP.urls, ..Door::UNIX };
        assert_eq!(routed(told_its_address, "/user", "localhost"), rewritten("http://localhost/"));
        let for_everything = Door { hosts: DoorHosts::ApiAndOthers, ..Door::TCP };
        let found = hosts().route(for_everything, &request("/x", "uploads.github.com"));
        assert!(matches!(found, Ok(Destination::Other(_))), "{found:?}");
    }

    #[test]
    fn an_enterprise_servers_pages_lie_beside_its_api() {
        let hosts = Hosts::new(&"https://ghe.corp/api/v3".parse().unwrap(), &[], &[]);
        for (path, door, goes) in [
            ("/api/v3/user", Door::UNIX, "api"),
            ("/api/graphql", Door::UNIX, "api"),
            ("/api/uploads/x", Door::UNIX, "api"),
            ("/login/device/code", Door::UNIX, "other"),
            ("/o/r/archive/main.zip", Door::UNIX, "other"),
            ("/user", Door::TCP, "api"),
        ] {
            let routed = hosts.route(door, &request(path, "ghe.corp")).unwrap();
            let told = if matches!(routed, Destination::Api(_)) { "api" } else { "other" };
            assert_eq!(told, goes, "{path}");
        }
    }

    #[test]
    fn a_name_that_a_stranger_may_have_made_point_here_is_refused() {
        for host in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "api.github.com:8484"]
        {
            let refused = routed(Door::TCP, "/user", host);
            assert!(matches!(refused, Err(Inadmissible::Misdirected { .. })), "{host}");
        }
    }

    #[test]
    fn an_enterprise_host_is_the_api_too() {
        for (origin, host) in [
            ("https://ghe.corp/api/v3", "ghe.corp"),
            ("https://ghe.corp/api/v3", "ghe.corp:443"),
            ("https://ghe.corp:8443/api/v3", "ghe.corp:8443"),
        ] {
            let hosts = Hosts::new(&origin.parse().unwrap(), &[], &[]);
            let routed = api(hosts.route(Door::UNIX, &request("/api/v3/user", host)));
            assert_eq!(routed, Ok(Urls::Kept), "{host}");
        }
    }

    #[test]
    fn a_loopback_origin_is_told_from_this_door_by_its_port() {
        let hosts = Hosts::new(&"http://127.0.0.1:9999".parse().unwrap(), &[], &[]);
        let route = |host| api(hosts.route(Door::TCP, &request("/user", host)));
        assert_eq!(route("127.0.0.1:9999"), Ok(Urls::Kept));
        assert_eq!(route("127.0.0.1:8484"), rewritten("http://127.0.0.1:8484/"));
        assert_eq!(route("127.0.0.1"), rewritten("http://127.0.0.1/"));
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        for host in ["", "a b", "u@localhost", "x\"y", "a,b", "localhost:x"] {
            assert_eq!(routed(Door::TCP, "/user", host), Err(Inadmissible::HostMalformed), "{host}");
        }
        let bare = Request::builder().uri("/user").body(()).unwrap();
        assert_eq!(hosts().route(Door::TCP, &bare), Err(Inadmissible::HostMalformed));
        let mut twice = request("/user", "localhost");
        twice.headers_mut().append(header::HOST, HeaderValue::from_static("evil.example"));
        assert_eq!(hosts().route(Door::TCP, &twice), Err(Inadmissible::HostMalformed));
    }

    #[test]
    fn a_tunnel_is_refused() {
        let request = Request::builder().method(Method::CONNECT).uri("api.github.com:443").body(()).unwrap();
        assert_eq!(hosts().route(Door::TCP, &request), Err(Inadmissible::Connect));
    }
}
