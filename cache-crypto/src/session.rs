//! The seal on the frames of one connection.

use crate::{
    keyring::MemberKey,
    replay::{ReplayWindow, SEQUENCE_END},
    schedule::Key32,
};
use bytes::Bytes;
use cache_core::{
    PeerId, Protocol,
    port::{FRAME_BYTES_MAX, Lane, SealError, Session},
};
use orion::hazardous::{
    aead::xchacha20poly1305::{Nonce, SecretKey, XChaCha20Poly1305},
    mac::poly1305::Tag,
};
use std::{fmt, sync::Arc};

/// Seals frames to the other side and opens those from it: XChaCha20-Poly1305, one key for each direction.
///
/// A frame is the version (1 byte), its place in the sequence (8, little-endian), the ciphertext, and the tag (16).
/// The tag also authenticates the version, the lane, the place, the sender and the receiver.
///
/// The nonce is the lane and the place, not random. Keys belong to one direction of one connection, so no
/// nonce comes twice, and sealing needs neither entropy nor 24 bytes of it in each frame.
///
/// Each lane has a sequence of its own, because a body of megabytes may be overtaken by any number of short
/// frames. The lane follows from the frame's length, so both sides know it.
pub(crate) struct FleetSession {
    sending: Direction,
    sequences: [u64; LANES],
    receiving: Direction,
    windows: [ReplayWindow; LANES],
    protocol: Protocol,
    /// The key by which both were let in.
    proved: Arc<MemberKey>,
}

impl FleetSession {
    /// The session of `local` with `remote`. Each seals with a key of its own, and both speak `protocol`.
    pub(crate) fn new(
        local: PeerId,
        sending: &Key32,
        remote: PeerId,
        receiving: &Key32,
        (protocol, proved): (Protocol, Arc<MemberKey>),
    ) -> Self {
        Self {
            sending: Direction { key: SecretKey::from(**sending), sender: local, receiver: remote },
            sequences: [0; LANES],
            receiving: Direction { key: SecretKey::from(**receiving), sender: remote, receiver: local },
            windows: Default::default(),
            protocol,
            proved,
        }
    }
}

impl Session for FleetSession {
    fn seal(&mut self, plain: &[u8]) -> Result<Bytes, SealError> {
        let lane = Lane::for_bytes(plain.len() + SEAL_BYTES);
        let sequence = &mut self.sequences[index(lane)];
        let place = *sequence;
        if place == SEQUENCE_END {
            return Err(SealError);
        }
        *sequence += 1;
        let mut frame = Vec::with_capacity(plain.len() + SEAL_BYTES);
        frame.push(VERSION);
        frame.extend_from_slice(&place.to_le_bytes());
        frame.extend_from_slice(plain);
        let tag = XChaCha20Poly1305::seal_inplace(
            &self.sending.key,
            &nonce(lane, place),
            Some(&self.sending.context(lane, place)),
            &mut frame[HEADER_BYTES..],
        )
        .map_err(|_too_long| SealError)?;
        frame.extend_from_slice(tag.unprotected_as_ref::<[u8]>());
        Ok(frame.into())
    }

    fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, SealError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SealError);
        }
        let lane = Lane::for_bytes(frame.len());
        let (&version, rest) = frame.split_first().ok_or(SealError)?;
        let (place, rest) = rest.split_first_chunk().ok_or(SealError)?;
        let (cipher, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(SealError)?;
        let place = u64::from_le_bytes(*place);
        let window = &mut self.windows[index(lane)];
        if version != VERSION || !window.admits(place) {
            return Err(SealError);
        }
        let mut plain = cipher.to_vec();
        XChaCha20Poly1305::open_inplace(
            &self.receiving.key,
            &nonce(lane, place),
            &Tag::from(*tag),
            Some(&self.receiving.context(lane, place)),
            &mut plain,
        )
        .map_err(|_forged| SealError)?;
        window.mark(place);
        Ok(plain)
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn is_revoked(&self) -> bool {
        self.proved.is_revoked()
    }
}

impl fmt::Debug for FleetSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetSession")
            .field("local", &self.sending.sender)
            .field("remote", &self.sending.receiver)
            .field("sealed_frames", &self.sequences)
            .finish_non_exhaustive()
    }
}

/// The keys and places of the frames that go one way.
struct Direction {
    key: SecretKey,
    sender: PeerId,
    receiver: PeerId,
}

impl Direction {
    /// What the tag authenticates besides a frame's content.
    fn context(&self, lane: Lane, place: u64) -> [u8; CONTEXT_BYTES] {
        let mut context = [0; CONTEXT_BYTES];
        context[0] = VERSION;
        context[1] = number(lane);
        context[2..10].copy_from_slice(&place.to_le_bytes());
        context[10..42].copy_from_slice(self.sender.public_key());
        context[42..].copy_from_slice(self.receiver.public_key());
        context
    }
}

/// The lane, zeros, and the place.
fn nonce(lane: Lane, place: u64) -> Nonce {
    let mut nonce = [0; NONCE_BYTES];
    nonce[0] = number(lane);
    nonce[16..].copy_from_slice(&place.to_le_bytes());
    Nonce::from(nonce)
}

/// The number of a lane on the wire.
fn number(lane: Lane) -> u8 {
    match lane {
        Lane::Control => 0,
        Lane::Bulk => 1,
    }
}

fn index(lane: Lane) -> usize {
    usize::from(number(lane))
}

/// The version of the frame's form.
const VERSION: u8 = 1;
const LANES: usize = 2;
const HEADER_BYTES: usize = 1 + 8;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const CONTEXT_BYTES: usize = 2 + 8 + 32 + 32;
/// Bytes by which a frame is longer than its content.
const SEAL_BYTES: usize = HEADER_BYTES + TAG_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    fn proved() -> (Protocol, Arc<MemberKey>) {
        let keyring = crate::Keyring::new(&crate::FleetSecret::generate().unwrap());
        (Protocol::OURS, Arc::clone(&keyring.keys()[0]))
    }

    #[test]
    fn a_sequence_that_is_used_up_ends_the_session() {
        let (one, other) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
        let key = Key32::default();
        let mut session = FleetSession::new(one, &key, other, &key, proved());
        session.sequences[0] = SEQUENCE_END - 1;
        let last = session.seal(b"last").unwrap();
        assert_eq!(session.seal(b"one too many"), Err(SealError));
        assert_eq!(session.seal(b"and again"), Err(SealError));
        let mut receiver = FleetSession::new(other, &key, one, &key, proved());
        assert_eq!(receiver.open(&last).unwrap(), b"last");
        assert_eq!(receiver.open(&last), Err(SealError));
    }
}
