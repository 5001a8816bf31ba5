//! Fuzzes [`cache_fuzzing::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::session::check(data));
