//! One plain HTTP GET, for steering programs of our own choice; real clients do the measuring.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The body that `address` answers to `path`, which has to be 200 and of a stated length.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Vec<u8>> {
    let answer = fetch(address, path, headers)?;
    if answer.status != 200 {
        bail!("GET {path}: answered {}", answer.status);
    }
    Ok(answer.body)
}

/// What `address` answers to `path`, whatever its status; an error if that is not whole after 30 s.
pub(crate) fn fetch(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n")?;
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    read(BufReader::new(stream)).with_context(|| format!("GET {path}"))
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What it says about how it was made; empty if it says nothing.
    pub(crate) cache_status: String,
    pub(crate) body: Vec<u8>,
}

/// The same, read as JSON.
pub(crate) fn get_json(address: SocketAddr, path: &str) -> Result<Value> {
    let body = get(address, path, &[])?;
    serde_json::from_slice(&body).with_context(|| format!("GET {path} is JSON"))
}

/// Reads no further than the stated length: not every server closes when it is asked to.
fn read(mut reply: BufReader<impl std::io::Read>) -> Result<Answer> {
    let mut line = String::new();
    reply.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no status in {line:?}"))?;
    let (mut length, mut cache_status) = (None, String::new());
    loop {
        line.clear();
        reply.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse()?);
        } else if name.eq_ignore_ascii_case("cache-status") {
            value.trim().clone_into(&mut cache_status);
        }
    }
    let mut body = vec![0; length.context("no Content-Length")?];
    reply.read_exact(&mut body)?;
    Ok(Answer { status, cache_status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_where_its_length_says_and_not_with_the_connection() {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nCache-Status: c; hit\r\n\r\nabc";
        let answer = read(BufReader::new(reply.as_slice())).unwrap();
        assert_eq!((answer.status, answer.body), (200, b"ab".to_vec()));
        assert_eq!(answer.cache_status, "c; hit");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let error = read(BufReader::new(b"garbage\r\n".as_slice())).unwrap_err();
        assert_eq!(error.to_string(), "no status in \"garbage\\r\\n\"");
    }
}
