//! Reads a path of GitHub's API through a node of its own, twice: the second time costs nothing.
//!
//! `GH_TOKEN=... cargo run --example read_github -- /repos/rust-lang/rust`

use fleet_cache::{GitHub, Node};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "/repos/rust-lang/rust".into());
    let github = match std::env::var("GH_TOKEN") {
        Ok(token) => GitHub::with_token(&token)?,
        Err(_absent) => GitHub::builder().build()?,
    };

    let node = Node::builder(None, github).start().await?;
    for _ in 0..2 {
        let reply = node.get(&path).await?;
        println!("{} {:?}", reply.status(), reply.provenance());
    }
    println!(
        "{} call made, {} saved",
        node.stats().await?.api_calls_made,
        node.stats().await?.api_calls_saved
    );
    node.shutdown().await;
    Ok(())
}
