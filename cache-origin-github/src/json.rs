//! Whether a body that calls itself JSON is.

use serde::de::IgnoredAny;

/// What a body turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reading {
    /// It begins as JSON and ends too early.
    BrokenOff,
    /// The body is something else, or nothing at all. The client that asked for it may know what to do with it.
    Other,
    /// One value of JSON, or several one after the other (NDJSON), with or without a byte order mark.
    Whole,
}

/// Reads `body` to its end.
pub(crate) fn read(body: &[u8]) -> Reading {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
    let mut reading = Reading::Other;
    loop {
        reading = match values.next() {
            None => return reading,
            Some(Ok(IgnoredAny)) => Reading::Whole,
            Some(Err(error)) if error.is_eof() => return Reading::BrokenOff,
            Some(Err(_)) => return Reading::Other,
        };
    }
}

/// UTF-8's, which some servers on Windows put in front (RFC 8259, section 8.1, lets readers ignore it).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_too_early_is_told_from_what_is_no_json() {
        let rows: [(&[u8], Reading); 16] = [
            (b"{}", Reading::Whole),
            (b" [1, 2]\n", Reading::Whole),
            (b"null", Reading::Whole),
            (b"{\"a\":1}\n{\"a\":2}\n", Reading::Whole),
            (b"{}\r\n{}", Reading::Whole),
            (b"\xef\xbb\xbf{\"a\":1}", Reading::Whole),
            (b"", Reading::Other),
            (b" \n", Reading::Other),
            (b"\xef\xbb\xbf", Reading::Other),
            (b"<html></html>", Reading::Other),
            (b"\xff\xfe{\0}\0", Reading::Other),
            (b"{} x", Reading::Other),
            (b"{\"a\": 1, \"b", Reading::BrokenOff),
            (b"[1, 2", Reading::BrokenOff),
            (b"{}\n{\"a\"", Reading::BrokenOff),
            (b"\xef\xbb\xbf[", Reading::BrokenOff),
        ];
        for (body, expected) in rows {
            assert_eq!(read(body), expected, "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(read("[".repeat(100_000).as_bytes()), Reading::BrokenOff);
    }
}
