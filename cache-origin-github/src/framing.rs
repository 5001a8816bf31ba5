//! Where an answer over HTTP/1.1 ends (RFC 9112, section 6).
//!
//! The client library reads a body by the last transfer coding, or by its length, and leaves the fields as they came.
//! This module makes the fields say what was read, so that nothing downstream frames the body in another way.

use cache_core::FetchError;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, response};

/// Makes the fields of an answer to a request with `method` agree with how its body is read.
///
/// Beside a transfer coding, a length counts for nothing. A length that is repeated is sent once.
///
/// # Errors
///
/// [`FetchError::Malformed`] for a transfer coding other than `chunked` alone: what it covers was not undone.
pub(crate) fn settle(head: &mut response::Parts, method: &Method) -> Result<(), FetchError> {
    let headers = &mut head.headers;
    if is_bodiless(head.status, method) {
        // Then both fields tell of what GET would give, at best.
        if head.status == StatusCode::NO_CONTENT {
            headers.remove(header::CONTENT_LENGTH);
        } else {
            unify_length(headers);
        }
        return Ok(());
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
        return if is_chunked_alone(headers) { Ok(()) } else { Err(FetchError::Malformed) };
    }
    unify_length(headers);
    Ok(())
}

fn is_bodiless(status: StatusCode, method: &Method) -> bool {
    method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn is_chunked_alone(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
    codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}

/// Puts one length in the place of several that agree, and none in the place of those that do not.
///
/// Where there is a body, the client library has refused those that do not before.
fn unify_length(headers: &mut HeaderMap) {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let is_plain = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit);
    match (values.next(), values.next()) {
        (None, _) => return,
        (Some(only), None) if is_plain(only) => return,
        _several => {}
    }
    let values = headers.get_all(header::CONTENT_LENGTH).iter();
    let texts: Option<Vec<&str>> = values.map(|value| value.to_str().ok()).collect();
    let lengths: Option<Vec<u64>> = texts.and_then(|texts| {
        let members = texts.into_iter().flat_map(|text| text.split(',')).map(str::trim);
        members.map(|member| member.parse().ok()).collect()
    });
    headers.remove(header::CONTENT_LENGTH);
    if let Some([first, others @ ..]) = lengths.as_deref()
        && others.iter().all(|other| other == first)
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(*first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, Response};

    /// The length that is left, or why the answer is refused.
    fn settled(status: u16, method: &Method, fields: &[(&str, &str)]) -> Result<Option<String>, FetchError> {
        let (mut head, ()) = Response::builder().status(status).body(()).unwrap().into_parts();
        for (name, value) in fields {
            head.headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        settle(&mut head, method)?;
        let lengths: Vec<_> = head.headers.get_all(header::CONTENT_LENGTH).iter().collect();
        assert!(lengths.len() < 2);
        Ok(lengths.first().map(|value| value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn a_body_is_framed_in_one_way() {
        let (length, coding) = ("content-length", "transfer-encoding");
        let some = |length: &str| Ok(Some(length.to_owned()));
        let rows: [(&[(&str, &str)], _); 14] = [
            (&[], Ok(None)),
            (&[(length, "5")], some("5")),
            (&[(length, "5, 5")], some("5")),
            (&[(length, "5"), (length, "5")], some("5")),
            (&[(length, "5,05")], some("5")),
            (&[(coding, "chunked"), (length, "5")], Ok(None)),
            (&[(coding, "Chunked")], Ok(None)),
            (&[(coding, " , chunked")], Ok(None)),
            (&[(coding, "gzip, chunked")], Err(FetchError::Malformed)),
            (&[(coding, "gzip"), (coding, "chunked")], Err(FetchError::Malformed)),
            (&[(coding, "chunked, chunked")], Err(FetchError::Malformed)),
            (&[(coding, "chunked;x=1")], Err(FetchError::Malformed)),
            (&[(coding, "identity"), (length, "5")], Err(FetchError::Malformed)),
            (&[(coding, "")], Err(FetchError::Malformed)),
        ];
        for (fields, expected) in rows {
            assert_eq!(settled(200, &Method::GET, fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_has_no_body_may_still_tell_of_one() {
        let fields = [("content-length", "5, 5"), ("transfer-encoding", "gzip, chunked")];
        assert_eq!(settled(200, &Method::HEAD, &fields), Ok(Some("5".to_owned())));
        assert_eq!(settled(304, &Method::GET, &fields), Ok(Some("5".to_owned())));
        assert_eq!(settled(204, &Method::GET, &fields), Ok(None));
        assert_eq!(settled(200, &Method::HEAD, &[("content-length", "5, 6")]), Ok(None));
    }
}
