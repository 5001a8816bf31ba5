//! Connections in virtual time: how long a client may take for what.

use super::{
    DoorBody, DoorLimits, EventLoops, Listener, Running,
    connection::{converse, let_in},
    crowd::Crowd,
    malformed::RefusedHeads,
    problem::DoorError,
    serve,
    vitals::{BODY_GRACE, HEAD_MAX, IDLE_MAX, TICK},
};
use bytes::Bytes;
use fleet_cache::{RequestError, Withdrawal};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::Service};
use nix::errno::Errno;
use std::{
    convert::Infallible,
    future::{self, Future},
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    task::JoinHandle,
    time::{Instant, interval, timeout},
};

/// Answers with `bytes` bytes once it has the request's body.
#[derive(Clone, Copy)]
struct Answers {
    bytes: usize,
}

impl Service<Request<Incoming>> for Answers {
    type Response = Response<DoorBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<DoorBody>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let bytes = self.bytes;
        Box::pin(async move {
            // If the client broke off, the answer reaches nobody.
            let _body = request.into_body().collect().await;
            Ok(Response::new(DoorBody::whole(Bytes::from(vec![b'x'; bytes]))))
        })
    }
}

/// Refuses a request once it is taken back.
struct Waits;

impl Service<Request<Incoming>> for Waits {
    type Response = Response<DoorBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<DoorBody>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(async move {
            request.extensions().get::<Withdrawal>().expect("the door puts one in").withdrawn().await;
            let error = DoorError::from(RequestError::Withdrawn);
            Ok(error.response().map(DoorBody::whole))
        })
    }
}

/// A client of a connection that a door looks after; dropping it ends both.
struct Client {
    stream: DuplexStream,
    door: JoinHandle<()>,
    begun: Instant,
    _running: watch::Sender<bool>,
}

impl Client {
    fn connect<S>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<DoorBody>, Error = Infallible>
            + Send
            + Unpin
            + 'static,
        S::Future: Send + Unpin,
    {
        let (stream, served) = duplex(1024);
        let (stop, running) = Running::new();
        let mut crowd = Crowd::new();
        let (_number, vitals) = crowd.admit();
        let refused = Arc::new(RefusedHeads::default());
        let serving = tokio::spawn(converse(served, service, vitals, refused, running));
        let door = tokio::spawn(async move {
            let mut ticks = interval(TICK);
            while !serving.is_finished() {
                ticks.tick().await;
                crowd.close_overdue();
            }
        });
        Self { stream, door, begun: Instant::now(), _running: stop }
    }

    async fn send(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// What comes until the end, and when that was.
    async fn read_all(&mut self) -> (String, Duration) {
        let mut read = Vec::new();
        // What came before a break counts as well.
        let _end = self.stream.read_to_end(&mut read).await;
        (String::from_utf8_lossy(&read).into_owned(), self.begun.elapsed())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.door.abort();
    }
}

/// Lets virtual time pass.
async fn pass(time: Duration) {
    // Nothing else ends it.
    let _elapsed = timeout(time, future::pending::<()>()).await;
}

fn is_about(took: Duration, expected: Duration) -> bool {
    took >= expected - TICK && took < expected + Duration::from_secs(3)
}

const SMALL: Answers = Answers { bytes: 2 };

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_without_a_word_before_and_behind_a_request() {
    let (read, took) = Client::connect(SMALL).read_all().await;
    assert!(read.is_empty() && is_about(took, IDLE_MAX), "{took:?} {read}");
    let mut client = Client::connect(SMALL);
    pass(Duration::from_secs(60)).await;
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    let (read, took) = client.read_all().await;
    assert!(read.ends_with("\r\n\r\nxx"), "{read}");
    assert!(is_about(took, Duration::from_secs(60) + IDLE_MAX), "its time begins anew: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_refused_when_its_time_is_over() {
    let mut client = Client::connect(SMALL);
    client.send("GET / HTTP/1.1\r\nx: ").await;
    for _second in 0..9 {
        pass(Duration::from_secs(1)).await;
        assert!(client.send("y").await);
    }
    let (read, took) = client.read_all().await;
    assert!(read.starts_with("HTTP/1.1 408 "), "{read}");
    assert!(is_about(took, HEAD_MAX), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_may_pause_and_crawl_but_not_for_ever() {
    let head = |length: usize| format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
    let mut silent = Client::connect(SMALL);
    silent.send(&head(10)).await;
    let (read, took) = silent.read_all().await;
    assert!(!read.contains("200 OK") && is_about(took, BODY_GRACE), "{took:?} {read}");

    let mut crawling = Client::connect(SMALL);
    crawling.send(&head(1000)).await;
    while crawling.begun.elapsed() < 2 * BODY_GRACE && crawling.send("x").await {
        pass(Duration::from_secs(1)).await;
    }
    let took = crawling.begun.elapsed();
    assert!(took < BODY_GRACE + Duration::from_secs(5), "{took:?}");

    let mut slow = Client::connect(SMALL);
    slow.send(&head(600 * 100)).await;
    for _second in 0..100 {
        pass(Duration::from_secs(1)).await;
        assert!(slow.send(&"x".repeat(600)).await);
    }
    let mut answer = [0; 15];
    slow.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK", "a slow but honest line is served");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_more_of_its_answer_is_given_up() {
    let mut client = Client::connect(Answers { bytes: 100_000 });
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    let patience = BODY_GRACE + Duration::from_secs(10);
    pass(patience).await;
    let (read, _took) = client.read_all().await;
    assert!(read.len() < 100_000, "{}", read.len());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_its_half_is_answered_once_and_then_let_go() {
    let mut client = Client::connect(Answers { bytes: 100_000 });
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    client.stream.shutdown().await.unwrap();
    let (read, took) = client.read_all().await;
    assert!(read.len() > 100_000 && took < Duration::from_secs(5), "{took:?} {}", read.len());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_client_that_sends_no_more_is_taken_back_after_a_second() {
    let mut client = Client::connect(Waits);
    client.send("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n").await;
    pass(Duration::from_secs(60)).await;
    client.stream.shutdown().await.unwrap();
    let (read, took) = client.read_all().await;
    assert!(read.starts_with("HTTP/1.1 503"), "{read}");
    assert!(is_about(took, Duration::from_secs(61)) && took < Duration::from_secs(62), "{took:?}");
}

/// Has one connection to give, and no descriptor for a second one.
struct Scarce(Mutex<Option<DuplexStream>>);

impl Listener for Scarce {
    type Accepted = DuplexStream;
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<DuplexStream> {
        self.0.lock().unwrap().take().ok_or_else(|| io::Error::from_raw_os_error(Errno::EMFILE as i32))
    }

    async fn adopt(accepted: DuplexStream) -> io::Result<DuplexStream> {
        Ok(accepted)
    }
}

/// Gives connections, each of which is let in once its client has said one byte.
struct Greeted(Mutex<Vec<DuplexStream>>);

impl Listener for Greeted {
    type Accepted = DuplexStream;
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<DuplexStream> {
        let next = self.0.lock().unwrap().pop();
        match next {
            Some(stream) => Ok(stream),
            None => future::pending().await,
        }
    }

    async fn adopt(mut accepted: DuplexStream) -> io::Result<DuplexStream> {
        accepted.read_u8().await?;
        Ok(accepted)
    }
}

#[tokio::test]
async fn a_client_that_does_not_do_its_part_holds_up_nobody_and_is_let_go_at_a_stop() {
    let (mut silent, first) = duplex(1024);
    let (mut greeting, second) = duplex(1024);
    let (stop, running) = Running::new();
    let limits = DoorLimits { connections_max: 100, drain_timeout: IDLE_MAX };
    let loops = Arc::new(EventLoops::start().unwrap());
    let listener = Greeted(Mutex::new(vec![second, first]));
    let door = tokio::spawn(serve(listener, |_user| SMALL, limits, loops, running));
    greeting.write_all(b"!GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(HEAD_MAX / 2, greeting.read_to_string(&mut answer)).await.expect("it waits for nobody").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    stop.send_replace(true);
    let ended = timeout(HEAD_MAX / 2, silent.read_u8()).await.expect("it is let go at once");
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    door.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_handshake_has_the_time_of_a_head_and_gives_way() {
    let (_stop, mut running) = Running::new();
    let mut crowd = Crowd::new();
    let (_number, vitals) = crowd.admit();
    let begun = Instant::now();
    let never = future::pending::<io::Result<DuplexStream>>();
    let ticking = async {
        let mut ticks = interval(TICK);
        loop {
            ticks.tick().await;
            crowd.close_overdue();
        }
    };
    tokio::select! {
        stream = let_in(never, &vitals, &mut running) => assert!(stream.is_none()),
        () = ticking => {}
    }
    assert!(is_about(begun.elapsed(), HEAD_MAX), "{:?}", begun.elapsed());

    let (_number, vitals) = crowd.admit();
    let never = future::pending::<io::Result<DuplexStream>>();
    let newcomers = async {
        pass(Duration::from_secs(2)).await;
        assert!(crowd.give_way());
        future::pending::<()>().await;
    };
    tokio::select! {
        stream = let_in(never, &vitals, &mut running) => assert!(stream.is_none()),
        () = newcomers => {}
    }
}

#[tokio::test]
async fn where_the_system_has_no_descriptor_left_the_idle_give_way() {
    let (mut idle, served) = duplex(1024);
    let (_stop, running) = Running::new();
    let limits = DoorLimits { connections_max: 100, drain_timeout: Duration::ZERO };
    let loops = Arc::new(EventLoops::start().unwrap());
    let door = tokio::spawn(serve(Scarce(Mutex::new(Some(served))), |_user| SMALL, limits, loops, running));
    let mut read = Vec::new();
    let ended = timeout(IDLE_MAX / 3, idle.read_to_end(&mut read)).await;
    ended.expect("it is closed long before it has been idle for long").unwrap();
    door.abort();
}
