//! What peers are banned for, and for how long.

use super::super::{conduct::*, world::*, *};

/// Offences until `peer` is banned.
fn offend_until_banned(world: &mut World, number: u8, offence: Offence) -> (usize, Ban) {
    let mut bans = (1..100)
        .filter_map(|count| world.peers.on_offence(world.now, peer(number), offence).map(|ban| (count, ban)));
    bans.next().expect("a hundred offences bring a ban")
}

#[test]
fn every_offence_has_its_measure() {
    let measures = [
        (Offence::LiesAboutItself, 1),
        (Offence::BadEntry, 2),
        (Offence::Malformed, 5),
        (Offence::Unopened, 10),
    ];
    for (offence, count) in measures {
        let mut world = World::new(&[]);
        assert_eq!(offend_until_banned(&mut world, 1, offence).0, count, "{offence:?}");
    }
}

#[test]
fn a_banned_peer_is_disconnected_refused_and_not_dialled_until_the_ban_ends() {
    let mut world = World::new(&contacts([101]));
    world.start();
    world.reach(101);
    let ban = world.peers.on_offence(world.now, peer(101), Offence::LiesAboutItself).unwrap();
    assert_eq!(ban, Ban { until: world.now.saturating_add(BAN_TIME_MIN), offence: Offence::LiesAboutItself });
    assert_eq!(world.decisions(), [PeerDecision::Disconnect { peer: peer(101) }]);
    world.lose(101);
    assert_eq!(world.come(101), Welcome::Refuse(Unwelcome::Banned(ban)));
    assert_eq!(world.decisions(), [PeerDecision::Disconnect { peer: peer(101) }]);
    assert_eq!(world.peers.report(world.now)[0].state, PeerState::Banned(ban));
    assert_eq!(world.advance(BAN_TIME_MIN), [(BAN_TIME_MIN, address(101))]);
    assert_eq!(world.reach(101), Welcome::Keep { instead_of: None });
}

#[test]
fn a_dial_under_way_does_not_get_round_a_ban() {
    let mut world = World::new(&contacts([101]));
    world.start();
    world.peers.on_offence(world.now, peer(101), Offence::LiesAboutItself);
    assert!(matches!(world.reach(101), Welcome::Refuse(Unwelcome::Banned(_))));
}

#[test]
fn offences_during_a_ban_do_not_lengthen_it() {
    let mut world = World::new(&[]);
    let (_, ban) = offend_until_banned(&mut world, 1, Offence::Malformed);
    for _ in 0..100 {
        assert_eq!(world.peers.on_offence(world.now, peer(1), Offence::Malformed), None);
    }
    world.advance(BAN_TIME_MIN);
    assert_eq!(world.peers.report(ban.until), []);
}

#[test]
fn bans_in_a_row_double_up_to_an_hour_and_a_good_hour_is_remembered() {
    let mut world = World::new(&[]);
    let mut minutes = Vec::new();
    for _ in 0..8 {
        let (_, ban) = offend_until_banned(&mut world, 1, Offence::LiesAboutItself);
        minutes.push(ban.until.saturating_since(world.now).as_secs() / 60);
        world.now = ban.until;
    }
    assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
    world.now = world.now.saturating_add(secs(3600));
    let (_, ban) = offend_until_banned(&mut world, 1, Offence::LiesAboutItself);
    assert_eq!(ban.until.saturating_since(world.now), BAN_TIME_MIN);
}

#[test]
fn the_score_recovers_with_time_and_faster_with_use() {
    let mut world = World::new(&[]);
    world.come(1);
    let score = |world: &World| world.peers.report(world.now)[0].score;
    world.peers.on_offence(world.now, peer(1), Offence::BadEntry);
    assert_eq!(score(&world), -60);
    world.advance(secs(60));
    assert_eq!(score(&world), -50);
    for _ in 0..60 {
        world.advance(secs(1));
        world.peers.on_heard(world.now, peer(1));
    }
    assert_eq!(score(&world), -30);
    world.advance(secs(180));
    assert_eq!(score(&world), 0);
}

#[test]
fn silence_alone_brings_no_ban_and_ends_with_any_message_or_after_seconds() {
    let mut world = World::new(&[]);
    world.come(1);
    for _ in 0..100 {
        assert_eq!(world.peers.on_offence(world.now, peer(1), Offence::Silent), None);
    }
    let is_silent = |world: &World| world.peers.silent(world.now).any(|silent| silent == peer(1));
    assert!(is_silent(&world));
    world.peers.on_traffic(world.now, peer(1), 1);
    assert!(!is_silent(&world));
    world.peers.on_offence(world.now, peer(1), Offence::Silent);
    world.advance(SILENT_FOR - secs(1));
    assert!(is_silent(&world));
    world.advance(secs(1));
    assert!(!is_silent(&world));
    world.peers.on_offence(world.now, peer(1), Offence::Silent);
    world.lose(1);
    world.come(1);
    assert!(!is_silent(&world), "a new connection is a new beginning");
}

#[test]
fn a_warm_up_with_the_largest_bodies_is_no_flood() {
    let mut world = World::new(&[]);
    world.come(1);
    for _ in 0..1_000 {
        world.now = world.now.saturating_add(Duration::from_millis(100));
        // 80 MB/s: eight megabytes ten times a second for a hundred seconds, after a burst.
        let bytes = if world.now.as_unix_millis() < 1_001_000 { 24 << 20 } else { 6 << 20 };
        assert_eq!(world.peers.on_traffic(world.now, peer(1), bytes), Traffic::Within);
    }
}

#[test]
fn a_flood_is_dropped_at_once_and_banned_after_seconds() {
    let mut world = World::new(&[]);
    world.come(1);
    let begun = world.now;
    let (mut taken, mut dropped) = (0_u64, 0_u64);
    let ban = loop {
        world.now = world.now.saturating_add(Duration::from_millis(1));
        match world.peers.on_traffic(world.now, peer(1), 1 << 20) {
            Traffic::Within => taken += 1,
            Traffic::Over { ban: None } => dropped += 1,
            Traffic::Over { ban: Some(ban) } => break ban,
        }
    };
    let elapsed = world.now.saturating_since(begun);
    assert!(elapsed < secs(5), "{elapsed:?}");
    assert!(taken < 600 && dropped > 1_000, "{taken} taken, {dropped} dropped");
    assert_eq!(ban.offence, Offence::Flood);
    assert_eq!(world.decisions(), [PeerDecision::Disconnect { peer: peer(1) }]);
}

#[test]
fn a_peer_that_connects_again_has_no_new_allowance() {
    let mut world = World::new(&[]);
    world.come(1);
    while world.peers.on_traffic(world.now, peer(1), 8 << 20) == Traffic::Within {}
    world.lose(1);
    world.come(1);
    assert!(matches!(world.peers.on_traffic(world.now, peer(1), 8 << 20), Traffic::Over { .. }));
}

#[test]
fn what_is_held_against_peers_is_bounded_and_bans_stay_longest() {
    let mut conduct = Conduct::new(KNOWN_MIN);
    let now = Timestamp::from_unix_millis(1_000);
    let id = |number: u32| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        PeerId::from_public_key(key)
    };
    conduct.offend(now, id(0), Offence::LiesAboutItself);
    for number in 1..3_000 {
        conduct.offend(now, id(number), Offence::Unopened);
    }
    assert_eq!(conduct.len(), KNOWN_MIN);
    assert!(conduct.ban(now, id(0)).is_some());
}
