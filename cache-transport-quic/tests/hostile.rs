//! Peers that speak QUIC well and the rest badly.

mod support;

use bytes::Bytes;
use cache_conformance::{Plan, gates::OpenGate};
use cache_core::{
    PeerId,
    port::{
        FRAME_BYTES_MAX, Gate as _, Lane, Rejection, STANCE_BYTES, Side, Stance, Tenure, Transport,
        TransportEvent,
    },
};
use cache_transport_quic::{ListenError, Quic, QuicAddress, QuicSettings};
use libp2p_identity::Keypair;
use quinn::{
    Connection, ConnectionError, Endpoint, RecvStream, SendStream, VarInt, crypto::rustls::QuicClientConfig,
};
use std::{
    collections::BTreeSet,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};
use support::start;
use tokio::time::timeout;
use zeroize::Zeroizing;

#[tokio::test]
async fn garbage_and_other_protocols_leave_no_trace() {
    let node = Node::start(Plan::of(1));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in [0, 1, 20, 1200, 1472] {
        for first_byte in [0x00, 0x40, 0xc0, 0xff] {
            let datagram = vec![first_byte; length];
            socket.send_to(&datagram, node.socket()).unwrap();
        }
    }
    let refused = Stranger::dial(&node, b"libp2p").await.expect_err("libp2p's protocol is not ours");
    assert!(matches!(refused, ConnectionError::ConnectionClosed(_)), "{refused}");
    node.still_works().await;
}

#[tokio::test]
async fn a_stranger_may_open_one_stream_and_nothing_else() {
    let node = Node::start(Plan::of(1));
    let stranger = Stranger::dial(&node, ALPN).await.unwrap();
    assert_eq!(stranger.connection.max_datagram_size(), None);
    let _one = stranger.connection.open_bi().await.unwrap();
    // Quinn keeps to the limits that the other side grants: none is granted for these.
    let streams = [
        timeout(MOMENT, stranger.connection.open_bi()).await.is_ok(),
        timeout(MOMENT, stranger.connection.open_uni()).await.is_ok(),
    ];
    assert_eq!(streams, [false, false]);
    node.still_works().await;
}

#[tokio::test]
async fn an_admission_that_is_garbage_ends_without_a_word() {
    let node = Node::start(Plan::of(1));
    let mut ends = Vec::new();
    for (begin, wanted) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], Rejection::Malformed),
        // The right first byte, then: a length of 1 GiB, one too many, an empty message, another's words.
        (b"\x01\x40\x00\x00\x00", Rejection::Malformed),
        (b"\x01\x00\x00\x02\x01", Rejection::Malformed),
        (b"\x01\x00\x00\x00\x00\x00\x00\x00\x00", Rejection::Admission),
        (b"\x01\x00\x00\x00\x03who", Rejection::Admission),
    ] {
        let stranger = Stranger::dial(&node, ALPN).await.unwrap();
        let (mut sender, _receiver) = stranger.connection.open_bi().await.unwrap();
        sender.write_all(begin).await.unwrap();
        ends.push(stranger.connection.closed().await);
        assert_eq!(node.refused().await, wanted, "{begin:?}");
    }
    for end in ends {
        let ConnectionError::ApplicationClosed(close) = end else { panic!("{end}") };
        assert_eq!((close.error_code, &close.reason[..]), (VarInt::from_u32(0), &b""[..]));
    }
    node.still_works().await;
}

#[tokio::test]
async fn a_stranger_that_leaves_before_it_has_proved_itself_is_called_gone() {
    let node = Node::start(Plan::of(1));
    let stranger = Stranger::dial(&node, ALPN).await.unwrap();
    let (mut sender, _receiver) = stranger.connection.open_bi().await.unwrap();
    sender.write_all(b"\x01\x00\x00").await.unwrap();
    stranger.connection.close(VarInt::from_u32(77), b"");
    assert_eq!(node.refused().await, Rejection::Left);
    node.still_works().await;
}

#[tokio::test]
async fn strangers_that_say_nothing_keep_no_friend_out() {
    let node = Node::start(Plan { admission_timeout: Duration::from_millis(500), ..Plan::of(1) });
    let dials = (0..40).map(|_stranger| async { timeout(SECONDS, Stranger::dial(&node, ALPN)).await });
    let strangers = futures::future::join_all(dials).await;
    assert!(strangers.iter().flatten().flatten().count() > 0);
    let mut refusals = BTreeSet::new();
    while refusals.len() < 2 {
        refusals.insert(node.refused().await.to_string());
    }
    let wanted = [Rejection::TooMany, Rejection::TimedOut].map(|refusal| refusal.to_string());
    assert_eq!(refusals, BTreeSet::from(wanted));
    node.still_works().await;
}

#[tokio::test]
async fn a_member_that_announces_a_gibibyte_is_disconnected_at_once() {
    let node = Node::start(Plan::of(1));
    for announced in [u32::MAX, 1 << 30, u32::try_from(FRAME_BYTES_MAX + 1).unwrap()] {
        let (stranger, mut sender, _receiver) = node.admit_stranger().await;
        sender.write_all(&announced.to_be_bytes()).await.unwrap();
        let reason = node.disconnected().await;
        assert!(reason.contains(&announced.to_string()), "{reason}");
        // The same on a stream of its own.
        drop(stranger);
        let (stranger, _control, _receiver) = node.admit_stranger().await;
        let mut sender = stranger.connection.open_uni().await.unwrap();
        sender.write_all(&announced.to_be_bytes()).await.unwrap();
        let reason = node.disconnected().await;
        assert!(reason.contains(&announced.to_string()), "{reason}");
    }
    node.still_works().await;
}

#[tokio::test]
async fn a_member_that_never_finishes_its_frames_holds_up_itself_alone() {
    let node = Node::start(Plan::of(1));
    let (stranger, mut control, _receiver) = node.admit_stranger().await;
    let longest = u32::try_from(FRAME_BYTES_MAX).unwrap().to_be_bytes();
    control.write_all(&[&longest[..], b"a little"].concat()).await.unwrap();
    let mut bulk = Vec::new();
    for _stream in 0..4 {
        let mut sender = stranger.connection.open_uni().await.unwrap();
        sender.write_all(&[&longest[..], b"a little"].concat()).await.unwrap();
        bulk.push(sender);
    }
    assert!(timeout(MOMENT, stranger.connection.open_uni()).await.is_err(), "a fifth stream is granted");
    node.still_works().await;
    drop((control, bulk));
    assert!(!node.disconnected().await.is_empty());
}

#[tokio::test]
async fn addresses_to_listen_on_are_refused_with_a_reason() {
    let listen = |text: &str| {
        let address: QuicAddress = text.parse().unwrap();
        Quic::listen(Zeroizing::new([1; 32]), &[address], Arc::new(OpenGate), QuicSettings::default())
    };
    let refused = |text: &str| listen(text).expect_err(text);
    assert!(matches!(refused("/dns4/localhost/udp/0/quic-v1"), ListenError::Address { .. }));
    let others = "/ip4/127.0.0.1/udp/0/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    assert!(matches!(refused(others), ListenError::Address { .. }));
    let first = listen("/ip4/127.0.0.1/udp/0/quic-v1").unwrap();
    assert!(matches!(refused(&first.addresses()[0]), ListenError::Bind { .. }));
    assert!(matches!(refused("/ip4/192.0.2.1/udp/0/quic-v1"), ListenError::Bind { .. }));
}

#[tokio::test]
async fn a_node_on_all_interfaces_is_reached_by_name_by_one_that_only_dials() {
    let gate = || Arc::new(OpenGate);
    let all = ["/ip4/0.0.0.0/udp/0/quic-v1".parse().unwrap()];
    let node = Quic::listen(Zeroizing::new([1; 32]), &all, gate(), QuicSettings::default()).unwrap();
    let told = node.addresses();
    assert!(!told.is_empty() && told.iter().all(|address| !address.contains("/0.0.0.0/")), "{told:?}");
    let address: QuicAddress = told[0].parse().unwrap();
    let dialer = Quic::listen(Zeroizing::new([2; 32]), &[], gate(), QuicSettings::default()).unwrap();
    assert!(dialer.addresses().is_empty());
    dialer.dial(&format!("/dns4/localhost/udp/{}/quic-v1/p2p/{}", address.port(), node.local_peer()));
    let event = timeout(SECONDS, dialer.next_event()).await.unwrap();
    assert!(matches!(event, Some(TransportEvent::Connected { side: Side::Dialer, .. })), "{event:?}");
}

#[tokio::test]
async fn control_frames_that_wait_when_a_node_shuts_down_still_arrive() {
    let (node, other) = (Node::start(Plan::of(1)), Node::start(Plan::of(2)));
    node.quic.dial(&other.quic.addresses()[0]);
    assert!(matches!(node.next().await, TransportEvent::Connected { .. }));
    assert!(matches!(other.next().await, TransportEvent::Connected { .. }));
    for _frame in 0..100 {
        node.quic.send(other.quic.local_peer(), Lane::Control, vec![b'x'; 10_000].into()).unwrap();
    }
    node.quic.shutdown().await;
    for _frame in 0..100 {
        assert!(matches!(other.next().await, TransportEvent::Received { .. }));
    }
    assert_eq!(other.disconnected().await.as_ref(), "closed by the peer");
}

/// A node that strangers trouble.
struct Node {
    quic: Quic,
}

impl Node {
    fn start(plan: Plan) -> Self {
        Self { quic: start(plan).expect("the loopback interface has a port") }
    }

    async fn next(&self) -> TransportEvent {
        timeout(SECONDS, self.quic.next_event()).await.expect("an event comes").expect("more events come")
    }

    /// Why the next newcomer is refused; nothing else may happen before.
    async fn refused(&self) -> Rejection {
        match self.next().await {
            TransportEvent::Refused { refusal, .. } => refusal,
            other => panic!("instead of a refusal: {other:?}"),
        }
    }

    /// Why the next connection to end does.
    async fn disconnected(&self) -> Box<str> {
        loop {
            if let TransportEvent::Disconnected { reason, .. } = self.next().await {
                return reason;
            }
        }
    }

    /// A friend connects and a frame passes, whatever else goes on.
    async fn still_works(&self) {
        let friend = Self::start(Plan::of(99));
        friend.quic.dial(&self.quic.addresses()[0]);
        assert!(matches!(friend.next().await, TransportEvent::Connected { .. }));
        friend
            .quic
            .send(self.quic.local_peer(), Lane::Control, Bytes::from_static(b"hello"))
            .expect("there is room for a frame");
        loop {
            match self.next().await {
                TransportEvent::Received { frame, .. } => {
                    assert_eq!(frame, "hello");
                    return;
                }
                TransportEvent::Disconnected { reason, .. } => panic!("{reason}"),
                TransportEvent::Connected { .. }
                | TransportEvent::DialFailed { .. }
                | TransportEvent::Refused { .. } => {}
            }
        }
    }

    /// A malicious peer that knows the secret.
    async fn admit_stranger(&self) -> (Stranger, SendStream, RecvStream) {
        let stranger = Stranger::dial(self, ALPN).await.expect("the handshake asks for no secret");
        let (sender, receiver) = stranger.prove(self.quic.local_peer()).await;
        assert!(matches!(self.next().await, TransportEvent::Connected { .. }));
        (stranger, sender, receiver)
    }

    fn socket(&self) -> SocketAddr {
        let address: QuicAddress =
            self.quic.addresses()[0].parse().expect("it tells its own kind of address");
        ([127, 0, 0, 1], address.port()).into()
    }
}

/// Speaks QUIC with a certificate of its own, and otherwise what a test makes it say.
#[derive(Debug)]
struct Stranger {
    connection: Connection,
    peer: PeerId,
    /// Kept, since the connection ends when it is dropped.
    _endpoint: Endpoint,
}

impl Stranger {
    async fn dial(node: &Node, protocol: &[u8]) -> Result<Self, ConnectionError> {
        let seed = [STRANGERS.fetch_add(1, Ordering::Relaxed); 32];
        let keypair = Keypair::ed25519_from_bytes(seed).expect("any 32 bytes are a key");
        let mut tls = libp2p_tls::make_client_config(&keypair, None).expect(WELL_BEHAVED);
        tls.alpn_protocols = vec![protocol.to_vec()];
        tls.key_log = Arc::new(rustls::NoKeyLog);
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect(WELL_BEHAVED)));
        let endpoint = Endpoint::client("127.0.0.1:0".parse().expect(WELL_BEHAVED)).expect(WELL_BEHAVED);
        let connection =
            endpoint.connect_with(config, node.socket(), "stranger").expect(WELL_BEHAVED).await?;
        let peer = keypair.public().to_peer_id().to_string().parse().expect(WELL_BEHAVED);
        Ok(Self { connection, peer, _endpoint: endpoint })
    }

    /// What the protocol asks of a dialer before the first frame.
    async fn prove(&self, remote: PeerId) -> (SendStream, RecvStream) {
        let mut channel = [0; 32];
        self.connection
            .export_keying_material(&mut channel, b"EXPORTER-fleet-cache-admission", b"")
            .expect(WELL_BEHAVED);
        let proof =
            OpenGate.begin(Side::Dialer, self.peer, remote, &channel).poll_transmit().expect(WELL_BEHAVED);
        let (mut sender, mut receiver) = self.connection.open_bi().await.expect(WELL_BEHAVED);
        let length = u32::try_from(proof.len()).expect(WELL_BEHAVED).to_be_bytes();
        sender.write_all(&[b"\x01", &length[..], &proof].concat()).await.expect(WELL_BEHAVED);
        // Their proof is as long as ours; then both say that the other is let in, and where they stand.
        receiver.read_exact(&mut vec![0; 4 + proof.len()]).await.expect(WELL_BEHAVED);
        let stance = Stance::Keep(Tenure { run: 1, number: 1 }).to_bytes();
        sender.write_all(&[&[0; 4][..], &stance].concat()).await.expect(WELL_BEHAVED);
        receiver.read_exact(&mut [0; 4 + STANCE_BYTES]).await.expect(WELL_BEHAVED);
        (sender, receiver)
    }
}

/// Strangers so far. Each has a key of its own.
static STRANGERS: AtomicU8 = AtomicU8::new(100);

/// What holds as long as both sides keep to the protocol.
const WELL_BEHAVED: &str = "nothing is wrong yet";

const ALPN: &[u8] = b"fleet-cache/1";

/// Far beyond any machine's slowness.
const SECONDS: Duration = Duration::from_secs(20);

/// Long for what would happen at once, if it happened.
const MOMENT: Duration = Duration::from_millis(100);
