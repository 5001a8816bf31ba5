//! What the page tells is what the commands tell; and it tells it to nobody but itself.

use crate::support::{Events, TOKEN, command, page, read, setup, stats, told};
use cache_tests::{
    daemon::Setup,
    http::Client,
    origin::{ModelOrigin, Quota, Resource},
};
use serde_json::{Value, json};

#[tokio::test]
async fn there_is_no_page_unless_it_is_asked_for() {
    let origin = ModelOrigin::start();
    let daemon = Setup::new(crate::support::PROGRAM, &origin.url()).start();
    assert_eq!(stats(&daemon).await["dashboard"], Value::Null);
}

#[tokio::test]
async fn the_page_tells_what_quota_and_top_tell_and_why_requests_were_refused() {
    let origin = ModelOrigin::start();
    let reset = origin.quota("alice", Resource::Core).reset_unix_seconds;
    let quota = Quota { limit: 100, used: 76, reset_unix_seconds: reset };
    origin.set_quota("alice", Resource::Core, quota);
    let daemon = setup(&origin).arg("--reserve").arg("batch=20%").start();
    let mut events = Events::open(page(&daemon).await).await;
    for number in 0..4 {
        assert_eq!(read(&daemon, "ci", &format!("/repos/acme/widget-{number}"), &[]).await, 200);
        assert_eq!(read(&daemon, "ci", &format!("/repos/acme/widget-{number}"), &[]).await, 200);
    }
    for _ in 0..3 {
        let batch = [("x-fleet-priority", "batch")];
        assert_eq!(read(&daemon, "sweep", "/repos/acme/widget-9/issues", &batch).await, 403);
    }
    let usage = events.until_told("usage", |usage| usage["total"]["refusals"] == 3).await;
    let top = told(&daemon, &["top"]);
    for name in ["requests", "hits", "calls", "refusals", "bytes", "hit_bytes"] {
        assert_eq!(usage["total"][name], top["total"][name], "{name}");
        assert_eq!(usage["by_client"][0][name], top["rows"][0][name], "{name}");
    }
    assert!(usage["total"]["hit_bytes"].as_u64() > Some(1000), "{usage:#}");
    let shown = events.until_told("quota", |quota| quota["buckets"][0]["remaining"] == 20).await;
    let line = &told(&daemon, &["quota"])["quotas"][0];
    for (name, value) in shown["buckets"][0].as_object().expect("it has names") {
        match name.as_str() {
            "batch_kept" => assert_eq!(value, 20),
            "normal_kept" => assert_eq!(value, 0),
            // Forecasts move on while they are looked at.
            "per_hour" | "spent_at" => {}
            _ => assert_eq!(value, &line[name], "{name}"),
        }
    }
    let refusals = events.until_told("refusals", |refusals| refusals[0]["count"] == 3).await;
    assert_eq!((&refusals[0]["client"], &refusals[0]["reason"]), (&json!("sweep"), &json!("reserved")));
    assert_eq!(refusals[0]["route"], "GET /repos/*/*/issues");
    let node = events.until_told("node", |node| node["hits"] == 4).await;
    assert_eq!(node["calls_made"], origin.calls_total());
    let doctor = events.until_told("doctor", |_| true).await;
    assert_eq!(doctor["checks"][1]["cause"], "sharing-off");
    assert!(command(&daemon, &["monitor", "--once"]).contains("\nQUOTA\n  PAYER"));
}

#[tokio::test]
async fn the_history_has_what_was_left_before_the_page_was_opened() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    assert_eq!(read(&daemon, "ci", "/repos/acme/widget-1", &[]).await, 200);
    let mut first = Events::open(page(&daemon).await).await;
    let history = first.until_told("history", |_| true).await;
    let sample = first.until_told("sample", |_| true).await;
    // Whichever came first, the sample or the call: both tell the same.
    let points = history[0]["points"].as_array().cloned().unwrap_or_default();
    assert_eq!(points.last(), sample.get(0).map(|it| json!([it[2], it[3]])).as_ref());
    let mut second = Events::open(page(&daemon).await).await;
    assert_eq!(second.until_told("history", |_| true).await, history);
}

#[tokio::test]
async fn other_hosts_and_other_pages_are_refused_and_nothing_is_changed_from_here() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let address = page(&daemon).await;
    let client = Client::tcp(address);
    for path in ["/", "/page.js", "/events"] {
        for host in ["evil.example", "api.github.com", "cache.evil.example:80"] {
            let reply = client.clone().named(host).get(path).send().await.expect("it answers");
            assert_eq!(reply.status, 421, "{host} {path}");
            assert!(!String::from_utf8_lossy(&reply.body).contains("event:"));
        }
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
            let reply = client.get(path).header(name, value).send().await.expect("it answers");
            assert_eq!(reply.status, 403, "{name} {path}");
            assert_eq!(reply.headers.get("access-control-allow-origin"), None);
        }
        let posted = client.post(path, "{}").send().await.expect("it answers");
        assert_eq!(posted.status, 405, "{path}");
    }
    for path in ["/repos/acme/widget-1", "/metrics", "/stats", "/user"] {
        let reply = client.get(path).token(TOKEN).send().await.expect("it answers");
        assert_eq!(reply.status, 404, "{path}");
    }
    assert_eq!(origin.calls_total(), 0);
    let document = client.get("/").send().await.expect("it answers");
    assert_eq!(document.status, 200);
    assert!(document.header("content-security-policy").starts_with("default-src 'none'"));
}
