//! Clients of many daemons at once, and what they saw.

use super::Line;
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

/// What all clients of one situation saw.
#[derive(Debug)]
pub(super) struct Clients {
    /// For how long answers are fresh.
    lifetime: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Until when what was wanted of each path before would have been fresh in one cache for all.
    fresh_until: BTreeMap<String, Instant>,
    ideal: u64,
    took: Vec<Duration>,
    errors: u64,
    first_error: Option<String>,
}

impl Clients {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, seen: Mutex::default() }
    }

    /// Reads `path` at the door `socket` with `token`. Returns how the answer says that it was made; empty if there was none.
    pub(super) fn read(&self, socket: &Path, path: &str, token: &str) -> String {
        let began = Instant::now();
        {
            let mut seen = self.seen.lock().expect(UNBROKEN);
            if seen.fresh_until.get(path).is_none_or(|until| *until <= began) {
                seen.ideal += 1;
                seen.fresh_until.insert(path.to_owned(), began + self.lifetime);
            }
        }
        let answer = get(socket, path, Some(token));
        let mut seen = self.seen.lock().expect(UNBROKEN);
        seen.took.push(began.elapsed());
        match answer {
            Ok(answer) if answer.status == 200 => return answer.cache_status,
            Ok(answer) => seen.first_error.get_or_insert(format!("{path}: {}", answer.status)),
            Err(error) => seen.first_error.get_or_insert(format!("{path}: {error:#}")),
        };
        seen.errors += 1;
        String::new()
    }

    /// Calls that one cache for all, without distance, would have made for the same reads.
    pub(super) fn ideal(&self) -> u64 {
        self.seen.lock().expect(UNBROKEN).ideal
    }

    /// Adds what was seen to `line`: how many reads, and how long they took.
    pub(super) fn tell(&self, line: Line) -> Line {
        let mut seen = self.seen.lock().expect(UNBROKEN);
        let (reads, errors, example) = (seen.took.len(), seen.errors, seen.first_error.clone());
        let line = told("read", &mut seen.took, line.with("reads", reads).with("errors", errors));
        example.into_iter().fold(line, |line, example| line.with("first_error", example))
    }
}

/// Adds the middle, the 99th percentile and the longest of `times` to `line`, in milliseconds.
pub(super) fn told(what: &str, times: &mut [Duration], line: Line) -> Line {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let millis = |percent| at(percent).map_or(0.0, |time| (time.as_secs_f64() * 10_000.0).round() / 10.0);
    [("p50", 50), ("p99", 99), ("longest", 100)]
        .into_iter()
        .fold(line, |line, (name, percent)| line.with(&format!("{what}_{name}_ms"), millis(percent)))
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    cache_status: String,
    pub(super) body: Vec<u8>,
}

/// What is answered to `path` at `socket`, over a connection of its own.
pub(super) fn get(socket: &Path, path: &str, token: Option<&str>) -> Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let credential = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let fixed = "Host: localhost\r\nUser-Agent: system-tests\r\nAccept: application/vnd.github+json\r\nConnection: close";
    stream.write_all(format!("GET {path} HTTP/1.1\r\n{fixed}\r\n{credential}\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("{line:?} is no answer"))?;
    let (mut length, mut is_chunked, mut cache_status) = (None, false, String::new());
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "the answer ends early");
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok(),
            "transfer-encoding" => is_chunked = value == "chunked",
            "cache-status" => value.clone_into(&mut cache_status),
            _of_no_concern => {}
        }
    }
    let mut body = Vec::new();
    if is_chunked {
        while let Some(bytes) = chunk(&mut reader)? {
            body.extend(bytes);
        }
    } else {
        let length: u64 = length.context("the answer has no length")?;
        reader.take(length).read_to_end(&mut body)?;
        ensure!(body.len() as u64 == length, "the body ends early");
    }
    Ok(Answer { status, cache_status, body })
}

/// The next piece of a chunked body; `None` behind the last.
fn chunk(reader: &mut BufReader<UnixStream>) -> Result<Option<Vec<u8>>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let length = usize::from_str_radix(line.trim(), 16).with_context(|| format!("{line:?} is no length"))?;
    let mut bytes = vec![0; length + LINE_END.len()];
    reader.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
}

const LINE_END: &[u8] = b"\r\n";
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// A client that panics ends the whole.
const UNBROKEN: &str = "no client has panicked";
