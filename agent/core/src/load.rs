//! From what was found on disk to a replica: a snapshot, then the txns above it.
//!
//! Txns are applied by the rules of replay, because a snapshot that an Apache server wrote may hold
//! the effects of txns that follow in its log.

use std::collections::BTreeMap;

use zk_wire::jute::Reader;
use zk_wire::request::AclList;
use zk_wire::{Acl, StatPersisted, Zxid};

use crate::config::Config;
use crate::history::History;
use crate::ids::Epochs;
use crate::tree::snapshot::Assembly;
use crate::tree::{DataTree, acl_table};
use crate::txn::{Body, Txn, TxnHeader};

/// Applies a txn by the rules of replay: what is missing or there already is no error.
pub(crate) fn replay(tree: &mut DataTree, header: &TxnHeader, body: &Body<'_>) {
    let zxid = header.zxid;
    match body {
        Body::CloseSession(paths) => {
            for path in paths.as_deref().unwrap_or(&[]) {
                let _missing = tree.delete(path, zxid);
            }
            for path in tree.ephemerals_of(header.session) {
                let _missing = tree.delete(&path, zxid);
            }
        }
        Body::Create(txn) => {
            let _exists = tree.create(txn, header.session, zxid, header.time_ms);
        }
        Body::Delete(path) => {
            let _missing = tree.delete(path, zxid);
        }
        Body::SetData(path, data, version) => {
            let _missing = tree.set_data(path, *data, *version, zxid, header.time_ms);
        }
        Body::SetAcl(path, acl, version) => {
            let _missing = tree.set_acl(path, acl.bytes(), *version);
        }
        Body::Multi(list) => {
            if !list.iter().any(|(_, body)| matches!(body, Body::Error(_))) {
                list.iter().for_each(|(_, body)| replay(tree, header, body));
            }
        }
        Body::CreateSession(_) | Body::Error(_) | Body::Check(_) => {}
    }
}

/// What a replica begins with.
#[derive(Debug)]
pub struct Recovered {
    /// The tree.
    pub tree: DataTree,
    /// Sessions and their timeouts in ms.
    pub sessions: BTreeMap<i64, i32>,
    /// The epochs that were promised; an ensemble's.
    pub epochs: Epochs,
    /// The newest of the txns that stood above the snapshot, for learners; in an ensemble.
    pub history: History,
    /// Txns that stood above the snapshot.
    pub txns_replayed: u64,
    /// Txns whose digest was not the tree's: the first, and how many.
    pub mismatches: Option<(Zxid, u64)>,
}

/// Builds a tree from pieces, or from the records of an Apache snapshot, and applies txns to it.
#[derive(Debug)]
pub struct Loader {
    seed: u64,
    emulate_353: bool,
    tree: DataTree,
    sessions: BTreeMap<i64, i32>,
    assembly: Option<Assembly>,
    acls: BTreeMap<i64, u32>,
    begun: bool,
    replayed: u64,
    compare_from: Zxid,
    digest_enabled: bool,
    /// The newest txns, in an ensemble.
    recent: History,
    in_ensemble: bool,
    mismatches: Option<(Zxid, u64)>,
}

type Loaded<T> = Result<T, String>;

impl Loader {
    /// An empty loader.
    pub fn new(config: &Config) -> Loader {
        Loader {
            seed: config.seed,
            emulate_353: config.emulate_353_ttl,
            tree: DataTree::bare(config.seed, config.emulate_353_ttl),
            sessions: BTreeMap::new(),
            assembly: None,
            acls: BTreeMap::new(),
            begun: false,
            replayed: 0,
            compare_from: Zxid::ZERO,
            digest_enabled: config.digest_enabled,
            in_ensemble: config.ensemble.is_some(),
            recent: History::new(config, Zxid::ZERO),
            mismatches: None,
        }
    }

    /// Forgets everything: the snapshot that was being read is of no use.
    pub fn reset(&mut self) {
        let mut config = Config { seed: self.seed, ..Config::default() };
        config.emulate_353_ttl = self.emulate_353;
        config.digest_enabled = self.digest_enabled;
        let (recent, in_ensemble) = (self.recent.emptied(Zxid::ZERO), self.in_ensemble);
        *self = Loader { recent, in_ensemble, ..Loader::new(&config) };
    }

    /// The next piece of one of our own snapshots.
    pub fn piece(&mut self, bytes: &[u8]) -> Loaded<()> {
        self.begun = true;
        let assembly = self.assembly.get_or_insert_default();
        assembly.piece(&mut self.tree, bytes)
    }

    /// A session of an Apache snapshot.
    pub fn session(&mut self, session: i64, timeout_ms: i32) {
        self.begun = true;
        self.sessions.insert(session, timeout_ms);
    }

    /// A list of the ACL table of an Apache snapshot: the jute bytes of the whole vector.
    pub fn acl(&mut self, number: i64, list: &[u8]) -> Loaded<()> {
        self.begun = true;
        let list =
            AclList::scan(&mut Reader::new(list)).map_err(|e| format!("ACL {number}: {e}"))?;
        self.acls.insert(number, self.tree.acls.intern(list.bytes()));
        Ok(())
    }

    /// A znode of an Apache snapshot. Parents come first; -1 is the open ACL.
    pub fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Loaded<()> {
        self.begun = true;
        let acl = match acl {
            -1 => acl_table::OPEN,
            number => *self.acls.get(&number).ok_or(format!("{path:?}: unknown ACL {number}"))?,
        };
        let loaded = self.tree.load(path, data, acl, stat);
        loaded.map(|_| ()).map_err(|code| format!("znode {path:?}: {code}"))
    }

    /// The snapshot is complete; it stands at this zxid.
    pub fn snapshot_end(&mut self, zxid: Zxid) -> Loaded<()> {
        if let Some(assembly) = self.assembly.take() {
            if !assembly.is_complete() {
                return Err("the snapshot has no end".to_owned());
            }
            let stands = assembly.head().map(|head| head.zxid);
            if stands != Some(zxid) {
                return Err(format!("the snapshot stands at {stands:?}, its name says {zxid}"));
            }
            self.sessions.extend(assembly.sessions);
        }
        if self.tree.is_empty() {
            return Err("the snapshot holds no root".to_owned());
        }
        self.tree.applied(zxid);
        if self.in_ensemble {
            self.recent.reset(zxid);
        }
        Ok(())
    }

    /// What was built so far, for those who look at every step.
    pub fn tree(&self) -> &DataTree {
        &self.tree
    }

    /// Digests of txns below this zxid are not compared: an Apache snapshot is fuzzy up to there.
    pub fn compare_from(&mut self, zxid: Zxid) {
        self.compare_from = zxid;
    }

    /// A txn of the log above the snapshot.
    pub fn txn(&mut self, zxid: Zxid, bytes: &[u8]) -> Loaded<()> {
        let txn = Txn::decode(bytes).map_err(|error| format!("txn {zxid}: {error}"))?;
        if txn.header.zxid != zxid {
            return Err(format!("txn {zxid} says that it is {}", txn.header.zxid));
        }
        self.begin();
        self.tree.replaying = true;
        self.replay(&txn.header, &txn.body);
        self.tree.applied(zxid);
        self.replayed += 1;
        if self.in_ensemble {
            self.recent.push_replayed(zxid, bytes);
        }
        if let Some(digest) = txn.digest {
            let differs = self.digest_enabled && digest != self.tree.digest();
            if differs && zxid >= self.compare_from {
                let (first, count) = self.mismatches.unwrap_or((zxid, 0));
                self.mismatches = Some((first, count + 1));
            }
        }
        Ok(())
    }

    /// Without a snapshot, the fresh database is what the log begins with.
    fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.tree = DataTree::fresh(self.seed, self.emulate_353);
        }
    }

    fn replay(&mut self, header: &TxnHeader, body: &Body<'_>) {
        match body {
            Body::CreateSession(timeout_ms) => {
                self.sessions.insert(header.session, *timeout_ms);
            }
            Body::CloseSession(_) => {
                self.sessions.remove(&header.session);
            }
            _ => {}
        }
        replay(&mut self.tree, header, body);
    }

    /// The result. A loader that was given nothing gives the fresh database.
    pub fn finish(mut self) -> Recovered {
        self.begin();
        self.tree.replaying = false;
        for path in ["/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            if self.tree.find(path).is_none() {
                self.add_reserved(path);
            }
        }
        self.tree.restore_quotas();
        // A database that came by itself stands where its bringer says.
        let last = self.tree.last_zxid();
        let fits = self.in_ensemble && self.recent.last() == last;
        Recovered {
            history: if fits { self.recent } else { self.recent.emptied(last) },
            tree: self.tree,
            sessions: self.sessions,
            epochs: Epochs::default(),
            txns_replayed: self.replayed,
            mismatches: self.mismatches,
        }
    }

    /// A database of 3.4 has no `/zookeeper/config`.
    fn add_reserved(&mut self, path: &str) {
        let mut acl = acl_table::OPEN;
        let mut stat = StatPersisted::default();
        if path == "/zookeeper/config" {
            let mut list = Vec::new();
            let read = Acl::new(zk_wire::perms::READ, "world", "anyone");
            Acl::encode_list(&[read], &mut list);
            acl = self.tree.acls.intern(&list);
            stat.aversion = -1;
        }
        self.tree.load(path, Some(b""), acl, &stat).expect("the parent is there or came before");
    }
}
