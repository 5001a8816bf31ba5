//! A daemon in front of an origin, and bytes sent to it as they are.

use cache_tests::{
    daemon::{Daemon, Setup},
    origin::ModelOrigin,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

pub(crate) fn setup(origin: &ModelOrigin) -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url())
}

pub(crate) fn daemon() -> (ModelOrigin, Daemon) {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    (origin, daemon)
}

/// A connection on which a test writes what it likes.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("the door listens"))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the door reads");
    }

    /// Everything that comes until the door closes.
    pub(crate) async fn read_all(&mut self) -> String {
        let mut read = Vec::new();
        let end = timeout(PATIENCE, self.0.read_to_end(&mut read)).await;
        // What came before a reset counts as well.
        let _end = end.expect("the door closes the connection in time");
        String::from_utf8_lossy(&read).into_owned()
    }

    /// One answer, by its length.
    pub(crate) async fn read_answer(&mut self) -> String {
        let mut read = Vec::new();
        let answer = async {
            while !is_whole(&read) {
                let bytes = self.0.read_buf(&mut read).await.expect("the connection lasts");
                assert!(bytes > 0, "the door closed after {:?}", String::from_utf8_lossy(&read));
            }
        };
        timeout(PATIENCE, answer).await.expect("the door answers in time");
        String::from_utf8_lossy(&read).into_owned()
    }
}

fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// What comes back for `bytes` on a connection of their own, until the door closes it.
pub(crate) async fn answers(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::connect(address).await;
    raw.send(bytes).await;
    raw.read_all().await
}

/// The status of the first answer in `text`.
pub(crate) fn status(text: &str) -> u16 {
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {text:?}"))
}

/// How many answers `text` holds.
pub(crate) fn answers_in(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("HTTP/1.1 ")).count()
}

/// The body of the only answer in `text`, as JSON.
pub(crate) fn told(text: &str) -> serde_json::Value {
    let body = text.split_once("\r\n\r\n").map_or("", |(_head, body)| body);
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

/// A GET of `target` after which the connection closes.
pub(crate) fn get(target: &str, fields: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: t\r\nAuthorization: token ghp_alice\r\n{fields}\
         Connection: close\r\n\r\n"
    )
}

/// Longest wait for the door, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const REPOSITORY: &str = "/repos/acme/widget-1";
