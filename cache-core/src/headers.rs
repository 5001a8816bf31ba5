//! Response headers as one block of bytes.

use alloc::{boxed::Box, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// Header fields in the order the origin sent them; names in lower case.
///
/// Names and values lie in one shared block, so that a clone costs one reference count, a value can be
/// handed on without copying, and what an entry weighs is known exactly.
///
/// ```
/// # use cache_core::Headers;
/// let headers: Headers = [("etag", "\"v1\""), ("link", "<a>; rel=next")].into_iter().collect();
/// assert_eq!(headers.get("etag"), Some(&b"\"v1\""[..]));
/// assert_eq!(headers.get("age"), None);
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Headers {
    block: Bytes,
    fields: Box<[Field]>,
}

impl Headers {
    /// Gathers `fields`; names are put in lower case, and what has no place in a header is left out.
    ///
    /// A field is dropped when its name is empty or holds a byte that RFC 9110 allows in no token, when its
    /// value holds a line break or NUL, or when all together would outgrow [`HEADERS_BYTES_MAX`].
    pub fn from_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self::gather(fields).0
    }

    /// Gathers `fields`; `None` if [`from_fields`](Self::from_fields) would leave one of them out.
    ///
    /// ```
    /// # use cache_core::{HEADERS_BYTES_MAX, Headers};
    /// let long = vec![b'x'; HEADERS_BYTES_MAX];
    /// assert!(Headers::of_all([("a", &b"1"[..])]).is_some());
    /// assert!(Headers::of_all([("a", &b"1"[..]), ("b", &long)]).is_none());
    /// ```
    pub fn of_all<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<Self> {
        let (headers, is_whole) = Self::gather(fields);
        is_whole.then_some(headers)
    }

    /// What has a place of `fields`, and whether that is all of them.
    fn gather<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> (Self, bool) {
        let mut is_whole = true;
        let mut block = Vec::new();
        let mut kept: Vec<Field> = Vec::new();
        for (name, value) in fields {
            let bytes = block.len() + name.len() + value.len();
            let fits = bytes + FIELD_OVERHEAD_BYTES * (kept.len() + 1) <= HEADERS_BYTES_MAX;
            if !fits || !is_token(name) || value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                is_whole = false;
                continue;
            }
            let name_at = offset(block.len());
            block.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
            let value_at = offset(block.len());
            block.extend_from_slice(value);
            kept.push(Field { name_at, value_at, end: offset(block.len()) });
        }
        (Self { block: block.into(), fields: kept.into() }, is_whole)
    }

    /// The first value of the field `name`, given in lower case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The first value of the field `name` if it is text.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| core::str::from_utf8(value).ok())
    }

    /// Every field as a name and a value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|field| (self.name(field), &self.block[field.value_range()]))
    }

    /// Every field as a name and a value that shares this block.
    pub fn iter_shared(&self) -> impl Iterator<Item = (&str, Bytes)> {
        self.fields.iter().map(|field| (self.name(field), self.block.slice(field.value_range())))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes of all names and values together.
    pub fn block_bytes(&self) -> usize {
        self.block.len()
    }

    /// Bytes that the headers count against limits and budgets: names, values, and an overhead for each field.
    pub fn weight_bytes(&self) -> usize {
        self.block.len() + FIELD_OVERHEAD_BYTES * self.fields.len()
    }

    fn name(&self, field: &Field) -> &str {
        let name = &self.block[field.name_at as usize..field.value_at as usize];
        core::str::from_utf8(name).expect("only tokens, which are ASCII, are kept as names")
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(fields: I) -> Self {
        Self::from_fields(fields.into_iter().map(|(name, value)| (name, value.as_bytes())))
    }
}

impl fmt::Debug for Headers {
    /// Names only: a value may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Most that one answer's headers may weigh, in bytes: names, values, and an overhead for each field.
///
/// GitHub's answers carry about 2 KiB; common servers refuse more than 8 to 64 KiB.
pub const HEADERS_BYTES_MAX: usize = 64 * 1024;

/// Bytes that a field weighs besides its name and value, so that many short fields cannot take more memory than they
/// weigh. HTTP/2 counts the same (RFC 9113, section 6.5.2).
const FIELD_OVERHEAD_BYTES: usize = 32;

/// Most fields that there can be, each of them as short as can be.
pub(crate) const FIELDS_MAX: usize = HEADERS_BYTES_MAX / FIELD_OVERHEAD_BYTES;

const _: () = assert!(FIELD_OVERHEAD_BYTES >= size_of::<Field>());

#[derive(Clone, Eq, PartialEq)]
struct Field {
    name_at: u32,
    value_at: u32,
    end: u32,
}

impl Field {
    fn value_range(&self) -> core::ops::Range<usize> {
        self.value_at as usize..self.end as usize
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a block is shorter than HEADERS_BYTES_MAX")
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn names_are_kept_in_lower_case_and_order() {
        let headers: Headers = [("X-B", "2"), ("ETag", "e"), ("x-b", "3")].into_iter().collect();
        let fields: Vec<_> = headers.iter().map(|(name, value)| (name, value.to_vec())).collect();
        assert_eq!(fields, [("x-b", b"2".to_vec()), ("etag", b"e".to_vec()), ("x-b", b"3".to_vec())]);
    }

    #[test]
    fn a_field_that_could_split_a_response_is_left_out() {
        let headers: Headers =
            [("a", "1\r\nset-cookie: x"), ("b c", "1"), ("", "1"), ("d", "4")].into_iter().collect();
        assert_eq!(headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["d"]);
    }

    #[test]
    fn values_do_not_show_in_debug() {
        let headers: Headers = [("authorization", "token secret")].into_iter().collect();
        assert_eq!(format!("{headers:?}"), "[\"authorization\"]");
    }
}
