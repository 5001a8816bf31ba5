//! The vectors once more, from the protocol's description and other people's primitives.
//!
//! Calls no code of this crate: keys, proofs and frames come from the `hmac`, `sha2` and `chacha20poly1305` crates.
//! HKDF is written out, since both of its steps are one HMAC here.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

#[test]
fn the_dialer_proves_each_of_its_secrets_and_pads() {
    let (met, slots) = (met(), vector("slots"));
    let secrets = vector("dialer_secrets");
    for (secret, slot) in secrets.chunks(32).zip(slots.chunks(32)) {
        assert_eq!(hmac(&key_of(secret, "admission"), &[b"fleet-cache v1 dialer's proof", &met]), slot);
    }
    let padding: Vec<u8> = (64..128).map(|at| 0x0d ^ at).collect();
    assert_eq!(slots[64..], padding);
}

#[test]
fn the_listener_proves_the_secret_that_both_know() {
    let admission = key_of(&vector("listener_secrets"), "admission");
    assert_eq!(hmac(&admission, &[b"fleet-cache v1 listener's proof", &proved()]), vector("answer"));
}

#[test]
fn frames_open_under_keys_of_the_whole_transcript() {
    let (dialer, listener) = (vector("dialer"), vector("listener"));
    let to_listener = session_key("fleet-cache v1 dialer to listener");
    let to_dialer = session_key("fleet-cache v1 listener to dialer");
    let first = open(&to_listener, &vector("dialer_frame_0"), 0, &dialer, &listener);
    assert_eq!(first, b"the first frame of the dialer");
    let second = vector("dialer_frame_1");
    assert_eq!(second[..9], [1, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(open(&to_listener, &second, 0, &dialer, &listener), b"");
    let back = open(&to_dialer, &vector("listener_frame_0"), 0, &listener, &dialer);
    assert_eq!(back, b"the first frame of the listener");
}

#[test]
fn long_frames_have_a_sequence_of_their_own() {
    let key = session_key("fleet-cache v1 dialer to listener");
    let frame = seal(&key, &[0; 70_000], 1, 0, &vector("dialer"), &vector("listener"));
    assert_eq!(sha256(&[&frame]), vector("dialer_bulk_0_sha256"));
}

#[test]
fn names_are_keyed_digests() {
    let key = key_of(&vector("listener_secrets"), "fleet name");
    assert_eq!(hmac(&key, &[b"anonymous GET /repos/acme/site"]), vector("name"));
}

fn met() -> Vec<u8> {
    let behind_its_length = |name| {
        let part = vector(name);
        [&(part.len() as u64).to_le_bytes()[..], &part].concat()
    };
    sha256(&[
        b"fleet-cache v1 met",
        &vector("dialer"),
        &vector("listener"),
        &behind_its_length("channel"),
        &behind_its_length("dialer_hello"),
        &behind_its_length("listener_hello"),
    ])
}

fn proved() -> Vec<u8> {
    sha256(&[b"fleet-cache v1 proved", &met(), &vector("slots")])
}

fn session_key(label: &str) -> Vec<u8> {
    let agreed = sha256(&[b"fleet-cache v1 agreed", &proved(), &vector("answer")]);
    let root = hmac(&agreed, &[&key_of(&vector("listener_secrets"), "session")]);
    hmac(&root, &[label.as_bytes(), &[1]])
}

/// The key for `purpose` of a generated secret.
fn key_of(secret: &[u8], purpose: &str) -> Vec<u8> {
    let root = hmac(b"fleet-cache v1 generated secret", &[secret]);
    hmac(&root, &[b"fleet-cache v1 ", purpose.as_bytes(), &[1]])
}

fn open(key: &[u8], frame: &[u8], lane: u8, sender: &[u8], receiver: &[u8]) -> Vec<u8> {
    let (nonce, context) = binding(&frame[1..9], lane, sender, receiver);
    let payload = Payload { msg: &frame[9..], aad: &context };
    XChaCha20Poly1305::new(key.into()).decrypt(&nonce.into(), payload).expect("the frame is whole")
}

fn seal(key: &[u8], plain: &[u8], lane: u8, place: u64, sender: &[u8], receiver: &[u8]) -> Vec<u8> {
    let (nonce, context) = binding(&place.to_le_bytes(), lane, sender, receiver);
    let payload = Payload { msg: plain, aad: &context };
    let cipher =
        XChaCha20Poly1305::new(key.into()).encrypt(&nonce.into(), payload).expect("the frame is short");
    [&[1], &place.to_le_bytes()[..], &cipher].concat()
}

fn binding(place: &[u8], lane: u8, sender: &[u8], receiver: &[u8]) -> ([u8; 24], Vec<u8>) {
    let nonce = [&[lane][..], &[0; 15], place].concat().try_into().expect("a place is 8 bytes");
    (nonce, [&[1, lane], place, sender, receiver].concat())
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(key).expect("HMAC takes any key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().to_vec()
}

fn vector(name: &str) -> Vec<u8> {
    let line = VECTORS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let digits = line.expect("the vectors have one of this name");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("they are hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}

const VECTORS: &str = include_str!("vectors/admission-v1.txt");
