//! Requests as they come in: what is refused for its framing, what is an offer that may be ignored, and whether
//! there is a body behind a read.

use super::{problem::DoorError, token};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header, request::Parts};
use hyper::body::{Body, Frame, SizeHint};
use std::{
    error::Error,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// Checks what a request expects of this door and how its body is coded.
///
/// # Errors
///
/// For expectations other than `100-continue` (RFC 9110, section 10.1.1) and codings other than `chunked` (RFC 9112,
/// section 6.1).
pub(super) fn check(headers: &HeaderMap) -> Result<(), DoorError> {
    let mut expected = headers.get_all(header::EXPECT).iter();
    if expected.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        let text = "this door meets no expectation but 100-continue";
        return Err(DoorError::new(StatusCode::EXPECTATION_FAILED, "expectation", text));
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let first = codings.next();
    if codings.next().is_some()
        || first.is_some_and(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(DoorError::coding_unknown());
    }
    Ok(())
}

/// Takes out what is for this door alone: its own fields, the page that asks, and offers.
pub(super) fn take_out_own(headers: &mut HeaderMap) {
    token::take_out(headers);
    headers.remove(header::ORIGIN);
    drop_offers(headers);
}

/// Takes out offers to speak another protocol, which a server may ignore (RFC 9110, section 7.8).
pub(super) fn drop_offers(headers: &mut HeaderMap) {
    headers.remove(header::UPGRADE);
    headers.remove(HTTP2_SETTINGS);
}

/// Finds out whether a read has a body; one without loses the fields that announce one.
///
/// # Errors
///
/// When the body breaks off before its first byte.
pub(super) async fn settle<B>(parts: &mut Parts, mut body: B) -> Result<SettledBody<B>, DoorError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return Ok(SettledBody { first: None, rest: Some(body) });
    }
    let mut first = None;
    let mut has_ended = body.is_end_stream();
    if !has_ended && parts.headers.contains_key(header::TRANSFER_ENCODING) {
        first = first_piece(&mut body).await?;
        has_ended = first.is_none();
    }
    if has_ended {
        for name in OF_BODY {
            parts.headers.remove(name);
        }
    }
    Ok(SettledBody { first, rest: Some(body).filter(|_body| !has_ended) })
}

async fn first_piece<B>(body: &mut B) -> Result<Option<Bytes>, DoorError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let broken =
        |_reason| DoorError::new(StatusCode::BAD_REQUEST, "request-body", "the request's body broke off");
    while let Some(frame) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        let piece = frame.map_err(broken)?.into_data();
        if let Some(piece) = piece.ok().filter(|piece| !piece.is_empty()) {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// A body of which the first piece may have been read already.
pub(super) struct SettledBody<B> {
    first: Option<Bytes>,
    /// `None` when nothing is left.
    rest: Option<B>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for SettledBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match (self.first.take(), &mut self.rest) {
            (Some(first), _rest) => Poll::Ready(Some(Ok(Frame::data(first)))),
            (None, Some(rest)) => Pin::new(rest).poll_frame(context),
            (None, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.first, &self.rest) {
            // Only a body of unknown length is looked into.
            (Some(_first), _rest) => SizeHint::default(),
            (None, Some(rest)) => rest.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        }
    }
}

const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
/// Fields that announce a body.
const OF_BODY: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT, header::TRAILER];

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Request};
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;

    fn status(fields: &[(&'static str, &'static str)]) -> Option<u16> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        check(&headers).err().map(|error| error.response().status().as_u16())
    }

    #[test]
    fn only_what_this_door_understands_is_let_in() {
        for plain in [&[][..], &[("expect", "100-Continue")], &[("transfer-encoding", "Chunked")]] {
            assert_eq!(status(plain), None, "{plain:?}");
        }
        for expectation in ["x", "", "100-continue, x", "200-ok"] {
            assert_eq!(status(&[("expect", expectation)]), Some(417), "{expectation}");
        }
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "gzip"] {
            assert_eq!(status(&[("transfer-encoding", coding)]), Some(501), "{coding}");
        }
        let twice = [("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")];
        assert_eq!(status(&twice), Some(501));
    }

    async fn settled(method: Method, pieces: Vec<&'static str>) -> (Parts, Bytes) {
        let (mut parts, ()) = Request::builder()
            .method(method)
            .header("transfer-encoding", "chunked")
            .header("expect", "100-continue")
            .body(())
            .unwrap()
            .into_parts();
        let frames = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
        let body = StreamBody::new(futures::stream::iter(frames));
        let body = settle(&mut parts, body).await.ok().unwrap();
        (parts, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn a_read_with_an_empty_body_is_a_read_without_one() {
        let (parts, body) = settled(Method::GET, vec![]).await;
        assert!(parts.headers.is_empty() && body.is_empty());
        let (parts, body) = settled(Method::GET, vec!["x", "y"]).await;
        assert_eq!((parts.headers.len(), &body[..]), (2, &b"xy"[..]));
        let (parts, _body) = settled(Method::POST, vec![]).await;
        assert_eq!(parts.headers.len(), 2, "a write says what it says");
    }

    #[test]
    fn an_offer_of_another_protocol_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        headers.insert(header::UPGRADE, HeaderValue::from_static("h2c"));
        headers.insert(HTTP2_SETTINGS, HeaderValue::from_static("AAMAAABkAAQAAP__"));
        drop_offers(&mut headers);
        assert!(headers.is_empty());
    }
}
