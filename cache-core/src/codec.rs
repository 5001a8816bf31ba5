//! The only place that knows bincode: entries, doubts and messages as bytes, and back.
//!
//! Bytes are `bincode` 2 in its standard configuration, which three other maintained crates write
//! identically. A version byte belongs in front of them, outside this format, so that it can be replaced.

mod allowance;
mod call_numbers;
mod digest;
mod district;
mod doubts;
mod guest;
mod invalidation;
mod message;
mod origin;
mod writes;

pub use {
    doubts::{decode_doubts, encode_doubts},
    message::{decode_message, encode_message},
};

use crate::{
    Content, Draft, Entry, Headers, Key, Timestamp, Validators,
    entry::BODY_BYTES_MAX,
    freshness::Freshness,
    headers::{FIELDS_MAX, HEADERS_BYTES_MAX},
    key::KEY_BYTES_MAX,
};
use alloc::{boxed::Box, string::String, vec::Vec};
use bincode::{
    BorrowDecode,
    de::{BorrowDecoder, Decoder},
};
/// For the parts of other modules' messages, so that these need not know what writes them.
pub(crate) use bincode::{Decode, Encode};
use bytes::Bytes;
use core::time::Duration;

/// Encodes `entry` whole, key included.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let draft = entry.draft(entry.born());
    let record = Record::of(entry.key(), &draft, entry.born().as_unix_millis(), entry.generation());
    bincode::encode_to_vec(record, CONFIG).expect("a vector takes any length, and no part refuses encoding")
}

/// Decodes what [`encode_entry`] wrote.
///
/// Holds no more than [`DECODED_BYTES_MAX`] while it decodes, whatever the bytes claim.
///
/// # Errors
///
/// [`DecodeError`] if the bytes are not exactly one entry within all limits. Nothing is kept of them.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, DecodeError> {
    let (record, read_bytes) = bincode::decode_from_slice::<Record, _>(bytes, CONFIG)
        .map_err(|_malformed| DecodeError::Malformed)?;
    if read_bytes != bytes.len() {
        return Err(DecodeError::TrailingBytes { count: bytes.len() - read_bytes });
    }
    check(&record)?;
    let (born, generation) = (Timestamp::from_unix_millis(record.born), record.generation);
    let (key, draft) = record.into_parts()?;
    Ok(Entry::new(key, draft, born, generation))
}

/// Refuses what is longer than an entry may be.
fn check(record: &Record) -> Result<(), DecodeError> {
    if record.body.len() > BODY_BYTES_MAX {
        return Err(DecodeError::BodyTooLong { body_bytes: record.body.len() });
    }
    let headers_bytes: usize = record.headers.0.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers_bytes > HEADERS_BYTES_MAX {
        return Err(DecodeError::HeadersTooLong { headers_bytes });
    }
    Ok(())
}

/// Why bytes are not an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    #[error("body is {body_bytes} bytes, the limit is {BODY_BYTES_MAX}")]
    BodyTooLong {
        /// Length of the body, in bytes.
        body_bytes: usize,
    },
    /// Names and values of the headers are longer than [`HEADERS_BYTES_MAX`].
    #[error("headers are {headers_bytes} bytes, the limit is {HEADERS_BYTES_MAX}")]
    HeadersTooLong {
        /// Length of the headers, in bytes.
        headers_bytes: usize,
    },
    /// The key does not end in a domain, or is longer than [`KEY_BYTES_MAX`].
    #[error("key is malformed")]
    KeyMalformed,
    /// The bytes break off, claim what they do not hold, or hold a list with more elements than it may have.
    #[error("record is malformed")]
    Malformed,
    /// An entry was read, and then there was more.
    #[error("{count} bytes follow the record")]
    TrailingBytes {
        /// How many bytes were left.
        count: usize,
    },
    /// The message is of a kind that a later minor version of the protocol has added.
    #[error("unknown kind of message {kind}")]
    UnknownKind {
        /// The number of the kind.
        kind: u32,
    },
    /// The first byte names a version of the protocol that we do not speak.
    #[error("unknown protocol version {version}")]
    UnknownVersion {
        /// The version that the first byte names.
        version: u8,
    },
}

impl DecodeError {
    /// Whether the bytes may be right, and only say what is not known here: to be skipped, and no offence.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::UnknownKind { .. } | Self::UnknownVersion { .. } => true,
            Self::BodyTooLong { .. }
            | Self::HeadersTooLong { .. }
            | Self::KeyMalformed
            | Self::Malformed
            | Self::TrailingBytes { .. } => false,
        }
    }
}

/// Most bytes of memory that decoding holds at once: the parts of a record as they are read, and what is
/// copied of them, which is the headers and the key.
pub const DECODED_BYTES_MAX: usize = RECORD_BYTES_MAX + 2 * HEADERS_BYTES_MAX + KEY_BYTES_MAX;

/// Most bytes of memory that the parts of one record may claim.
pub const RECORD_BYTES_MAX: usize = BODY_BYTES_MAX + 4 * HEADERS_BYTES_MAX + KEY_BYTES_MAX + 4096;

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<RECORD_BYTES_MAX>,
> = bincode::config::standard().with_limit::<RECORD_BYTES_MAX>();

/// Encodes `form`, one part of a message or of what is on disk.
pub(crate) fn encode(form: &impl Encode) -> Vec<u8> {
    bincode::encode_to_vec(form, bincode::config::standard())
        .expect("a vector takes any length, and no part refuses encoding")
}

/// Decodes what `bytes` begin with, and tells how long it is.
///
/// Allocates no more than `MEMORY_MAX` bytes, whatever the bytes claim.
pub(crate) fn decode_some<T: Decode<()>, const MEMORY_MAX: usize>(bytes: &[u8]) -> Option<(T, usize)> {
    bincode::decode_from_slice(bytes, bincode::config::standard().with_limit::<MEMORY_MAX>()).ok()
}

/// The field order is the format.
#[derive(Decode, Encode)]
struct Record {
    key: String,
    born: u64,
    generation: u64,
    lifetime: u64,
    while_revalidating: u64,
    if_error: u64,
    etag: Option<String>,
    etag_scope: Option<[u8; 8]>,
    last_modified: Option<String>,
    status: u16,
    headers: List<(String, Vec<u8>), FIELDS_MAX>,
    body: Vec<u8>,
}

/// As many elements as there may be. More are refused before any of them is held: what a list claims of the
/// limit of memory is given back while it is read, and so would not count.
#[derive(Encode)]
struct List<T: 'static, const MAX: usize>(Vec<T>);

impl<C, T: Decode<C>, const MAX: usize> Decode<C> for List<T, MAX> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, bincode::error::DecodeError> {
        let too_long = bincode::error::DecodeError::Other("a list is too long");
        let length = usize::try_from(u64::decode(decoder)?).ok();
        let length = length.filter(|length| *length <= MAX).ok_or(too_long)?;
        decoder.claim_container_read::<T>(length)?;
        (0..length).map(|_| T::decode(decoder)).collect::<Result<_, _>>().map(Self)
    }
}

/// What the derived forms need; nothing is borrowed.
impl<'de, C, T: Decode<C>, const MAX: usize> BorrowDecode<'de, C> for List<T, MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, bincode::error::DecodeError> {
        Self::decode(decoder)
    }
}

impl<T, const MAX: usize> FromIterator<T> for List<T, MAX> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl Record {
    /// `born` is a moment on disk and an age on the wire.
    fn of(key: &Key, draft: &Draft, born: u64, generation: u64) -> Self {
        let content = &draft.content;
        Self {
            key: key.as_str().into(),
            born,
            generation,
            lifetime: millis(draft.freshness.lifetime),
            while_revalidating: millis(draft.freshness.while_revalidating),
            if_error: millis(draft.freshness.if_error),
            etag: draft.validators.etag.as_deref().map(String::from),
            etag_scope: draft.validators.etag_scope,
            last_modified: draft.validators.last_modified.as_deref().map(String::from),
            status: content.status,
            headers: content.headers.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            body: content.body.to_vec(),
        }
    }

    /// Key and entry, of age zero.
    fn into_parts(self) -> Result<(Key, Draft), DecodeError> {
        let key = Key::from_text(&self.key).ok_or(DecodeError::KeyMalformed)?;
        let fields = self.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let draft = Draft {
            content: Content {
                status: self.status,
                headers: Headers::from_fields(fields),
                body: Bytes::from(self.body),
            },
            freshness: Freshness {
                lifetime: Duration::from_millis(self.lifetime),
                while_revalidating: Duration::from_millis(self.while_revalidating),
                if_error: Duration::from_millis(self.if_error),
            },
            validators: Validators {
                etag: self.etag.map(Box::from),
                etag_scope: self.etag_scope,
                last_modified: self.last_modified.map(Box::from),
            },
            age: Duration::ZERO,
        };
        Ok((key, draft))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
