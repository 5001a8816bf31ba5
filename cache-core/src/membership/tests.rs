//! What members learn of one another and when, in virtual time.

mod figures;
mod fleet;
mod hostile;

use super::*;
use figures::longest_millis;
use fleet::{Fleet, peer};

/// Sizes of fleets, and with how many seeds each is tried; [`figures`] tries more.
const SIZES: [(usize, u64); 4] = [(2, 40), (5, 40), (20, 10), (100, 1)];

#[test]
fn a_newcomer_and_all_others_know_each_other_within_two_seconds() {
    for (size, seeds) in SIZES {
        assert!(longest_millis(seeds, |seed| figures::join(size, seed)) < 2_000, "{size} nodes");
    }
}

#[test]
fn who_leaves_is_forgotten_by_all_within_a_second() {
    for (size, seeds) in SIZES {
        assert!(longest_millis(seeds, |seed| figures::leave(size, seed)) < 1_000, "{size} nodes");
    }
}

#[test]
fn who_crashes_is_forgotten_by_all_within_five_seconds() {
    for (size, seeds) in SIZES {
        assert!(longest_millis(seeds, |seed| figures::crash(size, seed)) < 5_000, "{size} nodes");
    }
}

#[test]
fn who_starts_again_at_once_is_known_under_its_new_boot_number_without_going_down() {
    for (size, seeds) in SIZES {
        assert!(longest_millis(seeds, |seed| figures::restart(size, seed)) < 2_000, "{size} nodes");
    }
    let mut fleet = Fleet::formed(5, 1);
    let before = fleet.membership(0).member(peer(4)).unwrap().boot();
    fleet.crash(4);
    fleet.start(4);
    fleet.connect(4, 1);
    fleet.run(3_000);
    assert!(fleet.is_complete());
    assert!(fleet.membership(0).member(peer(4)).unwrap().boot() > before);
    assert!(fleet.nodes[..4].iter().all(|node| node.downs.is_empty() && node.renewals == 1));
}

#[test]
fn who_starts_again_with_its_clock_set_back_takes_a_later_boot_number_than_is_known() {
    for crashed_for in [0, 10_000] {
        let mut fleet = Fleet::formed(5, 2);
        let before = fleet.membership(0).member(peer(4)).unwrap().boot();
        fleet.crash(4);
        fleet.run(crashed_for);
        fleet.start_with_boot(4, before - 1_000_000);
        fleet.connect(4, 1);
        fleet
            .until(2_000, |fleet| fleet.is_complete() && fleet.membership(4).local().boot() > before)
            .unwrap();
        fleet.run(5_000);
        assert!(fleet.nodes.iter().all(|node| node.twins == 0), "it is one");
    }
}

#[test]
fn a_divided_fleet_forgets_the_other_side_and_grows_together_by_itself() {
    for seed in 0..5 {
        let mut fleet = Fleet::formed(10, seed);
        fleet.side = |node| node % 2;
        fleet.until(10_000, |fleet| fleet.up().all(|node| node.members().count() == 4)).unwrap();
        fleet.run(60_000);
        fleet.side = |_node| 0;
        // Two that are down are called every ten seconds, by each.
        fleet.until(25_000, Fleet::is_complete).unwrap();
        fleet.run(10_000);
        assert!(fleet.is_complete());
    }
}

#[test]
fn a_divided_fleet_grows_together_at_once_when_two_of_its_members_connect() {
    for seed in 0..5 {
        let mut fleet = Fleet::formed(10, seed);
        fleet.side = |node| node % 2;
        fleet.run(60_000);
        fleet.side = |_node| 0;
        fleet.reconnect(0, 1);
        fleet.until(5_000, Fleet::is_complete).unwrap();
    }
}

#[test]
fn lost_messages_alone_bring_nobody_down() {
    for (size, minutes) in [(2, 10), (5, 10), (20, 2)] {
        let mut fleet = Fleet::formed(size, 3);
        fleet.run(minutes * 60_000);
        let mistakes = fleet.nodes.iter().map(|node| (node.downs.len(), node.renewals));
        assert!(mistakes.into_iter().all(|mistakes| mistakes == (0, 0)), "{size} nodes");
        assert!(fleet.is_complete());
    }
}

#[test]
fn distance_alone_brings_nobody_down() {
    let mut fleet = Fleet::new(20, 3);
    fleet.delay = Duration::from_millis(125);
    (1..20).for_each(|number| fleet.connect(number, 0));
    fleet.run(120_000);
    assert_eq!(fleet.nodes.iter().map(|node| node.downs.len()).sum::<usize>(), 0);
    assert!(fleet.is_complete());
}

#[test]
fn who_was_wrongly_thought_down_comes_back_by_itself() {
    let mut fleet = Fleet::formed(5, 4);
    fleet.side = |node| usize::from(node == 4);
    fleet
        .until(10_000, |fleet| !fleet.membership(0).members().any(|member| member.peer() == peer(4)))
        .unwrap();
    fleet.side = |_node| 0;
    fleet.until(25_000, Fleet::is_complete).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_moments() {
    let trace = |seed| {
        let mut fleet = Fleet::formed(10, seed);
        fleet.crash(3);
        fleet.run(20_000);
        fleet.trace
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

#[test]
fn whoever_left_says_and_hears_nothing_more() {
    let mut fleet = Fleet::formed(2, 7);
    let now = fleet.now();
    let node = fleet.nodes[1].membership.as_mut().unwrap();
    node.leave(now);
    while node.poll_decision().is_some() {}
    node.on_connected(now, peer(0));
    node.on_message(now, peer(0), &[]).unwrap();
    node.on_due(now.saturating_add(Duration::from_secs(60)));
    assert_eq!((node.poll_decision(), node.next_deadline(), node.members().count()), (None, None, 0));
}

#[test]
fn a_peer_that_is_known_is_not_told_again_who_we_are() {
    let mut fleet = Fleet::formed(5, 8);
    let now = fleet.now();
    let node = fleet.nodes[1].membership.as_mut().unwrap();
    node.on_connected(now, peer(2));
    assert_eq!(node.poll_decision(), None);
}

#[test]
fn a_connection_that_ends_ends_the_introductions() {
    let now = Timestamp::from_unix_millis(1);
    let mut node = Membership::new(Member::new(peer(0), 1, [""; 0]), 0, &MembershipSettings::default());
    node.on_connected(now, peer(1));
    assert!(matches!(node.poll_decision(), Some(Decision::Send { to, .. }) if to == peer(1)));
    assert!(node.next_deadline().is_some());
    node.on_disconnected(now, peer(1), End::Lost);
    assert_eq!(node.next_deadline(), None);
}

#[test]
fn what_a_member_says_of_its_own_addresses_replaces_hearsay() {
    let mut fleet = Fleet::formed(3, 9);
    let now = fleet.now();
    let told = fleet.membership(2).local().clone();
    let node = fleet.nodes[1].membership.as_mut().unwrap();
    let hearsay = Member::new(peer(2), told.boot(), ["/ip4/198.51.100.1/tcp/1"]);
    node.effects.alive.insert(peer(2), hearsay);
    while node.poll_decision().is_some() {}
    fleet.until(5_000, |fleet| fleet.membership(1).member(peer(2)) == Some(&told)).unwrap();
    assert_eq!(fleet.nodes[1].renewals, 1);
    assert!(fleet.now() > now);
}
