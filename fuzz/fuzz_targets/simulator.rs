//! Fuzzes [`cache_fuzzing::simulator`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::simulator::check(data));
