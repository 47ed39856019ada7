//! Real processes of an ensemble that is changed while clients write.

use zk_tests::fixture::Conn;
use zk_tests::reconfig::{Changing, Load};
use zk_tests::server::{Kind, Options, Server, free_addresses};
use zk_tests::tools::{self, Release};
use zk_tests::{record, words};
use zk_wire::{Code, Op, Stat};

const CONFIG: &str = "/zookeeper/config";

/// Goal: two servers join, the leader leaves, roles and ports change, while clients write: every
/// acknowledged write is there in the end, on every server, and the files of each server bring it
/// back into the same ensemble.
#[test]
fn an_ensemble_is_changed_under_load() {
    let Some(mut ensemble) = tools::need(Changing::start([Kind::Ours; 3], &[])) else { return };
    Conn::open(ensemble.address(1)).create("/load", 0);
    let load = Load::start((1..=3).map(|sid| ensemble.address(sid)).collect());

    ensemble.spawn_joiner(Kind::Ours, 4, "participant");
    ensemble.spawn_joiner(Kind::Ours, 5, "observer");
    ensemble.wait_until("following without a vote", |ensemble| {
        [4, 5].iter().all(|sid| ensemble.mode(*sid).as_deref() == Some("follower"))
    });
    let joining = [ensemble.line(4, "participant"), ensemble.line(5, "observer")];
    let text = ensemble.change(&joining, "", &[1, 2, 3, 4, 5]);
    assert!(text.contains(&ensemble.line(4, "participant")), "{text}");
    ensemble.wait_until("observing", |ensemble| ensemble.mode(5).as_deref() == Some("observer"));

    // The leader goes; the one that takes over need not be elected.
    let old = ensemble.leader().expect("it led a moment ago");
    let rest: Vec<i64> = (1..=5).filter(|sid| *sid != old).collect();
    load.set_addresses(rest.iter().map(|sid| ensemble.address(*sid)).collect());
    ensemble.change(&[], &old.to_string(), &rest);
    ensemble.wait_until("another leader", |ensemble| {
        ensemble.leader().is_some_and(|leader| leader != old)
    });
    ensemble.wait_until("a follower without a vote", |ensemble| {
        ensemble.mode(old).as_deref() == Some("follower")
    });
    ensemble.servers.remove(&old);

    // A voter and the observer swap their roles, and a follower moves all its ports.
    let leader = ensemble.leader().expect("it led a moment ago");
    let voter = *rest.iter().find(|sid| ![leader, 5].contains(sid)).expect("there are three");
    ensemble.change(&[ensemble.line(5, "participant")], "", &rest);
    let text = ensemble.change(&[ensemble.line(voter, "observer")], "", &rest);
    assert!(text.contains(&ensemble.line(voter, "observer")), "{text}");
    ensemble.wait_until("roles that are swapped", |ensemble| {
        ensemble.mode(voter).as_deref() == Some("observer")
            && ensemble.mode(5).is_some_and(|mode| mode != "observer")
    });
    ensemble.move_ports(voter, true, true);
    ensemble.change(&[ensemble.line(voter, "participant")], "", &rest);
    load.set_addresses(rest.iter().map(|sid| ensemble.address(*sid)).collect());
    // The leader moves its ports: it must not lead when they come into force.
    let old = ensemble.leader().expect("it led a moment ago");
    ensemble.move_ports(old, false, true);
    let text = ensemble.change(&[ensemble.line(old, "participant")], "", &rest);
    ensemble.wait_until("a leader in its place", |ensemble| {
        ensemble.leader().is_some_and(|leader| leader != old) && ensemble.mode(old).is_some()
    });

    let acknowledged = load.stop();
    assert!(acknowledged.len() > 20, "{} writes", acknowledged.len());
    holds(&ensemble, &rest, &acknowledged, &text);

    // Everyone comes back from the files that are there now.
    for sid in &rest {
        ensemble.servers.get_mut(sid).expect("it runs").respawn_as_left();
    }
    ensemble.wait_until("serving again", |ensemble| {
        rest.iter().all(|sid| ensemble.mode(*sid).is_some()) && ensemble.leader().is_some()
    });
    for sid in &rest {
        assert_eq!(ensemble.config(*sid).as_deref(), Some(text.as_str()), "server {sid}");
    }
}

/// Every one of these servers has all of the writes, and this configuration.
fn holds(ensemble: &Changing, rest: &[i64], acknowledged: &[String], text: &str) {
    for sid in rest {
        let mut conn = Conn::open(ensemble.address(*sid));
        conn.ok(Op::SYNC, &record::path("/load"));
        let there = conn.children("/load");
        for path in acknowledged {
            let name = path.rsplit('/').next().expect("a name").to_owned();
            assert!(there.binary_search(&name).is_ok(), "{path} is not on server {sid}");
        }
        let (data, stat) = conn.data(CONFIG);
        assert_eq!(data, Some(text.as_bytes().to_vec()), "server {sid}");
        assert_eq!(
            format!("{:x}", stat.mzxid),
            words::field(&text.replace('=', ":"), "version").unwrap()
        );
        assert_eq!(stat.version, -1);
    }
}

/// Requests, by name, what they ask for with the lines of servers 4 and 1, and what is answered.
fn table(ensemble: &Changing) -> Vec<(&'static str, Vec<u8>, Code)> {
    let asked = record::reconfigure;
    let four = ensemble.line(4, "participant");
    let bare = four.split(';').next().expect("a line").to_owned();
    let one = ensemble.line(1, "participant");
    let two = ensemble.line(2, "observer");
    let stranger = [4, 5, 6, 7, 8].map(|sid| ensemble.line(sid, "participant")).join(",");
    let unknown = format!("{one},{},nonsense=1", ensemble.line(2, "participant"));
    vec![
        ("version", asked(None, Some("3"), None, 12345), Code::BAD_VERSION),
        ("no client port", asked(Some(&bare), None, None, -1), Code::BAD_ARGUMENTS),
        ("no line", asked(Some("server.4"), None, None, -1), Code::BAD_ARGUMENTS),
        ("no id", asked(Some("server.x=a:1:2;3"), None, None, -1), Code::MARSHALLING_ERROR),
        ("no number", asked(None, Some("three"), None, -1), Code::MARSHALLING_ERROR),
        ("one voter", asked(None, Some("2,3"), None, -1), Code::BAD_ARGUMENTS),
        ("nobody there", asked(Some(&stranger), None, None, -1), Code::NEW_CONFIG_NO_QUORUM),
        ("empty list", asked(None, None, Some(""), -1), Code::BAD_ARGUMENTS),
        ("one of the list", asked(None, None, Some(&one), -1), Code::BAD_ARGUMENTS),
        ("with an observer", asked(None, None, Some(&format!("{one},{two}")), -1), {
            Code::MARSHALLING_ERROR
        }),
        ("unknown key", asked(None, None, Some(&unknown), -1), Code::BAD_ARGUMENTS),
        ("version first", asked(Some("server.4"), None, None, 12345), Code::BAD_VERSION),
    ]
}

fn answers(kind: Kind) -> Option<()> {
    let ensemble = tools::need(Changing::start([kind; 3], &[]))?;
    for sid in 1..=3 {
        for (name, body, expected) in table(&ensemble) {
            let code = ensemble.ask(sid, &body).map(|reply| reply.header.code);
            assert_eq!(code, Some(expected), "{name} through server {sid}");
        }
    }
    // What changes nothing is a change all the same, with a version of its own.
    let before = ensemble.config(1).expect("it serves");
    let reply = ensemble.ask(2, &record::reconfigure(None, None, None, -1)).expect("an answer");
    assert_eq!(reply.header.code, Code::OK);
    let mut reader = zk_wire::Reader::new(&reply.record);
    let text = String::from_utf8(reader.buffer("data").unwrap().unwrap().to_vec()).unwrap();
    let stat = Stat::decode(&mut reader).unwrap();
    assert_eq!(before.rsplit_once('\n').unwrap().0, text.rsplit_once('\n').unwrap().0);
    assert_eq!(text.rsplit_once('=').unwrap().1, format!("{:x}", reply.header.zxid.0));
    assert_eq!((stat.version, stat.mzxid), (-1, reply.header.zxid.0));
    assert_eq!(stat.data_length as usize, text.len());
    Some(())
}

/// Goal: each fault has its error, whichever server is asked, and a change shows what it made.
#[test]
fn faults_have_their_errors() {
    answers(Kind::Ours);
}

#[test]
fn faults_have_the_errors_of_apaches_servers() {
    answers(Kind::Apache(Release::Apache39));
}

#[test]
fn reconfig_needs_its_switch_and_permission() {
    let lines = ["skipACL=no"];
    let Some(ensemble) = tools::need(Changing::start([Kind::Ours; 3], &lines)) else { return };
    let asked = record::reconfigure(None, None, None, -1);
    let code = |ensemble: &Changing, sid, body: &[u8]| {
        ensemble.ask(sid, body).map(|reply| reply.header.code)
    };
    for sid in 1..=3 {
        assert_eq!(code(&ensemble, sid, &asked), Some(Code::NO_AUTH));
        // Permission is looked at last.
        let old = record::reconfigure(None, None, None, 7);
        assert_eq!(code(&ensemble, sid, &old), Some(Code::BAD_VERSION));
    }
    drop(ensemble);
    let lines = ["reconfigEnabled=false"];
    let Some(ensemble) = tools::need(Changing::start([Kind::Ours; 3], &lines)) else { return };
    assert_eq!(code(&ensemble, 1, &asked), Some(Code::RECONFIG_DISABLED));
    let text = ensemble.config(1).expect("it serves");
    assert!(text.ends_with("\nversion=0") && text.starts_with("server.1="), "{text}");
}

/// Goal: the whole list may be given; watchers of the znode hear of it; a second change has to wait;
/// each server keeps the files that Apache's servers keep.
#[test]
fn a_whole_list_is_seen_by_watchers_and_in_the_files() {
    let Some(mut ensemble) = tools::need(Changing::start([Kind::Ours; 3], &[])) else { return };
    let leader = ensemble.leader().expect("it led a moment ago");
    let other = if leader == 1 { 2 } else { 1 };
    let mut watcher = Conn::open(ensemble.address(other));
    watcher.ok(Op::GET_DATA, &record::path_watch(CONFIG, true));
    let mut conn = Conn::open(ensemble.address(leader));
    let list = [1, 2, 3].map(|sid| {
        let observer = sid != leader && sid != other;
        ensemble.line(sid, if observer { "observer" } else { "participant" })
    });
    conn.send(Op::RECONFIG, &record::reconfigure(None, None, Some(&list.join(",")), -1));
    conn.send(Op::RECONFIG, &record::reconfigure(None, None, None, -1));
    let (first, second) = (conn.receive(), conn.receive());
    assert_eq!(first.header.code, Code::OK);
    assert_eq!(second.header.code, Code::RECONFIG_IN_PROGRESS);
    let event = watcher.wait_event();
    assert_eq!((event.kind, event.path.as_str()), (3, CONFIG));
    assert_eq!(event.zxid, first.header.zxid.0);

    let version = first.header.zxid.0;
    let text = format!("{}\nversion={version:x}", list.join("\n"));
    for sid in 1..=3 {
        ensemble
            .wait_until("the same text", |ensemble| ensemble.config(sid).as_ref() == Some(&text));
        let home = ensemble.servers[&sid].home().to_owned();
        let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap_or_default();
        assert!(read("zoo.cfg.bak").contains(&ensemble.line(1, "participant")));
        let settings = read("zoo.cfg");
        let dynamic = format!("zoo.cfg.dynamic.{version:x}");
        assert!(
            settings.ends_with(&format!("dynamicConfigFile={}\n", home.join(&dynamic).display()))
        );
        assert!(!settings.contains("server.") && !settings.contains("clientPort="), "{settings}");
        assert_eq!(read(&dynamic), list.join("\n"));
        assert!(!home.join("zoo.cfg.dynamic.next").exists());
    }
}

#[test]
fn one_server_may_be_an_ensemble() {
    let options = Options::new(Kind::Ours).line("standaloneEnabled=false").line("initLimit=5");
    let options = options.line("syncLimit=5").line("reconfigEnabled=true").line("skipACL=yes");
    let places = free_addresses(2);
    let line = format!("127.0.0.1:{}:{}", places[0].port(), places[1].port());
    let options = options.line(&format!("server.1={line}")).file("myid", b"1".to_vec());
    let Some(server) = tools::need(Server::start(options)) else { return };
    let mut conn = Conn::open(server.address());
    let (data, _) = conn.data(CONFIG);
    let text = format!("server.1={line}:participant\nversion=100000000");
    assert_eq!(data, Some(text.into_bytes()));
    assert_eq!(conn.code(Op::RECONFIG, &record::reconfigure(None, Some("1"), None, -1)), {
        Code::BAD_ARGUMENTS
    });
    assert_eq!(conn.code(Op::RECONFIG, &record::reconfigure(None, None, None, -1)), Code::OK);
}

/// Two of the one kind and a leader of the other: servers of both join, a voter becomes an observer,
/// and the leader leaves.
fn mixed(followers: Kind, leader: Kind) {
    let started = Changing::start([followers, followers, leader], &[]);
    let Some(mut ensemble) = tools::need(started) else { return };
    assert_eq!(ensemble.leader(), Some(3), "of empty servers the last one leads");
    Conn::open(ensemble.address(1)).create("/load", 0);
    let load = Load::start((1..=3).map(|sid| ensemble.address(sid)).collect());
    ensemble.spawn_joiner(leader, 4, "participant");
    ensemble.spawn_joiner(followers, 5, "participant");
    ensemble.wait_until("following without a vote", |ensemble| {
        [4, 5].iter().all(|sid| ensemble.mode(*sid).as_deref() == Some("follower"))
    });
    let joining = [ensemble.line(4, "participant"), ensemble.line(5, "participant")];
    ensemble.change(&joining, "", &[1, 2, 3, 4, 5]);
    ensemble.change(&[ensemble.line(1, "observer")], "", &[1, 2, 3, 4, 5]);
    ensemble.wait_until("observing", |ensemble| ensemble.mode(1).as_deref() == Some("observer"));
    let rest = [1, 2, 4, 5];
    load.set_addresses(rest.map(|sid| ensemble.address(sid)).to_vec());
    let text = ensemble.change(&[], "3", &rest);
    ensemble.wait_until("another leader", |ensemble| {
        ensemble.leader().is_some_and(|leader| leader != 3)
    });
    let acknowledged = load.stop();
    for sid in rest {
        let mut conn = Conn::open(ensemble.address(sid));
        conn.ok(Op::SYNC, &record::path("/load"));
        let there = conn.children("/load");
        for path in &acknowledged {
            let name = path.rsplit('/').next().expect("a name").to_owned();
            assert!(there.binary_search(&name).is_ok(), "{path} is not on server {sid}");
        }
        assert_eq!(conn.data(CONFIG).0, Some(text.clone().into_bytes()), "server {sid}");
    }
}

#[test]
fn our_leader_changes_apaches_servers() {
    mixed(Kind::Apache(Release::Apache39), Kind::Ours);
}

#[test]
fn apaches_leader_changes_our_servers() {
    mixed(Kind::Ours, Kind::Apache(Release::Apache39));
}
