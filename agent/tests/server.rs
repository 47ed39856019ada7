//! The loop with real sockets, around a core that only echoes: what the shell does by itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use zk_agent::admin::{ClientStatus, Facts, Status, View};
use zk_agent::audit::AuditLog;
use zk_agent::net::throttle::Throttle;
use zk_agent::net::{Clients, Listener};
use zk_agent::server::{Core, Disk, DiskReport, Parts, Reload, Server};
use zk_agent::settings::{self, Settings, Source};
use zk_agent::sys::clock;
use zk_agent::sys::signal::Signals;
use zk_agent::systemd::Systemd;
use zk_core::{ConnId, Effect, Effects, Event, Now};
use zk_wire::{Zxid, frame};

/// Says what it was told, and answers each frame by its first byte: `e` echoes it, `w` logs it and
/// answers when it is durable, `b` answers with as many MiB as the second byte says, `p` pauses
/// the client until somebody else sends `r`, `c` closes, `f` sends 1 MiB to client 0.
struct Echo {
    told: Sender<String>,
    waiting: Vec<(Zxid, ConnId)>,
    paused: Vec<ConnId>,
    logged: i64,
}

impl Echo {
    fn reply(effects: &mut Effects, conn: ConnId, body: &[u8]) {
        let start = frame::begin(&mut effects.bytes);
        effects.bytes.extend_from_slice(body);
        frame::end(&mut effects.bytes, start);
        effects.send(conn, start);
    }

    fn on_request(&mut self, conn: ConnId, request: &[u8], effects: &mut Effects) {
        match request.first() {
            Some(b'w') => {
                self.logged += 1;
                let (zxid, start) = (Zxid(self.logged), effects.bytes.len());
                effects.bytes.extend_from_slice(request);
                let txn = start..effects.bytes.len();
                effects.list.push(Effect::Append { zxid, txn });
                self.waiting.push((zxid, conn));
            }
            Some(b'b') => Echo::reply(effects, conn, &vec![7; usize::from(request[1]) << 20]),
            Some(b'f') => Echo::reply(effects, ConnId(0), &vec![7; 1 << 20]),
            Some(b'p') => {
                self.paused.push(conn);
                effects.list.push(Effect::Pause { conn });
            }
            Some(b'r') => {
                let resumed = self.paused.drain(..).map(|conn| Effect::Resume { conn });
                effects.list.extend(resumed);
            }
            Some(b'c') => {
                Echo::reply(effects, conn, b"bye");
                effects.list.push(Effect::Close { conn });
            }
            _ => Echo::reply(effects, conn, request),
        }
    }
}

impl Core for Echo {
    fn step(&mut self, _: Now, event: Event<'_>, effects: &mut Effects) {
        let line = match event {
            Event::ClientOpened { conn, peer } => format!("opened {} {peer}", conn.0),
            Event::ClientClosed { conn } => format!("closed {}", conn.0),
            Event::ClientOversized { conn, head } => {
                Echo::reply(effects, conn, b"oversized");
                format!("oversized {} {}", conn.0, head.len().min(8))
            }
            Event::ClientRequest { conn, frame } => {
                self.on_request(conn, frame, effects);
                format!("request {} {}", conn.0, frame.len())
            }
            Event::Durable { zxid } => {
                let done = self.waiting.iter().take_while(|(waits, _)| *waits <= zxid).count();
                for (_, conn) in self.waiting.drain(..done) {
                    Echo::reply(effects, conn, b"durable");
                }
                return;
            }
            _ => return,
        };
        let _ = self.told.send(line);
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn deadline(&self) -> i64 {
        i64::MAX
    }
}

impl View for Echo {
    fn status(&self) -> Status {
        Status { zxid: Zxid(0x1f), znodes: 5, ..Status::default() }
    }
    fn client(&self, _: ConnId) -> ClientStatus {
        ClientStatus::default()
    }
    fn sessions_by_expiry(&self) -> Vec<(i64, Vec<i64>)> {
        Vec::new()
    }
    fn local_sessions_by_expiry(&self) -> Option<Vec<(i64, Vec<i64>)>> {
        None
    }

    fn sessions(&self) -> Vec<(i64, i32)> {
        Vec::new()
    }

    fn ephemerals(&self) -> Vec<(i64, Vec<String>)> {
        Vec::new()
    }
    fn watches_by_session(&self) -> Vec<(i64, Vec<String>)> {
        Vec::new()
    }
    fn watches_by_path(&self) -> Vec<(String, Vec<i64>)> {
        Vec::new()
    }
    fn watch_summary(&self) -> (u64, u64, u64) {
        (0, 0, 0)
    }
    fn digests(&self) -> Vec<(Zxid, u64)> {
        Vec::new()
    }
    fn reset_status(&mut self) {}
    fn reset_clients(&mut self) {}
}

/// A disk that is done at once.
#[derive(Default)]
struct Memory {
    appended: Option<Zxid>,
    durable: Option<Zxid>,
}

impl Disk for Memory {
    fn append(&mut self, zxid: Zxid, _: &[u8]) {
        self.appended = Some(zxid);
    }
    fn submit(&mut self) {
        if let Some(zxid) = self.appended.take() {
            self.durable = Some(zxid);
        }
    }
    fn queued_bytes(&self) -> usize {
        0
    }
    fn next_report(&mut self) -> Option<DiskReport> {
        self.durable.take().map(DiskReport::Durable)
    }
    fn snapshot_begin(&mut self, _: Zxid, _: bool) {}
    fn snapshot_abandon(&mut self) {}
    fn save_epochs(&mut self, _: zk_core::Epochs) {}
    fn reload(&mut self, _: Option<Zxid>) {}
    fn save_cluster(&mut self, _: zk_core::Cluster) {}
    fn read_log(&mut self, _: zk_core::PeerId, _: Zxid, _: Zxid, _: usize) {}
    fn snapshot_piece(&mut self, _: &[u8], _: bool) {}
    fn snapshot_room(&self) -> usize {
        0
    }
    fn busy_ms(&self) -> i64 {
        0
    }
    fn sizes(&self) -> (u64, u64) {
        (1, 2)
    }
}

struct Running {
    address: SocketAddr,
    told: Receiver<String>,
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        // Somebody who connects ends the poll.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn settings(overrides: &[(&str, &str)]) -> Settings {
    let mut all = vec![("clientPort", "0"), ("dataDir", "/nonexistent")];
    all.extend_from_slice(overrides);
    let overrides = all.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    settings::load(&Source { overrides, ..Source::default() }).unwrap()
}

fn run(overrides: &[(&str, &str)]) -> Running {
    let settings = settings(overrides);
    let (told_to, told) = channel();
    let (stop, stopped) = channel();
    let listener = Listener::bind(settings.client_address, None).unwrap();
    let address = listener.address();
    let thread = std::thread::spawn(move || {
        let now = clock::now();
        let parts = Parts {
            core: Echo { told: told_to, waiting: Vec::new(), paused: Vec::new(), logged: 0 },
            disk: Memory::default(),
            poll: Poll::new().unwrap(),
            listener,
            peers: None,
            members: None,
            clients: Clients::new(settings.limits.clone(), 1000),
            signals: Signals::open().unwrap(),
            systemd: Systemd::absent(),
            audit: AuditLog::new(false),
            throttle: Throttle::new(settings.throttle.clone(), now.mono_ms),
            whitelist: settings.whitelist,
            facts: Facts::new(&settings, address, now),
            memory: zk_agent::memory::Watch::default(),
            reload: Reload { begin: Box::new(|| ()), done: channel().1 },
        };
        let mut server = Server::new(parts).unwrap();
        let mut events = Events::with_capacity(64);
        while stopped.try_recv().is_err() {
            server.turn(&mut events).unwrap();
        }
    });
    Running { address, told, stop, thread: Some(thread) }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A client whose handshake is done.
    fn client(&self) -> TcpStream {
        let mut stream = self.connect();
        send(&mut stream, b"hello");
        assert_eq!(receive(&mut stream), b"hello");
        stream
    }

    /// Waits until the core was told this.
    fn wait_for(&self, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            match self.told.recv_timeout(Duration::from_millis(100)) {
                Ok(line) if line.starts_with(wanted) => return,
                _ => {}
            }
        }
        panic!("the core was never told {wanted:?}");
    }
}

fn send(stream: &mut TcpStream, body: &[u8]) {
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes).unwrap();
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).unwrap();
    body
}

/// True when the other side has ended the connection, whether orderly or by a reset.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => e.kind() == ErrorKind::ConnectionReset,
    }
}

fn word(running: &Running, word: &[u8]) -> String {
    let mut stream = running.connect();
    stream.write_all(word).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn requests_are_answered_in_order_however_they_are_cut() {
    let running = run(&[]);
    let mut client = running.client();
    let mut bytes = Vec::new();
    for number in 0..5000u32 {
        bytes.extend_from_slice(&8u32.to_be_bytes());
        bytes.extend_from_slice(b"e...");
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    let mut writer = client.try_clone().unwrap();
    let thread = std::thread::spawn(move || {
        for piece in bytes.chunks(777) {
            writer.write_all(piece).unwrap();
        }
    });
    for number in 0..5000u32 {
        assert_eq!(receive(&mut client)[4..], number.to_be_bytes());
    }
    thread.join().unwrap();
}

#[test]
fn writes_are_answered_when_they_are_durable() {
    let running = run(&[]);
    let mut client = running.client();
    for _ in 0..10 {
        send(&mut client, b"w");
        send(&mut client, b"e");
    }
    let replies: Vec<Vec<u8>> = (0..20).map(|_| receive(&mut client)).collect();
    assert_eq!(replies.iter().filter(|reply| *reply == b"durable").count(), 10);
}

#[test]
fn the_core_hears_of_each_end_once_and_slots_are_used_again() {
    let running = run(&[]);
    drop(running.client());
    running.wait_for("opened 0 127.0.0.1");
    running.wait_for("closed 0");
    let mut client = running.client();
    running.wait_for("opened 0 ");
    send(&mut client, b"c");
    assert_eq!(receive(&mut client), b"bye");
    assert!(is_closed(&mut client));
    running.wait_for("closed 0");
}

#[test]
fn a_paused_client_waits_and_others_go_on() {
    let running = run(&[]);
    let (mut paused, mut other) = (running.client(), running.client());
    send(&mut paused, b"p");
    send(&mut paused, b"e later");
    running.wait_for("request 0 1");
    send(&mut other, b"e now");
    assert_eq!(receive(&mut other), b"e now");
    send(&mut other, b"r");
    assert_eq!(receive(&mut paused), b"e later");
}

#[test]
fn an_oversized_request_is_answered_and_the_session_goes_on() {
    let running = run(&[("jute.maxbuffer", "1000")]);
    let mut client = running.client();
    send(&mut client, &[7; 300_000]);
    assert_eq!(receive(&mut client), b"oversized");
    running.wait_for("oversized 0 8");
    send(&mut client, b"e");
    assert_eq!(receive(&mut client), b"e");
    client.write_all(&i32::MAX.to_be_bytes()).unwrap();
    assert!(is_closed(&mut client));
}

#[test]
fn a_large_request_comes_in_pieces() {
    let running = run(&[]);
    let mut client = running.client();
    let body = vec![b'e'; 0xf_ffff];
    let mut writer = client.try_clone().unwrap();
    let sent = body.clone();
    let thread = std::thread::spawn(move || send(&mut writer, &sent));
    assert_eq!(receive(&mut client), body);
    thread.join().unwrap();
    send(&mut client, b"e");
    assert_eq!(receive(&mut client), b"e");
}

/// Goal: a client that doesn't read costs bounded memory, and isn't served meanwhile.
/// Method: it asks for 40 MiB in 80 pieces; then it reads, and gets all of it.
#[test]
fn a_slow_reader_is_not_read_until_it_reads() {
    let running = run(&[]);
    let mut slow = running.client();
    for _ in 0..80 {
        send(&mut slow, b"b\x01");
    }
    running.wait_for("request 0 2");
    let mut other = running.client();
    let mntr = word(&running, b"srvr");
    assert!(mntr.contains("Received: "), "{mntr}");
    send(&mut other, b"e");
    assert_eq!(receive(&mut other), b"e");
    let served = running.told.try_iter().filter(|line| line.starts_with("request 0 2")).count();
    assert!(served < 40, "{served} replies of 1 MiB were made for nobody");
    for _ in 0..80 {
        assert_eq!(receive(&mut slow).len(), 1 << 20);
    }
}

/// Goal: a client that doesn't read what it never asked for is closed at a bound, and only it.
/// Method: another client makes the core send it 1 MiB a time.
#[test]
fn a_flood_of_events_closes_who_does_not_read() {
    let running = run(&[]);
    let mut victim = running.client();
    let mut other = running.client();
    for _ in 0..64 {
        send(&mut other, b"f");
    }
    running.wait_for("closed 0");
    send(&mut other, b"e");
    assert_eq!(receive(&mut other), b"e");
    let mut received = 0;
    while let Ok(count @ 1..) = victim.read(&mut [0; 65_536]) {
        received += count;
    }
    assert!(received < 40 << 20, "{received} bytes were queued or sent");
}

#[test]
fn words_are_answered_and_the_connection_ends() {
    let running = run(&[("4lw.commands.whitelist", "ruok, stmk, gtmk, mntr, stat, cons")]);
    assert_eq!(word(&running, b"ruok"), "imok");
    assert_eq!(word(&running, b"ruok\n"), "imok");
    let dump = word(&running, b"dump");
    assert_eq!(dump, "dump is not executed because it is not in the whitelist.\n");
    assert_eq!(word(&running, b"stmk\0\0\0\0\0\0\x01\x02"), "258");
    assert_eq!(word(&running, b"gtmk"), "258");
    let srvr = word(&running, b"srvr");
    assert!(srvr.contains("\nZxid: 0x1f\nMode: standalone\nNode count: 5\n"), "{srvr}");
    let stat = word(&running, b"stat");
    assert!(stat.contains("[0](queued=0,recved=1,sent=0)\n\nLatency"), "{stat}");
    assert!(word(&running, b"mntr").contains("zk_num_alive_connections\t1\n"));
    let telnet = word(&running, &[0xff, 0xf4, 0xff, 0xfd]);
    assert!(telnet.ends_with("is not in the whitelist.\n"), "{telnet}");
}

#[test]
fn too_many_connections_are_reset() {
    let running = run(&[("maxClientCnxns", "2")]);
    let clients = [running.client(), running.client()];
    let mut third = running.connect();
    assert!(is_closed(&mut third));
    drop(clients);
    running.wait_for("closed");
    running.wait_for("closed");
    drop(running.client());
}

#[test]
fn who_does_not_greet_in_time_is_closed() {
    let running = run(&[("nio.sessionlessCnxnTimeout", "200")]);
    let mut greeted = running.client();
    let mut silent = running.connect();
    silent.write_all(&[0, 0]).unwrap();
    assert!(is_closed(&mut silent));
    send(&mut greeted, b"e");
    assert_eq!(receive(&mut greeted), b"e");
}

#[test]
fn the_throttle_drops_handshakes() {
    let running = run(&[
        ("zookeeper.connection_throttle_tokens", "1"),
        ("zookeeper.connection_throttle_fill_time", "1000000"),
    ]);
    let _first = running.client();
    let mut second = running.connect();
    send(&mut second, b"hello");
    assert!(is_closed(&mut second));
}
