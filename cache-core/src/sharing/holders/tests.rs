//! The members to ask for what was announced by name, compared with a list that is searched from end to end.

use super::*;
use alloc::vec::Vec;
use proptest::{collection, prelude::*};

#[test]
fn a_holder_is_asked_once_and_not_when_its_entry_is_stale() {
    let mut holders = Holders::default();
    holders.insert(at(0), name(1), peer(1), secs(10));
    assert_eq!(holders.take_fresh(at(9), &name(1)), Some(peer(1)));
    assert_eq!(holders.take_fresh(at(9), &name(1)), None);
    holders.insert(at(0), name(1), peer(1), secs(10));
    assert_eq!(holders.take_fresh(at(10), &name(1)), None);
    holders.insert(at(0), name(1), peer(1), Duration::MAX);
    holders.clear();
    assert_eq!(holders.take_fresh(at(0), &name(1)), None);
    assert!(holders.ends.is_empty());
}

#[test]
fn the_last_who_announced_it_is_asked() {
    let mut holders = Holders::default();
    holders.insert(at(0), name(1), peer(1), secs(1000));
    holders.insert(at(1), name(1), peer(2), secs(10));
    assert_eq!(holders.take_fresh(at(2), &name(1)), Some(peer(2)));
    assert_eq!(holders.take_fresh(at(2), &name(1)), None);
}

#[test]
fn of_too_many_the_one_that_is_stale_first_is_forgotten() {
    let mut holders = Holders::default();
    let count = u32::try_from(HOLDERS_MAX).unwrap();
    for number in 0..count {
        holders.insert(at(0), name(number), peer(1), secs(100 + u64::from(number)));
    }
    // One that will not last is no reason to forget another.
    holders.insert(at(0), name(count), peer(2), secs(1));
    assert_eq!(holders.take_fresh(at(0), &name(count)), None);
    assert_eq!(holders.holders.len(), HOLDERS_MAX);
    holders.insert(at(0), name(count), peer(2), secs(10_000));
    assert_eq!(holders.holders.len(), HOLDERS_MAX);
    assert_eq!(holders.take_fresh(at(0), &name(0)), None);
    assert_eq!(holders.take_fresh(at(0), &name(1)), Some(peer(1)));
    assert_eq!(holders.take_fresh(at(0), &name(count)), Some(peer(2)));
}

proptest! {
    #[test]
    fn the_latest_fresh_announcement_of_a_name_is_what_is_known(
        events in collection::vec((0_u32..6, 0_u8..4, 0_u64..20, 0_u64..5, any::<bool>()), 0..200),
    ) {
        let mut holders = Holders::default();
        let mut model: Vec<(Name, PeerId, Timestamp)> = Vec::new();
        let mut now = at(0);
        for (number, by, remaining, elapsed, is_announced) in events {
            now = now.saturating_add(secs(elapsed));
            let found = model.iter().position(|(known, _, _)| *known == name(number));
            let known = found.map(|found| model.remove(found));
            if is_announced {
                holders.insert(now, name(number), peer(by), secs(remaining));
                model.push((name(number), peer(by), now.saturating_add(secs(remaining))));
            } else {
                let fresh = known.filter(|(_, _, until)| *until > now).map(|(_, peer, _)| peer);
                prop_assert_eq!(holders.take_fresh(now, &name(number)), fresh);
            }
            prop_assert_eq!((holders.holders.len(), holders.ends.len()), (model.len(), model.len()));
        }
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn name(number: u32) -> Name {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Name::from_bytes(bytes)
}

fn peer(number: u8) -> PeerId {
    PeerId::from_public_key([number; 32])
}
