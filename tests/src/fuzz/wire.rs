//! Targets of the wire crate and of the client.

use zk_wire::connect::ConnectRequest;
use zk_wire::ensemble::{Ensemble, Rules};
use zk_wire::frame::{self, Cut};
use zk_wire::header::RequestHeader;
use zk_wire::multi::SubRequests;
use zk_wire::request::{self, AclList};
use zk_wire::{Acl, Op, Reader, path as paths};
use zkclient::State;
use zkclient::session::{Config, Extra, Outcome, Session, WatchWish};

/// A stream gives the same frames however it is looked at: whole, or as it grows.
pub fn frame_cut(bytes: &[u8]) {
    const MAX: usize = 1 << 16;
    let mut at = 0;
    loop {
        let cut = frame::cut(&bytes[at..], MAX);
        for shown in 0..(bytes.len() - at).min(64) {
            match frame::cut(&bytes[at..at + shown], MAX) {
                Cut::Wait { missing } => assert!(missing > 0),
                early => assert_eq!(early, cut, "a longer look changes what was seen"),
            }
        }
        match cut {
            Cut::Frame { length } => at += 4 + length,
            Cut::Wait { .. } | Cut::TooLong { .. } => return,
        }
    }
}

/// A request decodes or does not; it never takes more than was given.
pub fn request(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(header) = RequestHeader::decode(&mut reader) else { return };
    let before = reader.rest().len();
    let decoded = match header.op {
        Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER => {
            request::CreateRequest::decode(&mut reader).is_ok()
        }
        Op::CREATE_TTL => request::CreateRequest::decode_ttl(&mut reader).is_ok(),
        Op::DELETE | Op::CHECK => request::PathVersionRequest::decode(&mut reader).is_ok(),
        Op::EXISTS | Op::GET_DATA | Op::GET_CHILDREN | Op::GET_CHILDREN2 => {
            request::PathWatchRequest::decode(&mut reader).is_ok()
        }
        Op::SET_DATA => request::SetDataRequest::decode(&mut reader).is_ok(),
        Op::SET_ACL => request::SetAclRequest::decode(&mut reader).is_ok(),
        Op::ADD_WATCH | Op::CHECK_WATCHES | Op::REMOVE_WATCHES => {
            request::PathIntRequest::decode(&mut reader).is_ok()
        }
        Op::SET_WATCHES | Op::SET_WATCHES2 => {
            let two = header.op == Op::SET_WATCHES2;
            request::SetWatchesRequest::decode(&mut reader, two).is_ok()
        }
        Op::AUTH => request::AuthPacket::decode(&mut reader).is_ok(),
        Op::RECONFIG => request::ReconfigRequest::decode(&mut reader).is_ok(),
        Op::MULTI | Op::MULTI_READ => return multi(reader.rest()),
        _ => request::decode_path(&mut reader).is_ok(),
    };
    assert!(!decoded || reader.rest().len() <= before);
}

/// A handshake that decodes says the same when it is written and read again.
pub fn connect(bytes: &[u8]) {
    let Ok(request) = ConnectRequest::decode(&mut Reader::new(bytes)) else { return };
    let mut out = Vec::new();
    request.encode(&mut out);
    assert_eq!(ConnectRequest::decode(&mut Reader::new(&out)), Ok(request));
}

/// A multi ends, whatever it says.
pub fn multi(bytes: &[u8]) {
    let mut subs = SubRequests::new(Reader::new(bytes));
    let mut count = 0;
    while let Ok(Some(_)) = subs.read_next() {
        count += 1;
        assert!(count <= bytes.len() / 9, "each operation takes nine bytes at least");
    }
    let _ = zkclient::multi::outcomes(bytes);
}

/// A list that is walked over can be taken apart, and says the same when written again.
pub fn acl_list(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(list) = AclList::scan(&mut reader) else {
        assert!(Acl::decode_list(&mut Reader::new(bytes)).is_err());
        return;
    };
    let decoded = list.decode();
    let mut out = Vec::new();
    Acl::encode_list(&decoded, &mut out);
    let again = Acl::decode_list(&mut Reader::new(&out)).expect("what was written");
    // Malformed text comes back as U+FFFD, and then stays.
    assert_eq!(again.expect("not null"), decoded);
}

/// A path is accepted exactly when it follows the rules, which are written down here once more.
pub fn path(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let forbidden = |c: char| {
        let c = u32::from(c);
        c <= 0x1f
            || (0x7f..=0x9f).contains(&c)
            || (0xe000..=0xf8ff).contains(&c)
            || (0xfff0..=0xffff).contains(&c)
            || c > 0xffff
    };
    let good = text == "/"
        || text.strip_prefix('/').is_some_and(|rest| {
            !text.chars().any(forbidden)
                && rest.split('/').all(|name| !matches!(name, "" | "." | ".."))
        });
    assert_eq!(paths::check(&text).is_ok(), good, "{text:?}");
    if good && text != "/" {
        let parent = paths::parent(&text).expect("a good path has a parent");
        assert_eq!(format!("{parent}/{}", paths::name(&text)), text);
    }
}

/// A client that is answered with anything takes it or gives the connection up; every completion
/// leaves exactly once, and what the bytes are cut into makes no difference.
pub fn reply(bytes: &[u8]) {
    let whole = answered(bytes, bytes.len().max(1));
    assert_eq!(whole, answered(bytes, 3), "cut otherwise, the same bytes mean something else");
}

/// What a session makes of an answer: the state, and which completions left.
fn answered(bytes: &[u8], piece: usize) -> (State, Vec<u32>) {
    let mut session: Session<u32, u32> = Session::new(Config::default());
    session.open();
    session.on_addresses(0, vec![([127, 0, 0, 1], 1).into()]);
    for (done, op) in [Op::EXISTS, Op::MULTI, Op::GET_DATA].into_iter().enumerate() {
        let watch = Some(Box::new((WatchWish::DataOrExist, "/a".to_owned(), done as u32)));
        let extra = Extra { watch, ..Extra::default() };
        session.submit(0, op, |_| (), extra, done as u32).expect("an empty queue takes it");
    }
    session.on_connected(0);
    let (mut left, mut outcomes, mut tail) = (Vec::new(), Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        if session.state() != State::Associating && !session.state().is_connected() {
            break;
        }
        tail.extend_from_slice(piece);
        let taken = session.on_bytes(1, &tail);
        session.take_outcomes(&mut outcomes);
        for outcome in outcomes.drain(..) {
            match outcome {
                Outcome::Reply { done, body, .. } => {
                    assert!(body.end <= tail.len(), "a record outside the bytes");
                    left.push(done);
                }
                Outcome::Failed { done, .. } => left.push(done),
                _ => {}
            }
        }
        tail.drain(..taken);
    }
    let state = session.state();
    session.close(2, 0, None).ok();
    session.on_timer(u64::MAX);
    session.take_outcomes(&mut outcomes);
    let failed = outcomes.into_iter().filter_map(|outcome| match outcome {
        Outcome::Failed { done, .. } => Some(done),
        _ => None,
    });
    let mut all: Vec<u32> = left.iter().copied().chain(failed).collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2], "each completion leaves once");
    (state, left)
}

/// A configuration that is taken is written so that it is read as the same one, and then stays.
pub fn ensemble(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for flags in 0..8u8 {
        let rules = Rules {
            standalone: flags & 1 != 0,
            several_addresses: flags & 2 != 0,
            secure_clients: flags & 4 != 0,
        };
        let Ok(read) = Ensemble::parse(text, &rules) else { continue };
        let written = read.to_string();
        assert_eq!(Ensemble::parse(&written, &rules).as_ref(), Ok(&read), "{text:?}, {rules:?}");
    }
}
