//! What members say about members, as bytes.
//!
//! A message is one header, and then either nothing or a count in two bytes, the high one first, and so many
//! updates. foca frames it so; the parts are ours. Where only foca compares identities their addresses are
//! left out.

use super::{
    Malformed, Member,
    member::{Identity, MEMBER_ADDRESSES_MAX},
};
use crate::{
    PeerId,
    address::ADDRESS_BYTES_MAX,
    codec::{Decode, Encode, decode_some, encode},
};
use alloc::{string::String, vec::Vec};
use bytes::{Buf, BufMut};
use core::ops::Range;

/// Writes and reads the parts of messages for foca.
#[derive(Debug)]
pub(crate) struct MembershipCodec;

/// A message taken apart.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The sender, the receiver and the kind of the message.
    pub(crate) header: foca::Header<Identity>,
    /// How many bytes the header takes.
    pub(crate) header_bytes: usize,
    /// What is said of members, at most once of each, and where it stands in the message.
    pub(crate) updates: Vec<(foca::Member<Identity>, Range<usize>)>,
}

/// Takes a message apart.
///
/// # Errors
///
/// [`Malformed`] unless the bytes are exactly one message that a sound member could have written.
pub(crate) fn parse_message(bytes: &[u8]) -> Result<Parsed, Malformed> {
    if bytes.len() > MEMBERSHIP_BYTES_MAX {
        return Err(Malformed);
    }
    let (header, header_bytes) = decode_header(bytes)?;
    let mut updates = Vec::new();
    if let Some((count, rest)) = bytes[header_bytes..].split_first_chunk() {
        let mut at = bytes.len() - rest.len();
        for _update in 0..u16::from_be_bytes(*count) {
            let (update, update_bytes) = decode_update(&bytes[at..])?;
            updates.push((update, at..at + update_bytes));
            at += update_bytes;
        }
        if at != bytes.len() || !carries_updates(&header.message) {
            return Err(Malformed);
        }
    } else if header_bytes != bytes.len() {
        return Err(Malformed);
    }
    let mut peers: Vec<PeerId> = updates.iter().map(|(update, _)| update.id().0.peer()).collect();
    peers.sort_unstable();
    if peers.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Malformed);
    }
    Ok(Parsed { header, header_bytes, updates })
}

impl Parsed {
    /// The message with only those updates for which `keep` holds; `bytes` are what this was parsed from.
    pub(crate) fn retain(&self, bytes: &[u8], keep: impl Fn(&foca::Member<Identity>) -> bool) -> Vec<u8> {
        let kept: Vec<_> = self.updates.iter().filter(|(update, _)| keep(update)).collect();
        let mut message = bytes[..self.header_bytes].to_vec();
        if !kept.is_empty() {
            let count = u16::try_from(kept.len()).expect("there are no more than a count of two bytes gave");
            message.put_u16(count);
            kept.iter().for_each(|(_, range)| message.extend_from_slice(&bytes[range.clone()]));
        }
        message
    }
}

impl foca::Codec<Identity> for MembershipCodec {
    type Error = CodecError;

    fn encode_header(&mut self, header: &foca::Header<Identity>, buf: impl BufMut) -> Result<(), CodecError> {
        let message = MessageForm::of(&header.message).ok_or(CodecError::Unspeakable)?;
        let form = HeaderForm {
            src: MemberForm::of(&header.src),
            src_incarnation: header.src_incarnation,
            dst: NameForm::of(&header.dst),
            message,
        };
        put(buf, &form)
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<foca::Header<Identity>, CodecError> {
        let (header, header_bytes) = decode_header(buf.chunk()).map_err(CodecError::Malformed)?;
        buf.advance(header_bytes);
        Ok(header)
    }

    fn encode_member(&mut self, update: &foca::Member<Identity>, buf: impl BufMut) -> Result<(), CodecError> {
        let member = match update.state() {
            foca::State::Alive | foca::State::Suspect => MemberForm::of(update.id()),
            // No member contacts a dead one.
            foca::State::Down => MemberForm { addresses: Vec::new(), ..MemberForm::of(update.id()) },
        };
        let state = StateForm::of(update.state());
        put(buf, &UpdateForm { member, incarnation: update.incarnation(), state })
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<foca::Member<Identity>, CodecError> {
        let (update, update_bytes) = decode_update(buf.chunk()).map_err(CodecError::Malformed)?;
        buf.advance(update_bytes);
        Ok(update)
    }
}

/// Why a part of a message was not written or read. Nothing was written or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum CodecError {
    /// The bytes are not such a part.
    #[error("{0}")]
    Malformed(Malformed),
    /// The message is full.
    #[error("the message is full")]
    NoRoom,
    /// Messages of this kind are not in use.
    #[error("messages of this kind are not in use")]
    Unspeakable,
}

/// Longest message of the membership, in bytes.
///
/// Only a newcomer to a large fleet gets one as long: it is told of all members at once.
pub(crate) const MEMBERSHIP_BYTES_MAX: usize = 128 * 1024;

const _: () = assert!(2 * MEMBERSHIP_BYTES_MAX < crate::port::FRAME_BYTES_MAX);
const _: () = assert!(PART_MEMORY_MAX < MEMBERSHIP_BYTES_MAX / 8);

/// Most bytes of memory that decoding one header or update may claim: its addresses, their places in a
/// vector, and a few names.
const PART_MEMORY_MAX: usize = MEMBER_ADDRESSES_MAX * (ADDRESS_BYTES_MAX + 64) + 256;

fn decode_header(bytes: &[u8]) -> Result<(foca::Header<Identity>, usize), Malformed> {
    let (form, form_bytes) = decode_some::<HeaderForm, PART_MEMORY_MAX>(bytes).ok_or(Malformed)?;
    let header = foca::Header {
        src: form.src.into_identity()?,
        src_incarnation: form.src_incarnation,
        dst: form.dst.into_identity(),
        message: form.message.into_message(),
    };
    Ok((header, form_bytes))
}

fn decode_update(bytes: &[u8]) -> Result<(foca::Member<Identity>, usize), Malformed> {
    let (form, form_bytes) = decode_some::<UpdateForm, PART_MEMORY_MAX>(bytes).ok_or(Malformed)?;
    let update = foca::Member::new(form.member.into_identity()?, form.incarnation, form.state.into_state());
    Ok((update, form_bytes))
}

fn put(mut buf: impl BufMut, form: &impl Encode) -> Result<(), CodecError> {
    let bytes = encode(form);
    if bytes.len() > buf.remaining_mut() {
        return Err(CodecError::NoRoom);
    }
    buf.put_slice(&bytes);
    Ok(())
}

/// Whether foca puts updates behind such a message.
fn carries_updates(message: &foca::Message<Identity>) -> bool {
    !matches!(message, foca::Message::Announce | foca::Message::TurnUndead)
}

/// The field order is the format, here and below.
#[derive(Decode, Encode)]
struct HeaderForm {
    src: MemberForm,
    src_incarnation: u16,
    dst: NameForm,
    message: MessageForm,
}

#[derive(Decode, Encode)]
struct UpdateForm {
    member: MemberForm,
    incarnation: u16,
    state: StateForm,
}

#[derive(Decode, Encode)]
struct MemberForm {
    name: NameForm,
    addresses: Vec<String>,
}

impl MemberForm {
    fn of(identity: &Identity) -> Self {
        let addresses = identity.0.stems().iter().map(|stem| String::from(&**stem)).collect();
        Self { name: NameForm::of(identity), addresses }
    }

    fn into_identity(self) -> Result<Identity, Malformed> {
        let peer = PeerId::from_public_key(self.name.peer);
        Member::from_stems(peer, self.name.boot, self.addresses).map(Identity).ok_or(Malformed)
    }
}

#[derive(Decode, Encode)]
struct NameForm {
    peer: [u8; 32],
    boot: u64,
}

impl NameForm {
    fn of(identity: &Identity) -> Self {
        Self { peer: *identity.0.peer().public_key(), boot: identity.0.boot() }
    }

    fn into_identity(self) -> Identity {
        Identity::bare(PeerId::from_public_key(self.peer), self.boot)
    }
}

#[derive(Decode, Encode)]
enum StateForm {
    Alive,
    Suspect,
    Down,
}

impl StateForm {
    fn of(state: foca::State) -> Self {
        match state {
            foca::State::Alive => Self::Alive,
            foca::State::Suspect => Self::Suspect,
            foca::State::Down => Self::Down,
        }
    }

    fn into_state(self) -> foca::State {
        match self {
            Self::Alive => foca::State::Alive,
            Self::Suspect => foca::State::Suspect,
            Self::Down => foca::State::Down,
        }
    }
}

/// foca's messages, in its order, except for the one that carries others' broadcasts.
#[derive(Decode, Encode)]
enum MessageForm {
    Ping(u8),
    Ack(u8),
    PingReq { target: NameForm, probe: u8 },
    IndirectPing { origin: NameForm, probe: u8 },
    IndirectAck { target: NameForm, probe: u8 },
    ForwardedAck { origin: NameForm, probe: u8 },
    Announce,
    Feed,
    Rumours,
    TurnUndead,
}

impl MessageForm {
    fn of(message: &foca::Message<Identity>) -> Option<Self> {
        use foca::Message as Foca;
        Some(match message {
            Foca::Ping(probe) => Self::Ping(*probe),
            Foca::Ack(probe) => Self::Ack(*probe),
            Foca::PingReq { target, probe_number: probe } => {
                Self::PingReq { target: NameForm::of(target), probe: *probe }
            }
            Foca::IndirectPing { origin, probe_number: probe } => {
                Self::IndirectPing { origin: NameForm::of(origin), probe: *probe }
            }
            Foca::IndirectAck { target, probe_number: probe } => {
                Self::IndirectAck { target: NameForm::of(target), probe: *probe }
            }
            Foca::ForwardedAck { origin, probe_number: probe } => {
                Self::ForwardedAck { origin: NameForm::of(origin), probe: *probe }
            }
            Foca::Announce => Self::Announce,
            Foca::Feed => Self::Feed,
            Foca::Gossip => Self::Rumours,
            Foca::TurnUndead => Self::TurnUndead,
            Foca::Broadcast => return None,
        })
    }

    fn into_message(self) -> foca::Message<Identity> {
        use foca::Message as Foca;
        match self {
            Self::Ping(probe) => Foca::Ping(probe),
            Self::Ack(probe) => Foca::Ack(probe),
            Self::PingReq { target, probe } => {
                Foca::PingReq { target: target.into_identity(), probe_number: probe }
            }
            Self::IndirectPing { origin, probe } => {
                Foca::IndirectPing { origin: origin.into_identity(), probe_number: probe }
            }
            Self::IndirectAck { target, probe } => {
                Foca::IndirectAck { target: target.into_identity(), probe_number: probe }
            }
            Self::ForwardedAck { origin, probe } => {
                Foca::ForwardedAck { origin: origin.into_identity(), probe_number: probe }
            }
            Self::Announce => Foca::Announce,
            Self::Feed => Foca::Feed,
            Self::Rumours => Foca::Gossip,
            Self::TurnUndead => Foca::TurnUndead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};
    use foca::Codec as _;

    fn member(byte: u8, boot: u64, addresses: &[&str]) -> Identity {
        Identity(Member::new(PeerId::from_public_key([byte; 32]), boot, addresses))
    }

    fn header(message: foca::Message<Identity>) -> foca::Header<Identity> {
        let src = member(1, 300, &["/ip4/192.0.2.1/tcp/1", "/ip6/::1/tcp/1"]);
        foca::Header { src, src_incarnation: 2, dst: member(2, 3, &[]), message }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_message_has_the_bytes_that_other_releases_know() {
        let mut bytes = Vec::new();
        MembershipCodec.encode_header(&header(foca::Message::Gossip), &mut bytes).unwrap();
        let addresses = ["14", &hex(b"/ip4/192.0.2.1/tcp/1"), "0e", &hex(b"/ip6/::1/tcp/1")].concat();
        let expected =
            ["01".repeat(32), "fb2c01".into(), "02".into(), addresses, "02".into(), "02".repeat(32)];
        assert_eq!(hex(&bytes), [expected.concat().as_str(), "03", "08"].concat());

        bytes.clear();
        let down = foca::Member::new(member(1, 300, &["/ip4/192.0.2.1/tcp/1"]), 4, foca::State::Down);
        MembershipCodec.encode_member(&down, &mut bytes).unwrap();
        assert_eq!(
            hex(&bytes),
            ["01".repeat(32), "fb2c01".into(), "00".into(), "04".into(), "02".into()].concat()
        );
    }

    #[test]
    fn every_message_is_read_as_it_was_written() {
        use foca::Message as Foca;
        let other = member(3, u64::MAX, &[]);
        for message in [
            Foca::Ping(1),
            Foca::Ack(2),
            Foca::PingReq { target: other.clone(), probe_number: 3 },
            Foca::IndirectPing { origin: other.clone(), probe_number: 4 },
            Foca::IndirectAck { target: other.clone(), probe_number: 5 },
            Foca::ForwardedAck { origin: other, probe_number: 255 },
            Foca::Announce,
            Foca::Feed,
            Foca::Gossip,
            Foca::TurnUndead,
        ] {
            let mut bytes = Vec::new();
            MembershipCodec.encode_header(&header(message.clone()), &mut bytes).unwrap();
            let parsed = parse_message(&bytes).unwrap();
            assert_eq!(parsed.header, header(message));
            assert_eq!(parsed.header.src.0, header(Foca::Announce).src.0, "with addresses");
            assert_eq!((parsed.header_bytes, parsed.updates.len()), (bytes.len(), 0));
        }
    }

    #[test]
    fn updates_are_found_where_they_stand_and_can_be_left_out() {
        let mut bytes = Vec::new();
        MembershipCodec.encode_header(&header(foca::Message::Feed), &mut bytes).unwrap();
        bytes.put_u16(3);
        let updates = [3, 4, 5].map(|byte| foca::Member::alive(member(byte, 1, &["/ip4/192.0.2.1/tcp/1"])));
        updates.iter().for_each(|update| MembershipCodec.encode_member(update, &mut bytes).unwrap());
        let parsed = parse_message(&bytes).unwrap();
        assert!(parsed.updates.iter().map(|(update, _)| update).eq(&updates));
        assert_eq!(parsed.retain(&bytes, |_update| true), bytes);
        let kept = parsed.retain(&bytes, |update| *update != updates[1]);
        let kept: Vec<_> =
            parse_message(&kept).unwrap().updates.into_iter().map(|(update, _)| update).collect();
        assert_eq!(kept, [updates[0].clone(), updates[2].clone()]);
    }

    #[test]
    fn a_part_that_does_not_fit_leaves_nothing_behind() {
        let update = foca::Member::alive(member(1, 1, &[]));
        let mut room = vec![0_u8; 20];
        let refused = MembershipCodec.encode_member(&update, &mut room[..]);
        assert_eq!((refused, room), (Err(CodecError::NoRoom), vec![0; 20]));
        let refused = MembershipCodec.encode_header(&header(foca::Message::Broadcast), Vec::new());
        assert_eq!(refused, Err(CodecError::Unspeakable));
    }

    #[test]
    fn a_part_that_claims_more_than_it_may_hold_is_refused() {
        let name = [1; 33];
        // Two to the 40th addresses, and one address as long.
        for claim in [&[0xfd, 0, 0, 0, 0, 0, 1, 0, 0][..], &[1, 0xfd, 0, 0, 0, 0, 0, 1, 0, 0]] {
            assert!(decode_update(&[&name[..], claim, &[0; 64]].concat()).is_err());
        }
        let longest = format!("/{}", "x".repeat(ADDRESS_BYTES_MAX - 1));
        let full = member(1, u64::MAX, &[longest.as_str(); MEMBER_ADDRESSES_MAX]);
        assert_eq!(full.0.stems().len(), MEMBER_ADDRESSES_MAX);
        let mut bytes = Vec::new();
        MembershipCodec.encode_member(&foca::Member::alive(full), &mut bytes).unwrap();
        assert!(decode_update(&bytes).is_ok(), "what is within the limits is read");
    }
}
