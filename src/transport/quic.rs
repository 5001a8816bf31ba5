//! Plain QUIC, as a program chooses it.

use super::{Gate, OpenTransport, Transport, TransportError, Zeroizing, async_trait, multiaddr_of};
use cache_transport_quic::{QuicAddress, QuicSettings};
use std::{sync::Arc, time::Duration};

/// A transport over plain QUIC, on UDP. All nodes of a fleet must use the same transport.
///
/// [`start`](crate::NodeBuilder::start) reports what is wrong with an address.
///
/// ```
/// # use {fleet_cache::{FleetSecret, GitHub, Node, Quic}, std::time::Duration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let transport = Quic::listen("127.0.0.1:0").dial_timeout(Duration::from_secs(5));
/// let node = Node::builder(FleetSecret::generate()?, GitHub::builder().build()?).transport(transport).start().await?;
/// assert!(node.addresses()[0].starts_with("/ip4/127.0.0.1/udp/"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Quic {
    addresses: Vec<String>,
    /// The settings, in which the node sets the bound on peers.
    settings: QuicSettings,
}

impl Quic {
    /// Listens on `address`: a multiaddr such as `/ip4/0.0.0.0/udp/9100/quic-v1`, or a socket address.
    ///
    /// ```
    /// # use fleet_cache::Quic;
    /// let transport = Quic::listen("0.0.0.0:9100");
    /// # let _not_opened = transport;
    /// ```
    pub fn listen(address: impl Into<String>) -> Self {
        Self::dial_only().and_listen(address)
    }

    /// Listens nowhere: other nodes do not find this one, but it finds them by its contacts.
    ///
    /// ```
    /// # use fleet_cache::Quic;
    /// let transport = Quic::dial_only();
    /// # let _not_opened = transport;
    /// ```
    pub fn dial_only() -> Self {
        Self { addresses: Vec::new(), settings: QuicSettings::default() }
    }

    /// Listens on `address` as well.
    ///
    /// ```
    /// # use fleet_cache::Quic;
    /// let transport = Quic::listen("0.0.0.0:9100").and_listen("/ip6/::/udp/9100/quic-v1");
    /// # let _not_opened = transport;
    /// ```
    pub fn and_listen(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Time for two nodes to prove to each other that they know the secret, from the end of the TLS handshake.
    /// Default: 5 s.
    pub fn admission_timeout(mut self, time: Duration) -> Self {
        self.settings.admission_timeout = time;
        self
    }

    /// Time for one dial, from the address to an admitted peer. Default: 15 s.
    pub fn dial_timeout(mut self, time: Duration) -> Self {
        self.settings.dial_timeout = time;
        self
    }

    /// Most bytes that wait for one peer on one lane; further frames are dropped. A single longer frame may wait
    /// alone. Default: two of the longest frames.
    pub fn queue_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.queue_bytes_max = bytes;
        self
    }

    /// Most frames that wait for one peer on one lane; further ones are dropped. Default: 4096.
    pub fn queue_frames_max(mut self, frames: usize) -> Self {
        self.settings.queue_frames_max = frames;
        self
    }

    /// Silence after which a connection counts as lost. A quarter of it passes between signs of life. Default: 4 s.
    pub fn silence_timeout(mut self, time: Duration) -> Self {
        self.settings.silence_timeout = time;
        self
    }
}

#[async_trait]
impl OpenTransport for Quic {
    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let addresses = self.addresses.iter().map(|address| multiaddr_of(address, "udp", "/quic-v1").parse());
        let addresses: Vec<QuicAddress> = addresses.collect::<Result<_, _>>().map_err(TransportError::new)?;
        let settings = QuicSettings { peers_max, ..self.settings.clone() };
        let transport = cache_transport_quic::Quic::listen(seed, &addresses, gate, settings);
        Ok(Arc::new(transport.map_err(TransportError::new)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_but_the_nodes_own_can_be_made_and_in_any_order() {
        let seconds = Duration::from_secs;
        let made = Quic::dial_only()
            .silence_timeout(seconds(3))
            .queue_frames_max(5)
            .admission_timeout(seconds(1))
            .queue_bytes_max(4)
            .dial_timeout(seconds(2));
        let wanted = QuicSettings {
            admission_timeout: seconds(1),
            dial_timeout: seconds(2),
            peers_max: QuicSettings::default().peers_max,
            queue_bytes_max: 4,
            queue_frames_max: 5,
            silence_timeout: seconds(3),
        };
        assert_eq!(made.settings, wanted);
    }
}
