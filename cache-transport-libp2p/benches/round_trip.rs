//! A request of 64 bytes and its answer of 4 KiB, over each carrier and over plain TCP in the same run.
//!
//! Both nodes live in one process. `sequential` is the time of one round trip; `64 in flight` the time of 64
//! of them, begun together. The bar: sequentially at most twice plain TCP.

#[path = "../tests/support/mod.rs"]
mod support;

use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{Lane, Transport, TransportEvent},
};
use cache_transport_libp2p::Carrier;
use criterion::{Criterion, Throughput};
use std::{sync::Arc, time::Instant};
use support::Node;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufWriter},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    runtime::Runtime,
    sync::Mutex,
};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, &runtime, "plain tcp", runtime.block_on(plain_tcp()));
    for (name, carrier) in [("libp2p tcp", Carrier::Tcp), ("libp2p quic", Carrier::Quic)] {
        measure(&mut criterion, &runtime, name, runtime.block_on(nodes(carrier)));
    }
    criterion.final_summary();
}

/// Measures rounds of one and of 64 round trips, and prints medians.
fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, pair: impl RoundTrips) {
    let pair = Arc::new(Mutex::new(pair));
    let mut group = criterion.benchmark_group("round trip");
    for (kind, count) in [("sequential", 1), ("64 in flight", IN_FLIGHT)] {
        group.throughput(Throughput::Elements(count as u64));
        let mut micros = Vec::new();
        group.bench_function(format!("{name}, {kind}"), |bencher| {
            bencher.iter_custom(|rounds| {
                // A task as others, since the thread that blocks on the runtime is none of its workers.
                let pair = Arc::clone(&pair);
                let task = runtime.spawn(async move {
                    let mut pair = pair.lock().await;
                    let mut times = Vec::new();
                    for _ in 0..rounds {
                        let began = Instant::now();
                        pair.round_trips(count).await;
                        times.push(began.elapsed());
                    }
                    times
                });
                let times = runtime.block_on(task).expect("no panic");
                micros.extend(times.iter().map(|time| time.as_secs_f64() * 1e6));
                times.iter().sum()
            });
        });
        if !micros.is_empty() {
            micros.sort_by(f64::total_cmp);
            let at = |share: f64| micros[(micros.len() as f64 * share) as usize];
            println!("{name}, {kind}: p50 {:.1} us, p99 {:.1} us", at(0.5), at(0.99));
        }
    }
    group.finish();
}

trait RoundTrips: Send + 'static {
    /// Makes `count` round trips, begun together.
    fn round_trips(&mut self, count: usize) -> impl Future<Output = ()> + Send;
}

/// Two nodes; the second sends back whatever it hears.
struct Pair {
    node: Node,
    other: PeerId,
}

async fn nodes(carrier: Carrier) -> Pair {
    let (node, other) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
    node.meet(&other).await;
    let pair = Pair { other: other.peer(), node };
    let peer = pair.node.peer();
    tokio::spawn(async move {
        let answer = Bytes::from(vec![7; ANSWER_BYTES]);
        while let TransportEvent::Received { .. } = other.event().await {
            other.send(peer, Lane::Control, answer.clone()).await;
        }
    });
    pair
}

impl RoundTrips for Pair {
    async fn round_trips(&mut self, count: usize) {
        for _ in 0..count {
            self.node.0.send(self.other, Lane::Control, Bytes::from_static(&REQUEST)).expect("room");
        }
        for _ in 0..count {
            assert_eq!(self.node.0.next_event().await.map(|event| answer_bytes(&event)), Some(ANSWER_BYTES));
        }
    }
}

fn answer_bytes(event: &TransportEvent) -> usize {
    match event {
        TransportEvent::Received { frame, .. } => frame.len(),
        other => panic!("instead of an answer: {other:?}"),
    }
}

/// Two sockets; the second sends back whatever it hears.
struct Plain {
    read: OwnedReadHalf,
    write: BufWriter<OwnedWriteHalf>,
}

async fn plain_tcp() -> Plain {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let socket = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("a listener");
    let (mut other, _address) = listener.accept().await.expect("a connection");
    socket.set_nodelay(true).expect("a socket");
    other.set_nodelay(true).expect("a socket");
    tokio::spawn(async move {
        let mut request = [0; REQUEST.len()];
        while other.read_exact(&mut request).await.is_ok() {
            other.write_all(&[7; ANSWER_BYTES]).await.expect("an open socket");
        }
    });
    let (read, write) = socket.into_split();
    Plain { read, write: BufWriter::new(write) }
}

impl RoundTrips for Plain {
    async fn round_trips(&mut self, count: usize) {
        for _ in 0..count {
            self.write.write_all(&REQUEST).await.expect("an open socket");
        }
        self.write.flush().await.expect("an open socket");
        let mut answer = [0; ANSWER_BYTES];
        for _ in 0..count {
            self.read.read_exact(&mut answer).await.expect("an open socket");
        }
    }
}

static REQUEST: [u8; 64] = [1; 64];
const ANSWER_BYTES: usize = 4096;
const IN_FLIGHT: usize = 64;
