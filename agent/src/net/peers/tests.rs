//! Connections over loopback, as the loop drives them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as Plain};
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::*;
use crate::sys::clock;

/// Everything that happened to a connection, in order; bytes as their number.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Accepted(PeerId, Port),
    Connected(PeerId),
    Bytes(PeerId, usize),
    Drained(PeerId),
    Closed(PeerId),
}

struct Side {
    poll: Poll,
    peers: Peers,
    seen: Vec<Seen>,
    bytes: Vec<u8>,
    held: bool,
}

const ELECTION: Port = Port::Election;

impl Side {
    fn new(connect_ms: i64) -> Side {
        let settings = PeerSettings {
            election: vec![("127.0.0.1".to_owned(), 0)],
            quorum: vec![("localhost".to_owned(), 0)],
            listen_on_all: false,
            bind_attempts: Some(1),
            connect_timeout_ms: connect_ms,
            tcp_keepalive: true,
        };
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(2)).unwrap());
        let listeners = bind(&settings, &mut Passed::default()).unwrap();
        let peers = Peers::new(&settings, listeners, poll.registry(), waker).unwrap();
        Side { poll, peers, seen: Vec::new(), bytes: Vec::new(), held: false }
    }

    fn port(&self, port: Port) -> (String, u16) {
        let address = self.peers.addresses().find(|(other, _)| *other == port).unwrap().1;
        (address.ip().to_string(), address.port())
    }

    fn now(&self) -> i64 {
        clock::now().mono_ms
    }

    /// A turn as the loop has it.
    fn turn(&mut self) {
        let mut events = Events::with_capacity(64);
        let busy = self.peers.has_work(self.now(), self.held);
        let wait_ms = (self.peers.deadline_ms() - self.now()).clamp(0, if busy { 0 } else { 5 });
        self.poll.poll(&mut events, Some(Duration::from_millis(wait_ms as u64))).unwrap();
        for event in events.iter().filter(|event| event.token().0 >= TOKENS) {
            self.peers.on_event(event.token().0, event);
        }
        self.peers.begin_turn(clock::now().mono_ms);
        while let Some(news) = self.peers.next(self.held) {
            let seen = match news {
                News::Accepted(peer, port) => Seen::Accepted(peer, port),
                News::Connected(peer) => Seen::Connected(peer),
                News::Closed(peer) => Seen::Closed(peer),
                News::Bytes(peer, bytes) => {
                    assert!(bytes.len() <= BUFFER_BYTES && !bytes.is_empty());
                    self.bytes.extend_from_slice(bytes);
                    Seen::Bytes(peer, bytes.len())
                }
            };
            self.seen.push(seen);
        }
        self.peers.flush();
        while let Some(peer) = self.peers.pop_drained() {
            self.seen.push(Seen::Drained(peer));
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Side) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < deadline, "{what} did not happen: {:?}", self.seen);
            self.turn();
        }
    }

    fn dial(&mut self, number: u64, places: &[(String, u16)], port: Port) -> PeerId {
        let (peer, now_ms) = (PeerId(number), self.now());
        self.peers.dial(peer, places.to_vec(), port, now_ms);
        peer
    }

    fn saw(&self, wanted: &Seen) -> bool {
        self.seen.contains(wanted)
    }
}

/// Two sides, a connection from the first to the second, and its number at the second.
fn pair() -> (Side, Side, PeerId, PeerId) {
    let (mut here, mut there) = (Side::new(5000), Side::new(5000));
    let place = there.port(ELECTION);
    let peer = here.dial(2, &[place], ELECTION);
    here.until("connecting", |side| side.saw(&Seen::Connected(peer)));
    there.until("accepting", |side| !side.seen.is_empty());
    let accepted = PeerId(PeerId::ACCEPTED);
    assert_eq!(there.seen, [Seen::Accepted(accepted, ELECTION)]);
    (here, there, peer, accepted)
}

#[test]
fn tokens_and_numbers_are_one_to_one() {
    for number in [0, 1, 2, 77, PeerId::ACCEPTED, PeerId::ACCEPTED + 9] {
        let at = token_of(PeerId(number)).0 - TOKENS - LISTENERS_MAX;
        assert_eq!((at as u64).rotate_right(1), number);
        assert!(at < 1 << 20);
    }
}

/// Goal: bytes arrive whole and in order however slowly they are taken, and it is told once when
/// the last of them has left.
#[test]
fn many_bytes_leave_in_parts_and_are_drained_once() {
    let (mut here, mut there, peer, accepted) = pair();
    let sent: Vec<u8> = (0..9_000_000u32).map(|at| (at >> 3) as u8).collect();
    for piece in sent.chunks(70_001) {
        here.peers.send(peer, piece);
    }
    for _ in 0..3 {
        here.turn();
    }
    assert!(!here.saw(&Seen::Drained(peer)), "the kernel cannot have taken all of it");
    let deadline = Instant::now() + Duration::from_secs(20);
    while there.bytes.len() < sent.len() || !here.saw(&Seen::Drained(peer)) {
        assert!(Instant::now() < deadline, "{} bytes came", there.bytes.len());
        here.turn();
        there.turn();
    }
    assert!(there.bytes == sent, "the bytes that came are others");
    assert_eq!(here.seen, [Seen::Connected(peer), Seen::Drained(peer)]);
    there.peers.send(accepted, b"thanks");
    there.turn();
    here.until("the answer", |side| side.bytes == b"thanks");
}

#[test]
fn while_held_nobody_is_read_and_nothing_is_lost() {
    let (mut here, mut there, peer, accepted) = pair();
    there.held = true;
    here.peers.send(peer, b"later");
    here.until("sending", |side| side.saw(&Seen::Drained(peer)));
    for _ in 0..5 {
        there.turn();
    }
    assert_eq!(there.bytes, b"");
    assert!(!there.peers.has_work(there.now(), true), "the loop would spin");
    there.held = false;
    there.until("reading", |side| side.bytes == b"later");
    assert!(there.saw(&Seen::Bytes(accepted, 5)));
}

#[test]
fn a_dial_that_fails_is_closed_once() {
    let mut here = Side::new(5000);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let peer = here.dial(2, &[("127.0.0.1".to_owned(), free)], Port::Quorum);
    here.until("the end", |side| side.saw(&Seen::Closed(peer)));
    let nameless = here.dial(4, &[("no.such.host.invalid".to_owned(), 1)], Port::Quorum);
    here.until("the end", |side| side.saw(&Seen::Closed(nameless)));
    for _ in 0..5 {
        here.turn();
    }
    assert_eq!(here.seen, [Seen::Closed(peer), Seen::Closed(nameless)]);
    assert_eq!(here.peers.count(), 0);
}

#[test]
fn the_next_address_is_tried_and_names_are_looked_up() {
    let (mut here, there) = (Side::new(5000), Side::new(5000));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let places = [("127.0.0.1".to_owned(), free), ("localhost".to_owned(), there.port(ELECTION).1)];
    let peer = here.dial(2, &places, ELECTION);
    here.until("connecting", |side| side.saw(&Seen::Connected(peer)));
}

/// A place where nobody ever answers: its queue is full, so what comes is dropped.
fn void() -> (Listener, Vec<Plain>) {
    let silent = Listener::bind("127.0.0.1:0".parse().unwrap(), Some(1)).unwrap();
    let mut filling = Vec::new();
    let patience = Duration::from_millis(100);
    while let Ok(stream) = Plain::connect_timeout(&silent.address(), patience) {
        filling.push(stream);
        assert!(filling.len() < 1000, "the queue never fills");
    }
    (silent, filling)
}

/// Goal: addresses that do not answer, and names that are not there, hold nobody up who can be
/// reached over another one; whoever wins carries bytes both ways.
#[test]
fn the_first_address_that_answers_is_the_connection() {
    let (mut here, mut there) = (Side::new(20_000), Side::new(20_000));
    let (silent, _filling) = void();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut places = vec![("no.such.host.invalid".to_owned(), 1), ("127.0.0.1".to_owned(), free)];
    places.extend([("127.0.0.1".to_owned(), silent.address().port()), there.port(ELECTION)]);
    let began = Instant::now();
    let peer = here.dial(2, &places, ELECTION);
    here.until("connecting", |side| side.saw(&Seen::Connected(peer)));
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for who does not answer");
    let accepted = PeerId(PeerId::ACCEPTED);
    there.until("accepting", |side| side.saw(&Seen::Accepted(accepted, ELECTION)));
    here.peers.send(peer, b"over the last one");
    let deadline = Instant::now() + Duration::from_secs(10);
    while there.bytes != b"over the last one" {
        assert!(Instant::now() < deadline, "nothing comes");
        here.turn();
        there.turn();
    }
    assert_eq!(here.peers.count(), 1, "the other attempts are over");
}

/// Goal: who never answers costs the time to connect and no more.
#[test]
fn a_dial_into_the_void_ends_in_time() {
    let mut here = Side::new(300);
    let (silent, _filling) = void();
    let address = silent.address();
    let began = Instant::now();
    let peer = here.dial(2, &[("127.0.0.1".to_owned(), address.port())], ELECTION);
    here.until("the end", |side| side.saw(&Seen::Closed(peer)));
    let took = began.elapsed();
    assert!((280..3000).contains(&took.as_millis()), "{took:?}");
}

#[test]
fn a_close_flushes_what_was_sent_before_and_nothing_after() {
    let (mut here, mut there, peer, accepted) = pair();
    // What is unread must not turn the close into a reset, which takes the last bytes away.
    there.peers.send(accepted, b"unread");
    there.turn();
    here.peers.send(peer, &vec![7; 3_000_000]);
    let now_ms = here.now();
    here.peers.close(peer, now_ms);
    here.peers.send(peer, b"too late");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !(there.saw(&Seen::Closed(accepted)) && here.saw(&Seen::Closed(peer))) {
        assert!(Instant::now() < deadline, "{:?} {:?}", here.seen, there.seen);
        here.turn();
        there.turn();
    }
    assert_eq!(there.bytes.len(), 3_000_000);
    assert_eq!(here.seen, [Seen::Connected(peer), Seen::Closed(peer)]);
}

#[test]
fn a_close_does_not_wait_for_ever() {
    let (mut here, _there, peer, _) = pair();
    here.peers.send(peer, &vec![7; 20_000_000]);
    let now_ms = here.now();
    here.peers.close(peer, now_ms);
    let began = Instant::now();
    here.until("the end", |side| side.saw(&Seen::Closed(peer)));
    assert!(began.elapsed() < Duration::from_millis(FLUSH_MS as u64 + 2000));
    assert_eq!(here.peers.count(), 0);
}

#[test]
fn the_other_sides_end_is_told_behind_its_last_bytes() {
    let mut here = Side::new(5000);
    let place = here.port(Port::Quorum);
    let mut stranger = Plain::connect((place.0.as_str(), place.1)).unwrap();
    stranger.write_all(b"last words").unwrap();
    drop(stranger);
    let peer = PeerId(PeerId::ACCEPTED);
    here.until("the end", |side| side.saw(&Seen::Closed(peer)));
    let accepted = Seen::Accepted(peer, Port::Quorum);
    assert_eq!(here.seen, [accepted, Seen::Bytes(peer, 10), Seen::Closed(peer)]);
    assert_eq!(here.bytes, b"last words");
}

#[test]
fn too_many_strangers_are_reset_and_there_is_room_again() {
    let mut here = Side::new(5000);
    let place = here.port(ELECTION);
    let connect = || Plain::connect((place.0.as_str(), place.1)).unwrap();
    let mut strangers = Vec::new();
    for _ in 0..ACCEPTED_MAX {
        strangers.push(connect());
        here.turn();
    }
    here.until("accepting", |side| side.peers.count() == ACCEPTED_MAX);
    let mut refused = connect();
    refused.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    here.turn();
    assert!(matches!(refused.read(&mut [0; 8]), Err(e) if e.kind() == ErrorKind::ConnectionReset));
    strangers.pop();
    here.until("the end of one", |side| side.peers.count() < ACCEPTED_MAX);
    strangers.push(connect());
    here.until("another one", |side| side.peers.count() == ACCEPTED_MAX);
}

#[test]
fn who_connects_and_is_silent_is_closed() {
    let (here, mut there, _, accepted) = pair();
    let later_ms = there.now() + FIRST_BYTE_MS + 1;
    there.peers.begin_turn(later_ms);
    assert_eq!(there.peers.next(false), Some(News::Closed(accepted)));
    drop(here);
}

#[test]
fn an_endless_queue_is_cut() {
    let (mut here, _there, peer, _) = pair();
    let piece = vec![0; 32 << 20];
    for _ in 0..=OUTPUT_BYTES_MAX / piece.len() {
        here.peers.send(peer, &piece);
    }
    here.turn();
    assert_eq!(here.seen, [Seen::Connected(peer), Seen::Closed(peer)]);
}

#[test]
fn a_taken_port_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = PeerSettings {
        election: vec![("127.0.0.1".to_owned(), address.port())],
        quorum: Vec::new(),
        listen_on_all: false,
        bind_attempts: Some(1),
        connect_timeout_ms: 1,
        tcp_keepalive: false,
    };
    let error = bind(&settings, &mut Passed::default()).unwrap_err();
    let wanted = format!("cannot listen on the election port 127.0.0.1:{}", address.port());
    assert!(error.starts_with(&wanted), "{error}");
    assert!(error.contains("after 1 attempts") && error.contains("in use"), "{error}");
}

/// Goal: a port that moves to a name is looked up on a thread, and is there once that is known; one
/// whose name is nowhere is tried again and keeps nobody waiting, and a later wish takes its place.
#[test]
fn a_port_that_moves_waits_for_its_name_alone() {
    let mut here = Side::new(10_000);
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listens = |side: &Side, port: u16| side.peers.addresses().any(|(_, a)| a.port() == port);
    let (election, quorum) = (free(), free());
    let places = |host: &str, port| vec![(host.to_owned(), port)];
    here.peers.listen_at(&places("no.such.host.invalid", election), &places("localhost", quorum));
    let began = Instant::now();
    here.turn();
    assert!(began.elapsed() < Duration::from_secs(1), "the loop waits for the resolver");
    assert!(!listens(&here, quorum), "it is bound without a look at the name");
    here.until("listening at the name", |side| listens(side, quorum));
    here.peers.listen_at(&places("localhost", election), &places("127.0.0.1", quorum));
    here.until("listening at the other", |side| listens(side, election) && listens(side, quorum));
    let mut there = Side::new(10_000);
    let peer = there.dial(3, &places("127.0.0.1", quorum), Port::Quorum);
    there.until("reaching the place", |side| side.saw(&Seen::Connected(peer)));
}
