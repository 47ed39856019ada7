//! What must hold, looked at after every step: one function for each invariant, by its number.
//!
//! The monitor sees what a server hands to its disk and to the network, what is durable, and what
//! the replica shows; it takes nobody's word. Numbers follow the list of the protocol's invariants
//! (`docs/ZAB.md`, section 5). 26 is the certificate at the end of a run, 27 the part of a run in
//! which everything must come together.

mod history;
mod replay;
mod served;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use zk_core::{Config, Epochs, Members, Port, Recovered, Replica};
use zk_wire::Zxid;

use super::disk::{Disk, Done};
use super::net::End;
use wire::Wire;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub name: &'static str,
    /// What was seen.
    pub text: String,
}

/// Says that something does not hold.
pub fn broken(name: &'static str, text: String) -> Broken {
    Broken { name, text }
}

/// Whether it holds.
pub type Held<T = ()> = Result<T, Broken>;

/// What is known of a server.
#[derive(Clone, Debug, Default)]
struct Known {
    epochs: Epochs,
    /// The newest txn that it acknowledged, unless its log was cut or replaced since.
    acked: Zxid,
    /// The zxid of the last database that it received, unless its log was cut since.
    received: Zxid,
    /// What it served last, on this boot; the zxid of the tree.
    served: Option<Zxid>,
    /// Its disk was wiped: until it has this, it counts as having it.
    excused: Zxid,
    /// The version of the configuration in force.
    version: i64,
    /// Its disk was lost once.
    wiped: bool,
    /// How often its log was cut or replaced.
    rewrites: u64,
}

impl Known {
    /// What it acknowledged before its log was cut or replaced counts no more.
    fn look_at(&mut self, disk: &Disk) {
        if self.rewrites != disk.rewrites() {
            (self.rewrites, self.acked) = (disk.rewrites(), Zxid::ZERO);
        }
    }
}

/// A txn that was proposed.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The txn.
    pub txn: Rc<[u8]>,
    /// When it was made.
    pub at_ms: i64,
    /// The txn before it in its leader's log.
    pred: Zxid,
    /// The version of the configuration that decides about it.
    config: i64,
    /// The version of the one that decides about it as well, when it is a reconfig.
    before: i64,
}

/// What was seen so far.
#[derive(Debug)]
pub struct Monitor {
    /// Every configuration that was proposed or came into force, by version.
    configs: BTreeMap<i64, Members>,
    /// The newest one that came into force somewhere.
    in_force: i64,
    /// Epochs whose leader was seen to have the history on a quorum.
    established: BTreeSet<i64>,
    servers: Vec<Known>,
    /// Every txn ever logged.
    pub proposed: BTreeMap<Zxid, Proposed>,
    /// The newest counter proposed in each epoch.
    counters: BTreeMap<i64, u32>,
    /// The txns that were ever served, in order.
    pub chain: Vec<Zxid>,
    /// Digest of every state that was ever served, by the zxid of the tree.
    digests: BTreeMap<Zxid, u64>,
    /// Who established itself as leader of an epoch.
    leaders: BTreeMap<i64, usize>,
    /// Who offered an epoch, and so chose it with a quorum.
    choosers: BTreeMap<i64, usize>,
    /// Sessions that ended, with the zxid.
    ended: BTreeMap<i64, Zxid>,
    wire: Wire,
}

impl Monitor {
    /// Nothing was seen yet.
    pub fn new(members: Members, count: usize) -> Monitor {
        Monitor {
            configs: BTreeMap::from([(0, members)]),
            in_force: 0,
            established: BTreeSet::new(),
            servers: vec![Known::default(); count],
            proposed: BTreeMap::new(),
            counters: BTreeMap::new(),
            chain: Vec::new(),
            digests: BTreeMap::new(),
            leaders: BTreeMap::new(),
            choosers: BTreeMap::new(),
            ended: BTreeMap::new(),
            wire: Wire::default(),
        }
    }

    /// A server has read its disk. The configuration of its settings is the one that was in force
    /// there, unless it had no place in that.
    pub fn on_start(
        &mut self,
        server: usize,
        config: &Config,
        recovered: &Recovered,
        disk: &Disk,
    ) -> Held {
        let version = config.ensemble.as_ref().map_or(0, |own| own.members.version);
        self.servers[server].version = version;
        self.i01_epochs_never_decrease(server, disk)?;
        self.i20_a_received_database_stays(server, recovered.tree.last_zxid())?;
        self.i21_restart_equivalence(server, recovered)?;
        self.i22_versions_never_decrease(server, disk, config)
    }

    /// A server's process has ended.
    pub fn on_stop(&mut self, server: usize, disk: &Disk) -> Held {
        self.servers[server].served = None;
        // The power may go between the cut and the word that it is done.
        self.servers[server].look_at(disk);
        self.i01_epochs_never_decrease(server, disk)
    }

    /// A server lost its disk, and everything that it promised.
    pub fn on_wipe(&mut self, server: usize, disk: &Disk) {
        let excused = disk.durable_last().max(self.servers[server].excused);
        // The configuration stands beside the settings, not among the data.
        let version = self.servers[server].version;
        self.servers[server] = Known { excused, version, wiped: true, ..Known::default() };
    }

    /// A server logs a txn. Gives the bytes that all servers share.
    pub fn on_append(
        &mut self,
        server: usize,
        leads: Option<i64>,
        zxid: Zxid,
        txn: &[u8],
        disk: &Disk,
        now_ms: i64,
    ) -> Held<Rc<[u8]>> {
        self.i06_the_log_ascends(server, zxid, disk)?;
        let shared = self.i03_one_content(server, zxid, txn, now_ms)?;
        if let Some(fresh) = shared.fresh {
            self.i04_counters_have_no_gap(zxid)?;
            self.i08_integrity(server, leads, fresh, txn)?;
        }
        self.i05_log_matching(server, zxid, disk)?;
        Ok(shared.txn)
    }

    /// The disk has done something. True when less may be durable than before.
    pub fn on_disk(&mut self, server: usize, done: &Done, disk: &Disk) -> Held<bool> {
        let last = disk.durable_last();
        match done {
            Done::Durable(_) => {
                let known = &mut self.servers[server];
                if disk.has(known.excused) {
                    known.excused = Zxid::ZERO;
                }
                Ok(false)
            }
            Done::Epochs(_) => self.i01_epochs_never_decrease(server, disk).map(|()| false),
            Done::Taken(_, false) | Done::Read(..) => Ok(false),
            Done::Taken(zxid, true) => {
                let known = &mut self.servers[server];
                known.received = *zxid;
                known.look_at(disk);
                if last >= known.excused {
                    known.excused = Zxid::ZERO;
                }
                Ok(true)
            }
            Done::Reloaded(recovered, cut) => {
                let known = &mut self.servers[server];
                known.look_at(disk);
                known.received = known.received.min(recovered.tree.last_zxid());
                if let Some(cut) = cut {
                    self.i19_nothing_is_left_above_a_cut(server, *cut, recovered, disk)?;
                }
                self.i21_restart_equivalence(server, recovered)?;
                Ok(true)
            }
        }
    }

    /// A configuration comes into force on a server. True when it is new, and no mere stamp on the
    /// servers that there were.
    pub fn on_members(&mut self, server: usize, members: &Members) -> Held<bool> {
        let before = self.newest_members().clone();
        let newer = self.in_force < members.version;
        self.i18_configurations_go_forward(server, members)?;
        Ok(newer && !before.same_servers(members))
    }

    /// The newest configuration that came into force somewhere: nobody can go behind it.
    pub fn newest_members(&self) -> &Members {
        &self.configs[&self.in_force]
    }

    /// A replica was stepped. True when something is served that was not served before.
    pub fn on_step(&mut self, server: usize, replica: &Replica, serving: bool) -> Held<bool> {
        self.i02_one_leader(server, replica.leads())?;
        if !serving {
            self.servers[server].served = None;
            return Ok(false);
        }
        let at = replica.tree().last_zxid();
        let before = self.servers[server].served.replace(at);
        if before == Some(at) {
            return Ok(false);
        }
        self.i10_primary_order(server, before, at)?;
        let grew = self.i09_total_order(server, replica)?;
        self.i07_equal_trees(server, replica)?;
        self.i11_primary_integrity(server, replica, before.is_none())?;
        self.i23_committed_log_is_the_tail(server, replica)?;
        self.i25_sessions_own_ephemerals(server, replica)?;
        Ok(grew)
    }

    /// The newest epoch that anybody led.
    pub fn newest_epoch(&self) -> i64 {
        self.leaders.last_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    /// A connection between servers is dialed.
    pub fn on_dial(&mut self, from: End, to: End, port: Port) {
        if port == Port::Quorum {
            self.wire.dialed(from, to);
        }
    }

    /// A server sends bytes to another one.
    pub fn on_sent(&mut self, from: End, to: End, port: Port, bytes: &[u8], disk: &Disk) -> Held {
        match port {
            Port::Quorum => self.on_packets(from, to, bytes, disk),
            Port::Election => self.on_votes(from, bytes, disk),
        }
    }

    /// What was ever served is durable on a quorum.
    pub fn durability<'d>(&self, disks: impl Iterator<Item = &'d Disk>) -> Held {
        self.i12_durability(disks)
    }

    /// A server says something to its operator.
    pub fn on_log(&self, server: usize, line: &str) -> Held {
        self.i28_nothing_is_out_of_phase(server, line)
    }

    /// The voters among these servers, by their numbers, are a quorum of that configuration. Counted
    /// here: what the servers take for one is what is looked at.
    fn is_quorum(&self, version: i64, servers: impl Iterator<Item = usize>) -> bool {
        let members = &self.configs[&version];
        let sids: BTreeSet<i64> = servers.map(|server| server as i64 + 1).collect();
        let mut groups: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
        for sid in members.voters() {
            assert!(!members.weights.contains_key(&sid));
            let group = members.groups.get(&sid).copied().unwrap_or(0);
            let (have, all) = groups.entry(group).or_default();
            *all += 1;
            *have += usize::from(sids.contains(&sid));
        }
        let won = groups.values().filter(|(have, all)| *have * 2 > *all).count();
        won * 2 > groups.len()
    }
}

/// A server's name in messages.
fn name(server: usize) -> String {
    format!("S{}", server + 1)
}
