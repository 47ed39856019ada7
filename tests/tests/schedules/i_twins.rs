//! Two processes with one server id: who is heard stays, who comes is told, and a server that comes
//! back is not mistaken for another.

use zk_core::Epochs;
use zk_core::zab::election::{State, Vote};
use zk_core::zab::kin;
use zk_core::zab::packet::{PROTOCOL, kind};
use zk_core::{Cluster, PeerId, Port};
use zk_tests::sim::stage::{Said, Stage, learner_info};
use zk_wire::Zxid;

const NEW: Epochs = Epochs { accepted: 0, current: 0 };

fn info(sid: i64) -> Vec<u8> {
    let mut info = learner_info(sid, 20);
    kin::put(Cluster::default(), &mut info);
    info
}

/// Server 3, which leads, and server 1, which follows.
fn led() -> (Stage, PeerId) {
    let mut stage = Stage::new(3, 3);
    stage.is_elected();
    let peer = stage.follower(Zxid::ZERO, NEW, &info(1));
    stage.kinds(peer);
    stage.say(peer, kind::ACK, Zxid::new(1, 0), None);
    assert!(stage.serves, "{:?}", stage.lines);
    (stage, peer)
}

/// Another one says that it is server 1. Gives its connection and what it is answered.
fn comes(stage: &mut Stage, info: &[u8]) -> (PeerId, Vec<Said>) {
    let peer = stage.connect(Port::Quorum);
    stage.say(peer, kind::FOLLOWERINFO, Zxid::ZERO, Some(info));
    let heard = stage.heard(peer);
    (peer, heard)
}

fn is_told(stage: &Stage) -> bool {
    stage
        .lines
        .iter()
        .any(|line| line.contains("two servers have the id 1") && line.contains("myid"))
}

/// Goal: while a follower is heard, whoever comes with its id is refused: of ours with the reason,
/// Apache's with the end of the connection.
#[test]
fn a_second_process_is_refused() {
    let (mut stage, first) = led();
    for (info, is_ours) in [(info(1), true), (learner_info(1, 20), false)] {
        stage.lines.clear();
        stage.pass(900);
        stage.say(first, kind::PING, Zxid::ZERO, Some(&[]));
        let (second, heard) = comes(&mut stage, &info);
        assert!(stage.is_closed(second) && is_told(&stage), "{:?}", stage.lines);
        assert!(!stage.is_closed(first) && stage.serves);
        match &heard[..] {
            [(kind::LEADERINFO, Zxid::ZERO, Some(data))] if is_ours => {
                assert_eq!(kin::promises(&data[4..]), kin::TWIN);
            }
            said => assert!(said.is_empty() && !is_ours, "{said:?}"),
        }
    }
}

/// Goal: a server that comes back takes its place at once when its old connection is closed, and
/// after a second of silence when it is half open.
#[test]
fn a_server_that_comes_back_is_taken() {
    let (mut stage, first) = led();
    stage.hang_up(first);
    let (second, heard) = comes(&mut stage, &info(1));
    assert_eq!(heard.first().map(|said| said.0), Some(kind::LEADERINFO), "{:?}", stage.lines);
    assert_eq!(kin::promises(&heard[0].2.as_ref().expect("a mark")[4..]) & kin::TWIN, 0);
    stage.pass(1_000);
    let (third, heard) = comes(&mut stage, &info(1));
    assert_eq!(heard.first().map(|said| said.0), Some(kind::LEADERINFO), "{:?}", stage.lines);
    assert!(stage.is_closed(second) && !stage.is_closed(third) && !is_told(&stage));
}

/// Goal: who is refused says why, waits, and then tries again.
#[test]
fn who_is_refused_says_why_and_tries_again() {
    let mut stage = Stage::new(1, 3);
    let vote = Vote { leader: 3, zxid: Zxid::ZERO, round: 1, epoch: 1 };
    let links = [(2, State::Following), (3, State::Leading)]
        .map(|(sid, state)| (stage.vote_link(sid), state));
    let said = |stage: &mut Stage| {
        links.iter().for_each(|(link, state)| stage.vote(*link, *state, vote, usize::MAX));
        stage.pass(100);
        stage.take_call(3, Port::Quorum)
    };
    let leader = said(&mut stage).expect("it follows");
    let mut refusal = PROTOCOL.to_be_bytes().to_vec();
    kin::put_refusal(&mut refusal);
    stage.say(leader, kind::LEADERINFO, Zxid::ZERO, Some(&refusal));
    assert!(stage.is_closed(leader) && is_told(&stage), "{:?}", stage.lines);
    assert_eq!(stage.disk.epochs(), NEW, "nothing is promised");
    assert_eq!(said(&mut stage), None, "it waits");
    stage.pass(200);
    let leader = said(&mut stage).expect("it tries again");
    assert_eq!(stage.heard(leader)[0].0, kind::FOLLOWERINFO);
}
