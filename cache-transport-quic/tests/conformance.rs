//! QUIC through the suite for transports.

mod support;

use async_trait::async_trait;
use cache_conformance::{Factory, Plan};
use cache_core::port::{DialError, Transport};
use std::sync::Arc;
use support::start;

cache_conformance::transport_conformance!(QuicFactory);

struct QuicFactory;

#[async_trait]
impl Factory for QuicFactory {
    async fn start(&self, plan: Plan) -> anyhow::Result<Arc<dyn Transport>> {
        Ok(Arc::new(start(plan)?))
    }

    fn bad_addresses(&self) -> Vec<(String, DialError)> {
        [
            ("/ip4/127.0.0.1/tcp/9100", DialError::BadAddress),
            ("/ip4/127.0.0.1/udp/9100", DialError::BadAddress),
            ("/dns4/no-such-host.invalid/udp/9100/quic-v1", DialError::Unreachable),
            // An RSA key's id.
            (
                "/ip4/127.0.0.1/udp/9100/quic-v1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
                DialError::BadAddress,
            ),
        ]
        .map(|(address, error)| (String::from(address), error))
        .into()
    }
}
