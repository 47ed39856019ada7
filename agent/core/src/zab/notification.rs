//! What servers tell each other in an election, as bytes.

use zk_wire::jute::Reader;
use zk_wire::{Writer, Zxid};

use super::Sid;
use super::election::{Heard, State, Vote};

/// Version of the notifications that carry a configuration.
const VERSION: i32 = 2;

/// Writes a notification. `config`: the text of the committed configuration; never an empty one,
/// which stops the elections of some of Apache's servers.
pub fn put(state: State, vote: Vote, config: &str, out: &mut Vec<u8>) {
    out.put_int(state.number());
    out.put_long(vote.leader);
    out.put_long(vote.zxid.0);
    out.put_long(vote.round);
    out.put_long(vote.epoch);
    out.put_int(VERSION);
    out.put_buffer(Some(config.as_bytes()));
}

/// Reads a notification of any version since 3.4; `None` when it is none.
pub fn decode(from: Sid, payload: &[u8]) -> Option<Heard> {
    let mut reader = Reader::new(payload);
    let state = State::from_number(reader.int("state").ok()?)?;
    let leader = reader.long("leader").ok()?;
    let zxid = Zxid(reader.long("zxid").ok()?);
    let round = reader.long("electionEpoch").ok()?;
    let (epoch, version) = match payload.len() {
        28 => (zxid.epoch(), 0),
        40 => (reader.long("peerEpoch").ok()?, 0),
        length if length >= 44 => (reader.long("peerEpoch").ok()?, reader.int("version").ok()?),
        _ => return None,
    };
    let vote = Vote { leader, zxid, round, epoch };
    Some(Heard { from, state, vote, version })
}

/// The text of the sender's configuration, if the notification has one.
pub fn config(payload: &[u8]) -> Option<&str> {
    let mut reader = Reader::new(payload.get(36..).filter(|_| payload.len() >= 44)?);
    let version = reader.int("version").ok()?;
    let text = reader.buffer("config").ok()?.filter(|_| version > 1)?;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::packet::tests::hex;

    #[test]
    fn the_bytes_are_those_of_apaches_servers() {
        let vote = Vote { leader: 3, zxid: Zxid::new(5, 0x2a), round: 7, epoch: 6 };
        let mut out = Vec::new();
        let config = "server.1=h:1:2:participant\nversion=0";
        put(State::Leading, vote, config, &mut out);
        let golden = hex("00000002 0000000000000003 000000050000002a 0000000000000007
            0000000000000006 00000002 00000024 7365727665722e313d683a313a323a7061727469636970616e74
            0a76657273696f6e3d30");
        assert_eq!(out, golden);
        let heard = Heard { from: 9, state: State::Leading, vote, version: 2 };
        assert_eq!(decode(9, &golden), Some(heard));
        assert_eq!(super::config(&golden), Some(config));
        assert_eq!(super::config(&golden[..golden.len() - 1]), None);
        assert_eq!(super::config(&golden[..40]), None);
    }

    #[test]
    fn older_forms_are_read_and_what_is_none_is_not() {
        let vote = Vote { leader: 3, zxid: Zxid::new(5, 0x2a), round: 7, epoch: 6 };
        let mut out = Vec::new();
        put(State::Looking, vote, "version=0", &mut out);
        let oldest = decode(1, &out[..28]).unwrap();
        assert_eq!((oldest.vote.epoch, oldest.version), (5, 0));
        let old = decode(1, &out[..40]).unwrap();
        assert_eq!((old.vote, old.version), (vote, 0));
        for length in (0..out.len()).filter(|length| !matches!(length, 28 | 40 | 44..)) {
            assert_eq!(decode(1, &out[..length]), None, "{length} bytes");
        }
        out[3] = 4;
        assert_eq!(decode(1, &out), None, "no such state");
    }
}
