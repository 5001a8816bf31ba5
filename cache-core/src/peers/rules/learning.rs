//! What is believed of what membership tells.

use super::super::{candidate::*, world::*, *};
use crate::address::{ADDRESS_BYTES_MAX, with_peer};
use alloc::{format, vec};

#[test]
fn a_member_that_cannot_be_reached_is_tried_every_five_minutes() {
    let mut world = World::new(&[]);
    world.peers.on_known(world.now, peer(99), &[place(99)]);
    let dials = world.advance_failing(secs(7200), DialError::Unreachable);
    assert!((25..=60).contains(&dials.len()), "{} dials in two hours", dials.len());
}

#[test]
fn what_is_known_is_bounded_and_who_cannot_be_reached_makes_room() {
    let mut world = World::new(&[]);
    let known = |world: &World| world.peers.report(world.now).len();
    let id = |number: u64| {
        let mut key = [7; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        PeerId::from_public_key(key)
    };
    for number in 0..2_000 {
        world.peers.on_known(world.now, id(number), &[place(1)]);
    }
    assert_eq!(known(&world), KNOWN_MIN);
    assert!(world.peers.report(world.now).iter().all(|report| report.peer < Some(id(KNOWN_MIN as u64))));
    world.advance_failing(secs(600), DialError::Unreachable);
    world.peers.on_known(world.now, id(3_000), &[place(2)]);
    assert_eq!(known(&world), KNOWN_MIN);
    assert!(world.peers.report(world.now).iter().any(|report| report.peer == Some(id(3_000))));
}

#[test]
fn of_a_peer_four_addresses_are_kept_and_only_those_that_could_be_its_own() {
    let mut world = World::new(&[]);
    let mut addresses = vec![
        "".into(),
        address(55),
        place(LOCAL_NUMBER),
        "/ip4/10.0.0.1/tcp/9100/p2p/garbage".into(),
        "/ip4/10.0.0.1/tcp/1\u{7}".into(),
        format!("/dns4/{}", "x".repeat(ADDRESS_BYTES_MAX)).into(),
    ];
    world.peers.on_known(world.now, peer(101), &addresses);
    assert_eq!(world.peers.report(world.now), []);
    addresses.extend((1..=9).map(place));
    world.peers.on_known(world.now, peer(101), &addresses);
    let dials = world.advance_failing(PAUSE_MIN / 2, DialError::Unreachable);
    assert!(dials.is_empty(), "the first dial is under way");
    let mut dialed = world.dials();
    while let Some(address) = dialed.last().filter(|_| dialed.len() < 20).cloned() {
        world.fail(&address, DialError::Unreachable);
        let next = world.dials();
        if next.is_empty() {
            break;
        }
        dialed.extend(next);
    }
    let expected: Vec<_> = (1..=4).map(|number| with_peer(&place(number), peer(101))).collect();
    assert_eq!(dialed, expected);
}

#[test]
fn a_member_that_moved_is_dialled_where_it_is_now() {
    let mut world = World::new(&[]);
    world.member(101);
    world.advance_failing(secs(60), DialError::Unreachable);
    world.advance(PAUSE_MAX);
    world.fail(&address(101), DialError::Unreachable);
    world.peers.on_known(world.now, peer(101), &[place(77)]);
    assert_eq!(world.dials(), [with_peer(&place(77), peer(101))]);
}

#[test]
fn who_left_is_forgotten_unless_it_is_a_contact_which_is_tried_again_without_haste() {
    let mut world = World::new(&contacts([101]));
    world.start();
    world.reach(101);
    world.member(102);
    world.dials();
    world.reach(102);
    world.advance(STEADY_AFTER);
    for number in [101, 102] {
        world.peers.on_gone(world.now, peer(number));
        world.lose(number);
    }
    assert_eq!(world.advance(secs(2) - PAUSE_MIN / 2), []);
    assert_eq!(world.advance(secs(3)).len(), 1);
    assert_eq!(world.peers.report(world.now).len(), 1);
}

#[test]
fn who_is_forgotten_is_dialled_no_more_unless_it_is_a_contact_or_connected() {
    let mut world = World::new(&contacts([101]));
    world.start();
    world.reach(101);
    for number in [102, 103] {
        world.member(number);
    }
    world.dials();
    world.reach(102);
    for number in [101, 102, 103] {
        world.peers.on_forgotten(peer(number));
    }
    let known: Vec<_> = world.peers.report(world.now).into_iter().filter_map(|report| report.peer).collect();
    assert!(
        known.contains(&peer(101)) && known.contains(&peer(102)) && !known.contains(&peer(103)),
        "{known:?}"
    );
    assert_eq!(world.advance(secs(600)), []);
}

#[test]
fn a_member_that_was_taken_for_dead_by_mistake_is_dialled_again_after_a_loss() {
    let mut world = World::new(&contacts([101]));
    world.start();
    world.reach(101);
    world.peers.on_gone(world.now, peer(101));
    world.member(101);
    world.advance(STEADY_AFTER);
    world.lose(101);
    assert_eq!(world.advance(PAUSE_MIN).len(), 1);
}
