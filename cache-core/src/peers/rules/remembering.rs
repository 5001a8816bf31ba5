//! Members of the last run are tried as well as the contacts, and forgotten if they are no longer there.

use super::super::{candidate::*, contact::*, world::*, *};
use crate::REMEMBERED_MAX;

fn remembering(contacts: &[Contact], numbers: impl IntoIterator<Item = u8>) -> World {
    let member = |number| Member::new(peer(number), 0, [&*place(number)]);
    let remembered: Vec<Member> = numbers.into_iter().map(member).collect();
    World::remembering(contacts, &remembered, (PeerSettings::default(), 1))
}

#[test]
fn who_was_there_before_is_dialled_at_once_beside_the_contacts() {
    let mut world = remembering(&contacts([1]), [2, 3, 1, LOCAL_NUMBER]);
    let dials = world.start();
    assert_eq!(dials[0], address(1), "contacts come first");
    assert_eq!(dials.len(), 3, "each once, and never this node: {dials:?}");
    world.reach(2);
    let sources = world.peers.report(world.now).into_iter().map(|report| (report.peer, report.source));
    assert!(sources.into_iter().any(|found| found == (Some(peer(2)), PeerSource::Remembered)));
}

#[test]
fn contacts_that_are_dead_keep_nobody_from_who_was_there_before() {
    let mut world = remembering(&contacts(1..=10), [11]);
    for dialed in world.start() {
        world.fail(&dialed, DialError::TimedOut);
    }
    let (_, next) = world.advance(PAUSE_MIN).swap_remove(0);
    assert_eq!(next, address(11));
}

#[test]
fn no_more_than_sixteen_are_taken() {
    let mut world = remembering(&[], 1..=20);
    let mut dialed = world.start();
    while let Some(address) = dialed.pop() {
        world.fail(&address, DialError::Refused);
        dialed.extend(world.dials());
    }
    assert_eq!(world.peers.report(world.now).len(), REMEMBERED_MAX);
}

#[test]
fn whoever_is_no_longer_there_is_forgotten_as_soon_as_others_are_found() {
    let mut world = remembering(&[], [1, 2]);
    world.start();
    let knows = |world: &World, number| {
        world.peers.report(world.now).iter().any(|report| report.peer == Some(peer(number)))
    };
    // While no peer is there it is all that is left to try.
    world.fail(&address(2), DialError::Unreachable);
    world.fail(&address(1), DialError::Unreachable);
    let day = Duration::from_secs(24 * 3600);
    assert!(world.advance_failing(day, DialError::Unreachable).len() > 500);
    assert!(knows(&world, 1) && knows(&world, 2));
    world.come(2);
    let last = world.advance_failing(day, DialError::Unreachable);
    assert_eq!(last.len(), 1, "{last:?}");
    assert!(!knows(&world, 1));
}

#[test]
fn one_that_membership_confirms_is_a_member_like_others() {
    let mut world = remembering(&[], [1]);
    world.start();
    world.peers.on_known(world.now, peer(1), &[address(1)]);
    world.fail(&address(1), DialError::Unreachable);
    assert_eq!(world.peers.report(world.now)[0].source, PeerSource::Membership);
    world.peers.on_gone(world.now, peer(1));
    assert!(world.peers.report(world.now).is_empty());
}
