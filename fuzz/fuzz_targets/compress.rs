#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| latido_fuzz::compress::run(bytes));
