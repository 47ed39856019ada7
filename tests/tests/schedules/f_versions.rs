//! Peers of every version that may be a member: what they leave out, and when they acknowledge.

use zk_core::zab::election::{State, Vote};
use zk_core::zab::packet::kind;
use zk_core::{Epochs, Port};
use zk_tests::sim::stage::{Stage, create_txn, learner_info};
use zk_wire::Zxid;

const ONE: Epochs = Epochs { accepted: 1, current: 1 };

/// When a follower acknowledges the proposals that it is brought up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acks {
    /// Before NEWLEADER: 3.5.10 to 3.8.0, in part.
    Before,
    /// Behind UPTODATE: 3.4, 3.5, 3.6, 3.8.4, 3.9.2.
    Behind,
    /// Never, as they are committed: 3.9.3 and later.
    Never,
}

fn log(count: u32) -> Vec<(Zxid, Vec<u8>)> {
    let zxids = (1..=count).map(|counter| Zxid::new(1, counter));
    zxids.map(|zxid| (zxid, create_txn(zxid, &format!("/n{}", zxid.counter()), None))).collect()
}

/// Goal: followers of each version are brought up, counted, and commit what comes then.
#[test]
fn f_followers_acknowledge_when_they_like() {
    for acks in [Acks::Before, Acks::Behind, Acks::Never] {
        // 3.4 says its id only; before 3.5 nobody has a version of the configuration.
        for info in [8, 12, 20] {
            let mut stage = Stage::with_log(3, 3, ONE, &log(4));
            stage.is_elected();
            let peer = stage.follower(Zxid::new(1, 2), ONE, &learner_info(1, info));
            let brought = stage.kinds(peer);
            let late = [Zxid::new(1, 3), Zxid::new(1, 4)];
            for zxid in late {
                assert!(brought.contains(&(kind::PROPOSAL, zxid)), "{acks:?}: {brought:?}");
            }
            if acks == Acks::Before {
                late.iter().for_each(|zxid| stage.say(peer, kind::ACK, *zxid, None));
            }
            assert!(!stage.serves);
            stage.say(peer, kind::ACK, Zxid::new(2, 0), None);
            assert!(stage.serves, "{acks:?}: {:?}", stage.lines);
            // Most acknowledge the epoch once more behind UPTODATE.
            stage.say(peer, kind::ACK, Zxid::new(2, 0), None);
            if acks == Acks::Behind {
                late.iter().for_each(|zxid| stage.say(peer, kind::ACK, *zxid, None));
            }
            stage.heard(peer);
            let mut request = 9i64.to_be_bytes().to_vec();
            request.extend_from_slice(&0i32.to_be_bytes());
            request.extend_from_slice(&(-10i32).to_be_bytes());
            request.extend_from_slice(&30_000i32.to_be_bytes());
            stage.say(peer, kind::REQUEST, Zxid::NONE, Some(&request));
            let next = Zxid::new(2, 1);
            assert_eq!(stage.kinds(peer), [(kind::PROPOSAL, next)], "{acks:?}");
            stage.say(peer, kind::ACK, next, None);
            assert_eq!(stage.kinds(peer), [(kind::COMMIT, next)], "{acks:?}: {:?}", stage.lines);
            assert!(!stage.is_closed(peer));
        }
    }
}

/// Goal: a notification in each of its forms elects: 28 bytes, 40 bytes, and with a configuration. One
/// of 36 bytes, which some versions send and none reads, does no harm.
#[test]
fn f_notifications_of_each_length() {
    for bytes in [28, 40, 44, usize::MAX] {
        let mut stage = Stage::with_log(1, 3, ONE, &[]);
        let links: Vec<_> = [2, 3].map(|sid| stage.vote_link(sid)).to_vec();
        let vote = Vote { leader: 3, zxid: Zxid::new(1, 9), round: 1, epoch: 1 };
        for link in &links {
            stage.vote(*link, State::Looking, vote, 36);
            stage.vote(*link, State::Looking, vote, 27);
        }
        stage.pass(190);
        assert!(stage.take_call(3, Port::Quorum).is_none(), "what nobody reads elects nobody");
        for link in &links {
            assert!(!stage.is_closed(*link), "{bytes}: {:?}", stage.lines);
            // What is 44 bytes long says that a configuration follows, and none does.
            let short = if bytes == 44 { 40 } else { bytes };
            stage.vote(*link, State::Looking, vote, short);
        }
        stage.pass(300);
        assert!(stage.take_call(3, Port::Quorum).is_some(), "{bytes}: {:?}", stage.lines);
    }
}

/// Goal: a follower takes txns with a digest and without, in any mixture, and a digest that is not its
/// tree's is told once and stops nothing.
#[test]
fn f_digests_are_missing_or_wrong() {
    let mut stage = Stage::new(1, 3);
    let leader = stage.is_led(1);
    stage.say(leader, kind::DIFF, Zxid::ZERO, None);
    stage.say(leader, kind::NEWLEADER, Zxid::new(1, 0), Some(&[]));
    stage.say(leader, kind::UPTODATE, Zxid::NONE, None);
    stage.heard(leader);
    for counter in 1..=6 {
        let zxid = Zxid::new(1, counter);
        let digest = (counter > 2).then_some(0x1234_5678);
        let txn = create_txn(zxid, &format!("/n{counter}"), digest);
        stage.say(leader, kind::PROPOSAL, zxid, Some(&txn));
        assert_eq!(stage.kinds(leader), [(kind::ACK, zxid)]);
        stage.say(leader, kind::COMMIT, zxid, None);
        let tree = stage.replica.as_ref().expect("it runs").tree();
        assert!(tree.find(&format!("/n{counter}")).is_some());
    }
    let told = stage.lines.iter().filter(|line| line.contains("digest_mismatch")).count();
    assert!(told == 1 && stage.serves && !stage.is_closed(leader), "{:?}", stage.lines);
}

/// Goal: each odd packet of a leader costs that connection at most, and what was on disk before is
/// there afterwards: a txn twice, a gap, a COMMIT of nothing, NEWLEADER of another epoch.
#[test]
fn f_a_leader_out_of_phase() {
    let odd: [(i32, Zxid); 5] = [
        (kind::COMMIT, Zxid::new(1, 9)),
        (kind::NEWLEADER, Zxid::new(7, 0)),
        (kind::LEADERINFO, Zxid::new(1, 0)),
        (kind::TRUNC, Zxid::ZERO),
        (kind::ACK, Zxid::new(1, 1)),
    ];
    for (number, (kind, zxid)) in odd.into_iter().enumerate() {
        let mut stage = Stage::new(1, 3);
        let leader = stage.is_led(1);
        let first = Zxid::new(1, 1);
        stage.say(leader, kind::DIFF, Zxid::ZERO, None);
        stage.say(leader, kind::NEWLEADER, Zxid::new(1, 0), Some(&[]));
        stage.say(leader, kind::UPTODATE, Zxid::NONE, None);
        stage.say(leader, kind::PROPOSAL, first, Some(&create_txn(first, "/kept", None)));
        stage.say(leader, kind::COMMIT, first, None);
        stage.say(leader, kind, zxid, None);
        stage.pass(10);
        assert!(stage.is_closed(leader), "{number}: {:?}", stage.lines);
        assert_eq!(stage.disk.durable_last(), first, "{number}");
        stage.restart();
        let tree = stage.replica.as_ref().expect("it runs").tree();
        assert!(tree.find("/kept").is_some(), "{number}");
    }
}
