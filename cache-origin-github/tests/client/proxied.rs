//! The way to the origin through a proxy that opens tunnels.

use crate::script::{Origin, http, question};
use cache_core::{FetchError, Fetched};
use cache_origin_github::{Proxy, ProxyScope};
use std::sync::Arc;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// A proxy that opens a tunnel to wherever it is told, or answers each request for one with `refusal`. Returns its
/// address and the heads of the requests that it got.
async fn proxy(refusal: Option<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(stream, refusal, Arc::clone(&heard)));
        }
    });
    (address, heads)
}

async fn tunnel(stream: TcpStream, refusal: Option<&'static str>, heard: Arc<Mutex<Vec<String>>>) {
    let mut client = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && client.read_line(&mut head).await.unwrap_or(0) > 0 {}
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heard.lock().await.push(head);
    let answer = refusal.unwrap_or("HTTP/1.1 200 Connection established\r\n\r\n");
    client.write_all(answer.as_bytes()).await.unwrap();
    if refusal.is_none() {
        let mut origin = TcpStream::connect(target).await.unwrap();
        // Either side may hang up, which ends the tunnel.
        let _ended = copy_bidirectional(&mut client, &mut origin).await;
    }
}

#[tokio::test]
async fn calls_go_through_a_tunnel_to_which_the_proxys_password_alone_is_shown() {
    let mut origin = Origin::saying(http("200 OK", "", "{}")).await;
    let (address, heads) = proxy(None).await;
    let url = format!("http://user:hunter2@{address}");
    let through = Proxy::new(&url, ProxyScope::All, "").unwrap();
    let github = origin.builder().proxy(through).build().unwrap();
    let fetch =
        github.fetch(&question(&github, "/zen", &[("authorization", "Bearer ghp_alice")]), None).await;
    assert!(matches!(fetch.fetched, Fetched::Fresh(_)), "{:?}", fetch.fetched);
    let heads = heads.lock().await;
    let [head] = heads.as_slice() else { panic!("{heads:?}") };
    assert!(head.starts_with(&format!("CONNECT {} ", origin.url.trim_start_matches("http://"))), "{head}");
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpodw50zxiy"), "{head}");
    assert!(!head.contains("ghp_alice"), "{head}");
    let asked = origin.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].field("proxy-authorization"), None);
}

#[tokio::test]
async fn exceptions_and_other_schemes_are_called_without_the_proxy() {
    let origin = Origin::saying(http("200 OK", "", "{}")).await;
    let (address, heads) = proxy(None).await;
    for (scope, except) in [(ProxyScope::Https, ""), (ProxyScope::All, "127.0.0.0/8"), (ProxyScope::All, "*")]
    {
        let through = Proxy::new(&address, scope, except).unwrap();
        let github = origin.builder().proxy(through).build().unwrap();
        let fetch = github.fetch(&question(&github, "/zen", &[]), None).await;
        assert!(matches!(fetch.fetched, Fetched::Fresh(_)), "{scope:?} {except}: {:?}", fetch.fetched);
    }
    assert_eq!(heads.lock().await.len(), 0);
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_away_is_an_origin_that_cannot_be_reached() {
    let origin = Origin::saying(http("200 OK", "", "{}")).await;
    let denied = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let (refusing, _heads) = proxy(Some(denied)).await;
    for address in [refusing.as_str(), "127.0.0.1:1"] {
        let through = Proxy::new(address, ProxyScope::All, "").unwrap();
        let github = origin.builder().proxy(through).build().unwrap();
        let fetch = github.fetch(&question(&github, "/zen", &[]), None).await;
        assert_eq!(fetch.fetched, Fetched::Failed(FetchError::ConnectFailed), "{address}");
    }
}
