//! The classic cache call, for a value that the program computes itself: ten callers, one computation.
//!
//! `cargo run --example own_values`

use fleet_cache::{GitHub, Node, ValueError};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    let computed = Arc::new(AtomicU32::new(0));

    let callers = (0..10).map(|_| {
        let (node, computed) = (node.clone(), Arc::clone(&computed));
        tokio::spawn(async move {
            let compute = async move || {
                computed.fetch_add(1, Ordering::Relaxed);
                Ok::<_, std::convert::Infallible>("the answer")
            };
            node.values().get_or_fetch("question", Duration::from_secs(60), compute).await
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        let value: Result<bytes::Bytes, ValueError<_>> = caller.await?;
        assert_eq!(value?, "the answer");
    }
    println!("10 callers, {} computation", computed.load(Ordering::Relaxed));
    Ok(())
}
