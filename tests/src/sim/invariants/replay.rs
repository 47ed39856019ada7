//! What a start finds, looked at behind every txn that it replays.

use std::collections::BTreeMap;

use zk_core::Config;
use zk_core::tree::DataTree;
use zk_core::txn::{Body, Txn};
use zk_wire::StatPersisted;

use super::{Broken, Held, Monitor, broken, name};
use crate::sim::disk::{Disk, Logged};

/// The znodes that a txn changes, with their parents.
fn touched(body: &Body<'_>, paths: &mut Vec<String>) {
    let mut both = |path: &str| {
        let parent = &path[..path.rfind('/').unwrap_or(0)];
        paths.extend([path.to_owned(), parent.to_owned()]);
    };
    match body {
        Body::Create(txn) => both(&txn.path),
        Body::Delete(path) => both(path),
        Body::SetData(path, ..) | Body::SetAcl(path, ..) => paths.push(path.to_string()),
        Body::CloseSession(list) => list.iter().flatten().for_each(|path| both(path)),
        Body::Multi(list) => list.iter().for_each(|(_, body)| touched(body, paths)),
        Body::CreateSession(_) | Body::Error(_) | Body::Check(_) => {}
    }
}

/// What must not go back while a znode lives.
fn goes_back(old: &StatPersisted, new: &StatPersisted) -> bool {
    let same = old.czxid == new.czxid;
    let versions = new.version < old.version || new.aversion < old.aversion;
    same && (versions
        || new.cversion < old.cversion
        || new.pzxid < old.pzxid
        || new.mzxid < old.mzxid)
}

/// Whether a stat contradicts itself or its place in the log.
fn is_odd(stat: &StatPersisted, last: i64) -> bool {
    let newest = stat.czxid.max(stat.mzxid).max(stat.pzxid);
    let fits = stat.mzxid >= stat.czxid && stat.pzxid >= stat.czxid && newest <= last;
    !fits || stat.version < 0 || stat.cversion < 0
}

struct Replay<'m> {
    monitor: &'m Monitor,
    server: usize,
    stats: BTreeMap<String, StatPersisted>,
    wrong: Option<Broken>,
}

impl Replay<'_> {
    fn add(&mut self, invariant: &'static str, text: String) {
        let text = format!("{}: {text}", name(self.server));
        self.wrong.get_or_insert_with(|| broken(invariant, text));
    }

    fn stat(&mut self, path: String, stat: StatPersisted, last: i64) {
        // Configurations are written there without a txn, too.
        if path.starts_with("/zookeeper") {
            return;
        }
        let old = self.stats.get(&path).filter(|old| goes_back(old, &stat));
        if let Some(text) = old.map(|old| format!("at {last:#x}: {path}: {stat:?} behind {old:?}"))
        {
            self.add("i22_versions_never_decrease", text);
        }
        if is_odd(&stat, last) {
            self.add("i22_versions_never_decrease", format!("at {last:#x}: {path}: {stat:?}"));
        }
        self.stats.insert(path, stat);
    }

    fn show(&mut self, tree: &DataTree, logged: Option<&Logged>) {
        let last = tree.last_zxid();
        match logged {
            None => {
                let mut all = Vec::new();
                tree.walk(|path, number| {
                    all.push((path.to_owned(), tree.node(number).persisted()))
                });
                all.into_iter().for_each(|(path, stat)| self.stat(path, stat, last.0));
            }
            Some(logged) => {
                let mut paths = Vec::new();
                let txn = Txn::decode(&logged.txn).expect("what was loaded decodes");
                touched(&txn.body, &mut paths);
                for path in paths {
                    let stat = tree.find(&path).map(|number| tree.node(number).persisted());
                    if let Some(stat) = stat {
                        self.stat(path, stat, last.0);
                    }
                }
            }
        }
        let known = self.monitor.digests.get(&last);
        if known.is_some_and(|known| *known != tree.digest()) {
            let text = format!("a start at {last} would find another state than was served");
            self.add("i21_restart_equivalence", text);
        }
    }
}

impl Monitor {
    /// 21, 22: wherever the log had ended, a start would find what everybody had at that zxid, a multi
    /// whole or not at all; and no version, cversion or pzxid goes back on the way.
    pub(super) fn i22_versions_never_decrease(
        &self,
        server: usize,
        disk: &Disk,
        config: &Config,
    ) -> Held {
        let (stats, wrong) = (BTreeMap::new(), None);
        let mut replay = Replay { monitor: self, server, stats, wrong };
        let loaded = disk.load_watched(config, &mut |tree, logged| replay.show(tree, logged));
        match replay.wrong {
            Some(broken) => Err(broken),
            None => loaded.map(|_| ()).map_err(|text| broken("i22_versions_never_decrease", text)),
        }
    }
}
