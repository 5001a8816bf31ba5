//! Fuzzes [`cache_fuzzing::graphql`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cache_fuzzing::graphql::check(data));
