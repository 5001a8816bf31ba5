//! A TCP connection on whose way everything is recorded.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
};

/// A way to a node, by which others reach it.
pub(crate) struct Wire {
    /// What to dial in place of the node's own address.
    pub(crate) address: String,
    /// What has passed, in both directions.
    pub(crate) seen: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// Leads to `address`, which is `/ip4/127.0.0.1/tcp/PORT/p2p/ID`.
    pub(crate) async fn to(address: &str) -> Self {
        let parts: Vec<&str> = address.split('/').collect();
        let target = format!("127.0.0.1:{}", parts[4]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _from)) = listener.accept().await {
                let (up_in, up_out) = TcpStream::connect(&target).await.expect("it listens").into_split();
                let (down_in, down_out) = stream.into_split();
                tokio::spawn(carry(down_in, up_out, Arc::clone(&record)));
                tokio::spawn(carry(up_in, down_out, Arc::clone(&record)));
            }
        });
        Self { address: format!("/ip4/127.0.0.1/tcp/{port}/p2p/{}", parts[6]), seen }
    }
}

async fn carry(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, record: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        record.lock().extend(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}
