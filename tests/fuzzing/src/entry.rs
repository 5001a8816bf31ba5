//! Entries as bytes: refused or an entry, and a second reader agrees which.

use crate::{form, memory, message::COMPARED_BYTES_MAX, samples};
use cache_core::codec::{RECORD_BYTES_MAX, decode_entry, encode_entry};

/// Holds the codec against [`form::entry`].
///
/// # Panics
///
/// As [`crate::message::check`].
pub fn check(data: &[u8]) {
    let read = memory::within(RECORD_BYTES_MAX, || decode_entry(data));
    if data.len() <= COMPARED_BYTES_MAX {
        assert_eq!(read.as_ref().ok(), form::entry(data).as_ref(), "the readers disagree");
    }
    if let Ok(entry) = read {
        assert_eq!(decode_entry(&encode_entry(&entry)), Ok(entry), "what was read is written otherwise");
    }
}

/// Entries of several shapes.
pub fn seeds() -> Vec<Vec<u8>> {
    samples::entries().iter().map(encode_entry).collect()
}
