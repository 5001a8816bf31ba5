//! The way to the origin through a proxy of the operator's network.
//!
//! Each connection is a tunnel that the proxy opens on `CONNECT` (RFC 9110, section 9.3.6), so that it sees the host
//! that is called and, over TLS, nothing else.

use crate::ConfigError;
use http::Uri;
use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use std::{
    error::Error,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::net::TcpStream;
use tower_service::Service;

/// A proxy through which the origin is reached.
///
/// ```
/// # use cache_origin_github::{Proxy, ProxyScope};
/// let proxy = Proxy::new("http://user:password@proxy.example:3128", ProxyScope::Https, "localhost,10.0.0.0/8")?;
/// assert_eq!(format!("{proxy:?}"), "Proxy { address: \"proxy.example:3128\", .. }");
/// assert!(Proxy::new("socks5://proxy.example:1080", ProxyScope::All, "").is_err());
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    matcher: Arc<Matcher>,
    host: Box<str>,
    port: u16,
}

/// Which origins are reached through a [`Proxy`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProxyScope {
    /// Every origin, however it is written.
    All,
    /// Those whose address begins with `https://`, as the variable `HTTPS_PROXY` means it.
    Https,
}

impl Proxy {
    /// The proxy at `url`, such as `http://proxy.example:3128`, with a user name and password where it wants them.
    ///
    /// Hosts that `except` names are reached without it: names, which stand for what lies below them as well,
    /// addresses, networks such as `10.0.0.0/8`, or `*`, with commas between them.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Proxy`] for what is not an address of a proxy that can be asked over plain TCP. The text is not
    /// repeated, since it may hold a password.
    pub fn new(url: &str, scope: ProxyScope, except: &str) -> Result<Self, ConfigError> {
        let text = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = text.parse().map_err(|_malformed| ConfigError::Proxy("it is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(ConfigError::Proxy("only proxies that are reached by http:// are supported"));
        }
        let host =
            uri.host().filter(|host| !host.is_empty()).ok_or(ConfigError::Proxy("it names no host"))?;
        // The matcher does not take `*` to stand for addresses.
        let excepts_all = except.split(',').any(|host| host.trim() == "*");
        let matcher = match scope {
            _ if excepts_all => Matcher::builder(),
            ProxyScope::All => Matcher::builder().all(text.as_str()),
            ProxyScope::Https => Matcher::builder().https(text.as_str()),
        };
        Ok(Self {
            host: host.into(),
            port: uri.port_u16().unwrap_or(80),
            matcher: Arc::new(matcher.no(except).build()),
        })
    }

    /// Whether `port` of `host`, which is spoken to in TLS, is reached through it; an IPv6 address is in brackets.
    pub fn leads_to(&self, host: &str, port: u16) -> bool {
        address_of(host, port).is_some_and(|address| self.matcher.intercept(&address).is_some())
    }

    /// Has the proxy open a tunnel to `port` of `host`.
    ///
    /// # Errors
    ///
    /// When the proxy cannot be reached, or refuses. The error holds neither its user name nor its password.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection. There is no limit of time but the system's.
    pub async fn tunnel(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let address = address_of(host, port).ok_or(io::ErrorKind::InvalidInput)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let mut way = Way { tcp, proxy: Some(self.clone()) };
        let tunnel = way.call(address).await.map_err(io::Error::other)?;
        Ok(tunnel.into_inner())
    }

    /// The name or address of the host on which it listens; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port on which it listens: 80 unless its address names one.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = format!("{}:{}", self.host, self.port);
        f.debug_struct("Proxy").field("address", &address).finish_non_exhaustive()
    }
}

fn address_of(host: &str, port: u16) -> Option<Uri> {
    format!("https://{host}:{port}/").parse().ok()
}

/// Makes connections, through a proxy where there is one for the way.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) tcp: HttpConnector,
    pub(crate) proxy: Option<Proxy>,
}

impl Service<Uri> for Way {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Some(way) = self.proxy.as_ref().and_then(|proxy| proxy.matcher.intercept(&uri)) else {
            let connecting = self.tcp.call(uri);
            return Box::pin(async move { Ok(connecting.await?) });
        };
        let mut tunnel = Tunnel::new(way.uri().clone(), self.tcp.clone());
        if let Some(credential) = way.basic_auth() {
            tunnel = tunnel.with_auth(credential.clone());
        }
        Box::pin(async move {
            tunnel.call(uri).await.map_err(|error| {
                tracing::warn!(%error, proxy = %way.uri().authority().map_or("", |at| at.host()), "the proxy gives no tunnel");
                error.into()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_used(scope: ProxyScope, except: &str, origin: &str) -> bool {
        let proxy = Proxy::new("http://proxy.example:3128", scope, except).unwrap();
        proxy.matcher.intercept(&origin.parse().unwrap()).is_some()
    }

    #[test]
    fn a_proxy_is_used_for_its_scope_but_not_for_the_exceptions() {
        let github = "https://api.github.com/";
        assert!(is_used(ProxyScope::All, "", github));
        assert!(is_used(ProxyScope::Https, "", github));
        assert!(!is_used(ProxyScope::Https, "", "http://ghe.example/"));
        assert!(is_used(ProxyScope::All, "", "http://ghe.example/"));
        for except in ["api.github.com", ".github.com", "*", "example, github.com"] {
            assert!(!is_used(ProxyScope::All, except, github), "{except}");
        }
        assert!(!is_used(ProxyScope::All, "10.0.0.0/8", "https://10.1.2.3/"));
        assert!(is_used(ProxyScope::All, "hub.com", github));
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_repeating_a_password() {
        for url in ["", "socks5://p:1", "https://p:1", "http://", "http://user:hunter2@", "http://a b"] {
            let text = Proxy::new(url, ProxyScope::All, "").expect_err(url).to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
        let proxy = Proxy::new("user:hunter2@proxy.example", ProxyScope::All, "").unwrap();
        assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 80));
        assert!(!format!("{proxy:?}").contains("hunter2"));
    }
}
