//! Fuzzes [`cache_fuzzing::address`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::address::check(data));
