//! Rules of districts.

use super::*;
use crate::Member;
use alloc::vec::Vec;

fn peer(number: u32) -> PeerId {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_le_bytes());
    PeerId::from_public_key(key)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
}

fn name(number: u8) -> Name {
    Name::from_bytes([number; 32])
}

/// The peers after the first that share at least, or less than, so many bits with it.
fn those_that(are: impl Fn(u8) -> bool) -> impl Iterator<Item = PeerId> {
    let local = Place::of_peer(peer(0));
    (1..).map(peer).filter(move |other| are(local.shared(Place::of_peer(*other))))
}

fn outsider(peer: PeerId, depth: u8, members_count: u32, heard_at: Timestamp) -> Outsider {
    let member = Member::new(peer, 1, ["/ip4/192.0.2.1/tcp/1"]);
    Outsider { member, place: Place::of_peer(peer), depth, members_count, heard_at }
}

fn districts(max: usize, depth: u8) -> Districts {
    let mut districts = Districts::new(peer(0), max);
    districts.depth = depth;
    districts
}

#[test]
fn a_fleet_up_to_the_limit_is_one_district_in_which_everybody_is_at_home() {
    let districts = districts(192, 0);
    assert!(!districts.is_too_large(192));
    assert!(districts.is_undivided() && (1..100).all(|number| districts.is_neighbour(peer(number))));
    assert!((0..100).all(|number| districts.is_home_of(&name(number))));
}

#[test]
fn one_more_splits_it_and_each_half_has_about_half_of_members_and_names() {
    let mut districts = districts(192, 0);
    assert!(districts.is_too_large(193));
    districts.split();
    let neighbours = (1..=1000).filter(|number| districts.is_neighbour(peer(*number))).count();
    assert!((420..580).contains(&neighbours), "{neighbours}");
    let far = those_that(|shared| shared == 0).next().expect("half of all do");
    districts.outsiders.learn(at(0), outsider(far, 1, 96, at(0)), 1);
    let names = (0..=255).filter(|number| districts.is_home_of(&name(*number))).count();
    assert!((90..166).contains(&names), "{names}");
}

#[test]
fn what_a_neighbour_says_of_a_split_is_followed_by_a_district_that_is_large_and_by_a_newcomer() {
    let near = those_that(|shared| shared >= 1).next().expect("half of all do");
    let said = Said { depth: 1, members_count: 97 };
    for (count, follows) in [(190, true), (100, true), (96, false), (49, false), (48, true), (1, true)] {
        let mut districts = districts(192, 0);
        assert_eq!(districts.on_said(at(0), near, said, count), follows, "{count}");
    }
}

#[test]
fn a_peer_that_counts_itself_out_is_not_of_our_district_however_small_that_is() {
    let far = those_that(|shared| shared == 0).next().expect("half of all do");
    let mut here = districts(192, 0);
    assert!(here.on_said(at(0), far, Said { depth: 5, members_count: 90 }, 100));
    assert_eq!(here.depth(), 1, "no more bits than tell the two apart");
    let mut alone = districts(192, 0);
    assert!(alone.on_said(at(0), far, Said { depth: 5, members_count: 90 }, 1));
    assert_eq!(alone.depth(), 5, "other districts will be as deep");
    let mut bounded = districts(192, 0);
    assert!(!bounded.on_said(at(0), far, Said { depth: DEPTH_MAX + 1, members_count: 9 }, 1));
}

#[test]
fn two_halves_that_stay_small_unite_and_a_half_that_does_not_follow_divides_them_again() {
    let half: Vec<PeerId> = those_that(|shared| shared == 1).take(2).collect();
    let mut here = districts(192, 2);
    here.outsiders.learn(at(0), outsider(half[0], 2, 70, at(0)), 2);
    assert!(!here.on_due(at(1), 50) && !here.on_due(at(30), 50));
    assert!(!here.on_due(at(31), 51), "together 121 are too many, and the time begins anew");
    assert!(!here.on_due(at(40), 50) && here.on_due(at(70), 50));
    assert_eq!(here.depth(), 1);
    let apart = Said { depth: 2, members_count: 70 };
    assert!(!here.on_said(at(71), half[0], apart, 120), "it may not have heard of it yet");
    assert!(here.on_said(at(101), half[0], apart, 120));
    assert_eq!(here.depth(), 2);
    assert!(!here.on_due(at(110), 50) && !here.on_due(at(150), 50), "not again at once");
}

#[test]
fn a_half_follows_the_other_one_if_it_is_small_itself() {
    let half = those_that(|shared| shared == 1).next().expect("a quarter of all do");
    for (count, follows) in [(50, true), (51, false)] {
        let mut here = districts(192, 2);
        here.outsiders.learn(at(0), outsider(half, 2, 70, at(0)), 2);
        let said = Said { depth: 1, members_count: 120 };
        assert_eq!(here.on_said(at(1), half, said, count), follows, "{count}");
    }
}

#[test]
fn a_half_that_is_divided_itself_or_large_stays_apart() {
    let half = those_that(|shared| shared == 1).next().expect("a quarter of all do");
    for (depth, count) in [(3, 10), (2, 110)] {
        let mut here = districts(192, 2);
        here.outsiders.learn(at(0), outsider(half, depth, count, at(0)), 2);
        assert!(!here.on_due(at(0), 20) && !here.on_due(at(100), 20));
    }
}

#[test]
fn a_peer_that_wants_to_hear_of_other_districts_is_told_once_while_it_is_connected() {
    let mut here = districts(192, 1);
    let near = those_that(|shared| shared >= 1).next().expect("half of all do");
    for _connection in 0..2 {
        here.on_said(at(0), near, Said { depth: 1, members_count: 2 }, 90);
        assert!(here.answers_once(near) && !here.answers_once(near));
        here.on_disconnected(near);
    }
}

#[test]
fn of_one_district_the_nearest_of_those_heard_from_lately_are_known_and_of_all_no_more_than_the_bound() {
    let mut here = districts(192, 2);
    let local = here.place();
    let mut others: Vec<PeerId> = those_that(|shared| shared == 1).take(8).collect();
    others.sort_by_key(|peer| Place::of_peer(*peer).distance(local));
    // The two nearest were heard of long ago, and the next one lately.
    for (peer, heard) in others.iter().zip([1, 0, 200, 201, 202, 203, 204, 205]).rev() {
        here.outsiders.learn(at(210), outsider(*peer, 2, 90, at(heard)), 2);
    }
    let known = |here: &Districts| -> Vec<usize> {
        (0..8).filter(|number| here.outsiders.get(others[*number]).is_some()).collect()
    };
    assert_eq!(known(&here), [2, 3, 4]);
    // Once all are old, the ones heard from last are kept.
    here.outsiders.learn(at(500), outsider(others[0], 2, 90, at(300)), 2);
    assert_eq!(known(&here), [0, 3, 4]);
    let mut deep = districts(192, 10);
    for peer in those_that(|shared| shared < 10).take(3000) {
        deep.outsiders.learn(at(10), outsider(peer, 10, 90, at(9)), 10);
    }
    assert_eq!(deep.outsiders.len(), outsiders::OUTSIDERS_MAX);
}

#[test]
fn what_nobody_has_heard_of_for_long_is_forgotten() {
    let mut here = districts(192, 1);
    let far = those_that(|shared| shared == 0).next().expect("half of all do");
    here.outsiders.learn(at(0), outsider(far, 1, 90, at(0)), 1);
    here.outsiders.tidy(at(899), |_| false);
    assert_eq!(here.outsiders.len(), 1);
    here.outsiders.tidy(at(900), |_| false);
    assert_eq!(here.outsiders.len(), 0);
    assert!(!here.outsiders.learn(at(900), outsider(far, 1, 90, at(0)), 1));
}

#[test]
fn what_could_not_be_reached_is_known_again_once_somebody_has_heard_from_it_since() {
    let mut here = districts(192, 1);
    let far = those_that(|shared| shared == 0).next().expect("half of all do");
    assert!(here.outsiders.learn(at(0), outsider(far, 1, 90, at(0)), 1));
    here.outsiders.on_vain(at(5), far);
    assert!(!here.outsiders.learn(at(9), outsider(far, 1, 90, at(5)), 1));
    assert!(here.outsiders.learn(at(9), outsider(far, 1, 90, at(6)), 1));
    for peer in those_that(|shared| shared == 0).skip(1).take(outsiders::VAIN_MAX + 1) {
        here.outsiders.on_vain(at(10), peer);
    }
    here.outsiders.on_vain(at(11), far);
    let kept = those_that(|shared| shared == 0).skip(1).take(outsiders::VAIN_MAX + 1);
    let known = kept.filter(|peer| here.outsiders.learn(at(12), outsider(*peer, 1, 90, at(9)), 10)).count();
    assert!(known >= 2, "the first that could not be reached are forgotten: {known}");
}

#[test]
fn the_one_asked_for_a_name_is_nearer_to_it_than_this_node_and_as_near_as_any() {
    let mut here = districts(192, 3);
    for peer in those_that(|shared| shared < 3).take(60) {
        here.outsiders.learn(at(0), outsider(peer, 3, 90, at(0)), 3);
    }
    let mut asked = 0;
    for name in (0..=255).map(name).filter(|name| !here.is_home_of(name)) {
        let place = Place::of_name(&name);
        let gate =
            here.outsiders.gate(at(0), &name, 3, |_| false, |_| true).expect("every district is known");
        assert!(Place::of_peer(gate).shared(place) >= 3 && here.place().shared(place) < 3);
        assert!(Place::of_peer(gate).distance(place) < here.place().distance(place));
        asked += 1;
    }
    assert!(asked > 200);
}

#[test]
fn if_no_district_begins_as_a_name_does_all_agree_on_the_nearest() {
    let places = those_that(|shared| shared >= 1).take(40).collect::<Vec<_>>();
    for name in (0..=255).map(name) {
        let at_home = places.iter().filter(|local| {
            let mut here = Districts::new(**local, 192);
            here.depth = 10;
            for other in places.iter().filter(|other| *other != *local) {
                here.outsiders.learn(at(0), outsider(*other, 10, 1, at(0)), 10);
            }
            here.is_home_of(&name)
        });
        assert_eq!(at_home.count(), 1, "{name:?}");
    }
}

#[test]
fn nodes_of_one_district_choose_different_members_to_ask() {
    let others: Vec<PeerId> = those_that(|shared| shared == 0).take(400).collect();
    let here = Place::of_peer(peer(0));
    let target = (0..=255).map(name).find(|name| Place::of_name(name).shared(here) == 0);
    let target = target.expect("half of all are at home elsewhere");
    let choices = those_that(|shared| shared >= 1).take(100).map(|local| {
        let mut outsiders = Outsiders::new(Place::of_peer(local));
        for other in &others {
            outsiders.learn(at(0), outsider(*other, 1, 90, at(0)), 1);
        }
        outsiders.gate(at(0), &target, 1, |_| false, |_| true).expect("some are known")
    });
    let mut asked_by: BTreeMap<PeerId, usize> = BTreeMap::new();
    choices.for_each(|choice| *asked_by.entry(choice).or_default() += 1);
    let most = asked_by.values().max().copied().unwrap_or_default();
    assert!(asked_by.len() >= 50 && most <= 5, "{} are asked, one by {most}", asked_by.len());
}

#[test]
fn a_connected_member_is_asked_before_others_of_its_district() {
    let mut here = districts(192, 1);
    let far: Vec<PeerId> = those_that(|shared| shared == 0).take(3).collect();
    for peer in &far {
        here.outsiders.learn(at(0), outsider(*peer, 1, 90, at(0)), 1);
    }
    let name = (0..=255).map(name).find(|name| !here.is_home_of(name)).expect("half of all are");
    for liked in &far {
        assert_eq!(here.outsiders.gate(at(0), &name, 1, |peer| peer == *liked, |_| true), Some(*liked));
    }
    let rest = here.outsiders.gate(at(0), &name, 1, |_| false, |peer| peer != far[0] && peer != far[1]);
    assert_eq!((rest, here.outsiders.gate(at(0), &name, 1, |_| true, |_| false)), (Some(far[2]), None));
    let told = here.outsiders.next_told(2);
    assert_eq!((told.len(), here.outsiders.next_told(9).len()), (2, 3));
}
