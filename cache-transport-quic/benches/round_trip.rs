//! A request of 64 bytes and its answer of 4 KiB, over QUIC and over plain TCP, in the same run.
//!
//! Besides criterion's figures, which are means of many round trips, it prints a table of the single ones: the goal
//! for peers is a median of at most twice that of plain TCP.

use bytes::{Bytes, BytesMut};
use cache_conformance::gates::OpenGate;
use cache_core::port::{Lane, Transport, TransportEvent};
use cache_transport_quic::{Quic, QuicSettings};
use criterion::{Criterion, Throughput};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinHandle,
};
use zeroize::Zeroizing;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("two threads can be had");
    let mut tcp = runtime.block_on(Tcp::start());
    let mut quic = runtime.block_on(QuicPair::start());
    print_table(&runtime, &mut tcp, &mut quic);
    let mut criterion = Criterion::default().configure_from_args();
    for in_flight in IN_FLIGHT {
        let mut group = criterion.benchmark_group(format!("round_trip/{in_flight}_in_flight"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("tcp", |bencher| {
            bencher.iter_custom(|count| runtime.block_on(took(&mut tcp, count, in_flight)));
        });
        group.bench_function("quic", |bencher| {
            bencher.iter_custom(|count| runtime.block_on(took(&mut quic, count, in_flight)));
        });
        group.finish();
    }
    criterion.final_summary();
    runtime.block_on(quic.shutdown());
}

/// Medians of three runs, by their medians.
fn print_table(runtime: &Runtime, tcp: &mut Tcp, quic: &mut QuicPair) {
    println!("| 64 B request, 4 KiB answer | in flight | p50 | p99 | requests/s |");
    println!("|---|---|---|---|---|");
    for in_flight in IN_FLIGHT {
        for (name, pair) in [("plain TCP", tcp as &mut dyn Pair), ("QUIC", quic as &mut dyn Pair)] {
            let mut runs: Vec<_> = (0..3).map(|_run| runtime.block_on(figures(pair, in_flight))).collect();
            runs.sort_by_key(|figures| figures.p50);
            let Figures { p50, p99, per_second } = runs[1];
            println!("| {name} | {in_flight} | {p50:.1?} | {p99:.1?} | {per_second:.0} |");
        }
    }
}

struct Figures {
    p50: Duration,
    p99: Duration,
    per_second: f64,
}

async fn figures(pair: &mut dyn Pair, in_flight: usize) -> Figures {
    rounds(pair, WARM_UP, in_flight).await;
    let start = Instant::now();
    let mut times = rounds(pair, TABLE_ROUNDS, in_flight).await;
    let took = start.elapsed();
    times.sort();
    Figures {
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        per_second: times.len() as f64 / took.as_secs_f64(),
    }
}

async fn took(pair: &mut dyn Pair, count: u64, in_flight: usize) -> Duration {
    let start = Instant::now();
    rounds(pair, usize::try_from(count).expect("criterion is patient, but not that patient"), in_flight)
        .await;
    start.elapsed()
}

/// How long each of `count` requests took, of which `in_flight` are under way at any time.
async fn rounds(pair: &mut dyn Pair, count: usize, in_flight: usize) -> Vec<Duration> {
    let mut sent = Vec::with_capacity(count);
    let mut times = Vec::with_capacity(count);
    while times.len() < count {
        while sent.len() < count && sent.len() - times.len() < in_flight {
            sent.push(Instant::now());
            pair.ask().await;
        }
        pair.answer().await;
        times.push(sent[times.len()].elapsed());
    }
    times
}

/// One side that asks and one that answers, in order.
#[async_trait::async_trait]
trait Pair: Send {
    async fn ask(&mut self);
    async fn answer(&mut self);
}

struct Tcp {
    stream: TcpStream,
    answer: BytesMut,
    _answerer: JoinHandle<()>,
}

impl Tcp {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a port");
        let address = listener.local_addr().expect("it is bound");
        let answerer = tokio::spawn(async move {
            let (mut stream, _from) = listener.accept().await.expect("somebody connects");
            stream.set_nodelay(true).expect("TCP has the option");
            let mut request = [0; REQUEST_BYTES];
            while stream.read_exact(&mut request).await.is_ok() {
                if stream.write_all(&[7; ANSWER_BYTES]).await.is_err() {
                    return;
                }
            }
        });
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        stream.set_nodelay(true).expect("TCP has the option");
        Self { stream, answer: BytesMut::zeroed(ANSWER_BYTES), _answerer: answerer }
    }
}

#[async_trait::async_trait]
impl Pair for Tcp {
    async fn ask(&mut self) {
        self.stream.write_all(&[1; REQUEST_BYTES]).await.expect("the other side reads");
    }

    async fn answer(&mut self) {
        self.stream.read_exact(&mut self.answer).await.expect("the other side answers");
    }
}

struct QuicPair {
    asker: Quic,
    answerer: Arc<Quic>,
}

impl QuicPair {
    async fn start() -> Self {
        let start = |seed| {
            let listen = ["/ip4/127.0.0.1/udp/0/quic-v1".parse().expect("that is an address")];
            Quic::listen(Zeroizing::new([seed; 32]), &listen, Arc::new(OpenGate), QuicSettings::default())
                .expect("the loopback interface has a port")
        };
        let (asker, answerer) = (start(1), Arc::new(start(2)));
        let served = Arc::clone(&answerer);
        // Ends with the transport.
        let _serving = tokio::spawn(async move {
            let answer = Bytes::from_static(&[7; ANSWER_BYTES]);
            while let Some(event) = served.next_event().await {
                if let TransportEvent::Received { peer, .. } = event {
                    served.send(peer, Lane::Control, answer.clone()).expect("there is room for an answer");
                }
            }
        });
        asker.dial(&answerer.addresses()[0]);
        let event = asker.next_event().await;
        assert!(matches!(event, Some(TransportEvent::Connected { .. })), "{event:?}");
        Self { asker, answerer }
    }

    async fn shutdown(&self) {
        self.asker.shutdown().await;
        self.answerer.shutdown().await;
    }
}

#[async_trait::async_trait]
impl Pair for QuicPair {
    async fn ask(&mut self) {
        let sent = self.asker.send(
            self.answerer.local_peer(),
            Lane::Control,
            Bytes::from_static(&[1; REQUEST_BYTES]),
        );
        sent.expect("there is room for a request");
    }

    async fn answer(&mut self) {
        match self.asker.next_event().await {
            Some(TransportEvent::Received { frame, .. }) => assert_eq!(frame.len(), ANSWER_BYTES),
            other => panic!("{other:?}"),
        }
    }
}

const REQUEST_BYTES: usize = 64;
const ANSWER_BYTES: usize = 4096;
const IN_FLIGHT: [usize; 2] = [1, 64];
const TABLE_ROUNDS: usize = 10_000;
const WARM_UP: usize = 500;
