//! The calls of an HTTP cache through the suite for origins, through which those of GitHub's adapter go as well.
//!
//! One rule is left out: HTTP knows no quota, and what a 429 says is an answer like others.

use super::{
    HttpCache, Policy,
    asking::{Call, Elsewhere},
};
use crate::{GitHub, Node};
use async_trait::async_trait;
use cache_conformance::origin::{Mood, OriginFactory, Subject, Wanted};
use cache_core::{Candidate, Entry, Fetched};
use cache_origin_http::{Judged, Selector};
use http::Request;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

cache_conformance::origin_conformance! { @rules HttpFactory;
    a_changed_document_is_fetched_anew
    a_document_is_fetched_whole_with_what_is_needed_to_keep_it
    a_fault_of_the_origins_own_is_told_as_one
    after_trouble_all_is_as_before
    an_answer_that_is_no_whole_one_is_a_failure
    an_unchanged_document_is_renewed_and_stays_as_it_is
    every_fetch_is_one_call
    nothing_of_one_call_or_connection_is_kept
    trouble_never_renews_what_is_known
    what_is_not_there_is_kept_for_a_moment_at_most
    what_is_too_long_is_not_held
}

struct HttpFactory;

#[async_trait]
impl OriginFactory for HttpFactory {
    async fn start(&self) -> anyhow::Result<Box<dyn Subject>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State { mood: Mutex::new(Mood::Well), version: 1.into(), calls: 0.into() });
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _from)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that has gone needs no answer.
                    let _ended = state.serve(stream).await;
                });
            }
        });
        let node = Node::builder(None, GitHub::builder().build()?).start().await?;
        let cache = HttpCache::new(node, url.parse()?, Policy::default()).body_bytes_max(HELD_BYTES_MAX);
        Ok(Box::new(HttpSubject { cache, state, serving }))
    }
}

struct HttpSubject {
    cache: HttpCache,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

#[async_trait]
impl Subject for HttpSubject {
    async fn fetch(&self, wanted: Wanted, known: Option<Arc<Entry>>) -> Fetched {
        let target = match wanted {
            Wanted::Document => "/document",
            Wanted::Long => "/long",
            Wanted::Missing => "/missing",
        };
        let (head, ()) = Request::get(target).body(()).expect("a sound request").into_parts();
        let Judged::Read(read) = self.cache.origin.judge(&head) else { panic!("it is a read") };
        let call = Call {
            cache: self.cache.clone(),
            read,
            selector: Selector::default(),
            elsewhere: Elsewhere::default(),
        };
        call.make(known.map(Candidate::Own)).await.fetched
    }

    fn set_mood(&self, mood: Mood) {
        *self.state.mood.lock() = mood;
    }

    fn change(&self) {
        self.state.version.fetch_add(1, Ordering::Relaxed);
    }

    fn calls(&self) -> u64 {
        self.state.calls.load(Ordering::Relaxed)
    }
}

impl Drop for HttpSubject {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct State {
    mood: Mutex<Mood>,
    version: AtomicU64,
    calls: AtomicU64,
}

impl State {
    /// Answers the one request that comes on `stream`, and closes it.
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let answer = self.answer(&String::from_utf8_lossy(&head));
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }

    fn answer(&self, head: &str) -> String {
        let tag = format!("\"v{}\"", self.version.load(Ordering::Relaxed));
        let fields = format!(
            "cache-control: max-age=60\r\netag: {tag}\r\ncontent-type: text/plain\r\nkeep-alive: 1\r\nage: 3\r\n"
        );
        let is_long = head.starts_with("GET /long ");
        let body = if is_long { "x".repeat(2 * HELD_BYTES_MAX) } else { format!("document {tag}") };
        let of = |status: &str, fields: &str, body: &str, length: usize| {
            let length = format!("content-length: {length}");
            format!("HTTP/1.1 {status}\r\nconnection: close\r\n{fields}{length}\r\n\r\n{body}")
        };
        let is_known = head.to_ascii_lowercase().contains(&format!("if-none-match: {tag}"));
        match *self.mood.lock() {
            Mood::BreaksOff => of("200 OK", &fields, &body[..body.len() / 2], body.len()),
            Mood::Garbage => "no protocol at all\r\n\r\n".to_owned(),
            Mood::Gone => String::new(),
            Mood::Ill => of("503 Service Unavailable", "", "ill", 3),
            Mood::Spent => of("429 Too Many Requests", "retry-after: 100\r\n", "spent", 5),
            Mood::Well if head.starts_with("GET /missing ") => of("404 Not Found", "", "no", 2),
            Mood::Well if is_known => {
                format!("HTTP/1.1 304 Not Modified\r\nconnection: close\r\n{fields}\r\n")
            }
            Mood::Well => of("200 OK", &fields, &body, body.len()),
        }
    }
}

/// Longer than the document, shorter than what is long.
const HELD_BYTES_MAX: usize = 100_000;
