//! Fuzzes [`cache_fuzzing::canonical`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::canonical::check(data));
