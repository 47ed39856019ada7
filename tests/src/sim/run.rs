//! One run: a time of faults, then a time in which everything must come together again.

use zk_wire::Zxid;

use super::World;
use super::invariants::{Held, broken};
use super::net::{End, Packet};
use crate::history::Summary;

/// How long a healthy ensemble may take to come together, in ms.
const RECOVERY_MS: i64 = 60_000;
/// Requests that each client must get answered in that time.
const ANSWERS: u64 = 5;

impl World {
    /// Runs both parts.
    ///
    /// # Panics
    /// When something does not hold; the message begins with the name of the invariant.
    pub fn run(&mut self) -> Summary {
        let end_ms = self.now_ms + self.plan.faults_ms;
        self.faults_end_ms = end_ms;
        self.draw_fault();
        while self.now_ms < end_ms {
            self.advance(end_ms);
            if self.now_ms >= self.next_fault_ms {
                self.fault();
            }
            if !self.rolling.is_empty() {
                self.roll();
            }
        }
        self.finish()
    }

    /// The second part: every fault ends, and everything comes together.
    ///
    /// # Panics
    /// When something does not hold.
    pub fn finish(&mut self) -> Summary {
        self.heal();
        let together = self.i27_everything_comes_together();
        self.hold(together);
        self.quiesce();
        let waits = self.monitor.i24_nothing_waits(|end| {
            let up = |end: &End| {
                let server = &self.servers[end.server];
                server.replica.is_some() && server.boots == end.boot
            };
            let other = self.net.links.get(end);
            up(end) && other.is_some_and(|other| up(other) && self.net.links.contains_key(other))
        });
        self.hold(waits);
        let equal = self.compare();
        self.hold(equal);
        let gone = self.what_goes_by_itself();
        self.hold(gone);
        let told = self.i26_client_promises();
        self.hold(told)
    }

    /// Ends every fault.
    pub fn heal(&mut self) {
        self.note(|| "healed".to_owned());
        self.next_fault_ms = i64::MAX;
        self.rolling.clear();
        self.heal_network();
        for server in &mut self.servers {
            server.dies_behind = None;
            server.disk_slow_until_ms = 0;
            server.disk.fail_next(false);
            if server.replica.is_none() {
                server.restart_at_ms = Some(self.now_ms);
            }
        }
    }

    pub(super) fn heal_network(&mut self) {
        // Who was cut off lost bytes: such a connection is of no use any more.
        self.apart.clear();
        let cut = std::mem::take(&mut self.net.cut);
        let broken = self.net.links.iter().filter(|(end, other)| {
            let (a, b) = (end.server, other.server);
            let deaf = self.net.deaf.contains(end) || self.net.deaf.contains(other);
            deaf || cut.contains(&(a, b)) || cut.contains(&(b, a))
        });
        let broken: Vec<_> = broken.map(|(end, _)| *end).collect();
        for end in broken {
            self.net.send(&mut self.rng, self.now_ms, false, end, Packet::Closed);
        }
    }

    /// 27: a healthy ensemble serves, and everybody gets answers.
    fn i27_everything_comes_together(&mut self) -> Held {
        let before: Vec<u64> = self.clients.iter().map(|client| client.answered).collect();
        for client in &mut self.clients {
            client.next_ms = client.next_ms.min(self.now_ms + 2_000);
        }
        let together = self.pass_until(RECOVERY_MS, |world| {
            let served = world.servers.iter().all(|server| server.serving);
            let mut moved = world.clients.iter().zip(&before);
            // Who only watches asks for nothing.
            served && moved.all(|(c, before)| c.mirror.is_some() || c.answered > before + ANSWERS)
        });
        if together {
            return Ok(());
        }
        let serving: Vec<bool> = self.servers.iter().map(|server| server.serving).collect();
        let answered: Vec<u64> = self.clients.iter().map(|client| client.answered).collect();
        let text = format!("serving {serving:?}, answered {answered:?} of {before:?}");
        Err(broken("i27_everything_comes_together", text))
    }

    /// Nobody asks any more; what is under way comes to an end.
    fn quiesce(&mut self) {
        for client in &mut self.clients {
            client.next_ms = i64::MAX;
        }
        let rests = |world: &World| {
            let waits = world.clients.iter().any(|client| client.waits() > 0);
            !waits && world.ends_are_equal()
        };
        self.pass_until(10_000, rests);
        // What is on its way arrives, and a session that ends meanwhile ends everywhere.
        self.pass(200);
        self.pass_until(10_000, rests);
    }

    fn last_zxids(&self) -> Vec<Zxid> {
        let replicas = self.servers.iter().filter_map(|server| server.replica.as_ref());
        // An idle leader stands at the beginning of its epoch; no txn carries that.
        replicas.map(|replica| replica.applied_txn()).collect()
    }

    /// Whether all have applied the same last txn. Who was sent a database of an epoch without one
    /// stands at its beginning: the database itself is compared.
    fn ends_are_equal(&self) -> bool {
        let zxids = self.last_zxids();
        let last = zxids.iter().copied().filter(|zxid| zxid.counter() > 0).max();
        let last = last.unwrap_or(Zxid::ZERO);
        zxids.iter().all(|zxid| *zxid == last || (zxid.counter() == 0 && *zxid > last))
    }

    /// 7: at the end all have the same, sessions included.
    fn compare(&self) -> Held {
        let zxids = self.last_zxids();
        if !self.ends_are_equal() {
            return Err(broken("i07_equal_trees", format!("the ends differ: {zxids:?}")));
        }
        let mut states = self.servers.iter().map(|server| {
            let replica = server.replica.as_ref().expect("all are up");
            (replica.tree().digest(), replica.sessions().collect::<Vec<_>>())
        });
        let first = states.next().expect("there is a server");
        for (number, state) in states.enumerate() {
            if state != first {
                let text = format!("S{}: {:x?}, S1: {:x?}", number + 2, state, first);
                return Err(broken("i07_equal_trees", text));
            }
        }
        Ok(())
    }
}
