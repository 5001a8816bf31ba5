//! The commands that talk to a running daemon, and what they print.

use super::{
    monitor::{self, MonitorOptions},
    peers, quota,
    top::{self, By, Of},
};
use crate::{
    admin::{Admin, GetOrder, InvalidateOrder, Removed},
    door::CACHE_STATUS,
    exit::{Answerer, CommandError},
    output::{Rendering, print, print_json, write},
    settings::Report,
};
use http::HeaderMap;
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::{Value, json};
use std::{ffi::OsString, io::Write, path::Path};

/// An order for a daemon that runs.
pub(crate) enum DaemonOrder {
    /// Make the daemon forget all that it holds.
    Clear,
    /// Show the daemon's settings.
    Config(Rendering),
    /// Get a path of the API.
    Get {
        /// The path, with its query.
        path: String,
        /// Request headers as `Name: value`.
        headers: Vec<String>,
        /// Whether to print the status and the headers as well.
        with_headers: bool,
    },
    /// Forget one path, or all that begin with a prefix.
    Invalidate(InvalidateOrder),
    /// Show again and again what the daemon does.
    Monitor(MonitorOptions),
    /// Show the peers that the daemon is connected with.
    Peers(Rendering),
    /// Ask a peer whether it answers.
    Ping {
        /// Its id, or the end of it.
        peer: String,
        /// Whether the answer is for people or for programs.
        rendering: Rendering,
    },
    /// Show how allowances stand.
    Quota(Rendering),
    /// Show what the daemon has done.
    Stats(Rendering),
    /// Show which client uses what.
    Top {
        /// What to count by.
        by: By,
        /// The nodes that have counted.
        of: Of,
        /// Whether the table is for people or for programs.
        rendering: Rendering,
    },
}

impl DaemonOrder {
    /// Has the daemon of `cache_dir` carry out the order, and writes the result to `out`; `variable` reads the
    /// environment.
    ///
    /// # Errors
    ///
    /// When no daemon runs there, it refuses, or the output cannot be written.
    pub(crate) async fn perform(
        self,
        cache_dir: &Path,
        variable: &dyn Fn(&str) -> Option<OsString>,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let mut admin = Admin::connect(cache_dir).await?;
        match self {
            Self::Clear => forget(&mut admin, "/clear", &json!({}), out).await,
            Self::Config(rendering) => {
                let report: Report = admin.show("/config").await?;
                match rendering {
                    Rendering::Json => print_json(out, &json!(report)),
                    Rendering::Text => print(out, &report.to_string()),
                }
            }
            Self::Get { path, headers, with_headers } => {
                get(&mut admin, path, headers, with_headers, variable, out).await
            }
            Self::Invalidate(order) => forget(&mut admin, "/invalidate", &order, out).await,
            Self::Monitor(options) => {
                // It was there, which is all that was to be known; the monitor connects by itself.
                drop(admin);
                monitor::run(options, cache_dir, out).await
            }
            Self::Peers(rendering) => peers::show(&mut admin, rendering, out).await,
            Self::Ping { peer, rendering } => peers::ping(&mut admin, peer, rendering, out).await,
            Self::Quota(rendering) => quota::show(&mut admin, rendering, out).await,
            Self::Stats(rendering) => {
                let stats: Value = admin.show("/stats").await?;
                match rendering {
                    Rendering::Json => print_json(out, &stats),
                    Rendering::Text => print(out, &table(&stats)),
                }
            }
            Self::Top { by, of, rendering } => top::show(&mut admin, (by, of), rendering, out).await,
        }
    }
}

/// Has entries forgotten, and tells how many they were.
async fn forget(
    admin: &mut Admin,
    path: &str,
    order: &impl Serialize,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let Removed { removed } = admin.order(path, order).await?;
    print(out, &format!("{}\n", forgotten(removed)))
}

async fn get(
    admin: &mut Admin,
    path: String,
    headers: Vec<String>,
    with_headers: bool,
    variable: &dyn Fn(&str) -> Option<OsString>,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    if !path.starts_with('/') {
        return Err(CommandError::Usage(
            format!("{path:?} is not a path; write it like /repos/OWNER/REPO").into(),
        ));
    }
    let headers = request_headers(headers, variable)?;
    let response = admin.order_raw("/get", &GetOrder { path, headers }).await?;
    let status = response.status();
    let by = answerer(response.headers());
    if with_headers {
        print(out, &head(status.as_u16(), response.headers()))?;
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CommandError::failed("the answer broke off", error))?;
        if let Ok(piece) = frame.into_data() {
            // A reader that has seen enough still lets the order come to its end, so that the daemon keeps the
            // answer.
            let _reader = write(out, &piece)?;
        }
    }
    if status.is_client_error() || status.is_server_error() {
        let status = status.as_u16();
        return Err(CommandError::Answered { status, by });
    }
    Ok(())
}

/// The headers that were given, and the user's token unless they hold a credential.
fn request_headers(
    given: Vec<String>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<(String, String)>, CommandError> {
    let mut headers = Vec::new();
    for header in given {
        let (name, value) = header
            .split_once(':')
            // The text is not repeated: it may be a token.
            .ok_or_else(|| {
                CommandError::Usage("a header given with -H has no colon; write `Name: value`".into())
            })?;
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let authorized = headers.iter().any(|(name, _value)| name.eq_ignore_ascii_case("authorization"));
    let token = ["GH_TOKEN", "GITHUB_TOKEN"]
        .iter()
        .find_map(|name| variable(name)?.into_string().ok().filter(|token| !token.is_empty()));
    if let Some(token) = token.filter(|_token| !authorized) {
        headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
    }
    Ok(headers)
}

/// Which side an answer with `headers` comes from: what neither hit nor was forwarded is the daemon's own.
fn answerer(headers: &HeaderMap) -> Answerer {
    let status = headers.get(CACHE_STATUS).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_the_apis = status.split(';').map(str::trim).any(|part| part == "hit" || part.starts_with("fwd="));
    if is_the_apis { Answerer::Api } else { Answerer::Daemon }
}

fn head(status: u16, headers: &HeaderMap) -> String {
    let mut text = format!("HTTP/1.1 {status}\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text.push('\n');
    text
}

fn forgotten(entries: usize) -> String {
    match entries {
        1 => "forgot 1 entry".to_owned(),
        count => format!("forgot {count} entries"),
    }
}

/// One line per value; values inside others are named by a path with dots.
fn table(stats: &Value) -> String {
    let mut lines = Vec::new();
    flatten("", stats, &mut lines);
    let width = lines.iter().map(|(name, _value)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

fn flatten(prefix: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&path, value, lines);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{prefix}.{at}"), item, lines);
            }
        }
        Value::String(text) => lines.push((prefix.to_owned(), text.clone())),
        Value::Null => lines.push((prefix.to_owned(), "-".to_owned())),
        Value::Bool(_) | Value::Number(_) => lines.push((prefix.to_owned(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(name: &str) -> Option<OsString> {
        (name == "GITHUB_TOKEN").then(|| "ghp_x".into())
    }

    #[test]
    fn the_users_token_is_sent_unless_a_credential_is_given() {
        let sent = request_headers(vec!["Accept: a:b".to_owned()], &tokens).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(sent, [pair("Accept", "a:b"), pair("Authorization", "Bearer ghp_x")]);
        let sent = request_headers(vec!["authorization: token y".to_owned()], &tokens).unwrap();
        assert_eq!(sent, [pair("authorization", "token y")]);
    }

    #[test]
    fn a_header_without_a_colon_is_refused_without_repeating_it() {
        let refused = request_headers(vec!["ghp_secret".to_owned()], &tokens).unwrap_err();
        assert!(!refused.to_string().contains("ghp_secret"));
    }

    #[test]
    fn what_neither_hit_nor_was_forwarded_is_the_daemons_own() {
        let by = |status: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_STATUS, status.parse().unwrap());
            answerer(&headers)
        };
        assert_eq!(by("fleet-cache; hit; ttl=9"), Answerer::Api);
        assert_eq!(by("fleet-cache; fwd=uri-miss; fwd-status=404"), Answerer::Api);
        assert_eq!(by("fleet-cache; detail=origin-timeout"), Answerer::Daemon);
        assert_eq!(answerer(&HeaderMap::new()), Answerer::Daemon);
    }

    #[test]
    fn values_inside_others_are_named_by_their_path() {
        let text = table(&json!({ "hits": 1, "disk": { "entries": null }, "doors": ["a", "b"] }));
        let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["disk.entries", "doors.0", "doors.1", "hits"]);
    }
}
