//! The session against a server that is written down line by line.

use super::*;
use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::header::{ReplyHeader, RequestHeader, xid};
use zk_wire::request::{encode_path_watch, encode_set_data};
use zk_wire::watch::{encode_event, event};
use zk_wire::{Reader, frame};

type Test = Session<u32, u32>;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn framed(body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let at = frame::begin(&mut out);
    body(&mut out);
    frame::end(&mut out, at);
    out
}

fn response(id: i64, read_only: bool) -> Vec<u8> {
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: if id == 0 { 0 } else { 6000 },
        session_id: id,
        password: vec![1; 16],
        read_only: Some(read_only),
    };
    framed(|out| response.encode(out))
}

fn reply(xid: i32, zxid: i64, code: Code) -> Vec<u8> {
    framed(|out| ReplyHeader { xid, zxid: Zxid(zxid), code }.encode(out))
}

fn notify(kind: i32, path: &str) -> Vec<u8> {
    framed(|out| {
        ReplyHeader { xid: xid::NOTIFICATION, zxid: Zxid(77), code: Code::OK }.encode(out);
        encode_event(kind, path, out);
    })
}

/// Takes the output apart: xid and operation of each frame.
fn sent(session: &mut Test) -> Vec<(i32, Op)> {
    let bytes = session.output().to_vec();
    session.sent(bytes.len());
    let (mut at, mut list) = (0, Vec::new());
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let header = RequestHeader::decode(&mut Reader::new(&bytes[at + 4..])).unwrap();
        list.push((header.xid, header.op));
        at += 4 + length;
    }
    list
}

fn asks(session: &mut Test) -> Vec<Ask> {
    std::iter::from_fn(|| session.next_ask()).collect()
}

fn outcomes(session: &mut Test) -> Vec<Outcome<u32, u32>> {
    let mut list = Vec::new();
    session.take_outcomes(&mut list);
    list
}

fn opened(config: Config, ports: &[u16]) -> Test {
    let mut session = Session::new(Config { shuffle: false, ..config });
    session.open();
    assert_eq!(asks(&mut session), [Ask::Resolve]);
    session.on_addresses(0, ports.iter().map(|port| address(*port)).collect());
    assert_eq!(asks(&mut session), [Ask::Dial(address(ports[0]))]);
    session
}

fn handshake(session: &mut Test, now_ms: u64, id: i64) -> ConnectRequest<'static> {
    session.on_connected(now_ms);
    let bytes = session.output().to_vec().leak();
    session.sent(bytes.len());
    assert_eq!(bytes.len(), 49, "the length and 45 bytes, as Apache's client sends them");
    let request = ConnectRequest::decode(&mut Reader::new(&bytes[4..])).unwrap();
    let answer = response(id, false);
    assert_eq!(session.on_bytes(now_ms, &answer), answer.len());
    request
}

fn connected(config: Config) -> Test {
    let mut session = opened(config, &[1]);
    handshake(&mut session, 0, 5);
    let told = Outcome::State { state: State::Connected, watchers: vec![] };
    assert_eq!(outcomes(&mut session), [told]);
    session
}

fn get(session: &mut Test, now_ms: u64, path: &str, done: u32) -> Ticket {
    let watch = Some(Box::new((WatchWish::Data, path.to_owned(), done + 100)));
    let extra = Extra { watch, ..Extra::default() };
    let body = |out: &mut Vec<u8>| encode_path_watch(out, path, true);
    session.submit(now_ms, Op::GET_DATA, body, extra, done).unwrap()
}

#[test]
fn the_handshake_grants_id_and_timeout_and_calls_wait_for_it() {
    let mut session = opened(Config { timeout_ms: 9000, ..Config::default() }, &[1]);
    get(&mut session, 0, "/a", 1);
    let request = handshake(&mut session, 3, 5);
    assert_eq!((request.timeout_ms, request.session_id, request.last_zxid_seen), (9000, 0, 0));
    assert_eq!((session.identity().id, session.timeout_ms()), (5, 6000));
    assert_eq!(sent(&mut session), [(1, Op::GET_DATA)]);
    assert!(matches!(
        &outcomes(&mut session)[..],
        [Outcome::State { state: State::Connected, .. }]
    ));
    let bytes = [reply(1, 9, Code::OK), vec![0, 0]].concat();
    assert_eq!(session.on_bytes(4, &bytes), bytes.len() - 2, "half a frame waits");
    let expected = Outcome::Reply { done: 1, zxid: Zxid(9), code: Code::OK, body: 20..20 };
    assert_eq!(outcomes(&mut session), [expected]);
    assert_eq!((session.outstanding(), session.identity().last_zxid), (0, Zxid(9)));
    assert!(session.watches().holds(WatchKind::Data, "/a", Some(&101)));
}

#[test]
fn pings_go_out_after_a_third_and_silence_ends_the_connection_after_two() {
    let mut session = connected(Config::default());
    assert_eq!(session.deadline_ms(), 2000);
    session.on_timer(1999);
    assert_eq!(sent(&mut session), []);
    session.on_timer(2000);
    assert_eq!(sent(&mut session), [(xid::PING, Op::PING)]);
    get(&mut session, 3000, "/a", 1);
    assert_eq!(sent(&mut session).len(), 1);
    assert_eq!(session.deadline_ms(), 4000);
    session.on_timer(4000);
    let told = outcomes(&mut session);
    assert_eq!(told[0], Outcome::State { state: State::Connecting, watchers: vec![] });
    let error = Error::Timeout { waited_ms: 4000, maybe_executed: true };
    assert_eq!(told[1..], [Outcome::Failed { done: 1, error }]);
    assert_eq!(asks(&mut session)[..2], [Ask::HangUp, Ask::Resolve]);
}

#[test]
fn a_lost_connection_tells_fails_what_was_sent_and_keeps_the_rest() {
    let mut session = connected(Config::default());
    let bytes = session.output().len();
    assert_eq!(bytes, 0);
    get(&mut session, 1, "/a", 1);
    let first = session.output().len();
    get(&mut session, 1, "/b", 2);
    // A single byte of the second frame has left: it may arrive.
    get(&mut session, 1, "/c", 3);
    session.sent(first + 1);
    session.on_disconnected(2);
    let loss = Error::ConnectionLoss { maybe_executed: true };
    let told = outcomes(&mut session);
    assert!(matches!(told[0], Outcome::State { state: State::Connecting, .. }));
    let failed = |done| Outcome::Failed { done, error: loss.clone() };
    assert_eq!(told[1..], [failed(1), failed(2)]);
    assert_eq!(asks(&mut session), [Ask::Resolve, Ask::Dial(address(1))]);
    get(&mut session, 3, "/d", 4);
    let request = handshake(&mut session, 4, 5);
    assert_eq!(request.session_id, 5);
    assert_eq!(sent(&mut session), [(3, Op::GET_DATA), (4, Op::GET_DATA)]);
    outcomes(&mut session);
    let bytes = [reply(3, 1, Code::OK), reply(4, 2, Code::NO_NODE)].concat();
    assert_eq!(session.on_bytes(5, &bytes), bytes.len());
    assert!(matches!(
        outcomes(&mut session)[..],
        [Outcome::Reply { done: 3, .. }, Outcome::Reply { done: 4, code: Code::NO_NODE, .. }]
    ));
}

#[test]
fn apaches_way_fails_what_was_never_sent_too() {
    let mut session = opened(Config { fail_unsent: true, ..Config::default() }, &[1, 2]);
    get(&mut session, 0, "/a", 1);
    session.on_disconnected(1);
    let error = Error::ConnectionLoss { maybe_executed: false };
    assert_eq!(outcomes(&mut session), [Outcome::Failed { done: 1, error }]);
    assert_eq!(asks(&mut session), [Ask::Resolve, Ask::Dial(address(2))]);
}

#[test]
fn identities_watches_and_then_calls_on_every_connection() {
    let mut session = connected(Config::default());
    get(&mut session, 1, "/a", 1);
    session.add_auth(1, "digest", b"u:p", Some(9)).unwrap();
    assert_eq!(sent(&mut session), [(1, Op::GET_DATA), (xid::AUTH, Op::AUTH)]);
    // The answer to an identity does not wait for its turn.
    let bytes = [reply(xid::AUTH, 0, Code::OK), reply(1, 8, Code::OK)].concat();
    session.on_bytes(2, &bytes);
    let told = outcomes(&mut session);
    assert!(matches!(told[..], [Outcome::Reply { done: 9, .. }, Outcome::Reply { done: 1, .. }]));
    session.on_disconnected(3);
    let told = outcomes(&mut session);
    assert_eq!(told, [Outcome::State { state: State::Connecting, watchers: vec![101] }]);
    get(&mut session, 3, "/b", 2);
    let request = handshake(&mut session, 4, 5);
    assert_eq!(request.last_zxid_seen, 8);
    let due = [(xid::AUTH, Op::AUTH), (xid::SET_WATCHES, Op::SET_WATCHES), (2, Op::GET_DATA)];
    assert_eq!(sent(&mut session), due);
    outcomes(&mut session);
    let bytes = [
        reply(xid::AUTH, 0, Code::OK),
        notify(event::DATA_CHANGED, "/a"),
        reply(xid::SET_WATCHES, 9, Code::OK),
        reply(2, 9, Code::OK),
        notify(event::DELETED, "/nobody"),
    ];
    session.on_bytes(5, &bytes.concat());
    let told = outcomes(&mut session);
    let (watchers, kind, path) = (vec![101], event::DATA_CHANGED, "/a".to_owned());
    assert_eq!(told[0], Outcome::Event { watchers, kind, state: 3, zxid: 77, path });
    assert!(matches!(told[1..], [Outcome::Reply { done: 2, .. }]));
}

#[test]
fn an_identity_that_is_refused_is_the_end() {
    let mut session = connected(Config::default());
    get(&mut session, 1, "/a", 1);
    session.add_auth(1, "digest", b"bad", Some(9)).unwrap();
    session.on_bytes(2, &reply(xid::AUTH, 0, Code::AUTH_FAILED));
    let failed = |done| Outcome::Failed { done, error: Error::AuthFailed };
    let told = outcomes(&mut session);
    assert_eq!(told[0], failed(9));
    assert!(matches!(told[1], Outcome::State { state: State::AuthFailed, .. }));
    assert_eq!(told[2..], [failed(1)]);
    assert_eq!(session.usable(), Err(Error::AuthFailed));
    assert_eq!(session.deadline_ms(), u64::MAX);
}

#[test]
fn an_expired_session_fails_everything_and_is_made_anew_when_asked_for() {
    for recreate in [false, true] {
        let mut session = connected(Config { recreate, ..Config::default() });
        get(&mut session, 1, "/a", 1);
        session.on_bytes(1, &reply(1, 8, Code::OK));
        outcomes(&mut session);
        session.on_disconnected(2);
        get(&mut session, 3, "/b", 2);
        outcomes(&mut session);
        asks(&mut session);
        session.on_connected(4);
        let bytes = session.output().len();
        session.sent(bytes);
        session.on_bytes(5, &response(0, false));
        let told = outcomes(&mut session);
        assert_eq!(told[0], Outcome::State { state: State::Expired, watchers: vec![101] });
        let error = Error::SessionExpired;
        assert_eq!(told[1..], [Outcome::Failed { done: 2, error: error.clone() }]);
        if !recreate {
            assert_eq!(asks(&mut session), [Ask::HangUp]);
            let refused = session.submit(6, Op::SYNC, |_| (), Extra::default(), 3);
            assert_eq!(refused, Err((error, 3)));
            continue;
        }
        assert_eq!(asks(&mut session), [Ask::HangUp, Ask::Dial(address(1))]);
        let request = handshake(&mut session, 7, 6);
        assert_eq!((request.session_id, request.last_zxid_seen), (0, 8));
        assert_eq!(sent(&mut session), [(xid::SET_WATCHES, Op::SET_WATCHES)]);
        assert_eq!(session.identity().id, 6);
    }
}

#[test]
fn a_goodbye_waits_for_the_answers_before_it() {
    let mut session = connected(Config::default());
    get(&mut session, 1, "/a", 1);
    session.close(2, 1000, Some(7)).unwrap();
    assert_eq!(session.close(2, 1000, None), Err(Error::Closing));
    let refused = session.submit(2, Op::SYNC, |_| (), Extra::default(), 8);
    assert_eq!(refused, Err((Error::Closing, 8)));
    assert_eq!(sent(&mut session), [(1, Op::GET_DATA), (2, Op::CLOSE_SESSION)]);
    session.on_bytes(3, &reply(1, 1, Code::OK));
    assert!(matches!(outcomes(&mut session)[..], [Outcome::Reply { done: 1, .. }]));
    session.on_bytes(3, &reply(2, 2, Code::OK));
    assert_eq!(outcomes(&mut session), [Outcome::Closed { done: Some(7) }]);
    assert_eq!((session.state(), session.deadline_ms()), (State::Closed, u64::MAX));
}

#[test]
fn a_goodbye_without_an_answer_has_an_end() {
    for by_time in [true, false] {
        let mut session = connected(Config::default());
        get(&mut session, 1, "/a", 1);
        session.close(2, 1000, None).unwrap();
        match by_time {
            true => session.on_timer(session.deadline_ms()),
            false => session.on_disconnected(3),
        }
        let failed = Outcome::Failed { done: 1, error: Error::Closing };
        assert_eq!(outcomes(&mut session), [failed, Outcome::Closed { done: None }]);
    }
    let mut session = opened(Config::default(), &[1]);
    session.close(1, 1000, Some(2)).unwrap();
    assert_eq!(outcomes(&mut session), [Outcome::Closed { done: Some(2) }]);
    assert_eq!(asks(&mut session), [Ask::HangUp]);
}

#[test]
fn deadlines_and_cancellations_end_a_call_once() {
    let mut session = opened(Config::default(), &[1]);
    let extra = || Extra { deadline_ms: 50, watch: None };
    let body = |out: &mut Vec<u8>| encode_set_data(out, "/a", Some(b"x"), -1);
    session.submit(10, Op::SET_DATA, body, extra(), 1).unwrap();
    let second = session.submit(10, Op::SET_DATA, body, Extra::default(), 2).unwrap();
    assert_eq!(session.deadline_ms(), 50);
    session.on_timer(50);
    let error = Error::Timeout { waited_ms: 40, maybe_executed: false };
    assert_eq!(outcomes(&mut session), [Outcome::Failed { done: 1, error }]);
    handshake(&mut session, 60, 5);
    assert_eq!(sent(&mut session), [(2, Op::SET_DATA)], "what was given up is never sent");
    outcomes(&mut session);
    let third = session.submit(61, Op::SET_DATA, body, Extra::default(), 3).unwrap();
    assert!(session.cancel(third) && !session.cancel(third));
    let error = Error::Cancelled { maybe_executed: true };
    assert_eq!(outcomes(&mut session), [Outcome::Failed { done: 3, error }]);
    let fourth = get(&mut session, 62, "/w", 4);
    assert!(session.cancel(fourth));
    outcomes(&mut session);
    let bytes = [reply(2, 1, Code::OK), reply(3, 2, Code::OK), reply(4, 2, Code::OK)].concat();
    session.on_bytes(70, &bytes);
    assert!(matches!(outcomes(&mut session)[..], [Outcome::Reply { done: 2, .. }]));
    assert!(!session.cancel(second) && session.watches().is_empty());
}

#[test]
fn bytes_that_make_no_sense_cost_the_connection() {
    let bad: [Vec<u8>; 5] = [
        vec![0xff; 8],
        reply(9, 1, Code::OK),
        framed(|out| out.extend_from_slice(&[1, 2, 3])),
        reply(xid::AUTH, 1, Code::OK),
        framed(|out| ReplyHeader { xid: -1, zxid: Zxid(1), code: Code::OK }.encode(out)),
    ];
    for bytes in bad {
        let mut session = connected(Config::default());
        get(&mut session, 1, "/a", 1);
        sent(&mut session);
        // What stands behind them is not taken for an answer on the next connection.
        let bytes = [bytes, response(0, false)].concat();
        assert_eq!(session.on_bytes(2, &bytes), bytes.len());
        let told = outcomes(&mut session);
        assert_eq!((session.state(), told.len()), (State::Connecting, 2));
        assert!(matches!(told[0], Outcome::State { state: State::Connecting, .. }), "{bytes:?}");
        assert!(matches!(told[1], Outcome::Failed { done: 1, .. }), "{bytes:?}");
        assert_eq!(asks(&mut session)[0], Ask::HangUp);
    }
}

#[test]
fn a_full_queue_refuses_and_takes_again() {
    let config = Config { pending_max: 2, ..Config::default() };
    let mut session = connected(config);
    get(&mut session, 1, "/a", 1);
    get(&mut session, 1, "/b", 2);
    let refused = session.submit(1, Op::SYNC, |_| (), Extra::default(), 3);
    assert_eq!(refused, Err((Error::Busy { limit: "pending_max", max: 2 }, 3)));
    session.on_bytes(2, &reply(1, 1, Code::OK));
    outcomes(&mut session);
    assert!(session.submit(2, Op::SYNC, |_| (), Extra::default(), 3).is_ok());
}

#[test]
fn a_read_only_server_will_do_until_another_is_found() {
    let config = Config { read_only: true, ..Config::default() };
    let mut session = opened(config, &[1, 2, 3]);
    session.on_connected(0);
    let bytes = session.output().len();
    session.sent(bytes);
    session.on_bytes(0, &response(9, true));
    assert!(matches!(outcomes(&mut session)[..], [Outcome::State { state: State::ReadOnly, .. }]));
    assert_eq!(session.deadline_ms(), 200);
    session.on_timer(200);
    // The server that is connected has moved to the end of the list.
    assert_eq!(asks(&mut session), [Ask::Probe(address(2))]);
    session.on_probed(201, address(2), false);
    session.on_timer(600);
    assert_eq!(asks(&mut session), [Ask::Probe(address(3))]);
    session.on_probed(601, address(3), true);
    assert_eq!(asks(&mut session), [Ask::HangUp, Ask::Dial(address(3))]);
    assert_eq!(outcomes(&mut session), [], "the session goes on: nobody is told");
    // The id of a read-only server means nothing elsewhere.
    assert_eq!(handshake(&mut session, 602, 4).session_id, 0);
}

#[test]
fn a_round_without_success_waits_and_looks_names_up_again() {
    let mut session = opened(Config { timeout_ms: 6000, ..Config::default() }, &[1, 2]);
    session.on_disconnected(1);
    assert_eq!(asks(&mut session), [Ask::Resolve, Ask::Dial(address(2))]);
    session.on_disconnected(2);
    assert_eq!(asks(&mut session), [], "a look-up is under way already");
    let due_ms = session.deadline_ms();
    assert!((102..=127).contains(&due_ms), "a sixtieth of the timeout: {due_ms}");
    session.on_addresses(3, vec![]);
    session.on_timer(due_ms);
    assert_eq!(asks(&mut session), [Ask::Resolve, Ask::Dial(address(1))]);
    // An attempt that hangs is given up like a connection that is silent.
    assert_eq!(session.deadline_ms(), due_ms + 4000);
    session.on_timer(due_ms + 4000);
    assert_eq!(asks(&mut session), [Ask::HangUp, Ask::Dial(address(2))]);
}

#[test]
fn another_list_moves_the_session_quietly() {
    let mut session = connected(Config::default());
    get(&mut session, 1, "/a", 1);
    sent(&mut session);
    session.look_up_again();
    assert_eq!(asks(&mut session), [Ask::Resolve]);
    session.on_addresses(2, vec![address(7)]);
    assert_eq!(asks(&mut session), [Ask::HangUp, Ask::Dial(address(7))]);
    let error = Error::ConnectionLoss { maybe_executed: true };
    assert_eq!(outcomes(&mut session), [Outcome::Failed { done: 1, error }]);
    assert_eq!(handshake(&mut session, 3, 5).session_id, 5);
}
