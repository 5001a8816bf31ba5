//! Which caches a request has come through (RFC 9110, section 7.6.3), so that none asks itself in a circle.

use http::{HeaderMap, HeaderValue, header};

/// The name by which servers behind this node know it: a name that no other node has, and that does not tell where
/// the node is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pseudonym(Box<str>);

impl Pseudonym {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Whether a request with `headers` came through the node of this name.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let fields = headers.get_all(header::VIA).iter().filter_map(|value| value.to_str().ok());
        fields.flat_map(|field| field.split(',')).any(|hop| {
            // The protocol, the name, and perhaps a comment.
            hop.split_ascii_whitespace().nth(1) == Some(&*self.0)
        })
    }

    /// The ways that `headers` name, and then this node.
    pub(crate) fn behind(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut chain = Vec::new();
        for way in headers.get_all(header::VIA) {
            chain.extend_from_slice(way.as_bytes());
            chain.extend_from_slice(b", ");
        }
        chain.extend_from_slice(b"1.1 ");
        chain.extend_from_slice(self.0.as_bytes());
        HeaderValue::from_bytes(&chain).ok()
    }
}

/// Whether `headers` name more ways than any sane chain of proxies has.
pub(crate) fn is_too_long(headers: &HeaderMap) -> bool {
    headers.get_all(header::VIA).iter().map(HeaderValue::len).sum::<usize>() > VIA_BYTES_MAX
}

/// Most bytes of `Via` that are passed on: some thirty hops. A longer one comes from a circle of nodes that do not
/// recognise their own names.
const VIA_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(ways: &[&str]) -> HeaderMap {
        ways.iter().map(|way| (header::VIA, way.parse().unwrap())).collect()
    }

    #[test]
    fn a_name_is_found_as_a_whole_wherever_it_stands() {
        let own = Pseudonym::new("fleet-cache-1a");
        for ways in
            [&["1.1 fleet-cache-1a"][..], &["1.0 a, 1.1 fleet-cache-1a (x)"], &["1.1 a", "2 fleet-cache-1a"]]
        {
            assert!(own.is_in(&headers(ways)), "{ways:?}");
        }
        for ways in [&[][..], &["1.1 fleet-cache-1ab"], &["fleet-cache-1a"], &["1.1 a (fleet-cache-1a)"]] {
            assert!(!own.is_in(&headers(ways)), "{ways:?}");
        }
    }

    #[test]
    fn a_node_adds_itself_behind_those_before_it() {
        let own = Pseudonym::new("b");
        assert_eq!(own.behind(&headers(&[])).unwrap(), "1.1 b");
        assert_eq!(own.behind(&headers(&["1.0 x", "1.1 a"])).unwrap(), "1.0 x, 1.1 a, 1.1 b");
        assert!(is_too_long(&headers(&[&"1.1 a, ".repeat(200)])));
        assert!(!is_too_long(&headers(&["1.1 a"])));
    }
}
