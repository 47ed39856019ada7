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
    all: BTreeMap<Sid, Election>,
    queue: VecDeque<(Sid, Heard)>,
    settled: BTreeMap<Sid, Sid>,
}

impl Room {
    fn new(members: Members) -> Room {
        let (all, queue, settled) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
        Room { members, all, queue, settled }
    }

    fn join(&mut self, now_ms: i64, sid: Sid, own: Option<Standing>) {
        let (mut election, mut says) = (Election::new(sid, SETTLE_MS), Vec::new());
        let electorate = self.members.electorate();
        election.start(now_ms, own, &electorate, &mut says);
        self.all.insert(sid, election);
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
                Say::Redial | Say::Waits => {}
                Say::Settled(leader) => {
                    assert_eq!(self.settled.insert(from, leader), None);
                }
            }
        }
    }

    fn talk(&mut self, now_ms: i64) {
        while let Some((to, heard)) = self.queue.pop_front() {
            let Some(election) = self.all.get_mut(&to) else { continue };
            let mut says = Vec::new();
            let electorate = self.members.electorate();
            election.on_heard(now_ms, heard, &electorate, &mut says);
            self.spread(to, says);
        }
    }

    fn pass(&mut self, now_ms: i64) {
        let sids: Vec<Sid> = self.all.keys().copied().collect();
        for sid in sids {
            let election = self.all.get_mut(&sid).expect("just listed");
            let mut says = Vec::new();
            if election.deadline_ms() <= now_ms {
                election.on_time(now_ms, &mut says);
            }
            self.spread(sid, says);
        }
        self.talk(now_ms);
    }
}

fn own(epoch: i64, counter: u32) -> Option<Standing> {
    Some(Standing { zxid: Zxid::new(epoch as i32, counter), epoch, disk: EmptyDisk::Votes })
}

fn blank() -> Option<Standing> {
    Some(Standing { zxid: Zxid::ZERO, epoch: 0, disk: EmptyDisk::Asks })
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
    let leader = &room.all[&2];
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
        room.all.get_mut(&sid).unwrap().established(2);
    }
    // It has more, and still does not disturb.
    room.join(1000, 3, own(1, 50));
    room.join(1000, 4, None);
    assert_eq!((room.settled[&3], room.settled[&4]), (2, 2));
    assert_eq!(room.all[&3].current().epoch, 2);
}

/// Goal: what two wrote is not lost when the disk of one of them is replaced and the other is
/// away: the replaced one does not make the third one leader.
#[test]
fn who_lost_its_disk_elects_nobody_who_may_have_less() {
    let mut room = Room::new(members(3, 0));
    room.join(0, 1, blank());
    room.join(0, 3, own(4, 7));
    for now_ms in (0..60_000).step_by(100) {
        room.pass(now_ms);
    }
    assert!(room.settled.is_empty(), "{:?}", room.settled);
    assert!(!room.all[&1].is_trusted());
    assert_eq!(room.all[&1].unheard(&room.members.electorate()).collect::<Vec<_>>(), [2]);
    room.join(60_000, 2, own(4, 9));
    for now_ms in (60_000..63_000).step_by(25) {
        room.pass(now_ms);
    }
    assert_eq!(room.settled, BTreeMap::from([(1, 2), (2, 2), (3, 2)]));
}

/// Goal: once it has heard of the best history it helps to elect no lesser one, even when the
/// best is away again.
#[test]
fn who_lost_its_disk_remembers_the_best_that_it_heard() {
    let mut room = Room::new(members(3, 0));
    room.join(0, 2, own(4, 9));
    room.join(0, 1, blank());
    room.all.remove(&2);
    room.join(1000, 3, own(4, 7));
    for now_ms in (1000..30_000).step_by(100) {
        room.pass(now_ms);
    }
    assert!(room.settled.is_empty(), "{:?}", room.settled);
}

#[test]
fn empty_servers_begin_an_ensemble_once_all_of_them_are_there() {
    let mut room = Room::new(members(3, 0));
    room.join(0, 1, blank());
    room.join(0, 2, blank());
    for now_ms in (0..10_000).step_by(100) {
        room.pass(now_ms);
    }
    assert!(room.settled.is_empty(), "{:?}", room.settled);
    room.join(10_000, 3, blank());
    for now_ms in (10_000..13_000).step_by(25) {
        room.pass(now_ms);
    }
    assert_eq!(room.settled, BTreeMap::from([(1, 3), (2, 3), (3, 3)]));
    assert!(room.all.values().all(Election::is_trusted));
}

#[test]
fn empty_servers_join_the_one_that_has_something() {
    let mut room = Room::new(members(3, 0));
    room.join(0, 3, blank());
    room.join(0, 2, blank());
    room.join(0, 1, own(0, 500));
    for now_ms in (0..3_000).step_by(25) {
        room.pass(now_ms);
    }
    assert_eq!(room.settled, BTreeMap::from([(1, 1), (2, 1), (3, 1)]));
}

#[test]
fn one_voter_is_a_quorum_by_itself() {
    let mut room = Room::new(members(1, 0));
    room.join(0, 1, own(3, 3));
    room.pass(0);
    assert_eq!(room.settled, BTreeMap::from([(1, 1)]));
}
