//! One plain HTTP GET, for steering programs of our own choice; real clients do the measuring.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The body that `address` answers to `path`, which has to be 200 and unchunked.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").context("no head")?;
    let body = reply.split_off(end + 4);
    let head = String::from_utf8_lossy(&reply);
    if head.split(' ').nth(1) != Some("200") {
        bail!("GET {path}: {}", head.lines().next().unwrap_or_default());
    }
    Ok(body)
}

/// The same, read as JSON.
pub(crate) fn get_json(address: SocketAddr, path: &str) -> Result<Value> {
    let body = get(address, path, &[])?;
    serde_json::from_slice(&body).with_context(|| format!("GET {path} is JSON"))
}
