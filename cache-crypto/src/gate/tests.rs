//! The whole transcript, pinned. `tests/reference.rs` computes the same file by other means.

use super::*;
use crate::{FleetSecret, schedule::digest, secret_text};
use std::fmt::Write as _;
use zeroize::Zeroizing;

fn secret(byte: u8) -> FleetSecret {
    FleetSecret::parse(&secret_text::encode(&Zeroizing::new([byte; 32]))).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

/// A dialer with two secrets meets a listener that has only the older one.
fn vectors() -> String {
    let (dialer_id, listener_id) = (PeerId::from_public_key([0xd1; 32]), PeerId::from_public_key([0x15; 32]));
    let channel = b"channel of the vectors";
    let random =
        |byte| Some(Random { nonce: [byte; 32], padding: std::array::from_fn(|at| byte ^ at as u8) });
    let both = Keyring::new(&secret(1)).accepting(&secret(2)).unwrap();
    let mut dialer =
        FleetGate::new(both).begin_with(Side::Dialer, dialer_id, listener_id, channel, random(0x0d));
    let old = Keyring::new(&secret(2));
    let name = old.names().name("anonymous GET /repos/acme/site");
    let mut listener =
        FleetGate::new(old).begin_with(Side::Listener, listener_id, dialer_id, channel, random(0x01));
    let dialer_hello = dialer.poll_transmit().unwrap();
    listener.handle(&dialer_hello).unwrap();
    let listener_hello = listener.poll_transmit().unwrap();
    dialer.handle(&listener_hello).unwrap();
    let slots = dialer.poll_transmit().unwrap();
    listener.handle(&slots).unwrap();
    let answer = listener.poll_transmit().unwrap();
    dialer.handle(&answer).unwrap();
    let (mut dialer, mut listener) = (dialer.poll_session().unwrap(), listener.poll_session().unwrap());
    let lines: [(&str, &[u8]); 14] = [
        ("dialer", dialer_id.public_key()),
        ("listener", listener_id.public_key()),
        ("channel", channel),
        ("dialer_secrets", &[[1; 32], [2; 32]].concat()),
        ("listener_secrets", &[2; 32]),
        ("dialer_hello", &dialer_hello),
        ("listener_hello", &listener_hello),
        ("slots", &slots),
        ("answer", &answer),
        ("dialer_frame_0", &dialer.seal(b"the first frame of the dialer").unwrap()),
        ("dialer_frame_1", &dialer.seal(b"").unwrap()),
        ("dialer_bulk_0_sha256", &digest(&[&dialer.seal(&[0; 70_000]).unwrap()])),
        ("listener_frame_0", &listener.seal(b"the first frame of the listener").unwrap()),
        ("name", &name),
    ];
    lines.iter().fold(String::new(), |mut text, (name, bytes)| {
        writeln!(text, "{name} {}", hex(bytes)).unwrap();
        text
    })
}

/// Messages that change make every member of an older version a stranger.
#[test]
fn the_admission_says_what_it_always_said() {
    assert_eq!(vectors(), include_str!("../../tests/vectors/admission-v1.txt"));
}

#[test]
fn without_entropy_nothing_is_said_and_nobody_is_let_in() {
    let (one, other) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
    for side in [Side::Dialer, Side::Listener] {
        let gate = FleetGate::new(Keyring::new(&secret(1)));
        let mut admission = gate.begin_with(side, one, other, b"", None);
        assert_eq!(admission.poll_transmit(), None);
        assert_eq!(admission.handle(&hello(Protocol::OURS, &[0; 32])), Err(Refused::Unproved));
        assert!(admission.poll_session().is_none());
    }
}

/// Changes what a build says and covers with its proof, as a later minor version may.
#[test]
fn a_longer_hello_is_covered_by_the_proof_of_both_sides() {
    let (one, other) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
    let gate = FleetGate::new(Keyring::new(&secret(1)));
    let mut dialer = gate.begin_with(Side::Dialer, one, other, b"", Random::fresh().ok());
    let mut listener = gate.begin_with(Side::Listener, other, one, b"", Random::fresh().ok());
    let Stage::Meeting { hello, .. } = &mut dialer.stage else { panic!("it has only begun") };
    *hello = [&hello[..], b"what is not known yet"].concat().into();
    dialer.outbox = Some(hello.clone());
    for _ in 0..2 {
        listener.handle(&dialer.poll_transmit().unwrap()).unwrap();
        dialer.handle(&listener.poll_transmit().unwrap()).unwrap();
    }
    assert!(dialer.poll_session().is_some() && listener.poll_session().is_some());
}
