//! The wire: connections, HTTP/1.1 by hyper, and the faults that hyper would not commit.

use super::{
    access::hex,
    asked::{Asked, BODY_KEPT_BYTES_MAX, Received},
    fault::{Break, FaultKind, damage_gzip},
    gate::Gate,
    world::World,
};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::{
    convert::Infallible,
    future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// What the serving thread and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) connections: AtomicU64,
    pub(super) gate: Gate,
    pub(super) world: Mutex<World>,
}

/// Accepts for ever; dropping the future ends every connection.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Refusing one client, for example because there are no more descriptors, concerns no other.
                if let Ok((stream, _client)) = accepted {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let (breaker, mut breaks) = mpsc::channel::<Break>(1);
    let service = service_fn(|request| {
        let (shared, breaker) = (Arc::clone(&shared), breaker.clone());
        async move { Ok::<_, Infallible>(respond(request, &shared, &breaker).await) }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ended = &mut connection => {}
        Some(how) = breaks.recv() => {
            how.inflict(connection.into_parts().io.into_inner()).await;
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: &Shared,
    breaker: &mpsc::Sender<Break>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = receive(body).await else {
        // The client broke off in the middle of its own request, so there is nothing to answer.
        return future::pending().await;
    };
    let asked = Asked::new(head.method, &head.uri, head.headers, body);
    let exchange = shared.world.lock().exchange(&asked);
    // Only now, so that a test that waits for calls under way knows that their answers are decided.
    let _entered = shared.gate.enter();
    shared.gate.pass(&asked.target).await;
    // The timer rounds up to its next millisecond, even from zero: too slow for a benchmark.
    if !exchange.delay.is_zero() {
        tokio::time::sleep(exchange.delay).await;
    }
    match exchange.fault {
        None
        | Some(
            FaultKind::GraphqlLimit { .. }
            | FaultKind::GraphqlPartial
            | FaultKind::SecondaryLimit { .. }
            | FaultKind::Status(_),
        ) => exchange.response.map(Full::new),
        Some(FaultKind::BadGzip) => damage_gzip(exchange.response).map(Full::new),
        Some(FaultKind::Delay(delay) | FaultKind::GraphqlTimeout { delay, .. }) => {
            tokio::time::sleep(delay).await;
            exchange.response.map(Full::new)
        }
        Some(FaultKind::Hang) => future::pending().await,
        Some(kind) => {
            let how = Break::from_kind(&kind, &exchange.response).expect("the rest break the connection");
            // The connection ends where the other half is received, and this future with it.
            let _connection_ended = breaker.send(how).await;
            future::pending().await
        }
    }
}

async fn receive(mut body: Incoming) -> Result<Received, hyper::Error> {
    let mut start = BytesMut::new();
    let mut hash = Sha256::new();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            hash.update(data);
            bytes += data.len() as u64;
            let room = BODY_KEPT_BYTES_MAX - start.len();
            start.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(Received { start: start.freeze(), bytes, sha256: hex(&hash.finalize()) })
}
