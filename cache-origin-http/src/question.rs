//! What the origin is asked on behalf of a read (RFC 9111, section 4.3.1).

use crate::Read;
use cache_core::Entry;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The fields of the request for `read` that asks about `known` as well, if that is given.
///
/// They are the client's own, but for its conditions and its range: what comes is kept for all, so it is to come whole. The
/// client's own conditions are answered from that.
pub(crate) fn fields(read: &Read, known: Option<&Entry>) -> HeaderMap {
    let mut headers = read.headers.clone();
    for name in OF_CLIENT {
        headers.remove(name);
    }
    let Some(validators) = known.map(Entry::validators) else { return headers };
    let mut ask = |name: HeaderName, value: &Option<Box<str>>| {
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    };
    ask(header::IF_NONE_MATCH, &validators.etag);
    ask(header::IF_MODIFIED_SINCE, &validators.last_modified);
    headers
}

/// What concerns the one client's view of an answer.
const OF_CLIENT: [HeaderName; 4] =
    [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE, header::RANGE];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Judged, judge};
    use cache_core::{Content, Domain, Draft, Key, Timestamp, Validators, freshness::Freshness};
    use http::Request;
    use std::time::Duration;

    fn read() -> Read {
        let request = Request::get("/")
            .header("if-none-match", "\"client\"")
            .header("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")
            .header("range", "bytes=0-1")
            .header("if-range", "\"client\"")
            .header("accept", "text/plain")
            .header("authorization", "secret");
        match judge("http://o", &request.body(()).unwrap().into_parts().0) {
            Judged::Read(read) => read,
            Judged::Pass(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn the_client_asks_with_its_own_fields_but_for_the_whole() {
        let fields = fields(&read(), None);
        let mut names: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization"]);
    }

    #[test]
    fn what_is_known_is_asked_about_by_all_its_validators() {
        let validators = Validators {
            etag: Some("W/\"a\"".into()),
            last_modified: Some("Fri, 02 Jan 1970 00:00:00 GMT".into()),
            ..Validators::default()
        };
        let draft = Draft {
            content: Content::of_value("x"),
            freshness: Freshness::default(),
            validators,
            age: Duration::ZERO,
        };
        let key = Key::new("r", Domain::ANONYMOUS);
        let entry = Entry::new(key, draft, Timestamp::from_unix_millis(1), 0);
        let fields = fields(&read(), Some(&entry));
        assert_eq!(fields["if-none-match"], "W/\"a\"");
        assert_eq!(fields["if-modified-since"], "Fri, 02 Jan 1970 00:00:00 GMT");
    }
}
