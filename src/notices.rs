//! What is said in the log of contacts that cannot be reached: a warning when it begins, and then a sum now and again.

use cache_core::port::DialError;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tracing::{debug, info, warn};

/// The contacts of a node, and what was said of them.
#[derive(Debug)]
pub(crate) struct Notices {
    /// Each contact, without a peer id, and why it could not be reached last.
    contacts: BTreeMap<String, Option<DialError>>,
    failures: u64,
    summed_up_at: Instant,
}

impl Notices {
    pub(crate) fn new(contacts: impl IntoIterator<Item = String>, now: Instant) -> Self {
        let contacts = contacts.into_iter().map(|contact| (place(&contact).to_owned(), None)).collect();
        Self { contacts, failures: 0, summed_up_at: now }
    }

    pub(crate) fn on_dial_failed(&mut self, address: &str, error: DialError, reason: &str, now: Instant) {
        if matches!(error, DialError::AlreadyConnected { .. } | DialError::ShutDown) {
            return;
        }
        match self.contacts.get_mut(place(address)) {
            Some(last) if *last != Some(error) => {
                *last = Some(error);
                let hint = hint(error);
                warn!(%address, %error, %reason, "cannot reach a contact; {hint}");
            }
            Some(_) | None => debug!(%address, %error, %reason, "cannot reach a node"),
        }
        self.failures += 1;
        if now.duration_since(self.summed_up_at) >= SUM_PERIOD {
            let away = self.contacts.values().filter(|last| last.is_some()).count();
            info!(failed_dials = self.failures, contacts_away = away, "some nodes cannot be reached");
            (self.failures, self.summed_up_at) = (0, now);
        }
    }

    pub(crate) fn on_connected(&mut self, address: &str) {
        if let Some(last) = self.contacts.get_mut(place(address)) {
            *last = None;
        }
    }
}

/// What to do about a contact.
fn hint(error: DialError) -> &'static str {
    match error {
        DialError::BadAddress => "its name is not found, or the transport cannot dial such an address",
        DialError::Itself => "it is this node itself: name another one",
        DialError::OtherVersion => "upgrade the older node",
        DialError::Refused => "compare `fleet-cache secret fingerprint` on both machines",
        DialError::TooMany => "it is full, and tried again in seconds",
        DialError::WrongPeer => {
            "another node is there than the address names: take the address that `fleet-cache id` prints over there"
        }
        DialError::AlreadyConnected { .. }
        | DialError::ShutDown
        | DialError::TimedOut
        | DialError::Unreachable => {
            "look whether a node runs there, with the same --transport, and whether a firewall lets its port through"
        }
    }
}

/// `address` without a peer id.
fn place(address: &str) -> &str {
    address.rsplit_once("/p2p/").map_or(address, |(place, _peer)| place)
}

/// How often failed dials are summed up.
const SUM_PERIOD: Duration = Duration::from_secs(600);
