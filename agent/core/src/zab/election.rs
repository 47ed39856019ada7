//! Fast leader election, as Apache's servers hold it: who is to lead is agreed by notifications.
//!
//! Pure: notifications and time come in, messages and a decision go out. Safety does not hang on it;
//! discovery and synchronisation have the last word (`docs/ZAB.md`).

use std::collections::{BTreeMap, BTreeSet};

use zk_wire::Zxid;

use super::{Electorate, Sid};

/// The id that stands for "nobody" in the vote of who cannot lead.
pub const NOBODY: Sid = i64::MIN;
/// First wait for notifications before the own vote is sent again, in ms.
const RESEND_MS_MIN: i64 = 200;
/// The wait doubles up to this, in ms. Apache's servers go up to a minute.
const RESEND_MS_MAX: i64 = 2_000;

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It looks for a leader.
    Looking,
    /// It follows.
    Following,
    /// It leads.
    Leading,
    /// It observes.
    Observing,
}

impl State {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            State::Looking => 0,
            State::Following => 1,
            State::Leading => 2,
            State::Observing => 3,
        }
    }

    /// The state of that number.
    pub fn from_number(number: i32) -> Option<State> {
        [State::Looking, State::Following, State::Leading, State::Observing]
            .into_iter()
            .find(|state| state.number() == number)
    }
}

/// For whom a server votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The candidate, or the leader.
    pub leader: Sid,
    /// The newest zxid in the candidate's log.
    pub zxid: Zxid,
    /// The round of the election (`electionEpoch`).
    pub round: i64,
    /// The candidate's current epoch (`peerEpoch`).
    pub epoch: i64,
}

impl Vote {
    fn rank(&self) -> (i64, i64, Sid) {
        (self.epoch, self.zxid.0, self.leader)
    }
}

/// A notification of another server, or of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it.
    pub from: Sid,
    /// What it is.
    pub state: State,
    /// Whom it votes for or settled on.
    pub vote: Vote,
    /// Version of the notification's format.
    pub version: i32,
}

/// What must be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Send this to one server.
    To(Sid, State, Vote),
    /// Send the own proposal to every voter.
    All(Vote),
    /// Dial every voter again: nothing has been heard.
    Redial,
    /// The election is over: this server has to lead, or to follow the leader.
    Settled(Sid),
}

/// How two settled votes are compared: by leader alone when only one names its format.
#[derive(Clone, Copy, Debug)]
struct Cast {
    state: State,
    vote: Vote,
    version: i32,
}

impl Cast {
    fn equals(&self, other: &Cast) -> bool {
        if self.state == State::Looking || other.state == State::Looking {
            self.vote == other.vote
        } else if (self.version > 0) != (other.version > 0) {
            self.vote.leader == other.vote.leader
        } else {
            self.vote.leader == other.vote.leader && self.vote.epoch == other.vote.epoch
        }
    }
}

/// The election of one server.
#[derive(Debug)]
pub struct Election {
    me: Sid,
    round: i64,
    state: State,
    /// The vote that is shown once settled.
    current: Vote,
    own: Vote,
    proposal: Vote,
    received: BTreeMap<Sid, Cast>,
    outside: BTreeMap<Sid, Cast>,
    resend_ms: i64,
    resend_at_ms: i64,
    /// A quorum agrees; when nothing better is heard until then, it is over.
    settle_at_ms: Option<i64>,
    settle_ms: i64,
    heard_since: bool,
}

impl Election {
    /// Nothing was held yet. `settle_ms`: how long a better vote is waited for once a quorum agrees.
    pub fn new(me: Sid, settle_ms: i64) -> Election {
        let none = Vote { leader: NOBODY, zxid: Zxid(i64::MIN), round: 0, epoch: i64::MIN };
        Election {
            me,
            round: 0,
            state: State::Looking,
            current: none,
            own: none,
            proposal: none,
            received: BTreeMap::new(),
            outside: BTreeMap::new(),
            resend_ms: RESEND_MS_MIN,
            resend_at_ms: i64::MAX,
            settle_at_ms: None,
            settle_ms,
            heard_since: false,
        }
    }

    /// What this server is.
    pub fn state(&self) -> State {
        self.state
    }

    /// The vote that others are shown.
    pub fn current(&self) -> Vote {
        if self.state == State::Looking { self.proposal } else { self.current }
    }

    /// Begins an election. `own` is the vote for this server; who cannot lead votes for nobody.
    pub fn start(
        &mut self,
        now_ms: i64,
        own: Option<(Zxid, i64)>,
        electorate: &Electorate<'_>,
        out: &mut Vec<Say>,
    ) {
        self.round += 1;
        self.state = State::Looking;
        let none = Vote { leader: NOBODY, zxid: Zxid(i64::MIN), round: 0, epoch: i64::MIN };
        self.own =
            own.map_or(none, |(zxid, epoch)| Vote { leader: self.me, zxid, round: 0, epoch });
        self.proposal = Vote { round: self.round, ..self.own };
        self.received.clear();
        self.outside.clear();
        self.settle_at_ms = None;
        self.resend_ms = RESEND_MS_MIN;
        self.resend_at_ms = now_ms + self.resend_ms;
        self.heard_since = true;
        self.propose(self.proposal, out);
        // Who is alone need not wait for others.
        let mine = Cast { state: State::Looking, vote: self.proposal, version: 0 };
        if own.is_some() && Election::agreed(&self.received, &mine, electorate) {
            self.settle_at_ms = Some(now_ms);
        }
    }

    /// The leader has established itself with this epoch: from now on it stands in the vote.
    pub fn established(&mut self, epoch: i64) {
        self.current.epoch = epoch;
    }

    /// When `on_time` has something to do, on the monotonic clock in ms.
    pub fn deadline_ms(&self) -> i64 {
        match self.state {
            State::Looking => self.resend_at_ms.min(self.settle_at_ms.unwrap_or(i64::MAX)),
            _ => i64::MAX,
        }
    }

    /// Lets time pass.
    pub fn on_time(&mut self, now_ms: i64, out: &mut Vec<Say>) {
        if self.state != State::Looking {
            return;
        }
        if self.settle_at_ms.is_some_and(|at| now_ms >= at) {
            return self.settle(self.proposal, out);
        }
        if now_ms >= self.resend_at_ms {
            if !std::mem::take(&mut self.heard_since) {
                out.push(Say::Redial);
            }
            out.push(Say::All(self.proposal));
            self.resend_ms = (self.resend_ms * 2).min(RESEND_MS_MAX);
            self.resend_at_ms = now_ms + self.resend_ms;
        }
    }

    fn settle(&mut self, vote: Vote, out: &mut Vec<Say>) {
        self.current = Vote { round: self.round, ..vote };
        self.settle_at_ms = None;
        self.resend_at_ms = i64::MAX;
        // Which of the two a server that does not lead becomes is its role's matter.
        let leads = vote.leader == self.me;
        self.state = if leads { State::Leading } else { State::Following };
        self.received.clear();
        self.outside.clear();
        out.push(Say::Settled(vote.leader));
    }

    /// The last leader says who is the next one: no election is held. As in Apache's servers the
    /// epoch of the vote is -1 until that leader has established itself.
    pub fn designate(&mut self, leader: Sid, zxid: Zxid) {
        let mut decided = Vec::new();
        self.settle(Vote { leader, zxid, round: self.round, epoch: -1 }, &mut decided);
    }

    /// The role of who does not lead.
    pub fn observe(&mut self) {
        assert_eq!(self.state, State::Following, "only who does not lead can observe");
        self.state = State::Observing;
    }

    /// Takes a notification.
    pub fn on_heard(
        &mut self,
        now_ms: i64,
        heard: Heard,
        electorate: &Electorate<'_>,
        last: Zxid,
        out: &mut Vec<Say>,
    ) {
        if !electorate.is_voter(heard.from) {
            // Observers and joiners learn from this who leads.
            let vote = Vote { round: self.round, ..self.current() };
            if heard.from != self.me {
                out.push(Say::To(heard.from, self.state, vote));
            }
            return;
        }
        if self.state != State::Looking {
            if heard.state == State::Looking && heard.from != self.me {
                out.push(Say::To(heard.from, self.state, self.current));
            }
            return;
        }
        self.heard_since = true;
        if heard.state == State::Looking && heard.vote.round < self.round {
            if heard.from != self.me {
                out.push(Say::To(heard.from, State::Looking, self.proposal));
            }
            return;
        }
        if !electorate.is_voter(heard.vote.leader) {
            return;
        }
        match heard.state {
            State::Looking => self.on_looking(now_ms, heard, electorate, last, out),
            State::Following | State::Leading => self.on_settled(heard, electorate, out),
            State::Observing => {}
        }
    }

    fn beats(electorate: &Electorate<'_>, vote: &Vote, other: &Vote) -> bool {
        electorate.weight(vote.leader) != 0 && vote.rank() > other.rank()
    }

    fn on_looking(
        &mut self,
        now_ms: i64,
        heard: Heard,
        electorate: &Electorate<'_>,
        last: Zxid,
        out: &mut Vec<Say>,
    ) {
        // An untrusted empty server neither votes nor is voted for.
        if last == Zxid::NONE || heard.vote.zxid == Zxid::NONE {
            return;
        }
        if heard.vote.round > self.round {
            self.round = heard.vote.round;
            self.received.clear();
            self.settle_at_ms = None;
            let better = Election::beats(electorate, &heard.vote, &self.own);
            let vote = if better { heard.vote } else { self.own };
            self.propose(Vote { round: self.round, ..vote }, out);
        } else if Election::beats(electorate, &heard.vote, &self.proposal) {
            self.settle_at_ms = None;
            self.propose(heard.vote, out);
        } else if self.settle_at_ms.is_some() && heard.from != self.me {
            // While a better vote is waited for, others do not matter.
            self.settle_at_ms = Some(now_ms + self.settle_ms);
        }
        if Election::beats(electorate, &self.proposal, &heard.vote) && heard.from != self.me {
            // Our vote may have come while the other one was not looking yet, which forgot it.
            out.push(Say::To(heard.from, State::Looking, self.proposal));
        }
        let cast = Cast { state: State::Looking, vote: heard.vote, version: 0 };
        self.received.insert(heard.from, cast);
        let wanted = Cast { state: State::Looking, vote: self.proposal, version: 0 };
        if self.settle_at_ms.is_none() && Election::agreed(&self.received, &wanted, electorate) {
            self.settle_at_ms = Some(now_ms + self.settle_ms);
        }
    }

    fn propose(&mut self, vote: Vote, out: &mut Vec<Say>) {
        self.proposal = vote;
        let mine = Cast { state: State::Looking, vote, version: 0 };
        self.received.insert(self.me, mine);
        out.push(Say::All(vote));
    }

    fn agreed(votes: &BTreeMap<Sid, Cast>, wanted: &Cast, electorate: &Electorate<'_>) -> bool {
        let same = votes.iter().filter(|(_, cast)| cast.equals(wanted));
        let sids: BTreeSet<Sid> = same.map(|(sid, _)| *sid).collect();
        electorate.is_quorum(&sids)
    }

    fn leads(&self, votes: &BTreeMap<Sid, Cast>, vote: &Vote) -> bool {
        if vote.leader == self.me {
            return self.round == vote.round;
        }
        votes.get(&vote.leader).is_some_and(|cast| cast.state == State::Leading)
    }

    fn on_settled(&mut self, heard: Heard, electorate: &Electorate<'_>, out: &mut Vec<Say>) {
        let Heard { from, state, vote, version } = heard;
        if vote.round == self.round {
            let cast = Cast { state, vote, version: 0 };
            self.received.insert(from, cast);
            if Election::agreed(&self.received, &cast, electorate)
                && self.leads(&self.received, &vote)
            {
                return self.settle(vote, out);
            }
        }
        let cast = Cast { state, vote, version };
        self.outside.insert(from, cast);
        if Election::agreed(&self.outside, &cast, electorate) && self.leads(&self.outside, &vote) {
            self.round = vote.round;
            self.settle(vote, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::{Member, Members};
    use std::collections::VecDeque;

    const SETTLE_MS: i64 = 25;

    fn members(voters: Sid, observers: Sid) -> Members {
        let member = |observer| Member { quorum: Vec::new(), election: Vec::new(), observer };
        let servers = (1..=voters + observers).map(|sid| (sid, member(sid > voters))).collect();
        Members { servers, ..Members::default() }
    }

    /// Elections that hear each other at once.
    struct Room {
        members: Members,
        all: BTreeMap<Sid, (Election, Option<(Zxid, i64)>)>,
        queue: VecDeque<(Sid, Heard)>,
        settled: BTreeMap<Sid, Sid>,
    }

    impl Room {
        fn new(members: Members) -> Room {
            let (all, queue, settled) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
            Room { members, all, queue, settled }
        }

        fn join(&mut self, now_ms: i64, sid: Sid, own: Option<(Zxid, i64)>) {
            let (mut election, mut says) = (Election::new(sid, SETTLE_MS), Vec::new());
            let electorate = self.members.electorate();
            election.start(now_ms, own, &electorate, &mut says);
            self.all.insert(sid, (election, own));
            self.spread(sid, says);
            self.talk(now_ms);
        }

        fn spread(&mut self, from: Sid, says: Vec<Say>) {
            for say in says {
                match say {
                    Say::To(to, state, vote) => {
                        self.queue.push_back((to, Heard { from, state, vote, version: 2 }));
                    }
                    Say::All(vote) => {
                        for to in self.members.voters().filter(|to| *to != from) {
                            let heard = Heard { from, state: State::Looking, vote, version: 2 };
                            self.queue.push_back((to, heard));
                        }
                    }
                    Say::Redial => {}
                    Say::Settled(leader) => {
                        assert_eq!(self.settled.insert(from, leader), None);
                    }
                }
            }
        }

        fn talk(&mut self, now_ms: i64) {
            while let Some((to, heard)) = self.queue.pop_front() {
                let Some((election, own)) = self.all.get_mut(&to) else { continue };
                let mut says = Vec::new();
                let electorate = self.members.electorate();
                let last = own.map_or(Zxid(5), |(zxid, _)| zxid);
                election.on_heard(now_ms, heard, &electorate, last, &mut says);
                self.spread(to, says);
            }
        }

        fn pass(&mut self, now_ms: i64) {
            let sids: Vec<Sid> = self.all.keys().copied().collect();
            for sid in sids {
                let (election, _) = self.all.get_mut(&sid).expect("just listed");
                let mut says = Vec::new();
                if election.deadline_ms() <= now_ms {
                    election.on_time(now_ms, &mut says);
                }
                self.spread(sid, says);
            }
            self.talk(now_ms);
        }
    }

    fn own(epoch: i64, counter: u32) -> Option<(Zxid, i64)> {
        Some((Zxid::new(epoch as i32, counter), epoch))
    }

    #[test]
    fn the_longest_history_leads_and_the_largest_id_among_equals() {
        let mut room = Room::new(members(3, 0));
        room.join(0, 1, own(2, 9));
        room.join(0, 2, own(2, 9));
        room.join(0, 3, own(1, 99));
        room.pass(SETTLE_MS);
        // What the others said before it came is lost: they answer when it asks again.
        room.pass(RESEND_MS_MIN);
        assert_eq!(room.settled, BTreeMap::from([(1, 2), (2, 2), (3, 2)]));
        let leader = &room.all[&2].0;
        assert_eq!((leader.state(), leader.current().leader), (State::Leading, 2));
    }

    #[test]
    fn nothing_is_decided_without_a_quorum_and_before_a_better_vote_had_its_time() {
        let mut room = Room::new(members(5, 0));
        room.join(0, 1, own(1, 1));
        room.join(0, 2, own(1, 1));
        room.pass(1000);
        assert!(room.settled.is_empty(), "two of five are no quorum");
        room.join(2000, 3, own(1, 1));
        room.pass(2000 + SETTLE_MS - 1);
        assert!(room.settled.is_empty());
        room.join(2000 + SETTLE_MS - 1, 4, own(1, 2));
        room.pass(2000 + SETTLE_MS);
        assert!(room.settled.is_empty(), "the better vote begins the wait anew");
        room.pass(2000 + 2 * SETTLE_MS);
        assert!(room.settled.values().all(|leader| *leader == 4) && room.settled.len() == 4);
    }

    #[test]
    fn who_comes_late_joins_the_leader_that_there_is() {
        let mut room = Room::new(members(3, 1));
        room.join(0, 1, own(1, 1));
        room.join(0, 2, own(1, 1));
        room.pass(SETTLE_MS);
        for sid in [1, 2] {
            room.all.get_mut(&sid).unwrap().0.established(2);
        }
        // It has more, and still does not disturb.
        room.join(1000, 3, own(1, 50));
        room.join(1000, 4, None);
        assert_eq!((room.settled[&3], room.settled[&4]), (2, 2));
        assert_eq!(room.all[&3].0.current().epoch, 2);
    }

    #[test]
    fn who_has_nothing_trusted_neither_votes_nor_is_voted_for() {
        let mut room = Room::new(members(3, 0));
        room.join(0, 3, Some((Zxid::NONE, 0)));
        room.join(0, 1, own(0, 0));
        room.pass(1000);
        assert!(room.settled.is_empty(), "{:?}", room.settled);
        room.join(2000, 2, own(0, 0));
        room.pass(2000 + SETTLE_MS);
        assert_eq!(room.settled.get(&1), Some(&2));
    }

    #[test]
    fn one_voter_is_a_quorum_by_itself() {
        let mut room = Room::new(members(1, 0));
        room.join(0, 1, own(3, 3));
        room.pass(0);
        assert_eq!(room.settled, BTreeMap::from([(1, 1)]));
    }
}
