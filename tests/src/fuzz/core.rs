//! Targets of the core: txns, and whole sessions against a live replica without sockets.

use zk_core::txn::Txn;
use zk_core::{Config, Loader};
use zk_wire::frame::{self, Cut};

use super::base;
use crate::drive::{Driver, Stimulus, chaos, load};

/// A txn decodes or does not, and a loader that is given it takes or refuses it.
pub fn txn(bytes: &[u8]) {
    let Ok(txn) = Txn::decode(bytes) else { return };
    let mut loader = Loader::new(&Config::default());
    let _ = loader.txn(txn.header.zxid, bytes);
    loader.finish();
}

/// A replica that was sent all frames of a stream over one connection. Its disk is always quick.
fn driven(stream: &[u8]) -> Driver {
    let mut driver = Driver::new(Config::default(), chaos::start());
    driver.step(&Stimulus::Opened(0));
    let mut rest = stream;
    while let Cut::Frame { length } = frame::cut(rest, 0xf_ffff) {
        driver.now.mono_ms += 1;
        driver.now.wall_ms += 1;
        driver.step(&Stimulus::Frame(0, rest[4..4 + length].to_vec()));
        driver.settle();
        rest = &rest[4 + length..];
    }
    driver
}

/// A whole stream of a client: nothing in it breaks the replica, answers are whole frames, and what
/// was made durable can be loaded again and gives the same tree.
pub fn session_stream(bytes: &[u8]) {
    let mut driver = driven(bytes);
    driver.step(&Stimulus::Tick(1, 1));
    if driver.open.contains(&0) {
        driver.step(&Stimulus::Closed(0));
    }
    driver.step(&Stimulus::Tick(600_000, 1));
    driver.settle();
    let loaded = load(&driver.config, None, &driver.log);
    let loaded = loaded.expect("what was made durable can be loaded");
    assert_eq!(loaded.mismatches, None, "the digests in the log are those of the tree");
    assert_eq!(loaded.tree.last_zxid(), driver.replica.tree().last_zxid());
}

/// The txns of a session that asks for one of everything.
pub fn txns() -> Vec<Vec<u8>> {
    driven(&base::session()).log.into_iter().map(|(_, txn)| txn).collect()
}
