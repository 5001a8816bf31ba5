//! Requests whose body says what they ask: GraphQL.

use crate::{
    Node, Provenance, Reply, RequestError,
    call::{self, LookUp},
};
use bytes::{Bytes, BytesMut};
use cache_origin_github::{GRAPHQL_BYTES_MAX, PassReason};
use http::Request;
use http_body::{Body, Frame, SizeHint};
use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

/// A request whose body decides whether the cache can answer it. Nothing of it has been read yet.
///
/// ```no_run
/// # use {fleet_cache::{Call, Node}, http::Request, http_body_util::Full};
/// # async fn example(node: Node) -> Result<(), Box<dyn std::error::Error>> {
/// let body = Full::<bytes::Bytes>::from(r#"{"query":"{ repository(owner: \"o\", name: \"r\") { id } }"}"#);
/// let request = Request::post("/graphql").header("authorization", "token ghp_...").body(body)?;
/// let (head, body) = request.into_parts();
/// if let Call::Body(unread) = node.call(&head) {
///     println!("{:?}", unread.reply(Request::from_parts(head, body)).await?.provenance());
/// }
/// # Ok(()) }
/// ```
#[must_use = "a request whose body is to be read is answered by `reply`"]
pub struct Unread {
    node: Node,
    is_coded: bool,
}

impl Unread {
    pub(crate) fn new(node: Node) -> Self {
        Self { node, is_coded: true }
    }

    /// The same, for a caller that has to read the body: if the request passes the cache by, it asks for no coding, such as
    /// gzip.
    pub fn uncoded(mut self) -> Self {
        self.is_coded = false;
        self
    }

    /// Reads the body of `request`, whose head was judged, and answers it: from the cache if it is a query whose answer may
    /// be kept, and otherwise by the origin, with the body as it is.
    ///
    /// A body that is longer than [`GRAPHQL_BYTES_MAX`](crate::github::GRAPHQL_BYTES_MAX) passes the cache by. No more than
    /// that is held.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no answer at all. An error that the origin answers is a [`Reply`].
    ///
    /// # Cancellation
    ///
    /// As that of [`Miss::reply`](crate::Miss::reply) for what is looked up, and of [`Pass::reply`](crate::Pass::reply) for
    /// what passes the cache by.
    pub async fn reply<B>(self, request: Request<B>) -> Result<Reply, RequestError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let (read, reason) = match Read::up_to(GRAPHQL_BYTES_MAX, body).await {
            Ok(whole) => match self.node.shared().look_up_query(&parts, &whole) {
                LookUp::Hit(reply) => return Ok(reply),
                LookUp::Miss(key, planned) => {
                    let miss = call::Miss::new(self.node, parts, key, planned);
                    return if self.is_coded { miss } else { miss.uncoded() }.reply().await;
                }
                LookUp::Body => (Read::whole(whole), PassReason::Body),
                LookUp::Pass(reason) => (Read::whole(whole), reason),
            },
            Err(read) => (read, PassReason::Body),
        };
        let mut request = Request::from_parts(parts, read);
        if !self.is_coded {
            call::ask_uncoded(request.headers_mut());
        }
        self.node.forward(request, Provenance::Passed(reason)).await
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").finish_non_exhaustive()
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// A body of which a part was read already.
struct Read<B> {
    /// The beginning that was looked at; `None` once it was given on.
    begin: Option<Bytes>,
    /// What came after it and is not to be looked into: a piece beyond the bound, trailers, or an error.
    next: Option<Result<Frame<Bytes>, BoxError>>,
    /// `None` when nothing is left.
    rest: Option<B>,
}

impl<B> Read<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    fn whole(bytes: Bytes) -> Self {
        Self { begin: Some(bytes), next: None, rest: None }
    }

    /// All of `body`, if it is nothing but at most `bytes_max` bytes; else what it is.
    async fn up_to(bytes_max: usize, mut body: B) -> Result<Bytes, Self> {
        let mut begin = BytesMut::new();
        if body.size_hint().lower() > bytes_max as u64 {
            return Err(Self { begin: None, next: None, rest: Some(body) });
        }
        let next = loop {
            match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                None => return Ok(begin.freeze()),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) if begin.len() + piece.len() <= bytes_max => begin.extend_from_slice(&piece),
                    Ok(beyond) => break Ok(Frame::data(beyond)),
                    Err(trailers) => break Ok(trailers),
                },
                Some(Err(error)) => break Err(error.into()),
            }
        };
        Err(Self { begin: Some(begin.freeze()), next: Some(next), rest: Some(body) })
    }
}

impl<B> Body for Read<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(begin) = self.begin.take().filter(|begin| !begin.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(begin))));
        }
        if let Some(next) = self.next.take() {
            return Poll::Ready(Some(next));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(context).map_err(Into::into),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.begin.as_ref().is_none_or(Bytes::is_empty)
            && self.next.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let next = self.next.as_ref().and_then(|next| next.as_ref().ok()?.data_ref());
        let known = (self.begin.as_ref().map_or(0, Bytes::len) + next.map_or(0, Bytes::len)) as u64;
        let rest = self.rest.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(known + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(known + upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Full, StreamBody};
    use std::io;

    fn pieces(
        pieces: Vec<Result<&'static str, io::Error>>,
    ) -> impl Body<Data = Bytes, Error = io::Error> + Unpin {
        let frames = pieces.into_iter().map(|piece| piece.map(|text| Frame::data(Bytes::from(text))));
        StreamBody::new(futures::stream::iter(frames))
    }

    #[tokio::test]
    async fn a_body_within_the_bound_is_read_whole() {
        let read = Read::up_to(4, pieces(vec![Ok("ab"), Ok(""), Ok("cd")])).await;
        assert_eq!(read.ok().unwrap(), "abcd");
        assert!(Read::up_to(4, Full::new(Bytes::new())).await.ok().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_body_beyond_the_bound_goes_on_byte_for_byte() {
        let long = Read::up_to(4, pieces(vec![Ok("abc"), Ok("de"), Ok("f")])).await.err().unwrap();
        assert_eq!(long.size_hint().lower(), 5);
        assert!(!long.is_end_stream());
        assert_eq!(long.collect().await.unwrap().to_bytes(), "abcdef");
        let known = Read::up_to(4, Full::new(Bytes::from("abcde"))).await.err().unwrap();
        assert!(known.begin.is_none(), "nothing is held of what is known to be too long");
        assert_eq!(known.size_hint().exact(), Some(5));
        assert_eq!(known.collect().await.unwrap().to_bytes(), "abcde");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_does_so_behind_what_came() {
        let broken = vec![Ok("ab"), Err(io::Error::other("gone"))];
        let mut broken = Read::up_to(4, pieces(broken)).await.err().unwrap();
        assert_eq!(broken.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
        assert!(broken.frame().await.unwrap().is_err());
    }
}
