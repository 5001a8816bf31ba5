//! Whatever a peer that knows the secret may send: nothing panics, nothing grows, and the fleet recovers.

extern crate std;

use super::{super::*, Fleet, peer};
use crate::membership::wire::MEMBERSHIP_BYTES_MAX;
use alloc::{boxed::Box, vec};
use bytes::BufMut as _;
use foca::Codec as _;
use proptest::{collection, prelude::*, sample, test_runner::FileFailurePersistence};

/// As many members as are known by default.
const MEMBERS_MAX: usize = crate::peers::KNOWN_MIN;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/regressions/membership.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_members_claim_the_engine_is_told_a_consistent_story(
        local in boot(),
        inputs in collection::vec(input(), 1..60),
    ) {
        let mut victim = Victim::new(local);
        for input in inputs {
            victim.handle(input);
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_refused_and_change_nothing(bytes in collection::vec(any::<u8>(), 0..300)) {
        let mut victim = Victim::new(1);
        victim.membership.on_message(victim.now, peer(1), &bytes).unwrap_err();
        prop_assert_eq!(victim.membership.poll_decision(), None);
        prop_assert_eq!(victim.membership.known_count(), 0);
    }

    #[test]
    fn a_message_cut_short_or_with_a_tail_is_refused(
        header in header(),
        updates in collection::vec(update(), 0..5),
        at in any::<sample::Index>(),
    ) {
        let updates = if header.message == foca::Message::TurnUndead { Vec::new() } else { distinct(updates) };
        let bytes = write(&header, &updates);
        let (sender, mut victim) = (header.src.0.peer(), Victim::new(1));
        let parsed = parse_message(&bytes).unwrap();
        let cut = at.index(bytes.len());
        // Without the count and what follows it a message is whole.
        if cut != parsed.header_bytes {
            victim.membership.on_message(victim.now, sender, &bytes[..cut]).unwrap_err();
        }
        let tail = [&bytes[..], &[0]].concat();
        victim.membership.on_message(victim.now, sender, &tail).unwrap_err();
    }
}

#[test]
fn messages_from_or_to_another_than_they_say_are_refused() {
    let mut victim = Victim::new(5);
    let from_to = |src, dst, message| {
        let [src, dst] = [src, dst].map(|number| Identity::bare(peer(number), 5));
        write(&foca::Header { src, src_incarnation: 0, dst, message }, &[])
    };
    let mut refuse = |from, bytes: &[u8]| {
        assert_eq!(victim.membership.on_message(victim.now, peer(from), bytes), Err(Malformed));
        assert_eq!((victim.membership.poll_decision(), victim.membership.known_count()), (None, 0));
    };
    refuse(1, &from_to(2, 0, foca::Message::Gossip));
    refuse(1, &from_to(1, 2, foca::Message::Gossip));
    refuse(0, &from_to(0, 0, foca::Message::Gossip));
    refuse(1, &vec![0; MEMBERSHIP_BYTES_MAX + 1]);
    let twice = [(); 2].map(|()| foca::Member::alive(Identity::bare(peer(2), 5)));
    let header = foca::Header {
        src: Identity::bare(peer(1), 5),
        src_incarnation: 0,
        dst: Identity::bare(peer(0), 5),
        message: foca::Message::Gossip,
    };
    refuse(1, &write(&header, &twice));
    let with_updates = foca::Header { message: foca::Message::Announce, ..header };
    refuse(1, &write(&with_updates, &twice[..1]));
}

#[test]
fn a_hundred_thousand_invented_members_take_no_more_room_than_the_table_has() {
    for state in [foca::State::Alive, foca::State::Down] {
        let mut victim = Victim::new(1);
        for batch in 0..200 {
            let strangers = (0..500).map(|number| Identity::bare(peer(1000 + batch * 500 + number), 1));
            let updates: Vec<_> = strangers.map(|stranger| foca::Member::new(stranger, 0, state)).collect();
            victim.hear(1, 1, foca::Message::Gossip, &updates);
            victim.pass(Duration::from_millis(1));
        }
        assert_eq!(victim.membership.known_count(), MEMBERS_MAX);
    }
}

#[test]
fn a_node_that_was_told_of_more_members_than_it_can_hold_lets_the_next_real_one_in() {
    let flooded = |state| {
        let mut victim = Victim::new(1);
        for batch in 0..10 {
            let strangers = (0..500).map(|number| Identity::bare(peer(1000 + batch * 500 + number), 1));
            let updates: Vec<_> = strangers.map(|stranger| foca::Member::new(stranger, 0, state)).collect();
            victim.hear(1, 1, foca::Message::Gossip, &updates);
        }
        victim
    };
    // Those that never lived are found out one by one.
    let mut victim = flooded(foca::State::Alive);
    assert_eq!(victim.up.len(), MEMBERS_MAX);
    for _second in 0..500 {
        victim.pass(Duration::from_secs(1));
        victim.sent.clear();
    }
    victim.hear(2, 1, foca::Message::Announce, &[]);
    assert!(victim.up.contains_key(&peer(2)));

    // News that no member is left to be told of does not keep out the next one that comes.
    let mut victim = flooded(foca::State::Down);
    victim.hear(1, 1, foca::Message::Gossip, &[foca::Member::down(Identity::bare(peer(1), 1))]);
    assert!(
        victim.up.is_empty() && victim.membership.foca.updates_backlog() >= NEWS_PER_MEMBER * MEMBERS_MAX
    );
    victim.hear(2, 1, foca::Message::Announce, &[]);
    assert!(victim.up.contains_key(&peer(2)));
}

#[test]
fn who_has_just_renewed_itself_still_notices_a_crash() {
    let mut victim = Victim::new(1);
    victim.hear(1, 1, foca::Message::Announce, &[]);
    victim.hear(1, 1, foca::Message::TurnUndead, &[]);
    assert_eq!(victim.membership.local().boot(), 2);
    victim.pass(Duration::from_secs(5));
    assert!(victim.up.is_empty());
}

#[test]
fn whom_another_still_takes_for_alive_we_meet_though_we_took_it_for_gone() {
    let mut victim = Victim::new(1);
    let (vouched, later) = (Identity::bare(peer(2), 7), Identity::bare(peer(2), 8));
    let alive = |identity: &Identity| [foca::Member::alive(identity.clone())];
    victim.handle(Claim::Connected(1));
    victim.hear(1, 1, foca::Message::Feed, &alive(&vouched));
    let down = foca::Member::new(vouched.clone(), 0, foca::State::Down);
    victim.hear(1, 1, foca::Message::Gossip, &[down]);
    assert_eq!(victim.up.keys().copied().collect::<Vec<_>>(), [peer(1)]);
    // News may be on its way, and what is not a feed is passed on by members that do not know better.
    victim.hear(1, 1, foca::Message::Feed, &alive(&vouched));
    victim.pass(DOUBT_AFTER);
    victim.hear(1, 1, foca::Message::Gossip, &alive(&vouched));
    assert_eq!(victim.doubted, []);
    victim.hear(1, 1, foca::Message::Feed, &alive(&vouched));
    assert_eq!(victim.doubted, [peer(2)]);
    assert_eq!(victim.forgotten, []);
    // With a connection there are introductions, and with a later boot number nothing is in doubt.
    victim.handle(Claim::Connected(2));
    victim.hear(1, 1, foca::Message::Feed, &alive(&vouched));
    victim.handle(Claim::Disconnected(2));
    victim.hear(1, 1, foca::Message::Feed, &alive(&later));
    victim.hear(1, 1, foca::Message::Feed, &alive(&later));
    assert_eq!(victim.doubted, [peer(2)]);
}

#[test]
fn who_is_down_for_long_is_not_looked_for_any_more() {
    let mut victim = Victim::new(1);
    let gone = Identity::bare(peer(2), 7);
    victim.handle(Claim::Connected(1));
    victim.hear(1, 1, foca::Message::Feed, &[foca::Member::alive(gone.clone())]);
    victim.hear(1, 1, foca::Message::Gossip, &[foca::Member::new(gone.clone(), 0, foca::State::Down)]);
    victim.pass(DOWN_REMEMBERED - Duration::from_millis(1));
    assert!(!victim.forgotten.contains(&peer(2)));
    victim.pass(Duration::from_millis(1));
    assert!(victim.forgotten.contains(&peer(2)));
}

#[test]
fn a_sender_with_an_outdated_boot_number_is_told_which_one_to_outbid() {
    let mut victim = Victim::new(1);
    victim.hear(1, 1000, foca::Message::Gossip, &[foca::Member::down(Identity::bare(peer(1), 1000))]);
    victim.sent.clear();
    victim.hear(1, 3, foca::Message::Gossip, &[]);
    let (to, told) = &victim.sent[0];
    assert_eq!((to, told.header.dst.0.boot()), (&peer(1), 1000));
}

#[test]
fn however_often_a_peer_says_that_we_are_down_we_renew_ourselves_twice_a_second() {
    let mut victim = Victim::new(1);
    victim.hear(1, 1, foca::Message::Announce, &[]);
    for _millisecond in 0..2_000 {
        victim.hear(1, 1, foca::Message::TurnUndead, &[]);
        let down = foca::Member::down(victim.membership.foca.identity().clone());
        victim.hear(1, 1, foca::Message::Gossip, &[down]);
        victim.pass(Duration::from_millis(1));
    }
    assert_eq!(victim.membership.local().boot(), 1 + 4);
}

#[test]
fn whatever_boot_number_of_ours_is_forged_all_know_us_again_within_seconds() {
    for (forged, state) in [
        (u64::MAX, foca::State::Down),
        (u64::MAX, foca::State::Alive),
        (1 << 63, foca::State::Down),
        (0, foca::State::Alive),
    ] {
        let mut fleet = Fleet::formed(5, 1);
        let now = fleet.now();
        let forgery = foca::Member::new(Identity::bare(peer(4), forged), u16::MAX, state);
        let members = [1, 2, 3].map(|number| fleet.membership(number).foca.identity().clone());
        for (number, dst) in [1, 2, 3].into_iter().zip(members) {
            let src = fleet.membership(0).foca.identity().clone();
            let header = foca::Header { src, src_incarnation: 0, dst, message: foca::Message::Gossip };
            let bytes = write(&header, core::slice::from_ref(&forgery));
            fleet.nodes[number].membership.as_mut().unwrap().on_message(now, peer(0), &bytes).unwrap();
        }
        let knows_us = |fleet: &Fleet| {
            let ours = fleet.membership(4).local();
            fleet.up().take(4).all(|node| node.member(peer(4)) == Some(ours))
        };
        fleet.until(5_000, knows_us).unwrap_or_else(|| panic!("{forged} {state:?}"));
        fleet.run(5_000);
        assert!(fleet.is_complete() && knows_us(&fleet), "{forged} {state:?}");
    }
}

#[test]
fn we_pass_nothing_on_to_strangers_or_to_ourselves() {
    let mut victim = Victim::new(1);
    victim.hear(1, 1, foca::Message::Announce, &[]);
    for number in [0, 7] {
        for boot in [0, 1, 2] {
            let target = Identity::bare(peer(number), boot);
            victim.hear(1, 1, foca::Message::PingReq { target: target.clone(), probe_number: 1 }, &[]);
            victim.hear(1, 1, foca::Message::IndirectAck { target, probe_number: 1 }, &[]);
        }
    }
    assert!(victim.sent.iter().all(|(to, _)| *to == peer(1)));
}

/// The member under attack; number 0. Holds everything that is told to the engine to account.
struct Victim {
    membership: Membership,
    now: Timestamp,
    up: BTreeMap<PeerId, Member>,
    sent: Vec<(PeerId, Parsed)>,
    doubted: Vec<PeerId>,
    forgotten: Vec<PeerId>,
}

#[derive(Clone, Debug)]
enum Claim {
    Connected(usize),
    Disconnected(usize),
    Message { header: foca::Header<Identity>, is_to_us: bool, updates: Vec<foca::Member<Identity>> },
    Pass(Duration),
}

impl Victim {
    fn new(boot: u64) -> Self {
        let local = Member::new(peer(0), boot, ["/ip4/192.0.2.1/tcp/1"]);
        let membership = Membership::new(local, 1, &MembershipSettings::default());
        Self {
            membership,
            now: Timestamp::from_unix_millis(1),
            up: BTreeMap::new(),
            sent: Vec::new(),
            doubted: Vec::new(),
            forgotten: Vec::new(),
        }
    }

    fn handle(&mut self, claim: Claim) {
        match claim {
            Claim::Connected(number) => self.membership.on_connected(self.now, peer(number)),
            Claim::Disconnected(number) => self.membership.on_disconnected(self.now, peer(number), End::Lost),
            Claim::Message { mut header, is_to_us, updates } => {
                if is_to_us {
                    header.dst = self.membership.foca.identity().clone();
                }
                let sender = header.src.0.peer();
                // Refused or not, what follows must hold.
                let _refused =
                    self.membership.on_message(self.now, sender, &write(&header, &distinct(updates)));
            }
            Claim::Pass(time) => return self.pass(time),
        }
        self.settle(16);
    }

    /// Takes a message that only asks for what members may ask.
    fn hear(
        &mut self,
        from: usize,
        boot: u64,
        message: foca::Message<Identity>,
        updates: &[foca::Member<Identity>],
    ) {
        let dst = self.membership.foca.identity().clone();
        let header = foca::Header { src: Identity::bare(peer(from), boot), src_incarnation: 0, dst, message };
        self.membership.on_message(self.now, peer(from), &write(&header, updates)).unwrap();
        self.settle(16);
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        while let Some(due) = self.membership.next_deadline().filter(|due| *due <= self.now) {
            self.membership.on_due(due);
            self.settle(64);
        }
    }

    fn settle(&mut self, sends_max: usize) {
        let sent_before = self.sent.len();
        while let Some(decision) = self.membership.poll_decision() {
            match decision {
                Decision::Doubted(member) => {
                    assert!(!self.up.contains_key(&member.peer()));
                    self.doubted.push(member.peer());
                }
                Decision::Down { peer } => assert!(self.up.remove(&peer).is_some()),
                Decision::Forgotten { peer } => {
                    assert!(!self.up.contains_key(&peer));
                    self.forgotten.push(peer);
                }
                Decision::Renewed(member) => assert!(self.up.insert(member.peer(), member).is_some()),
                Decision::Send { to, bytes } => {
                    let message = parse_message(&bytes).expect("what we write we can read");
                    self.sent.push((to, message));
                }
                Decision::Twins { .. } => {}
                Decision::Up(member) => assert!(self.up.insert(member.peer(), member).is_none()),
            }
        }
        let sent = &self.sent[sent_before..];
        assert!(
            sent.len() <= sends_max && sent.iter().all(|(to, _)| *to != peer(0)),
            "{} messages",
            sent.len()
        );
        assert!(!self.up.contains_key(&peer(0)));
        assert!(self.up.values().eq(self.membership.members()));
        assert!(self.membership.known_count() <= MEMBERS_MAX);
        assert!(self.membership.foca.updates_backlog() <= (NEWS_PER_MEMBER + 1) * MEMBERS_MAX);
        assert!(self.membership.effects.timers.len() <= MEMBERS_MAX + 32);
    }
}

/// Bytes as an attacker writes them: by our own codec, from parts of which no member would think.
fn write(header: &foca::Header<Identity>, updates: &[foca::Member<Identity>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    MembershipCodec.encode_header(header, &mut bytes).unwrap();
    if !updates.is_empty() {
        bytes.put_u16(updates.len().try_into().unwrap());
        updates.iter().for_each(|update| MembershipCodec.encode_member(update, &mut bytes).unwrap());
    }
    bytes
}

fn distinct(mut updates: Vec<foca::Member<Identity>>) -> Vec<foca::Member<Identity>> {
    let mut seen = BTreeSet::new();
    updates.retain(|update| seen.insert(update.id().0.peer()));
    updates
}

fn input() -> impl Strategy<Value = Claim> {
    let message = (header(), prop::bool::weighted(0.8), collection::vec(update(), 0..8));
    prop_oneof![
        1 => (0..6_usize).prop_map(Claim::Connected),
        1 => (0..6_usize).prop_map(Claim::Disconnected),
        8 => message.prop_map(|(header, is_to_us, updates)| Claim::Message { header, is_to_us, updates }),
        4 => (0..3_000_u64).prop_map(|millis| Claim::Pass(Duration::from_millis(millis))),
    ]
}

fn header() -> impl Strategy<Value = foca::Header<Identity>> {
    let src = (1..6_usize, boot()).prop_map(|(number, boot)| Identity::bare(peer(number), boot));
    let dst = boot().prop_map(|boot| Identity::bare(peer(0), boot));
    (src, incarnation(), dst, message()).prop_map(|(src, src_incarnation, dst, message)| foca::Header {
        src,
        src_incarnation,
        dst,
        message,
    })
}

fn message() -> impl Strategy<Value = foca::Message<Identity>> {
    use foca::Message as Foca;
    (0..10_u8, any::<u8>(), identity()).prop_map(|(kind, probe_number, other)| match kind {
        0 => Foca::Ping(probe_number),
        1 => Foca::Ack(probe_number),
        2 => Foca::PingReq { target: other, probe_number },
        3 => Foca::IndirectPing { origin: other, probe_number },
        4 => Foca::IndirectAck { target: other, probe_number },
        5 => Foca::ForwardedAck { origin: other, probe_number },
        6 => Foca::TurnUndead,
        7 => Foca::Feed,
        _ => Foca::Gossip,
    })
}

fn update() -> impl Strategy<Value = foca::Member<Identity>> {
    let state = sample::select(vec![foca::State::Alive, foca::State::Suspect, foca::State::Down]);
    (identity(), incarnation(), state)
        .prop_map(|(id, incarnation, state)| foca::Member::new(id, incarnation, state))
}

fn identity() -> impl Strategy<Value = Identity> {
    (0..8_usize, boot()).prop_map(|(number, boot)| Identity::bare(peer(number), boot))
}

fn boot() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..4_u64, 1 => sample::select(vec![1 << 63, (1 << 63) - 1, u64::MAX - 1, u64::MAX]), 1 => any::<u64>()]
}

fn incarnation() -> impl Strategy<Value = u16> {
    prop_oneof![0..3_u16, Just(u16::MAX - 1), Just(u16::MAX)]
}
