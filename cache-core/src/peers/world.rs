//! A node's peers in virtual time, for tests.

use super::{Contact, DialError, PeerDecision, PeerSettings, Peers, Side, Stake, Welcome};
use crate::{Member, PeerId, Timestamp, address::with_peer};
use alloc::{boxed::Box, collections::BTreeMap, format, vec::Vec};
use core::time::Duration;

/// [`Peers`] of the node [`LOCAL`], and what was decided.
pub(super) struct World {
    pub(super) peers: Peers,
    pub(super) now: Timestamp,
    /// What is at stake with each peer.
    pub(super) stake: BTreeMap<PeerId, Stake>,
    /// How often contacts were sought.
    pub(super) seeks: usize,
}

impl World {
    pub(super) fn new(contacts: &[Contact]) -> Self {
        Self::with(contacts, PeerSettings::default(), 1)
    }

    pub(super) fn with(contacts: &[Contact], settings: PeerSettings, seed: u64) -> Self {
        Self::remembering(contacts, &[], (settings, seed))
    }

    pub(super) fn remembering(
        contacts: &[Contact],
        remembered: &[Member],
        settings: (PeerSettings, u64),
    ) -> Self {
        let own = [place(LOCAL_NUMBER)];
        let peers = Peers::new(local(), &own, contacts, remembered, settings);
        Self { peers, now: Timestamp::from_unix_millis(1_000_000), stake: BTreeMap::new(), seeks: 0 }
    }

    /// What has been decided and not taken.
    pub(super) fn decisions(&mut self) -> Vec<PeerDecision> {
        core::iter::from_fn(|| self.peers.poll_decision()).collect()
    }

    /// The addresses to dial; there must be nothing else to do.
    pub(super) fn dials(&mut self) -> Vec<Box<str>> {
        self.decisions()
            .into_iter()
            .filter_map(|decision| match decision {
                PeerDecision::Dial { address } => Some(address),
                PeerDecision::Disconnect { peer } => panic!("{peer:?} is disconnected"),
                PeerDecision::Seek => {
                    self.seeks += 1;
                    None
                }
            })
            .collect()
    }

    /// The first look at what is due.
    pub(super) fn start(&mut self) -> Vec<Box<str>> {
        self.peers.on_due(self.now);
        self.dials()
    }

    /// Lets time pass, and calls whenever something is due. Returns the dials and how long each took to come.
    pub(super) fn advance(&mut self, time: Duration) -> Vec<(Duration, Box<str>)> {
        let (begun, end) = (self.now, self.now.saturating_add(time));
        let mut dials = Vec::new();
        while let Some(deadline) = self.peers.next_deadline().filter(|deadline| *deadline <= end) {
            assert!(deadline > self.now || self.now == begun, "a deadline is never due twice");
            self.now = deadline.max(self.now);
            self.peers.on_due(self.now);
            let elapsed = self.now.saturating_since(begun);
            dials.extend(self.dials().into_iter().map(|address| (elapsed, address)));
        }
        self.now = end;
        dials
    }

    /// As [`Self::advance`], and every dial fails at once.
    pub(super) fn advance_failing(
        &mut self,
        time: Duration,
        failure: DialError,
    ) -> Vec<(Duration, Box<str>)> {
        let (begun, end) = (self.now, self.now.saturating_add(time));
        let mut dials = Vec::new();
        while let Some(deadline) = self.peers.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = deadline.max(self.now);
            self.peers.on_due(self.now);
            loop {
                let begins = self.dials();
                if begins.is_empty() {
                    break;
                }
                for address in begins {
                    self.peers.on_dial_failed(self.now, &address, failure);
                    dials.push((self.now.saturating_since(begun), address));
                }
            }
        }
        self.now = end;
        dials
    }

    /// Lets time pass until something is dialled.
    pub(super) fn until_dial(&mut self) -> Vec<Box<str>> {
        loop {
            self.now = self.peers.next_deadline().expect("something is due");
            self.peers.on_due(self.now);
            let dials = self.dials();
            if !dials.is_empty() {
                return dials;
            }
        }
    }

    pub(super) fn fail(&mut self, address: &str, failure: DialError) {
        self.peers.on_dial_failed(self.now, address, failure);
    }

    /// `number` answers our dial of where it listens.
    pub(super) fn reach(&mut self, number: u8) -> Welcome {
        self.peers.on_connected(self.now, peer(number), (&address(number), Side::Dialer), &self.stake)
    }

    /// `number` dials us.
    pub(super) fn come(&mut self, number: u8) -> Welcome {
        let came = ("/ip4/10.0.0.9/tcp/40000", Side::Listener);
        self.peers.on_connected(self.now, peer(number), came, &self.stake)
    }

    pub(super) fn lose(&mut self, number: u8) {
        self.peers.on_disconnected(self.now, peer(number));
    }

    /// Membership says that `number` lives where it listens.
    pub(super) fn member(&mut self, number: u8) {
        self.peers.on_known(self.now, peer(number), &[place(number)]);
    }
}

/// The node whose peers these are stands in the middle of all ids.
pub(super) const LOCAL_NUMBER: u8 = 100;

pub(super) fn local() -> PeerId {
    peer(LOCAL_NUMBER)
}

pub(super) fn peer(number: u8) -> PeerId {
    PeerId::from_public_key([number; 32])
}

/// Where `number` listens.
pub(super) fn place(number: u8) -> Box<str> {
    format!("/ip4/10.0.0.{number}/tcp/9100").into()
}

/// Where `number` listens. The address says that it must be the one that answers.
pub(super) fn address(number: u8) -> Box<str> {
    with_peer(&place(number), peer(number))
}

/// Contacts that name their peers.
pub(super) fn contacts(numbers: impl IntoIterator<Item = u8>) -> Vec<Contact> {
    numbers.into_iter().map(|number| Contact::new(address(number))).collect()
}

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
