//! A door with more connections than it takes, and clients that take their time.

use crate::support::{PATIENCE, REPOSITORY, Raw, get, setup, status, told};
use cache_tests::{eventually, origin::ModelOrigin};
use std::time::{Duration, Instant};

const MOST: usize = 8;

#[tokio::test]
async fn idle_and_half_open_connections_give_way_to_newcomers_and_busy_ones_do_not() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).arg("--max-connections").arg(MOST.to_string()).start();
    origin.hold("widget-2");
    let mut busy = Raw::connect(daemon.address()).await;
    busy.send(get("/repos/acme/widget-2", "")).await;
    assert!(eventually(PATIENCE, || origin.in_flight() == 1).await);
    let mut crowd = Vec::new();
    for number in 0..4 * MOST {
        let mut one = Raw::connect(daemon.address()).await;
        if number % 2 == 0 {
            one.send("GET / HTTP/1.1\r\nHost: loc").await;
        }
        crowd.push(one);
    }
    for _each_meets_the_crowd in 0..2 * MOST {
        let begun = Instant::now();
        let mut newcomer = Raw::connect(daemon.address()).await;
        newcomer.send(get(REPOSITORY, "").replace("Connection: close\r\n", "")).await;
        let answer = newcomer.read_answer().await;
        assert_eq!(status(&answer), 200);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        crowd.push(newcomer);
    }
    origin.release();
    assert_eq!(status(&busy.read_all().await), 200, "it was being answered all the while");
}

#[tokio::test]
async fn a_newcomer_waits_while_all_are_answered_and_is_served_when_one_is() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).arg("--max-connections=2").start();
    origin.hold("widget");
    let mut busy = Vec::new();
    for number in 0..2 {
        let mut one = Raw::connect(daemon.address()).await;
        one.send(get(&format!("/repos/acme/widget-{number}"), "")).await;
        busy.push(one);
    }
    assert!(eventually(PATIENCE, || origin.in_flight() == 2).await);
    let mut newcomer = Raw::connect(daemon.address()).await;
    newcomer.send(get("/rate_limit", "")).await;
    origin.release();
    assert_eq!(status(&newcomer.read_all().await), 200);
    for mut one in busy {
        assert_eq!(status(&one.read_all().await), 200);
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let mut slow = Raw::connect(daemon.address()).await;
    slow.send("GET / HTTP/1.1\r\nHost: loc").await;
    let answer = slow.read_all().await;
    assert_eq!(status(&answer), 408);
    assert_eq!(told(&answer)["fleet_cache"]["error"], "slow-request");
}
