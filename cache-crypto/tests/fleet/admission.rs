//! Which peers are let in, and which are not, whatever they try.

use crate::support::{CHANNEL, ONE, OTHER, Pair, THIRD, gate, meet, secret};
use bytes::Bytes;
use cache_core::{
    Features, Protocol,
    port::{Admission, Gate as _, Refused, Side},
};
use cache_crypto::{FleetGate, FleetSecret, Keyring};
use proptest::prelude::*;

#[test]
fn members_with_one_secret_let_each_other_in_whatever_its_kind() {
    let texts = ["correct horse battery staple", "ghp_000000000000000000000000000000000000"];
    let parsed = texts.map(|text| FleetSecret::parse(text).unwrap());
    for secret in parsed.iter().chain([&secret()]) {
        assert!(meet(&gate(&[secret]), &gate(&[secret])), "{secret:?}");
    }
}

#[test]
fn members_meet_exactly_when_they_share_a_secret() {
    let (old, new, foreign) = (secret(), secret(), secret());
    let keyrings: [&[&FleetSecret]; 6] =
        [&[&old], &[&old, &new], &[&new, &old], &[&new], &[&foreign], &[&foreign, &new]];
    let shares = [
        [true, true, true, false, false, false],
        [true, true, true, true, false, true],
        [true, true, true, true, false, true],
        [false, true, true, true, false, true],
        [false, false, false, false, true, true],
        [false, true, true, true, true, true],
    ];
    for (dialer, row) in keyrings.iter().zip(shares) {
        for (listener, expected) in keyrings.iter().zip(row) {
            assert_eq!(meet(&gate(dialer), &gate(listener)), expected, "{dialer:?} to {listener:?}");
        }
    }
}

#[test]
fn a_gate_counts_by_which_secret_it_let_in() {
    let (old, new) = (secret(), secret());
    let both = gate(&[&new, &old]);
    for keyring in [[&old], [&new], [&new]] {
        assert!(meet(&gate(&keyring), &both));
    }
    assert!(!meet(&gate(&[&secret()]), &both));
    let counts: Vec<_> = both.admissions().iter().map(|(id, count)| (id.to_string(), *count)).collect();
    assert_eq!(counts, [(new.fingerprint(), 2), (old.fingerprint(), 1)]);
}

#[test]
fn members_who_share_several_secrets_go_by_the_listener_s_preference() {
    let (old, new) = (secret(), secret());
    for (dialer, listener) in [([&old, &new], [&new, &old]), ([&new, &old], [&old, &new])] {
        let (dialer, listener) = (gate(&dialer), gate(&listener));
        assert!(meet(&dialer, &listener));
        assert_eq!(counts(&listener), [1, 0]);
        assert_eq!(counts(&dialer), [0, 1]);
    }
}

#[test]
fn a_listener_says_nothing_that_depends_on_its_secret_before_the_dialer_has_proved_itself() {
    let mut pair = Pair::of(&gate(&[&secret()]), &gate(&[&secret()]));
    let mut said_by_listener = 0;
    let outcome = pair.run(|turn, message| {
        said_by_listener += turn % 2;
        message
    });
    assert_eq!(outcome, Err(Refused::Unproved));
    assert_eq!(said_by_listener, 1, "its hello, which is random");
    assert_silent_and_closed(pair.listener);
}

#[test]
fn a_dialer_refuses_a_listener_that_knows_no_secret() {
    for answer in [[0; 32], [0xff; 32]] {
        let mut pair = Pair::of(&gate(&[&secret()]), &gate(&[&secret()]));
        pair.dialer.poll_transmit().unwrap();
        pair.dialer.handle(&hello(1)).unwrap();
        pair.dialer.poll_transmit().unwrap();
        assert_eq!(pair.dialer.handle(&answer), Err(Refused::Unproved));
        assert_silent_and_closed(pair.dialer);
    }
}

#[test]
fn a_hello_of_another_major_version_is_refused_for_that_whatever_it_goes_on_with() {
    let gate = gate(&[&secret()]);
    for major in [0, 2, 255] {
        for hello in [&hello(major)[..], &[major], &[major; 512]] {
            let mut listener = gate.begin(Side::Listener, OTHER, ONE, CHANNEL);
            assert_eq!(listener.handle(hello), Err(Refused::OtherVersion { major }));
            assert_silent_and_closed(listener);
            let mut dialer = gate.begin(Side::Dialer, ONE, OTHER, CHANNEL);
            dialer.poll_transmit().unwrap();
            assert_eq!(dialer.handle(hello), Err(Refused::OtherVersion { major }));
            assert_silent_and_closed(dialer);
        }
    }
}

#[test]
fn members_of_one_major_version_speak_the_lower_minor_and_the_features_that_both_have() {
    let secret = secret();
    let later = Protocol { minor: 9, features: Features::from_bits(u64::MAX >> 1), ..Protocol::OURS };
    let lesser = Protocol { features: Features::WARM_UP, ..Protocol::OURS };
    let speaks = |protocol| FleetGate::speaking(Keyring::new(&secret), protocol);
    for (one, other, expected) in [
        (later, later, later),
        (later, Protocol::OURS, Protocol::OURS),
        (Protocol::OURS, later, Protocol::OURS),
        (lesser, later, lesser),
        (Protocol::OURS, lesser, lesser),
    ] {
        let (_, (dialer, listener)) = Pair::of(&speaks(one), &speaks(other)).recorded();
        assert_eq!((dialer.protocol(), listener.protocol()), (expected, expected), "{one:?}, {other:?}");
    }
}

#[test]
fn what_a_later_minor_version_puts_behind_its_hello_is_skipped_but_not_left_unproved() {
    let gate = gate(&[&secret()]);
    // Both sides see the longer hello: the listener answers it. One side alone does: the dialer's proof fails.
    let mut pair = Pair::of(&gate, &gate);
    let hello = [&pair.dialer.poll_transmit().unwrap()[..], b"more"].concat();
    pair.listener.handle(&hello).unwrap();
    pair.dialer.handle(&pair.listener.poll_transmit().unwrap()).unwrap();
    assert_eq!(pair.listener.handle(&pair.dialer.poll_transmit().unwrap()), Err(Refused::Unproved));
}

#[test]
fn a_recorded_admission_lets_nobody_in_again() {
    let gate = gate(&[&secret()]);
    let (messages, _) = Pair::of(&gate, &gate).recorded();
    let mut fresh = Pair::of(&gate, &gate);
    fresh.listener.handle(&messages[0]).unwrap();
    fresh.listener.poll_transmit().unwrap();
    assert_eq!(fresh.listener.handle(&messages[2]), Err(Refused::Unproved));
    assert_silent_and_closed(fresh.listener);
    fresh.dialer.poll_transmit().unwrap();
    fresh.dialer.handle(&messages[1]).unwrap();
    fresh.dialer.poll_transmit().unwrap();
    assert_eq!(fresh.dialer.handle(&messages[3]), Err(Refused::Unproved));
    assert_silent_and_closed(fresh.dialer);
}

#[test]
fn a_side_that_hears_its_own_messages_lets_nobody_in() {
    let gate = gate(&[&secret()]);
    let mut dialer = gate.begin(Side::Dialer, ONE, OTHER, CHANNEL);
    let echo = dialer.poll_transmit().unwrap();
    assert_eq!(dialer.handle(&echo), Err(Refused::Unproved));
    assert_silent_and_closed(dialer);

    // Its own proof, cut to the length of an answer, proves the secret to a dialer only if roles are not bound.
    let mut dialer = gate.begin(Side::Dialer, ONE, OTHER, CHANNEL);
    dialer.poll_transmit().unwrap();
    dialer.handle(&hello(1)).unwrap();
    let slots = dialer.poll_transmit().unwrap();
    assert_eq!(dialer.handle(&slots[..32]), Err(Refused::Unproved));
    assert_silent_and_closed(dialer);
}

#[test]
fn two_dialers_never_let_each_other_in() {
    let gate = gate(&[&secret()]);
    let mut one = gate.begin(Side::Dialer, ONE, OTHER, CHANNEL);
    let mut other = gate.begin(Side::Dialer, OTHER, ONE, CHANNEL);
    let hellos = (one.poll_transmit().unwrap(), other.poll_transmit().unwrap());
    one.handle(&hellos.1).unwrap();
    other.handle(&hellos.0).unwrap();
    let slots = one.poll_transmit().unwrap();
    other.poll_transmit().unwrap();
    assert_eq!(other.handle(&slots), Err(Refused::Unproved));
    assert_silent_and_closed(other);
}

#[test]
fn somebody_between_two_members_cannot_pass_their_messages_on() {
    let gate = gate(&[&secret()]);
    // Each member's handshake proved the third, which relays every byte unchanged.
    let mut between = Pair {
        dialer: gate.begin(Side::Dialer, ONE, THIRD, CHANNEL),
        listener: gate.begin(Side::Listener, OTHER, THIRD, CHANNEL),
    };
    assert_eq!(between.run(|_, message| message), Err(Refused::Unproved));
    assert_silent_and_closed(between.listener);
    // Nor from one connection of the same two to another.
    let mut across = Pair {
        dialer: gate.begin(Side::Dialer, ONE, OTHER, b"channel one"),
        listener: gate.begin(Side::Listener, OTHER, ONE, b"channel two"),
    };
    assert_eq!(across.run(|_, message| message), Err(Refused::Unproved));
    assert_silent_and_closed(across.listener);
}

#[test]
fn one_altered_bit_anywhere_ends_the_admission() {
    let gate = gate(&[&secret(), &secret()]);
    for (altered_turn, bytes) in MESSAGE_BYTES.into_iter().enumerate() {
        for bit in 0..bytes * 8 {
            let mut pair = Pair::of(&gate, &gate);
            let outcome = pair.run(|turn, message| {
                let mut message = message.to_vec();
                if turn == altered_turn {
                    message[bit / 8] ^= 1 << (bit % 8);
                }
                message.into()
            });
            assert!(outcome.is_err(), "message {altered_turn}, bit {bit}");
            assert_silent_and_closed(pair.dialer);
        }
    }
}

#[test]
fn messages_of_any_other_length_are_refused() {
    let gate = gate(&[&secret()]);
    for (cut_turn, bytes) in MESSAGE_BYTES.into_iter().enumerate() {
        for length in (0..=bytes + 40).filter(|length| *length != bytes).chain([512, 100_000]) {
            let mut pair = Pair::of(&gate, &gate);
            let outcome = pair.run(|turn, message| {
                let mut message = message.to_vec();
                if turn == cut_turn {
                    message.resize(length, 0);
                }
                message.into()
            });
            assert_eq!(outcome, Err(Refused::Unproved), "message {cut_turn} of {length} bytes");
        }
    }
}

#[test]
fn messages_out_of_turn_are_refused() {
    let gate = gate(&[&secret()]);
    let (messages, _) = Pair::of(&gate, &gate).recorded();
    let early = |message: &Bytes| {
        let mut dialer = gate.begin(Side::Dialer, ONE, OTHER, CHANNEL);
        // Its own hello has not left yet.
        assert_eq!(dialer.handle(message), Err(Refused::Unproved));
        assert_silent_and_closed(dialer);
    };
    messages.iter().for_each(early);
    for message in &messages[2..] {
        let mut listener = gate.begin(Side::Listener, OTHER, ONE, CHANNEL);
        // Their first byte is as good as random, and is taken for that of another version unless it is ours.
        let refused = listener.handle(message);
        assert!(matches!(refused, Err(Refused::Unproved | Refused::OtherVersion { .. })), "{refused:?}");
        assert_silent_and_closed(listener);
    }
    let mut listener = gate.begin(Side::Listener, OTHER, ONE, CHANNEL);
    listener.handle(&messages[0]).unwrap();
    listener.poll_transmit().unwrap();
    assert_eq!(listener.handle(&messages[0]), Err(Refused::Unproved));
    assert_silent_and_closed(listener);
}

#[test]
fn a_message_after_the_last_one_ends_an_admission_whose_session_was_not_taken() {
    let gate = gate(&[&secret()]);
    let mut pair = Pair::of(&gate, &gate);
    pair.run(|_, message| message).unwrap();
    assert_eq!(pair.dialer.handle(b""), Err(Refused::Unproved));
    assert_silent_and_closed(pair.dialer);
}

#[test]
fn a_listener_has_no_session_before_its_answer_left() {
    let gate = gate(&[&secret()]);
    let mut pair = Pair::of(&gate, &gate);
    for _ in 0..2 {
        assert!(pair.listener.poll_session().is_none());
        let message = pair.dialer.poll_transmit().unwrap();
        pair.listener.handle(&message).unwrap();
        assert!(pair.listener.poll_session().is_none());
        let message = pair.listener.poll_transmit().unwrap();
        pair.dialer.handle(&message).unwrap();
    }
    assert!(pair.listener.poll_session().is_some());
    assert!(pair.listener.poll_session().is_none(), "it is taken once");
}

#[test]
fn no_two_admissions_look_alike_however_many_secrets_are_in_use() {
    let (one, two) = (secret(), secret());
    let (first, _) = Pair::of(&gate(&[&one]), &gate(&[&one])).recorded();
    let (second, _) = Pair::of(&gate(&[&one, &two]), &gate(&[&one, &two])).recorded();
    for ((a, b), bytes) in first.iter().zip(&second).zip(MESSAGE_BYTES) {
        assert_eq!((a.len(), b.len()), (bytes, bytes));
        let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
        // One of 128 random bytes equals in 256; the ten of the protocol always do.
        assert!(equal < 22, "{equal} of {bytes} bytes are the same");
    }
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", gate(&[&secret()])), "FleetGate(Keyring { secrets: 1, .. })");
}

proptest! {
    #[test]
    fn arbitrary_messages_let_nobody_in(
        is_dialer: bool,
        messages in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                prop::collection::vec(any::<u8>(), 32).prop_map(|nonce| [&hello(1)[..10], &nonce[..]].concat()),
                prop::collection::vec(any::<u8>(), 32),
                prop::collection::vec(any::<u8>(), 128),
            ],
            0..6,
        ),
    ) {
        let side = if is_dialer { Side::Dialer } else { Side::Listener };
        let gate: FleetGate = gate(&[&secret()]);
        let mut admission = gate.begin(side, ONE, OTHER, CHANNEL);
        for message in messages {
            admission.poll_transmit();
            let outcome = admission.handle(&message);
            prop_assert!(admission.poll_session().is_none());
            if outcome.is_err() {
                assert_silent_and_closed(admission);
                break;
            }
        }
    }
}

/// A hello of this major version.
fn hello(major: u8) -> Vec<u8> {
    [&[major][..], &[0; 9], &[7; 32]].concat()
}

fn counts(gate: &FleetGate) -> Vec<u64> {
    gate.admissions().iter().map(|(_, count)| *count).collect()
}

fn assert_silent_and_closed(mut refused: Box<dyn Admission>) {
    assert_eq!(refused.poll_transmit(), None);
    assert!(refused.poll_session().is_none());
    // It says the same of whatever comes later as of what it refused.
    let again = refused.handle(b"again");
    assert!(matches!(again, Err(Refused::Unproved | Refused::OtherVersion { .. })), "{again:?}");
    assert_eq!(refused.poll_transmit(), None);
}

/// Both hellos, the slots, the answer.
const MESSAGE_BYTES: [usize; 4] = [42, 42, 128, 32];
