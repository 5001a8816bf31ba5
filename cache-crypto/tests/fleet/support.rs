//! Two sides of an admission, and what lies between them.

use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{Admission, Gate, Refused, Session, Side},
};
use cache_crypto::{FleetGate, FleetSecret, Keyring};

/// Both sides' sessions: the dialer's first.
pub(crate) type Sessions = (Box<dyn Session>, Box<dyn Session>);

/// Both sides of one admission; a side is refused for good once it refuses.
pub(crate) struct Pair {
    pub(crate) dialer: Box<dyn Admission>,
    pub(crate) listener: Box<dyn Admission>,
}

impl Pair {
    pub(crate) fn of(dialer: &FleetGate, listener: &FleetGate) -> Self {
        Self {
            dialer: dialer.begin(Side::Dialer, ONE, OTHER, CHANNEL),
            listener: listener.begin(Side::Listener, OTHER, ONE, CHANNEL),
        }
    }

    /// Carries messages until one side refuses or neither has more to say; `carry` sees each message, by its number.
    pub(crate) fn run(&mut self, mut carry: impl FnMut(usize, Bytes) -> Bytes) -> Result<(), Refused> {
        for turn in 0.. {
            let (from, to) = match turn % 2 {
                0 => (&mut self.dialer, &mut self.listener),
                _ => (&mut self.listener, &mut self.dialer),
            };
            let Some(message) = from.poll_transmit() else { break };
            to.handle(&carry(turn, message))?;
        }
        Ok(())
    }

    pub(crate) fn sessions(mut self) -> Option<Sessions> {
        self.dialer.poll_session().zip(self.listener.poll_session())
    }

    /// The four messages of an undisturbed admission, and its sessions.
    pub(crate) fn recorded(mut self) -> (Vec<Bytes>, Sessions) {
        let mut messages = Vec::new();
        self.run(|_, message| {
            messages.push(message.clone());
            message
        })
        .expect("nobody disturbs");
        (messages, self.sessions().expect("nobody disturbs"))
    }
}

/// Whether nodes with these keyrings let each other in, and can talk then.
pub(crate) fn meet(dialer: &FleetGate, listener: &FleetGate) -> bool {
    let mut pair = Pair::of(dialer, listener);
    let outcome = pair.run(|_, message| message);
    let sessions = pair.sessions();
    assert_eq!(outcome.is_ok(), sessions.is_some());
    let Some((mut dialer, mut listener)) = sessions else { return false };
    let there = dialer.seal(b"there").expect("the sequence is long");
    let back = listener.seal(b"back").expect("the sequence is long");
    assert_eq!(listener.open(&there).as_deref(), Ok(&b"there"[..]));
    assert_eq!(dialer.open(&back).as_deref(), Ok(&b"back"[..]));
    true
}

/// Sessions of a fresh connection.
pub(crate) fn sessions() -> Sessions {
    let gate = gate(&[&secret()]);
    Pair::of(&gate, &gate).recorded().1
}

/// A gate that accepts `secrets`, of which the first is current.
pub(crate) fn gate(secrets: &[&FleetSecret]) -> FleetGate {
    let mut keyring = Keyring::new(secrets[0]);
    for secret in &secrets[1..] {
        keyring = keyring.accepting(secret).expect("there are few");
    }
    FleetGate::new(keyring)
}

pub(crate) fn secret() -> FleetSecret {
    FleetSecret::generate().expect("there is entropy")
}

pub(crate) const ONE: PeerId = PeerId::from_public_key([1; 32]);
pub(crate) const OTHER: PeerId = PeerId::from_public_key([2; 32]);
pub(crate) const THIRD: PeerId = PeerId::from_public_key([3; 32]);
pub(crate) const CHANNEL: &[u8] = b"a channel";
