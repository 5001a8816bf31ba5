//! What a node answers.
//!
//! Owns how an entry, an answer that is not kept, or a stream becomes one HTTP response. The door that sends it
//! decides what its headers say of the cache (`Age`, `Cache-Status`) and where its links point.

mod reading;

pub use reading::{READ_BYTES_MAX, ReadError, StatusError};

use bytes::Bytes;
use cache_core::{
    Content, Entry, FetchError, Forward, Served, Timestamp,
    freshness::{self, Grant},
};
use cache_origin_github::{Form, OriginBody, PassReason, fields, refusal_of};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::runtime::Handle;

/// An answer to a request, and where it came from.
///
/// ```no_run
/// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
/// let reply = node.get("/repos/rust-lang/rust").await?.error_for_status()?;
/// println!("{} from {:?}", reply.status(), reply.provenance());
/// let repository: serde_json::Value = reply.json().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Reply {
    answer: Answer,
    provenance: Provenance,
    age: Option<Duration>,
    time_left: Option<Duration>,
    overdue: Option<Duration>,
    live: HeaderMap,
    /// What [`Reply::headers`] lends, made when it is first asked for: most replies are sent on unread.
    headers: OnceLock<Box<HeaderMap>>,
    form: Form,
    /// Whether it was not another credential that asked for the client.
    is_of_client: bool,
    /// Whether it answers a GraphQL query that was not put again.
    is_held: bool,
    /// Longest body that [`Reply::bytes`] and similar methods take in.
    read_bytes_max: usize,
}

/// Where a reply came from.
///
/// ```no_run
/// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
/// use fleet_cache::{Provenance, Served};
///
/// let from = match node.get("/repos/rust-lang/rust").await?.provenance() {
///     Provenance::Entry(Served::Hit | Served::Stale(_)) => "memory or disk",
///     Provenance::Entry(Served::Peer) => "a peer",
///     _ => "GitHub",
/// };
/// println!("from {from}");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Provenance {
    /// An entry: from the cache, or just fetched.
    Entry(Served),
    /// Only the origin may answer such a request.
    Passed(PassReason),
    /// The answer was too long to keep.
    Oversize,
    /// An answer of the origin that is not kept.
    Relayed(Forward),
}

impl Reply {
    fn new(answer: Answer, provenance: Provenance, form: Form) -> Self {
        Self {
            answer,
            provenance,
            age: None,
            time_left: None,
            overdue: None,
            live: HeaderMap::new(),
            headers: OnceLock::new(),
            form,
            is_of_client: false,
            is_held: false,
            read_bytes_max: READ_BYTES_MAX,
        }
    }

    pub(crate) fn of_entry(
        entry: Arc<Entry>,
        served: Served,
        (now, grant): (Timestamp, &Grant),
        form: Form,
    ) -> Self {
        Self {
            age: Some(freshness::age(&entry, now)),
            time_left: Some(freshness::time_left(&entry, grant, now)),
            overdue: Some(freshness::overdue(&entry, grant, now)),
            ..Self::new(Answer::Entry(entry), Provenance::Entry(served), form)
        }
    }

    pub(crate) fn of_content(content: Content, forward: Forward, form: Form) -> Self {
        Self::new(Answer::Content(content), Provenance::Relayed(forward), form)
    }

    pub(crate) fn of_stream(response: Response<OriginBody>, runtime: Handle, provenance: Provenance) -> Self {
        let answer = Answer::Stream(response.map(|body| ReplyBody(Source::Stream(body, runtime))));
        Self::new(answer, provenance, Form::default())
    }

    /// The same, as what the origin says to the client itself, with its own credential or none.
    pub(crate) fn of_client(self) -> Self {
        Self { is_of_client: true, ..self }
    }

    /// The same, as the answer to a GraphQL query if `is_query`: the origin itself never answers such a one with 304.
    pub(crate) fn of_query(mut self, is_query: bool) -> Self {
        self.is_held = is_query
            && matches!(self.provenance, Provenance::Entry(Served::Forwarded(forward))
                if forward.status == StatusCode::NOT_MODIFIED.as_u16());
        self
    }

    /// By which status the origin refused what was asked for to a credential that is not the client's, if it was not a
    /// matter of an allowance, and says more than that there is no such thing.
    pub(crate) fn refused(&self) -> Option<StatusCode> {
        let Answer::Content(content) = &self.answer else { return None };
        if self.is_of_client {
            return None;
        }
        let refused = refusal_of(content);
        refused.filter(|status| matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }

    /// The same without the body of an answer that streams.
    pub(crate) fn without_body(self) -> Self {
        let answer = match self.answer {
            Answer::Stream(response) => {
                Answer::Stream(response.map(|_unread| ReplyBody(Source::Whole(None))))
            }
            other @ (Answer::Content(_) | Answer::Entry(_)) => other,
        };
        Self { answer, ..self }
    }

    pub(crate) fn with_live(self, live: HeaderMap) -> Self {
        Self { live, headers: OnceLock::new(), ..self }
    }

    /// The origin's status.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(node.get("/repos/rust-lang/rust").await?.status(), 200);
    /// # Ok(()) }
    /// ```
    pub fn status(&self) -> StatusCode {
        match &self.answer {
            Answer::Content(content) => status(content),
            Answer::Entry(entry) => status(entry.content()),
            Answer::Stream(response) => response.status(),
        }
    }

    /// The origin's headers; quota and scopes only if this very request called the origin.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust/issues").await?;
    /// if let Some(link) = reply.headers().get("link") {
    ///     println!("more pages: {}", link.to_str()?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn headers(&self) -> &HeaderMap {
        match &self.answer {
            Answer::Content(content) => self.headers_of(content),
            Answer::Entry(entry) => self.headers_of(entry.content()),
            Answer::Stream(response) => response.headers(),
        }
    }

    fn headers_of(&self, content: &Content) -> &HeaderMap {
        self.headers.get_or_init(|| {
            let mut headers: HeaderMap = fields(&content.headers).collect();
            headers.extend(self.live.clone());
            Box::new(headers)
        })
    }

    /// Where the reply came from.
    ///
    /// ```no_run
    /// # use fleet_cache::{Node, Provenance, Served};
    /// # async fn example(node: Node) -> Result<(), Box<dyn std::error::Error>> {
    /// node.get("/repos/rust-lang/rust").await?;
    /// let again = node.get("/repos/rust-lang/rust").await?;
    /// assert_eq!(again.provenance(), Provenance::Entry(Served::Hit));
    /// # Ok(()) }
    /// ```
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// Whether it answers a GraphQL query that was not put again, since the REST resources that cover it were unchanged.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node, query: http::Request<http_body_util::Full<bytes::Bytes>>)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// if node.request(query).await?.is_held() {
    ///     println!("no points were spent");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Time since the origin vouched for an entry; `None` if the answer is not an entry.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust").await?;
    /// println!("GitHub said so {:?} ago, and it holds for {:?}", reply.age(), reply.time_left());
    /// # Ok(()) }
    /// ```
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Time for which an entry stays fresh; `None` if the answer is not an entry.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust").await?;
    /// if reply.time_left().is_some_and(|left| left.is_zero()) {
    ///     println!("stale for {:?}", reply.overdue());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn time_left(&self) -> Option<Duration> {
        self.time_left
    }

    /// Time for which an entry has been stale; `None` if the answer is not an entry.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust").await?;
    /// println!("stale for {:?}", reply.overdue().unwrap_or_default());
    /// # Ok(()) }
    /// ```
    pub fn overdue(&self) -> Option<Duration> {
        self.overdue
    }

    /// The entry that answers, if one does.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust").await?;
    /// if let Some(entry) = reply.entry() {
    ///     println!("{} bytes are kept", entry.content().body.len());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        match &self.answer {
            Answer::Entry(entry) => Some(entry),
            Answer::Content(_) | Answer::Stream(_) => None,
        }
    }

    /// How the request wants the reply to look.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The response as the request wants it: coded, without a body for HEAD, or "304 Not Modified".
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// use http_body_util::BodyExt as _;
    ///
    /// let mut body = node.get("/repos/rust-lang/rust/tarball").await?.into_response().into_body();
    /// while let Some(frame) = body.frame().await {
    ///     if let Ok(data) = frame?.into_data() {
    ///         println!("{} bytes more", data.len());
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn into_response(self) -> Response<ReplyBody> {
        self.into_response_with(|_response| {})
    }

    /// The same, edited before it is coded. Of an answer that streams, `edit` sees only the head.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust").await?;
    /// let response = reply.into_response_with(|response| {
    ///     response.headers_mut().remove("link");
    /// });
    /// println!("{}", response.status());
    /// # Ok(()) }
    /// ```
    pub fn into_response_with(self, edit: impl FnOnce(&mut Response<Bytes>)) -> Response<ReplyBody> {
        let Self { answer, form, live, .. } = self;
        let mut response = match answer {
            Answer::Stream(response) => return edit_head(response, edit),
            Answer::Entry(entry) if form.not_modified(&entry) => {
                let mut response = Form::unchanged_reply(entry.content());
                edit(&mut response);
                response
            }
            Answer::Entry(entry) => form.reply(entry.content(), edit),
            Answer::Content(content) => form.reply(&content, edit),
        };
        for (name, value) in &live {
            response.headers_mut().insert(name, value.clone());
        }
        response.map(|body| ReplyBody(Source::Whole(Some(body).filter(|body| !body.is_empty()))))
    }
}

fn edit_head(response: Response<ReplyBody>, edit: impl FnOnce(&mut Response<Bytes>)) -> Response<ReplyBody> {
    let (parts, body) = response.into_parts();
    let mut head = Response::from_parts(parts, Bytes::new());
    edit(&mut head);
    head.map(|_empty| body)
}

fn status(content: &Content) -> StatusCode {
    StatusCode::from_u16(content.status).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The body of a [`Reply`]: whole, or streaming from the origin.
#[derive(Debug)]
pub struct ReplyBody(Source);

impl ReplyBody {
    /// All of `bytes`.
    pub(crate) fn of_whole(bytes: Bytes) -> Self {
        Self(Source::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// What streams from the origin, polled on `runtime`.
    pub(crate) fn of_stream(body: OriginBody, runtime: Handle) -> Self {
        Self(Source::Stream(body, runtime))
    }

    /// All of the body if it is there; `None` if it streams.
    pub fn whole(self) -> Option<Bytes> {
        match self.0 {
            Source::Stream(..) => None,
            Source::Whole(body) => Some(body.unwrap_or_default()),
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = FetchError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
        match &mut self.0 {
            Source::Stream(body, runtime) => {
                // Its alarm needs a timer, and the reader's runtime may have none.
                let _runtime = runtime.enter();
                Pin::new(body).poll_frame(context)
            }
            Source::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Stream(body, _) => body.is_end_stream(),
            Source::Whole(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Stream(body, _) => body.size_hint(),
            Source::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
        }
    }
}

#[derive(Debug)]
enum Source {
    Stream(OriginBody, Handle),
    Whole(Option<Bytes>),
}

#[derive(Debug)]
enum Answer {
    Content(Content),
    Entry(Arc<Entry>),
    Stream(Response<ReplyBody>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{ForwardReason, Headers};

    #[test]
    fn headers_are_put_together_when_they_are_read_and_only_once() {
        let headers = Headers::from_iter([("etag", "\"1\"")]);
        let content = Content { status: 200, headers, body: Bytes::new() };
        let reason = ForwardReason::UriMiss;
        let forward = Forward { reason, status: 200, collapsed: false, stored: false, settling: false };
        let live = HeaderMap::from_iter([(http::header::VIA, http::HeaderValue::from_static("1.1 origin"))]);
        let reply = Reply::of_content(content, forward, Form::default()).with_live(live);
        assert!(reply.headers.get().is_none());
        let first = reply.headers();
        assert_eq!(
            (&first["etag"], &first["via"]),
            (&"\"1\"".parse().unwrap(), &"1.1 origin".parse().unwrap())
        );
        assert!(std::ptr::eq(first, reply.headers()));
    }
}
