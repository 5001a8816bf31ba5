//! What the log says about contacts that cannot be reached, and strangers that are not let in: a warning when it
//! begins, and then a sum now and again.

use cache_core::port::{DialError, Rejection};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tracing::{debug, info, warn};

/// The contacts and the strangers of a node, and what was said of them.
#[derive(Debug)]
pub(crate) struct Notices {
    /// Each contact, without a peer id, and why it could not be reached last.
    contacts: BTreeMap<String, Option<DialError>>,
    failures: u64,
    summed_up_at: Instant,
    /// The reasons why strangers were not let in, one entry each.
    refusals: Vec<Refused>,
}

/// Strangers that were not let in for one reason.
#[derive(Debug)]
struct Refused {
    refusal: Rejection,
    warned_at: Instant,
    /// How many there were since then.
    count: u64,
}

/// How loudly something was said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    /// For readers that look for it.
    Aside,
    /// As a warning about this one, and about this many before it that were said aside.
    Aloud(u64),
}

impl Notices {
    pub(crate) fn new(contacts: impl IntoIterator<Item = String>, now: Instant) -> Self {
        let contacts = contacts.into_iter().map(|contact| (place(&contact).to_owned(), None)).collect();
        Self { contacts, failures: 0, summed_up_at: now, refusals: Vec::new() }
    }

    pub(crate) fn on_dial_failed(
        &mut self,
        address: &str,
        error: DialError,
        reason: &str,
        now: Instant,
    ) -> Said {
        if matches!(error, DialError::AlreadyConnected { .. } | DialError::ShutDown) {
            return Said::Aside;
        }
        let said = match self.contacts.get_mut(place(address)) {
            Some(last) if *last != Some(error) => {
                *last = Some(error);
                let hint = hint(error);
                warn!(%address, %error, %reason, "cannot reach a contact; {hint}");
                Said::Aloud(0)
            }
            Some(_) | None => {
                debug!(%address, %error, %reason, "cannot reach a node");
                Said::Aside
            }
        };
        self.failures += 1;
        if now.duration_since(self.summed_up_at) >= SUM_PERIOD {
            let away = self.contacts.values().filter(|last| last.is_some()).count();
            info!(failed_dials = self.failures, contacts_away = away, "some nodes cannot be reached");
            (self.failures, self.summed_up_at) = (0, now);
        }
        said
    }

    pub(crate) fn on_connected(&mut self, address: &str) {
        if let Some(last) = self.contacts.get_mut(place(address)) {
            *last = None;
        }
    }

    pub(crate) fn on_refused(
        &mut self,
        address: &str,
        refusal: Rejection,
        reason: &str,
        now: Instant,
    ) -> Said {
        let known = self.refusals.iter_mut().find(|known| known.refusal == refusal);
        let before = match known {
            Some(known) if now.duration_since(known.warned_at) < SUM_PERIOD => {
                known.count += 1;
                debug!(%address, %refusal, %reason, "a peer was not let in");
                return Said::Aside;
            }
            Some(known) => {
                known.warned_at = now;
                std::mem::take(&mut known.count)
            }
            None => {
                self.refusals.push(Refused { refusal, warned_at: now, count: 0 });
                0
            }
        };
        warn!(%address, %refusal, %reason, others_before = before, "a peer was not let in");
        Said::Aloud(before)
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

/// How often failed dials, and strangers that are not let in, are summed up.
const SUM_PERIOD: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    const CONTACT: &str = "/ip4/192.0.2.1/tcp/9100";

    #[test]
    fn a_contact_is_warned_about_when_it_goes_away_or_for_another_reason_and_not_at_every_dial() {
        let now = Instant::now();
        let mut notices = Notices::new([format!("{CONTACT}/p2p/12D3KooW")], now);
        let mut failed = |error, at| notices.on_dial_failed(CONTACT, error, "", at);
        assert_eq!(failed(DialError::Unreachable, now), Said::Aloud(0));
        assert_eq!(failed(DialError::Unreachable, now), Said::Aside);
        assert_eq!(failed(DialError::Unreachable, now + SUM_PERIOD), Said::Aside);
        assert_eq!(failed(DialError::Refused, now), Said::Aloud(0));
        assert_eq!(notices.failures, 1);
        notices.on_connected(CONTACT);
        assert_eq!(notices.on_dial_failed(CONTACT, DialError::Refused, "", now), Said::Aloud(0));
    }

    #[test]
    fn a_node_that_is_no_contact_is_not_warned_about() {
        let now = Instant::now();
        let mut notices = Notices::new([CONTACT.to_owned()], now);
        let elsewhere = "/ip4/192.0.2.2/tcp/9100";
        assert_eq!(notices.on_dial_failed(elsewhere, DialError::TimedOut, "", now), Said::Aside);
    }

    #[test]
    fn strangers_are_warned_about_once_for_each_reason_and_then_summed_up() {
        let now = Instant::now();
        let mut notices = Notices::new([], now);
        let mut refused = |refusal, at| notices.on_refused(CONTACT, refusal, "", at);
        assert_eq!(refused(Rejection::Admission, now), Said::Aloud(0));
        for _ in 0..100 {
            assert_eq!(refused(Rejection::Admission, now), Said::Aside);
        }
        assert_eq!(refused(Rejection::OtherVersion, now), Said::Aloud(0));
        assert_eq!(refused(Rejection::Admission, now + SUM_PERIOD), Said::Aloud(100));
        assert_eq!(refused(Rejection::Admission, now + SUM_PERIOD), Said::Aside);
    }
}
