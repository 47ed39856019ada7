//! The checklist of the client protocol, row by row, on a real server through real sockets.
//!
//! The row numbers in the comments are those of `docs/COMPATIBILITY.md`. Each test runs against our
//! binary, and with `ZK_TEST_TARGET=apache` against a genuine server, to test the test.

mod a_handshake;
mod b_sessions;
mod b_throttle;
mod c_envelope;
mod d_create;
mod e_writes;
mod f_stat;
mod g_reads;
mod h_multi;
mod i_watches;
mod i_catch_up;
mod j_audit;
mod j_auth;
mod j_permissions;
mod k_quota;
mod l_words;
mod o_config;
mod o_data;
mod o_old;

/// A started server, or the end of the test where its tools are missing.
macro_rules! server {
    () => {
        server!(|options| options)
    };
    ($options:expr) => {
        match zk_tests::fixture::server_with($options) {
            Some(server) => server,
            None => return,
        }
    };
}
pub(crate) use server;
