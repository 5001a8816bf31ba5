//! The origin's bodies: streaming, decoded, watched for silence, and read whole within a bound.

use crate::answer::BodyCoding;
use bytes::{Bytes, BytesMut};
use cache_core::FetchError;
use flate2::write::MultiGzDecoder;
use http::{HeaderMap, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    fmt,
    future::{Future as _, poll_fn},
    io::Write as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// A body that streams from the origin.
///
/// Ends with [`FetchError::TimedOut`] when the origin falls silent, [`FetchError::ConnectionLost`] when it
/// breaks off, and [`FetchError::BodyDamaged`] when its coding is damaged; what was read before is lost.
pub struct OriginBody {
    /// Decoded bytes that were read already and are yielded first.
    ahead: Option<Bytes>,
    source: Source,
    idle: Idle,
}

enum Source {
    /// The origin's bytes as they come.
    Plain(Incoming),
    /// The origin's bytes, compressed.
    Gzip(Box<Gunzip>),
    /// The body failed when its beginning was read ahead.
    Failed(FetchError),
    Done,
}

impl OriginBody {
    /// The body with the coding that it came in.
    pub(crate) fn raw(incoming: Incoming, idle: Duration) -> Self {
        Self { ahead: None, source: Source::Plain(incoming), idle: Idle::new(idle) }
    }

    /// The body without its coding, which `headers` name and then no longer do; and what became of the coding.
    ///
    /// One `gzip` is undone, since the request asked for it. Any other coding stays on the body and in `headers`, and
    /// so do several: an intermediary that adds them in spite of `Accept-Encoding` does so for every client alike.
    pub(crate) fn decoded(headers: &mut HeaderMap, incoming: Incoming, idle: Duration) -> (Self, BodyCoding) {
        match coding(headers) {
            BodyCoding::Undone => {
                headers.remove(header::CONTENT_ENCODING);
                headers.remove(header::CONTENT_LENGTH);
                let source = Source::Gzip(Box::new(Gunzip::new(incoming)));
                (Self { ahead: None, source, idle: Idle::new(idle) }, BodyCoding::Undone)
            }
            BodyCoding::Absent => {
                headers.remove(header::CONTENT_ENCODING);
                (Self::raw(incoming, idle), BodyCoding::Absent)
            }
            BodyCoding::Left => (Self::raw(incoming, idle), BodyCoding::Left),
        }
    }

    /// Reads all of it, unless it is longer than `bytes_max` or so announced: then it is given back, and yields all of it still.
    ///
    /// # Errors
    ///
    /// When it ends before its end, or its coding is damaged.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the body.
    pub async fn whole(self, bytes_max: usize) -> Result<Result<Bytes, Self>, FetchError> {
        Ok(match self.read_whole(bytes_max).await? {
            Whole::Read(bytes) => Ok(bytes),
            Whole::TooLong(body) => Err(body),
        })
    }

    /// Reads all of it, unless it is longer than `bytes_max`; then everything read is put back.
    pub(crate) async fn read_whole(mut self, bytes_max: usize) -> Result<Whole, FetchError> {
        let announced = self.size_hint().lower();
        if announced > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
            return Ok(Whole::TooLong(self));
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            let Ok(chunk) = frame?.into_data() else { continue };
            if whole.is_empty() && u64::try_from(chunk.len()).is_ok_and(|length| length == announced) {
                return Ok(Whole::Read(chunk));
            }
            // One buffer, whatever the size of the chunks: a million of one byte each are no heavier.
            whole.extend_from_slice(&chunk);
            if whole.len() > bytes_max {
                self.ahead = Some(whole.freeze());
                return Ok(Whole::TooLong(self));
            }
        }
        Ok(Whole::Read(whole.freeze()))
    }

    /// The beginning of the text, by `headers` undone of its coding if it has one that is known: [`PEEK_BYTES_MAX`] or
    /// the end, whichever comes first. It is put back; so is the failure if it fails.
    pub(crate) async fn peek(&mut self, headers: &HeaderMap) -> Bytes {
        let mut start = BytesMut::new();
        while start.len() < PEEK_BYTES_MAX {
            match poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await {
                Some(Ok(frame)) => start.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => {
                    self.source = Source::Failed(error);
                    break;
                }
                None => break,
            }
        }
        let start = start.freeze();
        if !start.is_empty() {
            self.ahead = Some(start.clone());
        }
        let seen = start.slice(..start.len().min(PEEK_BYTES_MAX));
        match coding(headers) {
            BodyCoding::Undone => gunzipped(&seen),
            BodyCoding::Absent | BodyCoding::Left => seen,
        }
    }
}

/// As much of the text as its beginning `start` gives.
fn gunzipped(start: &[u8]) -> Bytes {
    let mut decoder = MultiGzDecoder::new(Vec::new());
    // A damaged body gives no text; the reader of the rest gets the error.
    let _damaged = decoder.write_all(start).and_then(|()| decoder.flush());
    std::mem::take(decoder.get_mut()).into()
}

/// What is to become of the codings that all `Content-Encoding` fields together name.
fn coding(headers: &HeaderMap) -> BodyCoding {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is = |coding: &[u8], name: &[u8]| coding.eq_ignore_ascii_case(name);
    let mut codings =
        codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty() && !is(coding, b"identity"));
    match (codings.next(), codings.next()) {
        (None, _) => BodyCoding::Absent,
        (Some(only), None) if is(only, b"gzip") || is(only, b"x-gzip") => BodyCoding::Undone,
        (Some(_), _) => BodyCoding::Left,
    }
}

/// What came of reading a body.
#[derive(Debug)]
pub(crate) enum Whole {
    Read(Bytes),
    /// It is longer than allowed; this yields all of it.
    TooLong(OriginBody),
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = FetchError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
        let this = self.get_mut();
        if let Some(chunk) = this.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        let polled = match &mut this.source {
            Source::Plain(incoming) => poll_data(incoming, cx),
            Source::Gzip(gunzip) => gunzip.poll_frame(cx),
            Source::Failed(error) => Poll::Ready(Some(Err(*error))),
            Source::Done => return Poll::Ready(None),
        };
        let frame = match polled {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                ready!(this.idle.poll(cx));
                Some(Err(FetchError::TimedOut))
            }
        };
        if matches!(frame, Some(Ok(_))) {
            this.idle.restart();
        } else {
            this.source = Source::Done;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_none()
            && match &self.source {
                Source::Plain(incoming) => incoming.is_end_stream(),
                Source::Gzip(_) | Source::Failed(_) => false,
                Source::Done => true,
            }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Plain(incoming) if self.ahead.is_none() => incoming.size_hint(),
            Source::Plain(_) | Source::Gzip(_) | Source::Failed(_) => SizeHint::default(),
            Source::Done => SizeHint::with_exact(self.ahead.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}

impl fmt::Debug for OriginBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginBody(..)")
    }
}

/// Decompresses a slice at a time, so that what a slice can swell to is bounded.
struct Gunzip {
    incoming: Incoming,
    /// Compressed bytes not yet decoded.
    waiting: Bytes,
    /// `None` once the end was seen.
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
    /// Whether anything came at all: a body of no bytes is whole in any coding.
    begun: bool,
}

impl Gunzip {
    fn new(incoming: Incoming) -> Self {
        Self { incoming, waiting: Bytes::new(), decoder: Some(MultiGzDecoder::new(Vec::new())), begun: false }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Poll::Ready(None) };
            if !self.waiting.is_empty() {
                self.begun = true;
                let slice = self.waiting.split_to(self.waiting.len().min(SLICE_BYTES));
                let written = decoder.write_all(&slice).and_then(|()| decoder.flush());
                if written.is_err() {
                    return Poll::Ready(Some(Err(FetchError::BodyDamaged)));
                }
                let decoded = std::mem::take(decoder.get_mut());
                if !decoded.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(decoded.into()))));
                }
                continue;
            }
            match ready!(poll_data(&mut self.incoming, cx)) {
                Some(Ok(frame)) => self.waiting = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(self.finish()),
            }
        }
    }

    /// Checks the trailer; the last bytes may come with it.
    fn finish(&mut self) -> Option<Result<Frame<Bytes>, FetchError>> {
        let decoder = self.decoder.take().filter(|_| self.begun)?;
        match decoder.finish() {
            Ok(rest) if rest.is_empty() => None,
            Ok(rest) => Some(Ok(Frame::data(rest.into()))),
            Err(_) => Some(Err(FetchError::BodyDamaged)),
        }
    }
}

/// How long the origin may be silent.
struct Idle {
    allowed: Duration,
    /// Made when first needed; most bodies arrive with their heads.
    alarm: Option<Pin<Box<Sleep>>>,
    counting: bool,
}

impl Idle {
    fn new(allowed: Duration) -> Self {
        Self { allowed, alarm: None, counting: false }
    }

    /// Ready when the silence has lasted too long. Begins to count at the first call after a
    /// [`restart`](Self::restart), so that a slow reader is not taken for a silent origin.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let allowed = self.allowed;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(allowed)));
        if !std::mem::replace(&mut self.counting, true) {
            alarm.as_mut().reset(Instant::now() + allowed);
        }
        alarm.as_mut().poll(cx)
    }

    fn restart(&mut self) {
        self.counting = false;
    }
}

/// The next piece of a body. Trailers are dropped: no client of the API asks for them.
fn poll_data(
    incoming: &mut Incoming,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
    loop {
        match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            Some(Ok(frame)) if frame.is_trailers() => {}
            other => return Poll::Ready(other.map(|frame| frame.map_err(broken))),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn broken(error: hyper::Error) -> FetchError {
    if error.is_parse() { FetchError::Malformed } else { FetchError::ConnectionLost }
}

/// Most compressed bytes that are decoded at once. DEFLATE swells at most about a thousandfold, so that a
/// hostile body takes 4 MiB at a time at the worst.
const SLICE_BYTES: usize = 4096;

/// Most bytes of a body that are looked at ahead of its reader: GitHub's refusals are some hundred bytes long.
const PEEK_BYTES_MAX: usize = SLICE_BYTES;
