//! libp2p, as a program chooses it.

use super::{Gate, OpenTransport, Transport, TransportError, Zeroizing, async_trait, multiaddr_of};
use cache_transport_libp2p::{Libp2pAddress, Libp2pSettings};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A transport over libp2p: TCP with noise and yamux, or libp2p's QUIC, by address. All nodes of a fleet must use the
/// same transport.
///
/// [`start`](crate::NodeBuilder::start) reports what is wrong with an address.
///
/// ```
/// # use {fleet_cache::{FleetSecret, GitHub, Libp2p, Node}, std::time::Duration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let transport = Libp2p::listen("127.0.0.1:0").and_listen("/ip4/127.0.0.1/udp/0/quic-v1").unadmitted_max(32);
/// let node = Node::builder(FleetSecret::generate()?, GitHub::builder().build()?).transport(transport).start().await?;
/// assert_eq!(node.addresses().len(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Libp2p {
    addresses: Vec<String>,
    /// The settings, in which the node sets the bound on peers.
    settings: Libp2pSettings,
}

impl Libp2p {
    /// Listens on `address`: a multiaddr such as `/ip4/0.0.0.0/tcp/9100`, or a socket address, which is TCP.
    ///
    /// ```
    /// # use fleet_cache::Libp2p;
    /// let transport = Libp2p::listen("0.0.0.0:9100");
    /// # let _not_opened = transport;
    /// ```
    pub fn listen(address: impl Into<String>) -> Self {
        Self::dial_only().and_listen(address)
    }

    /// Listens nowhere: other nodes do not find this one, but it finds them by its contacts.
    ///
    /// ```
    /// # use fleet_cache::Libp2p;
    /// let transport = Libp2p::dial_only();
    /// # let _not_opened = transport;
    /// ```
    pub fn dial_only() -> Self {
        Self { addresses: Vec::new(), settings: Libp2pSettings::default() }
    }

    /// Listens on `address` as well.
    ///
    /// ```
    /// # use fleet_cache::Libp2p;
    /// let transport = Libp2p::listen("0.0.0.0:9100").and_listen("/ip6/::/tcp/9100");
    /// # let _not_opened = transport;
    /// ```
    pub fn and_listen(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Time for two nodes to prove to each other that they know the secret. Default: 5 s.
    pub fn admission_timeout(mut self, time: Duration) -> Self {
        self.settings.admission_timeout = time;
        self
    }

    /// Time for one dial, its admission included. Default: 15 s.
    pub fn dial_timeout(mut self, time: Duration) -> Self {
        self.settings.dial_timeout = time;
        self
    }

    /// Most incoming connections at once that have not been let in yet; further ones are closed unheard. Default: 128.
    pub fn unadmitted_max(mut self, connections: usize) -> Self {
        self.settings.unadmitted_max = connections;
        self
    }

    /// As [`unadmitted_max`](Self::unadmitted_max), from one IP address. Default: 96.
    pub fn unadmitted_per_address_max(mut self, connections: usize) -> Self {
        self.settings.unadmitted_per_address_max = connections;
        self
    }
}

#[async_trait]
impl OpenTransport for Libp2p {
    /// TCP, unless this node itself listens on QUIC alone.
    fn address_of(&self, socket: SocketAddr) -> String {
        let is_quic = |address: &String| address.contains("/quic-v1");
        if !self.addresses.is_empty() && self.addresses.iter().all(is_quic) {
            multiaddr_of(&socket.to_string(), "udp", "/quic-v1")
        } else {
            multiaddr_of(&socket.to_string(), "tcp", "")
        }
    }

    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let addresses = self.addresses.iter().map(|address| multiaddr_of(address, "tcp", "").parse());
        let addresses: Vec<Libp2pAddress> =
            addresses.collect::<Result<_, _>>().map_err(TransportError::new)?;
        let settings = Libp2pSettings { peers_max, ..self.settings };
        let transport = cache_transport_libp2p::Libp2p::listen(seed, &addresses, gate, settings).await;
        Ok(Arc::new(transport.map_err(TransportError::new)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_but_the_nodes_own_can_be_made_and_in_any_order() {
        let seconds = Duration::from_secs;
        let made = Libp2p::dial_only()
            .unadmitted_per_address_max(3)
            .dial_timeout(seconds(2))
            .unadmitted_max(4)
            .admission_timeout(seconds(1));
        let wanted = Libp2pSettings {
            peers_max: Libp2pSettings::default().peers_max,
            unadmitted_max: 4,
            unadmitted_per_address_max: 3,
            admission_timeout: seconds(1),
            dial_timeout: seconds(2),
        };
        assert_eq!(made.settings, wanted);
    }
}
