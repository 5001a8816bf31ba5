//! The names of entries among members.

use crate::schedule::keyed_digest;
use orion::hazardous::mac::hmac::sha256::SecretKey as HmacKey;
use std::fmt;

/// Names entries on the wire by keyed digests, so that a repository's name is not readable by outsiders.
///
/// HMAC-SHA256 under a key for this alone: the names in a store are others. Made by
/// [`Keyring::names`](crate::Keyring::names).
///
/// ```
/// use cache_crypto::{FleetSecret, Keyring};
///
/// let (old, new) = (FleetSecret::generate()?, FleetSecret::generate()?);
/// let before = Keyring::new(&old).accepting(&new)?.names();
/// let after = Keyring::new(&new).accepting(&old)?.names();
/// assert_ne!(before.name("k"), after.name("k"));
/// assert!(after.accepted("k").any(|name| name == before.name("k")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FleetNames {
    names: Vec<HmacKey>,
    beacons: Vec<HmacKey>,
}

impl FleetNames {
    /// Names by the first of `names`, and knows the names by the others.
    pub(crate) fn of(names: Vec<HmacKey>, beacons: Vec<HmacKey>) -> Self {
        Self { names, beacons }
    }

    /// What the fleet is called on `day`, days since 1970, in places where outsiders read as well: one name for each secret,
    /// the current one's first.
    ///
    /// Without the secret, a name tells nothing of the fleet, and nothing of the name of another day.
    pub fn beacons(&self, day: u64) -> impl Iterator<Item = [u8; 32]> {
        self.beacons.iter().map(move |key| keyed_digest(key, &[&day.to_be_bytes()]))
    }

    /// The name of `text` by the current secret.
    pub fn name(&self, text: &str) -> [u8; 32] {
        keyed_digest(&self.names[0], &[text.as_bytes()])
    }

    /// The names that members may use for `text` while the fleet rotates: [`FleetNames::name`] first, then one name for
    /// each other secret, always in the same order.
    pub fn accepted(&self, text: &str) -> impl Iterator<Item = [u8; 32]> {
        self.names.iter().map(move |key| keyed_digest(key, &[text.as_bytes()]))
    }
}

impl fmt::Debug for FleetNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetNames").field("secrets", &self.names.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{FleetSecret, Keyring, StorageSealer};
    use cache_core::port::Sealer as _;

    #[test]
    fn members_of_one_fleet_agree_and_others_do_not() {
        let (ours, theirs) = (FleetSecret::generate().unwrap(), FleetSecret::generate().unwrap());
        let same = ours.clone();
        let name = |secret: &FleetSecret| Keyring::new(secret).names().name("anonymous GET /repos/acme/site");
        assert_eq!(name(&ours), name(&same));
        assert_ne!(name(&ours), name(&theirs));
    }

    #[test]
    fn members_call_their_fleet_alike_and_otherwise_on_every_day() {
        let (ours, theirs) = (FleetSecret::generate().unwrap(), FleetSecret::generate().unwrap());
        let called = |keyring: Keyring, day| keyring.names().beacons(day).collect::<Vec<_>>();
        let first = called(Keyring::new(&ours), 20_000);
        assert_eq!(first, called(Keyring::new(&ours.clone()), 20_000));
        assert_ne!(first, called(Keyring::new(&ours), 20_001));
        assert_ne!(first, called(Keyring::new(&theirs), 20_000));
        let rotating = called(Keyring::new(&theirs).accepting(&ours).unwrap(), 20_000);
        assert_eq!(rotating[1..], first, "who has either secret is found");
    }

    #[test]
    fn a_name_on_the_wire_is_not_the_name_on_disk() {
        let secret = FleetSecret::generate().unwrap();
        assert_ne!(Keyring::new(&secret).names().name("k"), StorageSealer::from_secret(&secret).name("k"));
    }
}
