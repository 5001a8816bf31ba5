//! How large the file becomes while entries come and go.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod fixture;

use cache_core::port::{Budget, Change, Durability, SealError, Sealer, Store as _};
use cache_store::{ENTRIES_FILE, MeasuredStore as _, RedbStore};
use fixture::{NOW, body, entry_of, key};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{fs, path::Path, sync::Arc, time::Duration};

#[test]
fn the_file_stays_within_twice_what_it_may_hold_while_entries_come_and_go() {
    for (megabytes, longest) in [(8, 3_000), (9, 100_000)] {
        let budget = Budget { entries_max: 1_000_000, bytes_max: megabytes << 20 };
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_absent| tempfile::tempdir()).unwrap();
        let mut store = RedbStore::open(dir.path(), Arc::new(Open), budget).unwrap();
        let mut random = StdRng::seed_from_u64(longest as u64);
        let (mut written, mut largest, mut number) = (0, 0, 0);
        while written < budget.bytes_max * 2 {
            // No more at once than the writer has in a transaction.
            let count = (2_000_000 / longest).clamp(1, 256);
            let puts: Vec<Change> = (0..random.random_range(0..count) + 1)
                .map(|_| {
                    number += 1;
                    let length = random.random_range(100..longest);
                    written += length / 2;
                    let lifetime = Duration::from_secs(300);
                    Change::Put(entry_of(
                        key(&format!("r/{}", number % 20_000)),
                        body(number, length).into(),
                        lifetime,
                        number,
                    ))
                })
                .collect();
            let durability =
                if random.random_bool(0.2) { Durability::Immediate } else { Durability::Eventual };
            store.apply(&puts, durability).unwrap();
            largest = largest.max(size(dir.path()));
        }
        store.apply(&[], Durability::Immediate).unwrap();
        store.sweep(NOW).unwrap();
        store.apply(&[], Durability::Immediate).unwrap();
        let (rest, may) = (size(dir.path()) as f64, budget.bytes_max as f64);
        let largest = largest as f64;
        assert!(largest <= 2.0 * may, "{largest} of {may}, up to {longest}");
        assert!(rest <= 1.5 * may, "{rest} of {may} at rest, up to {longest}");
        assert!(store.figures().bytes() as f64 > may / 3.0, "too little is kept");
        assert!(store.figures().records() >= 4);
    }
}

/// Seals nothing, in no time.
struct Open;

impl Sealer for Open {
    fn seal(&self, _context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(plain.to_vec())
    }

    fn open(&self, _context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(sealed.to_vec())
    }

    fn name(&self, text: &str) -> [u8; 32] {
        let mut random = StdRng::seed_from_u64(
            text.bytes().fold(7, |sum, byte| u64::wrapping_add(u64::wrapping_mul(sum, 31), u64::from(byte))),
        );
        random.random()
    }
}

fn size(dir: &Path) -> u64 {
    fs::metadata(dir.join(ENTRIES_FILE)).unwrap().len()
}
