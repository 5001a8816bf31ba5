//! What discovery finds, and when it is asked.

use super::super::{book::FOUND_FOR, candidate::*, world::*, *};
use alloc::format;
use proptest::prelude::*;

/// A node that has this many ways to find contacts, and has looked once.
fn seeking(ways: u8) -> World {
    let mut world = World::with(&[], PeerSettings { ways, ..PeerSettings::default() }, 1);
    assert!(world.start().is_empty());
    world
}

fn find(world: &mut World, places: impl IntoIterator<Item = Box<str>>) -> Vec<Box<str>> {
    let contacts: Vec<Contact> = places.into_iter().map(Contact::new).collect();
    world.peers.on_found(world.now, Way(0), &contacts);
    world.dials()
}

/// `number` answers at its place, which was dialed without its id.
fn answer(world: &mut World, number: u8) {
    let side = (&*place(number), Side::Dialer);
    let welcome = world.peers.on_connected(world.now, peer(number), side, &world.stake);
    assert_eq!(welcome, Welcome::Keep { instead_of: None });
}

#[test]
fn without_a_way_to_find_contacts_none_are_sought() {
    let mut world = World::new(&contacts([1]));
    world.start();
    world.advance_failing(secs(3600), DialError::Unreachable);
    assert_eq!(world.seeks, 0);
}

#[test]
fn a_node_that_is_alone_seeks_at_once_and_then_less_and_less_often() {
    let mut world = seeking(1);
    assert_eq!(world.seeks, 1);
    world.advance(secs(4));
    assert!((3..=4).contains(&world.seeks), "{}", world.seeks);
    world.advance(secs(3600));
    let seeks = world.seeks;
    // Every 15 to 30 s.
    assert!((120..=250).contains(&seeks), "{seeks}");
}

#[test]
fn a_node_with_peers_enough_seeks_every_few_minutes_and_one_that_loses_them_at_once() {
    let mut world = seeking(1);
    for number in 1..=3 {
        world.come(number);
    }
    world.advance(secs(60));
    let seeks = world.seeks;
    world.advance(secs(3000));
    // Every 150 to 300 s.
    assert!((10..=20).contains(&(world.seeks - seeks)), "{}", world.seeks - seeks);
    let seeks = world.seeks;
    world.lose(1);
    world.advance(secs(1));
    assert_eq!(world.seeks, seeks + 1);
}

#[test]
fn an_address_without_an_id_is_dialed_at_once_and_leads_to_the_peer_that_answers() {
    let mut world = seeking(1);
    assert_eq!(find(&mut world, [place(1), place(1)]), [place(1)]);
    answer(&mut world, 1);
    let report = &world.peers.report(world.now)[0];
    assert_eq!((report.peer, report.source), (Some(peer(1)), PeerSource::Found(Way(0))));
    assert_eq!(find(&mut world, [place(1)]), [] as [Box<str>; 0]);
}

#[test]
fn a_node_does_not_dial_itself_nor_where_a_connected_member_is() {
    let mut world = seeking(1);
    world.member(1);
    world.reach(1);
    world.decisions();
    assert_eq!(find(&mut world, [place(LOCAL_NUMBER), address(LOCAL_NUMBER), place(1)]), [] as [Box<str>; 0]);
    assert_eq!(find(&mut world, [place(2)]), [place(2)]);
    // An address of its own that it did not know of.
    world.fail(&place(2), DialError::Itself);
    assert_eq!(find(&mut world, [place(2)]), [] as [Box<str>; 0]);
    let is_at_2 = |report: &PeerReport| report.address.as_deref() == Some(&*place(2));
    assert!(!world.peers.report(world.now).iter().any(is_at_2), "what is this node itself is no contact");
}

#[test]
fn a_peer_at_the_address_of_one_that_failed_is_dialed_whatever_its_id() {
    let mut world = seeking(1);
    world.member(1);
    world.advance_failing(secs(10), DialError::Unreachable);
    assert_eq!(find(&mut world, [place(1)]), [place(1)]);
}

#[test]
fn a_stranger_is_dialed_seldom_however_often_it_is_found_and_forgotten_when_it_is_found_no_more() {
    let mut world = seeking(1);
    let mut dials = find(&mut world, [place(1)]).len();
    world.fail(&place(1), DialError::Refused);
    for _ in 0..3600 {
        dials += find(&mut world, [place(1)]).len();
        dials += world.advance_failing(secs(1), DialError::Refused).len();
    }
    // After 30 s, 60 s, 120 s and so on to every 150 to 300 s.
    assert!((12..=30).contains(&dials), "{dials}");
    assert_eq!(world.peers.report(world.now).len(), 1);
    let dials = world.advance_failing(FOUND_FOR + BOOTSTRAP_INTERVAL, DialError::Refused).len();
    assert!(dials <= 8, "{dials}");
    assert_eq!(world.peers.report(world.now).len(), 0);
    assert_eq!(world.advance_failing(secs(3600), DialError::Refused).len(), 0);
}

#[test]
fn a_thousand_addresses_are_dialed_a_few_at_a_time_and_the_rest_is_not_kept() {
    let mut world = seeking(1);
    let many = || (0..1000).map(|port| format!("/ip4/10.1.0.1/tcp/{}", port + 1).into());
    assert_eq!(find(&mut world, many()).len(), 3);
    assert_eq!(world.peers.report(world.now).len(), FOUND_MAX);
    // A member is dialed all the same.
    world.member(1);
    world.advance(COURTESY);
    assert!(world.peers.is_dialing(peer(1)));
}

#[test]
fn an_address_that_failed_makes_room_for_one_that_was_found_later() {
    let mut world = seeking(1);
    let many = |from: u16| (from..from + 64).map(|port| format!("/ip4/10.1.0.1/tcp/{port}").into());
    let dials = find(&mut world, many(1));
    dials.iter().for_each(|address| world.fail(address, DialError::Unreachable));
    world.advance_failing(secs(1), DialError::Unreachable);
    find(&mut world, many(1000));
    let is_new = |report: &&PeerReport| report.address.as_deref().is_some_and(|it| it.contains("/tcp/1"));
    assert!(world.peers.report(world.now).iter().filter(is_new).count() > 32);
    assert_eq!(world.peers.report(world.now).len(), FOUND_MAX);
}

#[test]
fn a_node_with_peers_enough_tries_what_it_finds_one_after_the_other() {
    let mut world = seeking(1);
    for number in 1..=3 {
        world.come(number);
    }
    let dials = find(&mut world, (10..20).map(place));
    assert_eq!(dials.len(), 1);
    world.fail(&dials[0], DialError::Unreachable);
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn an_address_that_leads_to_a_peer_which_is_connected_is_settled_for_as_long_as_that_is() {
    let mut world = seeking(1);
    world.come(1);
    assert_eq!(find(&mut world, [place(1)]), [place(1)]);
    world.fail(&place(1), DialError::AlreadyConnected { peer: peer(1) });
    assert!(world.advance(secs(600)).is_empty());
    world.lose(1);
    assert_eq!(world.until_dial(), [place(1)]);
}

#[test]
fn look_ups_wait_for_the_first_finding_of_each_way_and_then_for_what_it_led_to() {
    let mut world = seeking(2);
    assert!(world.peers.awaits_first_contact());
    world.peers.on_found(world.now, Way(0), &[]);
    assert!(world.peers.awaits_first_contact(), "the other way may find something");
    world.peers.on_found(world.now, Way(1), &[Contact::new(place(1))]);
    assert!(world.peers.awaits_first_contact(), "what it found is being dialed");
    assert_eq!(world.dials(), [place(1)]);
    world.fail(&place(1), DialError::Unreachable);
    assert!(!world.peers.awaits_first_contact());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_is_found_is_bounded(
        reports in proptest::collection::vec((0_u8..5, 0_u16..2000, 0_usize..300, any::<bool>()), 0..20),
    ) {
        let mut world = seeking(2);
        for (way, from, count, is_named) in reports {
            let at = |port: usize| format!("/ip4/10.1.0.1/tcp/{}", usize::from(from) + port);
            let named = |port: usize| format!("{}/p2p/{}", at(port), peer((port % 256) as u8));
            let contacts: Vec<Contact> = (0..count)
                .map(|port| Contact::new(if is_named { named(port) } else { at(port) }))
                .collect();
            world.peers.on_found(world.now, Way(way), &contacts);
            for dialed in world.dials() {
                world.fail(&dialed, DialError::TimedOut);
            }
            prop_assert!(world.peers.report(world.now).len() <= FOUND_MAX);
            world.advance_failing(secs(7), DialError::Unreachable);
        }
    }
}
