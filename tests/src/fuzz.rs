//! Fuzz targets: plain functions of bytes that panic when something is wrong. `fuzz_smoke` runs them
//! on the corpus and on seeded mutations of it; the crate in `fuzz/` gives them to libFuzzer.
//!
//! Each one says what must hold. What reads bytes of a stranger must not panic and must not reserve
//! more than it was given; what reads our own files must never hand on what was not written.

pub mod base;
pub mod wire;
pub mod core;
pub mod peer;
pub mod disk;
pub mod shell;

use crate::rng::Rng;

/// A target: its name, which is that of its corpus, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("frame_cut", wire::frame_cut),
    ("request", wire::request),
    ("connect", wire::connect),
    ("multi", wire::multi),
    ("acl_list", wire::acl_list),
    ("path", wire::path),
    ("reply", wire::reply),
    ("ensemble", wire::ensemble),
    ("txn", core::txn),
    ("session_stream", core::session_stream),
    ("peer_stream", peer::peer_stream),
    ("client_stream", shell::client_stream),
    ("zoo_cfg", shell::zoo_cfg),
    ("log_scan", disk::log_scan),
    ("snapshot_load", disk::snapshot_load),
    ("apache_log", disk::apache_log),
    ("apache_snapshot", disk::apache_snapshot),
];

/// One mutation of an input: bytes flipped, set, cut out, doubled or put between.
pub fn mutate(rng: &mut Rng, input: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(out.len() + 1);
        match rng.below(7) {
            0 if at < out.len() => out[at] ^= 1 << rng.below(8),
            1 if at < out.len() => out[at] = *rng.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            2 if at + 4 <= out.len() => {
                let odd = [-1, 0, 1, i32::MAX, i32::MIN, -2, 1 << 20];
                let value: i32 = *rng.pick(&odd);
                out[at..at + 4].copy_from_slice(&value.to_be_bytes());
            }
            3 => out.truncate(at),
            4 => {
                let count = rng.below(9);
                let more = rng.bytes(count);
                out.splice(at..at, more);
            }
            5 if at < out.len() => {
                let to = at + rng.below((out.len() - at).min(64) + 1);
                let piece = out[at..to].to_vec();
                out.splice(at..at, piece);
            }
            _ if at < out.len() => {
                let to = at + rng.below((out.len() - at).min(64) + 1);
                out.drain(at..to);
            }
            _ => {}
        }
    }
    out
}
