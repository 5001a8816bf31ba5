//! Fuzzes [`cache_fuzzing::admission`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::admission::check(data));
