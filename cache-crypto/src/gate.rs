//! Decides which nodes are let in: those that prove that they know a secret of this node.
//!
//! ```text
//! dialer                                    listener
//!   | ── hello: protocol, 32 random bytes ───▶ |
//!   | ◀── hello: protocol, 32 random bytes ─── |
//!   | ── slots: a proof for each secret ─────▶ |   looks for one by a secret of its own
//!   | ◀── answer: a proof for that secret ──── |
//! ```
//!
//! All messages of a build have the same length. To a reader that knows no secret they are random bytes behind the
//! protocol that the build speaks: they show neither the fleet nor how many secrets are in use. [`crate::transcript`]
//! says what is proved.
//!
//! A hello begins with the major version of the protocol (1 byte), in every version. In this version the minor
//! version (1) and the features (8, little-endian) follow, then the random bytes; what a later minor version appends
//! is covered by the proof and otherwise skipped. A node that speaks another major version is refused, and may be
//! told so, since that depends on no secret. An attacker that alters a hello on its way, to make two sides speak less
//! than they could, only keeps them from meeting.
//!
//! If the key of a proof comes from a guessable secret, the receiver of the proof can test guesses at leisure. One
//! side must go first, and it is the dialer. Anyone can dial a listener, so a listener gives away nothing that
//! depends on its secrets before it knows which peer it talks to. A dialer chooses what it dials, and if the address
//! has a peer id, either that peer answers or the connection fails. What remains is a node that is tricked into
//! dialing an attacker. Each guess then costs what the stretch of the secret's kind costs; a generated secret cannot
//! be guessed. An attacker that dials may try as many guesses per connection as there are slots.

use crate::{
    KeyId, Keyring,
    keyring::MemberKey,
    schedule::fill_random,
    session::FleetSession,
    transcript::{Agreed, Met, Parties, Proof, Proved, SLOTS_BYTES, Slots},
};
use bytes::Bytes;
use cache_core::{
    Features, PeerId, Protocol,
    port::{ADMISSION_BYTES_MAX, Admission, Gate, Refused, SealError, Session, Side},
};
use std::{
    fmt, mem,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering},
};

/// Lets in a peer that proves a secret of the [`Keyring`], and proves the same one in turn.
///
/// ```
/// use cache_core::{PeerId, port::{Gate, Side}};
/// use cache_crypto::{FleetGate, FleetSecret, Keyring};
///
/// let gate = FleetGate::new(Keyring::new(&FleetSecret::generate()?));
/// let (one, other) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
/// let mut dialer = gate.begin(Side::Dialer, one, other, b"channel");
/// let mut listener = gate.begin(Side::Listener, other, one, b"channel");
/// for _ in 0..2 {
///     listener.handle(&dialer.poll_transmit().expect("it is the dialer's turn"))?;
///     dialer.handle(&listener.poll_transmit().expect("it is the listener's turn"))?;
/// }
/// let mut from = dialer.poll_session().expect("the listener has answered");
/// let mut to = listener.poll_session().expect("the answer is sent");
/// assert_eq!(to.open(&from.seal(b"frame")?)?, b"frame");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FleetGate(RwLock<Arc<Shared>>);

impl FleetGate {
    /// A gate that lets in by the secrets of `keyring`.
    pub fn new(keyring: Keyring) -> Self {
        Self::speaking(keyring, Protocol::OURS)
    }

    /// The same for a member that speaks `protocol`, such as one of another release.
    pub fn speaking(keyring: Keyring, protocol: Protocol) -> Self {
        Self(RwLock::new(Arc::new(Shared { keyring, protocol })))
    }

    /// Lets in by the secrets of `keyring` alone from now on.
    ///
    /// Sessions by a secret that is not in it are revoked ([`Session::is_revoked`]), including those of admissions
    /// that are under way; the others stand.
    pub fn go_by(&self, keyring: Keyring) {
        let mut shared = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let keyring = keyring.in_place_of(&shared.keyring);
        *shared = Arc::new(Shared { keyring, protocol: shared.protocol });
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many peers each secret let in, the current secret first. A secret that lets no more peers in can be
    /// dropped.
    pub fn admissions(&self) -> Vec<(KeyId, u64)> {
        let shared = self.shared();
        let keys = shared.keyring.keys().iter();
        keys.map(|key| (key.id, key.admissions.load(Ordering::Relaxed))).collect()
    }

    pub(crate) fn begin_with(
        &self,
        side: Side,
        local: PeerId,
        remote: PeerId,
        channel: &[u8],
        random: Option<Random>,
    ) -> FleetAdmission {
        let shared = self.shared();
        let protocol = shared.protocol;
        let mut admission = FleetAdmission { shared, side, local, remote, outbox: None, stage: Stage::Over };
        // Without entropy nothing can be proved, and the admission is over before it begins.
        if let Some(random) = random {
            let hello = hello(protocol, &random.nonce);
            if side == Side::Dialer {
                admission.outbox = Some(hello.clone());
            }
            admission.stage = Stage::Meeting { hello, padding: random.padding, channel: channel.into() };
        }
        admission
    }
}

impl Gate for FleetGate {
    fn begin(&self, side: Side, local: PeerId, remote: PeerId, channel: &[u8]) -> Box<dyn Admission> {
        Box::new(self.begin_with(side, local, remote, channel, Random::fresh().ok()))
    }
}

impl fmt::Debug for FleetGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FleetGate").field(&self.shared().keyring).finish()
    }
}

struct Shared {
    keyring: Keyring,
    protocol: Protocol,
}

/// One side of one admission.
pub(crate) struct FleetAdmission {
    shared: Arc<Shared>,
    side: Side,
    local: PeerId,
    remote: PeerId,
    /// Our next message. While there is one, the other side's is not due.
    outbox: Option<Bytes>,
    stage: Stage,
}

/// What an admission waits for. `Meeting → Proving → Admitted → Over`; any refusal ends it.
enum Stage {
    /// It waits for the other side's hello.
    Meeting { hello: Bytes, padding: Slots, channel: Box<[u8]> },
    /// It waits for the dialer's proof; this node is the listener.
    DialerProving(Met, Protocol),
    /// It waits for the listener's proof; this node is the dialer.
    ListenerProving(Proved, Protocol),
    /// It waits for its session to be taken.
    Admitted(Box<FleetSession>),
    /// The admission has ended; nothing more is sent or read.
    Over,
}

impl Admission for FleetAdmission {
    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.outbox.take()
    }

    fn handle(&mut self, message: &[u8]) -> Result<(), Refused> {
        let stage = mem::replace(&mut self.stage, Stage::Over);
        if self.outbox.take().is_some() {
            return Err(Refused::Unproved);
        }
        self.stage = match stage {
            Stage::Meeting { hello, padding, channel } => {
                let protocol = self.common(&hello, message)?;
                Some(self.meet(&hello, padding, &channel, message, protocol))
            }
            Stage::DialerProving(met, protocol) => self.admit_dialer(met, protocol, message),
            Stage::ListenerProving(proved, protocol) => self.admit_listener(proved, protocol, message),
            Stage::Admitted(_) | Stage::Over => None,
        }
        .ok_or(Refused::Unproved)?;
        Ok(())
    }

    fn poll_session(&mut self) -> Option<Box<dyn Session>> {
        if self.outbox.is_some() || !matches!(self.stage, Stage::Admitted(_)) {
            return None;
        }
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Admitted(session) => Some(session),
            Stage::Meeting { .. } | Stage::DialerProving(..) | Stage::ListenerProving(..) | Stage::Over => {
                None
            }
        }
    }
}

impl FleetAdmission {
    /// The protocol that this node has in common with the sender of `theirs`.
    fn common(&self, ours: &[u8], theirs: &[u8]) -> Result<Protocol, Refused> {
        let (&major, _) = theirs.split_first().ok_or(Refused::Unproved)?;
        if major != self.shared.protocol.major {
            return Err(Refused::OtherVersion { major });
        }
        // A sender of our own hello has nothing of its own to say.
        let spoken = spoken(theirs).filter(|_| theirs != ours).ok_or(Refused::Unproved)?;
        self.shared.protocol.with(spoken).ok_or(Refused::OtherVersion { major })
    }

    /// Takes the other side's hello.
    fn meet(
        &mut self,
        ours: &Bytes,
        padding: Slots,
        channel: &[u8],
        theirs: &[u8],
        protocol: Protocol,
    ) -> Stage {
        let parties = Parties::new(self.side, self.local, self.remote);
        match self.side {
            Side::Dialer => {
                let met = Met::new(parties, channel, [ours, theirs]);
                let mut slots = padding;
                for (slot, key) in slots.as_chunks_mut().0.iter_mut().zip(self.shared.keyring.keys()) {
                    *slot = met.proof(key);
                }
                self.outbox = Some(Bytes::copy_from_slice(&slots));
                Stage::ListenerProving(met.then(&slots), protocol)
            }
            Side::Listener => {
                self.outbox = Some(ours.clone());
                Stage::DialerProving(Met::new(parties, channel, [theirs, ours]), protocol)
            }
        }
    }

    /// Takes the dialer's proof, and answers with the first of our secrets that it proves.
    fn admit_dialer(&mut self, met: Met, protocol: Protocol, message: &[u8]) -> Option<Stage> {
        let slots: &Slots = message.try_into().ok()?;
        let key = met.proved_by(self.shared.keyring.keys(), slots)?;
        let proved = met.then(slots);
        let answer = proved.answer(key);
        let session = self.session(key, protocol, &proved.then(&answer));
        self.outbox = Some(Bytes::copy_from_slice(&answer));
        Some(Stage::Admitted(session))
    }

    /// Takes the listener's proof.
    fn admit_listener(&self, proved: Proved, protocol: Protocol, message: &[u8]) -> Option<Stage> {
        let answer: &Proof = message.try_into().ok()?;
        let key = proved.answered_by(self.shared.keyring.keys(), answer)?;
        Some(Stage::Admitted(self.session(key, protocol, &proved.then(answer))))
    }

    fn session(&self, key: &Arc<MemberKey>, protocol: Protocol, agreed: &Agreed) -> Box<FleetSession> {
        key.admissions.fetch_add(1, Ordering::Relaxed);
        let [to_listener, to_dialer] = agreed.session_keys(key);
        let (sending, receiving) = match self.side {
            Side::Dialer => (&to_listener, &to_dialer),
            Side::Listener => (&to_dialer, &to_listener),
        };
        Box::new(FleetSession::new(self.local, sending, self.remote, receiving, (protocol, Arc::clone(key))))
    }
}

/// What makes one side of one admission unlike any other.
pub(crate) struct Random {
    pub(crate) nonce: [u8; NONCE_BYTES],
    /// Random bytes for the slots that no secret of ours needs.
    pub(crate) padding: Slots,
}

impl Random {
    fn fresh() -> Result<Self, SealError> {
        let mut random = Self { nonce: [0; NONCE_BYTES], padding: [0; SLOTS_BYTES] };
        fill_random(&mut random.nonce)?;
        fill_random(&mut random.padding)?;
        Ok(random)
    }
}

fn hello(protocol: Protocol, nonce: &[u8; NONCE_BYTES]) -> Bytes {
    let features = protocol.features.bits().to_le_bytes();
    [&[protocol.major, protocol.minor][..], &features, nonce].concat().into()
}

/// What a hello of our major version says is spoken; `None` if it is cut short.
fn spoken(hello: &[u8]) -> Option<Protocol> {
    let (&[major, minor], rest) = hello.split_first_chunk()?;
    let (features, rest) = rest.split_first_chunk()?;
    let _nonce: &[u8; NONCE_BYTES] = rest.first_chunk()?;
    Some(Protocol { major, minor, features: Features::from_bits(u64::from_le_bytes(*features)) })
}

pub(crate) const NONCE_BYTES: usize = 32;

const _: () = assert!(SLOTS_BYTES <= ADMISSION_BYTES_MAX);

#[cfg(test)]
mod tests;
