//! The seal on what is stored.

use crate::{
    FleetSecret, NodeKey,
    schedule::{Key32, Purpose, fill_random, hmac_key, keyed_digest},
};
use cache_core::port::{SealError, Sealer};
use orion::hazardous::{
    aead::xchacha20poly1305::{Nonce, SecretKey, XChaCha20Poly1305},
    mac::{hmac::sha256::SecretKey as HmacKey, poly1305::Tag},
};
use std::fmt;

/// Seals what a node stores: XChaCha20-Poly1305 under a key that is used for nothing else.
///
/// A sealed value is the id of its key (4 bytes), a random nonce (24), the ciphertext, and the tag (16). The
/// context is authenticated but not stored. Nonces of 24 bytes may be random for any number of values.
/// The current key seals and names; older ones, added by [`StorageSealer::opening_also`], open.
///
/// ```
/// use {cache_core::port::Sealer, cache_crypto::{FleetSecret, StorageSealer}};
///
/// let sealer = StorageSealer::from_secret(&FleetSecret::generate()?);
/// let sealed = sealer.seal(b"where", b"what")?;
/// assert_eq!(sealer.open(b"where", &sealed)?, b"what");
/// assert!(sealer.open(b"elsewhere", &sealed).is_err());
/// assert_eq!(sealer.name("k"), sealer.name("k"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StorageSealer {
    current: SealingKey,
    older: Vec<SealingKey>,
    name_key: HmacKey,
}

impl StorageSealer {
    /// Seals with keys of the fleet's secret. The first use of a passphrase or a token takes some tenths
    /// of a second.
    pub fn from_secret(secret: &FleetSecret) -> Self {
        Self::from_derived(|purpose| secret.derive(purpose))
    }

    /// Seals with keys of the node's own key.
    pub fn from_node_key(key: &NodeKey) -> Self {
        Self::from_derived(|purpose| key.derive(purpose))
    }

    /// Opens what `older` sealed as well. Names and new seals stay as they are.
    #[must_use]
    pub fn opening_also(mut self, older: Self) -> Self {
        self.older.push(older.current);
        self.older.extend(older.older);
        self
    }

    fn from_derived(derive: impl Fn(Purpose) -> Key32) -> Self {
        let id = derive(Purpose::StorageSealId);
        Self {
            current: SealingKey {
                id: [id[0], id[1], id[2], id[3]],
                key: SecretKey::from(*derive(Purpose::StorageSeal)),
            },
            older: Vec::new(),
            name_key: hmac_key(&derive(Purpose::StorageName)),
        }
    }
}

impl Sealer for StorageSealer {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        fill_random(&mut nonce)?;
        let mut sealed = Vec::with_capacity(SEAL_BYTES + plain.len());
        sealed.extend_from_slice(&self.current.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = XChaCha20Poly1305::seal_inplace(
            &self.current.key,
            &Nonce::from(nonce),
            Some(context),
            &mut sealed[HEADER_BYTES..],
        )
        .map_err(|_too_long| SealError)?;
        sealed.extend_from_slice(tag.unprotected_as_ref::<[u8]>());
        Ok(sealed)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (id, rest) = sealed.split_first_chunk::<ID_BYTES>().ok_or(SealError)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError)?;
        let (cipher, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(SealError)?;
        let nonce = Nonce::from(*nonce);
        let tag = Tag::from(*tag);
        // Ids of four bytes may coincide, so every key with this one is tried.
        std::iter::once(&self.current)
            .chain(&self.older)
            .filter(|candidate| candidate.id == *id)
            .find_map(|candidate| {
                let mut plain = cipher.to_vec();
                XChaCha20Poly1305::open_inplace(&candidate.key, &nonce, &tag, Some(context), &mut plain)
                    .is_ok()
                    .then_some(plain)
            })
            .ok_or(SealError)
    }

    fn name(&self, text: &str) -> [u8; 32] {
        keyed_digest(&self.name_key, &[text.as_bytes()])
    }
}

impl fmt::Debug for StorageSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageSealer").field("older_keys", &self.older.len()).finish_non_exhaustive()
    }
}

struct SealingKey {
    id: [u8; ID_BYTES],
    key: SecretKey,
}

const ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = ID_BYTES + NONCE_BYTES;
/// Bytes by which a sealed value is longer than the plain one.
const SEAL_BYTES: usize = HEADER_BYTES + TAG_BYTES;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealer() -> StorageSealer {
        StorageSealer::from_secret(&FleetSecret::generate().unwrap())
    }

    #[test]
    fn the_cipher_gives_the_vector_of_the_xchacha_draft() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
        let plain =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
sunscreen would be it.";
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
        let context = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let mut cipher = plain.to_vec();
        let tag = XChaCha20Poly1305::seal_inplace(
            &SecretKey::from(key),
            &Nonce::from(nonce),
            Some(&context),
            &mut cipher,
        )
        .unwrap();
        assert_eq!(cipher[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        let expected_tag =
            [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49];
        assert_eq!(tag, &expected_tag);
    }

    #[test]
    fn an_older_key_opens_and_the_current_one_seals() {
        let (old_secret, new_secret) = (FleetSecret::generate().unwrap(), FleetSecret::generate().unwrap());
        let old = StorageSealer::from_secret(&old_secret);
        let sealed_before = old.seal(b"c", b"before").unwrap();
        let both = StorageSealer::from_secret(&new_secret).opening_also(old);
        assert_eq!(both.open(b"c", &sealed_before).unwrap(), b"before");
        let sealed_after = both.seal(b"c", b"after").unwrap();
        let new = StorageSealer::from_secret(&new_secret);
        assert_eq!(new.open(b"c", &sealed_after).unwrap(), b"after");
        assert_eq!(new.name("k"), both.name("k"));
        assert_eq!(new.open(b"c", &sealed_before), Err(SealError));
    }

    #[test]
    fn a_name_tells_nothing_without_the_key() {
        assert_ne!(sealer().name("k"), sealer().name("k"));
    }

    #[test]
    fn the_same_value_sealed_twice_looks_different() {
        let sealer = sealer();
        assert_ne!(sealer.seal(b"", b"v").unwrap(), sealer.seal(b"", b"v").unwrap());
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_again(context: Vec<u8>, plain: Vec<u8>) {
            let sealer = sealer();
            let sealed = sealer.seal(&context, &plain).unwrap();
            prop_assert_eq!(sealed.len(), plain.len() + SEAL_BYTES);
            prop_assert_eq!(sealer.open(&context, &sealed).unwrap(), plain);
        }

        #[test]
        fn a_single_altered_bit_is_noticed(plain: Vec<u8>, at: proptest::sample::Index, bit in 0..8u32) {
            let sealer = sealer();
            let mut sealed = sealer.seal(b"c", &plain).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(sealer.open(b"c", &sealed), Err(SealError));
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes: Vec<u8>) {
            prop_assert_eq!(sealer().open(b"", &bytes), Err(SealError));
        }
    }
}
