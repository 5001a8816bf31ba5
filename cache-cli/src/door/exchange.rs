//! One request and its answer, as a client's connection has them.

use super::{
    DoorBody,
    access_log::AccessLog,
    client::{Client, PeerProcess, Users, control_group},
    host::{self, Destination, Hosts, Inadmissible, OtherHost, Urls},
    incoming,
    intercept::{Course, Interception, Judgement, Turn},
    meter::{self, Meter},
    policy::Door,
    problem::DoorError,
    refusals::Refusals,
    relay,
    rendered::RenderedReplies,
    reply,
    rewrite::ApiUrls,
    token, web,
};
use crate::settings::{ClientNaming, Secret, WebOrigin};
use arc_swap::ArcSwapOption;
use fleet_cache::{
    Call, Miss, Node, Pass, PassReason, Reply, RequestError, Unread, github::CLIENT_FIELD,
    http_cache::HttpCache,
};
use http::{HeaderValue, Method, Request, Response, header, request::Parts};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use std::{
    cell::RefCell,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tracing::{debug, warn};

/// What all connections of a daemon have in common.
pub(crate) struct Front {
    /// The node, which answers.
    pub(crate) node: Node,
    /// Which hosts lead to the API.
    pub(crate) hosts: Hosts,
    /// Tells which URLs in answers are the API's.
    pub(crate) api: ApiUrls,
    /// Answers that were rendered lately.
    pub(crate) rendered: RenderedReplies,
    /// What clients must present at doors that ask for it.
    pub(crate) client_token: ArcSwapOption<Secret>,
    /// What each answer is noted in.
    pub(crate) access_log: Option<AccessLog>,
    /// The latest requests that were refused for want of quota.
    pub(crate) refusals: Refusals,
    /// The users that clients of unix sockets are run by.
    pub(crate) users: Users,
    /// How clients of the unix socket are told apart.
    pub(crate) naming: ClientNaming,
    /// Web pages that may use doors that browsers reach.
    pub(crate) web_origins: Vec<WebOrigin>,
    /// What becomes of connections for which clients send `CONNECT`; without it they are refused.
    pub(crate) interception: Option<Arc<Interception>>,
    /// What answers in place of the node where the rules of HTTP alone count.
    pub(crate) http: Option<HttpCache>,
}

impl Front {
    fn shape(&self, found: Reply, method: &Method, urls: &Urls) -> Response<DoorBody> {
        reply::shape(found, method, urls, &self.api, &self.rendered)
    }

    fn end(
        self: &Arc<Self>,
        meter: Meter,
        found: Result<Reply, DoorError>,
        method: &Method,
        urls: &Urls,
    ) -> Response<DoorBody> {
        let is_hit = meter::is_hit(&found);
        let response = match found {
            Ok(found) => self.shape(found, method, urls),
            Err(error) => refuse(&error, method),
        };
        meter.end(self, is_hit, response)
    }

    /// Sends on what passes the cache by, once it is known whether it has a body at all.
    async fn pass<B>(&self, pass: Pass, mut parts: Parts, body: B, urls: &Urls) -> Result<Reply, DoorError>
    where
        B: Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = incoming::settle(&mut parts, body).await?;
        let pass = if pass.reason() == PassReason::Body && body.is_end_stream() {
            // It announced a body and brought none: without what announced it, it is another request than was judged.
            match self.node.call(&parts) {
                Call::Hit(found) => return Ok(found),
                Call::Miss(miss) => {
                    return readable(miss, Miss::uncoded, urls).reply().await.map_err(no_answer);
                }
                // Only reads are settled.
                Call::Body(_) => pass,
                Call::Pass(pass) => pass,
            }
        } else {
            pass
        };
        let request = Request::from_parts(parts, body);
        readable(pass, Pass::uncoded, urls).reply(request).await.map_err(no_answer)
    }
}

fn no_answer(error: RequestError) -> DoorError {
    debug!(%error, "no answer");
    DoorError::from(error)
}

/// `call`, to be answered in no coding where URLs in its answer are to be rewritten.
fn readable<C>(call: C, uncoded: impl FnOnce(C) -> C, urls: &Urls) -> C {
    match urls {
        Urls::Kept => call,
        Urls::Rewritten(_) => uncoded(call),
    }
}

/// Answers the requests that come on one connection.
pub(crate) struct Exchange {
    front: Arc<Front>,
    door: Door,
    client: Client,
    /// The host that the client asked a connection for, in lower case, where it did so: no request is for another.
    only: Option<String>,
    /// The last `Host`, and where it leads: clients name the same with every request.
    last: RefCell<Option<(HeaderValue, Urls)>>,
}

impl Exchange {
    /// For a connection through `door`.
    pub(crate) fn new(front: Arc<Front>, door: Door) -> Self {
        Self { front, door, client: Client::new(None), only: None, last: RefCell::new(None) }
    }

    /// The same, where the system knows the client's process.
    pub(crate) fn of_peer(self, peer: Option<PeerProcess>) -> Self {
        let user = peer.map(|peer| self.front.users.label(peer.user));
        let group = match self.front.naming {
            ClientNaming::User => None,
            ClientNaming::Cgroup => peer.and_then(|peer| peer.process).and_then(control_group),
        };
        Self { client: Client::new(user).of_group(group), ..self }
    }

    /// For what comes out of the TLS that ends here for `host`, on a connection of this one's client.
    fn within(&self, host: &str) -> Self {
        let inner = Self::new(Arc::clone(&self.front), Door::INTERCEPTED);
        Self { client: self.client.clone(), only: Some(host.to_owned()), ..inner }
    }

    /// Answers `request`: at once if its answer is in memory.
    pub(crate) fn answer<B>(&self, request: Request<B>) -> Answering
    where
        B: Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.page(&request) {
            Ok(None) => self.answer_client(request),
            Ok(Some(page)) => match web::preflight(request.method(), request.headers(), &page) {
                Some(told) => Answering::Ready(Some(told.map(DoorBody::whole))),
                None => self.answer_client(request).open_to(page),
            },
            Err(error) => Answering::Ready(Some(refuse(&error, request.method()))),
        }
    }

    /// The web page that asks, if it is one that may and expects to be told so.
    fn page<B>(&self, request: &Request<B>) -> Result<Option<HeaderValue>, DoorError> {
        if self.door.meets_browsers {
            web::admit(request.headers(), &self.front.web_origins)
        } else {
            Ok(None)
        }
    }

    fn answer_client<B>(&self, request: Request<B>) -> Answering
    where
        B: Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if request.method() == Method::CONNECT {
            return self.connect(&request);
        }
        if let Some(cache) = &self.front.http {
            return self.answer_plainly(request, cache.clone());
        }
        let urls = match self.admit(&request) {
            Ok(Destination::Api(urls)) => urls,
            Ok(Destination::Other(other)) => return self.answer_past(request, other),
            Err(error) => return Answering::Ready(Some(refuse(&error, request.method()))),
        };
        let (mut parts, body) = request.into_parts();
        let client = self.client.label(&parts.headers);
        incoming::take_out_own(&mut parts.headers);
        // The calls that this leads to are attributed to it.
        parts.headers.insert(CLIENT_FIELD, client.as_value().clone());
        let front = Arc::clone(&self.front);
        let meter = Meter::begin(&front, client, &parts);
        match self.front.node.call(&parts) {
            Call::Body(unread) => match incoming::check(&parts.headers) {
                Err(error) => Answering::Ready(Some(front.end(meter, Err(error), &parts.method, &urls))),
                Ok(()) => Answering::Waiting(Box::pin(async move {
                    let method = parts.method.clone();
                    let unread = readable(unread, Unread::uncoded, &urls);
                    let found = unread.reply(Request::from_parts(parts, body)).await;
                    front.end(meter, found.map_err(no_answer), &method, &urls)
                })),
            },
            Call::Hit(found) => Answering::Ready(Some(front.end(meter, Ok(found), &parts.method, &urls))),
            Call::Miss(miss) => Answering::Waiting(Box::pin(async move {
                let found = readable(miss, Miss::uncoded, &urls).reply().await;
                front.end(meter, found.map_err(no_answer), &parts.method, &urls)
            })),
            Call::Pass(pass) => match incoming::check(&parts.headers) {
                Err(error) => Answering::Ready(Some(front.end(meter, Err(error), &parts.method, &urls))),
                Ok(()) => Answering::Waiting(Box::pin(async move {
                    let method = parts.method.clone();
                    let found = front.pass(pass, parts, body, &urls).await;
                    front.end(meter, found, &method, &urls)
                })),
            },
        }
    }

    /// Answers a request by the rules of HTTP alone.
    fn answer_plainly<B>(&self, request: Request<B>, cache: HttpCache) -> Answering
    where
        B: Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let admitted = self.admit_client(&request).and_then(|()| {
            self.front.hosts.admit_plainly(self.door, &request)?;
            incoming::check(request.headers())
        });
        if let Err(error) = admitted {
            return Answering::Ready(Some(refuse(&error, request.method())));
        }
        let (mut parts, body) = request.into_parts();
        incoming::drop_offers(&mut parts.headers);
        token::take_out(&mut parts.headers);
        if let Some(found) = cache.try_hit(&parts) {
            return Answering::Ready(Some(reply::of_http(found)));
        }
        Answering::Waiting(Box::pin(async move {
            let method = parts.method.clone();
            let found = match incoming::settle(&mut parts, body).await {
                Ok(body) => cache.answer(Request::from_parts(parts, body)).await.map_err(no_answer),
                Err(error) => Err(error),
            };
            found.map_or_else(|error| refuse(&error, &method), reply::of_http)
        }))
    }

    /// Answers a request for a host other than the API.
    fn answer_past<B>(&self, request: Request<B>, other: OtherHost) -> Answering
    where
        B: Body<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let front = Arc::clone(&self.front);
        Answering::Waiting(Box::pin(async move {
            let method = request.method().clone();
            let carried = relay::carry(&front.node, request, &other).await;
            carried.unwrap_or_else(|error| refuse(&error, &method))
        }))
    }

    /// Answers a client that takes this door for a proxy and wants a connection to some host.
    fn connect<B>(&self, request: &Request<B>) -> Answering {
        let judged = self.admit_client(request).and_then(|()| {
            let interception = self.front.interception.as_ref().filter(|_| self.door.is_proxy);
            let interception = interception.ok_or(Inadmissible::Connect)?;
            let judgement = interception.judge(request.uri().authority(), &self.front.hosts)?;
            Ok((judgement, Arc::clone(interception)))
        });
        match judged {
            Ok((Judgement::Intercept { host }, interception)) => {
                let exchange = Box::new(self.within(&host));
                Answering::Ready(Some(turned(Course::Intercepted { host, interception, exchange })))
            }
            Ok((Judgement::Tunnel { host, port }, interception)) => {
                Answering::Waiting(Box::pin(async move {
                    match interception.open(&host, port).await {
                        Ok(tunnel) => turned(Course::Tunnel(tunnel)),
                        Err(error) => refuse(&error, &Method::CONNECT),
                    }
                }))
            }
            Err(error) => Answering::Ready(Some(refuse(&error, &Method::CONNECT))),
        }
    }

    /// Checks that the request may come in, and tells where it belongs.
    fn admit<B>(&self, request: &Request<B>) -> Result<Destination, DoorError> {
        self.admit_client(request)?;
        Ok(self.route(request)?)
    }

    /// Checks that the request was not here before, and that its client shows what this door asks for.
    fn admit_client<B>(&self, request: &Request<B>) -> Result<(), DoorError> {
        if self.front.node.github().goes_in_a_circle(request.headers()) {
            warn!("a request came through this node before: the origin leads back here");
            return Err(DoorError::circle());
        }
        if self.door.asks_token
            && let Some(token) = &*self.front.client_token.load()
            && !token::presents(request.headers(), token)
        {
            return Err(DoorError::token_refused());
        }
        Ok(())
    }

    fn route<B>(&self, request: &Request<B>) -> Result<Destination, Inadmissible> {
        if let Some(only) = &self.only {
            host::names_only(only, request)?;
        }
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return self.front.hosts.route(self.door, request);
        };
        // Only a plain target is led by its host alone.
        let plain = request.uri().authority().is_none()
            && request.method() != Method::CONNECT
            && !request.uri().path().starts_with("/api/");
        let mut last = self.last.borrow_mut();
        if let Some((_host, urls)) = last.as_ref().filter(|(known, _urls)| plain && known == host) {
            return Ok(Destination::Api(urls.clone()));
        }
        let destination = self.front.hosts.route(self.door, request)?;
        if let (true, Destination::Api(urls)) = (plain, &destination) {
            *last = Some((host.clone(), urls.clone()));
        }
        Ok(destination)
    }
}

impl Service<Request<Incoming>> for Exchange {
    type Response = Response<DoorBody>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let Some(log) = &self.front.access_log else {
            return self.answer(request);
        };
        let asked = AccessLog::asked(&request, self.door.name, self.client.label(request.headers()));
        match self.answer(request) {
            Answering::Ready(response) => {
                if let Some(response) = &response {
                    log.note(asked, response);
                }
                Answering::Ready(response)
            }
            Answering::Waiting(answer) => {
                let log = log.clone();
                Answering::Waiting(Box::pin(async move {
                    let response = answer.await;
                    log.note(asked, &response);
                    response
                }))
            }
        }
    }
}

/// An answer that is there, or one that is waited for. A hit allocates no future.
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, and lives on the connection")]
pub(crate) enum Answering {
    /// It is there, until it is taken.
    Ready(Option<Response<DoorBody>>),
    /// The node or the origin is at work.
    Waiting(Pin<Box<dyn Future<Output = Response<DoorBody>> + Send>>),
}

impl Answering {
    /// The same, for a web page of `origin` to read.
    fn open_to(self, origin: HeaderValue) -> Self {
        let open = |mut response: Response<DoorBody>| {
            web::open(response.headers_mut(), origin);
            response
        };
        match self {
            Self::Ready(response) => Self::Ready(response.map(open)),
            Self::Waiting(answer) => Self::Waiting(Box::pin(async move { open(answer.await) })),
        }
    }
}

impl Future for Answering {
    type Output = Result<Response<DoorBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(response) => {
                Poll::Ready(Ok(response.take().expect("a finished future is not polled again")))
            }
            Self::Waiting(answer) => answer.as_mut().poll(context).map(Ok),
        }
    }
}

/// The answer after which a connection takes `course`.
fn turned(course: Course) -> Response<DoorBody> {
    let mut response = Response::new(DoorBody::Whole(None));
    response.extensions_mut().insert(Turn::to(course));
    response
}

/// The response for an error; HEAD gets its head alone, with the length that GET would see.
pub(crate) fn refuse(error: &DoorError, method: &Method) -> Response<DoorBody> {
    let mut response = error.response();
    if method == Method::HEAD {
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().insert(header::CONTENT_LENGTH, length);
        response.body_mut().clear();
    }
    response.map(DoorBody::whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::secret;
    use bytes::Bytes;
    use fleet_cache::GitHub;
    use http_body_util::{BodyExt, Empty};

    /// A door in front of an origin where nothing listens.
    async fn front(client_token: Option<&str>) -> Arc<Front> {
        let github = GitHub::builder().origin("http://127.0.0.1:1").pseudonym("own").build().unwrap();
        Arc::new(Front {
            hosts: Hosts::new(github.origin(), &[], &[]),
            api: ApiUrls::of_origin(github.origin()),
            rendered: RenderedReplies::new(),
            client_token: ArcSwapOption::from_pointee(client_token.map(|token| secret(token).unwrap())),
            web_origins: Vec::new(),
            interception: None,
            http: None,
            access_log: None,
            refusals: Refusals::default(),
            users: Users::default(),
            naming: ClientNaming::default(),
            node: Node::builder(None, github).start().await.unwrap(),
        })
    }

    fn request(method: Method, target: &str, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
        let request = Request::builder().method(method).uri(target);
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(Empty::new())
            .unwrap()
    }

    async fn answered(
        exchange: &Exchange,
        request: Request<Empty<Bytes>>,
    ) -> (u16, Bytes, Option<HeaderValue>) {
        let Ok(response) = exchange.answer(request).await;
        let status = response.status().as_u16();
        let length = response.headers().get(header::CONTENT_LENGTH).cloned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, body, length)
    }

    #[tokio::test]
    async fn an_origin_that_cannot_be_reached_gives_a_clear_error() {
        let exchange = Exchange::new(front(None).await, Door::TCP);
        let here = [("host", "127.0.0.1:8484")];
        let (status, body, _length) = answered(&exchange, request(Method::GET, "/user", &here)).await;
        assert_eq!(status, 502);
        let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(told["message"], "the origin cannot be reached");
    }

    #[tokio::test]
    async fn an_error_to_head_has_the_length_but_not_the_body_of_one_to_get() {
        let exchange = Exchange::new(front(None).await, Door::TCP);
        let elsewhere = [("host", "evil.example")];
        let (_status, body, _length) = answered(&exchange, request(Method::GET, "/", &elsewhere)).await;
        let (status, empty, length) = answered(&exchange, request(Method::HEAD, "/", &elsewhere)).await;
        assert_eq!(status, 421);
        assert!(empty.is_empty());
        assert_eq!(length.unwrap(), body.len().to_string());
    }

    #[tokio::test]
    async fn a_request_that_was_here_before_is_refused_whatever_it_asks() {
        let exchange = Exchange::new(front(None).await, Door::UNIX);
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let again = [("host", "localhost"), ("via", "1.1 other, 1.1 own")];
            assert_eq!(answered(&exchange, request(method.clone(), "/user", &again)).await.0, 508);
            let first = [("host", "localhost"), ("via", "1.1 other")];
            assert_eq!(answered(&exchange, request(method, "/user", &first)).await.0, 502);
        }
    }

    #[tokio::test]
    async fn a_host_is_not_mistaken_for_the_one_before() {
        let exchange = Exchange::new(front(None).await, Door::TCP);
        let own = Some(("host", "127.0.0.1:8484"));
        let route = |target: &str, host: Option<(&str, &str)>| {
            exchange.route(&request(Method::GET, target, host.as_slice()))
        };
        let plain = route("/user", own).unwrap();
        assert_eq!(route("/user", own), Ok(plain.clone()));
        assert_ne!(route("/api/v3/user", own), Ok(plain));
        assert!(route("/user", Some(("host", "evil.example"))).is_err());
        assert!(route("/user", None).is_err());
        assert!(route("http://evil.example/user", own).is_err());
    }

    #[tokio::test]
    async fn another_client_token_counts_from_the_next_request_of_a_connection_on() {
        let front = front(Some("sesame")).await;
        let exchange = Exchange::new(Arc::clone(&front), Door::TCP);
        let status = async |token| {
            let headers = [("host", "localhost"), ("x-fleet-cache-token", token)];
            answered(&exchange, request(Method::GET, "/user", &headers)).await.0
        };
        assert_eq!(status("sesame").await, 502);
        front.client_token.store(Some(Arc::new(secret("open").unwrap())));
        assert_eq!((status("sesame").await, status("open").await), (407, 502));
        front.client_token.store(None);
        assert_eq!(status("whatever").await, 502);
    }

    #[tokio::test]
    async fn a_door_that_browsers_reach_refuses_pages_that_nobody_named() {
        let front = front(None).await;
        let status = async |door| {
            let headers = [("host", "localhost"), ("origin", "https://evil.example")];
            answered(&Exchange::new(Arc::clone(&front), door), request(Method::GET, "/user", &headers))
                .await
                .0
        };
        assert_eq!((status(Door::TCP).await, status(Door::UNIX).await), (403, 502));
        assert_eq!(status(Door { meets_browsers: true, ..Door::UNIX }).await, 403);
        assert_eq!(status(Door { meets_browsers: false, ..Door::TCP }).await, 502);
    }

    #[tokio::test]
    async fn a_door_asks_for_the_client_token_if_that_is_among_its_rules() {
        let front = front(Some("sesame")).await;
        let status = async |door, headers: &[(&str, &str)]| {
            let exchange = Exchange::new(Arc::clone(&front), door);
            answered(&exchange, request(Method::GET, "/user", headers)).await.0
        };
        let host = ("host", "localhost");
        assert_eq!(status(Door::TCP, &[host]).await, 407);
        assert_eq!(status(Door::TCP, &[host, ("x-fleet-cache-token", "sesame")]).await, 502);
        assert_eq!(status(Door::UNIX, &[host]).await, 502);
        assert_eq!(status(Door { asks_token: true, ..Door::UNIX }, &[host]).await, 407);
        assert_eq!(status(Door { asks_token: false, ..Door::TCP }, &[host]).await, 502);
    }
}
