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

/// The same, read as JSON.
pub(crate) fn get_json(address: SocketAddr, path: &str) -> Result<Value> {
    let body = get(address, path, &[])?;
    serde_json::from_slice(&body).with_context(|| format!("GET {path} is JSON"))
}

/// Reads no further than the stated length: not every server closes when it is asked to.
fn read(mut reply: BufReader<impl std::io::Read>) -> Result<Vec<u8>> {
    let mut line = String::new();
    reply.read_line(&mut line)?;
    if line.split(' ').nth(1) != Some("200") {
        bail!("answered {}", line.trim());
    }
    let mut length = None;
    loop {
        line.clear();
        reply.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
    let mut body = vec![0; length.context("no Content-Length")?];
    reply.read_exact(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_where_its_length_says_and_not_with_the_connection() {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc";
        assert_eq!(read(BufReader::new(reply.as_slice())).unwrap(), b"ab");
    }

    #[test]
    fn any_other_status_is_an_error() {
        let reply = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        let error = read(BufReader::new(reply.as_slice())).unwrap_err();
        assert_eq!(error.to_string(), "answered HTTP/1.1 404 Not Found");
    }
}
