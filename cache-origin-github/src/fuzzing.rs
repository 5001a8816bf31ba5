//! Fields of answers without an answer around them. Not part of the API.

use crate::{answer::BodyCoding, field};
use cache_core::Headers;
use http::{HeaderMap, header};

/// The fields of an answer that are kept, once its coding is undone.
pub fn kept(headers: &HeaderMap, one_credential: bool) -> Headers {
    let is_coded = headers.contains_key(header::CONTENT_ENCODING);
    let coding = if is_coded { BodyCoding::Undone } else { BodyCoding::Absent };
    field::kept(headers, coding, one_credential)
}

/// `old` as a 304 with `new` renews it; `None` where both have no room in an entry.
pub fn merged(old: &Headers, new: &HeaderMap, one_credential: bool) -> Option<Headers> {
    field::merged(old, new, one_credential)
}
