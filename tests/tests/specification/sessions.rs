//! Admissions without a network.

use cache_core::{
    PeerId,
    port::{Gate, Session, Side},
};
use cache_crypto::{FleetGate, FleetSecret, Keyring};

pub(crate) type OneSide = Option<Box<dyn Session>>;

/// What an admission between nodes with these secrets leaves each side with: the dialer first.
pub(crate) fn sessions(dialer: &FleetSecret, listener: &FleetSecret) -> (OneSide, OneSide) {
    let (one, other) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
    let gate = |secret: &FleetSecret| FleetGate::new(Keyring::new(secret));
    let mut dialer = gate(dialer).begin(Side::Dialer, one, other, b"channel");
    let mut listener = gate(listener).begin(Side::Listener, other, one, b"channel");
    for _ in 0..2 {
        for turn in [true, false] {
            let (from, to) = if turn { (&mut dialer, &mut listener) } else { (&mut listener, &mut dialer) };
            if let Some(message) = from.poll_transmit()
                && to.handle(&message).is_err()
            {
                return (dialer.poll_session(), listener.poll_session());
            }
        }
    }
    (dialer.poll_session(), listener.poll_session())
}
