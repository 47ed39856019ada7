//! Faults, drawn from the kinds that the plan allows.

use zk_core::{Event, Replica};

use super::World;
use super::client::Phase;
use super::disk::Loss;
use super::net::Packet;
use super::plan::Fault;
use crate::history::Request;

/// How long a rolling restart waits for all to serve, in ms.
const ROLL_MS: i64 = 2_000;

impl World {
    /// When the next fault comes.
    pub(super) fn draw_fault(&mut self) {
        let every_ms = self.plan.fault_every_ms;
        let none = every_ms == 0 || self.plan.faults.is_empty();
        self.next_fault_ms = match none {
            true => i64::MAX,
            false => self.now_ms + 1 + self.rng.below(2 * every_ms) as i64,
        };
    }

    /// What an end of the process may cost.
    pub(super) fn loss(&mut self) -> Loss {
        if self.rng.one_in(2) { Loss::Process } else { Loss::Power }
    }

    /// The process ends, and starts again within that time.
    pub(super) fn down(&mut self, server: usize, loss: Loss, ms_max: usize) {
        self.crash(server, loss);
        let after_ms = 1 + self.rng.below(ms_max) as i64;
        self.servers[server].restart_at_ms = Some(self.now_ms + after_ms);
    }

    pub(super) fn fault(&mut self) {
        let faults = self.plan.faults.clone();
        let fault = *self.rng.pick(&faults);
        self.inflict(fault);
        self.draw_fault();
    }

    /// A fault of this kind, where chance wants it.
    pub fn inflict(&mut self, fault: Fault) {
        let server = self.rng.below(self.servers.len());
        let up = self.servers[server].replica.is_some();
        match fault {
            Fault::Crash if up => self.down(server, Loss::Process, 4_000),
            Fault::Power if up => self.down(server, Loss::Power, 4_000),
            Fault::PowerAll => {
                for server in 0..self.servers.len() {
                    self.down(server, Loss::Power, 500);
                }
            }
            Fault::CrashLeader => {
                let Some(leader) = self.newest_leader() else { return };
                let loss = self.loss();
                self.down(leader, loss, 4_000);
            }
            Fault::CrashMidStep if up => {
                self.servers[server].dies_behind = Some(self.rng.below(40));
                // Counted when it happens.
                return;
            }
            Fault::Rolling if self.rolling.is_empty() => {
                self.rolling = (0..self.servers.len()).collect();
                self.rolls_at_ms = self.now_ms;
                self.roll();
            }
            Fault::IsolateLeader => {
                let Some(leader) = self.newest_leader() else { return };
                let side = (0..self.servers.len()).map(|server| server == leader).collect();
                self.halve(side);
            }
            Fault::Cut | Fault::CutOneWay | Fault::Isolate | Fault::Halves | Fault::Mend => {
                self.cut_network(fault, server);
            }
            Fault::Reset | Fault::HalfOpen => return self.break_link(fault),
            Fault::Pause if up => {
                let for_ms = self.rng.below(8_000) as i64;
                // Never shorter than a pause that runs: what waits for its end would be overtaken.
                let until_ms = &mut self.servers[server].paused_until_ms;
                *until_ms = (self.now_ms + for_ms).max(*until_ms);
                self.note(|| format!("S{} pauses for {for_ms}", server + 1));
            }
            Fault::Hangup => {
                let client = self.rng.below(self.clients.len());
                self.disconnect(client);
            }
            Fault::SlowDisk => {
                let for_ms = self.rng.below(3_000) as i64;
                self.servers[server].disk_slow_until_ms = self.now_ms + for_ms;
            }
            // Counted when it happens.
            Fault::FailedSync if up => return self.servers[server].disk.fail_next(true),
            Fault::FullDisk if up && self.servers[server].paused_until_ms <= self.now_ms => {
                self.full_disk(server);
            }
            Fault::BitFlip => return self.flip(),
            Fault::ClockJump => {
                let ms = self.rng.below(7_200_000) as i64 - 3_600_000;
                self.servers[server].wall_ms += ms;
                self.note(|| format!("S{} clock jumps by {ms}", server + 1));
            }
            Fault::Wipe => return self.wipe(server),
            Fault::Reconfig => return self.change_members(),
            _ => return,
        }
        self.tally.count(fault.name());
    }

    fn newest_leader(&self) -> Option<usize> {
        let leads = |at: &usize| self.servers[*at].replica.as_ref().and_then(Replica::leads);
        (0..self.servers.len()).filter(|at| leads(at).is_some()).max_by_key(leads)
    }

    /// The servers of one side do not hear those of the other. Every other time clients have a side,
    /// too.
    fn halve(&mut self, side: Vec<bool>) {
        let count = side.len();
        for a in 0..count {
            self.net.cut.extend((0..count).filter(|b| side[a] != side[*b]).map(|b| (a, b)));
        }
        if self.rng.one_in(2) {
            for client in 0..self.clients.len() {
                let own = self.rng.one_in(2);
                self.part(client, (0..count).filter(|server| side[*server] != own));
            }
        }
        let cut = self.net.cut.len();
        self.note(|| format!("{cut} directions are cut"));
    }

    fn full_disk(&mut self, server: usize) {
        if self.servers[server].disk_full_until_ms > 0 {
            return;
        }
        let for_ms = 1 + self.rng.below(3_000) as i64;
        self.servers[server].disk_full_until_ms = self.now_ms + for_ms;
        self.note(|| format!("S{} disk is full for {for_ms}", server + 1));
        self.step(server, Event::DiskSpace { available: false });
    }

    /// The next server of a rolling restart: when all serve, or when nobody waits for that any more.
    pub(super) fn roll(&mut self) {
        let whole = self.servers.iter().all(|server| server.serving);
        if (whole || self.now_ms > self.rolls_at_ms + ROLL_MS)
            && let Some(server) = self.rolling.pop_front()
        {
            self.rolls_at_ms = self.now_ms;
            self.crash(server, Loss::Process);
            self.servers[server].restart_at_ms = Some(self.now_ms + 50);
        }
    }

    /// A client asks for another configuration. Counted when one comes into force.
    fn change_members(&mut self) {
        let able = |client: &super::client::Client| {
            client.mirror.is_none() && client.phase == Phase::Open && !client.closes()
        };
        let able: Vec<usize> =
            (0..self.clients.len()).filter(|n| able(&self.clients[*n])).collect();
        if !self.plan.reconfigs || able.is_empty() {
            return;
        }
        let client = *self.rng.pick(&able);
        let (mut joining, mut leaving) = (Vec::new(), Vec::new());
        for _ in 0..*self.rng.pick(&[1, 1, 1, 2, 3]) {
            let server = self.rng.below(self.servers.len());
            let voter = self.monitor.newest_members().is_voter(server as i64 + 1);
            match self.rng.below(8) {
                0..=2 => leaving.push((server + 1).to_string()),
                // A voter stays one mostly: ensembles that shrink are soon too small for faults.
                kind => joining.push(super::line(server, if voter { kind == 3 } else { kind < 5 })),
            }
        }
        let (joining, leaving) = (joining.join(","), leaving.join(","));
        self.note(|| format!("client {client} wants joining={joining} leaving={leaving}"));
        self.ask(client, Request::Reconfig(joining, leaving));
    }

    fn cut_network(&mut self, fault: Fault, server: usize) {
        let count = self.servers.len();
        let other = self.rng.below(count);
        let both = self.rng.one_in(2);
        let side: Vec<bool> = (0..count).map(|_| self.rng.one_in(2)).collect();
        let cut = &mut self.net.cut;
        match fault {
            Fault::Mend => {
                cut.clear();
                self.apart.clear();
            }
            Fault::Halves => return self.halve(side),
            Fault::Isolate => {
                let inward = side[server];
                for other in (0..count).filter(|other| *other != server) {
                    if both || inward {
                        cut.insert((other, server));
                    }
                    if both || !inward {
                        cut.insert((server, other));
                    }
                }
            }
            _ if other == server => {}
            _ => {
                cut.insert((server, other));
                if fault == Fault::Cut {
                    cut.insert((other, server));
                }
            }
        }
        let cut = self.net.cut.len();
        self.note(|| format!("{}: {cut} directions are cut", fault.name()));
    }

    fn break_link(&mut self, fault: Fault) {
        let all: Vec<_> = self.net.links.iter().map(|(end, other)| (*end, *other)).collect();
        let Some((end, other)) = all.get(self.rng.below(all.len().max(1))).copied() else { return };
        self.tally.count(fault.name());
        let (rng, now_ms) = (&mut self.rng, self.now_ms);
        if fault == Fault::HalfOpen {
            self.net.deaf.extend([end, other]);
            return self.net.send(rng, now_ms, false, end, Packet::Closed);
        }
        self.net.send(rng, now_ms, false, end, Packet::Closed);
        self.net.send(rng, now_ms, false, other, Packet::Closed);
    }

    /// A bit of what is durable turns while a server is down. Recovery has to refuse, or to find all
    /// that it had.
    fn flip(&mut self) {
        let down = |at: &usize| self.servers[*at].replica.is_none();
        let down: Vec<usize> = (0..self.servers.len()).filter(down).collect();
        if down.is_empty() {
            return;
        }
        let server = *self.rng.pick(&down);
        let found = self.servers[server].disk.flip(&mut self.rng);
        match found {
            None => {}
            Some(Ok(())) => self.tally.count("bit flip"),
            Some(Err(text)) => self.fail(super::invariants::broken("bit_flips_are_seen", text)),
        }
    }

    /// What an operator does with a server that does not start: it gets an empty disk when that is
    /// safe, else its old one back.
    pub(super) fn repair(&mut self, server: usize) {
        self.servers[server].restart_at_ms = Some(self.now_ms + 1_000);
    }

    fn wipe(&mut self, server: usize) {
        // One at a time, and only while all others have everything: what a majority lost is lost.
        let others = self.servers.iter().enumerate().filter(|(other, _)| *other != server);
        let whole = others.clone().all(|(_, other)| other.serving);
        let voters = self.monitor.newest_members().voters().count();
        if !self.plan.wipes || !whole || voters < 3 {
            return;
        }
        self.tally.count(Fault::Wipe.name());
        self.crash(server, Loss::Power);
        self.monitor.on_wipe(server, &self.servers[server].disk);
        self.servers[server].disk.wipe();
        self.servers[server].restart_at_ms = Some(self.now_ms + 100);
        self.note(|| format!("S{} lost its disk", server + 1));
    }
}
