//! What a connection goes on as once its client's `CONNECT` was answered.

use super::{Interception, tunnel::Tunnel};
use crate::ca::time_of_day;
use crate::door::{
    Running,
    connection::{converse, let_in},
    exchange::Exchange,
    malformed::RefusedHeads,
    vitals::{InFlight, Vitals},
};
use bytes::{Buf as _, Bytes};
use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;

/// What a connection goes on as.
pub(in crate::door) enum Course {
    /// TLS ends here, and requests for one host come out of it.
    Intercepted { host: String, interception: Arc<Interception>, exchange: Box<Exchange> },
    /// Bytes go to another host and come from there.
    Tunnel(Tunnel),
}

impl Course {
    /// Goes on with `stream` to its end.
    pub(in crate::door) fn go_on(
        self,
        stream: Stream,
        vitals: Arc<Vitals>,
        refused: Arc<RefusedHeads>,
        mut running: Running,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self {
            Self::Intercepted { host, interception, exchange } => Box::pin(async move {
                let accepted = async {
                    let config =
                        interception.leaves.config(&host, time_of_day()).map_err(io::Error::other)?;
                    let accepted = TlsAcceptor::from(config).accept(stream).await;
                    Ok(accepted.inspect_err(|error| interception.note_broken_off(&host, error, vitals.now())))
                };
                if let Some(Ok(stream)) = let_in(accepted, &vitals, &mut running).await {
                    converse(stream, *exchange, vitals, refused, running).await;
                }
            }),
            Self::Tunnel(tunnel) => Box::pin(tunnel.carry(stream, vitals, running)),
        }
    }
}

/// Where an answer leaves the course that its connection is to take.
#[derive(Clone, Default)]
pub(in crate::door) struct Turn(Arc<Mutex<Option<Taken>>>);

/// A course, and the request that asked for it, while that is in flight.
type Taken = (Course, Option<InFlight>);

impl Turn {
    /// A turn to `course`.
    pub(in crate::door) fn to(course: Course) -> Self {
        Self(Arc::new(Mutex::new(Some((course, None)))))
    }

    /// Takes over what `other` holds. The request stays in flight until the course is taken, so that nothing of what follows
    /// is taken for a head.
    pub(in crate::door) fn take_over(&self, other: &Self, in_flight: Option<InFlight>) {
        let course = other.take();
        *self.lock() = course.map(|(course, _none)| (course, in_flight));
    }

    /// Takes the course, if there is one.
    pub(in crate::door) fn take(&self) -> Option<Taken> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Taken>> {
        // A panic elsewhere leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection of any kind.
trait Wired: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wired for S {}

/// A connection of any kind, of which some bytes were read already.
pub(in crate::door) struct Stream {
    /// What was read and belongs to what follows.
    read: Bytes,
    rest: Box<dyn Wired>,
}

impl Stream {
    /// `rest`, of which `read` was read already.
    pub(in crate::door) fn new(
        read: Bytes,
        rest: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        Self { read, rest: Box::new(rest) }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut *self.rest).poll_read(context, buffer);
        }
        let count = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..count]);
        self.read.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.rest).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.rest).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.rest.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.rest).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.rest).poll_shutdown(context)
    }
}
