//! The admission: it lets in only peers that know a secret, on an admission that was not altered.

use cache_core::{
    PeerId,
    port::{ADMISSION_BYTES_MAX, Admission, Session, Side},
};
use cache_crypto::{FleetGate, FleetSecret, Keyring, fuzzing::begin};
use std::sync::LazyLock;

/// The first byte decides what the rest is: what a stranger says to a gate, or how an attacker on the line alters
/// what two members say.
///
/// # Panics
///
/// When a stranger is let in, when both members let each other in although something was altered, when they do
/// not although nothing was, or when a message is longer than one may be.
pub fn check(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else { return };
    match how % 4 {
        0 => stranger(Side::Dialer, rest),
        1 => stranger(Side::Listener, rest),
        2 => meddler(rest, &GATES.one, &GATES.one),
        _between_keyrings => meddler(rest, &GATES.one, &GATES.rotating),
    }
}

/// Each stage reached, and each message altered.
pub fn seeds() -> Vec<Vec<u8>> {
    let message = |length: u16, first: u8| {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(2 + usize::from(length), 7);
        bytes[2] = first;
        bytes
    };
    let mut seeds =
        vec![vec![2], vec![3], vec![2, 0, 3, 1], vec![2, 1, 0, 1], vec![3, 2, 70, 255], vec![2, 3, 31, 1]];
    for side in 0..2 {
        seeds.push([&[side][..], &message(42, 1), &message(128, 0), &message(32, 0)].concat());
        seeds.push([&[side][..], &message(42, 2)].concat());
        seeds.push([&[side][..], &message(42, 1), &message(32, 0)].concat());
    }
    seeds
}

/// Two sides of one connection.
pub(crate) struct Members {
    pub(crate) dialer: Box<dyn Session>,
    pub(crate) listener: Box<dyn Session>,
}

/// Two members that have let each other in on `channel`, which decides their keys; always by the same random numbers.
pub(crate) fn connected(channel: &[u8]) -> Members {
    let sides = meet(&GATES.one, &GATES.one, channel, |_, _| {});
    let [Some(dialer), Some(listener)] = sides else { panic!("members let each other in") };
    Members { dialer, listener }
}

/// Says the rest of `data` to a gate, message by message: two bytes of length, then as many.
fn stranger(side: Side, mut data: &[u8]) {
    let mut admission = begin(&GATES.one, (side, PEERS[0], PEERS[1]), CHANNEL, 1);
    for _message in 0..MESSAGES_MAX {
        take_out(&mut *admission);
        let Some((length, rest)) = data.split_first_chunk() else { break };
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (message, rest) = rest.split_at(length);
        let refused = admission.handle(message).is_err();
        assert!(admission.poll_session().is_none(), "a stranger is let in");
        if refused {
            assert!(admission.poll_transmit().is_none(), "a refused stranger is told something");
            assert!(admission.handle(message).is_err(), "a refused stranger may go on");
        }
        data = rest;
    }
}

/// Alters one message: `[which, where, how]`, or none.
fn meddler(data: &[u8], dialer: &FleetGate, listener: &FleetGate) {
    let mut is_altered = false;
    let mut changes = data.chunks_exact(3).take(MESSAGES_MAX);
    let change = changes.next().map(|change| [change[0], change[1], change[2]]);
    let sides = meet(dialer, listener, CHANNEL, |number, message| {
        let Some([which, at, how]) = change else { return };
        if usize::from(which) % 4 != number {
            return;
        }
        let before = message.clone();
        let at = usize::from(at) % message.len();
        match how {
            0 => message.truncate(at),
            1 => message.insert(at, how),
            _bits => message[at] ^= how,
        }
        is_altered = *message != before;
    });
    let both = sides.iter().all(Option::is_some);
    assert_eq!(both, !is_altered, "altered: {is_altered}, both let in: {both}");
    if let [Some(mut dialer), Some(mut listener)] = sides {
        let frame = dialer.seal(b"frame").expect("a fresh session seals");
        assert_eq!(listener.open(&frame).as_deref(), Ok(&b"frame"[..]));
        let frame = listener.seal(b"frame").expect("a fresh session seals");
        assert_eq!(dialer.open(&frame).as_deref(), Ok(&b"frame"[..]));
    }
}

/// Runs an admission to its end; `alter` sees the messages on their way, numbered from zero.
fn meet(
    dialer: &FleetGate,
    listener: &FleetGate,
    channel: &[u8],
    mut alter: impl FnMut(usize, &mut Vec<u8>),
) -> [Option<Box<dyn Session>>; 2] {
    let mut sides = [
        begin(dialer, (Side::Dialer, PEERS[0], PEERS[1]), channel, 1),
        begin(listener, (Side::Listener, PEERS[1], PEERS[0]), channel, 2),
    ];
    for number in 0..MESSAGES_MAX {
        let Some(mut message) = take_out(&mut *sides[number % 2]) else { break };
        alter(number, &mut message);
        if sides[(number + 1) % 2].handle(&message).is_err() {
            break;
        }
    }
    sides.map(|mut side| side.poll_session())
}

fn take_out(admission: &mut dyn Admission) -> Option<Vec<u8>> {
    let message = admission.poll_transmit()?;
    assert!((1..=ADMISSION_BYTES_MAX).contains(&message.len()), "a message of {} bytes", message.len());
    Some(message.to_vec())
}

struct Gates {
    one: FleetGate,
    /// Has another secret, and accepts that of `one`.
    rotating: FleetGate,
}

static GATES: LazyLock<Gates> = LazyLock::new(|| {
    let secret = |text: &str| FleetSecret::parse(text).expect("a passphrase");
    let (old, new) = (secret("correct horse battery staple"), secret("staple battery horse correct"));
    let rotating = Keyring::new(&new).accepting(&old).expect("two secrets are not too many");
    Gates { one: FleetGate::new(Keyring::new(&old)), rotating: FleetGate::new(rotating) }
});

const PEERS: [PeerId; 2] = [PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32])];
const CHANNEL: &[u8] = b"channel";
/// More than an admission has.
const MESSAGES_MAX: usize = 8;
