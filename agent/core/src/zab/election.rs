//! Fast leader election, as Apache's servers hold it: who is to lead is agreed by notifications.
//!
//! Pure: notifications and time come in, messages and a decision go out. Safety does not hang on it;
//! discovery and synchronisation have the last word (`docs/ZAB.md`).

use std::collections::{BTreeMap, BTreeSet};

use zk_wire::Zxid;

use super::{Electorate, Sid};
use crate::config::EmptyDisk;

/// The id that stands for "nobody" in the vote of who cannot lead.
pub const NOBODY: Sid = i64::MIN;
/// First wait for notifications before the own vote is sent again, in ms.
const RESEND_MS_MIN: i64 = 200;
/// Strangers whose words are remembered.
const STRANGERS_MAX: usize = 64;
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

/// With what a voter stands for election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The newest zxid in its log.
    pub zxid: Zxid,
    /// The epoch whose history it has.
    pub epoch: i64,
    /// `Votes` unless its disk is empty.
    pub disk: EmptyDisk,
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
    /// It does not vote yet: its disk is empty, and [`Election::unheard`] voters are missing.
    Waits,
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
    standing: Option<Standing>,
    /// The best that each voter stood for since this process began.
    stood: BTreeMap<Sid, Vote>,
    proposal: Vote,
    received: BTreeMap<Sid, Cast>,
    outside: BTreeMap<Sid, Cast>,
    /// What strangers said that were answered, and with what.
    answered: BTreeMap<Sid, (Vote, Vote)>,
    resend_ms: i64,
    resend_at_ms: i64,
    /// A quorum agrees; when nothing better is heard until then, it is over.
    settle_at_ms: Option<i64>,
    settle_ms: i64,
    heard_since: bool,
    /// This election was settled by votes, its own among them.
    trusted: bool,
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
            standing: None,
            stood: BTreeMap::new(),
            proposal: none,
            received: BTreeMap::new(),
            outside: BTreeMap::new(),
            answered: BTreeMap::new(),
            resend_ms: RESEND_MS_MIN,
            resend_at_ms: i64::MAX,
            settle_at_ms: None,
            settle_ms,
            heard_since: false,
            trusted: false,
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

    /// Begins an election. Who cannot lead votes for nobody.
    pub fn start(
        &mut self,
        now_ms: i64,
        standing: Option<Standing>,
        electorate: &Electorate<'_>,
        out: &mut Vec<Say>,
    ) {
        self.round += 1;
        self.state = State::Looking;
        self.standing = standing;
        self.trusted = false;
        self.own = self.own_vote(electorate);
        self.proposal = Vote { round: self.round, ..self.own };
        self.received.clear();
        self.outside.clear();
        self.answered.clear();
        self.settle_at_ms = None;
        self.resend_ms = RESEND_MS_MIN;
        self.resend_at_ms = now_ms + self.resend_ms;
        self.heard_since = true;
        self.propose(self.proposal, out);
        // Who is alone need not wait for others.
        let mine = Cast { state: State::Looking, vote: self.proposal, version: 0 };
        if standing.is_some() && Election::agreed(&self.received, &mine, electorate) {
            self.settle_at_ms = Some(now_ms);
        }
    }

    /// The vote to begin with.
    fn own_vote(&self, electorate: &Electorate<'_>) -> Vote {
        let none = Vote { leader: NOBODY, zxid: Zxid(i64::MIN), round: 0, epoch: i64::MIN };
        let Some(Standing { zxid, epoch, disk }) = self.standing else { return none };
        let own = Vote { leader: self.me, zxid, round: 0, epoch };
        if disk == EmptyDisk::Votes {
            return own;
        }
        if disk == EmptyDisk::Abstains || self.unheard(electorate).next().is_some() {
            return Vote { zxid: Zxid::NONE, ..own };
        }
        // What this server stood for before it lost its disk says nothing any more.
        let others = self.stood.values().copied();
        let others = others.filter(|vote| vote.zxid != Zxid::NONE && vote.leader != self.me);
        others.chain([own]).max_by_key(Vote::rank).expect("there is its own")
    }

    /// Voters of whom nothing was heard since this process began.
    pub fn unheard(&self, electorate: &Electorate<'_>) -> impl Iterator<Item = Sid> {
        let voters: Vec<Sid> = electorate.voters().collect();
        voters.into_iter().filter(|sid| *sid != self.me && !self.stood.contains_key(sid))
    }

    /// Whether this server abstains, because its disk is empty.
    fn abstains(&self) -> bool {
        self.own.zxid == Zxid::NONE
    }

    /// Whether its promise may count: its disk was not empty, or it voted with all that it heard.
    pub fn is_trusted(&self) -> bool {
        self.trusted || self.standing.is_none_or(|standing| standing.disk == EmptyDisk::Votes)
    }

    /// Takes note of what a voter stands for. Who waited for that votes now.
    fn note(&mut self, heard: &Heard, electorate: &Electorate<'_>, out: &mut Vec<Say>) {
        let known = self.stood.entry(heard.from).or_insert(heard.vote);
        if heard.vote.rank() > known.rank() {
            *known = heard.vote;
        }
        if self.abstains() {
            let own = self.own_vote(electorate);
            if own.zxid != Zxid::NONE {
                self.own = own;
                let rounds = self.stood.values().map(|vote| vote.round);
                self.round = rounds.chain([self.round]).max().expect("there is its own");
                self.propose(Vote { round: self.round, ..own }, out);
            }
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
            self.trusted = true;
            return self.settle(self.proposal, out);
        }
        if now_ms >= self.resend_at_ms {
            if !std::mem::take(&mut self.heard_since) {
                out.push(Say::Redial);
            }
            if self.abstains() {
                out.push(Say::Waits);
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
        out: &mut Vec<Say>,
    ) {
        if !electorate.is_voter(heard.from) {
            // Observers and joiners learn from this who leads.
            let vote = Vote { round: self.round, ..self.current() };
            if heard.from != self.me && self.is_due(&heard, vote) {
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
        if heard.state == State::Looking {
            self.note(&heard, electorate, out);
        }
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
            State::Looking => self.on_looking(now_ms, heard, electorate, out),
            State::Following | State::Leading => self.on_settled(heard, electorate, out),
            State::Observing => {}
        }
    }

    /// Whether a stranger is to be answered. Two that look for a leader, of which only one knows the
    /// other, would answer each other without an end: the same is said once.
    fn is_due(&mut self, heard: &Heard, answer: Vote) -> bool {
        if self.state != State::Looking || heard.state != State::Looking {
            return true;
        }
        if self.answered.len() >= STRANGERS_MAX {
            self.answered.clear();
        }
        let said = (heard.vote, answer);
        self.answered.insert(heard.from, said) != Some(said)
    }

    fn beats(electorate: &Electorate<'_>, vote: &Vote, other: &Vote) -> bool {
        electorate.weight(vote.leader) != 0 && vote.rank() > other.rank()
    }

    fn on_looking(
        &mut self,
        now_ms: i64,
        heard: Heard,
        electorate: &Electorate<'_>,
        out: &mut Vec<Say>,
    ) {
        // Who abstains neither votes nor is voted for.
        if self.abstains() || heard.vote.zxid == Zxid::NONE {
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
mod tests;
