//! Plain HTTP requests, for steering programs of our own choice; real clients do the measuring.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{net::SocketAddr, sync::LazyLock, time::Duration};
use ureq::{
    Agent, Error,
    config::AutoHeaderValue,
    http::{Request, header},
};

/// An answer, whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What it says about how it was made; empty if it says nothing.
    pub(crate) cache_status: String,
    pub(crate) body: Vec<u8>,
}

/// The body that `address` sends for `path`, with status 200.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Vec<u8>> {
    let answer = fetch(address, path, headers)?;
    ensure!(answer.status == 200, "GET {path}: answered {}", answer.status);
    Ok(answer.body)
}

/// The same, read as JSON.
pub(crate) fn get_json(address: SocketAddr, path: &str) -> Result<Value> {
    let body = get(address, path, &[])?;
    serde_json::from_slice(&body).with_context(|| format!("GET {path} is JSON"))
}

/// What `address` answers to `path`, whatever its status; an error if that is not whole after [`ANSWER_MAX`].
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
    let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header(header::CONNECTION, "close");
    let ask = || -> Result<Answer, Error> {
        let mut answer = match body {
            b"" => AGENT.run(request.body(())?),
            body => AGENT.run(request.body(body)?),
        }?;
        let cache_status = answer.headers().get("cache-status");
        let cache_status = cache_status.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let status = answer.status().as_u16();
        Ok(Answer { status, cache_status, body: answer.body_mut().read_to_vec()? })
    };
    ask().with_context(|| format!("{method} {path}"))
}

/// Sends no fields of its own accord, keeps no connection, and follows neither a redirect nor a proxy.
static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    Agent::config_builder()
        .accept(AutoHeaderValue::None)
        .accept_encoding(AutoHeaderValue::None)
        .user_agent(AutoHeaderValue::None)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(ANSWER_MAX))
        .build()
        .new_agent()
});

/// Longest wait for a whole answer: several times the daemon's own patience with its origin.
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::{Ipv4Addr, TcpListener},
        thread,
    };

    /// What is made of a connection over which `reply` comes.
    fn told(reply: &'static [u8]) -> Result<Answer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let head =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let head = head.collect::<Vec<_>>();
            stream.write_all(reply).unwrap();
            head
        });
        let answer = fetch(address, "/a", &[("X-Sent", "1")]);
        let head = server.join().unwrap();
        assert_eq!(head[0], "GET /a HTTP/1.1");
        let names = ["host", "x-sent", "connection"];
        let is_ours = |line: &String| names.iter().any(|name| line.to_lowercase().starts_with(name));
        assert!(head.len() == 1 + names.len() && head[1..].iter().all(is_ours), "{head:?}");
        answer
    }

    #[test]
    fn a_body_ends_where_its_length_says_and_not_with_the_connection() {
        let answer =
            told(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nCache-Status: c; hit\r\n\r\nabc").unwrap();
        assert_eq!((answer.status, answer.cache_status.as_str()), (404, "c; hit"));
        assert_eq!(answer.body, b"ab");
    }

    #[test]
    fn an_answer_that_ends_early_or_is_none_is_an_error_that_names_the_request() {
        for cut in [
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab".as_slice(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            b"garbage\r\n",
        ] {
            let error = told(cut).unwrap_err();
            assert_eq!(error.to_string(), "GET /a");
        }
    }
}
