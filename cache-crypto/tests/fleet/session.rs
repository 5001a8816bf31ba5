//! What opens, and what does not.

use crate::support::{Pair, gate, secret, sessions};
use cache_core::port::{BULK_BYTES_MIN, FRAME_BYTES_MAX, SealError};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn frames_of_every_length_open_in_both_directions() {
    let (mut dialer, mut listener) = sessions();
    for bytes in [0, 1, 4096, BULK_BYTES_MIN - 25, BULK_BYTES_MIN - 24, 1024 * 1024, FRAME_BYTES_MAX - 25] {
        let plain: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
        let frame = dialer.seal(&plain).unwrap();
        assert_eq!(frame.len(), bytes + 25);
        assert!(listener.open(&frame).unwrap() == plain, "{bytes} bytes there");
        assert!(dialer.open(&listener.seal(&plain).unwrap()).unwrap() == plain, "{bytes} bytes back");
    }
}

#[test]
fn one_altered_bit_anywhere_keeps_a_frame_closed_and_changes_nothing() {
    let (mut dialer, mut listener) = sessions();
    let frame = dialer.seal(b"some content of a frame").unwrap();
    for bit in 0..frame.len() * 8 {
        let mut altered = frame.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(listener.open(&altered), Err(SealError), "bit {bit}");
    }
    assert_eq!(listener.open(&frame).unwrap(), b"some content of a frame");
}

#[test]
fn a_frame_cut_off_or_continued_stays_closed() {
    let (mut dialer, mut listener) = sessions();
    let frame = dialer.seal(b"some content of a frame").unwrap();
    for length in (0..frame.len() + 30).filter(|length| *length != frame.len()).chain([FRAME_BYTES_MAX + 1]) {
        let mut altered = frame.to_vec();
        altered.resize(length, 0);
        assert_eq!(listener.open(&altered), Err(SealError), "{length} bytes");
    }
    assert!(listener.open(&frame).is_ok());
}

#[test]
fn a_frame_longer_than_any_transport_moves_stays_closed() {
    let (mut dialer, mut listener) = sessions();
    let frame = dialer.seal(&vec![0; FRAME_BYTES_MAX - 24]).unwrap();
    assert_eq!(listener.open(&frame), Err(SealError));
}

#[test]
fn a_frame_opens_once() {
    let (mut dialer, mut listener) = sessions();
    for plain in [vec![1; 10], vec![2; BULK_BYTES_MIN]] {
        let frame = dialer.seal(&plain).unwrap();
        assert!(listener.open(&frame).is_ok());
        assert_eq!(listener.open(&frame), Err(SealError));
    }
}

#[test]
fn a_frame_overtaken_by_less_than_the_window_opens_and_by_more_does_not() {
    let (mut dialer, mut listener) = sessions();
    let frames: Vec<_> = (0..=1024).map(|_| dialer.seal(b"").unwrap()).collect();
    assert!(listener.open(&frames[1024]).is_ok());
    assert_eq!(listener.open(&frames[0]), Err(SealError), "overtaken by 1024");
    for frame in &frames[1..1024] {
        assert!(listener.open(frame).is_ok());
        assert_eq!(listener.open(frame), Err(SealError));
    }
}

#[test]
fn a_long_frame_may_be_overtaken_by_any_number_of_short_ones() {
    let (mut dialer, mut listener) = sessions();
    let long = dialer.seal(&vec![0; BULK_BYTES_MIN]).unwrap();
    for _ in 0..5_000 {
        assert!(listener.open(&dialer.seal(b"short").unwrap()).is_ok());
    }
    assert!(listener.open(&long).is_ok());
}

#[test]
fn nobody_opens_what_they_sealed_themselves() {
    let (mut dialer, mut listener) = sessions();
    let (there, back) = (dialer.seal(b"a frame").unwrap(), listener.seal(b"a frame").unwrap());
    assert_ne!(there[9..16], back[9..16], "each direction has a key of its own");
    assert_eq!(dialer.open(&there), Err(SealError));
    assert_eq!(listener.open(&back), Err(SealError));
}

#[test]
fn frames_of_another_connection_of_the_same_two_stay_closed() {
    let gate = gate(&[&secret()]);
    let (_, (mut before, _)) = Pair::of(&gate, &gate).recorded();
    let (_, (mut after, mut listener)) = Pair::of(&gate, &gate).recorded();
    let recorded = before.seal(b"frame").unwrap();
    assert_eq!(listener.open(&recorded), Err(SealError));
    assert!(listener.open(&after.seal(b"frame").unwrap()).is_ok());
}

#[test]
fn the_same_content_sealed_twice_looks_different() {
    let (mut dialer, _) = sessions();
    assert_ne!(dialer.seal(b"content").unwrap()[9..], dialer.seal(b"content").unwrap()[9..]);
}

#[test]
fn debug_shows_peers_and_counts_alone() {
    let (mut dialer, _) = sessions();
    dialer.seal(b"").unwrap();
    let shown = format!("{dialer:?}");
    assert!(shown.starts_with("FleetSession { local: …"), "{shown}");
    assert!(shown.ends_with("sealed_frames: [1, 0], .. }"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The model keeps every frame ever opened.
    #[test]
    fn frames_in_any_order_open_once_each(
        order in prop::collection::vec((0..1_300u64, any::<bool>()), 1..300),
    ) {
        let (mut dialer, mut listener) = sessions();
        let frames: Vec<_> = (0..1_300).map(|at: u32| dialer.seal(&at.to_le_bytes()).unwrap()).collect();
        let mut opened = BTreeSet::new();
        for (at, is_forged) in order {
            let is_within = opened.last().is_none_or(|highest| at + 1024 > *highest);
            let mut frame = frames[usize::try_from(at).unwrap()].to_vec();
            if is_forged {
                *frame.last_mut().unwrap() ^= 1;
            }
            let opens = listener.open(&frame).is_ok();
            prop_assert_eq!(opens, !is_forged && is_within && !opened.contains(&at), "frame {}", at);
            if opens {
                opened.insert(at);
            }
        }
    }

    /// Covers long frames too, of which there is no time to alter every bit.
    #[test]
    fn one_altered_bit_keeps_a_frame_of_any_length_closed(
        bytes in prop_oneof![0..300_usize, BULK_BYTES_MIN - 30..BULK_BYTES_MIN + 30, Just(1024 * 1024)],
        place: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        let (mut dialer, mut listener) = sessions();
        let frame = dialer.seal(&vec![7; bytes]).unwrap();
        let mut altered = frame.to_vec();
        let place = place.index(altered.len());
        altered[place] ^= 1 << bit;
        prop_assert_eq!(listener.open(&altered), Err(SealError), "bit {} of byte {}", bit, place);
        prop_assert!(listener.open(&frame).is_ok());
    }

    #[test]
    fn arbitrary_bytes_never_open(mut bytes: Vec<u8>, has_version: bool) {
        if let (true, Some(first)) = (has_version, bytes.first_mut()) {
            *first = 1;
        }
        let (mut dialer, mut listener) = sessions();
        prop_assert_eq!(listener.open(&bytes), Err(SealError));
        prop_assert!(listener.open(&dialer.seal(b"next").unwrap()).is_ok());
    }
}
