//! What a peer hit costs, compared with a plain TCP round trip and a Redis GET of the same size, in one run.
//!
//! `cargo bench -p fleet-cache --bench peer`. Bodies of 4 KiB over loopback. The answering side has a runtime and a
//! thread of its own, as a peer has a process of its own: two tasks that take turns on one thread would measure
//! neither the network nor the kernel. Redis is measured where `redis-server` is installed.

use cache_conformance::until;
use fleet_cache::{FleetSecret, GitHub, Libp2p, Node, NodeBuilder, OpenTransport, Quic, SharingLimits};
use futures::{StreamExt as _, stream};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{self, Handle},
};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let near = runtime::Builder::new_current_thread().enable_all().build()?;
    let far = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    near.block_on(measure(far.handle()))
}

async fn measure(far: &Handle) -> Result<(), Error> {
    println!("{:24} {:>9} {:>9} {:>12}", "4 KiB", "p50", "p99", "64 at once");
    let tcp = plain_tcp(far).await?;
    tcp.print("plain TCP", None);
    if let Some(redis) = redis().await? {
        redis.print("Redis GET", Some(&tcp));
    }
    let quic = peer_hits(far, Quic::listen(ANY_PORT), Quic::listen(ANY_PORT)).await?;
    quic.print("peer hit, quic", Some(&tcp));
    let libp2p = peer_hits(far, Libp2p::listen(ANY_PORT), Libp2p::listen(ANY_PORT)).await?;
    libp2p.print("peer hit, libp2p", Some(&tcp));
    println!("\nan entry of 2 KiB is on 4 peers after");
    visible(far, "quic", || Quic::listen(ANY_PORT)).await?;
    visible(far, "libp2p", || Libp2p::listen(ANY_PORT)).await?;
    Ok(())
}

/// The round trips that were measured.
struct Figures {
    round_trips: Vec<Duration>,
    per_second: f64,
}

impl Figures {
    fn print(&self, name: &str, against: Option<&Self>) {
        let (p50, p99) = (percentile(&self.round_trips, 50), percentile(&self.round_trips, 99));
        let ratio = against.map(|other| {
            let times = p50.as_secs_f64() / percentile(&other.round_trips, 50).as_secs_f64();
            format!(
                "   {times:.1} times plain TCP, {:.2} of its throughput",
                self.per_second / other.per_second
            )
        });
        println!(
            "{name:24} {p50:>9.1?} {p99:>9.1?} {:>10.0}/s{}",
            self.per_second,
            ratio.unwrap_or_default()
        );
    }
}

/// Gets values that the other node has announced by name alone, so that each get is an ask and a hit.
async fn peer_hits(
    far: &Handle,
    one: impl OpenTransport,
    other: impl OpenTransport,
) -> Result<Figures, Error> {
    let secret = FleetSecret::generate()?;
    let holder = builder(&secret)?.transport(one).sharing_limits(by_name_alone());
    let holder = far.spawn(holder.start()).await??;
    let asker = builder(&secret)?.transport(other).bootstrap(holder.addresses()).start().await?;
    until("the two are connected", async || {
        asker.stats().await.is_ok_and(|stats| stats.connected_peers == 1)
            && holder.stats().await.is_ok_and(|stats| stats.connected_peers == 1)
    })
    .await;
    for number in 0..2 * ROUNDS {
        holder.values().put(&format!("value-{number}"), BODY, Duration::from_secs(300)).await?;
        if number % 64 == 0 {
            // What is announced faster than it is heard is dropped; an answer comes after all that went before.
            holder.ping(asker.peer_id().ok_or("it shares")?).await?;
        }
    }
    let get = async |number: usize| {
        let value = asker.values().get(&format!("value-{number}")).await.expect("the node runs");
        assert_eq!(value.map(|value| value.len()), Some(BODY.len()), "value-{number}");
    };
    // A value that was put where the asker coordinates came whole, and is not really a peer hit.
    let mut numbers =
        (0..2 * ROUNDS).filter(|number| asker.values().try_get(&format!("value-{number}")).is_none());
    let sequential: Vec<usize> = numbers.by_ref().take(ROUNDS / 2).collect();
    let at_once: Vec<usize> = numbers.collect();
    let mut round_trips = Vec::new();
    for number in sequential {
        let began = Instant::now();
        get(number).await;
        round_trips.push(began.elapsed());
    }
    let (began, count) = (Instant::now(), at_once.len());
    stream::iter(at_once).map(get).buffer_unordered(IN_FLIGHT).collect::<()>().await;
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    asker.shutdown().await;
    holder.shutdown().await;
    Ok(Figures { round_trips, per_second })
}

async fn visible<T: OpenTransport>(far: &Handle, name: &str, transport: impl Fn() -> T) -> Result<(), Error> {
    let secret = FleetSecret::generate()?;
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..5 {
        let contacts = nodes.first().map(Node::addresses).unwrap_or_default();
        let builder = builder(&secret)?.transport(transport()).bootstrap(contacts);
        // The first puts, the others are elsewhere.
        nodes.push(if nodes.is_empty() {
            builder.start().await?
        } else {
            far.spawn(builder.start()).await??
        });
    }
    for node in &nodes {
        until("all are connected", async || node.stats().await.is_ok_and(|stats| stats.connected_peers == 4))
            .await;
    }
    let mut times = Vec::new();
    for number in 0..200 {
        let key = format!("announced-{number}");
        let began = Instant::now();
        nodes[0].values().put(&key, &BODY[..2048], Duration::from_secs(300)).await?;
        while nodes.iter().any(|node| node.values().try_get(&key).is_none()) {
            tokio::task::yield_now().await;
        }
        times.push(began.elapsed());
    }
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    println!("{name:24} {p50:>9.1?} {p99:>9.1?}");
    for node in nodes {
        node.shutdown().await;
    }
    Ok(())
}

fn builder(secret: &FleetSecret) -> Result<NodeBuilder, Error> {
    let budget = fleet_cache::Budget { entries_max: 8 * ROUNDS, bytes_max: 1 << 30 };
    Ok(Node::builder(secret.clone(), GitHub::builder().build()?).budget(budget))
}

/// A request of 64 bytes and an answer of 4 KiB.
async fn plain_tcp(far: &Handle) -> Result<Figures, Error> {
    let listener = std::net::TcpListener::bind(ANY_PORT)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    far.spawn(async move {
        let listener = TcpListener::from_std(listener).expect("it does not block");
        while let Ok((mut stream, _from)) = listener.accept().await {
            tokio::spawn(async move {
                stream.set_nodelay(true).expect("it is a TCP socket");
                let mut request = [0; 64];
                while stream.read_exact(&mut request).await.is_ok() {
                    if stream.write_all(BODY).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    measure_connections(
        async || {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        },
        &[7; 64],
        BODY.len(),
    )
    .await
}

/// The same from a Redis that the run starts, if there is one.
async fn redis() -> Result<Option<Figures>, Error> {
    let port = std::net::TcpListener::bind(ANY_PORT)?.local_addr()?.port();
    let spawned = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .spawn();
    let Ok(child) = spawned else { return Ok(None) };
    let _ended = Ended(child);
    let connect = async || {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    until("Redis listens", async || connect().await.is_ok()).await;
    let mut stream = connect().await?;
    stream.write_all(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", BODY.len()).as_bytes()).await?;
    stream.write_all(BODY).await?;
    stream.write_all(b"\r\n").await?;
    stream.read_exact(&mut [0; 5]).await?;
    let answer_bytes = format!("${}\r\n", BODY.len()).len() + BODY.len() + 2;
    Ok(Some(measure_connections(connect, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", answer_bytes).await?))
}

/// Sends `request` and reads `answer_bytes`, on one connection in turn, then on 64 at once.
async fn measure_connections(
    connect: impl AsyncFn() -> std::io::Result<TcpStream>,
    request: &'static [u8],
    answer_bytes: usize,
) -> Result<Figures, Error> {
    let ask = async move |stream: &mut TcpStream| -> std::io::Result<()> {
        let mut answer = vec![0; answer_bytes];
        stream.write_all(request).await?;
        stream.read_exact(&mut answer).await?;
        Ok(())
    };
    let mut stream = connect().await?;
    let mut round_trips = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        ask(&mut stream).await?;
        round_trips.push(began.elapsed());
    }
    let mut streams = Vec::new();
    for _ in 0..IN_FLIGHT {
        streams.push(connect().await?);
    }
    let began = Instant::now();
    let each = ROUNDS / 16;
    let tasks = streams.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            for _ in 0..each {
                ask(&mut stream).await?;
            }
            Ok::<_, std::io::Error>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    let per_second = (IN_FLIGHT * each) as f64 / began.elapsed().as_secs_f64();
    Ok(Figures { round_trips, per_second })
}

/// Announces every entry by name, however short.
fn by_name_alone() -> SharingLimits {
    SharingLimits { attached_bytes_max: 0, ..SharingLimits::default() }
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() * percent / 100]
}

/// A process that does not outlive the run.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

const ANY_PORT: &str = "127.0.0.1:0";
const BODY: &[u8] = &[b'x'; 4096];
/// Round trips of each measurement.
const ROUNDS: usize = 4000;
const IN_FLIGHT: usize = 64;
