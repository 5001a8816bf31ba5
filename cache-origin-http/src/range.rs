//! Parts of a body: `Range` (RFC 9110, section 14).

use bytes::Bytes;
use http::HeaderValue;
use std::ops::Range;

/// One part of a body, as a request names it. A request for several parts is answered with the whole, as every server may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ranges {
    /// From the first of these bytes to the second, or the end.
    From(u64, Option<u64>),
    /// The last bytes, as many as this.
    Last(u64),
}

impl Ranges {
    /// Reads a `Range`; `None` for other units, for several parts, and for what is none: such a field is ignored.
    pub(crate) fn of(value: &HeaderValue) -> Option<Self> {
        let (unit, set) = value.to_str().ok()?.split_once('=')?;
        let (first, last) =
            set.trim().split_once('-').filter(|_set| unit.trim().eq_ignore_ascii_case("bytes"))?;
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Some(Self::From(first, Some(last))),
            (Some(first), None) if last.is_empty() => Some(Self::From(first, None)),
            (None, Some(last)) if first.is_empty() => Some(Self::Last(last)),
            _other => None,
        }
    }

    /// The bytes that it means of `length` bytes; `None` if there are none.
    pub(crate) fn within(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, last) => first..last.map_or(length, |last| last.saturating_add(1)).min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }

    /// The part of `body` that it means, and the `Content-Range` that tells so; `Err` has the one that says there is none.
    pub(crate) fn of_body(self, body: &Bytes) -> Result<(Bytes, HeaderValue), HeaderValue> {
        let length = body.len();
        let told = |text: String| HeaderValue::try_from(text).expect("numbers and signs are a field's value");
        let range = self.within(length as u64).ok_or_else(|| told(format!("bytes */{length}")))?;
        let place = |at: u64| usize::try_from(at).unwrap_or(length).min(length);
        let part = body.slice(place(range.start)..place(range.end));
        Ok((part, told(format!("bytes {}-{}/{length}", range.start, range.end - 1))))
    }
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(field: &'static str, body: &'static str) -> Option<Result<(Bytes, HeaderValue), HeaderValue>> {
        Ranges::of(&HeaderValue::from_static(field))
            .map(|ranges| ranges.of_body(&Bytes::from_static(body.as_bytes())))
    }

    #[test]
    fn the_three_forms_of_a_range_give_their_parts() {
        for (field, expected, place) in [
            ("bytes=0-1", "01", "bytes 0-1/11"),
            ("bytes=1-", "123456789A", "bytes 1-10/11"),
            ("bytes=-1", "A", "bytes 10-10/11"),
            ("Bytes=4-900", "456789A", "bytes 4-10/11"),
            ("bytes=-900", "0123456789A", "bytes 0-10/11"),
        ] {
            let (found, told) = part(field, "0123456789A").unwrap().unwrap();
            assert_eq!((&found[..], told.to_str().unwrap()), (expected.as_bytes(), place), "{field}");
        }
    }

    #[test]
    fn a_part_that_is_not_there_is_refused_with_the_length() {
        assert_eq!(part("bytes=11-", "0123456789A").unwrap().unwrap_err(), "bytes */11");
        assert_eq!(part("bytes=-0", "0123456789A").unwrap().unwrap_err(), "bytes */11");
        assert_eq!(part("bytes=0-", "").unwrap().unwrap_err(), "bytes */0");
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_ignored() {
        for field in [
            "bytes=5-2",
            "bytes=a-b",
            "bytes=-",
            "lines=1-2",
            "bytes=0-1,3-4",
            "bytes",
            "bytes=+1-2",
            "bytes= -5-",
        ] {
            assert!(part(field, "0123456789A").is_none(), "{field}");
        }
    }

    proptest! {
        #[test]
        fn a_part_is_what_a_plain_model_cuts(first in 0u64..40, last in 0u64..40, length in 0u64..30) {
            let meant: Vec<u64> = (0..length).filter(|at| (first..=last).contains(at)).collect();
            let cut = (first <= last).then(|| Ranges::From(first, Some(last)).within(length)).flatten();
            prop_assert_eq!(cut.map_or_else(Vec::new, Iterator::collect), meant);
        }
    }
}
