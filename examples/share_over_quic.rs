//! A node of a fleet, over QUIC. `share_over_libp2p.rs` differs in one line.
//!
//! `CACHE_P2P_SHARED_SECRET=... cargo run --example share_over_quic -- /ip4/HOST/udp/9100/quic-v1/p2p/PEER`

use fleet_cache::{FleetSecret, GitHub, Node, Quic};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = FleetSecret::parse(&std::env::var("CACHE_P2P_SHARED_SECRET")?)?;
    let transport = Quic::listen("0.0.0.0:9100");
    let contacts = std::env::args().skip(1);
    let node = Node::builder(secret, GitHub::builder().build()?);
    let node = node.transport(transport).bootstrap(contacts).start().await?;
    let reply = node.get("/repos/rust-lang/rust").await?;
    println!("{} {:?}", reply.status(), reply.provenance());
    node.shutdown().await;
    Ok(())
}
