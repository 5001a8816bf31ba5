//! What an admission is about, and what is proved and derived from it.
//!
//! A chain of digests over the two peers that meet, the channel, and every message in order. Each proof covers the
//! chain up to its own message, and the session's keys cover all of it.
//!
//! ```text
//! met    = SHA-256("fleet-cache v1 met" || dialer || listener || channel || dialer's hello || listener's hello),
//!          the last three each behind its length, 8 bytes, little-endian
//! slot   = HMAC-SHA256(admission key, "fleet-cache v1 dialer's proof" || met), one for each of its secrets;
//!          random bytes in the slots left over
//! proved = SHA-256("fleet-cache v1 proved" || met || slots)
//! answer = HMAC-SHA256(admission key, "fleet-cache v1 listener's proof" || proved)
//! agreed = SHA-256("fleet-cache v1 agreed" || proved || answer)
//! keys   = HKDF-SHA256(salt: agreed, key: session key, info: "fleet-cache v1 dialer to listener", or
//!          "fleet-cache v1 listener to dialer")
//! ```

use crate::{
    keyring::{MemberKey, SECRETS_MAX},
    schedule::{Key32, digest, keyed_digest},
};
use cache_core::{PeerId, port::Side};
use orion::{
    hazardous::kdf::hkdf::{self, Hkdf},
    util::secure_cmp,
};
use std::sync::Arc;

/// The two peers that met and their channel: the same on both sides.
#[derive(Clone, Copy)]
pub(crate) struct Parties {
    pub(crate) dialer: PeerId,
    pub(crate) listener: PeerId,
}

impl Parties {
    pub(crate) fn new(side: Side, local: PeerId, remote: PeerId) -> Self {
        match side {
            Side::Dialer => Self { dialer: local, listener: remote },
            Side::Listener => Self { dialer: remote, listener: local },
        }
    }
}

/// The chain after both sides' hellos, by which the dialer proves itself.
pub(crate) struct Met([u8; 32]);

impl Met {
    pub(crate) fn new(parties: Parties, channel: &[u8], hellos: [&[u8]; 2]) -> Self {
        let length = |part: &[u8]| (part.len() as u64).to_le_bytes();
        Self(digest(&[
            b"fleet-cache v1 met",
            parties.dialer.public_key(),
            parties.listener.public_key(),
            &length(channel),
            channel,
            &length(hellos[0]),
            hellos[0],
            &length(hellos[1]),
            hellos[1],
        ]))
    }

    /// The dialer's proof by `key`.
    pub(crate) fn proof(&self, key: &MemberKey) -> Proof {
        keyed_digest(&key.proof, &[b"fleet-cache v1 dialer's proof", &self.0])
    }

    /// The first of `keys` that one of `slots` proves. Looks at all of them, whatever it finds.
    pub(crate) fn proved_by<'keys>(
        &self,
        keys: &'keys [Arc<MemberKey>],
        slots: &Slots,
    ) -> Option<&'keys Arc<MemberKey>> {
        first_proved(keys, |key| {
            let expected = self.proof(key);
            slots.as_chunks().0.iter().fold(false, |is_proved, slot| is_proved | is_same(slot, &expected))
        })
    }

    pub(crate) fn then(self, slots: &Slots) -> Proved {
        Proved(digest(&[b"fleet-cache v1 proved", &self.0, slots]))
    }
}

/// The chain after the dialer's proof, by which the listener proves itself.
pub(crate) struct Proved([u8; 32]);

impl Proved {
    /// The listener's proof by `key`.
    pub(crate) fn answer(&self, key: &MemberKey) -> Proof {
        keyed_digest(&key.proof, &[b"fleet-cache v1 listener's proof", &self.0])
    }

    /// The one of `keys` that `answer` proves. Looks at all of them, whatever it finds.
    pub(crate) fn answered_by<'keys>(
        &self,
        keys: &'keys [Arc<MemberKey>],
        answer: &Proof,
    ) -> Option<&'keys Arc<MemberKey>> {
        first_proved(keys, |key| is_same(answer, &self.answer(key)))
    }

    pub(crate) fn then(self, answer: &Proof) -> Agreed {
        Agreed(digest(&[b"fleet-cache v1 agreed", &self.0, answer]))
    }
}

/// The whole chain, from which the session's keys come.
pub(crate) struct Agreed([u8; 32]);

impl Agreed {
    /// The keys of the frames from the dialer to the listener, and of those back.
    pub(crate) fn session_keys(&self, key: &MemberKey) -> [Key32; 2] {
        let root =
            Hkdf::<hkdf::SHA256>::extract(&self.0, &key.session[..]).expect("HKDF extracts from any lengths");
        let expand = |label: &[u8]| {
            let mut key = Key32::default();
            Hkdf::<hkdf::SHA256>::expand(&root, Some(label), &mut key[..])
                .expect("32 bytes are within HKDF's limit");
            key
        };
        [expand(b"fleet-cache v1 dialer to listener"), expand(b"fleet-cache v1 listener to dialer")]
    }
}

fn first_proved(keys: &[Arc<MemberKey>], is_proved: impl Fn(&MemberKey) -> bool) -> Option<&Arc<MemberKey>> {
    keys.iter().fold(None, |first, key| {
        let this = is_proved(key).then_some(key);
        first.or(this)
    })
}

/// Compares in constant time.
fn is_same(one: &Proof, other: &Proof) -> bool {
    secure_cmp(one, other).is_ok()
}

/// One proof of one secret.
pub(crate) type Proof = [u8; PROOF_BYTES];

/// The dialer's proofs: as many as a keyring can hold, whatever it holds.
pub(crate) type Slots = [u8; SLOTS_BYTES];

pub(crate) const PROOF_BYTES: usize = 32;
pub(crate) const SLOTS_BYTES: usize = SECRETS_MAX * PROOF_BYTES;
