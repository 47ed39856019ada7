#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zk_tests::fuzz::peer::peer_stream(bytes));
