//! libp2p through the suite for transports, over either of its carriers.

use async_trait::async_trait;
use cache_conformance::{Factory, Plan};
use cache_core::port::{DialError, Transport};
use cache_transport_libp2p::{Libp2p, Libp2pSettings};
use std::sync::Arc;
use zeroize::Zeroizing;

mod over_quic {
    use super::Libp2pFactory;
    cache_conformance::transport_conformance!(Libp2pFactory("/ip4/127.0.0.1/udp/0/quic-v1"));
}

mod over_tcp {
    use super::Libp2pFactory;
    cache_conformance::transport_conformance!(Libp2pFactory("/ip4/127.0.0.1/tcp/0"));
}

/// Listens on this address where the plan names none.
struct Libp2pFactory(&'static str);

#[async_trait]
impl Factory for Libp2pFactory {
    async fn start(&self, plan: Plan) -> anyhow::Result<Arc<dyn Transport>> {
        let listen = plan.listen.as_deref().unwrap_or(self.0).parse()?;
        let settings = Libp2pSettings {
            admission_timeout: plan.admission_timeout,
            dial_timeout: plan.dial_timeout,
            peers_max: plan.peers_max,
            ..Libp2pSettings::default()
        };
        Ok(Arc::new(Libp2p::listen(Zeroizing::new(plan.seed), &[listen], plan.gate, settings).await?))
    }

    fn bad_addresses(&self) -> Vec<(String, DialError)> {
        [
            ("/ip4/127.0.0.1/udp/9100", DialError::BadAddress),
            ("/dns4/no-such-host.invalid/tcp/9100", DialError::Unreachable),
            // An RSA key's id.
            (
                "/ip4/127.0.0.1/tcp/9100/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
                DialError::BadAddress,
            ),
        ]
        .map(|(address, error)| (String::from(address), error))
        .into()
    }
}
