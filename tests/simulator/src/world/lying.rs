//! Members that mean harm.
//!
//! A liar has an engine like every other node. In addition to what that says, it says what is told here, over the
//! same connections. What it knows of entries is true; it lies about everything else: a member that forges the
//! entries themselves is believed, as the design says.

use super::{Happening, World};
use crate::{
    ledger::{OK, key},
    network::{Frame, Payload},
    node::{generations, name},
    origin::content,
    plan::{LIE_LASTS, Lie},
    random::Random,
};
use cache_core::{
    AskId, Draft, Key, Message, Name, Validators, codec,
    freshness::Freshness,
    message::{Announced, Answer, Invalidation, InvalidationId, Notice, Parcel, Reach, Role, Scope},
};
use std::{sync::Arc, time::Duration};

impl World {
    pub(super) fn lie(&mut self, number: usize, liar: usize, victim: usize, lie: Lie) {
        if liar == victim || !self.is_up(liar) {
            return;
        }
        let mut random = Random::new(self.plan.seed ^ number as u64, LIE_STREAM);
        let everybody: Vec<usize> = self.nodes[liar].connected.keys().copied().collect();
        match lie {
            Lie::Ages => {
                for parcel in self.forged(liar) {
                    self.slip(liar, &everybody, Message::Announce(Announced::Whole(Box::new(parcel))));
                }
            }
            Lie::Answers => {
                for parcel in self.forged(liar) {
                    let answers = [Answer::Hit(Box::new(parcel)), Answer::Miss, Answer::Wait, Answer::Failed];
                    for answer in answers {
                        let ask = AskId(random.below(300));
                        self.slip(liar, &[victim], Message::Answer { ask, answer });
                    }
                }
            }
            Lie::Asks => {
                let strangers = (0..MESSAGES_MAX).map(|_| Name::from_bytes([random.below(256) as u8; 32]));
                let names: Vec<Name> = self.names_spoken(liar).into_iter().chain(strangers).collect();
                for (count, name) in names.into_iter().enumerate() {
                    let ask = AskId(FORGED_ASKS + self.scheduled_last + count as u64);
                    self.slip(
                        liar,
                        &[victim],
                        Message::Ask { ask, name, role: Role::Coordinator, kin_wait: None },
                    );
                }
            }
            Lie::Claims => {
                for name in self.names_spoken(liar) {
                    self.slip(liar, &everybody, Message::Claim { name });
                }
            }
            Lie::Flood => self.flood(number, liar, victim),
            Lie::Forgeries => {
                for resource in 0..self.plan.resources.min(MESSAGES_MAX) {
                    let parcel = self.made_up(resource, &mut random);
                    self.slip(liar, &everybody, Message::Announce(Announced::Whole(Box::new(parcel))));
                }
            }
            Lie::Garbage => (0..OFFENCES).for_each(|_| self.slip_garbage(liar, victim)),
            Lie::Invalidations => self.forge_invalidations(liar, &everybody, &mut random),
            Lie::Keys | Lie::Silence | Lie::Waits => self.nodes[liar].manner = Some(lie),
            Lie::Rumours => {
                for _ in 0..OFFENCES {
                    let bytes = RUMOUR.iter().copied().chain((0..40).map(|_| random.below(256) as u8));
                    let bytes: Vec<u8> = bytes.collect();
                    self.slip(liar, &[victim], Message::Membership(bytes.into()));
                }
            }
            Lie::WarmUps => {
                (0..2 * OFFENCES).for_each(|_| self.slip(liar, &[victim], Message::WarmUp { skip: 0 }));
            }
        }
    }

    /// One second's worth of a flood, and the next if there is to be one.
    pub(super) fn flood(&mut self, number: usize, liar: usize, victim: usize) {
        let most = (2 * self.plan.peers.traffic.burst_messages).min(FLOOD_MAX);
        (0..most).for_each(|token| self.slip(liar, &[victim], Message::Ping { token }));
        let end = super::STARTING + self.plan.events[number].at + LIE_LASTS;
        let next = self.now + FLOOD_PERIOD;
        if next < end {
            self.schedule(next, Happening::Flood { number, liar, victim });
        }
    }

    /// What a liar's engine says, as it is said in fact; `None` if it is not.
    pub(super) fn twisted(&self, liar: usize, message: Message) -> Option<Message> {
        let Message::Answer { ask, answer } = message else { return Some(message) };
        let asked = match &answer {
            Answer::Hit(parcel) => Some(parcel.key.clone()),
            Answer::Failed | Answer::Lease { .. } | Answer::Miss | Answer::Wait => None,
        };
        match self.nodes[liar].manner {
            Some(Lie::Silence) => None,
            Some(Lie::Waits) => Some(Message::Answer { ask, answer: Answer::Wait }),
            Some(Lie::Keys) => {
                let other = self.forged(liar).into_iter().find(|parcel| Some(&parcel.key) != asked.as_ref());
                let answer = match (other.map(Box::new), answer) {
                    (Some(stale), Answer::Lease { name, .. }) if ask.0.is_multiple_of(2) => {
                        Answer::Lease { name, stale: Some(stale) }
                    }
                    (Some(other), _) => Answer::Hit(other),
                    (None, answer) => answer,
                };
                Some(Message::Answer { ask, answer })
            }
            Some(_) | None => Some(Message::Answer { ask, answer }),
        }
    }

    /// Some of what a liar has, made out to be new and good for ever.
    fn forged(&self, liar: usize) -> Vec<Parcel> {
        let forever =
            Freshness { lifetime: Duration::MAX, while_revalidating: Duration::MAX, if_error: Duration::MAX };
        let entries = self.nodes[liar].published.values().take(MESSAGES_MAX);
        let forged = entries.map(|entry| {
            let mut draft = entry.draft(entry.born());
            draft.freshness = forever;
            Parcel { key: entry.key().clone(), draft, after: Vec::new(), edition: None }
        });
        forged.collect()
    }

    /// An answer that the origin never gave, as that of a domain that none but the liar has. It begins as the true one.
    fn made_up(&self, resource: usize, random: &mut Random) -> Parcel {
        let mut content = content(resource, self.origin.version(self.now, resource), u64::MAX, OK, 0);
        let mut body = content.body.to_vec();
        body.resize(body.len() + 1 + random.below(200) as usize, b'f');
        content.body = body.into();
        let validators = Validators { etag: Some("\"made-up\"".into()), ..Validators::default() };
        let draft = Draft { content, freshness: self.plan.origin.freshness, validators, age: Duration::ZERO };
        Parcel { key: key(resource, FORGER), draft, after: Vec::new(), edition: None }
    }

    fn names_spoken(&self, liar: usize) -> Vec<Name> {
        let generation = generations(self.nodes[liar].stage)[0];
        self.ledger.keys.iter().take(MESSAGES_MAX).map(|key| name(key, generation)).collect()
    }

    fn forge_invalidations(&mut self, liar: usize, to: &[usize], random: &mut Random) {
        for _ in 0..INVALIDATIONS / 64 {
            let mut forge = || {
                let key: &Key = &self.ledger.keys[random.below(self.ledger.keys.len() as u64) as usize];
                let id = InvalidationId { count: random.below(u64::MAX), issuer: random.below(u64::MAX) };
                let scope = if random.below(2) == 0 {
                    Scope::Key(key.clone())
                } else {
                    Scope::Prefix { prefix: key.resource().into(), domain: None }
                };
                let age = Duration::from_secs(random.below(700));
                Invalidation { id, reach: Reach::forget([scope]), age }
            };
            let invalidations: Vec<Invalidation> = (0..64).map(|_| forge()).collect();
            let notice = Notice { receipt: 0, mark: None, invalidations };
            self.slip(liar, to, Message::Invalidate(notice));
        }
    }

    /// Says something that the liar's engine knows nothing of.
    fn slip(&mut self, liar: usize, to: &[usize], message: Message) {
        let bytes = codec::encode_message(&message).into();
        self.slip_payload(liar, to, Payload::Encoded { bytes, message });
    }

    fn slip_garbage(&mut self, liar: usize, victim: usize) {
        self.slip_payload(liar, &[victim], Payload::Garbage(GARBAGE_BYTES));
    }

    fn slip_payload(&mut self, liar: usize, to: &[usize], payload: Payload) {
        let payload = Arc::new(payload);
        for to in to {
            let Some(connection) = self.nodes[liar].connected.get(to).copied() else { continue };
            let frame =
                Frame { connection, from: liar, to: *to, sent: self.now, payload: Arc::clone(&payload) };
            let frame_bytes = payload.payload_bytes();
            if let Some((at, frame)) = self.network.send(self.now, frame, frame_bytes) {
                self.schedule(at, Happening::Frame(frame));
            }
        }
    }
}

/// Whether an ask is one that a liar's engine knows nothing of.
pub(super) fn is_forged(ask: AskId) -> bool {
    ask.0 >= FORGED_ASKS
}

/// Whether a message is not news of members.
pub(super) fn is_rumour(message: &Message) -> bool {
    matches!(message, Message::Membership(bytes) if bytes.starts_with(RUMOUR))
}

/// How a message begins that is not news of members: with a number of bytes that cannot be.
const RUMOUR: &[u8] = &[0xff; 8];

const FORGED_ASKS: u64 = 1 << 60;

/// A domain that no credential of the plan has.
const FORGER: usize = 200;

/// Messages of one lie at most.
const MESSAGES_MAX: usize = 64;

/// Offences of one lie: more than any node bears.
const OFFENCES: usize = 20;

/// Invalidations of one lie: more than any node remembers.
const INVALIDATIONS: usize = 1280;

/// Time between two bursts of a flood: a second at the least, however clocks round.
const FLOOD_PERIOD: Duration = Duration::from_millis(1_100);

/// Messages of a burst at most.
const FLOOD_MAX: u64 = 5_000;

const GARBAGE_BYTES: usize = 64;

const LIE_STREAM: u64 = 7;
