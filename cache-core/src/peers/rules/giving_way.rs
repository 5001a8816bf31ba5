//! Which peer gives way to which at the limit of connections.

use crate::peers::{
    giving_way::{BURST, STAND_MIN},
    world::{World, address, contacts, peer, place, secs},
    *,
};

fn world(connections_max: usize) -> World {
    World::with(&[], PeerSettings { connections_max, ..PeerSettings::default() }, 1)
}

/// A node that holds as many connections as it may, all of which may give way.
fn full(connections_max: u8) -> World {
    let mut world = world(connections_max.into());
    for number in 1..=connections_max {
        world.come(number);
    }
    world.advance(STAND_MIN);
    world
}

fn instead_of(number: u8) -> Welcome {
    Welcome::Keep { instead_of: Some(peer(number)) }
}

#[test]
fn at_the_limit_a_newcomer_takes_the_place_of_whom_no_lookup_needed_for_longest() {
    let mut world = full(3);
    world.peers.on_used(world.now, peer(1));
    world.advance(secs(1));
    world.peers.on_used(world.now, peer(3));
    assert_eq!(world.come(4), instead_of(2));
    assert_eq!(world.decisions(), [PeerDecision::Disconnect { peer: peer(2) }]);
    assert_eq!(world.come(5), instead_of(1));
    assert_eq!(world.peers.connected().len(), 3);
}

#[test]
fn who_has_only_just_come_does_not_give_way() {
    let mut world = world(2);
    world.come(1);
    world.come(2);
    assert_eq!(world.come(3), Welcome::Refuse(Unwelcome::Full));
    world.decisions();
    world.advance(STAND_MIN);
    assert_eq!(world.come(3), instead_of(1));
}

#[test]
fn who_is_connected_already_costs_nobody_a_place() {
    let mut world = full(2);
    assert_eq!(world.come(1), Welcome::Keep { instead_of: None });
}

#[test]
fn a_herd_of_newcomers_makes_a_bounded_number_give_way_at_once() {
    let mut world = full(90);
    let taken =
        (0..90_u8).filter(|number| world.come(130 + number) != Welcome::Refuse(Unwelcome::Full)).count();
    assert_eq!(taken, BURST as usize);
    world.decisions();
    world.advance(secs(1));
    let taken =
        (0..90_u8).filter(|number| matches!(world.come(130 + number), Welcome::Keep { instead_of: Some(_) }));
    assert_eq!(taken.count(), 20, "one in 50 ms");
}

#[test]
fn whoever_gave_way_is_not_dialled_for_want_of_connections_but_a_lookup_may_have_it_dialled() {
    let mut world = world(4);
    for number in 101..=108 {
        world.member(number);
    }
    world.dials();
    for number in 101..=104 {
        world.reach(number);
    }
    world.advance(STAND_MIN);
    assert_eq!(world.come(120), instead_of(101));
    world.decisions();
    world.lose(101);
    assert!(world.advance(secs(20)).is_empty());
    assert!(world.peers.want(world.now, peer(101)));
    assert_eq!(world.dials(), [address(101)]);
    assert_eq!(world.reach(101), instead_of(102));
}

#[test]
fn a_lookup_may_have_whoever_ended_a_connection_dialled_at_once_however_often_it_did() {
    let mut world = world(8);
    world.member(101);
    world.dials();
    for _ in 0..5 {
        world.reach(101);
        world.lose(101);
        assert!(world.peers.is_within_reach(world.now, peer(101)));
        assert!(world.peers.want(world.now, peer(101)));
        assert_eq!(world.dials(), [address(101)]);
    }
    world.fail(&address(101), DialError::Unreachable);
    assert!(!world.peers.is_within_reach(world.now, peer(101)));
}

#[test]
fn a_lookup_may_have_whoever_had_no_room_dialled_once_it_may_have_some_however_often_it_had_none() {
    let mut world = world(8);
    world.member(101);
    world.advance_failing(secs(60), DialError::TooMany);
    world.fail(&address(101), DialError::TooMany);
    let until_due = world.peers.next_deadline().expect("it is dialled again").saturating_since(world.now);
    assert!(!world.peers.is_within_reach(world.now, peer(101)));
    assert!(world.peers.is_within_reach(world.now.saturating_add(until_due), peer(101)));
}

#[test]
fn whom_a_lookup_waits_for_takes_the_place_of_one_that_has_only_just_come_and_serves_none() {
    let mut world = world(2);
    for number in 101..=104 {
        world.member(number);
    }
    world.dials();
    world.come(1);
    world.come(2);
    world.advance(Duration::from_millis(300));
    world.peers.on_used(world.now, peer(1));
    assert_eq!(world.come(3), Welcome::Refuse(Unwelcome::Full));
    world.decisions();
    world.peers.want(world.now, peer(109));
    world.member(109);
    assert!(world.peers.want(world.now, peer(109)));
    world.decisions();
    assert_eq!(world.reach(109), instead_of(2));
    world.peers.want(world.now, peer(102));
    world.decisions();
    assert_eq!(world.reach(102), Welcome::Refuse(Unwelcome::Full), "both serve lookups");
}

#[test]
fn whom_a_lookup_waits_for_takes_the_place_of_one_that_was_dialled_and_serves_none_however_new() {
    let mut world = world(2);
    world.member(101);
    world.member(102);
    world.dials();
    world.reach(101);
    world.reach(102);
    world.peers.on_used(world.now, peer(101));
    world.member(103);
    assert!(world.peers.want(world.now, peer(103)));
    world.decisions();
    assert_eq!(world.reach(103), instead_of(102));
}

#[test]
fn whom_a_lookup_waits_for_takes_the_place_of_one_that_was_answered_and_not_of_one_that_still_waits() {
    let mut world = world(2);
    world.come(1);
    world.come(2);
    world.peers.on_used(world.now, peer(1));
    world.peers.on_used(world.now, peer(2));
    world.stake.insert(peer(1), Stake::Answer);
    world.advance(Duration::from_millis(30));
    world.member(103);
    assert!(world.peers.want(world.now, peer(103)));
    world.decisions();
    assert_eq!(world.reach(103), instead_of(2));
}

#[test]
fn of_peers_that_all_wait_the_one_that_calls_the_origin_stays() {
    let mut world = world(2);
    world.come(1);
    world.come(2);
    world.peers.on_used(world.now, peer(1));
    world.advance(STAND_MIN);
    world.peers.on_used(world.now, peer(2));
    world.stake.insert(peer(1), Stake::Call);
    world.stake.insert(peer(2), Stake::Answer);
    assert_eq!(world.come(3), instead_of(2), "though that one was of use later");
}

#[test]
fn a_dial_under_way_that_a_lookup_begins_to_wait_for_is_one_for_a_lookup() {
    let mut world = world(2);
    for number in 101..=103 {
        world.member(number);
    }
    assert_eq!(world.dials(), [address(101), address(102)]);
    world.come(1);
    world.come(2);
    world.advance(Duration::from_millis(300));
    assert!(world.peers.want(world.now, peer(102)));
    assert_eq!(world.reach(101), Welcome::Refuse(Unwelcome::Full), "nothing waits for it");
    assert_eq!(world.reach(102), instead_of(1));
}

#[test]
fn a_contact_that_lives_is_dialled_for_want_of_connections_alone_where_not_all_can_be_connected() {
    let mut world =
        World::with(&contacts([101]), PeerSettings { connections_max: 4, ..PeerSettings::default() }, 1);
    world.start();
    world.reach(101);
    world.peers.on_back(world.now, peer(101), &[place(101)]);
    for number in 1..=8 {
        world.member(number);
    }
    world.decisions();
    for number in 1..=3 {
        world.come(number);
    }
    world.decisions();
    world.lose(101);
    assert!(world.advance(secs(3600)).is_empty(), "three are enough");
    world.peers.on_gone(world.now, peer(101));
    let dials = world.advance(secs(60));
    assert_eq!(dials.first().map(|(_after, address)| address.clone()), Some(address(101)));
}

#[test]
fn a_contact_that_is_not_known_to_live_is_dialled_even_at_the_limit_and_let_in() {
    let settings = PeerSettings { connections_max: 2, ..PeerSettings::default() };
    let mut world = World::with(&contacts([101]), settings, 1);
    world.start();
    world.fail(&address(101), DialError::Unreachable);
    world.come(1);
    world.come(2);
    assert_eq!(world.until_dial(), [address(101)]);
    world.advance(STAND_MIN);
    assert_eq!(world.reach(101), instead_of(1));
    world.decisions();
    world.peers.on_back(world.now, peer(101), &[place(101)]);
    world.lose(101);
    world.come(3);
    assert!(world.advance(secs(3600)).is_empty(), "others lead to it");
}

#[test]
fn where_not_all_can_be_connected_a_node_leaves_a_quarter_of_its_connections_to_those_who_come() {
    let mut world = world(8);
    for number in 101..=120 {
        world.member(number);
    }
    assert_eq!(world.dials().len(), 8, "as long as no more were known");
    for number in 101..=108 {
        world.reach(number);
    }
    world.lose(101);
    world.lose(102);
    assert!(world.advance(secs(3600)).is_empty());
    world.lose(103);
    assert_eq!(world.until_dial().len(), 1);
}

#[test]
fn a_member_that_is_back_is_dialled_at_once_however_often_it_could_not_be_reached() {
    let mut world = World::new(&contacts([101]));
    world.start();
    world.fail(&address(101), DialError::Unreachable);
    world.advance_failing(secs(1000), DialError::Unreachable);
    world.peers.on_back(world.now, peer(101), &[]);
    assert_eq!(world.dials(), [address(101)]);
}
