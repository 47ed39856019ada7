//! One run: a time of faults, then a time in which everything must come together again.

use zk_wire::Zxid;

use super::World;
use super::client::Asked;

/// How long a healthy ensemble may take to come together, in ms.
const RECOVERY_MS: i64 = 60_000;

impl World {
    /// Runs both parts.
    ///
    /// # Panics
    /// When something does not hold.
    pub fn run(&mut self) {
        let end_ms = self.now_ms() + self.plan.faults_ms;
        while self.now_ms() < end_ms {
            self.tick();
            if self.plan.fault_every_ms > 0 && self.rng.one_in(self.plan.fault_every_ms) {
                self.fault();
            }
        }
        self.heal();
        self.come_together();
        self.compare();
    }

    fn fault(&mut self) {
        let count = self.servers.len();
        let server = self.rng.below(count);
        let now_ms = self.now_ms();
        match self.rng.below(10) {
            0..4 => {
                self.tally.count("crash");
                self.crash(server);
                let after_ms = 1 + self.rng.below(4_000) as i64;
                self.servers[server].restart_at_ms = Some(now_ms + after_ms);
            }
            4..6 => {
                self.tally.count("cut");
                let other = self.rng.below(count);
                if other != server {
                    self.cut.insert((server, other));
                    if self.rng.one_in(2) {
                        self.cut.insert((other, server));
                    }
                }
                self.note(format!("network cut {:?}", self.cut));
            }
            6 => {
                self.tally.count("mend");
                self.cut.clear();
            }
            7 => {
                self.tally.count("pause");
                let for_ms = self.rng.below(8_000) as i64;
                // Never shorter than a pause that runs: what waits for its end would be overtaken.
                let until_ms = &mut self.servers[server].paused_until_ms;
                *until_ms = (now_ms + for_ms).max(*until_ms);
                self.note(format!("S{} pauses for {for_ms}", server + 1));
            }
            8 => {
                self.tally.count("power");
                for server in 0..count {
                    self.crash(server);
                    let after_ms = 1 + self.rng.below(500) as i64;
                    self.servers[server].restart_at_ms = Some(now_ms + after_ms);
                }
            }
            _ => {
                self.tally.count("reset");
                let all: Vec<_> = self.links.iter().map(|(end, other)| (*end, *other)).collect();
                if let Some((end, other)) = all.get(self.rng.below(all.len().max(1))) {
                    self.links.remove(end);
                    self.links.remove(other);
                    self.send(None, *end, super::Packet::Closed);
                    self.send(None, *other, super::Packet::Closed);
                }
            }
        }
    }

    fn heal(&mut self) {
        self.note("healed".to_owned());
        // Who was cut off lost bytes: such a connection is of no use any more.
        let now_ms = self.now_ms();
        let cut = std::mem::take(&mut self.cut);
        let broken: Vec<_> = self
            .links
            .iter()
            .filter(|(end, other)| {
                let (a, b) = (end.server, other.server);
                let deaf = self.deaf.contains(end) || self.deaf.contains(other);
                deaf || cut.contains(&(a, b)) || cut.contains(&(b, a))
            })
            .map(|(end, other)| (*end, *other))
            .collect();
        for (end, _) in broken {
            self.links.remove(&end);
            self.send(None, end, super::Packet::Closed);
        }
        for server in &mut self.servers {
            if server.replica.is_none() {
                server.restart_at_ms = Some(now_ms);
            }
        }
    }

    fn come_together(&mut self) {
        let start_ms = self.now_ms();
        let before: Vec<u64> = self.clients.iter().map(|client| client.answered).collect();
        loop {
            self.tick();
            let serving = self.servers.iter().all(|server| server.serving);
            let mut moved = self.clients.iter().zip(&before);
            if serving && moved.all(|(client, before)| client.answered > before + 5) {
                break;
            }
            if self.now_ms() > start_ms + RECOVERY_MS {
                let serving: Vec<bool> = self.servers.iter().map(|s| s.serving).collect();
                let answered: Vec<u64> = self.clients.iter().map(|c| c.answered).collect();
                panic!("no progress: serving {serving:?}, answered {answered:?} of {before:?}");
            }
        }
        // Nobody asks any more; what is under way comes to an end.
        for client in &mut self.clients {
            client.next_ms = i64::MAX;
        }
        let quiet_ms = self.now_ms() + 10_000;
        while self.now_ms() < quiet_ms {
            self.tick();
            let waits = self.clients.iter().any(|client| client.asked != Asked::Nothing);
            let states: Vec<Zxid> = self.last_zxids();
            if !waits && states.iter().all(|zxid| *zxid == states[0]) {
                break;
            }
        }
    }

    fn last_zxids(&self) -> Vec<Zxid> {
        let zxids = self.servers.iter().filter_map(|server| server.replica.as_ref());
        // An idle leader stands at the beginning of its epoch; no txn carries that.
        zxids.map(|replica| replica.applied_txn()).collect()
    }

    fn compare(&mut self) {
        let zxids = self.last_zxids();
        assert!(zxids.iter().all(|zxid| *zxid == zxids[0]), "the ends differ: {zxids:?}");
        for (number, server) in self.servers.iter().enumerate() {
            let replica = server.replica.as_ref().expect("all are up");
            let tree = replica.tree();
            let first = self.servers[0].replica.as_ref().expect("all are up").tree();
            assert_eq!(tree.digest(), first.digest(), "S{}: another tree", number + 1);
            for client in &self.clients {
                for (path, zxid) in &client.created {
                    let found = tree.find(path).map(|found| tree.stat(found).czxid);
                    assert!(found.is_some(), "S{}: {path} of {zxid} is lost", number + 1);
                }
                let register = format!("/register-{}", client.number);
                if let Some(found) = tree.find(&register) {
                    let data = tree.data(found).unwrap_or_default();
                    let value: u64 = std::str::from_utf8(data).unwrap().parse().unwrap();
                    assert!(value >= client.acknowledged, "S{}: {register} is old", number + 1);
                }
            }
        }
    }
}
