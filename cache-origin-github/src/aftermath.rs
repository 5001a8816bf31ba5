//! What a write leaves behind, by how it ended.
//!
//! [`GitHub::touched_by`] says which resources a write touches if it is carried out. This module decides whether it
//! was carried out: yes, no, or unknown.

use crate::{GRAPHQL_BYTES_MAX, GitHub, PassReason, graphql};
use bytes::Bytes;
use cache_core::{FetchError, Reach, Scope};
use http::{Method, Request, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};

impl GitHub {
    /// What `request` touches if it is carried out. For GraphQL it takes what [`Delivery`] saw of its body to tell whether
    /// it changes anything: [`left_by`](Self::left_by) does.
    pub fn touched_by_request<B>(&self, request: &Request<B>) -> Reach {
        if Self::is_graphql(request.uri()) && !request.method().is_safe() {
            return self.touched_by_mutation(request.headers());
        }
        self.touched_by(request.method(), request.uri())
    }

    /// Whether a request that passes the cache by, for `reason`, is one of those that GitHub bears only so many of in a minute and
    /// an hour: a write that changes something which can be read, or a mutation.
    ///
    /// GitHub says that these are requests that make content. It does not say which, and counts all of `POST`, `PATCH`, `PUT` and
    /// `DELETE` alike in what else it bears. Tokens, rendered texts and the like change nothing. A mutation counts if its body
    /// was read: not where GraphQL is switched off or the body is too long or coded.
    ///
    /// ```
    /// # use {cache_origin_github::{GitHub, PassReason}, http::Method};
    /// let github = GitHub::builder().build()?;
    /// let is_paced = |path: &str| github.is_paced(&Method::POST, &path.parse().unwrap(), PassReason::Method);
    /// assert!(is_paced("/repos/acme/site/issues") && !is_paced("/markdown"));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn is_paced(&self, method: &Method, target: &Uri, reason: PassReason) -> bool {
        let is_mutation = reason == PassReason::Graphql(graphql::MUTATION);
        is_mutation || !(Self::is_graphql(target) || self.touched_by(method, target).is_empty())
    }

    /// What is no longer true after a write that touches `touched`, was given to the origin as far as `delivery`
    /// says, and was answered with `answer`.
    ///
    /// A write that was carried out (2xx) ends, besides what it touches, everything that says that something is not
    /// there or is elsewhere, and all answers to queries. A write that was refused (4xx), sent elsewhere (3xx), never sent, or broken off by its
    /// client changes nothing. Of a write without an answer, or with a fault of the origin for one (5xx), it is
    /// unknown what it did, so what it touches is in doubt. It may even be carried out after that, as long as the
    /// origin works on it. GitHub gives up after 10 s, and [`Timeouts::head`](crate::Timeouts::head) is longer.
    ///
    /// All of it settles for the time that [`GitHubBuilder::settle`](crate::GitHubBuilder::settle) gives.
    pub fn left_by(
        &self,
        touched: Reach,
        answer: Result<StatusCode, &FetchError>,
        delivery: &Delivery,
    ) -> Reach {
        if touched.is_empty() || delivery.is_query() {
            return Reach::default();
        }
        let left = match answer {
            Ok(status) if status.is_success() => self.with_what_any_write_ends(touched, delivery),
            Ok(status) if status.is_server_error() => self.in_doubt(touched, delivery),
            // Refused, or sent elsewhere.
            Ok(_) | Err(FetchError::ConnectFailed) => Reach::default(),
            Err(FetchError::TimedOut) if delivery.extent() != Extent::Whole => Reach::default(),
            Err(_) if delivery.extent() == Extent::Broken => Reach::default(),
            Err(_) => self.in_doubt(touched, delivery),
        };
        left.settling(self.rules().settle)
    }

    fn with_what_any_write_ends(&self, mut touched: Reach, delivery: &Delivery) -> Reach {
        let prefix = format!("{}/", self.origin().host()).into();
        let repositories = match delivery.mutation() {
            Some(body) => self.repositories_of_mutation(&body),
            None => self.repositories_in(&touched),
        };
        if delivery.mutation().is_some() {
            for repository in repositories.iter().flatten() {
                touched.doubted.extend(self.resources_of(repository));
            }
        }
        let answers = self.answers_of(repositories.as_ref().map(|all| all.iter().map(|name| &**name)));
        touched.forgotten.push(Scope::Signposts { prefix });
        touched.forgotten.extend(answers);
        touched
    }

    /// The same where it is unknown whether the write was carried out. Answers to queries end in any case: there is nothing
    /// by which the origin could be asked about them.
    fn in_doubt(&self, touched: Reach, delivery: &Delivery) -> Reach {
        let mut uncertain = self.with_what_any_write_ends(touched, delivery).uncertain();
        let is_of_queries = |scope: &&Scope| self.is_of_queries(scope);
        uncertain.forgotten = uncertain.doubted.iter().filter(is_of_queries).cloned().collect();
        uncertain
    }
}

/// How far the body of a request got on its way to the origin.
#[derive(Clone, Debug)]
pub struct Delivery {
    extent: Arc<AtomicU8>,
    /// What was taken of a GraphQL request, as long as it may be read; empty for all others.
    seen: Arc<Mutex<Vec<u8>>>,
}

/// How much of a body was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Extent {
    /// Some of it; its sender may give more.
    Part,
    /// The whole body was given.
    Whole,
    /// Some of it; its sender failed, or went away.
    Broken,
}

impl Delivery {
    /// Watches the body of `request` being sent.
    pub fn of<B: Body<Data = Bytes>>(request: Request<B>) -> (Request<Delivered<B>>, Self) {
        let (parts, body) = request.into_parts();
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let delivery = Self::begin(Extent::Part);
        let is_seen = GitHub::is_graphql(&parts.uri);
        if body.is_end_stream() || length == Some(0) {
            delivery.set(Extent::Whole);
        }
        let delivered = Delivered { body, left: length, is_seen, delivery: delivery.clone() };
        (Request::from_parts(parts, delivered), delivery)
    }

    fn begin(extent: Extent) -> Self {
        Self { extent: Arc::new(AtomicU8::new(extent as u8)), seen: Arc::default() }
    }

    fn extent(&self) -> Extent {
        [Extent::Part, Extent::Whole, Extent::Broken][usize::from(self.extent.load(Ordering::Acquire))]
    }

    /// Whether the request is a GraphQL query, and so changes nothing. A part of a query does not count.
    fn is_query(&self) -> bool {
        graphql::is_query(&self.seen.lock())
    }

    /// The body of the request, if it is one for GraphQL, as far as it was seen.
    fn mutation(&self) -> Option<Vec<u8>> {
        Some(self.seen.lock().clone()).filter(|seen| !seen.is_empty())
    }

    fn set(&self, extent: Extent) {
        self.extent.store(extent as u8, Ordering::Release);
    }

    /// Adds a piece to what can be read of a GraphQL request. A request that is longer than it may be breaks off, and
    /// so does not count as a query.
    fn see(&self, piece: &[u8]) {
        let mut seen = self.seen.lock();
        let room = GRAPHQL_BYTES_MAX.saturating_sub(seen.len());
        seen.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}

/// A body that tells how much of it was taken.
#[derive(Debug)]
pub struct Delivered<B> {
    body: B,
    /// Bytes that are still to come, where the request says how many there are.
    left: Option<u64>,
    /// Whether the body is also to be read here, to tell a GraphQL query.
    is_seen: bool,
    delivery: Delivery,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Delivered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(piece) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
            if self.is_seen {
                self.delivery.see(piece);
            }
        }
        match &frame {
            Some(Err(_)) => self.delivery.set(Extent::Broken),
            Some(Ok(_)) if !self.body.is_end_stream() && self.left != Some(0) => {}
            Some(Ok(_)) | None => self.delivery.set(Extent::Whole),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Domain, Key, Manner};
    use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
    use std::io;

    fn delivery(extent: Extent) -> Delivery {
        Delivery::begin(extent)
    }

    #[test]
    fn what_a_write_leaves_behind_depends_on_how_it_ended() {
        let github = GitHub::builder().build().unwrap();
        let answered = |status| Ok(StatusCode::from_u16(status).unwrap());
        let (forget, doubt) = (Some(Manner::Forget), Some(Manner::Doubt));
        let rows = [
            (answered(200), Extent::Whole, forget),
            (answered(201), Extent::Part, forget),
            (answered(204), Extent::Broken, forget),
            (answered(301), Extent::Whole, None),
            (answered(307), Extent::Whole, None),
            (answered(400), Extent::Whole, None),
            (answered(404), Extent::Whole, None),
            (answered(422), Extent::Whole, None),
            (answered(500), Extent::Whole, doubt),
            (answered(502), Extent::Part, doubt),
            (Err(&FetchError::ConnectFailed), Extent::Part, None),
            (Err(&FetchError::ConnectFailed), Extent::Whole, None),
            (Err(&FetchError::ConnectionLost), Extent::Broken, None),
            (Err(&FetchError::ConnectionLost), Extent::Part, doubt),
            (Err(&FetchError::ConnectionLost), Extent::Whole, doubt),
            (Err(&FetchError::Malformed), Extent::Whole, doubt),
            (Err(&FetchError::TimedOut), Extent::Part, None),
            (Err(&FetchError::TimedOut), Extent::Whole, doubt),
        ];
        let scope = Scope::Prefix { prefix: "api.github.com/repos/o/r".into(), domain: None };
        let key = |path| Key::new(&format!("api.github.com{path} json"), Domain::ANONYMOUS);
        for (answer, extent, expected) in rows {
            let left = github.left_by(Reach::forget([scope.clone()]), answer, &delivery(extent));
            assert_eq!(left.manner(&key("/repos/o/r"), 200), expected, "{answer:?} {extent:?}");
            assert_eq!(left.manner(&key("/repos/a/b"), 404), expected, "an absence: {answer:?} {extent:?}");
            assert_eq!(left.manner(&key("/repos/a/b"), 200), None, "{answer:?} {extent:?}");
            assert!(github.left_by(Reach::default(), answer, &delivery(extent)).is_empty());
        }
    }

    #[tokio::test]
    async fn a_body_is_whole_once_its_last_byte_was_taken() {
        let (_request, delivery) = Delivery::of(Request::new(Empty::<Bytes>::new()));
        assert_eq!(delivery.extent(), Extent::Whole);
        let (request, delivery) = Delivery::of(Request::new(Full::new(Bytes::from_static(b"body"))));
        assert_eq!(delivery.extent(), Extent::Part);
        request.into_body().collect().await.unwrap();
        assert_eq!(delivery.extent(), Extent::Whole);
    }

    #[tokio::test]
    async fn of_graphql_a_mutation_leaves_doubts_and_a_query_nothing() {
        let github = GitHub::builder().build().unwrap();
        for (document, is_left) in [("mutation { a }", true), ("query { a }", false)] {
            let body = format!(r#"{{"query":"{document}"}}"#);
            let request = Request::post("/api/graphql").body(Full::new(Bytes::from(body))).unwrap();
            let touched = github.touched_by_request(&request);
            let (request, delivery) = Delivery::of(request);
            request.into_body().collect().await.unwrap();
            let left = github.left_by(touched, Ok(StatusCode::OK), &delivery);
            assert_eq!(!left.is_empty(), is_left, "{document}");
        }
        let long = format!(r#"{{"query":"query {{ a }}","variables":"{}"}}"#, "x".repeat(GRAPHQL_BYTES_MAX));
        let request = Request::post("/graphql").body(Full::new(Bytes::from(long))).unwrap();
        let touched = github.touched_by_request(&request);
        let (request, delivery) = Delivery::of(request);
        request.into_body().collect().await.unwrap();
        assert!(!github.left_by(touched, Ok(StatusCode::OK), &delivery).is_empty());
    }

    /// The manner in which a write that was carried out leaves what is kept under `resource`.
    async fn left(github: &GitHub, write: Request<Full<Bytes>>, resource: &str) -> Option<Manner> {
        let touched = github.touched_by_request(&write);
        let (request, delivery) = Delivery::of(write);
        request.into_body().collect().await.unwrap();
        let left = github.left_by(touched, Ok(StatusCode::OK), &delivery);
        left.manner(&Key::new(&format!("api.github.com{resource}"), Domain::ANONYMOUS), 200)
    }

    #[tokio::test]
    async fn a_write_ends_answers_to_queries_of_its_repository_and_of_no_single_one() {
        let github = GitHub::builder().build().unwrap();
        let (own, several) = ("/graphql?of=o/r&rules=lists&query=00", "/graphql?of=-&rules=lists&query=00");
        let rest = |path: &str| Request::patch(path).body(Full::new(Bytes::from("{}"))).unwrap();
        for (path, is_elsewhere_left) in [
            ("/repos/O/r/issues/1", true),
            ("/api/v3/repos/o/r", true),
            ("/repositories/17/issues/1", false),
            ("/orgs/o", false),
            ("/user", false),
            ("/a/../b", false),
        ] {
            for ended in [own, several] {
                assert_eq!(left(&github, rest(path), ended).await, Some(Manner::Forget), "{path} {ended}");
            }
            for elsewhere in
                ["/graphql?of=o/r2&rules=lists&query=00", "/graphql?of=o2/r&rules=lists&query=00"]
            {
                let expected = (!is_elsewhere_left).then_some(Manner::Forget);
                assert_eq!(left(&github, rest(path), elsewhere).await, expected, "{path} {elsewhere}");
            }
        }
    }

    #[tokio::test]
    async fn a_mutation_ends_what_is_of_the_repositories_of_its_ids_in_every_domain() {
        let github = GitHub::builder().build().unwrap();
        github.gates().learn_place("I_7", "o/r", Some(7));
        let mutation = |id: &str| {
            let body = format!(
                r#"{{"query":"mutation M($i: X!) {{ m(input: $i) {{ a }} }}","variables":{{"i":{{"issueId":"{id}"}}}}}}"#
            );
            Request::post("/graphql").body(Full::new(Bytes::from(body))).unwrap()
        };
        let elsewhere = "/graphql?of=o/r2&rules=lists&query=00";
        for (id, resource, expected) in [
            ("I_7", "/graphql?of=o/r&rules=lists&query=00", Some(Manner::Forget)),
            ("I_7", "/graphql?of=-&rules=lists&query=00", Some(Manner::Forget)),
            ("I_7", elsewhere, None),
            ("I_7", "/repos/o/r/issues json", Some(Manner::Doubt)),
            ("I_7", "/repositories/17/issues?page=2 json", Some(Manner::Doubt)),
            ("I_7", "/repos/o/r2/issues json", None),
            ("I_8", elsewhere, Some(Manner::Forget)),
            ("I_8", "/repos/o/r/issues json", None),
        ] {
            // The domain of the one that mutates is another.
            let mut write = mutation(id);
            write.headers_mut().insert(header::AUTHORIZATION, "token ghp_alice".parse().unwrap());
            assert_eq!(left(&github, write, resource).await, expected, "{id} {resource}");
        }
    }

    #[tokio::test]
    async fn a_body_of_known_length_is_whole_without_being_asked_for_more() {
        let pieces = ["ab", "cd"].map(|piece| Ok::<_, io::Error>(Frame::data(Bytes::from(piece))));
        let body = StreamBody::new(futures::stream::iter(pieces));
        let request = Request::builder().header(header::CONTENT_LENGTH, 4).body(body).unwrap();
        let (request, delivery) = Delivery::of(request);
        let mut body = request.into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(delivery.extent(), Extent::Part);
        body.frame().await.unwrap().unwrap();
        assert_eq!(delivery.extent(), Extent::Whole);
    }

    #[tokio::test]
    async fn a_body_that_its_sender_breaks_off_is_broken() {
        let pieces = [Ok(Frame::data(Bytes::from_static(b"a"))), Err(io::Error::other("gone"))];
        let (request, delivery) = Delivery::of(Request::new(StreamBody::new(futures::stream::iter(pieces))));
        assert!(request.into_body().collect().await.is_err());
        assert_eq!(delivery.extent(), Extent::Broken);
    }
}
