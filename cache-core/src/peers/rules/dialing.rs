//! When peers are dialled, and when not.

use super::super::{candidate::*, world::*, *};
use alloc::vec;

#[test]
fn of_two_nodes_that_learn_of_each_other_the_smaller_id_dials_at_once() {
    let mut world = World::new(&[]);
    world.member(101);
    assert_eq!(world.dials(), [address(101)]);
    world.member(99);
    assert_eq!(world.dials(), vec![]);
    assert_eq!(world.advance(secs(5)), [(COURTESY, address(99))]);
}

#[test]
fn a_member_that_is_gone_before_its_turn_is_dialled_once_before_it_is_forgotten() {
    let mut world = World::new(&[]);
    world.member(99);
    assert_eq!(world.dials(), vec![]);
    world.peers.on_gone(world.now, peer(99));
    assert_eq!(world.dials(), [address(99)]);
    world.fail(&address(99), DialError::Unreachable);
    assert_eq!(world.advance(BOOTSTRAP_INTERVAL / 3), []);
    world.peers.on_forgotten(peer(99));
    assert_eq!(world.advance(secs(3600)), []);
}

#[test]
fn who_came_in_the_meantime_is_not_dialled() {
    let mut world = World::new(&[]);
    world.member(99);
    assert_eq!(world.come(99), Welcome::Keep { instead_of: None });
    assert_eq!(world.advance(secs(3600)), []);
}

#[test]
fn a_dial_that_was_decided_and_not_taken_is_withdrawn_when_its_peer_comes() {
    let mut world = World::new(&[]);
    world.member(101);
    world.come(101);
    assert_eq!(world.dials(), vec![]);
    world.lose(101);
    assert_eq!(world.advance(PAUSE_MIN).len(), 1);
}

#[test]
fn the_pause_doubles_with_every_failure_up_to_a_minute() {
    let mut world = World::new(&contacts([1]));
    let dials = world.advance_failing(secs(600), DialError::TimedOut);
    let pauses: Vec<_> = dials.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    for (failures, pause) in pauses.iter().enumerate() {
        let most = PAUSE_MIN.saturating_mul(1 << failures.min(10)).min(PAUSE_MAX);
        assert!(most / 2 <= *pause && *pause <= most, "pause {failures} is {pause:?}, not {most:?}");
    }
    assert!(pauses.len() > 8);
}

#[test]
fn pauses_of_two_nodes_differ() {
    let mut pauses = [1, 2].map(|seed| {
        let mut world = World::with(&contacts([1]), PeerSettings::default(), seed);
        world.advance_failing(secs(60), DialError::TimedOut)
    });
    assert_ne!(pauses[0].pop(), pauses[1].pop());
}

#[test]
fn a_connection_that_stood_for_a_while_ends_the_run_of_failures() {
    let mut world = World::new(&contacts([101]));
    world.advance_failing(secs(100), DialError::Unreachable);
    world.advance(PAUSE_MAX);
    world.reach(101);
    world.advance(STEADY_AFTER);
    world.lose(101);
    let dials = world.advance(PAUSE_MIN);
    assert_eq!(dials.len(), 1);
    assert_eq!(world.peers.report(world.now)[0].failures, 1);
}

#[test]
fn a_connection_that_breaks_off_early_counts_as_a_failure() {
    let mut world = World::new(&contacts([101]));
    world.start();
    for failures in 1..6 {
        world.reach(101);
        world.lose(101);
        assert_eq!(world.peers.report(world.now)[0].failures, failures);
        assert_eq!(world.until_dial(), [address(101)]);
    }
}

#[test]
fn after_a_loss_the_smaller_id_dials_again_and_the_other_waits_for_that() {
    let mut world = World::new(&contacts([99, 101]));
    world.start();
    world.reach(99);
    world.reach(101);
    world.advance(STEADY_AFTER);
    world.lose(99);
    world.lose(101);
    let dials = world.advance(secs(5));
    assert_eq!(dials.len(), 2);
    assert!(dials[0].0 <= PAUSE_MIN && dials[0].1 == address(101), "{dials:?}");
    assert!(dials[1].0 > COURTESY && dials[1].1 == address(99), "{dials:?}");
}

#[test]
fn the_next_address_of_a_peer_is_tried_at_once_and_the_good_one_first_thereafter() {
    let mut world = World::new(&[]);
    let addresses = ["/ip4/172.17.0.1/tcp/9100".into(), place(101)];
    world.peers.on_known(world.now, peer(101), &addresses);
    let first = world.dials();
    world.fail(&first[0], DialError::Unreachable);
    assert_eq!(world.dials(), [address(101)]);
    world.reach(101);
    world.advance(STEADY_AFTER);
    world.lose(101);
    assert_eq!(world.advance(PAUSE_MIN)[0].1, address(101));
}

#[test]
fn a_refused_secret_is_tried_again_much_later() {
    let mut world = World::new(&contacts([1]));
    let dials = world.advance_failing(secs(3600), DialError::Refused);
    assert!((13..=30).contains(&dials.len()), "{} dials in an hour", dials.len());
    assert!(dials[1].0 >= REFUSED_PAUSE_MIN / 2);
}

#[test]
fn an_address_that_leads_to_somebody_else_is_dropped_for_good() {
    let mut world = World::new(&[]);
    world.member(101);
    world.dials();
    world.fail(&address(101), DialError::WrongPeer);
    world.member(101);
    assert_eq!(world.advance(secs(7200)), []);
    // Elsewhere the peer may be found.
    world.peers.on_known(world.now, peer(101), &[place(55)]);
    assert_eq!(world.dials().len(), 1);
}

#[test]
fn an_address_that_leads_to_this_node_is_never_dialled_again_for_anybody() {
    let mut world = World::new(&[]);
    world.member(101);
    world.dials();
    world.fail(&address(101), DialError::Itself);
    world.peers.on_known(world.now, peer(102), &[place(101)]);
    assert_eq!(world.advance(secs(7200)), []);
}

#[test]
fn a_contact_where_somebody_else_answers_is_kept_and_tried_every_five_minutes() {
    let mut world = World::new(&contacts([1]));
    let dials = world.advance_failing(secs(3600), DialError::WrongPeer);
    assert!((12..=25).contains(&dials.len()), "{} dials in an hour", dials.len());
    let report = &world.peers.report(world.now)[0];
    assert_eq!(report.last_failure, Some(DialError::WrongPeer));
    assert!(matches!(report.state, PeerState::BackingOff { .. }));
}

#[test]
fn a_dial_that_another_connection_overtook_is_no_failure() {
    let mut world = World::new(&[]);
    world.member(101);
    world.dials();
    world.come(101);
    world.fail(&address(101), DialError::AlreadyConnected { peer: peer(101) });
    assert_eq!(world.advance(secs(3600)), []);
    assert_eq!(world.peers.report(world.now)[0].failures, 0);
}

#[test]
fn no_more_connections_are_made_or_taken_than_are_allowed() {
    let settings = PeerSettings { connections_max: 2, ..PeerSettings::default() };
    let mut world = World::with(&[], settings, 1);
    for number in 101..=105 {
        world.member(number);
    }
    assert_eq!(world.dials(), [address(101), address(102)]);
    world.reach(101);
    world.reach(102);
    assert_eq!(world.come(103), Welcome::Refuse(Unwelcome::Full));
    assert_eq!(world.decisions(), [PeerDecision::Disconnect { peer: peer(103) }]);
    for number in [101, 102] {
        world.peers.on_gone(world.now, peer(number));
        world.lose(number);
    }
    assert_eq!(world.dials(), [address(104)], "a place became free, and the other is for whoever comes");
}

#[test]
fn a_node_that_meets_itself_hangs_up() {
    let mut world = World::new(&[Contact::new("/dns4/anybody/tcp/9100")]);
    world.start();
    assert_eq!(world.reach(LOCAL_NUMBER), Welcome::Refuse(Unwelcome::Itself));
    assert_eq!(world.decisions(), [PeerDecision::Disconnect { peer: local() }]);
    assert!(world.advance(BOOTSTRAP_INTERVAL / 2 - secs(1)).is_empty());
    let dials = world.advance_failing(BOOTSTRAP_INTERVAL, DialError::Itself);
    assert!((1..=3).contains(&dials.len()), "{dials:?}");
}
