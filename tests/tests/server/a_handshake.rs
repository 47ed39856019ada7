//! Group A: framing and handshake.

use std::time::Duration;

use zk_tests::fixture::Conn;
use zk_tests::raw::{Raw, framed, new_session, request};
use zk_tests::record;
use zk_wire::connect::{ConnectRequest, ConnectResponse, session_password};
use zk_wire::{Code, Op};

use crate::server;

fn body(request: &ConnectRequest<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    request.encode(&mut body);
    body
}

/// A1, A2: frames of a length and a body, however the bytes are cut or joined.
#[test]
fn frames_may_come_in_pieces_and_in_one_piece() {
    let server = server!();
    let mut raw = Raw::open(server.address());
    for byte in framed(&body(&new_session(30_000))) {
        raw.send(&[byte]);
    }
    assert_eq!(raw.frame().expect("an answer").len(), 37);
    let mut two = framed(&request(5, Op::SYNC, &record::path("/x")));
    two.extend_from_slice(&framed(&request(6, Op::PING, &[])));
    raw.send(&two);
    let first = raw.frame().expect("the answer to sync");
    assert_eq!(first[..4], 5i32.to_be_bytes());
    assert_eq!(first[16..], *b"\0\0\0\x02/x");
    let second = raw.frame().expect("the answer to ping");
    assert_eq!((second.len(), &second[..4]), (16, &(-2i32).to_be_bytes()[..]));
}

/// A3: the largest frame is accepted. A genuine server closes at one byte more; ours answers with
/// an error and goes on (see `oversized` in the differences).
#[test]
fn the_largest_frame_is_accepted_and_one_byte_more_is_not() {
    const MAX: usize = 0xf_ffff;
    let server = server!();
    let mut conn = Conn::open(server.address());
    let fixed = 8 + record::create("/big", b"", 0).len();
    let data = vec![7; MAX - fixed];
    let fits = record::create("/big", &data, 0);
    assert_eq!(8 + fits.len(), MAX);
    assert_eq!(conn.code(Op::CREATE, &fits), Code::OK);
    let data = vec![7; MAX - fixed + 1];
    conn.send(Op::CREATE, &record::create("/bug", &data, 0));
    match server.kind().is_apache() {
        true => conn.raw.assert_closed(),
        false => {
            let reply = conn.receive();
            assert_eq!(reply.header.code, Code::CONNECTION_LOSS);
            assert_eq!(conn.code(Op::EXISTS, &record::path_watch("/bug", false)), Code::NO_NODE);
        }
    }
    let mut again = Conn::open(server.address());
    assert_eq!(again.stat("/big").data_length as usize, MAX - fixed);
}

/// A4: a negative length closes, before and after the handshake.
#[test]
fn a_negative_length_closes() {
    let server = server!();
    let mut raw = Raw::open(server.address());
    raw.send(&(-5i32).to_be_bytes());
    raw.assert_closed();
    let mut conn = Conn::open(server.address());
    conn.raw.send(&(-1i32).to_be_bytes());
    conn.raw.assert_closed();
}

/// A5, A6: with the read-only byte 45 bytes are answered with 37, without it 44 with 36.
#[test]
fn the_read_only_byte_is_echoed_only_when_it_was_sent() {
    let server = server!();
    for (read_only, sent, answered) in [(Some(false), 45, 37), (Some(true), 45, 37), (None, 44, 36)]
    {
        let mut raw = Raw::open(server.address());
        let body = body(&ConnectRequest { read_only, ..new_session(30_000) });
        assert_eq!(body.len(), sent);
        raw.send_frame(&body);
        let answer = raw.frame().expect("an answer");
        assert_eq!(answer.len(), answered);
        if answered == 37 {
            assert_eq!(answer[36], 0, "this server is not read-only");
        }
    }
}

/// A7, A8: a new session needs no password, and the protocol version is not looked at.
#[test]
fn a_null_password_and_any_version_will_do_for_a_new_session() {
    let server = server!();
    for version in [0, 7, -1] {
        let request =
            ConnectRequest { protocol_version: version, password: None, ..new_session(30_000) };
        let conn = Conn::with(server.address(), &request).expect("an answer");
        assert_eq!(conn.session.protocol_version, 0);
        assert_ne!(conn.session.session_id, 0);
    }
}

/// A9, A10: the timeout is clamped to 2 and 20 ticks; the settings win over the ticks.
#[test]
fn timeouts_are_clamped() {
    let server = server!();
    let granted = |address, wanted| {
        Conn::with(address, &new_session(wanted)).expect("an answer").session.timeout_ms
    };
    for (wanted, got) in [(1, 4000), (0, 4000), (-9, 4000), (5001, 5001), (600_000, 40_000)] {
        assert_eq!(granted(server.address(), wanted), got, "{wanted}");
    }
    let narrow = server!(|o| o.line("minSessionTimeout=1500").line("maxSessionTimeout=2500"));
    for (wanted, got) in [(1, 1500), (2000, 2000), (i32::MAX, 2500)] {
        assert_eq!(granted(narrow.address(), wanted), got, "{wanted}");
    }
}

/// A11: a client that has seen more than this server is closed without an answer.
#[test]
fn a_client_from_the_future_is_turned_away() {
    let server = server!();
    let zxid = Conn::open(server.address()).call(Op::PING, &[]).header.zxid.0;
    let with = |last_zxid_seen| ConnectRequest { last_zxid_seen, ..new_session(30_000) };
    assert!(Conn::with(server.address(), &with(zxid)).is_some());
    assert!(Conn::with(server.address(), &with(zxid + 1000)).is_none());
    assert!(Conn::with(server.address(), &with(i64::MAX)).is_none());
}

/// A12: the password is a function of the id, the one that Java's servers use.
#[test]
fn the_password_is_derived_from_the_id() {
    let server = server!();
    let conn = Conn::open(server.address());
    assert_eq!(conn.session.password, session_password(conn.session.session_id));
}

/// A13, A17: a reattach keeps the id and negotiates the timeout again.
#[test]
fn a_reattach_keeps_the_session() {
    let server = server!();
    let mut first = Conn::open(server.address());
    let ephemeral = first.create("/e", 1);
    let mut second = Conn::reattach(server.address(), &first.session, 6000).expect("an answer");
    assert_eq!(second.session.session_id, first.session.session_id);
    assert_eq!(second.session.password, first.session.password);
    assert_eq!((first.session.timeout_ms, second.session.timeout_ms), (30_000, 6000));
    assert_eq!(second.stat(&ephemeral).ephemeral_owner, first.session.session_id);
}

fn refused(response: &ConnectResponse) -> bool {
    response.session_id == 0 && response.timeout_ms == 0 && response.password == [0; 16]
}

/// A14, A15: a wrong password and an unknown id are answered with zeros, then the end. The byte of
/// the read-only question is echoed here too.
#[test]
fn what_cannot_be_reattached_is_refused() {
    let server = server!();
    let conn = Conn::open(server.address());
    let own = conn.session.session_id;
    let unknown = 0x0123_4567_89ab;
    for (id, password) in [(own, [9; 16]), (unknown, session_password(unknown)), (unknown, [0; 16])]
    {
        for read_only in [Some(false), None] {
            let request = ConnectRequest {
                session_id: id,
                password: Some(&password),
                read_only,
                ..new_session(30_000)
            };
            let mut conn = Conn::with(server.address(), &request).expect("an answer");
            assert!(refused(&conn.session), "{id:#x}: {:?}", conn.session);
            assert_eq!(conn.session.read_only, read_only);
            conn.raw.assert_closed();
        }
    }
}

/// A15: a session that was closed is refused.
#[test]
fn a_closed_session_is_refused() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.ok(Op::CLOSE_SESSION, &[]);
    let again = Conn::reattach(server.address(), &conn.session, 30_000).expect("an answer");
    assert!(refused(&again.session));
}

/// A16: the older connection of a session is closed by a reattach, by one with a wrong password
/// too.
#[test]
fn a_reattach_closes_the_older_connection() {
    let server = server!();
    let mut first = Conn::open(server.address());
    let mut second = Conn::reattach(server.address(), &first.session, 30_000).expect("an answer");
    first.raw.assert_closed();
    second.ok(Op::SYNC, &record::path("/"));
    let wrong = ConnectRequest {
        session_id: second.session.session_id,
        password: Some(&[1; 16]),
        ..new_session(30_000)
    };
    assert!(refused(&Conn::with(server.address(), &wrong).expect("an answer").session));
    second.raw.assert_closed();
    let mut third = Conn::reattach(server.address(), &second.session, 30_000).expect("an answer");
    third.ok(Op::SYNC, &record::path("/"));
}

/// A18: requests that came with the handshake are answered after it.
#[test]
fn requests_may_stand_right_behind_the_handshake() {
    let server = server!();
    let mut raw = Raw::open(server.address());
    let mut bytes = framed(&body(&new_session(30_000)));
    bytes.extend_from_slice(&framed(&request(1, Op::CREATE, &record::create("/p", b"", 0))));
    bytes.extend_from_slice(&framed(&request(-2, Op::PING, &[])));
    raw.send(&bytes);
    assert_eq!(raw.frame().expect("the handshake").len(), 37);
    assert_eq!(raw.frame().expect("the create")[16..], *b"\0\0\0\x02/p");
    assert_eq!(raw.frame().expect("the pong").len(), 16);
}

/// A20: a handshake that does not decode closes, whatever is missing.
#[test]
fn a_malformed_handshake_closes() {
    let server = server!();
    let whole = body(&ConnectRequest { read_only: None, ..new_session(30_000) });
    for kept in [0, 3, 11, 27, 29, 43] {
        let mut raw = Raw::open(server.address());
        raw.send_frame(&whole[..kept]);
        raw.assert_closed();
    }
}

/// A1: what a server sends is framed too: nothing stands between the frames, nothing behind them.
#[test]
fn nothing_comes_unasked() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.ok(Op::SYNC, &record::path("/"));
    assert!(conn.raw.frame_within(Duration::from_millis(200)).is_err(), "silence");
}
