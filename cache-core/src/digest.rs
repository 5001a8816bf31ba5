//! What a node remembers of invalidations, in few bytes.
//!
//! Two members that meet say this to each other, and then tell only what lies where the two differ. Invalidations are put
//! into buckets by a hash of their numbers, and of each bucket a sum of hashes is told.

use crate::message::InvalidationId;
use alloc::{vec, vec::Vec};
use core::{fmt, hash::Hasher as _, time::Duration};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// What a member remembers of invalidations, as it says it to one that it meets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Digest {
    /// Comes back in the receiver's [`Message::Forgotten`](crate::Message::Forgotten), once it has told what the sender may
    /// lack, and has drawn the consequences of `mark`.
    pub receipt: u64,
    /// How long ago the latest was issued that the sender knew and no longer remembers; `None` if there is none.
    pub mark: Option<Duration>,
    /// What the hashes are keyed with: nobody can tell beforehand which invalidations will have which.
    pub salt: Salt,
    /// The sum of the hashes in each bucket, at most [`DIGEST_SUMS_MAX`]. None means that nothing is remembered.
    pub sums: Vec<u64>,
}

/// The key of a digest's hashes.
pub type Salt = [u64; 2];

impl Digest {
    /// A digest of `ids`.
    pub fn of(
        ids: impl ExactSizeIterator<Item = InvalidationId>,
        receipt: u64,
        mark: Option<Duration>,
        salt: Salt,
    ) -> Self {
        let buckets = match ids.len() {
            0 => 0,
            some => some.next_power_of_two().min(DIGEST_SUMS_MAX),
        };
        let mut sums = vec![0_u64; buckets];
        for id in ids {
            let (bucket, summand) = hashes(salt, id, buckets);
            sums[bucket] = sums[bucket].wrapping_add(summand);
        }
        Self { receipt, mark, salt, sums }
    }

    /// Whether it says that nothing is remembered, and nothing was forgotten.
    pub(crate) fn is_of_nothing(&self) -> bool {
        self.sums.is_empty() && self.mark.is_none()
    }

    /// Those of `ids` that the sender may lack: all in the buckets of which it says another sum.
    ///
    /// Of one that it lacks this is silent with a probability of 2^-64.
    pub(crate) fn lacks(&self, ids: impl Iterator<Item = InvalidationId>) -> Vec<InvalidationId> {
        let buckets = self.sums.len();
        if buckets == 0 {
            return ids.collect();
        }
        let mut sums = vec![0_u64; buckets];
        let placed = ids.map(|id| {
            let (bucket, summand) = hashes(self.salt, id, buckets);
            sums[bucket] = sums[bucket].wrapping_add(summand);
            (id, bucket)
        });
        let placed: Vec<(InvalidationId, usize)> = placed.collect();
        let differing = placed.into_iter().filter(|(_, bucket)| sums[*bucket] != self.sums[*bucket]);
        differing.map(|(id, _)| id).collect()
    }
}

/// What the salts of a node's digests follow from.
#[derive(Clone, Copy)]
pub struct Salts(u128);

impl Salts {
    /// Salts that follow from a random number, which is told to nobody.
    pub const fn new(random: u128) -> Self {
        Self(random)
    }

    /// One that differs for each `number`.
    pub(crate) fn salt(self, number: u64) -> Salt {
        let mut hasher = SipHasher13::new_with_key(&self.0.to_le_bytes());
        hasher.write_u64(number);
        hasher.finish128().as_u64().into()
    }
}

impl fmt::Debug for Salts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salts")
    }
}

/// The bucket of `id` among so many, and what it adds to the bucket's sum.
fn hashes(salt: Salt, id: InvalidationId, buckets: usize) -> (usize, u64) {
    let mut hasher = SipHasher13::new_with_keys(salt[0], salt[1]);
    hasher.write_u64(id.count);
    hasher.write_u64(id.issuer);
    let (place, summand) = hasher.finish128().as_u64();
    (usize::try_from(place % buckets as u64).unwrap_or(0), summand)
}

/// Most sums in a digest: a kilobyte. Of as many invalidations as a node remembers, eight lie in each bucket.
pub const DIGEST_SUMS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn ids(counts: impl IntoIterator<Item = u64>) -> Vec<InvalidationId> {
        counts.into_iter().map(|count| InvalidationId { count, issuer: 7 }).collect()
    }

    fn digest(ids: &[InvalidationId]) -> Digest {
        Digest::of(ids.iter().copied(), 1, None, Salts::new(1).salt(2))
    }

    #[test]
    fn equal_memories_lack_nothing_and_one_that_remembers_nothing_lacks_all() {
        for length in [0, 1, 3, 10, 1024] {
            let known = ids(0..length);
            assert_eq!(digest(&known).lacks(known.iter().rev().copied()), []);
            assert_eq!(digest(&[]).lacks(known.iter().copied()), known);
        }
        assert!(digest(&[]).is_of_nothing() && !digest(&ids([1])).is_of_nothing());
    }

    #[test]
    fn what_is_lacking_is_always_named_with_few_others() {
        for lacking in 0..1024 {
            let theirs: Vec<_> = ids((0..1024).filter(|count| *count != lacking));
            let named = digest(&theirs).lacks(ids(0..1024).into_iter());
            assert!(named.contains(&ids([lacking])[0]) && named.len() < 25, "{}", named.len());
        }
    }

    #[test]
    fn a_digest_has_as_many_sums_as_there_are_invalidations_and_no_more_than_it_may() {
        let sums = |length| digest(&ids(0..length)).sums.len();
        assert_eq!([0, 1, 2, 3, 10, 100, 128, 1024].map(sums), [0, 1, 2, 4, 16, 128, 128, 128]);
    }

    #[test]
    fn no_two_digests_have_one_salt_and_what_is_alike_under_one_differs_under_others() {
        let salt = |random, number| Salts::new(random).salt(number);
        assert_ne!(salt(1, 2), salt(1, 3));
        assert_ne!(salt(1, 2), salt(2, 2));
        assert_eq!(format!("{:?}", Salts::new(12345)), "Salts", "they are shown to nobody");
        let of = |number| Digest::of(ids(0..4).into_iter(), 1, None, salt(1, number)).sums;
        assert_ne!(of(2), of(3));
    }
}
