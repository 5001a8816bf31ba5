//! Where the API is: the base address, and how a request's target maps onto it.
//!
//! Owns the difference between api.github.com, where REST begins at `/`, and Enterprise Server, where it begins at
//! `/api/v3` and GraphQL is beside it. Other modules decide which requests are cached.

use crate::ConfigError;
use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use std::{fmt, str::FromStr};

/// The base address of a GitHub API, such as `https://api.github.com` or `https://ghe.example/api/v3`.
///
/// ```
/// # use cache_origin_github::OriginUrl;
/// let origin: OriginUrl = "https://GHE.example:443/api/v3/".parse()?;
/// assert_eq!(origin.to_string(), "https://ghe.example/api/v3");
/// assert_eq!(origin.host(), "ghe.example");
/// assert!("ghe.example".parse::<OriginUrl>().is_err());
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginUrl {
    scheme: Scheme,
    authority: Authority,
    /// Begins with a slash and ends without one, or is empty.
    prefix: Box<str>,
}

impl OriginUrl {
    /// GitHub's own: `https://api.github.com`.
    pub fn github() -> Self {
        Self { scheme: Scheme::HTTPS, authority: Authority::from_static("api.github.com"), prefix: "".into() }
    }

    /// Host, and port where it is not the scheme's own, in lower case: how every resource text begins.
    pub fn host(&self) -> &str {
        self.authority.as_str()
    }

    /// Whether calls to it are encrypted on their way: `https`.
    pub fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The name or address of its host, without a port; an IPv6 address in brackets.
    pub fn name(&self) -> &str {
        self.authority.host()
    }

    /// The port on which it listens: the scheme's own unless the address names one.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }

    /// Whether the API lies under `/api/v3`, as Enterprise Server has it.
    pub fn is_enterprise(&self) -> bool {
        self.prefix.ends_with(ENTERPRISE_PREFIX)
    }

    /// Whether `uri` is an address on this origin, or on GitHub's own, which is what an origin that stands before
    /// GitHub names in its answers.
    pub fn owns(&self, uri: &Uri) -> bool {
        let Some(authority) = uri.authority() else {
            return uri.scheme().is_none() && uri.path().starts_with('/');
        };
        let is_on = |origin: &Self| {
            let same_scheme = uri.scheme() == Some(&origin.scheme);
            same_scheme && plain_authority(&origin.scheme, authority).as_deref() == Some(origin.host())
        };
        is_on(self) || is_on(&Self::github())
    }

    /// The address here of what `target` names, path and query as they are.
    pub(crate) fn at(&self, target: &Uri) -> Result<Uri, http::Error> {
        let local = target.path_and_query().map_or("/", PathAndQuery::as_str);
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(PathAndQuery::try_from(format!("{}{local}", self.prefix))?)
            .build()
    }

    /// The address of `local`, a path as [`local_path`] gives it, with `query`.
    pub(crate) fn uri(&self, local: &str, query: Option<&str>) -> Result<Uri, http::Error> {
        let prefix = match local {
            "/graphql" if self.is_enterprise() => self.prefix.trim_end_matches("/v3"),
            _ if self.is_enterprise() && local.starts_with("/api/uploads/") => "",
            _ => &self.prefix,
        };
        let mut target = String::with_capacity(prefix.len() + local.len() + query.map_or(0, str::len) + 1);
        target.push_str(prefix);
        target.push_str(local);
        if let Some(query) = query {
            target.push('?');
            target.push_str(query);
        }
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(PathAndQuery::try_from(target)?)
            .build()
    }
}

impl FromStr for OriginUrl {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |problem| ConfigError::Origin { value: text.into(), problem };
        // The secret of a mistyped `https://token@host` must not be repeated in the message.
        if text.contains('@') {
            return Err(ConfigError::Origin {
                value: "(hidden)".into(),
                problem: "it holds a user name or password; give the credential apart",
            });
        }
        if text.contains('#') || text.contains('?') {
            return Err(bad("it has a query or fragment"));
        }
        let uri: Uri = text.trim().parse().map_err(|_| bad("it is not a URL"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or_else(|| bad("it has no http:// or https://"))?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(bad("its scheme is neither http nor https"));
        }
        let authority = parts.authority.ok_or_else(|| bad("it has no host"))?;
        let authority =
            plain_authority(&scheme, &authority).ok_or_else(|| bad("its host or port is wrong"))?;
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::path);
        Ok(Self {
            authority: Authority::try_from(authority).map_err(|_| bad("its host is wrong"))?,
            prefix: path.trim_end_matches('/').into(),
            scheme,
        })
    }
}

impl fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

/// A request's path as if REST began at `/`: without `/api/v3`, and `/api/graphql` as `/graphql`.
pub(crate) fn local_path(path: &str) -> &str {
    match path.strip_prefix(ENTERPRISE_PREFIX) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ if path == "/api/graphql" => "/graphql",
        _ if path.is_empty() => "/",
        _ => path,
    }
}

/// In lower case and without the scheme's own port; `None` if the port is not a number.
fn plain_authority(scheme: &Scheme, authority: &Authority) -> Option<String> {
    let host = authority.host().to_ascii_lowercase();
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let has_port = authority.as_str().len() > authority.host().len();
    match authority.port_u16() {
        _ if host.is_empty() => None,
        Some(port) if port == default => Some(host),
        Some(port) => Some(format!("{host}:{port}")),
        None if has_port => None,
        None => Some(host),
    }
}

const ENTERPRISE_PREFIX: &str = "/api/v3";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_enterprise_clients_are_the_same_paths() {
        let table = [
            ("/api/v3/user", "/user"),
            ("/api/v3", "/"),
            ("/api/v3x", "/api/v3x"),
            ("/api/graphql", "/graphql"),
            ("", "/"),
            ("/repos/o/r", "/repos/o/r"),
        ];
        for (given, local) in table {
            assert_eq!(local_path(given), local);
        }
    }

    #[test]
    fn graphql_and_uploads_lie_beside_rest_on_enterprise() {
        let enterprise: OriginUrl = "https://ghe.example/api/v3".parse().unwrap();
        let uri = |local| enterprise.uri(local, None).unwrap().to_string();
        assert_eq!(uri("/user"), "https://ghe.example/api/v3/user");
        assert_eq!(uri("/graphql"), "https://ghe.example/api/graphql");
        assert_eq!(uri("/api/uploads/x"), "https://ghe.example/api/uploads/x");
        let github = OriginUrl::github().uri("/graphql", Some("a=1")).unwrap();
        assert_eq!(github.to_string(), "https://api.github.com/graphql?a=1");
    }

    #[test]
    fn a_wrong_address_is_named_with_its_fault() {
        let table = [
            ("ftp://x", "scheme"),
            ("api.github.com", "http://"),
            ("https://x/?q", "query"),
            ("https://x:99999", "port"),
            ("", "URL"),
        ];
        for (text, fault) in table {
            let error = text.parse::<OriginUrl>().unwrap_err().to_string();
            assert!(error.contains(fault), "{text}: {error}");
        }
        let error = "https://ghp_secret@x".parse::<OriginUrl>().unwrap_err();
        assert!(!error.to_string().contains("ghp_secret") && !format!("{error:?}").contains("ghp_secret"));
    }

    #[test]
    fn an_origin_knows_its_own_addresses() {
        let github = OriginUrl::github();
        for own in ["https://api.github.com/repositories/1", "https://API.github.com:443/x", "/relative"] {
            assert!(github.owns(&own.parse().unwrap()), "{own}");
        }
        for other in
            ["http://api.github.com/x", "https://codeload.github.com/x", "https://api.github.com.evil/x"]
        {
            assert!(!github.owns(&other.parse().unwrap()), "{other}");
        }
    }
}
