#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| enigma_collector_tests::targets::run("capture_request", data));
