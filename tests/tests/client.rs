//! The client library against a real server: each call, watches, a lost connection.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use zk_tests::fixture::{self, Conn};
use zk_tests::server::Server;
use zk_wire::connect::ConnectResponse;
use zk_wire::{Acl, Code, Op};
use zkclient::calls::{AddWatchMode, Mode, WatcherType};
use zkclient::driver::Driver;
use zkclient::multi::{Outcome, Read, Write};
use zkclient::{Client, Error, Settings, State, WatchEvent, Watcher};

const LIMIT: Duration = Duration::from_secs(20);

fn settings(server: &Server) -> Settings {
    Settings { servers: server.address().to_string(), ..Settings::default() }
}

fn connect(server: &Server) -> Client {
    Client::connect(settings(server)).expect("a session")
}

/// A watcher, and where its events come out.
fn watcher() -> (Watcher, Receiver<WatchEvent>) {
    let (send, events) = std::sync::mpsc::channel();
    // Whoever no longer listens wants no events.
    (Watcher::new(move |event| drop(send.send(event.clone()))), events)
}

/// The next event of a znode; those of the session are left out.
fn node(events: &Receiver<WatchEvent>) -> (i32, String) {
    loop {
        match events.recv_timeout(LIMIT).expect("an event") {
            WatchEvent::Node { kind, path, .. } => return (kind, path),
            WatchEvent::Session(_) => {}
        }
    }
}

/// Waits for a state of the session.
fn until(events: &Receiver<WatchEvent>, state: State) {
    while events.recv_timeout(LIMIT).expect("an event") != WatchEvent::Session(state) {}
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.expect_err("an error").of_server().expect("the server's error")
}

#[test]
fn every_kind_of_create() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    assert_eq!(client.create1("/old", b"x", Mode::Persistent).unwrap(), "/old");
    for (mode, path, owner) in [
        (Mode::Persistent, "/p", false),
        (Mode::Ephemeral, "/e", true),
        (Mode::PersistentSequential, "/ps-0000000003", false),
        (Mode::EphemeralSequential, "/es-0000000004", true),
        (Mode::Container, "/c", false),
        (Mode::Ttl(60_000), "/t", false),
        (Mode::TtlSequential(60_000), "/ts-0000000007", false),
    ] {
        let asked = path.trim_end_matches(|c: char| c.is_ascii_digit());
        let (made, stat) = client.create(asked, b"data", mode).unwrap();
        assert_eq!((made.as_str(), stat.ephemeral_owner != 0), (path, owner), "{mode:?}");
    }
    let mut mine = client.ephemerals("/").unwrap();
    mine.sort();
    assert_eq!(mine, ["/e", "/es-0000000004"]);
    assert_eq!(client.all_children_number("/").unwrap(), 8 + 3);
    client.close().unwrap();
    let other = connect(&server);
    assert_eq!(code(other.exists("/e", false)), Code::NO_NODE);
}

#[test]
fn data_acls_and_children() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    client.create_with("/a", None, &Acl::open(), Mode::Persistent).unwrap();
    assert_eq!(client.get("/a", false).unwrap().0, None);
    assert_eq!(client.set("/a", Some(b"one"), 0).unwrap().version, 1);
    assert_eq!(code(client.set("/a", Some(b"two"), 0)), Code::BAD_VERSION);
    let (data, stat) = client.get("/a", false).unwrap();
    assert_eq!((data.as_deref(), stat), (Some(&b"one"[..]), client.exists("/a", false).unwrap()));
    client.create("/a/b", b"", Mode::Persistent).unwrap();
    assert_eq!(client.children("/a", false).unwrap(), ["b"]);
    assert_eq!(client.children2("/a", false).unwrap().1.num_children, 1);
    assert_eq!(code(client.delete("/a", -1)), Code::NOT_EMPTY);
    client.auth("digest", b"ann:pw").unwrap();
    client.set_acl("/a/b", &[Acl::new(31, "auth", "")], 0).unwrap();
    assert_eq!(client.get_acl("/a/b").unwrap().0[0].id.scheme(), "digest");
    let mut who = client.who_am_i().unwrap();
    who.sort();
    assert_eq!(who[0], ("digest".to_owned(), "ann".to_owned()));
    client.sync("/a").unwrap();
    client.delete("/a/b", 0).unwrap();
    client.delete("/a", -1).unwrap();
}

#[test]
fn several_in_one() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    let acl = Acl::open();
    let create = |path| Write::Create { path, data: Some(b"x"), acl: &acl, mode: Mode::Persistent };
    let done = client
        .multi(&[create("/m"), Write::Set("/m", None, 0), Write::Check("/m", 1), create("/m/n")])
        .unwrap();
    assert!(matches!(&done[0], Outcome::Created(path, Some(_)) if path == "/m"), "{done:?}");
    assert!(matches!(done[1], Outcome::Set(stat) if stat.version == 1));
    assert_eq!(done[2], Outcome::Checked);
    let none = client.multi(&[Write::Delete("/m/n", -1), Write::Delete("/none", -1)]).unwrap();
    assert_eq!(none, [Outcome::Failed(Code::OK), Outcome::Failed(Code::NO_NODE)]);
    let read = client.multi_read(&[Read::Children("/m"), Read::Get("/none")]).unwrap();
    let expected = [Outcome::Children(vec!["n".to_owned()]), Outcome::Failed(Code::NO_NODE)];
    assert_eq!(read, expected);
}

#[test]
fn watches_are_told() {
    let Some(server) = fixture::server() else { return };
    let (client, writer) = (connect(&server), connect(&server));
    let (once, told_once) = watcher();
    let (subtree, told_all) = watcher();
    assert_eq!(code(client.exists_w("/w", once.clone())), Code::NO_NODE);
    client.watch("/w", AddWatchMode::PersistentRecursive, subtree.clone()).unwrap();
    client.check_watches("/w", WatcherType::PersistentRecursive).unwrap();
    writer.create("/w", b"", Mode::Persistent).unwrap();
    writer.create("/w/x", b"", Mode::Persistent).unwrap();
    assert_eq!([node(&told_all), node(&told_all)], [(1, "/w".into()), (1, "/w/x".into())]);
    assert_eq!(node(&told_once), (1, "/w".into()));
    assert_eq!(client.children_w("/w", once.clone()).unwrap(), ["x"]);
    client.get_w("/w/x", once).unwrap();
    writer.delete("/w/x", -1).unwrap();
    let mut both = [node(&told_once), node(&told_once)];
    both.sort();
    assert_eq!(both, [(2, "/w/x".into()), (4, "/w".into())]);
    assert_eq!(node(&told_all), (2, "/w/x".into()));
    client.unwatch("/w", AddWatchMode::PersistentRecursive, &subtree).unwrap();
    assert_eq!(code(client.check_watches("/w", WatcherType::Any)), Code::NO_WATCHER);
    let gone = client.unwatch("/w", AddWatchMode::PersistentRecursive, &subtree);
    assert_eq!(code(gone), Code::NO_WATCHER);
}

#[test]
fn paths_stand_below_the_chroot() {
    let Some(server) = fixture::server() else { return };
    let plain = connect(&server);
    plain.create("/root", b"", Mode::Persistent).unwrap();
    let servers = format!("{}/root", server.address());
    let client = Client::connect(Settings { servers, ..Settings::default() }).unwrap();
    let (own, told) = watcher();
    client.watch("/", AddWatchMode::PersistentRecursive, own).unwrap();
    let made = client.create("/a-", b"", Mode::EphemeralSequential).unwrap().0;
    assert_eq!(made, "/a-0000000000");
    assert_eq!(node(&told), (1, made.clone()));
    assert_eq!(client.ephemerals("/").unwrap(), [made.as_str()]);
    assert!(plain.exists(&format!("/root{made}"), false).is_ok());
    let acl = Acl::open();
    let write = Write::Create { path: "/b", data: None, acl: &acl, mode: Mode::Persistent };
    let done = client.multi(&[write, Write::Set("/", Some(b"x"), -1)]).unwrap();
    assert!(matches!(&done[0], Outcome::Created(path, _) if path == "/b"), "{done:?}");
    assert_eq!(plain.get("/root", false).unwrap().0.as_deref(), Some(&b"x"[..]));
    assert_eq!(client.children("/", false).unwrap().len(), 2);
    // A standalone server has no such znode, wherever it is looked for.
    assert_eq!(plain.get_config(false).is_ok(), client.get_config(false).is_ok());
}

#[test]
fn what_is_wrong_is_told_without_a_server() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    let sent = client.counters().requests;
    for path in ["", "a", "/a/", "//", "/a/../b", "/a\u{1}"] {
        let error = client.get(path, false).unwrap_err();
        assert!(matches!(error, Error::BadArgument { name: "path", .. }), "{path:?}: {error}");
        assert_eq!(error.code(), Code::BAD_ARGUMENTS);
    }
    assert_eq!(client.counters().requests, sent);
    let wrong = Client::open(Settings { servers: "".to_owned(), ..Settings::default() });
    assert!(matches!(wrong, Err(Error::BadArgument { name: "servers", .. })));
    let wrong = Client::open(Settings { session_timeout_ms: 0, ..settings(&server) });
    assert!(matches!(wrong, Err(Error::BadArgument { name: "session_timeout_ms", .. })));
}

#[test]
fn a_session_and_its_watches_go_on_after_the_server() {
    let Some(mut server) = fixture::server() else { return };
    let (own, states) = watcher();
    let client = Client::connect(Settings { watcher: Some(own), ..settings(&server) }).unwrap();
    client.create("/e", b"", Mode::Ephemeral).unwrap();
    client.auth("digest", b"ann:pw").unwrap();
    let (once, told) = watcher();
    client.get_w("/e", once.clone()).unwrap();
    client.watch("/", AddWatchMode::PersistentRecursive, once).unwrap();
    let identity = client.identity();
    until(&states, State::Connected);
    server.restart();
    until(&states, State::Connecting);
    until(&states, State::Connected);
    assert_eq!(client.identity().id, identity.id);
    assert_eq!(client.who_am_i().unwrap().len(), 2, "the identity was sent again");
    client.set("/e", Some(b"x"), -1).unwrap();
    assert_eq!(node(&told), (3, "/e".into()), "one event, one word, though two watches stand");
    client.create("/e2", b"", Mode::Ephemeral).unwrap();
    assert_eq!(node(&told), (1, "/e2".into()));
    client.close().unwrap();
    assert_eq!(client.sync("/"), Err(Error::Closing));
    assert_eq!(client.close(), Err(Error::Closing));
    let gone = Client::connect(Settings { identity, ..settings(&server) });
    assert_eq!(gone.err(), Some(Error::SessionExpired));
}

#[test]
fn an_idle_session_lives() {
    let Some(server) = fixture::server_with(|o| o.line("tickTime=200")) else { return };
    let client =
        Client::connect(Settings { session_timeout_ms: 1000, ..settings(&server) }).unwrap();
    client.create("/e", b"", Mode::Ephemeral).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    client.exists("/e", false).unwrap();
    assert_eq!(client.counters().connects, 1, "no connection was needed but the first");
}

#[test]
fn an_expired_session_is_made_anew_with_its_watches() {
    let Some(server) = fixture::server_with(|o| o.line("tickTime=200")) else { return };
    let (own, states) = watcher();
    let client = Client::connect(Settings {
        session_timeout_ms: 1000,
        recreate: true,
        watcher: Some(own),
        ..settings(&server)
    })
    .unwrap();
    let other = connect(&server);
    client.create("/e", b"", Mode::Ephemeral).unwrap();
    let (kept, told) = watcher();
    client.watch("/", AddWatchMode::PersistentRecursive, kept).unwrap();
    // Somebody else goes on with the session and ends it, as often as that is too slow.
    let identity = client.identity();
    let old = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 1000,
        session_id: identity.id,
        password: identity.password,
        read_only: Some(false),
    };
    while client.identity().id == identity.id {
        if let Some(mut thief) = Conn::reattach(server.address(), &old, 1000) {
            thief.send(Op::CLOSE_SESSION, &[]);
            while thief.receive_or_end().is_some() {}
        }
    }
    until(&states, State::Expired);
    until(&states, State::Connected);
    assert_eq!(code(client.exists("/e", false)), Code::NO_NODE);
    other.create("/new", b"", Mode::Persistent).unwrap();
    while node(&told) != (1, "/new".into()) {}
}

#[test]
fn a_server_that_says_nothing_costs_the_call_its_time() {
    let Some(server) = fixture::server() else { return };
    let client = Client::connect(Settings { call_timeout_ms: 300, ..settings(&server) }).unwrap();
    let (send, answers) = std::sync::mpsc::channel();
    server.signal("STOP");
    let error = client.sync("/").unwrap_err();
    assert_eq!(error, Error::Timeout { waited_ms: 300, maybe_executed: true });
    let call = zkclient::calls::sync("/");
    let ticket = client.start_with(call, None, 0, move |done| send.send(done).unwrap()).unwrap();
    assert_eq!(client.cancel(ticket), Ok(true));
    assert_eq!(answers.recv().unwrap(), Err(Error::Cancelled { maybe_executed: true }));
    assert_eq!(client.cancel(ticket), Ok(false));
    server.signal("CONT");
    client.sync("/").unwrap();
}

#[test]
fn callbacks_may_call_and_close_but_not_wait() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    let (send, seen) = std::sync::mpsc::channel();
    let inside = client.clone();
    let first = zkclient::calls::sync("/");
    client
        .start(first, move |done| {
            done.unwrap();
            assert_eq!(inside.sync("/"), Err(Error::InCallback));
            let again = inside.clone();
            let second = zkclient::calls::exists("/", false);
            inside
                .start(second, move |done| {
                    done.unwrap();
                    again.close().unwrap();
                    send.send(()).unwrap();
                })
                .unwrap();
        })
        .unwrap();
    seen.recv_timeout(LIMIT).unwrap();
    while client.state() != State::Closed {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Goal: each of many calls of many threads is answered once, to the one who asked.
#[test]
fn many_threads_share_a_session() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    client.create("/t", b"", Mode::Persistent).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let client = client.clone();
            scope.spawn(move || {
                let path = format!("/t/{thread}");
                client.create(&path, b"0", Mode::Persistent).unwrap();
                let (send, done) = std::sync::mpsc::channel();
                for round in 0..200 {
                    let data = format!("{thread}-{round}");
                    let send = send.clone();
                    let call = zkclient::calls::set(&path, Some(data.as_bytes()), -1);
                    client
                        .start(call, move |stat| send.send(stat.unwrap().version).unwrap())
                        .unwrap();
                    let read = client.get(&path, false).unwrap().0.unwrap();
                    assert_eq!(read, data.as_bytes(), "a session reads what it wrote");
                }
                let versions: Vec<i32> = done.iter().take(200).collect();
                assert_eq!(versions, (1..=200).collect::<Vec<_>>());
            });
        }
    });
    assert_eq!(client.outstanding(), 0);
}

#[test]
fn names_that_fail_are_passed_over() {
    let Some(server) = fixture::server() else { return };
    let port = server.address().port();
    let servers = format!("no-such-host.invalid:1,localhost:{port}");
    let client = Client::connect(Settings { servers, ..Settings::default() }).unwrap();
    client.sync("/").unwrap();
    assert_eq!(client.server().unwrap().port(), port);
    client.set_servers(&format!("127.0.0.1:{port}")).unwrap();
    client.sync("/").unwrap();
    let chroot = client.set_servers(&format!("127.0.0.1:{port}/x"));
    assert!(matches!(chroot, Err(Error::BadArgument { .. })));
}

#[test]
fn a_loop_of_the_callers_own_drives_a_session() {
    let Some(server) = fixture::server() else { return };
    let mut driver = Driver::open(settings(&server)).unwrap();
    let (send, seen) = std::sync::mpsc::channel();
    let acl = Acl::open();
    let call = zkclient::calls::create("/d", Some(b"x"), &acl, Mode::Persistent);
    driver.client().start(call, move |done| send.send(done).unwrap()).unwrap();
    assert_eq!(driver.client().sync("/"), Err(Error::InCallback), "nobody would turn the loop");
    let started = std::time::Instant::now();
    let made = loop {
        assert!(started.elapsed() < LIMIT);
        driver.process(50).unwrap();
        match seen.try_recv() {
            Ok(done) => break done.unwrap().0,
            Err(_) => assert!(driver.wait_ms().is_some() || driver.fd() >= 0),
        }
    };
    assert_eq!(made, "/d");
}
