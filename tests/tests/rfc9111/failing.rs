//! An origin that fails, and when what is stale stands in.

use crate::origin::{Origin, Said, daemon};
use cache_tests::{SOON, eventually, until};

/// Something that is stale at once, by its age, and says so.
fn stale(more: &str) -> Said {
    Said::new("old").kept_for(&format!("max-age=60, {more}")).with("age", "61").with("etag", "\"v1\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stale_stands_in_for_an_origin_that_is_gone_unless_it_forbids_that() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let cases = [
        ("foo", 200),
        ("stale-if-error=600", 200),
        ("must-revalidate", 502),
        ("proxy-revalidate", 502),
        ("s-maxage=60", 502),
        ("no-cache", 502),
        ("must-revalidate, stale-if-error=600", 502),
    ];
    for (number, (more, status)) in cases.into_iter().enumerate() {
        let target = format!("/{number}");
        origin.say(&target, stale(more));
        assert_eq!(&client.get(&target).send().await.unwrap().body[..], b"old");
        origin.say(&target, Said::gone());
        let reply = client.get(&target).send().await.unwrap();
        assert_eq!(reply.status.as_u16(), status, "{more}");
        if status == 200 {
            assert!(
                reply.header("cache-status").contains("fwd=stale; ttl=-"),
                "{}",
                reply.header("cache-status")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_origins_own_is_handed_on_unless_stale_if_error_says_otherwise() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    for (target, more, status) in [("/plain", "foo", 503), ("/sie", "stale-if-error=600", 200)] {
        origin.say(target, stale(more));
        client.get(target).send().await.unwrap();
        origin.say(target, Said::new("ill").status(503));
        assert_eq!(client.get(target).send().await.unwrap().status.as_u16(), status, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_served_while_it_is_renewed_is_served_at_once_and_renewed_once() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    origin.say("/a", stale("stale-while-revalidate=600"));
    client.get("/a").send().await.unwrap();
    origin.say("/a", Said::new("new").kept_for("max-age=600").held());
    for _ in 0..3 {
        let reply = client.get("/a").send().await.unwrap();
        assert_eq!(&reply.body[..], b"old");
        assert!(reply.header("cache-status").ends_with("detail=stale-while-revalidate"));
    }
    assert!(eventually(SOON, || origin.calls("/a") == 2).await);
    origin.let_go();
    let is_new = async || client.get("/a").send().await.is_ok_and(|reply| &reply.body[..] == b"new");
    until("what came anew is served", is_new).await;
    assert_eq!(origin.calls("/a"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_gets_what_is_stale_only_as_far_as_it_says_and_the_origin_allows() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    origin.say("/a", stale("foo"));
    origin.say("/strict", stale("must-revalidate"));
    let calls = async |target: &str, directives: &str| {
        client.get(target).header("cache-control", directives).send().await.unwrap();
        origin.calls(target)
    };
    assert_eq!((calls("/a", "").await, calls("/strict", "").await), (1, 1));
    assert_eq!((calls("/a", "max-stale=600").await, calls("/a", "max-stale").await), (1, 1));
    assert_eq!(calls("/a", "max-stale=0").await, 2);
    assert_eq!(calls("/strict", "max-stale=600").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_is_this_cache_is_told_from_one_that_answers() {
    let origin = Origin::start().await;
    let daemon = origin.setup().start();
    let _asked = daemon.client().get("/a").send().await.unwrap();
    let via = origin.asked("/a")[0].header("via").to_owned();
    assert!(via.starts_with("1.1 fleet-cache-"), "{via}");
    let again = daemon.client().get("/a").header("via", &via).send().await.unwrap();
    assert_eq!(again.status.as_u16(), 508);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_neither_the_origin_nor_the_door_is_refused() {
    let (origin, daemon) = daemon().await;
    origin.say("/a", Said::new("x").kept_for("max-age=600"));
    let refused = daemon.client().named("evil.example").get("/a").send().await.unwrap();
    assert_eq!((refused.status.as_u16(), origin.calls("/a")), (421, 0));
}
