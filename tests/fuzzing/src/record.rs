//! Records on disk: with a seal that anyone can make, so that the code behind it is reached.

use crate::{memory, samples};
use cache_core::{
    Key,
    codec::{DECODED_BYTES_MAX, RECORD_BYTES_MAX, decode_entry, encode_entry},
    port::{SealError, Sealer},
};
use cache_store::fuzzing::{open_record, open_row, renew, seal_record, sequence};
use std::sync::{Arc, LazyLock};

/// Takes the bytes for a record, for what a record seals, for what that compresses, and for a row.
///
/// # Panics
///
/// When an entry is read that is not sealed as the same one, when compression changes what is read, or when
/// more memory is held than for one record, packed and unpacked.
pub fn check(data: &[u8]) {
    let name = SEALER.name("r");
    open(&name, data);
    let record = |packed: &[u8]| {
        let sealed = SEALER.seal(&context(&name, b'e'), packed).expect("this sealer seals");
        [&[1][..], &5_u64.to_le_bytes(), &sealed].concat()
    };
    open(&name, &record(data));
    let packed = lz4_flex::block::compress_prepend_size(data);
    let read = open(&name, &record(&packed));
    assert_eq!(read, decode_entry(data).ok(), "what is compressed reads otherwise");
    check_row(data);
}

/// Rows and records, what is in them, and what is in that.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for entry in samples::entries() {
        let (_, record, row) = seal_record(&SEALER, &entry, 5);
        let plain = encode_entry(&entry);
        seeds.extend([record, row, lz4_flex::block::compress_prepend_size(&plain), plain]);
    }
    // Claims of a length far beyond what is there.
    seeds.push(vec![255, 255, 255, 127, 0x10, b'x']);
    seeds.push([&(RECORD_BYTES_MAX as u32).to_le_bytes()[..], &[0x1f, b'x', 1, 0, 255, 255]].concat());
    seeds
}

fn open(name: &[u8; 32], record: &[u8]) -> Option<cache_core::Entry> {
    // Unpacked bytes and what is read of them, in addition to the packed ones.
    let bytes_max = RECORD_BYTES_MAX + DECODED_BYTES_MAX + 2 * record.len() + FIXED_BYTES_MAX;
    let entry = memory::within(bytes_max, || open_record(&SEALER, name, record))?;
    assert!(sequence(record).is_some(), "a record without a number is read");
    let (name, record, row) = seal_record(&SEALER, &entry, 9);
    assert_eq!(open_record(&SEALER, &name, &record).as_ref(), Some(&entry), "sealed as another");
    assert_eq!(open_row(&SEALER, &row).as_ref(), Some(entry.key()), "sealed under another key");
    assert_eq!(sequence(&record), Some(9));
    let (renewed_name, renewed) = renew(&SEALER, &row, &record).expect("record and row belong together");
    assert_eq!(renewed_name, name);
    assert_eq!(open_record(&SEALER, &name, &renewed).as_ref(), Some(&entry), "renewed as another");
    Some(entry)
}

fn check_row(data: &[u8]) {
    let by_key: Option<Key> = open_row(&SEALER, data);
    if let Some((name, rest)) = data.split_first_chunk::<48>() {
        // The same with a seal that opens.
        let mut row = name.to_vec();
        let name: &[u8; 32] = name.first_chunk().expect("48 bytes begin with 32");
        row.extend(SEALER.seal(&context(name, b'k'), rest).expect("this sealer seals"));
        let key = open_row(&SEALER, &row);
        assert_eq!(key, str::from_utf8(rest).ok().and_then(Key::from_text), "a key that was not sealed");
    }
    assert!(by_key.is_none_or(|key| Key::from_text(key.as_str()) == Some(key.clone())));
}

/// Where a part lies: name, version of records, which part.
fn context(name: &[u8; 32], part: u8) -> Vec<u8> {
    [&name[..], &[1, part]].concat()
}

static SEALER: LazyLock<Arc<dyn Sealer>> = LazyLock::new(|| Arc::new(Transparent));

/// Puts the context in front, and looks for it there.
struct Transparent;

impl Sealer for Transparent {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok([context, plain].concat())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(sealed.strip_prefix(context).ok_or(SealError)?.to_vec())
    }

    fn name(&self, text: &str) -> [u8; 32] {
        let mut name = [0_u8; 32];
        for (at, byte) in text.bytes().enumerate() {
            name[at % 32] = name[at % 32].rotate_left(3) ^ byte;
        }
        name
    }
}

/// What tables of the compression take.
const FIXED_BYTES_MAX: usize = 64 * 1024;
