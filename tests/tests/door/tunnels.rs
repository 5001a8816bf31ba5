//! Tunnels through a door that intercepts: to hosts that it does not serve.

use crate::{
    proxy::{connect, intercepting, refused},
    support::{PATIENCE, answers, answers_in, get, status, told},
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, split},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

/// A host that sends back what it is sent.
async fn echo() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
    let address = listener.local_addr().expect("a listener has an address");
    let serving = tokio::spawn(async move {
        while let Ok((stream, _from)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = split(stream);
                // The client may go whenever it likes.
                let _copied = copy(&mut read, &mut write).await;
                let _ended = write.shutdown().await;
            });
        }
    });
    (address, serving)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_carries_all_bytes_both_ways_and_ends_with_its_host() {
    let (host, _serving) = echo().await;
    let port = host.port().to_string();
    let (_origin, daemon) = intercepting(&["--tunnel-private", "--tunnel-port", &port]);
    let stream = connect(&daemon, &host.to_string(), "").await.unwrap();
    let (mut read, mut write) = split(stream);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sending = {
        let sent = sent.clone();
        tokio::spawn(async move {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
            write
        })
    };
    let mut came = Vec::new();
    timeout(PATIENCE, read.read_to_end(&mut came)).await.unwrap().unwrap();
    assert!(came == sent, "{} of {} bytes", came.len(), sent.len());
    drop(sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_come_with_the_connect_are_the_tunnels() {
    let (host, _serving) = echo().await;
    let port = host.port().to_string();
    let (_origin, daemon) = intercepting(&["--tunnel-private", "--tunnel-port", &port]);
    for early in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\xff\xfe",
        b"GET /<>\"{} \x80",
        b"\r\n\r\n\xe2",
    ] {
        let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
        let head = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), early].concat()).await.unwrap();
        let mut came = Vec::new();
        let read = async {
            while !came.ends_with(early) || came.len() == early.len() {
                came.push(stream.read_u8().await.unwrap());
            }
        };
        timeout(PATIENCE, read).await.expect("what was sent comes back");
        let (head, _echo) = came.split_at(came.len() - early.len());
        assert!(head.starts_with(b"HTTP/1.1 200 ") && head.ends_with(b"\r\n\r\n"), "{came:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tunnel_leads_to_this_machine_its_networks_or_another_port_unless_that_is_permitted() {
    let (_origin, daemon) = intercepting(&[]);
    for (target, code) in [
        ("127.0.0.1:443", "tunnel-private"),
        ("127.1.2.3:443", "tunnel-private"),
        ("[::1]:443", "tunnel-private"),
        ("[::ffff:127.0.0.1]:443", "tunnel-private"),
        ("localhost:443", "tunnel-private"),
        ("LOCALHOST.:443", "tunnel-private"),
        ("10.0.0.1:443", "tunnel-private"),
        ("192.168.0.1:443", "tunnel-private"),
        ("169.254.169.254:443", "tunnel-private"),
        ("0.0.0.0:443", "tunnel-private"),
        ("example.com:22", "tunnel-port"),
        ("api.github.com:22", "tunnel-port"),
        ("api.github.com:80", "tunnel-port"),
    ] {
        let answer = refused(&daemon, target, "").await;
        assert_eq!(
            (status(&answer), &told(&answer)["fleet_cache"]["error"]),
            (403, &code.into()),
            "{target}: {answer}"
        );
        assert!(told(&answer)["fleet_cache"]["remedy"].is_string(), "{answer}");
    }
    for target in [
        "api.github.com:0",
        "user@api.github.com:443",
        "api.github.com",
        ":443",
        "127.0.0.1..:443",
        "[fe80::1%25eth0]:443",
        "[127.0.0.1]:443",
    ] {
        let answer = connect(&daemon, target, "").await.expect_err(target);
        assert_eq!(status(&answer), 400, "{target}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_refused_connect_is_no_request() {
    let (origin, daemon) = intercepting(&[]);
    let refused = "CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n";
    let answers = answers(daemon.address(), refused.to_owned() + &get("/user", "")).await;
    assert_eq!((status(&answers), answers_in(&answers)), (403, 1), "{answers}");
    assert_eq!(origin.calls_total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_takes_no_connection_is_told_from_one_that_is_refused() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let port = closed.port().to_string();
    let (_origin, daemon) = intercepting(&["--tunnel-private", "--tunnel-port", &port]);
    let answer = refused(&daemon, &closed.to_string(), "").await;
    assert_eq!((status(&answer), &told(&answer)["fleet_cache"]["error"]), (502, &"tunnel".into()));
    let answer = refused(&daemon, "nowhere.invalid:443", "").await;
    assert_eq!(status(&answer), 502, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_connections_may_be_tunnels_and_no_more() {
    let (host, _serving) = echo().await;
    let port = host.port().to_string();
    let (_origin, daemon) =
        intercepting(&["--tunnel-private", "--tunnel-port", &port, "--max-connections", "4"]);
    let target = host.to_string();
    let mut open =
        vec![connect(&daemon, &target, "").await.unwrap(), connect(&daemon, &target, "").await.unwrap()];
    let answer = refused(&daemon, &target, "").await;
    assert_eq!((status(&answer), &told(&answer)["fleet_cache"]["error"]), (503, &"tunnels".into()));
    // One that ends makes room.
    open.pop();
    let mut again = None;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while again.is_none() && tokio::time::Instant::now() < deadline {
        again = connect(&daemon, &target, "").await.ok();
    }
    assert!(again.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_tunnel_does_not_hold_up_a_stop() {
    let (host, _serving) = echo().await;
    let port = host.port().to_string();
    let (_origin, mut daemon) = intercepting(&["--tunnel-private", "--tunnel-port", &port, "--drain", "600"]);
    let mut stream = connect(&daemon, &host.to_string(), "").await.unwrap();
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    assert!(daemon.terminate(Duration::from_secs(30)).success());
}
