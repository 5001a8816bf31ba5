//! What members send one another: any bytes are refused or a message, and a second reader agrees which.

use crate::{form, memory, samples};
use cache_core::codec::{RECORD_BYTES_MAX, decode_message, encode_message};

/// Holds the codec against [`form::message`].
///
/// # Panics
///
/// When one takes what the other refuses, when they read different things, when what was read does not survive
/// being written, or when reading holds more memory than the codec says.
pub fn check(data: &[u8]) {
    let read = memory::within(RECORD_BYTES_MAX, || decode_message(data));
    if data.len() <= COMPARED_BYTES_MAX {
        assert_eq!(read.as_ref().ok(), form::message(data).as_ref(), "the readers disagree");
    }
    if let Ok(message) = read {
        let written = encode_message(&message);
        assert_eq!(decode_message(&written), Ok(message), "what was read is written otherwise");
    }
}

/// Every kind of message.
pub fn seeds() -> Vec<Vec<u8>> {
    samples::messages().iter().map(encode_message).collect()
}

/// Longer input could meet the codec's limit of memory, of which the second reader knows nothing: a list
/// of as many elements as bytes claims up to 72 times its length.
pub(crate) const COMPARED_BYTES_MAX: usize = 64 * 1024;
