//! What servers say to each other: read from the bytes that they send, as they send them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zk_core::PeerId;
use zk_core::txn::TxnHeader;
use zk_core::zab::packet::{Packet, kind};
use zk_wire::jute::Reader;
use zk_wire::{Op, Zxid};

use super::{Held, Monitor, Proposed, broken, name};
use crate::sim::disk::Disk;
use crate::sim::net::End;

/// The end of a database in a stream.
const DATABASE_END: &[u8] = b"\0\0\0\x0aBenWasHere";

/// A connection of the quorum port, by the end of who dialed.
#[derive(Debug, Default)]
pub(super) struct Talk {
    learner: usize,
    leader: usize,
    up: Vec<u8>,
    down: Vec<u8>,
    in_database: bool,
    by_database: bool,
    epoch: i64,
    observer: bool,
    offered: bool,
    took_offer: bool,
    serving: bool,
    /// The end of the history that was sent before NEWLEADER.
    history_end: Zxid,
    /// The newest proposal, or what was sent in its place.
    proposed: Zxid,
    uncommitted: VecDeque<Zxid>,
    committed: Zxid,
    acked: Zxid,
    /// Writes that the learner handed in, and that no proposal answers yet.
    requests: VecDeque<(i64, i32)>,
    handed: usize,
    /// The zxids of the writes that were answered.
    answered: Vec<Zxid>,
    /// Syncs, each with the number of writes before it.
    syncs: VecDeque<usize>,
}

/// A connection of the election port, one direction.
#[derive(Debug, Default)]
struct Votes {
    bytes: Vec<u8>,
    greeted: bool,
}

/// All connections between servers.
#[derive(Debug, Default)]
pub(super) struct Wire {
    talks: BTreeMap<End, Talk>,
    votes: BTreeMap<End, Votes>,
    /// Who promised to follow a leader in an epoch.
    promised: BTreeMap<(i64, usize), BTreeSet<usize>>,
    /// Who has what on disk, by epoch: what it said itself.
    acks: BTreeMap<i64, BTreeMap<usize, Zxid>>,
    /// How often a server was sent the database.
    databases: BTreeMap<usize, usize>,
    /// The newest round of an election in which a server was seen, with its boot.
    rounds: BTreeMap<usize, (u64, i64)>,
}

impl Wire {
    pub fn dialed(&mut self, from: End, to: End) {
        // A learner has one leader: what is said on an older connection is void.
        self.talks.retain(|_, talk| talk.learner != from.server);
        let talk = Talk { learner: from.server, leader: to.server, ..Talk::default() };
        self.talks.insert(from, talk);
    }

    /// Who has taken the offer of an epoch, besides its leader.
    pub fn followers_of(&self, epoch: i64) -> Vec<usize> {
        self.acks.get(&epoch).map(|acks| acks.keys().copied().collect()).unwrap_or_default()
    }
}

impl Monitor {
    pub(super) fn on_packets(&mut self, from: End, to: End, bytes: &[u8], disk: &Disk) -> Held {
        let up = from.peer.0 < PeerId::ACCEPTED;
        let key = if up { from } else { to };
        let Some(mut talk) = self.wire.talks.remove(&key) else { return Ok(()) };
        let mut buffer = std::mem::take(if up { &mut talk.up } else { &mut talk.down });
        buffer.extend_from_slice(bytes);
        let mut used = 0;
        let mut held = Ok(());
        while held.is_ok() {
            let rest = &buffer[used..];
            if !up && talk.in_database {
                let end = rest.windows(DATABASE_END.len()).position(|at| at == DATABASE_END);
                let Some(end) = end else {
                    // The end may come in two parts.
                    used += rest.len().saturating_sub(DATABASE_END.len());
                    break;
                };
                talk.in_database = false;
                used += end + DATABASE_END.len();
                continue;
            }
            let (packet, length) = match Packet::cut(rest) {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(error) => {
                    let text = format!("{} sends what is no packet: {error}", name(from.server));
                    held = Err(broken("i28_nothing_is_out_of_phase", text));
                    break;
                }
            };
            used += length;
            held = match up {
                true => self.on_up(&mut talk, &packet, disk),
                false => self.on_down(&mut talk, &packet, disk),
            };
        }
        buffer.drain(..used);
        *(if up { &mut talk.up } else { &mut talk.down }) = buffer;
        self.wire.talks.insert(key, talk);
        held
    }

    fn on_up(&mut self, talk: &mut Talk, packet: &Packet<'_>, disk: &Disk) -> Held {
        match packet.kind {
            kind::OBSERVERINFO => talk.observer = true,
            kind::ACKEPOCH => {
                self.i13_the_epoch_is_promised_on_disk(talk, disk)?;
                // -1: promised before, perhaps to another.
                if packet.data != Some(&(-1i32).to_be_bytes()[..]) {
                    self.i02_a_promise_is_given_once(talk)?;
                }
            }
            // It is sent once more behind UPTODATE.
            kind::ACK if packet.zxid.counter() == 0 && packet.zxid.epoch() < talk.epoch => {}
            kind::ACK if packet.zxid.counter() == 0 && talk.took_offer => {}
            kind::ACK if packet.zxid.counter() == 0 => {
                self.i13_the_history_is_on_disk(talk, packet.zxid, disk)?;
                talk.took_offer = true;
                let acks = self.wire.acks.entry(talk.epoch).or_default();
                acks.insert(talk.learner, talk.history_end);
            }
            kind::ACK => {
                self.i15_the_offer_is_taken_first(talk, packet.zxid)?;
                self.i13_a_txn_is_on_disk_before_its_ack(talk, packet.zxid, disk)?;
                talk.acked = packet.zxid;
                let known = &mut self.servers[talk.learner];
                known.acked = known.acked.max(packet.zxid);
                let acks = self.wire.acks.entry(talk.epoch).or_default();
                let have = acks.entry(talk.learner).or_insert(packet.zxid);
                *have = packet.zxid.max(*have);
            }
            kind::REQUEST => {
                let mut reader = Reader::new(packet.data.unwrap_or_default());
                let session = reader.long("session").unwrap_or(0);
                let cxid = reader.int("cxid").unwrap_or(0);
                if Op(reader.int("op").unwrap_or(0)) == Op::SYNC {
                    talk.syncs.push_back(talk.handed);
                } else {
                    talk.requests.push_back((session, cxid));
                    talk.handed += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_down(&mut self, talk: &mut Talk, packet: &Packet<'_>, disk: &Disk) -> Held {
        let zxid = packet.zxid;
        match packet.kind {
            kind::LEADERINFO => {
                talk.epoch = zxid.epoch();
                if talk.serving {
                    // The next epoch of a leader that goes on: it is offered what it has proposed.
                    (talk.offered, talk.took_offer) = (false, false);
                    talk.history_end = talk.history_end.max(talk.proposed);
                }
            }
            kind::DIFF => talk.history_end = zxid,
            kind::TRUNC => (talk.history_end, talk.proposed) = (zxid, zxid),
            kind::SNAP => {
                (talk.history_end, talk.proposed) = (zxid, zxid);
                talk.in_database = true;
                talk.by_database = true;
                *self.wire.databases.entry(talk.learner).or_default() += 1;
            }
            kind::PROPOSAL | kind::INFORM | kind::INFORMANDACTIVATE => {
                let mut txn = packet.data.unwrap_or_default();
                if packet.kind == kind::INFORMANDACTIVATE {
                    // Who leads from then on stands before it.
                    txn = txn.get(8..).unwrap_or_default();
                }
                self.i16_proposals_are_in_order(talk, zxid, txn)?;
                self.i24_writes_are_answered_in_order(talk, zxid, txn)?;
                talk.proposed = zxid;
                if !talk.offered {
                    talk.history_end = zxid;
                }
                if packet.kind == kind::PROPOSAL {
                    talk.uncommitted.push_back(zxid);
                } else {
                    self.i17_a_quorum_commits(talk, zxid, disk)?;
                    talk.committed = zxid;
                }
            }
            kind::COMMIT | kind::COMMITANDACTIVATE => {
                self.i16_commits_follow_proposals(talk, zxid)?;
                if talk.serving {
                    self.i17_a_quorum_commits(talk, zxid, disk)?;
                }
                talk.committed = zxid;
            }
            kind::NEWLEADER => {
                self.i02_a_quorum_has_promised(talk)?;
                talk.offered = true;
            }
            kind::UPTODATE => {
                self.i02_a_quorum_has_the_history(talk.leader, talk.epoch)?;
                talk.serving = true;
            }
            kind::SYNC => self.i24_syncs_are_answered_in_order(talk)?,
            _ => {}
        }
        Ok(())
    }

    /// 2: who promised an epoch to a leader promises it to no other.
    fn i02_a_promise_is_given_once(&mut self, talk: &Talk) -> Held {
        let to = (talk.epoch, talk.leader);
        let others = self.wire.promised.range((talk.epoch, 0)..=(talk.epoch, usize::MAX));
        let mut others = others.filter(|(key, who)| **key != to && who.contains(&talk.learner));
        // Whose disk was lost knows of no promise, and is not trusted to have given none.
        let wiped = self.servers[talk.learner].wiped;
        if let Some(((_, first), _)) = others.next().filter(|_| !wiped) {
            let (who, first, second) = (name(talk.learner), name(*first), name(talk.leader));
            let text = format!("{who}: promises {} to {first} and {second}", talk.epoch);
            return Err(broken("i02_one_leader", text));
        }
        self.wire.promised.entry(to).or_default().insert(talk.learner);
        Ok(())
    }

    /// 2: an epoch is entered when a quorum has promised it, and with one leader.
    fn i02_a_quorum_has_promised(&mut self, talk: &Talk) -> Held {
        let promised = self.wire.promised.get(&(talk.epoch, talk.leader));
        let all: Vec<usize> = promised.into_iter().flatten().copied().collect();
        let version = self.servers[talk.leader].version;
        // Whoever comes later finds an epoch that was entered, and perhaps another configuration.
        let entered = self.choosers.contains_key(&talk.epoch);
        if !entered && !self.is_quorum(version, all.iter().copied().chain([talk.leader])) {
            let who = name(talk.leader);
            let text = format!("{who}: epoch {} without a quorum: {all:?}", talk.epoch);
            return Err(broken("i02_one_leader", text));
        }
        let first = *self.choosers.entry(talk.epoch).or_insert(talk.leader);
        if first != talk.leader {
            let (first, second) = (name(first), name(talk.leader));
            let text = format!("{first} and {second} enter epoch {}", talk.epoch);
            return Err(broken("i02_one_leader", text));
        }
        Ok(())
    }

    /// 2: a leader is established when a quorum has its history.
    pub(super) fn i02_a_quorum_has_the_history(&mut self, leader: usize, epoch: i64) -> Held {
        if !self.established.insert(epoch) {
            return Ok(());
        }
        let have = self.wire.followers_of(epoch);
        let version = self.servers[leader].version;
        if !self.is_quorum(version, have.iter().copied().chain([leader])) {
            let text = format!("{}: established in {epoch} with {have:?}", name(leader));
            return Err(broken("i02_one_leader", text));
        }
        Ok(())
    }

    /// 13: the promise is on disk before it is given.
    fn i13_the_epoch_is_promised_on_disk(&self, talk: &Talk, disk: &Disk) -> Held {
        if disk.epochs().accepted < talk.epoch {
            let (who, have) = (name(talk.learner), disk.epochs());
            let text = format!("{who}: promises {} with {have:?}", talk.epoch);
            return Err(broken("i13_promises_are_on_disk", text));
        }
        Ok(())
    }

    /// 13: the leader's history is on disk, and then the epoch, before NEWLEADER is acknowledged.
    fn i13_the_history_is_on_disk(&self, talk: &Talk, zxid: Zxid, disk: &Disk) -> Held {
        let end = talk.history_end;
        let have = end.counter() == 0 || disk.has(end);
        let epoch = disk.epochs().current;
        if !talk.offered || zxid.epoch() != talk.epoch || !have || epoch < talk.epoch {
            let who = name(talk.learner);
            let last = disk.durable_last();
            let text =
                format!("{who}: takes {zxid} with {last} in {epoch}, the history ends at {end}");
            return Err(broken("i13_promises_are_on_disk", text));
        }
        Ok(())
    }

    /// 13: a txn, and all before it, is on disk before it is acknowledged.
    fn i13_a_txn_is_on_disk_before_its_ack(&self, talk: &Talk, zxid: Zxid, disk: &Disk) -> Held {
        if !disk.has(zxid) {
            let last = disk.durable_last();
            let text = format!("{}: acknowledges {zxid} with {last}", name(talk.learner));
            return Err(broken("i13_promises_are_on_disk", text));
        }
        Ok(())
    }

    /// 15: no proposal is acknowledged before NEWLEADER is, and each once, in order.
    fn i15_the_offer_is_taken_first(&self, talk: &Talk, zxid: Zxid) -> Held {
        if !talk.took_offer || zxid <= talk.acked {
            let acked = talk.acked;
            let text = format!("{}: acknowledges {zxid} behind {acked}", name(talk.learner));
            return Err(broken("i15_newleader_is_acknowledged_first", text));
        }
        Ok(())
    }

    /// 3, 4: proposals of a connection follow each other, with the content that everybody has.
    fn i16_proposals_are_in_order(&self, talk: &Talk, zxid: Zxid, txn: &[u8]) -> Held {
        if self.proposed.get(&zxid).is_none_or(|known| *known.txn != *txn) {
            let text = format!("{}: {zxid} is sent with another content", name(talk.leader));
            return Err(broken("i03_one_content", text));
        }
        let last = talk.proposed;
        let first = last == Zxid::ZERO;
        let next = zxid.epoch() > last.epoch() && zxid.counter() == 1 || zxid.0 == last.0 + 1;
        if !first && !next {
            let text = format!("{}: {zxid} is proposed behind {last}", name(talk.leader));
            return Err(broken("i16_commits_follow_proposals", text));
        }
        Ok(())
    }

    /// 16: what is committed is the oldest proposal of the connection.
    fn i16_commits_follow_proposals(&self, talk: &mut Talk, zxid: Zxid) -> Held {
        let oldest = talk.uncommitted.pop_front();
        if oldest != Some(zxid) {
            let text = format!("{}: COMMIT of {zxid}, due {oldest:?}", name(talk.leader));
            return Err(broken("i16_commits_follow_proposals", text));
        }
        Ok(())
    }

    /// 17: a txn is committed when a quorum has said that it has it.
    fn i17_a_quorum_commits(&self, talk: &Talk, zxid: Zxid, disk: &Disk) -> Held {
        let acks = self.wire.acks.get(&talk.epoch);
        let acks = acks.into_iter().flatten().filter(|(_, acked)| **acked >= zxid);
        let mut have: Vec<usize> = acks.map(|(server, _)| *server).collect();
        // What an earlier leader committed was part of the history that a quorum has.
        if disk.has(zxid) {
            have.push(talk.leader);
        }
        let Proposed { config, before, .. } = &self.proposed[&zxid];
        let decide = BTreeSet::from([*config, *before]);
        let quorum = |version: &i64| self.is_quorum(*version, have.iter().copied());
        if zxid.epoch() == talk.epoch && !decide.iter().all(quorum) {
            let text = format!("{}: {zxid} is committed with {have:?}", name(talk.leader));
            return Err(broken("i17_a_quorum_commits", text));
        }
        Ok(())
    }

    /// 24: each write that a learner hands in becomes one txn, in the order in which it did.
    fn i24_writes_are_answered_in_order(&self, talk: &mut Talk, zxid: Zxid, txn: &[u8]) -> Held {
        let Ok(header) = TxnHeader::decode(&mut Reader::new(txn)) else { return Ok(()) };
        let key = (header.session, header.cxid);
        match talk.requests.iter().position(|request| *request == key) {
            None => Ok(()),
            Some(0) => {
                talk.requests.pop_front();
                talk.answered.push(zxid);
                Ok(())
            }
            Some(place) => {
                let text =
                    format!("{}: {zxid} is write {place} of those that wait", name(talk.leader));
                Err(broken("i24_requests_are_answered_in_order", text))
            }
        }
    }

    /// 24: a sync is answered behind the commits of what was handed in before it.
    fn i24_syncs_are_answered_in_order(&self, talk: &mut Talk) -> Held {
        let done = talk.answered.len();
        let before = talk.syncs.pop_front();
        let newest =
            before.and_then(|before| before.checked_sub(1)).map(|at| talk.answered.get(at));
        let committed = newest.is_none_or(|zxid| zxid.is_some_and(|zxid| *zxid <= talk.committed));
        if before.is_none() || !committed {
            let text =
                format!("{}: a sync behind {before:?} writes, {done} done", name(talk.leader));
            return Err(broken("i24_requests_are_answered_in_order", text));
        }
        Ok(())
    }

    /// Whether a leader brings a learner up by a database, and is not done with that.
    pub fn sends_database(&self, to: &End) -> bool {
        self.wire.talks.get(to).is_some_and(|talk| talk.by_database && !talk.serving)
    }

    /// How often a server was sent the database.
    pub fn databases_sent_to(&self, server: usize) -> usize {
        self.wire.databases.get(&server).copied().unwrap_or(0)
    }

    /// 24: when all is quiet, nothing waits.
    pub fn i24_nothing_waits(&self, lives: impl Fn(&End) -> bool) -> Held {
        let talks = self.wire.talks.iter().filter(|(end, talk)| talk.serving && lives(end));
        for (_, talk) in talks {
            if !talk.requests.is_empty() || !talk.syncs.is_empty() {
                let (learner, waits) = (name(talk.learner), talk.requests.len());
                let text = format!("{learner}: {waits} writes, {} syncs wait", talk.syncs.len());
                return Err(broken("i24_requests_are_answered_in_order", text));
            }
        }
        Ok(())
    }

    pub(super) fn on_votes(&mut self, from: End, bytes: &[u8], disk: &Disk) -> Held {
        let votes = self.wire.votes.entry(from).or_default();
        votes.bytes.extend_from_slice(bytes);
        let dialed = from.peer.0 < PeerId::ACCEPTED;
        if dialed && !votes.greeted {
            let Some(head) = votes.bytes.get(16..20) else { return Ok(()) };
            let length = 20 + u32::from_be_bytes(head.try_into().expect("four bytes")) as usize;
            if votes.bytes.len() < length {
                return Ok(());
            }
            votes.bytes.drain(..length);
            votes.greeted = true;
        }
        let buffer = std::mem::take(&mut votes.bytes);
        let mut used = 0;
        while let Some(head) = buffer[used..].first_chunk::<4>() {
            let length = 4 + u32::from_be_bytes(*head) as usize;
            let Some(frame) = buffer.get(used + 4..used + length) else { break };
            used += length;
            self.i14_votes_are_true(from, frame, disk)?;
        }
        let votes = self.wire.votes.entry(from).or_default();
        votes.bytes = buffer[used..].to_vec();
        Ok(())
    }

    /// 14: nobody votes for itself with more than is on its disk, nor with less than it has
    /// acknowledged.
    fn i14_votes_are_true(&mut self, from: End, frame: &[u8], disk: &Disk) -> Held {
        use zk_core::zab::election::State;
        let server = from.server;
        let me = server as i64 + 1;
        let Some(heard) = zk_core::zab::notification::decode(me, frame) else { return Ok(()) };
        let (vote, seen) = (heard.vote, self.wire.rounds.entry(server).or_insert((0, 0)));
        // What was said last is said again on a new connection, and may be old.
        let abstains = vote.zxid == Zxid::NONE;
        let old = (from.boot, vote.round) <= *seen;
        if heard.state != State::Looking || vote.leader != me || old || abstains {
            return Ok(());
        }
        *seen = (from.boot, vote.round);
        let epochs = disk.epochs();
        let base = Zxid::new(epochs.current as i32, 0);
        let acked = self.servers[server].acked;
        let last = disk.durable_last().max(base);
        if vote.epoch > epochs.current || vote.zxid > last || vote.zxid < acked {
            let text = format!("{}: {vote:?} with {last}, {epochs:?}, acked {acked}", name(server));
            return Err(broken("i14_votes_are_true", text));
        }
        Ok(())
    }

    /// 28: among servers of ours nobody hears what it does not expect.
    pub(super) fn i28_nothing_is_out_of_phase(&self, server: usize, line: &str) -> Held {
        const CONTRADICTIONS: [&str; 12] = [
            "packet ",
            "COMMIT of",
            "is proposed again",
            "comes behind",
            "holds txn",
            "does not decode",
            "TRUNC to",
            "NEWLEADER of",
            "a promise without",
            "a proposal without",
            "without a list",
            "a notification that is none",
        ];
        let closed = line.contains("closed peer") || line.starts_with("election:");
        if closed && CONTRADICTIONS.iter().any(|text| line.contains(text)) {
            let text = format!("{}: {line}", name(server));
            return Err(broken("i28_nothing_is_out_of_phase", text));
        }
        Ok(())
    }
}
