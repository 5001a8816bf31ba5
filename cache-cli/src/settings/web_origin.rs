//! Origins of web pages, as browsers write them.

use super::Problem;
use http::Uri;
use std::{fmt, str::FromStr};

/// The origin of a web page: `scheme://host`, and a port where it is not the scheme's own, in lower case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WebOrigin(String);

impl WebOrigin {
    /// As a browser writes it in `Origin`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebOrigin {
    type Err = Problem;

    /// Takes `https://ci.example`, `http://localhost:3000`, `chrome-extension://ID`; no path, no pattern.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let remedy = "is no origin of a web page; write it as browsers do, such as `https://ci.example` or \
                      `http://localhost:3000`";
        if matches!(text, "*" | "null") {
            return Err(format!("stands for all pages, which could then read private answers; {EXACT}"));
        }
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_error| remedy)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(remedy.to_owned());
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains(['@', '*'])
        {
            return Err(remedy.to_owned());
        }
        let default = match scheme {
            "http" => ":80",
            "https" => ":443",
            _other => "",
        };
        let authority = authority.as_str();
        let plain = authority.strip_suffix(default).unwrap_or(authority);
        Ok(Self(format!("{scheme}://{plain}").to_ascii_lowercase()))
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const EXACT: &str = "name every origin by itself";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_browsers_write_it() {
        let table = [
            ("https://CI.example:443/", "https://ci.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:80", "http://[::1]"),
            ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ];
        for (text, origin) in table {
            assert_eq!(text.parse::<WebOrigin>().unwrap().as_str(), origin);
        }
    }

    #[test]
    fn what_is_no_origin_or_stands_for_many_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "ci.example",
            "https://",
            "https://ci.example/path",
            "https://*.example",
            "https://u@x",
        ] {
            assert!(text.parse::<WebOrigin>().is_err(), "{text}");
        }
    }
}
