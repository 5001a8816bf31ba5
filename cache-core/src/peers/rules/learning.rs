//! What is believed of what others tell, and what is passed on.

use super::super::{book::*, candidate::*, contact::*, world::*, *};
use alloc::{format, vec};

#[test]
fn a_member_that_cannot_be_reached_is_tried_every_five_minutes() {
    let mut world = World::new(&[]);
    world.peers.on_known(world.now, peer(99), &[place(99)], Source::Membership);
    let dials = world.advance_failing(secs(7200), DialFailure::Unreachable);
    assert!((25..=60).contains(&dials.len()), "{} dials in two hours", dials.len());
}

#[test]
fn a_peer_that_was_only_told_of_is_forgotten_when_it_cannot_be_reached() {
    let mut world = World::new(&[]);
    world.told(99, 1);
    let dials = world.advance_failing(secs(100), DialFailure::Unreachable);
    assert_eq!(dials.len(), TRIES_MAX as usize);
    assert!(matches!(world.peers.report(world.now)[0].state, PeerState::GivenUp { .. }));
    // Telling of it again changes nothing, until it is forgotten.
    world.told(99, 2);
    assert_eq!(world.advance(BOOTSTRAP_INTERVAL), []);
    assert_eq!(world.peers.report(world.now), []);
    // What membership reports is believed at once.
    world.told(99, 1);
    world.advance_failing(secs(100), DialFailure::Unreachable);
    world.member(99);
    assert_eq!(world.advance(COURTESY).len(), 1);
}

#[test]
fn hearsay_takes_three_dials_at_a_time_and_does_not_keep_members_waiting() {
    let mut world = World::new(&[]);
    for number in 101..=120 {
        world.told(number, 1);
    }
    assert_eq!(world.dials().len(), HEARSAY_MAX);
    world.member(130);
    assert_eq!(world.dials(), [address(130)]);
}

#[test]
fn what_one_peer_tells_is_bounded_and_gives_way_to_members() {
    let mut world = World::new(&[]);
    let known = |world: &World| world.peers.report(world.now).len();
    let id = |number: u64| {
        let mut key = [7; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        PeerId::from_public_key(key)
    };
    for number in 0..200 {
        world.peers.on_known(world.now, id(number), &[place(1)], Source::Peer(peer(1)));
    }
    assert_eq!(known(&world), KNOWN_PER_SOURCE_MAX);
    for number in 1_000..5_000 {
        world.peers.on_known(world.now, id(number), &[place(2)], Source::Membership);
    }
    assert_eq!(known(&world), KNOWN_MAX);
    let told = world.peers.report(world.now);
    let told = told.iter().filter(|report| report.source == PeerSource::Peer).count();
    assert!(told <= HEARSAY_MAX, "only those being dialled stay");
    world.told(99, 3);
    assert_eq!(known(&world), KNOWN_MAX);
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
    world.peers.on_known(world.now, peer(101), &addresses, Source::Membership);
    assert_eq!(world.peers.report(world.now), []);
    addresses.extend((1..=9).map(place));
    world.peers.on_known(world.now, peer(101), &addresses, Source::Membership);
    let dials = world.advance_failing(PAUSE_MIN / 2, DialFailure::Unreachable);
    assert!(dials.is_empty(), "the first dial is under way");
    let mut dialed = world.dials();
    while let Some(address) = dialed.last().filter(|_| dialed.len() < 20).cloned() {
        world.fail(&address, DialFailure::Unreachable);
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
fn hearsay_does_not_change_where_a_member_is_dialled() {
    let mut world = World::new(&[]);
    world.member(101);
    world.dials();
    world.peers.on_known(world.now, peer(101), &[place(66)], Source::Peer(peer(1)));
    world.fail(&address(101), DialFailure::Unreachable);
    assert_eq!(world.advance(PAUSE_MIN)[0].1, address(101));
}

#[test]
fn a_member_that_moved_is_dialled_where_it_is_now() {
    let mut world = World::new(&[]);
    world.member(101);
    world.advance_failing(secs(60), DialFailure::Unreachable);
    world.advance(PAUSE_MAX);
    world.fail(&address(101), DialFailure::Unreachable);
    world.peers.on_known(world.now, peer(101), &[place(77)], Source::Membership);
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
    assert_eq!(world.advance(secs(3)), []);
    assert_eq!(world.advance(secs(6)).len(), 1);
    assert_eq!(world.peers.report(world.now).len(), 1);
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

#[test]
fn connected_peers_are_shared_with_addresses_that_can_be_dialled() {
    let mut world = World::new(&contacts([1]));
    world.start();
    world.reach(1);
    world.member(2);
    world.come(2);
    world.told(3, 1);
    world.come(3);
    world.come(4);
    world.member(5);
    let shared = world.peers.addresses_to_share(world.now, 10);
    let expected = [(peer(1), vec![address(1)]), (peer(2), vec![address(2)])];
    assert_eq!(shared, expected, "3 is hearsay, 4 has no address, 5 is not connected");
}

#[test]
fn all_peers_have_their_turn_of_being_shared() {
    let mut world = World::new(&[]);
    for number in 1..=70 {
        world.member(number);
        world.come(number);
    }
    let mut share = |most| -> Vec<_> {
        let shared = world.peers.addresses_to_share(world.now, most);
        shared.into_iter().map(|(peer, _)| peer).collect()
    };
    assert_eq!(share(100), (1..=50).map(peer).collect::<Vec<_>>());
    assert_eq!(share(30), (51..=70).chain(1..=10).map(peer).collect::<Vec<_>>());
    assert_eq!(share(1), [peer(11)]);
}
