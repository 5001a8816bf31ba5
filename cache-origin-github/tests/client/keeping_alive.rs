//! Connections that the origin keeps, and closes while a request is on its way.

use crate::script::question;
use bytes::Bytes;
use cache_core::{FetchError, Fetched};
use cache_origin_github::GitHub;
use http::{Method, Request};
use http_body_util::{Empty, Full};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What the origin does with the second request of a connection, once it has read it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Farewell {
    Close,
    Half,
    Reset,
    Status408,
}

const ALL: [Farewell; 4] = [Farewell::Close, Farewell::Half, Farewell::Reset, Farewell::Status408];

/// An origin that answers the first `good` requests of each connection and closes it at the next one. Returns its
/// address and the count of requests that it read.
async fn start(good: usize, farewell: Farewell) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, good, farewell, Arc::clone(&counted)));
        }
    });
    (url, count)
}

async fn serve(mut stream: TcpStream, good: usize, farewell: Farewell, count: Arc<AtomicUsize>) {
    for _ in 0..good {
        if !read_head(&mut stream).await {
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    }
    if !read_head(&mut stream).await {
        return;
    }
    count.fetch_add(1, Ordering::SeqCst);
    match farewell {
        Farewell::Close => {}
        Farewell::Half => stream.write_all(b"HTTP/1.1 200 OK\r\ncont").await.unwrap(),
        Farewell::Reset => stream.set_zero_linger().unwrap(),
        Farewell::Status408 => {
            let bytes = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(bytes).await.unwrap();
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    true
}

fn github(url: &str) -> GitHub {
    GitHub::builder().origin(url).build().unwrap()
}

async fn pass(github: &GitHub, method: Method) -> Result<u16, FetchError> {
    let request = Request::builder().method(method).uri("/rate_limit").body(Empty::<Bytes>::new()).unwrap();
    Ok(github.forward(request).await?.status().as_u16())
}

#[tokio::test]
async fn a_kept_read_that_a_closing_connection_took_with_it_is_sent_once_more() {
    for farewell in ALL {
        let (url, count) = start(1, farewell).await;
        let github = github(&url);
        for round in 0..4 {
            let question = question(&github, &format!("/repos/o/r{round}"), &[]);
            let fetched = github.fetch(&question, None).await.fetched;
            assert!(matches!(fetched, Fetched::Fresh(_)), "{farewell:?} {round}: {fetched:?}");
        }
        assert!(count.load(Ordering::SeqCst) <= 8, "{farewell:?}");
    }
}

#[tokio::test]
async fn a_passed_read_that_a_closing_connection_took_with_it_is_sent_once_more() {
    for farewell in ALL {
        let (url, _) = start(1, farewell).await;
        let github = github(&url);
        for method in [Method::GET, Method::GET, Method::HEAD, Method::GET] {
            assert_eq!(pass(&github, method).await, Ok(200), "{farewell:?}");
        }
    }
}

#[tokio::test]
async fn a_read_of_another_host_that_a_closing_connection_took_with_it_is_sent_once_more() {
    for farewell in ALL {
        let (url, count) = start(1, farewell).await;
        let host = "github.com".parse().unwrap();
        let relay = async |github: &GitHub, method: Method| {
            let request = Request::builder().method(method).uri("/o/r/releases").body(Empty::<Bytes>::new());
            github
                .relay(request.unwrap(), &host, &url.parse().unwrap())
                .await
                .map(|answer| answer.status().as_u16())
        };
        let reader = github(&url);
        assert_eq!(relay(&reader, Method::GET).await, Ok(200), "{farewell:?}");
        assert_eq!(relay(&reader, Method::GET).await, Ok(200), "{farewell:?}");
        let writer = github(&url);
        assert_eq!(relay(&writer, Method::GET).await, Ok(200), "{farewell:?}");
        let before = count.load(Ordering::SeqCst);
        assert_ne!(relay(&writer, Method::POST).await, Ok(200), "{farewell:?}");
        assert_eq!(count.load(Ordering::SeqCst), before + 1, "{farewell:?}");
    }
}

#[tokio::test]
async fn a_write_is_never_sent_twice() {
    for method in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let (url, count) = start(1, Farewell::Reset).await;
        let github = github(&url);
        assert_eq!(pass(&github, Method::GET).await, Ok(200));
        assert_eq!(pass(&github, method.clone()).await, Err(FetchError::ConnectionLost), "{method}");
        assert_eq!(count.load(Ordering::SeqCst), 2, "{method}");
    }
}

#[tokio::test]
async fn a_read_with_a_body_is_never_sent_twice() {
    let (url, count) = start(1, Farewell::Reset).await;
    let github = github(&url);
    assert_eq!(pass(&github, Method::GET).await, Ok(200));
    let request = Request::get("/rate_limit").body(Full::new(Bytes::from_static(b"{}"))).unwrap();
    assert_eq!(github.forward(request).await.unwrap_err(), FetchError::ConnectionLost);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_breaks_at_its_first_request_is_a_failure() {
    let (url, count) = start(0, Farewell::Reset).await;
    let github = github(&url);
    assert_eq!(pass(&github, Method::GET).await, Err(FetchError::ConnectionLost));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_408_at_a_connections_first_request_is_an_answer() {
    let (url, count) = start(0, Farewell::Status408).await;
    assert_eq!(pass(&github(&url), Method::GET).await, Ok(408));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}
