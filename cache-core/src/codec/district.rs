//! What members say of their districts as parts of messages, and back.

use super::{DecodeError, List, millis};
use crate::{
    MEMBER_ADDRESSES_MAX, Member, PeerId,
    message::{KNOWN_TOLD_MAX, Known, Surroundings},
};
use alloc::string::String;
use core::time::Duration;

#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireSurroundings {
    depth: u8,
    members_count: u32,
    wants_others: bool,
    known: List<WireKnown, KNOWN_TOLD_MAX>,
}

#[derive(bincode::Decode, bincode::Encode)]
struct WireKnown {
    peer: [u8; 32],
    boot: u64,
    addresses: List<String, MEMBER_ADDRESSES_MAX>,
    depth: u8,
    members_count: u32,
    age: u64,
}

impl From<&Surroundings> for WireSurroundings {
    fn from(surroundings: &Surroundings) -> Self {
        let Surroundings { depth, members_count, wants_others, known } = surroundings;
        let known = known.iter().map(|known| WireKnown {
            peer: *known.member.peer().public_key(),
            boot: known.member.boot(),
            addresses: known.member.stems().iter().map(|stem| String::from(&**stem)).collect(),
            depth: known.depth,
            members_count: known.members_count,
            age: millis(known.age),
        });
        Self {
            depth: *depth,
            members_count: *members_count,
            wants_others: *wants_others,
            known: known.collect(),
        }
    }
}

impl WireSurroundings {
    pub(super) fn into_surroundings(self) -> Result<Surroundings, DecodeError> {
        let known = self.known.0.into_iter().map(|known| {
            let peer = PeerId::from_public_key(known.peer);
            let member = Member::from_stems(peer, known.boot, known.addresses.0);
            Ok(Known {
                member: member.ok_or(DecodeError::Malformed)?,
                depth: known.depth,
                members_count: known.members_count,
                age: Duration::from_millis(known.age),
            })
        });
        Ok(Surroundings {
            depth: self.depth,
            members_count: self.members_count,
            wants_others: self.wants_others,
            known: known.collect::<Result<_, _>>()?,
        })
    }
}
