//! The on-disk form of an entry, sealed.
//!
//! An entry takes two values. Its *record* is a version byte, the sequence number of its row, and the entry:
//! encoded, compressed, sealed. Its *row* in the order of storing is small, so that what concerns all entries
//! reads no bodies: the record's name, when it becomes useless, what it weighs, and the sealed text of its key.
//! Both seals are bound to the record's name, so that neither opens under another.

use crate::{figures::StoreFigures, retention::useless_from};
use cache_core::{
    Doubts, Entry, Key, Timestamp,
    codec::{RECORD_BYTES_MAX, decode_doubts, decode_entry, encode_doubts, encode_entry},
    port::{SealError, Sealer},
};
use std::sync::Arc;

/// The name of a record: the keyed digest of its key's text.
pub(crate) type Name = [u8; 32];

/// Seals entries into records and opens them.
pub(crate) struct RecordSeal {
    sealer: Arc<dyn Sealer>,
    figures: Arc<StoreFigures>,
}

impl RecordSeal {
    /// Counts what it opens in `figures`.
    pub(crate) fn new(sealer: Arc<dyn Sealer>, figures: Arc<StoreFigures>) -> Self {
        Self { sealer, figures }
    }

    /// The name of `key`'s record.
    pub(crate) fn name(&self, key: &Key) -> Name {
        self.sealer.name(key.as_str())
    }

    /// Record and row of `entry` under the sequence number `sequence`.
    pub(crate) fn seal(&self, entry: &Entry, sequence: u64) -> Result<SealedRecord, SealError> {
        let packed = lz4_flex::block::compress_prepend_size(&encode_entry(entry));
        self.seal_packed(entry.key(), &packed, sequence, useless_from(entry))
    }

    /// The entry in `record`; `None` unless it is whole and was sealed for `name`.
    pub(crate) fn open(&self, name: &Name, record: &[u8]) -> Option<Entry> {
        let packed = self.open_packed(name, record)?;
        let (plain_bytes, compressed) = lz4_flex::block::uncompressed_size(&packed).ok()?;
        // Checked before as much is allocated.
        if plain_bytes > RECORD_BYTES_MAX {
            return None;
        }
        let plain = lz4_flex::block::decompress(compressed, plain_bytes).ok()?;
        decode_entry(&plain).ok()
    }

    /// The key in a row; `None` unless it is whole and was sealed for the row's record.
    pub(crate) fn open_key(&self, row: &Row<'_>) -> Option<Key> {
        let text = self.open_sealed(&context(row.name, Section::Key), row.sealed_key).ok()?;
        Key::from_text(std::str::from_utf8(&text).ok()?)
    }

    /// The same record and row under the name and with the seal of the current key; `None` if either does not
    /// open.
    pub(crate) fn renew(&self, row: &Row<'_>, record: &[u8]) -> Option<SealedRecord> {
        let key = self.open_key(row)?;
        let packed = self.open_packed(row.name, record)?;
        let sequence = sequence_of(record)?;
        self.seal_packed(&key, &packed, sequence, row.useless_from).ok()
    }

    /// Seals the list of what is in doubt.
    pub(crate) fn seal_doubts(&self, doubts: &Doubts) -> Result<Vec<u8>, SealError> {
        self.sealer.seal(DOUBTS_CONTEXT, &encode_doubts(doubts))
    }

    /// The doubts in `sealed`; `None` unless they are whole.
    pub(crate) fn open_doubts(&self, sealed: &[u8]) -> Option<Doubts> {
        decode_doubts(&self.open_sealed(DOUBTS_CONTEXT, sealed).ok()?).ok()
    }

    /// A value that only this key, or one that opens as well, can have sealed.
    pub(crate) fn seal_check(&self) -> Result<Vec<u8>, SealError> {
        self.sealer.seal(CHECK_CONTEXT, b"")
    }

    /// Whether `check` was sealed by a key that opens.
    pub(crate) fn opens_check(&self, check: &[u8]) -> bool {
        self.sealer.open(CHECK_CONTEXT, check).is_ok()
    }

    /// Tells the current key from others without telling what it is.
    pub(crate) fn key_name(&self) -> Name {
        // No key's text ends like this one.
        self.sealer.name("the key of this file")
    }

    fn seal_packed(
        &self,
        key: &Key,
        packed: &[u8],
        sequence: u64,
        useless_from: Timestamp,
    ) -> Result<SealedRecord, SealError> {
        let name = self.name(key);
        let sealed_entry = self.sealer.seal(&context(&name, Section::Entry), packed)?;
        let sealed_key = self.sealer.seal(&context(&name, Section::Key), key.as_str().as_bytes())?;
        let mut record = Vec::with_capacity(RECORD_HEADER_BYTES + sealed_entry.len());
        record.push(RECORD_VERSION);
        record.extend_from_slice(&sequence.to_le_bytes());
        record.extend_from_slice(&sealed_entry);
        let mut row = Vec::with_capacity(ROW_HEADER_BYTES + sealed_key.len());
        row.extend_from_slice(&name);
        row.extend_from_slice(&useless_from.as_unix_millis().to_le_bytes());
        row.extend_from_slice(&(record.len() as u64).to_le_bytes());
        row.extend_from_slice(&sealed_key);
        Ok(SealedRecord { name, record, row })
    }

    fn open_packed(&self, name: &Name, record: &[u8]) -> Option<Vec<u8>> {
        sequence_of(record)?;
        let sealed = record.get(RECORD_HEADER_BYTES..)?;
        self.open_sealed(&context(name, Section::Entry), sealed).ok()
    }

    fn open_sealed(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.figures.count_opened();
        self.sealer.open(context, sealed)
    }
}

/// An entry's two values, and the name of its record.
pub(crate) struct SealedRecord {
    pub(crate) name: Name,
    pub(crate) record: Vec<u8>,
    pub(crate) row: Vec<u8>,
}

/// What the order of storing says about a record.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) name: &'a Name,
    pub(crate) useless_from: Timestamp,
    pub(crate) record_bytes: u64,
    sealed_key: &'a [u8],
}

impl<'a> Row<'a> {
    /// Takes a row apart; `None` if it is too short to be one.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (name, rest) = bytes.split_first_chunk::<32>()?;
        let (useless_from, rest) = rest.split_first_chunk::<8>()?;
        let (record_bytes, sealed_key) = rest.split_first_chunk::<8>()?;
        Some(Self {
            name,
            useless_from: Timestamp::from_unix_millis(u64::from_le_bytes(*useless_from)),
            record_bytes: u64::from_le_bytes(*record_bytes),
            sealed_key,
        })
    }

    /// Bytes of the file that record and row take, as far as can be told.
    pub(crate) fn weight_bytes(&self) -> u64 {
        let row_bytes = (ROW_HEADER_BYTES + self.sealed_key.len()) as u64;
        // Rows are appended, which leaves pages half full.
        record_weight_bytes(self.record_bytes).saturating_add(2 * row_bytes)
    }
}

/// Bytes of the file that a record takes: redb gives one that does not share its page a power of two of pages, and
/// fills pages that are shared by half if it must.
fn record_weight_bytes(record_bytes: u64) -> u64 {
    let bytes = record_bytes.saturating_add(RECORD_OVERHEAD_BYTES);
    if bytes > PAGE_BYTES / 2 {
        bytes.div_ceil(PAGE_BYTES).next_power_of_two().saturating_mul(PAGE_BYTES)
    } else {
        2 * bytes
    }
}

/// The sequence number of the record's row; `None` if this version did not write the record.
pub(crate) fn sequence_of(record: &[u8]) -> Option<u64> {
    let (version, rest) = record.split_first()?;
    let (sequence, _sealed) = rest.split_first_chunk::<8>()?;
    (*version == RECORD_VERSION).then(|| u64::from_le_bytes(*sequence))
}

#[derive(Clone, Copy)]
enum Section {
    Key,
    Entry,
}

/// What a seal is bound to: its place, and which of the two values it is.
fn context(name: &Name, section: Section) -> [u8; 34] {
    let mut context = [0; 34];
    context[..32].copy_from_slice(name);
    context[32] = RECORD_VERSION;
    context[33] = match section {
        Section::Key => b'k',
        Section::Entry => b'e',
    };
    context
}

/// First byte of every record. Bytes behind another one are not ours to read.
const RECORD_VERSION: u8 = 1;
const RECORD_HEADER_BYTES: usize = 1 + 8;
/// What redb keeps with a record, in bytes: its name, its place, the head of its page.
const RECORD_OVERHEAD_BYTES: u64 = 64;
/// Size of redb's pages.
pub(crate) const PAGE_BYTES: u64 = 4096;
const ROW_HEADER_BYTES: usize = 32 + 8 + 8;
const CHECK_CONTEXT: &[u8] = b"fleet-cache store key check";
/// Names the form of what it binds as well: another form is bound to another text.
const DOUBTS_CONTEXT: &[u8] = b"fleet-cache store doubts 1";
