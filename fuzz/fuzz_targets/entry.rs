//! Fuzzes [`cache_fuzzing::entry`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::entry::check(data));
