//! The only place that knows bincode: entries and messages as bytes, and back.
//!
//! Bytes are `bincode` 2 in its standard configuration, which three other maintained crates write
//! identically. A version byte belongs in front of them, outside this format, so that it can be replaced.

pub(crate) mod membership;
mod message;

pub use message::{decode_message, encode_message};

use crate::{
    Content, Draft, Entry, Headers, Key, Timestamp, Validators, entry::BODY_BYTES_MAX, freshness::Freshness,
    headers::HEADERS_BYTES_MAX, key::KEY_BYTES_MAX,
};
use alloc::{boxed::Box, string::String, vec::Vec};
use bincode::{Decode, Encode};
use bytes::Bytes;
use core::{fmt, time::Duration};

/// Encodes `entry` whole, key included.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let draft = entry.draft(entry.born());
    let record = Record::of(entry.key(), &draft, entry.born().as_unix_millis(), entry.generation());
    bincode::encode_to_vec(record, CONFIG).expect("a vector takes any length, and no part refuses encoding")
}

/// Decodes what [`encode_entry`] wrote.
///
/// Allocates no more than [`RECORD_BYTES_MAX`], whatever the bytes claim.
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
    let headers_bytes: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers_bytes > HEADERS_BYTES_MAX {
        return Err(DecodeError::HeadersTooLong { headers_bytes });
    }
    Ok(())
}

/// Why bytes are not an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is longer than [`BODY_BYTES_MAX`].
    BodyTooLong {
        /// Its length.
        body_bytes: usize,
    },
    /// Names and values of the headers are longer than [`HEADERS_BYTES_MAX`].
    HeadersTooLong {
        /// Their length.
        headers_bytes: usize,
    },
    /// The key does not end in a domain, or is longer than [`KEY_BYTES_MAX`].
    KeyMalformed,
    /// A list has more elements than its limit allows.
    ListTooLong {
        /// How many.
        length: usize,
    },
    /// The bytes break off, or claim what they do not hold.
    Malformed,
    /// An entry was read, and then there was more.
    TrailingBytes {
        /// How many bytes were left.
        count: usize,
    },
    /// The first byte names a version of the protocol that we do not speak.
    UnknownVersion {
        /// Which one.
        version: u8,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyTooLong { body_bytes } => {
                write!(f, "body is {body_bytes} bytes, the limit is {BODY_BYTES_MAX}")
            }
            Self::HeadersTooLong { headers_bytes } => {
                write!(f, "headers are {headers_bytes} bytes, the limit is {HEADERS_BYTES_MAX}")
            }
            Self::KeyMalformed => f.write_str("key is malformed"),
            Self::ListTooLong { length } => write!(f, "a list of {length} elements is too long"),
            Self::Malformed => f.write_str("record is malformed"),
            Self::TrailingBytes { count } => write!(f, "{count} bytes follow the record"),
            Self::UnknownVersion { version } => write!(f, "unknown protocol version {version}"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Most bytes of memory that decoding one record may claim.
pub const RECORD_BYTES_MAX: usize = BODY_BYTES_MAX + 4 * HEADERS_BYTES_MAX + KEY_BYTES_MAX + 4096;

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<RECORD_BYTES_MAX>,
> = bincode::config::standard().with_limit::<RECORD_BYTES_MAX>();

/// Encodes `form`, one part of a message.
fn encode(form: &impl Encode) -> Vec<u8> {
    bincode::encode_to_vec(form, bincode::config::standard())
        .expect("a vector takes any length, and no part refuses encoding")
}

/// Decodes the part of a message that `bytes` begin with, and tells how long it is.
///
/// Allocates no more than `MEMORY_MAX` bytes, whatever the bytes claim.
fn decode_some<T: Decode<()>, const MEMORY_MAX: usize>(bytes: &[u8]) -> Option<(T, usize)> {
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
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
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
        let fields = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
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
