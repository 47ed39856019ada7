//! The client library against a real server: each call, watches, a lost connection.

use zk_tests::fixture;
use zk_tests::server::Server;
use zk_wire::request::SetWatchesRequest;
use zk_wire::{Acl, Code};
use zkclient::calls::{AddWatchMode, Mode, WatcherType};
use zkclient::multi::{Outcome, Read, Write};
use zkclient::{Client, Error, Settings};

fn connect(server: &Server) -> Client {
    Client::connect(server.address(), Settings::default()).expect("a session")
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.expect_err("an error").code().expect("the server's error")
}

#[test]
fn every_kind_of_create() {
    let Some(server) = fixture::server() else { return };
    let mut client = connect(&server);
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
    let mut other = connect(&server);
    assert_eq!(code(other.exists("/e", false)), Code::NO_NODE);
}

#[test]
fn data_acls_and_children() {
    let Some(server) = fixture::server() else { return };
    let mut client = connect(&server);
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
    let mut client = connect(&server);
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
    let mut watcher = connect(&server);
    let mut writer = connect(&server);
    assert_eq!(code(watcher.exists("/w", true)), Code::NO_NODE);
    watcher.add_watch("/w", AddWatchMode::PersistentRecursive).unwrap();
    watcher.check_watches("/w", WatcherType::PersistentRecursive).unwrap();
    writer.create("/w", b"", Mode::Persistent).unwrap();
    writer.create("/w/x", b"", Mode::Persistent).unwrap();
    let seen: Vec<_> = (0..2)
        .map(|_| watcher.next_watch(20_000).unwrap().expect("an event"))
        .map(|watch| (watch.kind, watch.path))
        .collect();
    assert_eq!(seen, [(1, "/w".to_owned()), (1, "/w/x".to_owned())]);
    watcher.remove_watches("/w", WatcherType::Any).unwrap();
    assert_eq!(code(watcher.check_watches("/w", WatcherType::Any)), Code::NO_WATCHER);
    assert_eq!(watcher.next_watch(50).unwrap(), None);
}

#[test]
fn a_session_goes_on_after_the_server() {
    let Some(mut server) = fixture::server() else { return };
    let mut client = connect(&server);
    client.create("/e", b"", Mode::Ephemeral).unwrap();
    let identity = client.session().identity().clone();
    server.restart();
    assert!(client.sync("/").is_err(), "the connection is lost");
    let settings = Settings { identity: identity.clone(), ..Settings::default() };
    let mut again = Client::connect(server.address(), settings).unwrap();
    assert_eq!(again.session().identity().id, identity.id);
    assert_eq!(again.exists("/e", false).unwrap().ephemeral_owner, identity.id);
    let list = |path: &'static str| Some(vec![Some(path.into())]);
    let none = || Some(Vec::new());
    let lists = [list("/gone"), none(), none(), list("/e"), none()];
    again.set_watches(&SetWatchesRequest { relative_zxid: 0, lists }).unwrap();
    let told = again.next_watch(20_000).unwrap().expect("what was missed");
    assert_eq!((told.kind, told.path.as_str(), told.zxid.0), (2, "/gone", -1));
    again.close().unwrap();
    let settings = Settings { identity, ..Settings::default() };
    let refused = Client::connect(server.address(), settings);
    assert!(matches!(refused, Err(Error::SessionExpired)), "{refused:?}");
}

#[test]
fn waiting_for_watches_keeps_the_session() {
    let Some(server) = fixture::server_with(|o| o.line("tickTime=200")) else { return };
    let settings = Settings { session_timeout_ms: 1000, ..Settings::default() };
    let mut client = Client::connect(server.address(), settings).unwrap();
    client.create("/e", b"", Mode::Ephemeral).unwrap();
    assert_eq!(client.next_watch(3000).unwrap(), None);
    client.exists("/e", false).unwrap();
}
