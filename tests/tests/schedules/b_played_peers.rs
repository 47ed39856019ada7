//! The stories of ZOOKEEPER issues that need a peer of another make: it is played, byte by byte.

use zk_core::Epochs;
use zk_core::txn::TxnHeader;
use zk_core::zab::packet::{self, PROTOCOL, kind};
use zk_tests::record;
use zk_tests::sim::stage::{Stage, create_txn, learner_info};
use zk_wire::jute::Reader;
use zk_wire::{Code, Op, Writer, Zxid};

/// Epochs of a server that has followed one leader.
const ONE: Epochs = Epochs { accepted: 1, current: 1 };

/// So many txns of the first epoch.
fn log(count: u32) -> Vec<(Zxid, Vec<u8>)> {
    let zxids = (1..=count).map(|counter| Zxid::new(1, counter));
    zxids.map(|zxid| (zxid, create_txn(zxid, &format!("/n{}", zxid.counter()), None))).collect()
}

/// Goal: a proposal that stands before NEWLEADER and is committed behind it is neither forgotten nor
/// acknowledged too early.
#[test]
fn b03_zookeeper_4394() {
    let mut stage = Stage::new(1, 3);
    let leader = stage.is_led(1);
    let (first, second, base) = (Zxid::new(1, 1), Zxid::new(1, 2), Zxid::new(1, 0));
    let (one, two) = (create_txn(first, "/one", None), create_txn(second, "/two", None));
    stage.say(leader, kind::DIFF, second, None);
    stage.say(leader, kind::PROPOSAL, first, Some(&one));
    stage.say(leader, kind::COMMIT, first, None);
    stage.say(leader, kind::PROPOSAL, second, Some(&two));
    assert_eq!(stage.kinds(leader), [], "nothing is acknowledged yet");
    stage.say(leader, kind::NEWLEADER, base, Some(&[]));
    let acks = stage.kinds(leader);
    assert_eq!(acks.first(), Some(&(kind::ACK, base)), "{:?}", stage.lines);
    stage.say(leader, kind::COMMIT, second, None);
    stage.say(leader, kind::UPTODATE, Zxid::NONE, None);
    assert!(!stage.is_closed(leader) && stage.serves, "{:?}", stage.lines);
    for _ in 0..2 {
        let tree = stage.replica.as_ref().expect("it runs").tree();
        assert!(tree.find("/one").is_some());
        assert_eq!(stage.disk.durable_last(), second);
        stage.restart();
    }
}

/// Goal: a follower that acknowledges a proposal before NEWLEADER, as versions 3.5 to 3.8.0 do,
/// counts all the same once it acknowledges NEWLEADER.
#[test]
fn b04_zookeeper_4685() {
    let mut stage = Stage::with_log(3, 3, ONE, &log(3));
    stage.is_elected();
    let peer = stage.follower(Zxid::new(1, 1), ONE, &learner_info(1, 20));
    let brought = stage.kinds(peer);
    let (last, base) = (Zxid::new(1, 3), Zxid::new(2, 0));
    let proposals = brought.iter().filter(|(kind, _)| *kind == kind::PROPOSAL).count();
    assert_eq!((brought[0].0, proposals), (kind::DIFF, 2), "{brought:?}");
    assert_eq!(brought.last(), Some(&(kind::NEWLEADER, base)));
    stage.say(peer, kind::ACK, Zxid::new(1, 2), None);
    assert!(!stage.serves, "an acknowledgement of a txn is none of the epoch");
    stage.say(peer, kind::ACK, last, None);
    stage.say(peer, kind::ACK, base, None);
    assert!(stage.serves && !stage.is_closed(peer), "{:?}", stage.lines);
    assert_eq!(stage.kinds(peer), [(kind::UPTODATE, Zxid::NONE)]);
}

/// Goal: whatever a learner says it has (nothing, nothing to be trusted, the beginning of an epoch,
/// the oldest txn, one that nobody knows), what it is sent leads to the leader's history without a
/// hole (also 4352).
#[test]
fn b11_zookeeper_2418() {
    let positions = [
        (Zxid::ZERO, Epochs::default()),
        (Zxid::NONE, Epochs::default()),
        (Zxid::new(1, 0), ONE),
        (Zxid::new(1, 1), ONE),
        (Zxid::new(1, 4), ONE),
        (Zxid::new(1, 9), ONE),
    ];
    for (position, epochs) in positions {
        let mut stage = Stage::with_log(3, 3, ONE, &log(4));
        stage.is_elected();
        // Somebody else has everything: who is new need not be believed.
        let whole = stage.follower(Zxid::new(1, 4), ONE, &learner_info(1, 20));
        stage.say(whole, kind::ACK, Zxid::new(2, 0), None);
        assert!(stage.serves);
        let peer = stage.follower(position, epochs, &learner_info(2, 20));
        let brought = stage.kinds(peer);
        let proposed: Vec<u32> = brought
            .iter()
            .filter(|(kind, _)| *kind == kind::PROPOSAL)
            .map(|(_, zxid)| zxid.counter())
            .collect();
        match brought[0] {
            (kind::SNAP, zxid) => assert!(zxid >= Zxid::new(1, 4), "{position}: {brought:?}"),
            (kind::TRUNC, zxid) => assert_eq!((zxid, position.counter()), (Zxid::new(1, 4), 9)),
            (kind::DIFF, _) => {
                let lacks: Vec<u32> = (position.counter() + 1..=4).collect();
                assert!(position != Zxid::NONE, "who is not to be trusted keeps nothing");
                assert_eq!(proposed, lacks, "{position}: {brought:?}");
            }
            _ => panic!("{position}: {brought:?}"),
        }
    }
}

/// The body of a REQUEST.
fn request(session: i64, xid: i32, op: Op, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_long(session);
    out.put_int(xid);
    out.put_int(op.0);
    out.extend_from_slice(body);
    out
}

/// Goal: what a learner hands in, a bare check and bodies that end in the middle among it, becomes
/// exactly one txn each, with a zxid of its own, in order; the next write goes on (also 2623, and the
/// create2 in a multi that members of older versions skip).
#[test]
fn b15_requests_that_are_no_requests() {
    let mut stage = Stage::with_log(3, 3, ONE, &log(1));
    stage.is_elected();
    let peer = stage.follower(Zxid::new(1, 1), ONE, &learner_info(1, 20));
    stage.say(peer, kind::ACK, Zxid::new(2, 0), None);
    stage.heard(peer);
    let session = 0x0100_0000_0000_0007;
    let create = record::create("/made", b"", 0);
    let multi = record::multi(&[(Op::CREATE2, record::create("/in-a-multi", b"", 0))]);
    let asked = [
        (Op::CREATE_SESSION, 30_000i32.to_be_bytes().to_vec(), None),
        (Op::CREATE, create[..7].to_vec(), Some(Code::MARSHALLING_ERROR)),
        (Op::CHECK, record::path_int("/n1", 0), Some(Code::UNIMPLEMENTED)),
        (Op(77), Vec::new(), Some(Code::UNIMPLEMENTED)),
        (Op::MULTI, multi[..9].to_vec(), Some(Code::MARSHALLING_ERROR)),
        (Op::MULTI, multi, None),
        (Op::CREATE, create, None),
        (Op::CLOSE_SESSION, Vec::new(), None),
    ];
    for (xid, (op, body, wanted)) in asked.into_iter().enumerate() {
        stage.say(peer, kind::REQUEST, Zxid::NONE, Some(&request(session, xid as i32, op, &body)));
        let heard = stage.heard(peer);
        let proposed: Vec<_> = heard.iter().filter(|said| said.0 == kind::PROPOSAL).collect();
        let [(_, zxid, Some(txn))] = proposed[..] else { panic!("{op:?}: {heard:?}") };
        assert_eq!(*zxid, Zxid::new(2, xid as u32 + 1));
        let mut reader = Reader::new(txn);
        let header = TxnHeader::decode(&mut reader).expect("a header");
        assert_eq!((header.session, header.cxid), (session, xid as i32), "{op:?}");
        match wanted {
            Some(code) => {
                assert_eq!((header.op, reader.int("code")), (Op::ERROR, Ok(code.0)), "{op:?}");
            }
            None => assert_eq!(header.op, op),
        }
        stage.say(peer, kind::ACK, *zxid, None);
        assert!(stage.kinds(peer).contains(&(kind::COMMIT, *zxid)), "{op:?} is committed");
    }
    let tree = stage.replica.as_ref().expect("it runs").tree();
    assert!(tree.find("/made").is_some() && tree.find("/in-a-multi").is_some());
}

/// Goal: a closeSession with a digest and no list of znodes, as a leader of Apache's writes it with
/// its own switches at odds, costs the leader its learner at most: the learner's log still loads.
#[test]
fn b15_a_lethal_close() {
    let mut stage = Stage::new(1, 3);
    let leader = stage.is_led(1);
    let (zxid, base) = (Zxid::new(1, 1), Zxid::new(1, 0));
    let mut txn = Vec::new();
    let header = TxnHeader { session: 7, cxid: 1, zxid, time_ms: 1, op: Op::CLOSE_SESSION };
    header.encode(&mut txn);
    zk_core::txn::encode_digest(&mut txn, 0x51c6_d660);
    stage.say(leader, kind::DIFF, zxid, None);
    stage.say(leader, kind::NEWLEADER, base, Some(&[]));
    stage.say(leader, kind::UPTODATE, Zxid::NONE, None);
    assert!(stage.serves);
    stage.say(leader, kind::PROPOSAL, zxid, Some(&txn));
    stage.say(leader, kind::COMMIT, zxid, None);
    stage.restart();
    assert!(stage.is_closed(leader) || stage.disk.durable_last() == zxid);
}

/// Goal: an offer without a configuration, as versions before 3.5 send it, and a promise that says
/// nothing of the protocol's version, are enough.
#[test]
fn b15_a_leader_that_says_little() {
    let mut stage = Stage::new(1, 3);
    let leader = stage.is_led(4);
    stage.say(leader, kind::DIFF, Zxid::ZERO, None);
    let mut offer = Vec::new();
    packet::put(kind::NEWLEADER, Zxid::new(4, 0), None, &mut offer);
    // Cut anywhere.
    for byte in offer {
        stage.send(leader, &[byte]);
    }
    assert_eq!(stage.kinds(leader), [(kind::ACK, Zxid::new(4, 0))], "{PROTOCOL:#x}");
    stage.say(leader, kind::UPTODATE, Zxid::NONE, None);
    assert!(stage.serves);
}
