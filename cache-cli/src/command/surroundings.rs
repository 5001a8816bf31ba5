//! The environment in which programs send their HTTPS requests through a running daemon.

use super::ca;
use crate::{admin::Admin, ca::CaFiles, exit::CommandError, settings::Secret};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    path::Path,
};

/// What is to be set in the environment of a program, in the order in which it is printed.
#[derive(Debug)]
pub(crate) struct Surroundings(pub(crate) Vec<(&'static str, String)>);

/// What a daemon tells of its doors.
#[derive(Deserialize)]
struct Told {
    doors: Vec<String>,
    intercepts: bool,
}

impl Surroundings {
    /// Those for the daemon of `cache_dir`, whose clients present `token` where it asks for one. Writes the certificates that
    /// programs are to trust, those of the system and the daemon's own, into a file that they name.
    ///
    /// # Errors
    ///
    /// When no daemon runs there, or it does not intercept.
    pub(crate) async fn of(
        cache_dir: &Path,
        token: Option<&Secret>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, CommandError> {
        let told: Told = Admin::connect(cache_dir).await?.show("/stats").await?;
        let door = told.doors.iter().find_map(|door| door.strip_prefix("http://"));
        let door = door.filter(|_door| told.intercepts).ok_or_else(|| {
            let text = format!(
                "the daemon with the cache directory {} does not intercept; start it with `fleet-cache serve --intercept`",
                cache_dir.display()
            );
            CommandError::Usage(text.into())
        })?;
        let door = reached_from_here(door);
        let files = CaFiles::of(cache_dir);
        let authority = ca::read(&files, cache_dir)?;
        let bundle = files.write_bundle(&bundle(authority.pem()));
        let bundle =
            bundle.map_err(|error| CommandError::failed("the certificates cannot be written", error))?;
        if let Some(exception) = keeping_out(&exceptions(variable), authority.facts().hosts()) {
            eprintln!(
                "fleet-cache: NO_PROXY has {exception:?}, so requests for the API do not come to the daemon"
            );
        }
        let text = |path: &Path| path.display().to_string();
        let mut all = Self::new(&door, token, (&text(&bundle), &text(&files.certificate())), variable);
        all.keep_credentials_apart(authority.facts().hosts());
        Ok(all)
    }

    /// A program that knows GitHub.com's API alone has credentials for that. It is led to the door by a base address only if the
    /// door is that API's, and so answers for its name, which is among `hosts` then.
    fn keep_credentials_apart(&mut self, hosts: &[String]) {
        if !hosts.iter().any(|host| host == "api.github.com") {
            self.0.retain(|(name, _value)| *name != "GITHUB_API_URL");
        }
    }

    fn new(
        door: &str,
        token: Option<&Secret>,
        (bundle, own): (&str, &str),
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Self {
        let user = token.map_or_else(String::new, |token| format!("fleet:{}@", encoded(token.expose())));
        let proxy = format!("http://{user}{door}");
        let mut set: Vec<_> = ["HTTPS_PROXY", "https_proxy"].map(|name| (name, proxy.clone())).into();
        let exceptions = exceptions(variable);
        set.extend(["NO_PROXY", "no_proxy"].map(|name| (name, exceptions.clone())));
        set.extend(BUNDLE.map(|name| (name, bundle.to_owned())));
        // These are added to what the program trusts by itself.
        set.extend(OWN.map(|name| (name, own.to_owned())));
        set.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
        if token.is_none() {
            // Without the proxy's field nobody presents the token.
            set.push(("GITHUB_API_URL", format!("http://{door}")));
        }
        Self(set)
    }
}

/// The address by which this machine reaches a door that listens on `door`.
fn reached_from_here(door: &str) -> String {
    match door.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => {
            let here = if address.is_ipv4() { "127.0.0.1" } else { "[::1]" };
            format!("{here}:{}", address.port())
        }
        Ok(_) | Err(_) => door.to_owned(),
    }
}

/// The hosts that programs reach by themselves: this machine, and those that they did before.
fn exceptions(variable: &dyn Fn(&str) -> Option<OsString>) -> String {
    let before = ["no_proxy", "NO_PROXY"].into_iter().filter_map(variable);
    let before: Vec<_> = before.filter_map(|text| text.into_string().ok()).collect();
    let mut seen = BTreeSet::new();
    let all =
        ["localhost", "127.0.0.1", "::1"].into_iter().chain(before.iter().flat_map(|text| text.split(',')));
    let all: Vec<_> = all.map(str::trim).filter(|host| !host.is_empty() && seen.insert(*host)).collect();
    all.join(",")
}

/// The one of `exceptions` that keeps requests for the name of one of `hosts` from the proxy.
fn keeping_out<'a>(exceptions: &'a str, hosts: &[String]) -> Option<&'a str> {
    let is_it = |exception: &&str, host: &String| {
        let name = exception.trim_start_matches(['*', '.']);
        let is_below = || host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        host.parse::<IpAddr>().is_err() && (**exception == *"*" || !name.is_empty() && is_below())
    };
    exceptions.split(',').find(|exception| hosts.iter().any(|host| is_it(exception, host)))
}

/// The certificates that this machine's programs trust, and `own`.
fn bundle(own: &str) -> String {
    let mut text = own.to_owned();
    for certificate in rustls_native_certs::load_native_certs().certs {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = BASE64_STANDARD.encode(&certificate);
        for line in encoded.as_bytes().chunks(PEM_LINE) {
            text.extend(line.iter().map(|byte| char::from(*byte)));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// `secret` as the user part of a URL takes it.
fn encoded(secret: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    secret
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Variables that name all the certificates that a program trusts.
const BUNDLE: [&str; 10] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    "DENO_CERT",
    "BINSTALL_HTTPS_ROOT_CERTS",
];
/// Variables that name certificates which a program trusts besides those that it comes with.
const OWN: [&str; 1] = ["NODE_EXTRA_CA_CERTS"];
/// How long a line of PEM is, in characters (RFC 7468, section 2).
const PEM_LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::secret;

    #[test]
    fn a_token_goes_with_the_proxy_and_then_no_program_is_led_past_it() {
        let none = |_name: &str| None;
        let value = |surroundings: &Surroundings, name| {
            surroundings.0.iter().find(|(known, _value)| *known == name).map(|(_name, value)| value.clone())
        };
        let open = Surroundings::new("127.0.0.1:8484", None, ("/b", "/o"), &none);
        assert_eq!(value(&open, "HTTPS_PROXY").unwrap(), "http://127.0.0.1:8484");
        assert_eq!(value(&open, "GITHUB_API_URL").unwrap(), "http://127.0.0.1:8484");
        assert_eq!(value(&open, "SSL_CERT_FILE").unwrap(), "/b");
        assert_eq!(value(&open, "NODE_EXTRA_CA_CERTS").unwrap(), "/o");
        let token = secret("se/same@1").unwrap();
        let asked = Surroundings::new("10.0.0.1:8484", Some(&token), ("/b", "/o"), &none);
        assert_eq!(value(&asked, "https_proxy").unwrap(), "http://fleet:se%2Fsame%401@10.0.0.1:8484");
        assert_eq!(value(&asked, "GITHUB_API_URL"), None);
    }

    #[test]
    fn a_program_with_credentials_for_the_public_api_is_led_to_no_enterprise_server() {
        for (hosts, is_led) in [(&["api.github.com", "127.0.0.1"][..], true), (&["ghe.example"], false)] {
            let mut all = Surroundings::new("127.0.0.1:8484", None, ("/b", "/o"), &|_name| None);
            all.keep_credentials_apart(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>());
            assert_eq!(all.0.iter().any(|(name, _value)| *name == "GITHUB_API_URL"), is_led, "{hosts:?}");
        }
    }

    #[test]
    fn what_was_reached_without_a_proxy_still_is() {
        let before = |name: &str| (name == "NO_PROXY").then(|| " .corp.example,localhost, 10.0.0.0/8".into());
        assert_eq!(exceptions(&before), "localhost,127.0.0.1,::1,.corp.example,10.0.0.0/8");
    }

    #[test]
    fn an_exception_that_keeps_the_api_from_the_proxy_is_named() {
        let hosts = ["127.0.0.1".to_owned(), "api.github.com".to_owned()];
        for (exceptions, expected) in [
            ("localhost,127.0.0.1,::1", None),
            ("localhost,hub.com,corp.example", None),
            ("localhost,github.com", Some("github.com")),
            ("localhost,.github.com", Some(".github.com")),
            ("localhost,api.github.com", Some("api.github.com")),
            ("localhost,*", Some("*")),
        ] {
            assert_eq!(keeping_out(exceptions, &hosts), expected, "{exceptions}");
        }
    }

    #[test]
    fn a_door_on_all_addresses_is_reached_on_this_machines_own() {
        assert_eq!(reached_from_here("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(reached_from_here("[::]:1"), "[::1]:1");
        assert_eq!(reached_from_here("10.0.0.1:1"), "10.0.0.1:1");
    }
}
