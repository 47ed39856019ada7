//! Targets of the core: txns, and whole sessions against a live replica without sockets.

use std::net::{IpAddr, Ipv4Addr};

use zk_core::load::Loader;
use zk_core::replica::Replica;
use zk_core::txn::Txn;
use zk_core::{Config, ConnId, Effect, Effects, Event, Now};
use zk_wire::frame::{self, Cut};

use super::base;

/// A txn decodes or does not, and a loader that is given it takes or refuses it.
pub fn txn(bytes: &[u8]) {
    let Ok(txn) = Txn::decode(bytes) else { return };
    let mut loader = Loader::new(&Config::default());
    let _ = loader.txn(txn.header.zxid, bytes);
    loader.finish();
}

/// What the replica has been asked to make durable, and how far.
struct World {
    replica: Replica,
    effects: Effects,
    now: Now,
    txns: Vec<Vec<u8>>,
    sent: usize,
}

impl World {
    fn new() -> World {
        let config = Config::default();
        let recovered = Loader::new(&config).finish();
        let now = Now { mono_ms: 1_000_000, wall_ms: 1_700_000_000_000 };
        let replica = Replica::new(config, recovered, now);
        World { replica, effects: Effects::new(), now, txns: Vec::new(), sent: 0 }
    }

    fn step(&mut self, event: Event<'_>) {
        self.now.mono_ms += 1;
        self.now.wall_ms += 1;
        self.effects.clear();
        self.replica.step(self.now, event, &mut self.effects);
        let mut durable = None;
        for effect in &self.effects.list {
            match effect {
                Effect::Append { zxid, txn } => {
                    self.txns.push(self.effects.bytes[txn.clone()].to_vec());
                    durable = Some(*zxid);
                }
                Effect::Send { frames, .. } => {
                    let mut bytes = &self.effects.bytes[frames.clone()];
                    while !bytes.is_empty() {
                        match frame::cut(bytes, 1 << 26) {
                            Cut::Frame { length } => bytes = &bytes[4 + length..],
                            other => panic!("what is sent is whole frames: {other:?}"),
                        }
                    }
                    self.sent += frames.len();
                }
                _ => {}
            }
        }
        if let Some(zxid) = durable {
            self.step(Event::Durable { zxid });
        }
    }
}

/// A whole stream of a client: nothing in it breaks the replica, answers are whole frames, and what
/// was made durable can be loaded again and gives the same tree.
pub fn session_stream(bytes: &[u8]) {
    let mut world = World::new();
    let conn = ConnId(0);
    world.step(Event::ClientOpened { conn, peer: IpAddr::V4(Ipv4Addr::LOCALHOST) });
    let mut rest = bytes;
    while let Cut::Frame { length } = frame::cut(rest, 0xf_ffff) {
        world.step(Event::ClientRequest { conn, frame: &rest[4..4 + length] });
        rest = &rest[4 + length..];
    }
    world.step(Event::Tick);
    world.step(Event::ClientClosed { conn });
    world.now.mono_ms += 600_000;
    world.step(Event::Tick);
    let mut loader = Loader::new(&Config::default());
    for txn in &world.txns {
        let zxid = Txn::decode(txn).expect("what was made decodes").header.zxid;
        loader.txn(zxid, txn).expect("what was made durable can be loaded");
    }
    let loaded = loader.finish();
    assert_eq!(loaded.mismatches, None, "the digests in the log are those of the tree");
    assert_eq!(loaded.tree.last_zxid(), world.replica.tree().last_zxid());
}

/// The txns of a session that asks for one of everything.
pub fn txns() -> Vec<Vec<u8>> {
    let mut world = World::new();
    let conn = ConnId(0);
    world.step(Event::ClientOpened { conn, peer: IpAddr::V4(Ipv4Addr::LOCALHOST) });
    let session = base::session();
    let mut rest = session.as_slice();
    while let Cut::Frame { length } = frame::cut(rest, 0xf_ffff) {
        world.step(Event::ClientRequest { conn, frame: &rest[4..4 + length] });
        rest = &rest[4 + length..];
    }
    world.txns
}
