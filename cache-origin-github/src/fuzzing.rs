//! Fields of answers without an answer around them. No API.

use crate::field;
use cache_core::Headers;
use http::HeaderMap;

/// The fields of an answer that are kept.
pub fn kept(headers: &HeaderMap, one_credential: bool) -> Headers {
    field::kept(headers, one_credential)
}

/// `old` as a 304 with `new` renews it.
pub fn merged(old: &Headers, new: &HeaderMap, one_credential: bool) -> Headers {
    field::merged(old, new, one_credential)
}
