//! The id of an ensemble, in one place: who gets it, and who is refused.

use zk_wire::{Code, Writer, Zxid};

use super::room::Room;
use crate::event::Event;
use crate::ids::{Cluster, PeerId, Port};
use crate::members::Sid;
use crate::zab::packet::{self, PROTOCOL, kind};

fn id(room: &Room, sid: Sid) -> u128 {
    let cluster = room.nodes[&sid].config.ensemble.as_ref().unwrap().cluster;
    if cluster.agreed { cluster.id } else { 0 }
}

fn set_id(room: &mut Room, sid: Sid, id: u128) {
    let ensemble = room.nodes.get_mut(&sid).unwrap().config.ensemble.as_mut().unwrap();
    ensemble.cluster = Cluster { id, agreed: id != 0 };
}

fn restart(room: &mut Room, sids: &[Sid]) {
    sids.iter().for_each(|sid| room.crash(*sid));
    sids.iter().for_each(|sid| room.start(*sid));
}

fn said(room: &Room, sid: Sid, text: &str) -> bool {
    room.nodes[&sid].lines.iter().any(|line| line.contains(text))
}

/// Goal: an id is given out once every voter is there, and not before; whoever comes later without
/// one takes it over, and a new leader does not draw another.
#[test]
fn an_id_is_given_out_when_everybody_is_there() {
    let mut room = Room::of(&[1, 2, 3]);
    room.pass(1_000);
    assert_eq!([1, 2, 3].map(|sid| id(&room, sid)), [103; 3], "the leader's");
    (1..=3).for_each(|sid| set_id(&mut room, sid, 0));
    room.crash(1);
    restart(&mut room, &[2, 3]);
    room.pass(2_000);
    assert!(room.nodes[&3].serves);
    assert_eq!([2, 3].map(|sid| id(&room, sid)), [0; 2], "somebody is missing");
    room.start(1);
    room.pass(2_000);
    assert_eq!([1, 2, 3].map(|sid| id(&room, sid)), [103; 3]);
    room.crash(3);
    room.pass(2_000);
    set_id(&mut room, 3, 0);
    room.start(3);
    room.pass(2_000);
    assert_eq!([1, 2, 3].map(|sid| id(&room, sid)), [103; 3]);
}

/// Goal: an id that any of them has is everybody's.
#[test]
fn an_id_that_is_there_is_taken() {
    let mut room = Room::of(&[1, 2, 3]);
    for (sid, id) in [(1, 7), (2, 0), (3, 0)] {
        set_id(&mut room, sid, id);
    }
    restart(&mut room, &[1, 2, 3]);
    room.pass(2_000);
    assert_eq!([1, 2, 3].map(|sid| id(&room, sid)), [7; 3]);
}

/// Goal: a server with the data of another ensemble follows nobody, both sides say why, its newer
/// data wins no election, and the others go on. With an empty directory it is taken.
#[test]
fn data_of_another_ensemble_is_refused() {
    for stranger in [1, 3] {
        let mut room = Room::of(&[1, 2, 3]);
        room.pass(1_000);
        let others: Vec<Sid> = (1..=3).filter(|sid| *sid != stranger).collect();
        set_id(&mut room, stranger, 0xdead);
        room.nodes.get_mut(&stranger).unwrap().epochs.current += 4;
        room.nodes.get_mut(&stranger).unwrap().epochs.accepted += 4;
        restart(&mut room, &[1, 2, 3]);
        room.pass(12_000);
        assert!(!room.nodes[&stranger].serves, "{}", room.story());
        assert!(others.iter().all(|sid| room.nodes[sid].serves), "{}", room.story());
        let xid = room.create(others[0], "/a");
        assert_eq!(room.answer(others[0], xid), Some(Code::OK));
        let text = format!("{:032x}", 0xdead);
        let both = [others[0], others[1]].iter().any(|sid| said(&room, *sid, &text));
        assert!(both && said(&room, stranger, &text), "{}", room.story());
        assert!(said(&room, stranger, "dataDir"));
        room.crash(stranger);
        set_id(&mut room, stranger, 0);
        let node = room.nodes.get_mut(&stranger).unwrap();
        (node.epochs, node.base) = (Default::default(), None);
        node.log.clear();
        room.start(stranger);
        room.pass(20_000);
        assert!(room.nodes[&stranger].serves && room.has(stranger, "/a"), "{}", room.story());
        assert_eq!(id(&room, stranger), 103);
    }
}

/// Goal: an id that was given out and not agreed on refuses nobody: the others may have another.
#[test]
fn an_id_that_was_not_agreed_on_gives_way() {
    let mut room = Room::of(&[1, 2, 3]);
    room.pass(1_000);
    let ensemble = room.nodes.get_mut(&1).unwrap().config.ensemble.as_mut().unwrap();
    ensemble.cluster = Cluster { id: 9, agreed: false };
    restart(&mut room, &[1]);
    room.pass(2_000);
    assert!(room.nodes[&1].serves && id(&room, 1) == 103, "{}", room.story());
}

/// Goal: who comes with the leader's own id is sent away, with the reason.
#[test]
fn two_servers_with_one_id_are_told() {
    let mut room = Room::of(&[1, 2, 3]);
    let peer = PeerId(PeerId::ACCEPTED + 1_000);
    room.step(3, Event::PeerAccepted { peer, port: Port::Quorum });
    let (mut info, mut bytes) = (Vec::new(), Vec::new());
    info.put_long(3);
    info.put_int(PROTOCOL);
    info.put_long(0);
    packet::put(kind::FOLLOWERINFO, Zxid::ZERO, Some(&info), &mut bytes);
    room.step(3, Event::PeerBytes { peer, bytes: &bytes });
    assert!(said(&room, 3, "two servers have the id 3: give the newcomer its own number"));
    room.pass(1_000);
    assert!((1..=3).all(|sid| room.nodes[&sid].serves), "nobody is disturbed");
}
