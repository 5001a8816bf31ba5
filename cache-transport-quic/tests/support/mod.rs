//! Transports as the tests start them.

use cache_conformance::Plan;
use cache_transport_quic::{Quic, QuicSettings};
use zeroize::Zeroizing;

/// A transport of this `plan` on the loopback interface.
pub(crate) fn start(plan: Plan) -> anyhow::Result<Quic> {
    let listen = plan.listen.as_deref().unwrap_or("/ip4/127.0.0.1/udp/0/quic-v1").parse()?;
    let settings = QuicSettings {
        admission_timeout: plan.admission_timeout,
        dial_timeout: plan.dial_timeout,
        peers_max: plan.peers_max,
        ..QuicSettings::default()
    };
    Ok(Quic::listen(Zeroizing::new(plan.seed), &[listen], plan.gate, settings)?)
}
