//! The secrets of a node: the current one, and older ones while a fleet rotates.

use crate::{
    FleetNames, FleetSecret,
    schedule::{Key32, Purpose, hmac_key},
};
use orion::hazardous::mac::hmac::sha256::SecretKey as HmacKey;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// The fleet's current secret, and others that members may still, or already, use.
///
/// A fleet rotates its secret without interruption in three rounds over its members: accept the new secret beside the
/// old one, make the new one current and accept the old one, drop the old one. Any two members that share a secret,
/// current or not, let each other in.
///
/// ```
/// use cache_crypto::{FleetSecret, Keyring};
///
/// let (old, new) = (FleetSecret::generate()?, FleetSecret::generate()?);
/// let keyring = Keyring::new(&new).accepting(&old)?;
/// let shown: Vec<_> = keyring.ids().map(|id| id.to_string()).collect();
/// assert_eq!(shown, [new.fingerprint(), old.fingerprint()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Keyring(Vec<Arc<MemberKey>>);

impl Keyring {
    /// A keyring with `current` alone. The first use of a passphrase or a token takes some tenths of a second.
    pub fn new(current: &FleetSecret) -> Self {
        Self(vec![Arc::new(MemberKey::of(current))])
    }

    /// Accepts `other` as well, after those already there. A secret that is there already changes nothing.
    ///
    /// # Errors
    ///
    /// [`KeyringFull`] when there are [`SECRETS_MAX`] secrets already.
    pub fn accepting(mut self, other: &FleetSecret) -> Result<Self, KeyringFull> {
        let key = MemberKey::of(other);
        if self.0.iter().any(|held| held.proof == key.proof) {
            return Ok(self);
        }
        if self.0.len() == SECRETS_MAX {
            return Err(KeyringFull);
        }
        self.0.push(Arc::new(key));
        Ok(self)
    }

    /// The ids by which people know the secrets; the current one's is first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|key| key.id)
    }

    /// The names of entries among nodes that have these secrets.
    pub fn names(&self) -> FleetNames {
        let keys = |key: fn(&MemberKey) -> &Key32| self.0.iter().map(|it| hmac_key(key(it))).collect();
        FleetNames::of(keys(|it| &it.name), keys(|it| &it.beacon))
    }

    /// The keys of each secret, the current one's first. There are one to [`SECRETS_MAX`].
    pub(crate) fn keys(&self) -> &[Arc<MemberKey>] {
        &self.0
    }

    /// The same in place of `former`: what both hold goes on, and what `former` alone holds is revoked.
    pub(crate) fn in_place_of(mut self, former: &Self) -> Self {
        for held in &former.0 {
            match self.0.iter_mut().find(|key| key.proof == held.proof) {
                Some(key) => *key = Arc::clone(held),
                None => held.is_revoked.store(true, Ordering::Release),
            }
        }
        self
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("secrets", &self.0.len()).finish_non_exhaustive()
    }
}

/// Digits by which people tell secrets apart: what [`FleetSecret::fingerprint`] prints. They are never sent to
/// another node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct KeyId([u8; 4]);

impl KeyId {
    pub(crate) fn of(secret: &FleetSecret) -> Self {
        let key = secret.derive(Purpose::Fingerprint);
        Self([key[0], key[1], key[2], key[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// A keyring takes no more than [`SECRETS_MAX`] secrets. The keyring is gone; the secrets are as they were.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("more than {SECRETS_MAX} fleet secrets at once")]
pub struct KeyringFull;

/// Most secrets at once: two while rotating, and a third when one leaks meanwhile, rounded up. The proof
/// has this many slots, whatever a keyring holds, so that their number shows nothing.
pub const SECRETS_MAX: usize = 4;

/// What connections need of one secret.
pub(crate) struct MemberKey {
    pub(crate) id: KeyId,
    pub(crate) proof: HmacKey,
    pub(crate) session: Key32,
    name: Key32,
    beacon: Key32,
    /// How many were let in by it.
    pub(crate) admissions: AtomicU64,
    is_revoked: AtomicBool,
}

impl MemberKey {
    fn of(secret: &FleetSecret) -> Self {
        Self {
            id: KeyId::of(secret),
            proof: hmac_key(&secret.derive(Purpose::Admission)),
            session: secret.derive(Purpose::Session),
            name: secret.derive(Purpose::FleetName),
            beacon: secret.derive(Purpose::Beacon),
            admissions: AtomicU64::new(0),
            is_revoked: AtomicBool::new(false),
        }
    }

    /// Whether the node no longer accepts the secret.
    pub(crate) fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> FleetSecret {
        FleetSecret::generate().unwrap()
    }

    #[test]
    fn a_secret_given_twice_counts_once() {
        let (current, older) = (secret(), secret());
        let keyring = Keyring::new(&current).accepting(&older).unwrap();
        let keyring = keyring.accepting(&current).unwrap().accepting(&older).unwrap();
        assert_eq!(keyring.ids().collect::<Vec<_>>(), [KeyId::of(&current), KeyId::of(&older)]);
    }

    #[test]
    fn more_secrets_than_slots_are_refused() {
        let mut keyring = Keyring::new(&secret());
        for _ in 1..SECRETS_MAX {
            keyring = keyring.accepting(&secret()).unwrap();
        }
        let refused = keyring.accepting(&secret()).unwrap_err();
        assert_eq!(refused.to_string(), "more than 4 fleet secrets at once");
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Keyring::new(&secret())), "Keyring { secrets: 1, .. }");
    }
}
