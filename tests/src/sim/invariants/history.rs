//! What stands in logs: epochs, contents, order.

use std::rc::Rc;

use zk_core::txn::{Body, Txn};
use zk_core::{Members, Recovered};
use zk_wire::{Op, Zxid};

use super::{Broken, Held, Monitor, Proposed, broken, name};
use crate::sim::disk::Disk;

/// A txn that all logs share, and whether it was seen the first time.
pub(super) struct Shared {
    pub txn: Rc<[u8]>,
    pub fresh: Option<Zxid>,
}

impl Monitor {
    /// 1: the epochs of a server never decrease, whatever happens to it, and it never enters one
    /// that it has not accepted.
    pub(super) fn i01_epochs_never_decrease(&mut self, server: usize, disk: &Disk) -> Held {
        let (have, now) = (self.servers[server].epochs, disk.epochs());
        self.servers[server].epochs = now;
        let back = now.accepted < have.accepted || now.current < have.current;
        if back || now.current > now.accepted {
            let text = format!("{}: {now:?} behind {have:?}", name(server));
            return Err(broken("i01_epochs_never_decrease", text));
        }
        Ok(())
    }

    /// 3: a zxid has one content, for ever.
    pub(super) fn i03_one_content(
        &mut self,
        server: usize,
        zxid: Zxid,
        txn: &[u8],
        at_ms: i64,
    ) -> Result<Shared, Broken> {
        if let Some(known) = self.proposed.get(&zxid) {
            if *known.txn != *txn {
                let text = format!("{zxid} has two contents");
                return Err(broken("i03_one_content", text));
            }
            return Ok(Shared { txn: known.txn.clone(), fresh: None });
        }
        let txn: Rc<[u8]> = txn.into();
        // The first one of an epoch follows all that its leader has, which is what is served.
        let pred = match zxid.counter() {
            1 => {
                let below = self.chain.partition_point(|served| served.epoch() < zxid.epoch());
                below.checked_sub(1).map_or(Zxid::ZERO, |at| self.chain[at])
            }
            _ => Zxid(zxid.0 - 1),
        };
        let before = match zxid.counter() {
            1 => self.servers[server].version,
            _ => self.proposed.get(&pred).map_or(0, |pred| pred.config),
        };
        let config = self.config_of(server, zxid, &txn, before)?;
        self.proposed.insert(zxid, Proposed { txn: txn.clone(), at_ms, pred, config, before });
        Ok(Shared { txn, fresh: Some(zxid) })
    }

    /// 18: a leader proposes a configuration when the one before is in force, and none else.
    fn config_of(
        &mut self,
        server: usize,
        zxid: Zxid,
        txn: &[u8],
        before: i64,
    ) -> Result<i64, Broken> {
        let Ok(Txn { header, body: Body::SetData(_, Some(text), _), .. }) = Txn::decode(txn) else {
            return Ok(before);
        };
        if header.op != Op::RECONFIG {
            return Ok(before);
        }
        let bad = |text: String| broken("i18_configurations_go_forward", text);
        let in_force = self.servers[server].version;
        if before > in_force {
            let text = format!("{}: {zxid} behind {before:#x}, {in_force:#x}", name(server));
            return Err(bad(text));
        }
        let text = std::str::from_utf8(text).map_err(|error| bad(error.to_string()))?;
        let members = Members::parse(text).map_err(|error| bad(error.to_string()))?;
        if members.version != zxid.0 {
            return Err(bad(format!("{zxid} makes version {:#x}", members.version)));
        }
        self.configs.insert(zxid.0, members);
        Ok(zxid.0)
    }

    /// 4: in an epoch the counters are 1, 2, 3, and so on.
    pub(super) fn i04_counters_have_no_gap(&mut self, zxid: Zxid) -> Held {
        let last = self.counters.entry(zxid.epoch()).or_insert(0);
        let counter = zxid.counter();
        if counter != *last + 1 || counter == u32::MAX {
            let text = format!("{zxid} is proposed behind counter {last:#x}");
            return Err(broken("i04_counters_have_no_gap", text));
        }
        *last = counter;
        Ok(())
    }

    /// 5: logs that hold the same zxid hold the same before it.
    pub(super) fn i05_log_matching(&mut self, server: usize, zxid: Zxid, disk: &Disk) -> Held {
        let before = disk.log().last().map(|logged| logged.zxid);
        let covered = disk.snapshot().unwrap_or(Zxid::ZERO);
        // Behind a snapshot the log may begin anywhere up to it.
        let begins = before.is_none_or(|before| before <= covered) && disk.snapshot().is_some();
        let before = before.unwrap_or(Zxid::ZERO);
        let pred = self.proposed[&zxid].pred;
        if pred == before || (begins && pred <= covered) {
            return Ok(());
        }
        let text = format!("{}: {zxid} behind {before}, elsewhere behind {pred}", name(server));
        Err(broken("i05_log_matching", text))
    }

    /// 6: a log ascends.
    pub(super) fn i06_the_log_ascends(&self, server: usize, zxid: Zxid, disk: &Disk) -> Held {
        match disk.log().last() {
            Some(last) if last.zxid >= zxid => {
                let text = format!("{}: {zxid} is logged behind {}", name(server), last.zxid);
                Err(broken("i06_the_log_ascends", text))
            }
            _ => Ok(()),
        }
    }

    /// 8: what stands in a log was proposed by the established leader of its epoch.
    pub(super) fn i08_integrity(
        &self,
        server: usize,
        leads: Option<i64>,
        zxid: Zxid,
        txn: &[u8],
    ) -> Held {
        if leads != Some(zxid.epoch()) {
            let header = Txn::decode(txn).map(|txn| txn.header);
            let text = format!(
                "{}: {zxid} comes from nowhere, it leads {leads:?}: {header:?}",
                name(server)
            );
            return Err(broken("i08_integrity", text));
        }
        Ok(())
    }

    /// 19: behind a cut nothing is left above it, in no place.
    pub(super) fn i19_nothing_is_left_above_a_cut(
        &self,
        server: usize,
        cut: Zxid,
        recovered: &Recovered,
        disk: &Disk,
    ) -> Held {
        // A log that cannot be cut there stays as it is, and its server asks for a database.
        if !disk.reaches(cut) {
            return Ok(());
        }
        let last = recovered.tree.last_zxid();
        let logged = disk.log().last().is_some_and(|logged| logged.zxid > cut);
        if last > cut || logged || disk.has_snapshot_above(cut) {
            let text = format!("{}: cut to {cut}, and {last} is left", name(server));
            return Err(broken("i19_nothing_is_left_above_a_cut", text));
        }
        Ok(())
    }

    /// 20: behind a database that was received a restart never goes back.
    pub(super) fn i20_a_received_database_stays(&self, server: usize, last: Zxid) -> Held {
        let received = self.servers[server].received;
        if last < received {
            let text = format!("{}: starts at {last}, received {received}", name(server));
            return Err(broken("i20_a_received_database_stays", text));
        }
        Ok(())
    }

    /// 21: what is loaded from disk is the state that everybody had at that zxid, and no digest on
    /// the way is another one.
    pub(super) fn i21_restart_equivalence(&self, server: usize, recovered: &Recovered) -> Held {
        let zxid = recovered.tree.last_zxid();
        if let Some(mismatches) = recovered.mismatches {
            let text =
                format!("{}: digests differ on the way to {zxid}: {mismatches:?}", name(server));
            return Err(broken("i21_restart_equivalence", text));
        }
        match self.digests.get(&zxid) {
            Some(known) if *known != recovered.tree.digest() => {
                let text = format!("{}: another state at {zxid} than was served", name(server));
                Err(broken("i21_restart_equivalence", text))
            }
            _ => Ok(()),
        }
    }
}
