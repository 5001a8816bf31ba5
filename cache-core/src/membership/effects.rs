//! What foca orders, and what that means for the engine.

use super::{
    INTRODUCTION_PERIOD,
    beyond::{Beyond, Way},
    member::{Identity, Member},
    timers::{Timer, Timers},
};
use crate::{PeerId, Timestamp};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use bytes::Bytes;
use core::time::Duration;

/// What the engine is to do or to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    /// Another member takes for alive one that we take for gone. Meeting it shows which is right.
    Doubted(Member),
    /// A member has left, or gave no sign of life.
    Down {
        /// The member that is gone.
        peer: PeerId,
    },
    /// A member that is down stays so: there is no need to try to meet it any more.
    Forgotten {
        /// The member that is forgotten.
        peer: PeerId,
    },
    /// A member started again without having been missed, or can be reached elsewhere; its boot number says
    /// which. One that was thought to be down by others may have a new number and have forgotten nothing.
    Renewed(Member),
    /// Say this to a peer, best effort.
    Send {
        /// The peer to send it to.
        to: PeerId,
        /// The message, for its [`Membership::on_message`].
        bytes: Bytes,
    },
    /// Two nodes use one identity, which may be ours.
    Twins {
        /// The identity that both use.
        peer: PeerId,
    },
    /// There is a new member.
    Up(Member),
}

/// Where foca's effects go.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) now: Timestamp,
    pub(super) local: PeerId,
    pub(super) timers: Timers,
    pub(super) decisions: VecDeque<Decision>,
    pub(super) alive: BTreeMap<PeerId, Member>,
    /// The peers that are connected; as many as there are connections.
    pub(super) connected: BTreeSet<PeerId>,
    /// What is done about members without a connection.
    pub(super) beyond: Beyond,
    /// Length of the queue of decisions at which messages are dropped: one input can tell of every member twice, and
    /// say hello to each.
    pub(super) decisions_max: usize,
    /// When we last took a new boot number.
    pub(super) renewed_at: Option<Timestamp>,
}

impl Effects {
    pub(super) fn decide(&mut self, decision: Decision) {
        let is_message = matches!(decision, Decision::Send { .. });
        if is_message && self.decisions.len() >= self.decisions_max {
            return;
        }
        self.decisions.push_back(decision);
    }

    /// Makes sure that we introduce ourselves anew to a member that went down while a connection with it stands. If
    /// two members think each other down, neither calls the other, and in a fleet of two no other member would.
    fn come_back_to(&mut self, peer: PeerId) {
        if self.connected.contains(&peer) {
            let due = self.now.saturating_add(INTRODUCTION_PERIOD);
            self.timers.set(due, Timer::Introduce { peer, tries_left: REINTRODUCTIONS_MAX });
        }
    }
}

impl foca::Runtime<Identity> for Effects {
    fn notify(&mut self, notification: foca::Notification<'_, Identity>) {
        use foca::Notification as Foca;
        match notification {
            Foca::MemberDown(Identity(member)) => {
                if self.alive.remove(&member.peer()).is_some() {
                    self.decide(Decision::Down { peer: member.peer() });
                    self.come_back_to(member.peer());
                }
            }
            Foca::MemberUp(Identity(member)) => {
                self.alive.insert(member.peer(), member.clone());
                self.decide(Decision::Up(member.clone()));
            }
            Foca::Rejoin(_) => self.renewed_at = Some(self.now),
            Foca::Rename(_, Identity(member)) => {
                if let Some(known) = self.alive.get_mut(&member.peer()) {
                    *known = member.clone();
                    self.decide(Decision::Renewed(member.clone()));
                }
            }
            // We always have a next identity, and members are told of one by one.
            Foca::Active | Foca::Defunct | Foca::Idle => {}
        }
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        if to.0.peer() == self.local {
            return;
        }
        let is_connected = self.connected.contains(&to.0.peer());
        let beyond =
            (!is_connected).then(|| self.beyond.way(self.now, &to, data, &self.alive, &self.connected));
        match beyond.unwrap_or(Way::Direct) {
            Way::Direct => {
                self.decide(Decision::Send { to: to.0.peer(), bytes: Bytes::copy_from_slice(data) });
            }
            Way::Instead { to, bytes } => self.decide(Decision::Send { to, bytes }),
            Way::None => {}
        }
    }

    fn submit_after(&mut self, event: foca::Timer<Identity>, after: Duration) {
        self.timers.set(self.now.saturating_add(after), Timer::Foca(event));
    }
}

/// How often we introduce ourselves anew to a member that went down while its connection stands. This takes a minute:
/// a member that is too slow for the protocol for longer is mostly found out by its connection.
const REINTRODUCTIONS_MAX: u8 = 120;
