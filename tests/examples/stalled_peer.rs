//! How long a put takes, with and without a peer that was let in and then reads nothing.
//!
//! `cargo run --release -p cache-tests --example stalled_peer`

use async_trait::async_trait;
use cache_core::port::{Gate, Transport, TransportEvent};
use cache_crypto::{FleetGate, Keyring};
use cache_tests::until;
use fleet_cache::{FleetSecret, GitHub, Libp2p, Node, OpenTransport, Quic, TransportError};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("{PUTS} puts of {VALUE_BYTES} bytes at one of two nodes; times in microseconds\n");
    println!("{:<10}{:>16}{:>8}{:>8}{:>8}{:>10}", "", "", "p50", "p99", "most", "dropped");
    for over in [Over::Libp2p, Over::Quic] {
        for third in [Third::Absent, Third::Stalled] {
            let Figures { p50, p99, most, dropped } = measure(over, third).await?;
            let third = format!("{third:?} peer").to_lowercase();
            println!("{over:<10?}{third:>16}{p50:>8}{p99:>8}{most:>8}{dropped:>10}");
        }
    }
    Ok(())
}

async fn measure(over: Over, third: Third) -> Result<Figures, Box<dyn Error + Send + Sync>> {
    let secret = FleetSecret::generate()?;
    let start = async |contacts: Vec<String>| {
        let github = GitHub::builder().origin("http://127.0.0.1:1").build()?;
        let builder = Node::builder(secret.clone(), github).transport(over).bootstrap(contacts);
        Ok::<_, Box<dyn Error + Send + Sync>>(builder.start().await?)
    };
    let node = start(Vec::new()).await?;
    let _other = start(node.addresses()).await?;
    let connected = async || node.stats().await.map_or(0, |stats| stats.connected_peers);
    until("the two have met", async || connected().await == 1).await;
    // Held until the end: a connection on which nothing is taken.
    let mut stalled = None;
    if third == Third::Stalled {
        let gate = Arc::new(FleetGate::new(Keyring::new(&secret)));
        let transport = over.open(rand::random::<[u8; 32]>().into(), gate, 8).await?;
        transport.dial(&node.addresses()[0]);
        while let Some(event) = transport.next_event().await {
            if matches!(event, TransportEvent::Connected { .. }) {
                break;
            }
        }
        until("the third was let in", async || connected().await == 2).await;
        stalled = Some(transport);
    }
    let mut times = Vec::with_capacity(PUTS);
    for number in 0..PUTS {
        let (key, value) = (format!("key-{number}"), vec![0; VALUE_BYTES]);
        let began = Instant::now();
        node.values().put(&key, value, Duration::from_secs(3600)).await?;
        times.push(began.elapsed().as_micros());
    }
    times.sort_unstable();
    let dropped = node.stats().await?.aggregate.map_or(0, |fleet| fleet.dropped_frames);
    drop(stalled);
    Ok(Figures { p50: times[PUTS / 2], p99: times[PUTS * 99 / 100], most: times[PUTS - 1], dropped })
}

struct Figures {
    p50: u128,
    p99: u128,
    most: u128,
    /// Frames for which there was no room in a peer's queue.
    dropped: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Third {
    Absent,
    Stalled,
}

#[derive(Clone, Copy, Debug)]
enum Over {
    Libp2p,
    Quic,
}

#[async_trait]
impl OpenTransport for Over {
    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        match self {
            Self::Libp2p => Libp2p::listen("127.0.0.1:0").open(seed, gate, peers_max).await,
            Self::Quic => Quic::listen("127.0.0.1:0").open(seed, gate, peers_max).await,
        }
    }
}

const PUTS: usize = 10_000;
const VALUE_BYTES: usize = 8 * 1024;
