//! Whether a connection to the origin has answered before.
//!
//! An origin may close a kept connection at any moment, also while the next request is on its way to it. Then
//! nothing is wrong with the request, and a read is sent again (RFC 9112, section 9.3.1). A connection that
//! breaks at its first request is another matter, so each one remembers whether it has answered.

use http::{Extensions, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tower_service::Service;

/// A connector whose connections carry an [`Answered`].
#[derive(Clone, Debug)]
pub(crate) struct Remembering<C>(pub(crate) C);

impl<C> Service<Uri> for Remembering<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
{
    type Response = Remembered<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { Ok(Remembered { stream: connecting.await?, answered: Answered::default() }) })
    }
}

/// A connection that remembers whether it has answered.
#[derive(Debug)]
pub(crate) struct Remembered<S> {
    stream: S,
    answered: Answered,
}

impl<S: Connection> Connection for Remembered<S> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.answered.clone())
    }
}

impl<S: Read + Unpin> Read for Remembered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: Write + Unpin> Write for Remembered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

/// Whether the connection has answered a request. Shared by all users of the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered(Arc<AtomicBool>);

impl Answered {
    /// Notes that the connection behind an answer with `extensions` has answered; says whether it had before.
    pub(crate) fn note(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some_and(|Self(answered)| answered.swap(true, Ordering::Relaxed))
    }

    /// Whether the connection that `captured` was sent on, if any, has answered.
    pub(crate) fn had(captured: &CaptureConnection) -> bool {
        let mut extensions = Extensions::new();
        if let Some(connected) = captured.connection_metadata().as_ref() {
            connected.get_extras(&mut extensions);
        }
        extensions.get::<Self>().is_some_and(|Self(answered)| answered.load(Ordering::Relaxed))
    }
}
