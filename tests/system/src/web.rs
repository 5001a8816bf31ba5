//! One plain HTTP request, for steering programs of our own choice; real clients do the measuring.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The body that `address` answers to `path`, which has to be 200.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Vec<u8>> {
    let answer = fetch(address, path, headers)?;
    if answer.status != 200 {
        bail!("GET {path}: answered {}", answer.status);
    }
    Ok(answer.body)
}

/// What `address` answers to `path`, whatever its status; an error if that is not whole after 30 s.
pub(crate) fn fetch(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    send(address, "GET", path, headers, b"")
}

/// The same for any method, with a body.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n")?;
    }
    if !body.is_empty() {
        write!(request, "Content-Length: {}\r\n", body.len())?;
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    stream.write_all(body)?;
    read(BufReader::new(stream)).with_context(|| format!("{method} {path}"))
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

/// Reads no further than the stated end: not every server closes when it is asked to.
fn read(mut reply: BufReader<impl std::io::Read>) -> Result<Answer> {
    let mut line = String::new();
    reply.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no status in {line:?}"))?;
    let (mut length, mut is_chunked, mut cache_status) = (None, false, String::new());
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
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    let body =
        if is_chunked { chunks(reply)? } else { exactly(&mut reply, length.context("no Content-Length")?)? };
    Ok(Answer { status, cache_status, body })
}

/// A body in chunks without extensions or trailers.
fn chunks(mut reply: BufReader<impl std::io::Read>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reply.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).with_context(|| format!("no chunk: {line:?}"))?;
        let chunk = exactly(&mut reply, length + 2)?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

fn exactly(reply: &mut impl std::io::Read, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reply.read_exact(&mut bytes)?;
    Ok(bytes)
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
    fn a_body_in_chunks_is_put_together() {
        let reply =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(read(BufReader::new(reply.as_slice())).unwrap().body, b"ab0123456789");
        assert!(read(BufReader::new(&reply[..reply.len() - 8])).is_err());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let error = read(BufReader::new(b"garbage\r\n".as_slice())).unwrap_err();
        assert_eq!(error.to_string(), "no status in \"garbage\\r\\n\"");
    }
}
