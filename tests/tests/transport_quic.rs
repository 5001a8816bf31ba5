//! QUIC through the suite for transports, and peers that speak QUIC well and the rest badly.

use async_trait::async_trait;
use cache_core::port::Transport;
use cache_tests::conformance::{Factory, Plan};
use cache_transport_quic::{Quic, QuicSettings};
use std::sync::Arc;
use zeroize::Zeroizing;

cache_tests::transport_conformance!(QuicFactory);

struct QuicFactory;

#[async_trait]
impl Factory for QuicFactory {
    async fn start(&self, plan: Plan) -> anyhow::Result<Arc<dyn Transport>> {
        let listen = plan.listen.as_deref().unwrap_or("/ip4/127.0.0.1/udp/0/quic-v1").parse()?;
        let settings = QuicSettings {
            admission_timeout: plan.admission_timeout,
            dial_timeout: plan.dial_timeout,
            ..QuicSettings::default()
        };
        Ok(Arc::new(Quic::listen(Zeroizing::new(plan.seed), &[listen], plan.gate, settings)?))
    }

    fn bad_addresses(&self) -> Vec<String> {
        [
            "/ip4/127.0.0.1/tcp/9100",
            "/ip4/127.0.0.1/udp/9100",
            "/dns4/no-such-host.invalid/udp/9100/quic-v1",
            // An RSA key's id.
            "/ip4/127.0.0.1/udp/9100/quic-v1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        ]
        .map(str::to_owned)
        .into()
    }
}
