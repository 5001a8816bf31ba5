//! A line for each request that a door answered: which client spends the quota, and what the cache does about it.
//!
//! Holds neither credentials nor queries nor bodies. Lines are written by a thread of their own, so that a slow disk
//! holds up no answer; what it cannot take in time is dropped and counted.

use super::{DoorBody, problem::CACHE_STATUS};
use crate::settings::AccessLogTarget;
use fleet_cache::ClientLabel;
use http::{Method, Request, Response};
use hyper::body::Body as _;
use nix::{errno::Errno, fcntl::OFlag};
use serde::Serialize;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tracing::warn;

/// Takes lines. A clone writes to the same place, which is left once the last is dropped.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog {
    orders: SyncSender<Order>,
    dropped: Arc<AtomicU64>,
}

enum Order {
    Line(String),
    Reopen,
}

impl AccessLog {
    /// Begins to write to `target`.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or the system gives no thread.
    pub(crate) fn start(target: AccessLogTarget) -> io::Result<Self> {
        let out = open(&target)?;
        let (orders, ordered) = sync_channel(LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        let write = move || write_all(out, &target, &ordered, &counted);
        std::thread::Builder::new().name("fleet-cache-access".into()).spawn(write)?;
        Ok(Self { orders, dropped })
    }

    /// Opens the file again, since a rotation has moved the old one away.
    pub(crate) fn reopen(&self) {
        // A writer that is so far behind that this does not fit opens the file at the next call.
        let _full_or_ended = self.orders.try_send(Order::Reopen);
    }

    /// What is said of `request`, which `client` makes through the door `door`, once it is answered.
    pub(crate) fn asked<B>(request: &Request<B>, door: &'static str, client: ClientLabel) -> Asked {
        Asked {
            at: SystemTime::now(),
            since: Instant::now(),
            door,
            method: request.method().to_string(),
            // Of a request for a connection, where that is to lead.
            path: match request.uri().authority().filter(|_| request.method() == Method::CONNECT) {
                Some(target) => bounded(target.as_str(), PATH_CHARS_MAX),
                None => bounded(request.uri().path(), PATH_CHARS_MAX),
            },
            client,
        }
    }

    /// Writes that `asked` was answered by `response`, whose head is about to be sent.
    pub(crate) fn note(&self, asked: Asked, response: &Response<DoorBody>) {
        let cache = response.headers().get(CACHE_STATUS).and_then(|status| status.to_str().ok());
        let line = Line {
            unix_ms: asked.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(),
            door: asked.door,
            method: asked.method,
            path: asked.path,
            status: response.status().as_u16(),
            cache_status: cache,
            bytes: response.body().size_hint().exact(),
            ms: (asked.since.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            client: asked.client.as_str(),
        };
        let Ok(text) = serde_json::to_string(&line) else { return };
        if self.orders.try_send(Order::Line(text)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is known of a request before it is answered.
pub(crate) struct Asked {
    at: SystemTime,
    since: Instant,
    door: &'static str,
    method: String,
    path: String,
    client: ClientLabel,
}

#[derive(Serialize)]
struct Line<'a> {
    unix_ms: u128,
    door: &'static str,
    method: String,
    path: String,
    status: u16,
    cache_status: Option<&'a str>,
    /// Of the body; null where it streams past and its length is not known beforehand.
    bytes: Option<u64>,
    /// From the request's head to the answer's.
    ms: f64,
    client: &'a str,
}

/// Opens `target` to write at its end.
fn open(target: &AccessLogTarget) -> io::Result<Box<dyn Write + Send>> {
    Ok(match target {
        AccessLogTarget::File(path) => {
            // If the file is a pipe that nothing reads, then neither opening it nor writing to it waits.
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o600).custom_flags(OFlag::O_NONBLOCK.bits());
            Box::new(options.open(path).map_err(|error| match error.raw_os_error() {
                Some(code) if code == Errno::ENXIO as i32 => {
                    io::Error::other("it is a pipe that nothing reads")
                }
                _other => error,
            })?)
        }
        AccessLogTarget::Output => Box::new(io::stdout()),
    })
}

fn bounded(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

fn write_all(
    mut out: Box<dyn Write + Send>,
    target: &AccessLogTarget,
    ordered: &Receiver<Order>,
    dropped: &AtomicU64,
) {
    let mut is_failing = false;
    for order in ordered {
        let done = match order {
            // In one piece: a pipe takes all of it or nothing.
            Order::Line(text) => out.write_all((text + "\n").as_bytes()).and_then(|()| out.flush()),
            Order::Reopen => open(target).map(|opened| out = opened),
        };
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            warn!(lines = lost, "the access log is too slow; lines were dropped");
        }
        match done {
            Ok(()) => is_failing = false,
            // Once, and not for each line of a full disk.
            Err(error) if !is_failing => {
                is_failing = true;
                warn!(%error, "the access log cannot be written");
            }
            Err(_as_before) => {}
        }
    }
}

/// Most lines that wait to be written: a tenth of a second's worth of the busiest door.
const LINES_MAX: usize = 8192;
/// Most characters of a path that are written. Longer ones are cut off.
const PATH_CHARS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn lines(path: &std::path::Path, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let whole: Vec<&str> = text.lines().collect();
            if whole.len() >= count {
                return whole.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            }
            assert!(Instant::now() < deadline, "{text}");
            std::thread::yield_now();
        }
    }

    fn answered(log: &AccessLog, target: &str) {
        let request = Request::get(target).header("authorization", "Bearer ghp_secret").body(()).unwrap();
        let asked = AccessLog::asked(&request, "tcp", ClientLabel::new("nightly").unwrap());
        let mut response = Response::new(DoorBody::whole("body".into()));
        response.headers_mut().insert(CACHE_STATUS, "fleet-cache; hit; ttl=9".parse().unwrap());
        log.note(asked, &response);
    }

    #[test]
    fn a_line_tells_what_was_asked_and_how_it_was_answered_and_nothing_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let log = AccessLog::start(AccessLogTarget::File(path.clone())).unwrap();
        answered(&log, "/search/issues?q=secret");
        let lines = lines(&path, 1);
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["path"], "/search/issues");
        assert_eq!(
            (&line["status"], &line["bytes"], &line["client"]),
            (&200.into(), &4.into(), &"nightly".into())
        );
        assert_eq!(line["cache_status"], "fleet-cache; hit; ttl=9");
        assert!(!line.to_string().contains("secret"), "{line}");
    }

    #[test]
    fn a_log_that_was_moved_away_goes_on_in_a_new_file() {
        let directory = tempfile::tempdir().unwrap();
        let (path, moved) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
        let log = AccessLog::start(AccessLogTarget::File(path.clone())).unwrap();
        answered(&log, "/a");
        lines(&path, 1);
        std::fs::rename(&path, &moved).unwrap();
        log.reopen();
        answered(&log, "/b");
        assert_eq!(lines(&path, 1)[0]["path"], "/b");
        assert_eq!(lines(&moved, 1).len(), 1);
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_refused_and_one_that_is_full_holds_up_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = AccessLog::start(AccessLogTarget::File(path.clone())).unwrap_err();
        assert_eq!(error.to_string(), "it is a pipe that nothing reads");
        let _unread =
            OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
        let mut out = open(&AccessLogTarget::File(path)).unwrap();
        let refused = (0..100_000).find_map(|_| out.write_all(&[b'x'; 1024]).err());
        assert_eq!(refused.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn a_writer_that_is_too_slow_costs_lines_and_no_time() {
        let (orders, _never_read) = sync_channel(1);
        let log = AccessLog { orders, dropped: Arc::default() };
        for _ in 0..3 {
            answered(&log, "/a");
        }
        assert_eq!(log.dropped.load(Ordering::Relaxed), 2);
    }
}
