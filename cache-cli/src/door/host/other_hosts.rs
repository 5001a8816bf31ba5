//! GitHub's other hosts: where releases, archives, logs and pages are.
//!
//! `gh` sends requests for every host into its unix socket. Those for GitHub's own go on to them, each by its name in
//! a reviewed list; an operator may name others and say where they are.

use crate::settings::Detour;
use cache_origin_github::OriginUrl;
use http::{HeaderValue, uri::Authority};

/// A host other than the API, and where it is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OtherHost {
    /// Its name as a request's `Host`.
    pub(crate) name: HeaderValue,
    /// Where requests for it go.
    pub(crate) address: OriginUrl,
}

/// The hosts other than the API that are served.
#[derive(Clone, Debug)]
pub(super) struct OtherHosts {
    family: Family,
    named: Vec<Detour>,
}

/// Whose API it is that the door serves.
#[derive(Clone, Debug)]
enum Family {
    /// An Enterprise Server with this name and address, whose pages and files lie beside its API.
    Enterprise { host: String, address: OriginUrl },
    /// GitHub's own, or a mirror of it.
    GitHub,
    /// A company's part of GitHub with data residency, by the name of its pages.
    Resident { host: String },
}

impl OtherHosts {
    /// Those that belong to the API at `origin`, and those that an operator `named`.
    pub(super) fn new(origin: &OriginUrl, named: &[Detour]) -> Self {
        Self { family: Family::of(origin), named: named.to_vec() }
    }

    /// The host that a request names, if it is one of them.
    pub(super) fn find(&self, asked: &Authority) -> Option<OtherHost> {
        let name = asked.as_str().to_ascii_lowercase();
        let is_usual = matches!(asked.port_u16(), None | Some(80 | 443));
        let host = asked.host().to_ascii_lowercase();
        let bare = if is_usual { &host } else { &name };
        let address = match self.named.iter().find(|detour| detour.host == *bare) {
            Some(detour) => detour.address.clone(),
            None if is_usual => self.family.address(&host)?,
            None => return None,
        };
        Some(OtherHost { name: HeaderValue::from_str(bare).ok()?, address })
    }

    /// Whether it is GitHub.com's API, or a mirror of that, for which names of GitHub.com stand.
    pub(super) fn is_public(&self) -> bool {
        matches!(self.family, Family::GitHub)
    }

    /// Whether `host` is an Enterprise Server's own, which is the API under `/api/` alone.
    pub(super) fn is_beside_api(&self, asked: &Authority, path: &str) -> bool {
        match &self.family {
            Family::Enterprise { host, .. } => {
                let is_api = path == "/api" || path.starts_with("/api/");
                !is_api
                    && (asked.as_str().eq_ignore_ascii_case(host) || asked.host().eq_ignore_ascii_case(host))
            }
            Family::GitHub | Family::Resident { .. } => false,
        }
    }
}

impl Family {
    fn of(origin: &OriginUrl) -> Self {
        let host = origin.host();
        let resident = host.strip_prefix("api.").filter(|host| host.ends_with(".ghe.com"));
        let text = origin.to_string();
        match (resident, text.strip_suffix(ENTERPRISE_PREFIX).and_then(|base| base.parse().ok())) {
            (Some(host), _) => Self::Resident { host: host.to_owned() },
            (None, Some(address)) => Self::Enterprise { host: host.to_owned(), address },
            (None, None) => Self::GitHub,
        }
    }

    fn address(&self, host: &str) -> Option<OriginUrl> {
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let below = |parent: &str, labels: &[&str]| {
            let label = host.strip_suffix(parent).and_then(|rest| rest.strip_suffix('.'));
            label.is_some_and(|label| labels.contains(&label))
        };
        // Where runs keep logs and artifacts: GitHub's accounts are numbered.
        let is_results = host
            .strip_prefix("productionresultssa")
            .and_then(|rest| rest.strip_suffix(".blob.core.windows.net"))
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        let is_actions = host.strip_suffix(".actions.githubusercontent.com").is_some_and(is_label);
        let is_served = match self {
            Self::Enterprise { host: own, address } if host == own => return Some(address.clone()),
            Self::Enterprise { host: own, .. } => below(own, &ISOLATED),
            Self::GitHub => GITHUB.contains(&host) || is_results || is_actions,
            Self::Resident { host: own } => host == own || below(own, &ISOLATED) || is_results || is_actions,
        };
        is_served.then(|| format!("https://{host}").parse().ok()).flatten()
    }
}

const ENTERPRISE_PREFIX: &str = "/api/v3";
/// The hosts that `gh` and similar clients reach besides the API: pages for logins and archives, uploads, and where
/// redirects of the API lead (archives, releases, raw files).
const GITHUB: [&str; 11] = [
    "codeload.github.com",
    "gist.github.com",
    "gist.githubusercontent.com",
    "github-releases.githubusercontent.com",
    "github.com",
    "media.githubusercontent.com",
    "objects-origin.githubusercontent.com",
    "objects.githubusercontent.com",
    "raw.githubusercontent.com",
    "release-assets.githubusercontent.com",
    "uploads.github.com",
];
/// The same below the name of an Enterprise Server with subdomain isolation, or of a company with data residency.
const ISOLATED: [&str; 6] = ["codeload", "gist", "media", "objects", "raw", "uploads"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found(origin: &str, host: &str) -> Option<String> {
        let named = [
            "files.corp=http://127.0.0.1:1",
            "github.com=http://127.0.0.1:2/x",
            "odd.corp:8443=http://127.0.0.1:3",
        ];
        let named = named.map(|text| text.parse().unwrap());
        let hosts = OtherHosts::new(&origin.parse().unwrap(), &named);
        hosts
            .find(&host.parse().unwrap())
            .map(|found| format!("{} {}", found.name.to_str().unwrap(), found.address))
    }

    #[test]
    fn githubs_own_hosts_are_served_and_those_that_look_like_them_are_not() {
        for host in GITHUB.into_iter().chain([
            "results-receiver.actions.githubusercontent.com",
            "productionresultssa19.blob.core.windows.net",
        ]) {
            let address = found("https://api.github.com", host).unwrap();
            assert!(host == "github.com" || address == format!("{host} https://{host}"), "{address}");
        }
        for host in [
            "evil.example",
            "status.github.com",
            "github.com.evil.example",
            "evilgithub.com",
            "uploads.github.com:8080",
            "a.b.actions.githubusercontent.com",
            "productionresultssa.blob.core.windows.net",
            "productionresultssa1x.blob.core.windows.net",
            "x.productionresultssa1.blob.core.windows.net",
            "169.254.169.254",
            "localhost",
        ] {
            assert_eq!(found("https://api.github.com", host), None, "{host}");
        }
    }

    #[test]
    fn an_operator_says_where_a_host_is_and_adds_others() {
        let found = |host| found("http://127.0.0.1:9", host);
        assert_eq!(found("GitHub.com:443").unwrap(), "github.com http://127.0.0.1:2/x");
        assert_eq!(found("files.corp").unwrap(), "files.corp http://127.0.0.1:1");
        assert_eq!(found("odd.corp:8443").unwrap(), "odd.corp:8443 http://127.0.0.1:3");
        assert_eq!(found("odd.corp"), None);
    }

    #[test]
    fn an_enterprise_server_and_a_resident_have_hosts_of_their_own() {
        let server = "https://ghe.corp/api/v3";
        assert_eq!(found(server, "ghe.corp").unwrap(), "ghe.corp https://ghe.corp");
        assert_eq!(
            found(server, "codeload.ghe.corp").unwrap(),
            "codeload.ghe.corp https://codeload.ghe.corp"
        );
        for host in
            ["uploads.github.com", "evil.ghe.corp", "codeload.ghe.corp.evil.example", "codeloadghe.corp"]
        {
            assert_eq!(found(server, host), None, "{host}");
        }
        let resident = "https://api.octo.ghe.com";
        assert_eq!(found(resident, "octo.ghe.com").unwrap(), "octo.ghe.com https://octo.ghe.com");
        assert!(found(resident, "uploads.octo.ghe.com").is_some());
        assert_eq!(found(resident, "other.ghe.com"), None);
    }
}
