//! What a node keeps, as [`Reply::entry`](crate::Reply::entry) shows it.

pub use cache_core::{
    BODY_BYTES_MAX, Content, Domain, Draft, Entry, Headers, Key, Source, Timestamp, Validators,
    freshness::Freshness,
};
