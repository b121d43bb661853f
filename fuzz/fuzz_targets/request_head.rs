#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gateway::h1::oracle::request_head(bytes));
