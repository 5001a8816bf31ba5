//! What connections cost: memory of an idle one, time to send to four, and whether loss ends any.
//!
//! ```text
//! cargo run --release -p cache-tests --example transport_costs
//! ```
//!
//! The memory is that of a process with this many peers, all of them in another process. Loss is made by a relay of
//! datagrams, so it is shown for QUIC alone.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use cache_conformance::gates::OpenGate;
use cache_core::port::{Lane, Transport, TransportEvent};
use cache_transport_libp2p::{Libp2p, Libp2pSettings};
use cache_transport_quic::{Quic, QuicSettings};
use rand::Rng as _;
use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, time::timeout};
use zeroize::Zeroizing;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            for kind in KINDS {
                for count in [100, 500] {
                    print!("{}", output_of(&["idle", kind, &count.to_string()])?);
                }
                print!("{}", output_of(&["broadcast", kind])?);
            }
            print!("{}", output_of(&["loss", "quic"])?);
            print!("{}", output_of(&["loss", "libp2p-quic"])?);
            Ok(())
        }
        ["idle", kind, count] => idle(kind, count.parse()?).await,
        ["broadcast", kind] => broadcast(kind).await,
        ["loss", kind] => loss(kind).await,
        ["peers", kind, count, address] => peers(kind, count.parse()?, address).await,
        _ => bail!("takes no arguments"),
    }
}

/// Memory of this process before and after this many peers have connected and said nothing.
async fn idle(kind: &str, count: usize) -> anyhow::Result<()> {
    let hub = start(kind, 0, true).await?;
    let before = resident_bytes()?;
    let (mut child, mut ready) = spawn_peers(kind, count, &hub.addresses()[0])?;
    let mut connected = Vec::new();
    while connected.len() < count {
        // Events are kept as a node keeps them, with the sessions in them.
        match hub.next_event().await.context("the hub runs")? {
            event @ TransportEvent::Connected { .. } => connected.push(event),
            other => bail!("{other:?}"),
        }
    }
    let mut line = String::new();
    ready.read_line(&mut line)?;
    pause(SETTLED).await;
    let grown = resident_bytes()?.saturating_sub(before);
    println!("{kind}: {count} idle connections, {} KiB each, {before} bytes without", grown / 1024 / count);
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

/// Time on the caller's thread for one frame of 2 KiB to each of four peers.
async fn broadcast(kind: &str) -> anyhow::Result<()> {
    let hub = start(kind, 0, true).await?;
    let mut others = Vec::new();
    let mut readers = Vec::new();
    for number in 1..=4 {
        let other = start(kind, number, false).await?;
        other.dial(&hub.addresses()[0]);
        while !matches!(hub.next_event().await, Some(TransportEvent::Connected { .. })) {}
        others.push(other.local_peer());
        readers.push(tokio::spawn(async move { while other.next_event().await.is_some() {} }));
    }
    let frame = Bytes::from(vec![7; 2048]);
    let mut took = Vec::new();
    for _round in 0..ROUNDS {
        let began = Instant::now();
        for other in &others {
            hub.send(*other, Lane::Control, frame.clone())?;
        }
        took.push(began.elapsed());
        pause(PACE).await;
    }
    took.sort();
    let at = |part: usize| took[took.len() * part / 100];
    println!("{kind}: 2 KiB to 4 peers, on the caller's thread: p50 {:?}, p99 {:?}", at(50), at(99));
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(())
}

/// Connections that end, of fifty that are idle for two minutes, with 2 % lost and 10 ms more each way.
async fn loss(kind: &str) -> anyhow::Result<()> {
    let hub = start(kind, 0, true).await?;
    let address = hub.addresses()[0].clone();
    let port: u16 = address.split('/').nth(4).context("a port")?.parse()?;
    let mut others: Vec<Arc<dyn Transport>> = Vec::new();
    for number in 1..=LOSSY {
        let relayed = relay(([127, 0, 0, 1], port).into()).await?;
        let other = start(kind, number, false).await?;
        other.dial(&address.replace(&format!("/{port}/"), &format!("/{}/", relayed.port())));
        others.push(other);
        let mut is_met = false;
        while !is_met {
            is_met = matches!(hub.next_event().await, Some(TransportEvent::Connected { .. }));
        }
    }
    let began = Instant::now();
    let mut ended = 0;
    while let Ok(event) = timeout(LOSSY_TIME.saturating_sub(began.elapsed()), hub.next_event()).await {
        if let Some(TransportEvent::Disconnected { reason, .. }) = event {
            println!("{reason}");
            ended += 1;
        }
    }
    println!("{kind}: of {LOSSY} connections idle for {LOSSY_TIME:?} with 2 % loss and 20 ms, {ended} ended");
    Ok(())
}

/// Passes datagrams on between the first sender and `to`, late, and some not at all.
async fn relay(to: SocketAddr) -> anyhow::Result<SocketAddr> {
    let inner = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let outer = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    let address = outer.local_addr()?;
    drop(tokio::spawn(async move {
        let mut dialer = None;
        let (mut there, mut back) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            let (socket, target, datagram) = tokio::select! {
                Ok((length, from)) = outer.recv_from(&mut there) => {
                    dialer = Some(from);
                    (&inner, to, there[..length].to_vec())
                }
                Ok((length, _hub)) = inner.recv_from(&mut back) => match dialer {
                    Some(dialer) => (&outer, dialer, back[..length].to_vec()),
                    None => continue,
                },
                else => return,
            };
            if rand::rng().random_range(0..100) < 2 {
                continue;
            }
            let socket = Arc::clone(socket);
            drop(tokio::spawn(async move {
                pause(Duration::from_millis(10)).await;
                // As good as lost.
                let _is_sent = socket.send_to(&datagram, target).await;
            }));
        }
    }));
    Ok(address)
}

/// Connects so many peers with the node at `address`, until that no longer listens to this process.
async fn peers(kind: &str, count: usize, address: &str) -> anyhow::Result<()> {
    let mut peers = Vec::new();
    for number in 1..=count {
        let peer = start(kind, number, false).await?;
        peer.dial(address);
        match peer.next_event().await {
            Some(TransportEvent::Connected { .. }) => peers.push(peer),
            other => bail!("{other:?}"),
        }
    }
    println!("ready");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

async fn start(kind: &str, number: usize, listens: bool) -> anyhow::Result<Arc<dyn Transport>> {
    let mut seed = Zeroizing::new([0; 32]);
    seed[..8].copy_from_slice(&number.to_be_bytes());
    let gate = Arc::new(OpenGate);
    let listen = match kind {
        "quic" | "libp2p-quic" => "/ip4/127.0.0.1/udp/0/quic-v1",
        _tcp => "/ip4/127.0.0.1/tcp/0",
    };
    Ok(if kind == "quic" {
        let settings = QuicSettings { peers_max: 512, ..QuicSettings::default() };
        let listen = if listens { vec![listen.parse()?] } else { Vec::new() };
        Arc::new(Quic::listen(seed, &listen, gate, settings)?)
    } else {
        let settings = Libp2pSettings { peers_max: 512, ..Libp2pSettings::default() };
        let listen = if listens { vec![listen.parse()?] } else { Vec::new() };
        Arc::new(Libp2p::listen(seed, &listen, gate, settings).await?)
    })
}

fn spawn_peers(kind: &str, count: usize, address: &str) -> anyhow::Result<(Child, BufReader<ChildStdout>)> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["peers", kind, &count.to_string(), address]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("a piped output")?;
    Ok((child, BufReader::new(output)))
}

/// What this program prints with `arguments`, in a process of its own, so that no run leaves memory to the next.
fn output_of(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(env::current_exe()?).args(arguments).stderr(Stdio::inherit()).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// What is measured here is time itself.
async fn pause(length: Duration) {
    let _over = timeout(length, std::future::pending::<()>()).await;
}

fn resident_bytes() -> anyhow::Result<usize> {
    let status = fs::read_to_string("/proc/self/status").context("Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a resident set")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}

const KINDS: [&str; 3] = ["quic", "libp2p-tcp", "libp2p-quic"];

/// Time for what connecting took to be given back.
const SETTLED: Duration = Duration::from_secs(3);

const ROUNDS: usize = 5_000;

/// Between two rounds, so that queues stay short.
const PACE: Duration = Duration::from_micros(200);

const LOSSY: usize = 50;
const LOSSY_TIME: Duration = Duration::from_secs(120);
