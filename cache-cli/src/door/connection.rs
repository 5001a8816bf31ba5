//! One client's connection from its first byte to its last.

use super::{
    DoorBody, HEADER_FIELDS_MAX, READ_BUFFER_BYTES_MAX, Running,
    intercept::{Stream, Turn},
    malformed::{self, RefusedHeads},
    scanner::Framing,
    vitals::{InFlight, Phase, Vitals},
    wire::Wire,
};
use bytes::{Bytes, BytesMut};
use cache_core::FetchError;
use http::{HeaderValue, Method, Request, Response, header};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::Service,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use tracing::{debug, warn};

/// Waits until a connection is `adopted`; `None` where it is not, its client takes too long for its part, gives way to
/// a newcomer, or the daemon stops.
pub(super) async fn let_in<IO>(
    adopted: impl Future<Output = io::Result<IO>>,
    vitals: &Vitals,
    running: &mut Running,
) -> Option<IO> {
    // The client has begun something that it has to end, as with a head.
    vitals.enter(Phase::Head);
    tokio::select! {
        biased;
        adopted = adopted => match adopted {
            Ok(stream) => {
                vitals.enter(Phase::Idle);
                Some(stream)
            }
            Err(error) => {
                warn!(%error, "a connection cannot be served");
                None
            }
        },
        _phase = vitals.close_ordered() => None,
        () = running.stopped() => None,
    }
}

/// Serves one connection to its end; after a stop, to the end of the request in progress. If an answer turns it to another
/// course, it goes on with that.
pub(super) async fn converse<IO, S>(
    stream: IO,
    service: S,
    vitals: Arc<Vitals>,
    refused: Arc<RefusedHeads>,
    mut running: Running,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<DoorBody>, Error = Infallible> + Send + Unpin + 'static,
    S::Future: Send + Unpin,
{
    let wire = Wire::new(stream, Arc::clone(&vitals));
    let turn = Turn::default();
    let service = Followed { service, vitals: Arc::clone(&vitals), turn: turn.clone() };
    let mut connection = http1::Builder::new()
        .max_headers(HEADER_FIELDS_MAX)
        .max_buf_size(READ_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(wire), service);
    let mut stopping = false;
    let end = loop {
        tokio::select! {
            ended = &mut connection => break End::Ended(ended),
            phase = vitals.close_ordered() => match phase {
                // A client that asks again at this very moment is answered first.
                Phase::Idle => Pin::new(&mut connection).graceful_shutdown(),
                late => break End::Late(late),
            },
            () = running.stopped(), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    match end {
        End::Ended(Ok(())) => {
            if let Some((course, in_flight)) = turn.take() {
                let parts = connection.into_parts();
                let (stream, held) = parts.io.into_inner().into_parts();
                let mut read = BytesMut::from(parts.read_buf);
                read.unsplit(held);
                drop(in_flight);
                course.go_on(Stream::new(read.freeze(), stream), vitals, refused, running).await;
            }
        }
        End::Ended(Err(error)) if error.is_parse() => {
            refused.note(vitals.now(), &error);
            linger(connection.into_parts().io.into_inner().into_inner()).await;
        }
        // A client that hangs up is no fault of the daemon's.
        End::Ended(Err(error)) => debug!(%error, "a connection ended early"),
        End::Late(phase) => {
            debug!(?phase, "a connection was closed because its client took too long");
            if phase == Phase::Head {
                let mut stream = connection.into_parts().io.into_inner().into_inner();
                // If the client is gone, it misses nothing.
                let _told = timeout(LINGER_MAX, stream.write_all(&malformed::too_slow())).await;
                linger(stream).await;
            }
        }
    }
}

enum End {
    Ended(hyper::Result<()>),
    Late(Phase),
}

/// Lets a client that still sends read what it was told: closing over unread bytes would take it back.
async fn linger<IO: AsyncRead + AsyncWrite + Unpin>(mut stream: IO) {
    let drain = async {
        stream.shutdown().await?;
        let mut scrap = [0; 4096];
        let mut left = LINGER_BYTES_MAX;
        while left > 0 {
            match stream.read(&mut scrap).await? {
                0 => break,
                bytes => left = left.saturating_sub(bytes),
            }
        }
        io::Result::Ok(())
    };
    // Whatever comes of it, the connection is closed next.
    let _closed = timeout(LINGER_MAX, drain).await;
}

/// A service whose requests are followed from their heads to the ends of their answers.
struct Followed<S> {
    service: S,
    vitals: Arc<Vitals>,
    turn: Turn,
}

impl<S> Service<Request<Incoming>> for Followed<S>
where
    S: Service<Request<Incoming>, Response = Response<DoorBody>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = Response<FollowedBody>;
    type Error = Infallible;
    type Future = Following<S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.vitals.withdrawal());
        let in_flight = self.vitals.begin(framing(&request));
        let turn = (request.method() == Method::CONNECT).then(|| self.turn.clone());
        Following { answer: self.service.call(request), in_flight: Some(in_flight), turn }
    }
}

/// How the parser took the body of a request to be framed.
fn framing(request: &Request<Incoming>) -> Framing {
    let body = request.body();
    if request.method() == Method::CONNECT {
        // Bytes of a tunnel, unless the request is refused; the connection ends then.
        return Framing::Unknown;
    }
    if body.is_end_stream() {
        return Framing::Length(0);
    }
    body.size_hint().exact().map_or(Framing::Chunked, Framing::Length)
}

struct Following<F> {
    answer: F,
    in_flight: Option<InFlight>,
    /// Where the connection's course is noted, if the client asked for another.
    turn: Option<Turn>,
}

impl<F> Future for Following<F>
where
    F: Future<Output = Result<Response<DoorBody>, Infallible>> + Unpin,
{
    type Output = Result<Response<FollowedBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.answer).poll(context);
        answer.map(|answer| {
            let mut in_flight = self.in_flight.take();
            answer.map(|mut response| {
                if let Some(noted) = &self.turn {
                    match response.extensions_mut().remove::<Turn>() {
                        Some(turn) => noted.take_over(&turn, in_flight.take()),
                        // Bytes of what was asked for may be on it already: no request can be told from them.
                        None => drop(response.headers_mut().insert(header::CONNECTION, CLOSE)),
                    }
                }
                response.map(|body| FollowedBody { body, _in_flight: in_flight })
            })
        })
    }
}

/// The body of an answer; the request is in flight until it is dropped.
struct FollowedBody {
    body: DoorBody,
    _in_flight: Option<InFlight>,
}

impl Body for FollowedBody {
    type Data = Bytes;
    type Error = FetchError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");
/// How long a connection that was refused stays open for its client to read why.
const LINGER_MAX: Duration = Duration::from_secs(1);
/// Most that is read meanwhile, in bytes: twice the longest head.
const LINGER_BYTES_MAX: usize = 128 * 1024;
