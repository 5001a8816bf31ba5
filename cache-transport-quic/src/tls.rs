//! TLS and QUIC as we speak them: libp2p's certificates, our own protocol name, explicit limits.

use crate::{lanes, settings::QuicSettings};
use cache_core::PeerId;
use cache_transport::address::core_peer;
use libp2p_identity::Keypair;
use quinn::{
    Connection, MtuDiscoveryConfig, TransportConfig, TransportErrorCode, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{NoKeyLog, client::Resumption, pki_types::CertificateDer};
use std::{error::Error, sync::Arc, time::Duration};

/// How connections of others are accepted.
pub(crate) fn server_config(
    keypair: &Keypair,
    settings: &QuicSettings,
) -> Result<quinn::ServerConfig, Box<dyn Error + Send + Sync>> {
    let mut tls = libp2p_tls::make_server_config(keypair)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.key_log = Arc::new(NoKeyLog);
    // Every connection proves both identities anew.
    tls.send_tls13_tickets = 0;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config
        .transport_config(Arc::new(transport_config(settings, VarInt::from_u32(1), idle_timeout(settings))))
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX * INCOMING_MAX as u64);
    Ok(config)
}

/// How this node dials; with `expected`, no other peer's key passes the handshake.
pub(crate) fn client_config(
    keypair: &Keypair,
    expected: Option<libp2p_identity::PeerId>,
    settings: &QuicSettings,
) -> Result<quinn::ClientConfig, Box<dyn Error + Send + Sync>> {
    let mut tls = libp2p_tls::make_client_config(keypair, expected)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.key_log = Arc::new(NoKeyLog);
    tls.resumption = Resumption::disabled();
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    // A handshake may stay without an answer for as long as a dial; past it, the shorter time of the two
    // sides counts, which is the listener's.
    let handshake_timeout = settings.dial_timeout.max(idle_timeout(settings));
    config.transport_config(Arc::new(transport_config(settings, VarInt::from_u32(0), handshake_timeout)));
    Ok(config)
}

/// The peer that the handshake has proved; `None` for a key that is not Ed25519.
pub(crate) fn remote_peer(connection: &Connection) -> Option<PeerId> {
    let identity = connection.peer_identity()?;
    let certificates = identity.downcast_ref::<Vec<CertificateDer<'static>>>()?;
    let certificate = libp2p_tls::certificate::parse(certificates.first()?).ok()?;
    core_peer(certificate.peer_id())
}

/// How a handshake ends that meets another key than [`client_config`] expects.
///
/// The alert by which rustls tells of `ApplicationVerificationFailure`, which libp2p's verifier returns for
/// nothing else.
pub(crate) fn wrong_peer() -> TransportErrorCode {
    TransportErrorCode::crypto(rustls::AlertDescription::AccessDenied.into())
}

/// What only the two sides know of this very connection.
pub(crate) fn channel(connection: &Connection) -> Option<[u8; CHANNEL_BYTES]> {
    let mut channel = [0; CHANNEL_BYTES];
    connection.export_keying_material(&mut channel, CHANNEL_LABEL, b"").ok()?;
    Some(channel)
}

/// Limits until the admission is over; [`lanes`] widens them.
fn transport_config(
    settings: &QuicSettings,
    bidi_streams_max: VarInt,
    idle_timeout: Duration,
) -> TransportConfig {
    let mut config = TransportConfig::default();
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MTU_BYTES_MAX);
    config
        .max_concurrent_bidi_streams(bidi_streams_max)
        // A stream or datagram too early is a breach of protocol that QUIC itself ends the connection for.
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(lanes::STREAM_WINDOW_BYTES)
        .receive_window(NEWCOMER_WINDOW_BYTES)
        .send_window(lanes::SEND_WINDOW_BYTES)
        .keep_alive_interval(Some(keep_alive_interval(settings)))
        .max_idle_timeout(idle_timeout.try_into().ok())
        .mtu_discovery_config(Some(mtu));
    config
}

/// Between two signs of life of a side that has nothing to say. The other acknowledges each.
fn keep_alive_interval(settings: &QuicSettings) -> Duration {
    settings.silence_timeout / 4
}

/// QUIC counts anew when it first sends something that is to be acknowledged. So, from the last thing heard,
/// one interval may pass before the sign of life that is not answered, then this; a sixteenth is kept
/// back. With the default, 2.75 s: a lost sign of life is repeated after some 60 ms at a round trip of 20 ms,
/// and then after twice as long each time, which makes six tries. With 2 % of loss each way all fail once
/// in 10^8 times, and the other side's own signs of life would have to fail as well.
fn idle_timeout(settings: &QuicSettings) -> Duration {
    (settings.silence_timeout * 11 / 16).max(IDLE_TIMEOUT_MIN)
}

/// Our protocol's name in the handshake, so that a libp2p node and we do not take each other for our own.
const ALPN: &[u8] = b"fleet-cache/1";

const CHANNEL_BYTES: usize = 32;

/// Sets our use of the TLS exporter apart; RFC 8446, section 7.5.
const CHANNEL_LABEL: &[u8] = b"EXPORTER-fleet-cache-admission";

/// Handshakes that wait for us to look at them.
const INCOMING_MAX: usize = 256;

/// Bytes kept of each such handshake: a client hello with post-quantum key shares is under 3 KiB.
const INCOMING_BYTES_MAX: u64 = 16 * 1024;

/// Bytes that a side that is not let in yet may have this node keep: every message of an admission, with room.
const NEWCOMER_WINDOW_BYTES: VarInt = VarInt::from_u32(16 * 1024);

/// Zero would mean that connections never time out.
const IDLE_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Longest packet to try: jumbo frames, where the network has them.
const MTU_BYTES_MAX: u16 = 8952;
