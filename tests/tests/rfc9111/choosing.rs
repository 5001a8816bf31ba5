//! Which of several answers for one URI a request gets, and what it may demand of one.

use crate::origin::{Said, daemon};
use futures::future::join_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_variant_is_kept_for_the_requests_that_select_it() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let ask = async |language: &'static str| {
        let said = Said::new(language).kept_for("max-age=600").with("vary", "Accept-Language");
        origin.say("/a", said);
        let reply = client.get("/a").header("accept-language", language).send().await.unwrap();
        String::from_utf8(reply.body.to_vec()).unwrap()
    };
    assert_eq!((ask("en").await, ask("de").await, ask("fr").await), ("en".into(), "de".into(), "fr".into()));
    assert_eq!((ask("en").await, ask("de").await, ask("fr").await), ("en".into(), "de".into(), "fr".into()));
    assert_eq!(origin.calls("/a"), 3);
    let without = client.get("/a").send().await.unwrap();
    assert_eq!((&without.body[..], origin.calls("/a")), (&b"fr"[..], 4), "no language is another selection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_answers_begin_to_vary_by_tells_requests_apart_from_then_on() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let ask =
        async |a: &str, b: &str| client.get("/a").header("a", a).header("b", b).send().await.unwrap().body;
    origin.say("/a", Said::new("1").kept_for("max-age=600").with("vary", "a"));
    assert_eq!(&ask("1", "1").await[..], b"1");
    assert_eq!(&ask("1", "2").await[..], b"1");
    origin.say("/a", Said::new("2").kept_for("max-age=600").with("vary", "a, b"));
    assert_eq!(&ask("2", "1").await[..], b"2");
    origin.say("/a", Said::new("3").kept_for("max-age=600").with("vary", "b"));
    assert_eq!(&ask("2", "2").await[..], b"3");
    assert_eq!(&ask("2", "1").await[..], b"2");
    assert_eq!(&ask("2", "2").await[..], b"3");
    assert_eq!(origin.calls("/a"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_selects_different_variants_gets_each_its_own() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    origin.say("/a", Said::new("x").kept_for("max-age=600").with("vary", "who"));
    let numbers: Vec<String> = (0..40).map(|number| (number % 4).to_string()).collect();
    let asking = numbers.iter().map(|who| client.get("/a").header("who", who).send());
    for reply in join_all(asking).await {
        assert_eq!(reply.unwrap().status, 200);
    }
    let mut who: Vec<_> = origin.asked("/a").iter().map(|asked| asked.header("who").to_owned()).collect();
    who.sort_unstable();
    who.dedup();
    assert_eq!(who, ["0", "1", "2", "3"], "nobody is answered by what another selected");
    let before = origin.calls("/a");
    for who in ["0", "1", "2", "3"] {
        client.get("/a").header("who", who).send().await.unwrap();
    }
    assert_eq!(origin.calls("/a"), before, "each is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_varies_by_everything_is_never_reused() {
    let (origin, daemon) = daemon().await;
    origin.say("/a", Said::new("x").kept_for("max-age=600").with("vary", "foo, *"));
    for _ in 0..3 {
        daemon.client().get("/a").send().await.unwrap();
    }
    assert_eq!(origin.calls("/a"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_may_demand_what_is_younger_or_lasts_longer_and_accept_what_is_kept_alone() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    origin.say("/a", Said::new("x").kept_for("max-age=600").with("age", "100"));
    let ask = async |directives: &str| {
        let reply = client.get("/a").header("cache-control", directives).send().await.unwrap();
        (reply.status.as_u16(), origin.calls("/a"))
    };
    assert_eq!(ask("only-if-cached").await, (504, 0));
    assert_eq!(ask("").await, (200, 1));
    assert_eq!(ask("only-if-cached").await, (200, 1));
    assert_eq!(ask("max-age=300, min-fresh=300").await, (200, 1));
    assert_eq!(ask("max-age=50").await, (200, 2));
    assert_eq!(ask("min-fresh=550").await, (200, 3));
    assert_eq!(ask("no-cache").await, (200, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_targeted_field_says_more_to_this_cache_than_what_is_for_all() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    for (target, said, calls) in [
        ("/cdn", Said::new("x").kept_for("no-store").with("cdn-cache-control", "max-age=600"), 1),
        (
            "/own",
            Said::new("x").with("cdn-cache-control", "no-store").with("fleet-cache-control", "max-age=600"),
            1,
        ),
        ("/not", Said::new("x").kept_for("max-age=600").with("cdn-cache-control", "private"), 2),
        ("/ill", Said::new("x").kept_for("max-age=600").with("cdn-cache-control", "max-age=0, &&"), 1),
    ] {
        origin.say(target, said);
        for _ in 0..2 {
            client.get(target).send().await.unwrap();
        }
        assert_eq!(origin.calls(target), calls, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_a_client_keeps_from_the_origin_selects_nothing() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let vary = |body| Said::new(body).kept_for("max-age=600").with("vary", "accept-language");
    origin.say("/a", vary("default"));
    let hidden = client.get("/a").header("connection", "accept-language").header("accept-language", "fr");
    assert_eq!(&hidden.send().await.unwrap().body[..], b"default");
    origin.say("/a", vary("fr"));
    assert_eq!(&client.get("/a").header("accept-language", "fr").send().await.unwrap().body[..], b"fr");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_304_that_names_a_field_makes_the_answer_one_for_requests_that_select_it() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let ask = async |who: &str| client.get("/a").header("cookie", who).send().await.unwrap().body;
    origin.say("/a", Said::new("for a").kept_for("max-age=0").with("etag", "\"1\""));
    assert_eq!(&ask("a").await[..], b"for a");
    let unchanged = Said::new("").status(304).kept_for("max-age=600").with("etag", "\"1\"");
    origin.say("/a", unchanged.with("vary", "cookie"));
    assert_eq!(&ask("a").await[..], b"for a");
    origin.say("/a", Said::new("for b").kept_for("max-age=600").with("vary", "cookie"));
    assert_eq!(&ask("b").await[..], b"for b");
    assert_eq!((&ask("a").await[..], origin.calls("/a")), (&b"for a"[..], 3));
}
