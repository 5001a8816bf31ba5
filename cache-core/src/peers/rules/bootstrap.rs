//! The specification's bootstrap checks, as far as the core goes.

use super::super::{candidate::*, contact::*, world::*, *};
use crate::address::{ADDRESS_BYTES_MAX, with_peer};
use alloc::vec;

#[test]
fn no_more_than_ten_contacts_are_taken_in_their_order_and_dialled_at_once() {
    let mut world = World::new(&contacts((1..=15).rev()));
    let expected: Vec<_> = (6..=15).rev().map(address).collect();
    assert_eq!(world.start(), expected);
}

#[test]
fn a_node_skips_itself_in_a_list_that_every_host_is_given() {
    let by_id = Contact::new(with_peer("/ip4/203.0.113.7/tcp/9100", local()));
    let by_address = Contact::new(place(LOCAL_NUMBER));
    let by_given_id = Contact { address: "/dns4/here/tcp/9100".into(), peer: Some(local()) };
    let mut world = World::new(&[by_id, by_address, by_given_id, Contact::new(address(1))]);
    assert_eq!(world.start(), [address(1)]);
}

#[test]
fn skipped_contacts_take_no_place_of_the_ten() {
    let list = contacts([LOCAL_NUMBER, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(World::new(&list).start().len(), CONTACTS_MAX);
}

#[test]
fn five_addresses_with_two_repeats_are_three_contacts() {
    let elsewhere = Contact::new(with_peer("/ip4/192.0.2.1/udp/9100/quic-v1", peer(1)));
    let unnamed = Contact::new(place(3));
    let list = [contacts([1, 2]), vec![elsewhere, unnamed.clone(), unnamed]].concat();
    assert_eq!(World::new(&list).start(), [address(1), address(2), place(3)]);
}

#[test]
fn addresses_that_cannot_be_any_are_skipped() {
    let long = alloc::format!("/dns4/{}/tcp/9100", "a".repeat(ADDRESS_BYTES_MAX));
    let bad = ["", " ", "/ip4/10.0.0.1\n/tcp/9100", "/dns4/é/tcp/9100", &long];
    let list: Vec<_> = bad.into_iter().chain([&*place(1)]).map(Contact::new).collect();
    assert_eq!(World::new(&list).start(), [place(1)]);
}

#[test]
fn an_address_that_the_transport_cannot_parse_is_kept_only_as_a_contact() {
    let mut world = World::new(&[Contact::new("/ip4/256.256.256.256/tcp/9100")]);
    let dialed = world.start();
    world.fail(&dialed[0], DialError::BadAddress);
    let report = &world.peers.report(world.now)[0];
    assert_eq!((report.source, report.last_failure), (PeerSource::Contact, Some(DialError::BadAddress)));
    let due = world.peers.next_deadline().unwrap().saturating_since(world.now);
    assert!(BOOTSTRAP_INTERVAL / 2 <= due && due <= BOOTSTRAP_INTERVAL, "{due:?}");
}

#[test]
fn a_node_whose_contacts_all_fail_goes_on_alone_and_keeps_trying() {
    let mut world = World::new(&contacts(1..=3));
    let dials = world.advance_failing(secs(3600), DialError::Unreachable);
    for number in 1..=3 {
        let times: Vec<_> = dials.iter().filter(|(_, dialed)| *dialed == address(number)).collect();
        assert!((60..=130).contains(&times.len()), "{} dials in an hour", times.len());
        assert!(times.windows(2).all(|pair| pair[1].0 - pair[0].0 <= PAUSE_MAX));
    }
    assert!(world.peers.connected().is_empty());
}

#[test]
fn when_some_contacts_fail_the_rest_are_used() {
    let mut world = World::new(&contacts(1..=3));
    world.start();
    world.fail(&address(1), DialError::TimedOut);
    world.fail(&address(2), DialError::Unreachable);
    assert_eq!(world.reach(3), Welcome::Keep { instead_of: None });
    let connected: Vec<_> = world.peers.connected().keys().copied().collect();
    assert_eq!(connected, [peer(3)]);
    let dials = world.advance(PAUSE_MIN);
    assert_eq!(dials.len(), 2, "the others are tried again: {dials:?}");
}

#[test]
fn a_dial_that_is_never_reported_on_makes_room_for_others() {
    let mut world = World::new(&contacts(1..=10));
    assert_eq!(world.start().len(), DIALS_MAX);
    world.member(111);
    assert_eq!(world.dials(), [""; 0].map(Box::from));
    let dials = world.advance(DIAL_TIMEOUT + DIAL_GRACE);
    assert!(dials.iter().any(|(_, dialed)| *dialed == address(111)), "{dials:?}");
}

#[test]
fn contacts_that_fail_again_and_again_leave_room_for_members() {
    let mut world = World::new(&contacts(1..=10));
    world.start();
    world.advance(DIAL_TIMEOUT + DIAL_GRACE);
    world.advance(PAUSE_MIN);
    world.member(111);
    assert_eq!(world.dials(), [address(111)]);
}

#[test]
fn a_contact_without_an_id_is_whoever_answers_and_is_not_dialled_meanwhile() {
    let mut world = World::new(&[Contact::new("/dns4/seed/tcp/9100"), Contact::new(place(2))]);
    assert_eq!(world.start().len(), 2);
    // A transport may name the address behind the host's name.
    assert_eq!(world.reach(1), Welcome::Keep { instead_of: None });
    assert_eq!(world.reach(2), Welcome::Keep { instead_of: None });
    assert_eq!(world.advance(secs(3600)), []);
    world.lose(1);
    let dials = world.advance(PAUSE_MIN + COURTESY);
    assert_eq!(dials.len(), 1);
    assert_eq!(&*dials[0].1, "/dns4/seed/tcp/9100");
}
