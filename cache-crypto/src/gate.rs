//! Who is let in: those who prove that they know a secret of ours.
//!
//! ```text
//! dialer                                    listener
//!   | ── hello: version, 32 random bytes ────▶ |
//!   | ◀── hello: version, 32 random bytes ──── |
//!   | ── slots: a proof for each secret ─────▶ |   looks for one by a secret of its own
//!   | ◀── answer: a proof for that secret ──── |
//! ```
//!
//! All messages have one length each, and to those who know no secret they are random bytes: they show
//! neither the fleet nor how many secrets are in use. What is proved is in [`crate::transcript`].
//!
//! A proof under a key that comes from a guessable secret lets whoever receives it test guesses at leisure.
//! One side must go first, and it is the dialer: a listener can be dialled by anybody and gives away nothing
//! that depends on its secrets before it knows whom it talks to, while a dialer chooses whom it dials, and
//! an address with a peer id in it is answered by that peer or not at all. What is left is a node that is
//! led to dial an attacker. Each guess then costs what the stretch of the secret's kind costs; a generated
//! secret cannot be guessed. Somebody who dials may try as many guesses per connection as there are slots.

use crate::{
    KeyId, Keyring,
    keyring::MemberKey,
    schedule::fill_random,
    session::FleetSession,
    transcript::{Agreed, Met, Parties, Proof, Proved, SLOTS_BYTES, Slots},
};
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{ADMISSION_BYTES_MAX, Admission, Gate, Refused, SealError, Session, Side},
};
use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Lets in whoever proves a secret of the [`Keyring`], and proves the same one in turn.
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
pub struct FleetGate(Arc<Shared>);

impl FleetGate {
    /// Lets in by the secrets of `keyring`.
    pub fn new(keyring: Keyring) -> Self {
        let admissions = keyring.ids().map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Shared { keyring, admissions }))
    }

    /// How many were let in by each secret, the current one first. A secret that nobody comes by any more
    /// can be forgotten.
    pub fn admissions(&self) -> Vec<(KeyId, u64)> {
        let counts = self.0.admissions.iter().map(|count| count.load(Ordering::Relaxed));
        self.0.keyring.ids().zip(counts).collect()
    }

    pub(crate) fn begin_with(
        &self,
        side: Side,
        local: PeerId,
        remote: PeerId,
        channel: &[u8],
        random: Option<Random>,
    ) -> FleetAdmission {
        let mut admission = FleetAdmission {
            shared: Arc::clone(&self.0),
            side,
            local,
            remote,
            outbox: None,
            stage: Stage::Over,
        };
        // Without entropy nothing can be proved, and the admission is over before it begins.
        if let Some(random) = random {
            let hello = hello(&random.nonce);
            if side == Side::Dialer {
                admission.outbox = Some(Bytes::copy_from_slice(&hello));
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
        f.debug_tuple("FleetGate").field(&self.0.keyring).finish()
    }
}

struct Shared {
    keyring: Keyring,
    /// How many were let in by each key of the keyring, in its order.
    admissions: Box<[AtomicU64]>,
}

impl Shared {
    fn count(&self, by: &MemberKey) {
        let counts = self.keyring.keys().iter().zip(&self.admissions);
        for (_, count) in counts.filter(|(key, _)| std::ptr::eq(*key, by)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One side of one admission.
pub(crate) struct FleetAdmission {
    shared: Arc<Shared>,
    side: Side,
    local: PeerId,
    remote: PeerId,
    /// Our next message. The other side's is not due while this is.
    outbox: Option<Bytes>,
    stage: Stage,
}

/// What an admission waits for. `Meeting → Proving → Admitted → Over`; any refusal ends it.
enum Stage {
    /// The other side's hello.
    Meeting { hello: Hello, padding: Slots, channel: Box<[u8]> },
    /// The dialer's proof; we are the listener.
    DialerProving(Met),
    /// The listener's proof; we are the dialer.
    ListenerProving(Proved),
    /// The session's being taken.
    Admitted(Box<FleetSession>),
    /// Nothing.
    Over,
}

impl Admission for FleetAdmission {
    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.outbox.take()
    }

    fn handle(&mut self, message: &[u8]) -> Result<(), Refused> {
        let stage = mem::replace(&mut self.stage, Stage::Over);
        if self.outbox.take().is_some() {
            return Err(Refused);
        }
        self.stage = match stage {
            Stage::Meeting { hello, padding, channel } => self.meet(&hello, padding, &channel, message),
            Stage::DialerProving(met) => self.admit_dialer(met, message),
            Stage::ListenerProving(proved) => self.admit_listener(proved, message),
            Stage::Admitted(_) | Stage::Over => None,
        }
        .ok_or(Refused)?;
        Ok(())
    }

    fn poll_session(&mut self) -> Option<Box<dyn Session>> {
        if self.outbox.is_some() || !matches!(self.stage, Stage::Admitted(_)) {
            return None;
        }
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Admitted(session) => Some(session),
            Stage::Meeting { .. } | Stage::DialerProving(_) | Stage::ListenerProving(_) | Stage::Over => None,
        }
    }
}

impl FleetAdmission {
    /// Takes the other side's hello.
    fn meet(&mut self, ours: &Hello, padding: Slots, channel: &[u8], message: &[u8]) -> Option<Stage> {
        let theirs: &Hello = message.try_into().ok()?;
        // An echo of ours comes from somebody with nothing of their own to say.
        if theirs[0] != VERSION || theirs == ours {
            return None;
        }
        let parties = Parties::new(self.side, self.local, self.remote);
        match self.side {
            Side::Dialer => {
                let met = Met::new(parties, channel, [ours, theirs]);
                let mut slots = padding;
                for (slot, key) in slots.as_chunks_mut().0.iter_mut().zip(self.shared.keyring.keys()) {
                    *slot = met.proof(key);
                }
                self.outbox = Some(Bytes::copy_from_slice(&slots));
                Some(Stage::ListenerProving(met.then(&slots)))
            }
            Side::Listener => {
                self.outbox = Some(Bytes::copy_from_slice(ours));
                Some(Stage::DialerProving(Met::new(parties, channel, [theirs, ours])))
            }
        }
    }

    /// Takes the dialer's proof, and answers by the first of our secrets that it proves.
    fn admit_dialer(&mut self, met: Met, message: &[u8]) -> Option<Stage> {
        let slots: &Slots = message.try_into().ok()?;
        let key = met.proved_by(self.shared.keyring.keys(), slots)?;
        let proved = met.then(slots);
        let answer = proved.answer(key);
        let session = self.session(key, &proved.then(&answer));
        self.outbox = Some(Bytes::copy_from_slice(&answer));
        Some(Stage::Admitted(session))
    }

    /// Takes the listener's proof.
    fn admit_listener(&self, proved: Proved, message: &[u8]) -> Option<Stage> {
        let answer: &Proof = message.try_into().ok()?;
        let key = proved.answered_by(self.shared.keyring.keys(), answer)?;
        Some(Stage::Admitted(self.session(key, &proved.then(answer))))
    }

    fn session(&self, key: &MemberKey, agreed: &Agreed) -> Box<FleetSession> {
        self.shared.count(key);
        let [to_listener, to_dialer] = agreed.session_keys(key);
        let (sending, receiving) = match self.side {
            Side::Dialer => (&to_listener, &to_dialer),
            Side::Listener => (&to_dialer, &to_listener),
        };
        Box::new(FleetSession::new(self.local, sending, self.remote, receiving))
    }
}

/// What makes one side of one admission unlike any other.
pub(crate) struct Random {
    pub(crate) nonce: [u8; NONCE_BYTES],
    /// For the slots that no secret of ours needs.
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

type Hello = [u8; 1 + NONCE_BYTES];

fn hello(nonce: &[u8; NONCE_BYTES]) -> Hello {
    let mut hello = [VERSION; 1 + NONCE_BYTES];
    hello[1..].copy_from_slice(nonce);
    hello
}

/// The version of the whole: messages, proofs and frames.
const VERSION: u8 = 1;
pub(crate) const NONCE_BYTES: usize = 32;

const _: () = assert!(SLOTS_BYTES <= ADMISSION_BYTES_MAX);

#[cfg(test)]
mod tests;
