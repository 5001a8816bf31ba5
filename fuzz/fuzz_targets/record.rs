//! Fuzzes [`cache_fuzzing::record`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::record::check(data));
