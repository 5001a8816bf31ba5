//! How many streams are open, and how they end.

use crate::support::{Events, PATIENCE, page, read, setup};
use cache_tests::{origin::ModelOrigin, until};
use std::time::Duration;

/// As many pages as the daemon has places for.
const STREAMS_MAX: usize = 16;

#[tokio::test]
async fn so_many_pages_are_open_at_once_and_one_that_is_closed_makes_room() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let address = page(&daemon).await;
    let mut open = Vec::new();
    for _ in 0..STREAMS_MAX {
        let mut events = Events::open(address).await;
        assert_eq!(events.status(), 200);
        events.until_told("tick", |_| true).await;
        open.push(events);
    }
    let refused = Events::open(address).await;
    assert_eq!(refused.status(), 503, "{}", refused.text());
    assert!(refused.text().contains("retry-after: 15"), "{}", refused.text());
    // The page itself is answered all the same, and so are clients of the door.
    let document = cache_tests::http::Client::tcp(address).get("/").send().await.expect("it answers");
    assert_eq!(document.status, 200);
    assert_eq!(read(&daemon, "ci", "/repos/acme/widget-1", &[]).await, 200);
    open.pop();
    until("a place is free", async || Events::open(address).await.status() == 200).await;
}

#[tokio::test]
async fn a_page_is_told_only_what_has_changed() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    assert_eq!(read(&daemon, "ci", "/repos/acme/widget-1", &[]).await, 200);
    let mut events = Events::open(page(&daemon).await).await;
    events.until("ticks", |text| text.matches("event: tick").count() >= 4).await;
    let text = events.text();
    for name in ["about", "history", "quota", "node", "fleet", "refusals"] {
        assert_eq!(text.matches(&format!("event: {name}\n")).count(), 1, "{name}: {text}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_end_ends_the_streams_of_its_pages_in_order() {
    let origin = ModelOrigin::start();
    let mut daemon = setup(&origin).arg("--drain").arg("60").start();
    let mut events = Events::open(page(&daemon).await).await;
    events.until_told("tick", |_| true).await;
    let status = daemon.terminate(Duration::from_secs(20));
    assert!(status.success(), "{status}: {}", daemon.stderr());
    let text = tokio::time::timeout(PATIENCE, events.ended()).await.expect("it ends");
    assert!(text.ends_with("0\r\n\r\n"), "the last chunk is empty: {text}");
    assert!(!daemon.stderr().contains("cut off"), "{}", daemon.stderr());
}
