//! Fuzzes [`cache_fuzzing::message`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::message::check(data));
