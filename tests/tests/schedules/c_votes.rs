//! The election port under bad luck: who dials, who is silent, and what comes late.

use zk_core::zab::election::{State, Vote};
use zk_core::zab::packet::kind;
use zk_core::{Epochs, Port};
use zk_tests::sim::World;
use zk_tests::sim::disk::Loss;
use zk_tests::sim::stage::{Stage, create_txn, learner_info};
use zk_wire::jute::Reader;
use zk_wire::{Writer, Zxid};

const ALL: usize = usize::MAX;

fn vote(leader: i64, counter: u32, round: i64) -> Vote {
    Vote { leader, zxid: Zxid::new(1, counter), round, epoch: 1 }
}

/// The candidates that the server named to a peer since it was last asked, with the rounds.
fn named(stage: &mut Stage, peer: zk_core::PeerId) -> Vec<(i64, i64)> {
    let mut bytes = stage.bytes_to(peer);
    let greeting = Stage::initial(stage.me());
    if bytes.starts_with(&greeting) {
        bytes.drain(..greeting.len());
    }
    let (mut reader, mut named) = (Reader::new(&bytes), Vec::new());
    while let Ok(Some(payload)) = reader.buffer("frame") {
        let heard = zk_core::zab::notification::decode(9, payload).expect("a notification");
        named.push((heard.vote.leader, heard.vote.round));
    }
    named
}

/// Goal: an initial message in pieces of a byte is understood, and so is the notification behind it.
#[test]
fn c18_an_initial_message_byte_by_byte() {
    let mut stage = Stage::new(1, 3);
    let peer = stage.connect(Port::Election);
    let mut bytes = Stage::initial(3);
    bytes.put_buffer(Some(&stage.notification(State::Looking, vote(3, 5, 1))));
    for byte in bytes {
        stage.send(peer, &[byte]);
    }
    assert!(!stage.is_closed(peer));
    assert_eq!(named(&mut stage, peer).last().map(|(leader, _)| *leader), Some(3));
}

/// Goal: who connects and stays silent keeps nobody from voting, and its place is taken by a later
/// connection of the same server.
#[test]
fn c18_a_silent_peer() {
    let mut stage = Stage::new(1, 3);
    let silent: Vec<_> = (0..50).map(|_| stage.connect(Port::Election)).collect();
    let half = stage.connect(Port::Election);
    stage.send(half, &Stage::initial(2)[..11]);
    let vote_of_3 = vote(3, 5, 1);
    for sid in [2, 3] {
        let link = stage.vote_link(sid);
        stage.vote(link, State::Looking, vote_of_3, ALL);
    }
    stage.pass(300);
    assert!(stage.take_call(3, Port::Quorum).is_some(), "it follows 3: {:?}", stage.lines);
    stage.pass(60_000);
    let open = silent.iter().chain([&half]).filter(|peer| !stage.is_closed(**peer)).count();
    assert!(open <= 51, "{open}");
}

/// Goal: two servers that dial each other at once, again and again, end with one connection, the one
/// of the larger id; a call back that is lost is made again; a connection that one side believes in
/// gives way to the next.
#[test]
fn c18_both_dial() {
    let mut stage = Stage::new(3, 3);
    for round in 0..5 {
        // Server 1 dials although 3 has the larger id: it is to be called back.
        let knock = stage.connect(Port::Election);
        stage.send(knock, &Stage::initial(1));
        assert!(stage.is_closed(knock), "round {round}");
        if round < 4 {
            assert!(stage.refuse_calls(1) > 0, "round {round}: it calls back");
            stage.pass(1_000);
        }
    }
    let first = stage.take_call(1, Port::Election).expect("it calls back");
    stage.vote(first, State::Looking, vote(1, 0, 1), ALL);
    assert!(!named(&mut stage, first).is_empty());
    // The other side has lost that connection and knocks again.
    let knock = stage.connect(Port::Election);
    stage.send(knock, &Stage::initial(1));
    let second = stage.take_call(1, Port::Election).expect("it calls back once more");
    assert!(stage.is_closed(first), "one connection is kept");
    stage.vote(second, State::Looking, vote(1, 0, 1), ALL);
    assert!(!named(&mut stage, second).is_empty());
}

/// Goal: of two connections that the larger id makes, the newer one is kept.
#[test]
fn c18_a_half_open_connection() {
    let mut stage = Stage::new(1, 3);
    let old = stage.vote_link(3);
    stage.vote(old, State::Looking, vote(3, 5, 1), ALL);
    let new = stage.vote_link(3);
    assert!(stage.is_closed(old) && !stage.is_closed(new));
    assert!(!named(&mut stage, new).is_empty(), "what was said last is said again");
}

/// Goal: a server tells itself from a stranger with its own id.
#[test]
fn c18_the_own_id_calls() {
    let mut stage = Stage::new(2, 3);
    let twin = stage.connect(Port::Election);
    stage.send(twin, &Stage::initial(2));
    assert!(stage.is_closed(twin));
}

/// Goal: a voter that has promised a newer epoch than its leader's, with nobody left to hold it to
/// that, is not kept out for ever: the leader gives way once, and the next epoch is above the promise.
#[test]
fn c21_a_voter_has_promised_more() {
    let one = Epochs { accepted: 1, current: 1 };
    let log = [(Zxid::new(1, 1), create_txn(Zxid::new(1, 1), "/n", None))];
    let mut stage = Stage::with_log(3, 3, one, &log);
    let links = stage.is_elected();
    let follower = stage.follower(Zxid::new(1, 1), one, &learner_info(1, 20));
    stage.say(follower, kind::ACK, Zxid::new(2, 0), None);
    assert!(stage.serves);
    // Who has no vote changes nothing.
    let stranger = stage.connect(Port::Quorum);
    stage.say(stranger, kind::OBSERVERINFO, Zxid::new(9, 0), Some(&learner_info(8, 20)));
    assert!(stage.serves);
    let voter = stage.connect(Port::Quorum);
    stage.say(voter, kind::FOLLOWERINFO, Zxid::new(7, 0), Some(&learner_info(2, 20)));
    assert!(!stage.serves, "{:?}", stage.lines);
    stage.elect(&links, 9);
    let peer = stage.connect(Port::Quorum);
    let accepted = Zxid::new(2, 0);
    stage.say(peer, kind::FOLLOWERINFO, accepted, Some(&learner_info(1, 20)));
    let told = stage.kinds(peer);
    assert_eq!(told, [(kind::LEADERINFO, Zxid::new(8, 0))], "{:?}", stage.lines);
}

/// Goal: notifications of rounds that are over change nothing, however often they come and in
/// whatever order; what the last message says is what counts.
#[test]
fn c19_old_rounds_come_late() {
    let mut stage = Stage::with_log(1, 5, Epochs { accepted: 1, current: 1 }, &[]);
    let links: Vec<_> = (2..=5).map(|sid| stage.vote_link(sid)).collect();
    stage.vote(links[0], State::Looking, vote(2, 7, 9), ALL);
    let told = named(&mut stage, links[1]);
    assert_eq!(told.last(), Some(&(2, 9)), "it takes the newer round and the better vote");
    for round in [3, 8, 3, 1] {
        for (link, sid) in links[1..].iter().zip(3..) {
            stage.vote(*link, State::Looking, vote(sid, 99, round), ALL);
        }
    }
    stage.pass(190);
    assert!(stage.take_call(5, Port::Quorum).is_none(), "votes of old rounds elect nobody");
    let told = named(&mut stage, links[1]);
    assert!(told.iter().all(|vote| *vote == (2, 9)), "they are told the round: {told:?}");
    for link in [links[1], links[2], links[1]] {
        stage.vote(link, State::Looking, vote(2, 7, 9), ALL);
    }
    stage.pass(300);
    assert!(stage.take_call(2, Port::Quorum).is_some(), "{:?}", stage.lines);
}

/// Goal: a vote that was changed counts for the new candidate only, though the old one comes again
/// from a connection that was replaced.
#[test]
fn c19_a_vote_that_was_changed() {
    let mut stage = Stage::with_log(1, 5, Epochs { accepted: 1, current: 1 }, &[]);
    let links: Vec<_> = (2..=5).map(|sid| stage.vote_link(sid)).collect();
    stage.vote(links[0], State::Looking, vote(2, 7, 2), ALL);
    stage.vote(links[1], State::Looking, vote(2, 7, 2), ALL);
    // Two of the three that 2 needs; the third one changes its mind on a new connection.
    let again = stage.vote_link(3);
    stage.vote(again, State::Looking, vote(5, 8, 2), ALL);
    stage.vote(links[1], State::Looking, vote(2, 7, 2), ALL);
    stage.pass(300);
    assert!(stage.take_call(2, Port::Quorum).is_none());
    stage.vote(links[3], State::Looking, vote(5, 8, 2), ALL);
    stage.pass(300);
    assert!(stage.take_call(5, Port::Quorum).is_some(), "{:?}", stage.lines);
}

/// Goal: five servers whose every packet may be late elect somebody again and again, whatever old
/// notifications are still on their way.
#[test]
fn c19_everything_is_late() {
    let mut world = World::scripted_with(|plan| (plan.voters, plan.late_one_in) = (5, 2));
    for _ in 0..6 {
        let leader = world.leader();
        world.stop(leader, Loss::Process);
        world.leader();
        world.restart(leader);
        world.all_serve();
    }
    world.conclude();
}
