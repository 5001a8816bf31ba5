//! A client that takes a door for a proxy, and ends up in TLS with it.

use crate::support::{PATIENCE, setup};
use cache_tests::{daemon::Daemon, origin::ModelOrigin};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{fs, io, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A daemon that intercepts, started with `arguments` too.
pub(crate) fn intercepting(arguments: &[&str]) -> (ModelOrigin, Daemon) {
    let origin = ModelOrigin::start();
    let setup =
        arguments.iter().fold(setup(&origin).arg("--intercept"), |setup, argument| setup.arg(*argument));
    let daemon = setup.start();
    (origin, daemon)
}

/// The connection that the door opens to `target`; the answer if it opens none. `fields` are added to the request.
pub(crate) async fn connect(daemon: &Daemon, target: &str, fields: &str) -> Result<TcpStream, String> {
    let mut stream = TcpStream::connect(daemon.address()).await.expect("the door listens");
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.expect("the door reads");
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("the door answers"));
        }
    };
    timeout(PATIENCE, read).await.expect("the door answers in time");
    if head.starts_with(b"HTTP/1.1 200 ") {
        return Ok(stream);
    }
    let head = String::from_utf8(head).expect("a head is text").to_ascii_lowercase();
    let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("the answer is whole");
    Err(format!("{}{}", head.replacen("http/1.1", "HTTP/1.1", 1), String::from_utf8_lossy(&body)))
}

/// The answer of a door that opens no connection to `target`.
pub(crate) async fn refused(daemon: &Daemon, target: &str, fields: &str) -> String {
    let answer = connect(daemon, target, fields).await.expect_err("the door opens no such connection");
    answer.replace("bearer realm", "Bearer realm").replace("basic realm", "Basic realm")
}

/// The certificate that clients of `daemon` are given.
pub(crate) fn authority(daemon: &Daemon) -> String {
    let path = daemon.directory().join("cache/ca/certificate.pem");
    fs::read_to_string(path).expect("a daemon that intercepts has one")
}

/// TLS for the API, trusting the daemon's certificates alone.
pub(crate) async fn tls(stream: TcpStream, daemon: &Daemon) -> io::Result<TlsStream<TcpStream>> {
    tls_naming(stream, daemon, "api.github.com").await
}

/// The same for `host`.
pub(crate) async fn tls_naming(
    stream: TcpStream,
    daemon: &Daemon,
    host: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let authority =
        CertificateDer::from_pem_slice(authority(daemon).as_bytes()).expect("it is a certificate");
    roots.add(authority).expect("it can be trusted");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = ServerName::try_from(host.to_owned()).expect("it is a host");
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(host, stream)).await.expect("in time")
}

/// Everything that comes back for `request` until the door closes.
pub(crate) async fn ask(mut stream: TlsStream<TcpStream>, request: impl AsRef<[u8]>) -> String {
    stream.write_all(request.as_ref()).await.expect("the door reads");
    // TLS may keep the end of it until then.
    stream.flush().await.expect("the door reads");
    let mut read = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    // What came before an end without a farewell counts as well.
    let _end = end.expect("the door closes the connection in time");
    String::from_utf8_lossy(&read).into_owned()
}

/// What the daemon writes of the hosts that it may sign for, once it has written it.
pub(crate) fn hosts(daemon: &Daemon) -> String {
    let told = || -> String {
        let log = daemon.stderr();
        log.lines().filter(|line| line.contains("certificate authority")).map(str::to_owned).collect()
    };
    cache_tests::eventually_blocking(PATIENCE, || !told().is_empty());
    told()
}
