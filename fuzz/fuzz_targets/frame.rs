//! Fuzzes [`cache_fuzzing::frame`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::frame::check(data));
