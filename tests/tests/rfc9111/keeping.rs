//! What is kept, for how long, and in which form clients get it.

use crate::origin::{Origin, Said, daemon};
use cache_tests::{SOON, eventually, http::Reply};
use futures::future::join_all;

fn status(reply: &Reply) -> String {
    reply.header("cache-status").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_explicitly_fresh_costs_one_call_and_tells_so() {
    let (origin, daemon) = daemon().await;
    origin.say(
        "/a?b",
        Said::new("one")
            .kept_for("max-age=600")
            .with("x-own", "1")
            .with("connection", "x-hop")
            .with("x-hop", "1"),
    );
    let client = daemon.client();
    let first = client.get("/a?b").send().await.unwrap();
    assert_eq!((first.status.as_u16(), &first.body[..], first.header("age")), (200, &b"one"[..], ""));
    assert_eq!(status(&first), "fleet-cache; fwd=uri-miss; fwd-status=200; stored");
    let second = client.get("/a?b").send().await.unwrap();
    assert_eq!((&second.body[..], second.header("x-own"), second.header("x-hop")), (&b"one"[..], "1", ""));
    assert!(status(&second).starts_with("fleet-cache; hit; ttl="), "{}", status(&second));
    assert!(second.header("age").parse::<u64>().is_ok_and(|age| age < 60));
    assert_eq!(second.header("date"), first.header("date"));
    assert_eq!((origin.calls("/a?b"), origin.calls("/a")), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_may_keep_is_fetched_each_time() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let unkept = ["no-store", "private, max-age=9", "max-age=0", "max-age=-5", "s-maxage=0, max-age=9"];
    for (number, directives) in unkept.into_iter().enumerate() {
        let target = format!("/{number}");
        origin.say(&target, Said::new("x").kept_for(directives));
        for _ in 0..2 {
            assert_eq!(client.get(&target).send().await.unwrap().status, 200);
        }
        assert_eq!(origin.calls(&target), 2, "{directives}");
    }
    origin.say("/kept", Said::new("x").kept_for("max-age=600"));
    for _ in 0..2 {
        client.get("/kept").header("cache-control", "no-store").send().await.unwrap();
    }
    assert_eq!(origin.calls("/kept"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_ask_at_once_share_one_call_if_its_answer_may_be_shared() {
    let (origin, daemon) = daemon().await;
    origin.say("/shared", Said::new("one").kept_for("max-age=600").held());
    let client = daemon.client();
    let asking = tokio::spawn(join_all((0..20).map(|_| client.get("/shared").send())));
    assert!(eventually(SOON, || origin.calls("/shared") == 1).await);
    origin.let_go();
    for reply in asking.await.unwrap() {
        assert_eq!(&reply.unwrap().body[..], b"one");
    }
    assert_eq!(origin.calls("/shared"), 1);
    origin.say("/own", Said::new("own").kept_for("no-store"));
    let asking = (0..20).map(|_| client.get("/own").send());
    for reply in join_all(asking).await {
        assert_eq!(&reply.unwrap().body[..], b"own");
    }
    assert_eq!(origin.calls("/own"), 20, "each is answered by a call of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_credential_is_for_that_request_alone_unless_the_origin_says_otherwise() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    origin.say("/private", Said::new("secret").kept_for("max-age=600"));
    client.get("/private").token("alice").send().await.unwrap();
    client.get("/private").token("bob").send().await.unwrap();
    let asked = origin.asked("/private");
    assert_eq!(asked.len(), 2);
    assert_eq!(
        (asked[0].header("authorization"), asked[1].header("authorization")),
        ("token alice", "token bob")
    );
    for (number, says) in
        ["public, max-age=600", "s-maxage=600", "must-revalidate, max-age=600"].iter().enumerate()
    {
        let target = format!("/public/{number}");
        origin.say(&target, Said::new("all").kept_for(says));
        client.get(&target).token("alice").send().await.unwrap();
        client.get(&target).send().await.unwrap();
        assert_eq!(origin.calls(&target), 1, "{says}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_gets_the_part_the_head_or_the_304_that_it_asks_for_from_what_is_kept() {
    let (origin, daemon) = daemon().await;
    let said = Said::new("0123456789").kept_for("max-age=600").with("etag", "\"a\"");
    origin.say("/a", said);
    let client = daemon.client();
    client.get("/a").send().await.unwrap();
    let part = client.get("/a").header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!(
        (part.status.as_u16(), &part.body[..], part.header("content-range")),
        (206, &b"234"[..], "bytes 2-4/10")
    );
    let head = client.head("/a").send().await.unwrap();
    assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "10", 0));
    let unchanged = client.get("/a").header("if-none-match", "W/\"a\"").send().await.unwrap();
    assert_eq!(
        (unchanged.status.as_u16(), unchanged.header("etag"), unchanged.body.len()),
        (304, "\"a\"", 0)
    );
    assert_eq!(origin.calls("/a"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_outlives_the_daemon() {
    let (origin, daemon) = daemon().await;
    origin.say("/a", Said::new("one").kept_for("max-age=600"));
    origin.say("/b", Said::new("two").kept_for("max-age=600").with("vary", "accept"));
    daemon.client().get("/a").send().await.unwrap();
    daemon.client().get("/b").header("accept", "x").send().await.unwrap();
    let mut daemon = daemon;
    assert!(daemon.terminate(SOON).success());
    let daemon = daemon.restart();
    assert_eq!(&daemon.client().get("/a").send().await.unwrap().body[..], b"one");
    assert_eq!(&daemon.client().get("/b").header("accept", "x").send().await.unwrap().body[..], b"two");
    assert_eq!((origin.calls("/a"), origin.calls("/b")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_to_keep_streams_through_whole() {
    let origin = Origin::start().await;
    let daemon = origin.setup().arg("--body-max").arg("1MiB").start();
    let long = "x".repeat(3 << 20);
    origin.say("/long", Said::new(&long).kept_for("max-age=600"));
    for _ in 0..2 {
        let reply = daemon.client().get("/long").send().await.unwrap();
        assert_eq!(reply.body.len(), long.len());
    }
    assert_eq!(origin.calls("/long"), 2);
}
