//! Validation, and what ends what is kept.

use crate::origin::{Said, daemon};
use http::Method;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_be_asked_about_is_asked_about_by_its_validators_and_comes_once() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let said =
        |field: &str| Said::new("one").kept_for("no-cache").with("etag", "\"v1\"").with("x-field", field);
    origin.say("/a", said("old"));
    client.get("/a").send().await.unwrap();
    origin.say("/a", said("new"));
    let renewed = client.get("/a").send().await.unwrap();
    assert_eq!(
        (renewed.status.as_u16(), &renewed.body[..], renewed.header("x-field")),
        (200, &b"one"[..], "new")
    );
    assert_eq!(renewed.header("cache-status"), "fleet-cache; fwd=stale; fwd-status=304; stored");
    let asked = origin.asked("/a");
    assert_eq!((asked.len(), asked[1].header("if-none-match")), (2, "\"v1\""));
    origin.say("/a", Said::new("two").kept_for("no-cache").with("etag", "\"v2\""));
    assert_eq!(&client.get("/a").send().await.unwrap().body[..], b"two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_own_condition_is_answered_from_what_came_whole() {
    let (origin, daemon) = daemon().await;
    origin.say("/a", Said::new("one").kept_for("max-age=600").with("etag", "\"v1\""));
    let client = daemon.client();
    let unchanged = client.get("/a").header("if-none-match", "\"v1\"").send().await.unwrap();
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    assert_eq!(origin.asked("/a")[0].header("if-none-match"), "", "the whole was asked for");
    assert_eq!(&client.get("/a").send().await.unwrap().body[..], b"one");
    assert_eq!(origin.calls("/a"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsafe_request_ends_its_target_with_all_variants_and_what_its_answer_names() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let fresh = || Said::new("x").kept_for("max-age=600");
    let targets = ["/a", "/a?b", "/there", "/content", "/varied", "/other"];
    for method in ["POST", "PUT", "DELETE", "M-SEARCH"] {
        for target in targets {
            origin.say(target, fresh());
        }
        origin.say("/varied", fresh().with("vary", "foo"));
        for target in targets {
            client.get(target).send().await.unwrap();
        }
        let before = targets.map(|target| origin.calls(target));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        origin.say(
            "/a",
            Said::new("done").status(201).with("location", "there").with("content-location", "/content"),
        );
        let done = client.request(method.clone(), "/a").body("body").send().await.unwrap();
        assert_eq!((done.status.as_u16(), &done.body[..]), (201, &b"done"[..]));
        assert_eq!(done.header("cache-status"), "fleet-cache; fwd=method; fwd-status=201");
        let asked = origin.asked("/a").pop().unwrap();
        assert_eq!((asked.method.as_str(), &asked.body[..]), (method.as_str(), &b"body"[..]));
        client.request(method.clone(), "/varied").send().await.unwrap();
        origin.say("/a", fresh());
        for target in targets {
            client.get(target).send().await.unwrap();
        }
        let calls: Vec<_> =
            targets.iter().zip(before).map(|(target, before)| origin.calls(target) - before).collect();
        assert_eq!(calls, [2, 0, 1, 1, 2, 0], "{method}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsafe_request_that_is_refused_ends_nothing() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    origin.say("/a", Said::new("x").kept_for("max-age=600"));
    client.get("/a").send().await.unwrap();
    for status in [400, 404, 500, 503] {
        origin.say("/a", Said::new("no").status(status));
        assert_eq!(client.post("/a", "body").send().await.unwrap().status.as_u16(), status);
        assert_eq!(&client.get("/a").send().await.unwrap().body[..], b"x");
    }
    assert_eq!(origin.calls("/a"), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_gives_the_content_of_its_own_target_answers_later_reads_and_no_other_does() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let cases = [
        ("/own", Said::new("x").kept_for("max-age=600").with("content-location", "/own"), 1),
        ("/other", Said::new("x").kept_for("max-age=600").with("content-location", "/own"), 2),
        ("/silent", Said::new("x").kept_for("max-age=600"), 2),
        ("/supposed", Said::new("x").with("content-location", "/supposed"), 2),
        ("/private", Said::new("x").kept_for("private, max-age=600").with("content-location", "/private"), 2),
    ];
    for (target, said, calls) in cases {
        origin.say(target, said);
        let posted = client.post(target, "body").send().await.unwrap();
        assert_eq!((posted.status.as_u16(), &posted.body[..]), (200, &b"x"[..]), "{target}");
        assert_eq!(&client.get(target).send().await.unwrap().body[..], b"x");
        assert_eq!(origin.calls(target), calls, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_passes_renews_what_is_kept_or_puts_it_in_doubt() {
    let (origin, daemon) = daemon().await;
    let client = daemon.client();
    let stale = || Said::new("one").kept_for("max-age=60").with("age", "61").with("etag", "\"v1\"");
    let fresh = |tag: &str| Said::new("one").kept_for("max-age=600").with("etag", tag).with("x-new", "1");
    for target in ["/same", "/other"] {
        origin.say(target, stale());
        client.get(target).send().await.unwrap();
    }
    origin.say("/same", fresh("\"v1\""));
    assert_eq!(client.head("/same").send().await.unwrap().header("x-new"), "1");
    let renewed = client.get("/same").send().await.unwrap();
    assert_eq!((&renewed.body[..], renewed.header("x-new")), (&b"one"[..], "1"));
    let methods: Vec<_> = origin.asked("/same").iter().map(|asked| asked.method.clone()).collect();
    assert_eq!(methods, ["GET", "HEAD"]);
    origin.say("/other", fresh("\"v2\""));
    client.head("/other").send().await.unwrap();
    assert_eq!(client.get("/other").header("cache-control", "max-stale").send().await.unwrap().status, 200);
    assert_eq!(origin.calls("/other"), 3, "what is in doubt is asked about, however stale it may be");
}
