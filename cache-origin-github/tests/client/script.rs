//! An origin on the loopback that says byte for byte what a test wants, over plain sockets.

use cache_origin_github::{GitHub, GitHubBuilder, Plan, Question, Timeouts};
use http::request::Parts;
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc},
};

/// What the origin does with one request.
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Close(Vec<u8>),
    /// Sends these bytes and then nothing more, without closing.
    Hang(Vec<u8>),
}

/// A request as it arrived: head and body as text.
#[derive(Clone, Debug)]
pub(crate) struct Asked(pub(crate) String);

impl Asked {
    /// The first value of a field, named in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.0.lines().skip(1).take_while(|line| !line.is_empty());
        let mut pairs = fields.filter_map(|line| line.split_once(": "));
        pairs.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The request line of the call.
    pub(crate) fn line(&self) -> &str {
        self.0.lines().next().unwrap_or("")
    }
}

/// An origin that runs until it is dropped.
pub(crate) struct Origin {
    pub(crate) url: String,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Origin {
    /// Answers every request as `answer` says, one connection each.
    pub(crate) async fn start(answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = mpsc::unbounded_channel();
        let answer = Arc::new(Mutex::new(answer));
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = Asked(read_request(&mut stream).await);
                let answer = (answer.lock().await)(&request);
                // A test that has seen enough no longer listens.
                let _gone = tell.send(request);
                let (Answer::Close(bytes) | Answer::Hang(bytes)) = &answer;
                // The client may have hung up, which is its right.
                let _gone = stream.write_all(bytes).await;
                if matches!(answer, Answer::Hang(_)) {
                    open.push(stream);
                }
            }
        });
        Self { url, asked }
    }

    /// Answers every request with these bytes.
    pub(crate) async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |_| Answer::Close(bytes.clone())).await
    }

    /// The requests so far, the oldest first.
    pub(crate) fn asked(&mut self) -> Vec<Asked> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }

    /// An adapter for this origin.
    pub(crate) fn builder(&self) -> GitHubBuilder {
        GitHub::builder().origin(&self.url)
    }

    /// An adapter for this origin that is quick to give up.
    pub(crate) fn hasty(&self) -> GitHub {
        let moment = Duration::from_millis(100);
        let timeouts = Timeouts { head: moment, body_idle: moment, ..Timeouts::default() };
        self.builder().timeouts(timeouts).build().unwrap()
    }
}

/// What a GET for `target` with `fields` asks.
pub(crate) fn question(github: &GitHub, target: &str, fields: &[(&str, &str)]) -> Question {
    let parts = parts(target, fields);
    match github.plan(&parts, &mut String::new()) {
        Plan::Cached(planned) => github.question(&parts, &planned),
        Plan::Pass(reason) => panic!("passed: {reason}"),
        Plan::Body => panic!("a read has no body"),
    }
}

fn parts(target: &str, fields: &[(&str, &str)]) -> Parts {
    let request = http::Request::get(target);
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

/// An answer with a length.
pub(crate) fn http(status: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\n{fields}content-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The tag that GitHub's recipe gives to `body`.
pub(crate) fn tag(accept: Option<&str>, authorization: Option<&str>, body: &str) -> String {
    let mut hasher = Sha256::new();
    for value in [accept, authorization].into_iter().flatten() {
        hasher.update(value);
        hasher.update(":");
    }
    hasher.update(body);
    let mut tag = String::from("\"");
    for byte in hasher.finalize() {
        write!(tag, "{byte:02x}").unwrap();
    }
    tag.push('"');
    tag
}

/// An answer of GitHub's making: tagged by its recipe, 304 where that is due.
pub(crate) fn github_answer(asked: &Asked, body: &str, link: Option<&str>) -> Vec<u8> {
    let tag = tag(asked.field("accept"), asked.field("authorization"), body);
    let link = link.map(|link| format!("link: {link}\r\n")).unwrap_or_default();
    let fields = format!("etag: {tag}\r\ncontent-type: application/json\r\n{link}");
    if asked.field("if-none-match").is_some_and(|tags| tags.contains(&tag)) {
        format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n").into_bytes()
    } else {
        http("200 OK", &fields, body)
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let asked = Asked(format!("{head}\r\n\r\n"));
            let length: usize = asked.field("content-length").map_or(0, |digits| digits.parse().unwrap());
            let chunked = asked.field("transfer-encoding").is_some();
            if body.len() >= length && (!chunked || body.ends_with("0\r\n\r\n")) {
                return text.into_owned();
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}
