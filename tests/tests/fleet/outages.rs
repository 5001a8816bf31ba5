//! An origin that is killed, or says nothing, is found out by the fleet as one, and so is its return. One broken line stops its
//! own node alone.

use crate::support::{EITHER, Fleet, Over, body};
use cache_tests::{
    origin::{Fault, FaultKind, ModelOrigin},
    until,
};
use fleet_cache::{
    FetchError, FleetSecret, GitHub, GitHubBuilder, Node, OutageStats, RequestError,
    github::{Proxy, ProxyScope, Timeouts},
};
use std::{mem, time::Duration};

const MEMBERS: usize = 5;

/// How many things each member asks for while the origin is dead, which none of them has.
const ASKED: usize = 20;

/// Calls that all members have made so far for what was asked of them.
async fn fetches(fleet: &Fleet) -> u64 {
    let mut sum = 0;
    for node in &fleet.nodes {
        sum += node.stats().await.expect("it runs").fetches;
    }
    sum
}

/// Every member asks for things that nobody has, one after the other, and gets none of them.
async fn ask_in_vain(fleet: &Fleet) {
    for round in 0..ASKED {
        for (number, node) in fleet.nodes.iter().enumerate() {
            let asked = node.get(&Fleet::repository(1_000 + MEMBERS * round + number)).await;
            assert!(matches!(asked, Err(RequestError::Fetch(_))), "{asked:?}");
        }
    }
}

/// Every member asks until it is answered, and takes it then that the origin is there.
async fn is_back_for_all(fleet: &Fleet) {
    for (number, node) in fleet.nodes.iter().enumerate() {
        let path = Fleet::repository(50 + number);
        until("the origin is back", async || node.get(&path).await.is_ok()).await;
    }
    for node in &fleet.nodes {
        until("all have heard of it", async || outage(node).await.is_none()).await;
    }
}

async fn outage(node: &Node) -> Option<OutageStats> {
    node.stats().await.expect("it runs").outage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_is_killed_is_tried_a_few_times_by_all_members_together_until_it_is_back() {
    for over in EITHER {
        let mut fleet = Fleet::start(over, MEMBERS).await;
        body(&fleet.nodes[0], &Fleet::repository(1)).await;
        let address = fleet.origin.address();
        drop(mem::replace(&mut fleet.origin, ModelOrigin::start()));
        let before = fetches(&fleet).await;
        ask_in_vain(&fleet).await;
        let attempts = fetches(&fleet).await - before;
        // Three are believed; two more may try before they hear of it, and one each second or more from then on.
        assert!((3..=15).contains(&attempts), "{over:?}: {attempts} attempts");
        let error = fleet.nodes[4].get(&Fleet::repository(2_000)).await.unwrap_err();
        assert!(
            matches!(error, RequestError::Fetch(FetchError::OriginDown | FetchError::ConnectFailed)),
            "{error:?}"
        );
        for node in &fleet.nodes {
            let held = node.stats().await.expect("it runs").fetches_held_off;
            assert!(outage(node).await.is_some() && held > 0, "{over:?}: {held}");
        }
        fleet.origin = ModelOrigin::start_at(address).expect("the port is free again");
        is_back_for_all(&fleet).await;
    }
}

/// What the listener of an origin sees that takes every connection and says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_says_nothing_is_left_alone_by_all_but_one_at_a_time() {
    let quick = Duration::from_millis(150);
    let secret = FleetSecret::generate().expect("the system has entropy");
    let mut fleet = Fleet { origin: ModelOrigin::start(), nodes: Vec::new(), secret, over: Over::Quic };
    for _ in 0..MEMBERS {
        let timeouts = Timeouts { connect: quick, head: quick, body_idle: quick, ..Timeouts::default() };
        join(&mut fleet, |github| github.timeouts(timeouts)).await;
    }
    fleet.connected().await;
    fleet.origin.fault(Fault::always(FaultKind::Hang));
    ask_in_vain(&fleet).await;
    let seen = fleet.origin.calls_total();
    assert!((3..=15).contains(&seen), "the listener sees {seen} calls of {} requests", ASKED * MEMBERS);
    fleet.origin.clear_faults();
    is_back_for_all(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_takes_connections_and_closes_them_at_once_is_one_that_cannot_be_reached() {
    let fleet = Fleet::start(Over::Quic, MEMBERS).await;
    fleet.origin.fault(Fault::always(FaultKind::Reset));
    ask_in_vain(&fleet).await;
    let seen = fleet.origin.calls_total();
    assert!((3..=30).contains(&seen), "the listener sees {seen} calls of {} requests", ASKED * MEMBERS);
    fleet.origin.clear_faults();
    is_back_for_all(&fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_for_which_one_thing_hangs_are_answered_everything_else() {
    let quick = Duration::from_millis(600);
    let secret = FleetSecret::generate().expect("the system has entropy");
    let mut fleet = Fleet { origin: ModelOrigin::start(), nodes: Vec::new(), secret, over: Over::Quic };
    for _ in 0..4 {
        let timeouts = Timeouts { head: quick, ..Timeouts::default() };
        join(&mut fleet, |github| github.timeouts(timeouts)).await;
    }
    fleet.connected().await;
    fleet.origin.fault(Fault::always(FaultKind::Hang).on("widget-9"));
    let hang = fleet.nodes[..3].iter().cloned().enumerate().map(|(number, node)| {
        tokio::spawn(async move { node.get(&Fleet::repository(9_000 + number)).await.map(drop) })
    });
    let hanging: Vec<_> = hang.collect();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let mut rounds_since = 0;
    for round in 0.. {
        for (number, node) in fleet.nodes.iter().enumerate() {
            body(node, &Fleet::repository(1_000 + 4 * round + number)).await;
            assert_eq!(outage(node).await, None);
        }
        pace.tick().await;
        rounds_since += u32::from(hanging.iter().all(tokio::task::JoinHandle::is_finished));
        if rounds_since == 3 {
            break;
        }
    }
    for hung in hanging {
        let hung = hung.await.expect("it does not panic");
        assert!(matches!(hung, Err(RequestError::Fetch(FetchError::TimedOut))), "{hung:?}");
    }
}

/// A node with a client of its own joins `fleet`.
async fn join(fleet: &mut Fleet, set: impl FnOnce(GitHubBuilder) -> GitHubBuilder) {
    let contacts: Vec<String> = fleet.nodes.first().map(Node::addresses).unwrap_or_default();
    let github = set(GitHub::builder().origin(&fleet.origin.url())).build().expect("it is well-formed");
    let node = Node::builder(fleet.secret.clone(), github).transport(fleet.over).bootstrap(contacts);
    fleet.nodes.push(node.start().await.expect("a port is free"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_own_line_is_broken_stops_no_other() {
    let mut fleet = Fleet::start(Over::Quic, 3).await;
    // Nothing listens there.
    let nowhere = Proxy::new("127.0.0.1:1", ProxyScope::All, "").expect("it is well-formed");
    join(&mut fleet, |github| github.proxy(nowhere)).await;
    fleet.connected().await;
    let broken = fleet.nodes.pop().expect("it has just joined");
    for round in 0..ASKED {
        let asked = broken.get(&Fleet::repository(3_000 + round)).await;
        assert!(matches!(asked, Err(RequestError::Fetch(_))), "{asked:?}");
        let node = &fleet.nodes[round % 3];
        body(node, &Fleet::repository(round)).await;
        assert_eq!(outage(node).await, None);
    }
    let found = outage(&broken).await.expect("it has found out");
    assert!(found.own_failures >= 3 && found.witnesses == 0, "{found:?}");
    let attempts = broken.stats().await.expect("it runs").fetches;
    assert!(attempts <= 8, "{attempts} attempts");
    assert_eq!(fleet.origin.calls_total(), ASKED as u64);
}
