//! Rules about sealing and opening.

use super::{SealerFactory, TEXT};
use crate::Outcome;
use anyhow::{anyhow, ensure};
use cache_core::port::SealError;
use std::{sync::Arc, thread};

/// From nothing to a megabyte, in any context, at whichever sealer has the key.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_is_sealed_opens_whole_with_its_key(factory: &dyn SealerFactory) -> Outcome {
    let (sealer, same) = (factory.sealer(1)?, factory.sealer(1)?);
    for length in [0, 1, 15, 16, 17, 64, 65_535, 65_536, 65_537, 1_000_000] {
        let plain: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
        for context in [&b""[..], b"c", TEXT] {
            let sealed = sealer.seal(context, &plain)?;
            for opener in [&sealer, &same] {
                ensure!(opener.open(context, &sealed) == Ok(plain.clone()), "{length} bytes do not open");
            }
        }
    }
    Ok(())
}

/// Nor where context and content run on into each other.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_was_sealed_in_another_context_does_not_open(factory: &dyn SealerFactory) -> Outcome {
    let sealer = factory.sealer(1)?;
    let contexts = [&b""[..], b"a", b"b", b"ab", b"ba", b"a\0", b"\0", TEXT];
    for sealed_in in contexts {
        let sealed = sealer.seal(sealed_in, b"abc")?;
        for opened_in in contexts {
            let opened = sealer.open(opened_in, &sealed);
            let wanted = if opened_in == sealed_in { Ok(b"abc".to_vec()) } else { Err(SealError) };
            ensure!(opened == wanted, "sealed in {sealed_in:?} it opens in {opened_in:?}");
        }
    }
    Ok(())
}

/// Whichever it is: of what names the key, of the content, of the proof.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_single_altered_bit_does_not_open(factory: &dyn SealerFactory) -> Outcome {
    let sealer = factory.sealer(1)?;
    for plain in [&b""[..], TEXT] {
        let sealed = sealer.seal(b"c", plain)?;
        for bit in 0..8 * sealed.len() {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            ensure!(sealer.open(b"c", &altered) == Err(SealError), "bit {bit} may be altered");
        }
    }
    Ok(())
}

/// At either end, by any number of bytes.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_is_cut_or_lengthened_does_not_open(factory: &dyn SealerFactory) -> Outcome {
    let sealer = factory.sealer(1)?;
    let sealed = sealer.seal(b"c", TEXT)?;
    for at in 0..sealed.len() {
        ensure!(sealer.open(b"c", &sealed[..at]) == Err(SealError), "{at} bytes of it open");
        ensure!(at == 0 || sealer.open(b"c", &sealed[at..]) == Err(SealError), "without {at} bytes it opens");
    }
    for longer in
        [[&sealed[..], &[0]].concat(), [&[0], &sealed[..]].concat(), [&sealed[..], &sealed].concat()]
    {
        ensure!(sealer.open(b"c", &longer) == Err(SealError), "with more bytes it opens");
    }
    Ok(())
}

/// Not even none.
///
/// # Errors
///
/// When the rule is broken.
pub fn stray_bytes_do_not_open(factory: &dyn SealerFactory) -> Outcome {
    let sealer = factory.sealer(1)?;
    for length in 0..200_usize {
        for stray in [vec![0; length], (0..length).map(|at| (at * 37 + length).to_le_bytes()[0]).collect()] {
            ensure!(sealer.open(b"", &stray) == Err(SealError), "{length} stray bytes open");
        }
    }
    Ok(())
}

/// Nor the other way round.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_another_key_sealed_does_not_open(factory: &dyn SealerFactory) -> Outcome {
    let (one, other) = (factory.sealer(1)?, factory.sealer(2)?);
    ensure!(other.open(b"c", &one.seal(b"c", TEXT)?) == Err(SealError), "another key opens it");
    ensure!(one.open(b"c", &other.seal(b"c", b"")?) == Err(SealError), "another key opens nothing sealed");
    Ok(())
}

/// Neither its bytes nor that it was sealed before.
///
/// # Errors
///
/// When the rule is broken.
pub fn sealed_bytes_show_nothing_of_what_they_hold(factory: &dyn SealerFactory) -> Outcome {
    let sealer = factory.sealer(1)?;
    let (first, second) = (sealer.seal(b"c", TEXT)?, sealer.seal(b"c", TEXT)?);
    for part in TEXT.windows(6) {
        ensure!(!first.windows(6).any(|shown| shown == part), "it can be read without the key");
    }
    let same = first.iter().zip(&second).filter(|(one, other)| one == other).count();
    ensure!(same < first.len() / 2, "sealed twice, {same} of {} bytes are the same", first.len());
    Ok(())
}

/// At once, on one sealer.
///
/// # Errors
///
/// When the rule is broken.
pub fn any_thread_may_seal_open_and_name(factory: &dyn SealerFactory) -> Outcome {
    let sealer = factory.sealer(1)?;
    let name = sealer.name("k");
    let threads: Vec<_> = (0..THREADS)
        .map(|number: u8| {
            let sealer = Arc::clone(&sealer);
            thread::spawn(move || {
                (0..ROUNDS).all(|round| {
                    let plain = [number, round];
                    let sealed = sealer.seal(&plain, &plain);
                    let opened = sealed.and_then(|sealed| sealer.open(&plain, &sealed));
                    opened == Ok(plain.to_vec()) && sealer.name("k") == name
                })
            })
        })
        .collect();
    for thread in threads {
        let is_well = thread.join().map_err(|_panic| anyhow!("a thread panicked"))?;
        ensure!(is_well, "threads disturb each other");
    }
    Ok(())
}

const THREADS: u8 = 4;
const ROUNDS: u8 = 50;
