//! Messages as bytes, and back.
//!
//! The major version, the kind of message, its fields in `bincode`. The frame ends where the message does, so the whole
//! has its length from there. The mirror types here are the format: their order of variants and fields does not change
//! within a major version. A later minor version may add kinds, which are skipped here, and fields behind those of a
//! known kind, which are skipped too ([`crate::Protocol`]).

#[cfg(test)]
mod tests;

use super::{
    CONFIG, DecodeError, List, Record,
    allowance::WireAllowances,
    call_numbers::WireCallNumbers,
    check,
    digest::WireDigest,
    district::WireSurroundings,
    guest::WireGuestWord,
    invalidation::{WireNotice, WireSettlingNotice},
    millis,
    origin::WireOrigin,
    writes::WireWrites,
};
use crate::{
    AskId, Bucket, Figures, Message, Name, Payer, Shortage, Timestamp,
    message::{AFTER_MAX, Announced, Answer, Edition, InvalidationId, Parcel, Role, Verdict},
};
use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;
use core::time::Duration;

/// Encodes `message` behind the protocol's version.
pub fn encode_message(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::from([VERSION]);
    let wire = WireMessage::from(message);
    bytes.extend(bincode::encode_to_vec(wire, CONFIG).expect("a vector takes any length"));
    bytes
}

/// Decodes what [`encode_message`] wrote, here or at a member; of a later minor version, as much as is known here.
///
/// Holds no more than [`super::DECODED_BYTES_MAX`] while it decodes, whatever the bytes claim.
///
/// # Errors
///
/// Returns [`DecodeError`] if the bytes do not begin with one message of our version within all limits. Nothing is
/// kept. [`DecodeError::is_unknown`] tells what is merely unknown to this version from what no member should have
/// sent.
pub fn decode_message(bytes: &[u8]) -> Result<Message, DecodeError> {
    let (version, rest) = bytes.split_first().ok_or(DecodeError::Malformed)?;
    if *version != VERSION {
        return Err(DecodeError::UnknownVersion { version: *version });
    }
    let (kind, _) = super::decode_some::<u32, KIND_BYTES_MAX>(rest).ok_or(DecodeError::Malformed)?;
    if kind >= KINDS {
        return Err(DecodeError::UnknownKind { kind });
    }
    let (wire, _read_bytes) = bincode::decode_from_slice::<WireMessage, _>(rest, CONFIG)
        .map_err(|_malformed| DecodeError::Malformed)?;
    wire.into_message()
}

/// A kind is added at the end, with [`KINDS`] one more.
#[derive(bincode::Decode, bincode::Encode)]
enum WireMessage {
    Named { name: [u8; 32], remaining: u64, age: u64, edition: Option<(u64, u64)> },
    Whole(WireParcel),
    Answer { ask: u64, answer: WireAnswer },
    Ask { ask: u64, name: [u8; 32], as_coordinator: bool },
    Claim { name: [u8; 32] },
    Figures { api_calls: u64, hits: u64, peer_hits: u64, misses: u64, entries: u64 },
    Invalidate(WireNotice),
    Membership(Vec<u8>),
    Ping { token: u64 },
    Pong { token: u64, clock: u64 },
    Quota { payer: [u8; 16], bucket: u8, pause: u64, window: Option<(u64, u64)> },
    Release { name: [u8; 32], verdict: WireVerdict },
    WarmUp { skip: u32 },
    WarmedUp { next: Option<u32> },
    Forgotten { receipt: u64 },
    AskWithKin { ask: u64, name: [u8; 32], kin_wait: u64 },
    District(WireSurroundings),
    ToPassOn(WireParcel),
    InvalidateAndSettle(WireSettlingNotice),
    Allowances(WireAllowances),
    CallNumbers(WireCallNumbers),
    Origin(WireOrigin),
    Writes(WireWrites),
    Digest(WireDigest),
    Guest(WireGuestWord),
}

#[derive(bincode::Decode, bincode::Encode)]
enum WireAnswer {
    Failed,
    Hit(WireParcel),
    Lease { name: [u8; 32], stale: Option<WireParcel> },
    Miss,
    Wait,
}

#[derive(bincode::Decode, bincode::Encode)]
enum WireVerdict {
    Failed,
    Unshareable,
    Unused,
}

/// `record` dates the entry by its age in place of a moment.
#[derive(bincode::Decode, bincode::Encode)]
struct WireParcel {
    record: Record,
    after: List<(u64, u64), AFTER_MAX>,
    edition: Option<(u64, u64)>,
}

impl From<&Message> for WireMessage {
    fn from(message: &Message) -> Self {
        match message {
            Message::Allowances(allowances) => Self::Allowances(allowances.as_slice().into()),
            Message::Announce(Announced::Named { name, remaining, age, edition }) => Self::Named {
                name: *name.as_bytes(),
                remaining: millis(*remaining),
                age: millis(*age),
                edition: edition.map(pair_of),
            },
            Message::Announce(Announced::ToPassOn(parcel)) => Self::ToPassOn(WireParcel::from(&**parcel)),
            Message::Announce(Announced::Whole(parcel)) => Self::Whole(WireParcel::from(&**parcel)),
            Message::Answer { ask, answer } => Self::Answer { ask: ask.0, answer: answer.into() },
            Message::Ask { ask, name, role: Role::Coordinator, kin_wait: Some(kin_wait) } => {
                Self::AskWithKin { ask: ask.0, name: *name.as_bytes(), kin_wait: millis(*kin_wait) }
            }
            Message::Ask { ask, name, role, kin_wait: _ } => {
                Self::Ask { ask: ask.0, name: *name.as_bytes(), as_coordinator: *role == Role::Coordinator }
            }
            Message::Digest(digest) => Self::Digest(digest.into()),
            Message::District(surroundings) => Self::District(surroundings.into()),
            Message::Guest(word) => Self::Guest((*word).into()),
            Message::CallNumbers(told) => Self::CallNumbers(told.as_slice().into()),
            Message::Claim { name } => Self::Claim { name: *name.as_bytes() },
            Message::Figures(Figures { api_calls, hits, peer_hits, misses, entries }) => Self::Figures {
                api_calls: *api_calls,
                hits: *hits,
                peer_hits: *peer_hits,
                misses: *misses,
                entries: *entries,
            },
            Message::Forgotten { receipt } => Self::Forgotten { receipt: *receipt },
            Message::Invalidate(notice) if notice.settles() => Self::InvalidateAndSettle(notice.into()),
            Message::Invalidate(notice) => Self::Invalidate(notice.into()),
            Message::Membership(bytes) => Self::Membership(bytes.to_vec()),
            Message::Origin { host, word } => Self::Origin(WireOrigin::of(host, *word)),
            Message::Ping { token } => Self::Ping { token: *token },
            Message::Pong { token, clock } => Self::Pong { token: *token, clock: clock.as_unix_millis() },
            Message::Quota { payer, bucket, pause, shortage } => Self::Quota {
                payer: *payer.as_bytes(),
                bucket: bucket.0,
                pause: millis(*pause),
                window: match *shortage {
                    Shortage::Pace => None,
                    Shortage::Window { limit, used } => Some((limit, used)),
                },
            },
            Message::Release { name, verdict } => Self::Release {
                name: *name.as_bytes(),
                verdict: match verdict {
                    Verdict::Failed => WireVerdict::Failed,
                    Verdict::Unshareable => WireVerdict::Unshareable,
                    Verdict::Unused => WireVerdict::Unused,
                },
            },
            Message::WarmUp { skip } => Self::WarmUp { skip: *skip },
            Message::WarmedUp { next } => Self::WarmedUp { next: *next },
            Message::Writes(told) => Self::Writes(told.into()),
        }
    }
}

impl WireMessage {
    fn into_message(self) -> Result<Message, DecodeError> {
        let name = Name::from_bytes;
        Ok(match self {
            Self::Allowances(allowances) => Message::Allowances(allowances.into_allowances()?),
            Self::CallNumbers(told) => Message::CallNumbers(told.into_call_numbers()?),
            Self::Named { name: bytes, remaining, age, edition } => Message::Announce(Announced::Named {
                name: name(bytes),
                remaining: Duration::from_millis(remaining),
                age: Duration::from_millis(age),
                edition: edition.map(edition_of),
            }),
            Self::ToPassOn(parcel) => Message::Announce(Announced::ToPassOn(Box::new(parcel.into_parcel()?))),
            Self::Whole(parcel) => Message::Announce(Announced::Whole(Box::new(parcel.into_parcel()?))),
            Self::Answer { ask, answer } => {
                Message::Answer { ask: AskId(ask), answer: answer.into_answer()? }
            }
            Self::Ask { ask, name: bytes, as_coordinator } => {
                let role = if as_coordinator { Role::Coordinator } else { Role::Holder };
                Message::Ask { ask: AskId(ask), name: name(bytes), role, kin_wait: None }
            }
            Self::AskWithKin { ask, name: bytes, kin_wait } => Message::Ask {
                ask: AskId(ask),
                name: name(bytes),
                role: Role::Coordinator,
                kin_wait: Some(Duration::from_millis(kin_wait)),
            },
            Self::Digest(digest) => Message::Digest(digest.into()),
            Self::District(surroundings) => Message::District(surroundings.into_surroundings()?),
            Self::Guest(word) => Message::Guest(word.into()),
            Self::Claim { name: bytes } => Message::Claim { name: name(bytes) },
            Self::Figures { api_calls, hits, peer_hits, misses, entries } => {
                Message::Figures(Figures { api_calls, hits, peer_hits, misses, entries })
            }
            Self::Forgotten { receipt } => Message::Forgotten { receipt },
            Self::Invalidate(notice) => Message::Invalidate(notice.into_notice()?),
            Self::InvalidateAndSettle(notice) => Message::Invalidate(notice.into_notice()?),
            Self::Membership(bytes) => Message::Membership(Bytes::from(bytes)),
            Self::Origin(origin) => origin.into_message()?,
            Self::Ping { token } => Message::Ping { token },
            Self::Pong { token, clock } => Message::Pong { token, clock: Timestamp::from_unix_millis(clock) },
            Self::Quota { payer, bucket, pause, window } => Message::Quota {
                payer: Payer::from_bytes(payer),
                bucket: Bucket(bucket),
                pause: Duration::from_millis(pause),
                shortage: window.map_or(Shortage::Pace, |(limit, used)| Shortage::Window { limit, used }),
            },
            Self::Release { name: bytes, verdict } => {
                let verdict = match verdict {
                    WireVerdict::Failed => Verdict::Failed,
                    WireVerdict::Unshareable => Verdict::Unshareable,
                    WireVerdict::Unused => Verdict::Unused,
                };
                Message::Release { name: name(bytes), verdict }
            }
            Self::WarmUp { skip } => Message::WarmUp { skip },
            Self::WarmedUp { next } => Message::WarmedUp { next },
            Self::Writes(told) => Message::Writes(told.into()),
        })
    }
}

impl From<&Answer> for WireAnswer {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Failed => Self::Failed,
            Answer::Hit(parcel) => Self::Hit(WireParcel::from(&**parcel)),
            Answer::Lease { name, stale } => {
                Self::Lease { name: *name.as_bytes(), stale: stale.as_deref().map(WireParcel::from) }
            }
            Answer::Miss => Self::Miss,
            Answer::Wait => Self::Wait,
        }
    }
}

impl WireAnswer {
    fn into_answer(self) -> Result<Answer, DecodeError> {
        Ok(match self {
            Self::Failed => Answer::Failed,
            Self::Hit(parcel) => Answer::Hit(Box::new(parcel.into_parcel()?)),
            Self::Lease { name, stale } => {
                let stale = stale.map(WireParcel::into_parcel).transpose()?.map(Box::new);
                Answer::Lease { name: Name::from_bytes(name), stale }
            }
            Self::Miss => Answer::Miss,
            Self::Wait => Answer::Wait,
        })
    }
}

impl From<&Parcel> for WireParcel {
    fn from(parcel: &Parcel) -> Self {
        Self {
            record: Record::of(&parcel.key, &parcel.draft, millis(parcel.draft.age), 0),
            after: parcel.after.iter().map(|id| (id.count, id.issuer)).collect(),
            edition: parcel.edition.map(pair_of),
        }
    }
}

impl WireParcel {
    fn into_parcel(self) -> Result<Parcel, DecodeError> {
        check(&self.record)?;
        let age = Duration::from_millis(self.record.born);
        let (key, draft) = self.record.into_parts()?;
        let after =
            self.after.0.into_iter().map(|(count, issuer)| InvalidationId { count, issuer }).collect();
        Ok(Parcel { key, draft: crate::Draft { age, ..draft }, after, edition: self.edition.map(edition_of) })
    }
}

fn pair_of(edition: Edition) -> (u64, u64) {
    (edition.count, edition.issuer)
}

fn edition_of((count, issuer): (u64, u64)) -> Edition {
    Edition { issuer, count }
}

/// The protocol's major version. The gate lets no other in.
const VERSION: u8 = crate::Protocol::OURS.major;

/// How many kinds of message there are.
const KINDS: u32 = 25;

/// Bytes of memory that the number of a kind takes.
const KIND_BYTES_MAX: usize = 4;
