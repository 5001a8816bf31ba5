//! Conditions, dependences and limits of staleness, from the client to the origin and back.

use crate::support::{ALICE, SOON, answer, ask, builder, get, get_by, github, node, origin_and_node};
use cache_tests::origin::{ModelOrigin, Resource};
use fleet_cache::{GitHub, Node, PassReason, Provenance, RequestError};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The address of an origin that answers each request's head, in lower case, as `answer` says.
async fn origin(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                while let Some(head) = read_head(&mut stream).await {
                    // The client may have gone.
                    let _gone = stream.write_all(answer(&head).as_bytes()).await;
                }
            });
        }
    });
    url
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).to_lowercase())
}

/// An answer that says which value the field `name` had.
fn telling(head: &str, name: &str, fields: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    let body = format!("{{\"{name}\":\"{}\"}}", line.unwrap_or("none"));
    format!(
        "HTTP/1.1 200 OK\r\n{fields}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn before(url: &str) -> Node {
    node(GitHub::builder().origin(url)).await
}

#[tokio::test]
async fn a_client_that_has_everything_already_costs_nothing_at_a_node_that_has_nothing() {
    let (origin, first) = origin_and_node().await;
    let paths: Vec<_> = (0..10).map(|number| format!("/repos/acme/widget-{number}")).collect();
    let mut tags = Vec::new();
    for path in &paths {
        tags.push(answer(&first, get_by(ALICE, path)).await.header("etag").to_owned());
    }
    let cold = node(github(&origin)).await;
    let used = || origin.quota("alice", Resource::Core).used;
    // One answer shows in whose words the client knows its tags; it may cost.
    answer(&cold, get_by(ALICE, &paths[0]).header("if-none-match", &tags[0])).await;
    let before = used();
    for (path, tag) in paths.iter().zip(&tags).skip(1) {
        let unchanged = answer(&cold, get_by(ALICE, path).header("if-none-match", tag)).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0), "{path}");
        assert_eq!(unchanged.header("etag"), tag);
    }
    assert_eq!(used(), before);
    // Nothing was kept from it: the next client gets an answer and not an empty one.
    assert_eq!(answer(&cold, get_by(ALICE, &paths[1])).await.status, 200);
    assert_eq!(used(), before + 1);
}

#[tokio::test]
async fn an_answer_is_given_to_nobody_who_has_a_field_on_which_it_depends() {
    let url = origin(|head| telling(head, "accept-language", "vary: Accept, Accept-Language\r\n")).await;
    let node = before(&url).await;
    let of = |language: &'static str| get("/zen2").header("accept-language", language);
    for language in ["fr", "de", "fr"] {
        let told = answer(&node, of(language)).await;
        assert_eq!(told.body, format!("{{\"accept-language\":\"{language}\"}}"));
        assert_eq!(told.provenance, Provenance::Passed(PassReason::SpecialField));
    }
    for _ in 0..2 {
        assert_eq!(answer(&node, get("/zen2")).await.body, "{\"accept-language\":\"none\"}");
    }
    assert!(answer(&node, get("/zen2").header("x-other", "1")).await.is_hit());
    let only = of("fr").header("cache-control", "only-if-cached");
    assert!(matches!(ask(&node, only).await, Err(RequestError::NotCached)));
}

#[tokio::test]
async fn a_field_that_a_gateway_asks_for_reaches_it_and_keeps_answers_apart() {
    let url = origin(|head| telling(head, "x-shard", "")).await;
    let github = GitHub::builder().origin(&url).forward_header("X-Shard");
    let node = node(github).await;
    let of = |shard: &'static str| get("/zen2").header("x-shard", shard);
    for shard in ["a", "b"] {
        assert_eq!(answer(&node, of(shard)).await.body, format!("{{\"x-shard\":\"{shard}\"}}"));
        assert!(answer(&node, of(shard)).await.is_hit());
    }
    assert_eq!(answer(&node, get("/zen2")).await.body, "{\"x-shard\":\"none\"}");
}

#[tokio::test]
async fn a_clients_own_agent_reaches_the_origin_where_it_is_to() {
    let url = origin(|head| telling(head, "user-agent", "vary: user-agent\r\n")).await;
    let github = GitHub::builder().origin(&url).forward_header("User-Agent");
    let node = node(github).await;
    for agent in ["one/1", "two/2"] {
        let of = || get("/zen2").header("user-agent", agent);
        assert_eq!(answer(&node, of()).await.body, format!("{{\"user-agent\":\"{agent}\"}}"));
        assert!(answer(&node, of()).await.is_hit());
    }
    let one_for_all = before(&url).await;
    for _ in 0..2 {
        let told = answer(&one_for_all, get("/zen2").header("user-agent", "one/1")).await;
        assert!(told.body.starts_with(b"{\"user-agent\":\"fleet-cache/") && !told.is_hit());
    }
}

/// A node whose answers are stale at once.
async fn forgetful(origin: &ModelOrigin, max_stale: Duration, if_error: Duration) -> Node {
    let github = github(origin).default_lifetime(Duration::ZERO).max_stale(max_stale).if_error(if_error);
    builder(github).start().await.expect("a node needs nothing")
}

#[tokio::test]
async fn a_request_gets_what_is_stale_no_longer_than_the_operator_lets_it() {
    let (minute, moment) = (Duration::from_secs(60), Duration::from_millis(50));
    let demand = || get_by(ALICE, "/users/alice").header("cache-control", "max-stale=99999");
    for (max_stale, if_error) in [(moment, minute), (minute, moment)] {
        let origin = ModelOrigin::start();
        let node = forgetful(&origin, max_stale, if_error).await;
        answer(&node, demand()).await;
        let begun = Instant::now();
        while answer(&node, demand()).await.is_stale() {
            assert!(begun.elapsed() < SOON, "it is served for ever");
            tokio::task::yield_now().await;
        }
        assert!(origin.calls_total() > 1);
    }
    let origin = ModelOrigin::start();
    let node = forgetful(&origin, minute, minute).await;
    answer(&node, demand()).await;
    assert!(answer(&node, demand()).await.is_stale());
    let never = forgetful(&origin, Duration::ZERO, minute).await;
    answer(&never, demand()).await;
    assert!(!answer(&never, demand()).await.is_stale());
}
