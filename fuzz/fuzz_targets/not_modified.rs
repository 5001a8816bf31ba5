//! Fuzzes [`cache_fuzzing::not_modified`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::not_modified::check(data));
