//! Records without a file around them. Not part of the API.

use crate::record::{RecordSeal, Row, SealedRecord, sequence_of};
use cache_core::{Entry, Key, port::Sealer};
use std::sync::Arc;

/// The entry in `record`, if it is one under `name`.
pub fn open_record(sealer: &Arc<dyn Sealer>, name: &[u8; 32], record: &[u8]) -> Option<Entry> {
    RecordSeal::new(Arc::clone(sealer), Arc::default()).open(name, record)
}

/// The key in `row`, if it is one.
pub fn open_row(sealer: &Arc<dyn Sealer>, row: &[u8]) -> Option<Key> {
    let row = Row::parse(row)?;
    let _weight = row.weight_bytes();
    RecordSeal::new(Arc::clone(sealer), Arc::default()).open_key(&row)
}

/// The sequence number in `record`.
pub fn sequence(record: &[u8]) -> Option<u64> {
    sequence_of(record)
}

/// Name, record and row of `entry`.
pub fn seal_record(sealer: &Arc<dyn Sealer>, entry: &Entry, sequence: u64) -> ([u8; 32], Vec<u8>, Vec<u8>) {
    let sealed = RecordSeal::new(Arc::clone(sealer), Arc::default()).seal(entry, sequence);
    let SealedRecord { name, record, row } = sealed.expect("the sealer of a test seals");
    (name, record, row)
}

/// Name and record of the same entry under the current key, if record and row belong together.
pub fn renew(sealer: &Arc<dyn Sealer>, row: &[u8], record: &[u8]) -> Option<([u8; 32], Vec<u8>)> {
    let renewed = RecordSeal::new(Arc::clone(sealer), Arc::default()).renew(&Row::parse(row)?, record)?;
    Some((renewed.name, renewed.record))
}
