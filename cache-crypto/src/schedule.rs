//! The key schedule: from whatever a secret is made of to one key per purpose.
//!
//! Two steps. The first turns a secret into a [`RootKey`] and costs what the secret's kind needs: nothing
//! for random bytes, much for what a person thought up. The second derives a key for each [`Purpose`] and
//! is cheap. Keys of different purposes, and of different kinds of secret, are independent.

use cache_core::port::SealError;
use orion::hazardous::{
    hash::sha2::sha256::Sha256,
    kdf::{
        argon2::{Argon2, CostParams, ID, Sequential},
        hkdf::{self, Hkdf},
        pbkdf2::{self, Pbkdf2},
    },
    mac::hmac::sha256::{HmacSha256, SecretKey as HmacKey, Tag},
};
use zeroize::Zeroizing;

/// Thirty-two bytes that are wiped when dropped.
pub(crate) type Key32 = Zeroizing<[u8; 32]>;

/// What all keys of one secret are derived from.
pub(crate) struct RootKey(Tag);

impl RootKey {
    /// The root of 32 bytes that are random already: HKDF-SHA256's extraction (RFC 5869).
    pub(crate) fn of_random(bytes: &[u8; 32], salt: &[u8]) -> Self {
        Self(Hkdf::<hkdf::SHA256>::extract(salt, bytes).expect("HKDF extracts from any lengths"))
    }

    /// The root of a text that a person thought up: Argon2id (RFC 9106), because it makes guessing dear in
    /// memory as well as in time.
    pub(crate) fn of_passphrase(text: &[u8]) -> Self {
        let mut root = Key32::default();
        let cost =
            CostParams::new(ARGON2_PASSES, ARGON2_MEMORY_KIB, 1).expect("the costs are constants in range");
        Argon2::<ID, Sequential>::derive_key(text, PASSPHRASE_SALT, &cost, None, None, &mut root[..])
            .expect("the lengths are within Argon2's limits");
        Self(Tag::from(*root))
    }

    /// The root of a GitHub token: PBKDF2-HMAC-SHA256 (RFC 8018). A token is random enough that no
    /// memory-hard function is needed; the rounds are a second fence.
    pub(crate) fn of_token(text: &[u8]) -> Self {
        let mut root = Key32::default();
        Pbkdf2::<pbkdf2::SHA256>::derive_key(text, TOKEN_SALT, TOKEN_ROUNDS, &mut root[..])
            .expect("the lengths are within PBKDF2's limits");
        Self(Tag::from(*root))
    }

    /// The key for `purpose` alone: HKDF-SHA256's expansion with the purpose's label.
    pub(crate) fn derive(&self, purpose: Purpose) -> Key32 {
        let mut key = Key32::default();
        Hkdf::<hkdf::SHA256>::expand(&self.0, Some(purpose.label()), &mut key[..])
            .expect("32 bytes are within HKDF's limit");
        key
    }
}

/// What a derived key is for. Its label is part of the format: a change makes other keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// Proving to others that the secret is known.
    Admission,
    /// Naming the fleet to its members, where anybody may read.
    Beacon,
    /// Naming entries in what members say to one another.
    FleetName,
    /// What [`crate::FleetSecret::fingerprint`] prints.
    Fingerprint,
    /// Sealing the frames of connections, each with keys of its own below this one.
    Session,
    /// Sealing what is stored.
    StorageSeal,
    /// Which key sealed a stored value.
    StorageSealId,
    /// Naming what is stored.
    StorageName,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Admission => b"fleet-cache v1 admission",
            Self::Beacon => b"fleet-cache v1 beacon",
            Self::FleetName => b"fleet-cache v1 fleet name",
            Self::Fingerprint => b"fleet-cache v1 fingerprint",
            Self::Session => b"fleet-cache v1 session",
            Self::StorageSeal => b"fleet-cache v1 storage seal",
            Self::StorageSealId => b"fleet-cache v1 storage seal id",
            Self::StorageName => b"fleet-cache v1 storage name",
        }
    }
}

/// The first four bytes of SHA-256 over `parts`: tells a mistyped or cut-off secret from a whole one.
pub(crate) fn checksum(parts: &[&[u8]]) -> [u8; 4] {
    let digest = digest(parts);
    [digest[0], digest[1], digest[2], digest[3]]
}

/// SHA-256 over `parts`, one after the other.
pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part).expect("SHA-256 takes more bytes than fit in memory");
    }
    let digest = hash.finalize().expect("the hash is finished once");
    digest.as_ref().try_into().expect("a digest of SHA-256 is 32 bytes")
}

/// HMAC-SHA256 over `parts`, one after the other.
pub(crate) fn keyed_digest(key: &HmacKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = HmacSha256::new(key);
    for part in parts {
        mac.update(part).expect("HMAC takes more bytes than fit in memory");
    }
    let tag = mac.finalize().expect("the code is finished once");
    let tag: &[u8] = tag.unprotected_as_ref();
    tag.try_into().expect("a digest of SHA-256 is 32 bytes")
}

/// `key` as HMAC takes it.
pub(crate) fn hmac_key(key: &Key32) -> HmacKey {
    HmacKey::try_from(&key[..]).expect("HMAC takes a key of any length")
}

/// Fills `bytes` with the operating system's entropy.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), SealError> {
    orion::util::secure_rand_bytes(bytes).map_err(|_no_entropy| SealError)
}

/// Salt of generated fleet secrets.
pub(crate) const GENERATED_SALT: &[u8] = b"fleet-cache v1 generated secret";
/// Salt of a node's own key.
pub(crate) const NODE_SALT: &[u8] = b"fleet-cache v1 node key";

/// Salts are constants because the members of a fleet must come to the same keys without having spoken.
/// A precomputed table would have to be made for this program and at this cost.
const PASSPHRASE_SALT: &[u8] = b"fleet-cache v1 passphrase";
const TOKEN_SALT: &[u8] = b"fleet-cache v1 github token";

/// RFC 9106, section 4: the second recommended option, for less memory. The memory is given back at once.
const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;

/// Rounds that OWASP's password storage cheat sheet asks of PBKDF2-HMAC-SHA256: 0.2 s here.
const TOKEN_ROUNDS: usize = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(digits: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(digit).collect()
    }

    #[test]
    fn hkdf_gives_the_vectors_of_rfc_5869() {
        let cases = [
            (
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                "000102030405060708090a0b0c",
                "f0f1f2f3f4f5f6f7f8f9",
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                "",
                "",
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            ),
        ];
        for (key, salt, info, expected) in cases {
            let mut out = [0; 42];
            let root = Hkdf::<hkdf::SHA256>::extract(&unhex(salt), &unhex(key)).unwrap();
            Hkdf::<hkdf::SHA256>::expand(&root, Some(&unhex(info)), &mut out).unwrap();
            assert_eq!(out.to_vec(), unhex(expected));
        }
    }

    #[test]
    fn pbkdf2_gives_the_vectors_of_rfc_7914() {
        let cases: [(&[u8], &[u8], usize, &str); 2] = [
            (
                b"passwd",
                b"salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                 49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
            ),
            (
                b"Password",
                b"NaCl",
                80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
                 a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
            ),
        ];
        for (password, salt, rounds, expected) in cases {
            let mut out = [0; 64];
            Pbkdf2::<pbkdf2::SHA256>::derive_key(password, salt, rounds, &mut out).unwrap();
            assert_eq!(out.to_vec(), unhex(expected));
        }
    }

    #[test]
    fn argon2id_gives_the_vector_of_rfc_9106() {
        let cost = CostParams::new(3, 32, 4).unwrap();
        let mut out = [0; 32];
        Argon2::<ID, Sequential>::derive_key(
            &[1; 32],
            &[2; 16],
            &cost,
            Some(&[3; 8]),
            Some(&[4; 12]),
            &mut out,
        )
        .unwrap();
        let expected = unhex("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
        assert_eq!(out.to_vec(), expected);
    }

    #[test]
    fn no_two_purposes_or_kinds_share_a_key() {
        let purposes = [
            Purpose::Admission,
            Purpose::FleetName,
            Purpose::Fingerprint,
            Purpose::Session,
            Purpose::StorageSeal,
            Purpose::StorageSealId,
            Purpose::StorageName,
        ];
        let roots = [
            RootKey::of_random(&[7; 32], GENERATED_SALT),
            RootKey::of_random(&[7; 32], NODE_SALT),
            RootKey::of_passphrase(&[7; 32]),
            RootKey::of_token(&[7; 32]),
        ];
        let keys: std::collections::BTreeSet<[u8; 32]> =
            roots.iter().flat_map(|root| purposes.map(|purpose| *root.derive(purpose))).collect();
        assert_eq!(keys.len(), roots.len() * purposes.len());
    }

    /// Keys that change make every stored entry and every member of an older version a stranger.
    #[test]
    fn the_schedule_gives_the_keys_it_always_gave() {
        let first = |root: &RootKey| {
            let key = root.derive(Purpose::StorageSeal);
            key[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let keys = [
            first(&RootKey::of_random(&[1; 32], GENERATED_SALT)),
            first(&RootKey::of_random(&[1; 32], NODE_SALT)),
            first(&RootKey::of_passphrase(b"correct horse battery staple")),
            first(&RootKey::of_token(b"ghp_000000000000000000000000000000000000")),
        ];
        assert_eq!(keys, ["54d731ff8b15423a", "5af76183238f5217", "dac0ad7756327775", "db70ad82d712d7b6"]);
    }
}
