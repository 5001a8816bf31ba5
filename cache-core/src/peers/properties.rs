//! What holds whatever happens, and in whatever order.

use super::{
    book::{ADDRESSES_MAX, SPOILED_MAX},
    candidate::{BOOTSTRAP_INTERVAL, PAUSE_MAX},
    conduct::BAN_TIME_MAX,
    decision::KNOWN_MIN,
    world::{LOCAL_NUMBER, World, address, contacts, local, peer, place},
    *,
};
use crate::address::peer_of_address;
use alloc::{collections::BTreeSet, format, string::String, vec};
use proptest::{collection, prelude::*, sample::select};

/// Something that happens. Peers are numbers around that of the node itself, so that it occurs too.
#[derive(Clone, Debug)]
enum Event {
    Advance(u64),
    Come(u8),
    /// The dial that is under way for longest ends so; `None` connects.
    EndDial(Option<DialError>),
    Fail(u8, DialError),
    Found(u8, Vec<u8>, bool),
    Gone(u8),
    Heard(u8),
    Known(u8, Vec<u8>),
    Lose(u8),
    Offence(u8, Offence),
    Reach(u8),
    Traffic(u8, usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let number = || LOCAL_NUMBER - 12..LOCAL_NUMBER + 12;
    let failure = || {
        select(vec![
            DialError::AlreadyConnected { peer: peer(LOCAL_NUMBER + 1) },
            DialError::BadAddress,
            DialError::Itself,
            DialError::Refused,
            DialError::ShutDown,
            DialError::TimedOut,
            DialError::TooMany,
            DialError::Unreachable,
            DialError::WrongPeer,
        ])
    };
    let offence = select(&[
        Offence::BadEntry,
        Offence::Flood,
        Offence::LiesAboutItself,
        Offence::Malformed,
        Offence::Silent,
        Offence::Unopened,
    ]);
    let event = prop_oneof![
        3 => (0_u64..100_000).prop_map(Event::Advance),
        2 => number().prop_map(Event::Come),
        4 => proptest::option::of(failure()).prop_map(Event::EndDial),
        1 => (number(), failure()).prop_map(|(number, failure)| Event::Fail(number, failure)),
        2 => (0_u8..3, collection::vec(number(), 0..5), any::<bool>())
            .prop_map(|(way, numbers, is_named)| Event::Found(way, numbers, is_named)),
        1 => number().prop_map(Event::Gone),
        1 => number().prop_map(Event::Heard),
        4 => (number(), collection::vec(number(), 0..7))
            .prop_map(|(number, places)| Event::Known(number, places)),
        3 => number().prop_map(Event::Lose),
        2 => (number(), offence).prop_map(|(number, offence)| Event::Offence(number, offence)),
        1 => number().prop_map(Event::Reach),
        1 => (number(), 0_usize..1 << 28).prop_map(|(number, bytes)| Event::Traffic(number, bytes)),
    ];
    collection::vec(event, 0..200)
}

/// Some contacts name their peer, some do not, one is the node itself.
fn list() -> Vec<Contact> {
    let unnamed = [LOCAL_NUMBER - 1, LOCAL_NUMBER + 3].map(|number| Contact::new(place(number)));
    let named = contacts([LOCAL_NUMBER, LOCAL_NUMBER + 1, LOCAL_NUMBER - 2, LOCAL_NUMBER + 4]);
    [named, unnamed.to_vec(), Vec::from([Contact::new("/dns4/seed/tcp/9100")])].concat()
}

/// A world that checks everything that is decided.
struct Checked {
    world: World,
    /// Dials under way, in the order in which they began.
    dials: Vec<(Timestamp, Box<str>)>,
    log: Vec<String>,
}

impl Checked {
    fn new(contacts: &[Contact], settings: PeerSettings, seed: u64) -> Self {
        let mut checked =
            Self { world: World::with(contacts, settings, seed), dials: Vec::new(), log: Vec::new() };
        checked.world.peers.on_due(checked.world.now);
        checked.take();
        checked
    }

    fn happen(&mut self, event: &Event) {
        let (now, peers) = (self.world.now, &mut self.world.peers);
        match event {
            Event::Advance(millis) => self.advance(Duration::from_millis(*millis)),
            Event::Come(number) => drop(self.world.come(*number)),
            Event::EndDial(None) if !self.dials.is_empty() => {
                let (_begun, dialed) = self.dials.remove(0);
                let peer = peer_of_address(&dialed).unwrap_or(peer(LOCAL_NUMBER + 5));
                peers.on_connected(now, peer, (&dialed, Side::Dialer), &BTreeMap::new());
            }
            Event::EndDial(Some(failure)) if !self.dials.is_empty() => {
                let (_begun, dialed) = self.dials.remove(0);
                peers.on_dial_failed(now, &dialed, *failure);
            }
            Event::EndDial(_) => {}
            Event::Fail(number, failure) => {
                self.dials.retain(|(_begun, dialed)| *dialed != address(*number));
                peers.on_dial_failed(now, &address(*number), *failure);
            }
            Event::Found(way, numbers, is_named) => {
                let at =
                    |number: &u8| Contact::new(if *is_named { address(*number) } else { place(*number) });
                peers.on_found(now, Way(*way), &numbers.iter().map(at).collect::<Vec<_>>());
            }
            Event::Gone(number) => peers.on_gone(now, peer(*number)),
            Event::Heard(number) => peers.on_heard(now, peer(*number)),
            Event::Known(number, places) => {
                let places: Vec<_> = places.iter().map(|number| place(*number)).collect();
                peers.on_known(now, peer(*number), &places);
            }
            Event::Lose(number) => peers.on_disconnected(now, peer(*number)),
            Event::Offence(number, offence) => drop(peers.on_offence(now, peer(*number), *offence)),
            Event::Reach(number) => drop(self.world.reach(*number)),
            Event::Traffic(number, bytes) => drop(peers.on_traffic(now, peer(*number), *bytes)),
        }
        self.take();
    }

    fn advance(&mut self, time: Duration) {
        let end = self.world.now.saturating_add(time);
        while let Some(deadline) = self.world.peers.next_deadline().filter(|deadline| *deadline <= end) {
            assert!(deadline > self.world.now, "what is due now was done, not put off to a deadline");
            self.world.now = deadline;
            self.world.peers.on_due(deadline);
            self.take();
        }
        self.world.now = end;
    }

    /// Takes and checks the decisions.
    fn take(&mut self) {
        let now = self.world.now;
        let forgotten = DIAL_TIMEOUT + DIAL_GRACE;
        self.dials.retain(|(begun, _dialed)| now.saturating_since(*begun) < forgotten);
        while let Some(decision) = self.world.peers.poll_decision() {
            self.log.push(format!("{now} {decision:?}"));
            let PeerDecision::Dial { address } = decision else { continue };
            let peers = &self.world.peers;
            if let Some(peer) = peer_of_address(&address) {
                assert_ne!(peer, local());
                assert!(!peers.connected().contains_key(&peer), "{peer:?} is connected");
                assert_eq!(peers.conduct.ban(now, peer), None);
                let is_dialed = self.dials.iter().any(|(_, dialed)| peer_of_address(dialed) == Some(peer));
                assert!(!is_dialed, "one dial for each peer");
            }
            assert_ne!(address, place(LOCAL_NUMBER));
            // A dial of no certain peer may have ended without our knowledge: see Attempts::reached.
            self.dials.retain(|(_begun, dialed)| *dialed != address);
            self.dials.push((now, address));
        }
        // Some dials may have ended without our knowledge, when their peer was reached otherwise.
        self.dials.retain(|(_begun, dialed)| self.world.peers.attempts.target(dialed).is_some());
        assert_eq!(self.dials.len(), self.world.peers.attempts.len());
        assert!(self.dials.len() <= DIALS_MAX);
        assert!(self.world.peers.connected().len() <= self.world.peers.settings.connections_max);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dials_are_few_and_never_of_this_node_nor_of_a_connected_or_a_banned_peer(
        events in events(), seed: u64, connections_max in select(&[1_usize, 3, 256]), ways in 0_u8..3,
    ) {
        let settings = PeerSettings { connections_max, ways, ..PeerSettings::default() };
        let mut checked = Checked::new(&list(), settings, seed);
        for event in &events {
            checked.happen(event);
        }
    }

    #[test]
    fn the_same_events_bring_the_same_decisions(events in events(), seed: u64) {
        let play = || {
            let mut checked = Checked::new(&list(), PeerSettings::default(), seed);
            for event in &events {
                checked.happen(event);
            }
            let report = checked.world.peers.report(checked.world.now);
            (checked.log, report)
        };
        prop_assert_eq!(play(), play());
    }

    #[test]
    fn after_anything_every_contact_is_dialled_again_and_again(events in events(), seed: u64) {
        let mut checked = Checked::new(&list(), PeerSettings::default(), seed);
        for event in &events {
            checked.happen(event);
        }
        let connected: Vec<_> = checked.world.peers.connected().keys().copied().collect();
        for peer in connected {
            checked.world.peers.on_disconnected(checked.world.now, peer);
            checked.take();
        }
        // Bans end, and so do the long pauses; dials that are never reported on are the worst that can follow.
        checked.advance(BAN_TIME_MAX + BOOTSTRAP_INTERVAL);
        let contacts: Vec<_> = contact::chosen(&list(), local(), &[place(LOCAL_NUMBER)]);
        // The pause, then each address of the contact: a wait of two dials for room, and its own dial.
        let round = PAUSE_MAX + (DIAL_TIMEOUT + DIAL_GRACE) * 3 * ADDRESSES_MAX as u32;
        for _ in 0..3 {
            checked.log.clear();
            checked.advance(round);
            for contact in &contacts {
                let dialed = format!("{:?}", contact.address);
                prop_assert!(checked.log.iter().any(|line| line.contains(&dialed)), "no dial of {dialed}");
            }
        }
    }

    #[test]
    fn every_ban_ends(events in events(), seed: u64) {
        let mut checked = Checked::new(&list(), PeerSettings::default(), seed);
        for event in &events {
            checked.happen(event);
        }
        let later = checked.world.now.saturating_add(BAN_TIME_MAX);
        prop_assert_eq!(checked.world.peers.conduct.bans(later).count(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn hostile_peers_do_not_make_memory_grow(
        hosts in collection::vec((any::<u16>(), 0_usize..40, 0_usize..400), 0..2000), seed: u64,
    ) {
        let settings = PeerSettings { connections_max: 8, ..PeerSettings::default() };
        let mut checked = Checked::new(&list(), settings, seed);
        for (id, count, letters) in hosts {
            let (now, peers) = (checked.world.now, &mut checked.world.peers);
            let mut key = [3; 32];
            key[..2].copy_from_slice(&id.to_be_bytes());
            let id = PeerId::from_public_key(key);
            let addresses: Vec<Box<str>> =
                (0..count).map(|port| format!("/dns4/{}/tcp/{port}", "a".repeat(letters)).into()).collect();
            peers.on_known(now, id, &addresses);
            peers.on_offence(now, id, Offence::Unopened);
            peers.on_connected(now, id, ("/ip4/10.0.0.9/tcp/40000", Side::Listener), &BTreeMap::new());
            checked.happen(&Event::EndDial(Some(DialError::WrongPeer)));
        }
        let peers = &checked.world.peers;
        let (known, spoiled) = peers.book.sizes();
        prop_assert!(known <= KNOWN_MIN && spoiled <= SPOILED_MAX && peers.conduct.len() <= KNOWN_MIN);
        let mut ids = BTreeSet::new();
        for (target, candidate) in peers.book.candidates() {
            prop_assert!(candidate.addresses.len() <= ADDRESSES_MAX && ids.insert(target));
        }
    }
}
