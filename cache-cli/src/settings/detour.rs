//! Where requests for a host go.

use super::Problem;
use cache_origin_github::OriginUrl;
use http::uri::Authority;
use std::str::FromStr;

/// A host that clients name, and where requests for it go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Detour {
    /// The host, and its port where that is not usual, in lower case.
    pub(crate) host: String,
    /// The address where the host is reached.
    pub(crate) address: OriginUrl,
}

impl FromStr for Detour {
    type Err = Problem;

    /// Takes `HOST=URL`.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let remedy =
            "is not a host and address; write for example `uploads.github.com=https://proxy.example`";
        let (host, address) = text.split_once('=').ok_or(remedy)?;
        let authority: Authority = host.trim().parse().map_err(|_error| remedy)?;
        if authority.as_str().contains(['@', '*']) || authority.host().is_empty() {
            return Err(remedy.to_owned());
        }
        if authority.host().eq_ignore_ascii_case("api.github.com") {
            return Err("names the API, whose address the setting `origin` gives".to_owned());
        }
        let host = match authority.port_u16() {
            None | Some(80 | 443) => authority.host(),
            Some(_port) => authority.as_str(),
        };
        let address = address.parse().map_err(|error| format!("cannot be used: {error}"))?;
        Ok(Self { host: host.to_ascii_lowercase(), address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_its_address_are_read_and_anything_else_is_refused() {
        let detour: Detour = "Uploads.GitHub.com:443=http://127.0.0.1:80/x".parse().unwrap();
        assert_eq!(detour.host, "uploads.github.com");
        assert_eq!(detour.address.to_string(), "http://127.0.0.1/x");
        for text in [
            "",
            "uploads.github.com",
            "=https://x",
            "a=b",
            "u@h=https://x",
            "*=https://x",
            "h=https://u:p@x",
            "api.github.com=https://x",
        ] {
            assert!(text.parse::<Detour>().is_err(), "{text}");
        }
    }
}
