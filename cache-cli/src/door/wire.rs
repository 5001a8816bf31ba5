//! A client's connection as the HTTP parser sees it.
//!
//! Owns what the parser cannot be told: raw characters of a target are encoded on their way in, the parser's own bare
//! refusals get a body on their way out, and the end of a client's sending is not mistaken for its leaving. Notes in
//! [`Vitals`] which side the connection waits for.

use super::{
    malformed,
    scanner::{Advance, Scanner, Then, encode},
    vitals::{Pace, Phase, Vitals},
};
use bytes::{Buf, Bytes, BytesMut};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Interval, interval_at},
};

/// `stream` as the parser is to see it.
pub(super) struct Wire<S> {
    stream: S,
    vitals: Arc<Vitals>,
    scanner: Scanner,
    /// What came and was not handed on: the next request of a client that did not wait.
    held: BytesMut,
    /// An encoded byte on its way to the parser.
    encoded: Encoded,
    /// The beginning of the head in progress, to say what is wrong with it.
    head: Vec<u8>,
    receiving: Pace,
    sending: Pace,
    end: End,
    /// Whether something was written and not yet flushed.
    unflushed: bool,
    /// What goes out in place of a refusal of the parser.
    refusal: Option<Bytes>,
}

/// Whether the client still sends.
enum End {
    Open,
    /// It does not, and the parser knows.
    Told,
    /// The client sends no more, and the parser is not told before the answer is out. Checks now and then whether the
    /// client is still there.
    Hidden(Pin<Box<Interval>>),
}

#[derive(Clone, Copy, Default)]
struct Encoded {
    bytes: [u8; 3],
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Around `stream`, whose life `vitals` tell.
    pub(super) fn new(stream: S, vitals: Arc<Vitals>) -> Self {
        Self {
            stream,
            vitals,
            scanner: Scanner::new(),
            held: BytesMut::new(),
            encoded: Encoded::default(),
            head: Vec::new(),
            receiving: Pace::default(),
            sending: Pace::default(),
            end: End::Open,
            unflushed: false,
            refusal: None,
        }
    }

    /// Takes the connection out of the wire.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Takes the connection out of the wire, with what came of it and was not handed on.
    pub(super) fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.held)
    }

    /// Hands on what is held, as far as it goes and the scanner lets it.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        while buffer.remaining() > 0 {
            if self.encoded.left > 0 {
                let bytes = &self.encoded.bytes[3 - self.encoded.left..];
                let taken = bytes.len().min(buffer.remaining());
                buffer.put_slice(&bytes[..taken]);
                self.encoded.left -= taken;
                continue;
            }
            let reach = self.held.len().min(buffer.remaining());
            if reach == 0 {
                return;
            }
            let Advance { pass, then } = self.scanner.advance(&self.held[..reach]);
            buffer.put_slice(&self.held[..pass]);
            self.note_passed(pass);
            self.held.advance(pass);
            match then {
                Then::Encode => self.encode_next(),
                Then::Hold => return,
                Then::More => {}
            }
        }
    }

    fn encode_next(&mut self) {
        let byte = self.held.get_u8();
        self.encoded = Encoded { bytes: encode(byte), left: 3 };
    }

    /// Notes the first `pass` bytes of what is held as a part of the head in progress.
    fn note_passed(&mut self, pass: usize) {
        let head = &self.held[..pass];
        note_head(&mut self.head, head);
    }

    /// Reads from the client, straight into the parser's buffer where nothing is to be changed.
    fn poll_client(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => {
                self.note_waiting();
                return Poll::Pending;
            }
            Poll::Ready(read) => read?,
        }
        let fresh = &buffer.filled()[before..];
        if fresh.is_empty() {
            return self.poll_end(context);
        }
        if self.receiving.moved(self.vitals.now(), fresh.len()) {
            self.vitals.enter(Phase::Busy);
        }
        let was_before_head = self.scanner.is_before_head();
        if was_before_head {
            self.head.clear();
        }
        let Advance { pass, then } = self.scanner.advance(fresh);
        if !self.scanner.is_in_body() {
            note_head(&mut self.head, &fresh[..pass]);
        }
        self.held.extend_from_slice(&fresh[pass..]);
        buffer.set_filled(before + pass);
        if then == Then::Encode {
            self.encode_next();
        }
        if was_before_head && !self.scanner.is_before_head() && !self.scanner.is_held() {
            self.vitals.enter(Phase::Head);
        }
        Poll::Ready(Ok(()))
    }

    fn note_waiting(&mut self) {
        if self.scanner.is_in_body() {
            let allowance = self.receiving.wait(self.vitals.now());
            self.vitals.wait(Phase::Receiving, allowance);
        } else {
            self.note_idle();
        }
    }

    fn note_idle(&mut self) {
        if self.scanner.is_before_head() && self.held.is_empty() && !self.is_answering() {
            self.receiving = Pace::default();
            self.sending = Pace::default();
            self.vitals.enter(Phase::Idle);
        }
    }

    /// Whether an answer is in the making or on its way out.
    fn is_answering(&self) -> bool {
        self.vitals.is_in_flight() || self.unflushed
    }

    /// The client sends no more. A client that has sent a whole request may still wait for its answer.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.scanner.is_before_head() || !self.is_answering() {
            self.end = End::Told;
            return Poll::Ready(Ok(()));
        }
        if !matches!(self.end, End::Hidden(_)) {
            let first = Instant::now() + PROBE_INTERVAL;
            self.end = End::Hidden(Box::pin(interval_at(first, PROBE_INTERVAL)));
            if self.vitals.phase() == Phase::Busy {
                self.vitals.enter(Phase::HalfClosed);
            }
        }
        let End::Hidden(ticks) = &mut self.end else { return Poll::Pending };
        while ticks.poll_tick(context).is_ready() {
            self.vitals.withdrawal().withdraw();
            // Nothing is sent; a connection that the other side closed or reset says so.
            if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(context, &[]) {
                written?;
            }
        }
        Poll::Pending
    }

    /// Whether `bytes` are a refusal that the parser wrote by itself; then another goes out in its place.
    fn refuses(&mut self, bytes: &[u8]) -> bool {
        let foreign = self.vitals.is_in_flight() || self.scanner.is_before_head();
        if foreign || self.refusal.is_some() {
            return false;
        }
        self.refusal = malformed::in_place_of(bytes, &self.head);
        self.refusal.is_some()
    }

    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.refusal.as_mut().filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            rest.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn note_written(&mut self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending => {
                let allowance = self.sending.wait(self.vitals.now());
                self.vitals.wait(Phase::Sending, allowance);
            }
            Poll::Ready(Ok(bytes)) => {
                let waited = self.sending.moved(self.vitals.now(), *bytes);
                if waited || self.vitals.phase() == Phase::HalfClosed {
                    self.vitals.enter(Phase::Busy);
                }
            }
            Poll::Ready(Err(_ends_it)) => {}
        }
    }
}

fn note_head(head: &mut Vec<u8>, bytes: &[u8]) {
    let room = HEAD_NOTED_BYTES_MAX.saturating_sub(head.len());
    head.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.scanner.is_held() {
            match this.vitals.take_framing() {
                Some(framing) => this.scanner.frame(framing),
                // The parser wants more of what looked like a whole head: it knows better.
                None => this.scanner.give_up(),
            }
        }
        let before = buffer.filled().len();
        loop {
            this.hand_on(buffer);
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let ended = match &this.end {
                End::Open => {
                    ready!(this.poll_client(context, buffer))?;
                    matches!(this.end, End::Told)
                }
                End::Told | End::Hidden(_) => {
                    ready!(this.poll_end(context))?;
                    true
                }
            };
            if ended {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.unflushed = true;
        if this.refuses(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(this.poll_refusal(context))?;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.note_written(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.unflushed = true;
        if let [bytes] = slices
            && this.refuses(bytes)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(this.poll_refusal(context))?;
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.note_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_refusal(context))?;
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        this.unflushed = false;
        // The parser may have looked for the next request before this answer was out, and looks again only when it comes.
        this.note_idle();
        if matches!(this.end, End::Hidden(_)) && !this.is_answering() {
            // The answer is out; the parser may learn of the end now.
            context.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_refusal(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

/// How much of a head is remembered to say what is wrong with it, in bytes: a request line and a dozen fields.
const HEAD_NOTED_BYTES_MAX: usize = 4 * 1024;
/// How often a client that sends no more is probed; what has not begun for it by the first time is taken back. Most such
/// clients are gone, and one that waits has its call begun well within a second unless the call waits for others.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
