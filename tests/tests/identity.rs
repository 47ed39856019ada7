//! Whose data a directory holds, which server is which, and where servers find each other.

use std::net::SocketAddr;
use std::path::Path;

use zk_tests::ensemble::{Ensemble, compare};
use zk_tests::fixture::Conn;
use zk_tests::server::{Kind, Options, Server, free_addresses};
use zk_tests::tools;

const VOTER: (Kind, &str) = (Kind::Ours, "participant");

fn agreed(ensemble: &mut Ensemble) -> String {
    let id = |server: &Server| {
        let output = server.output();
        let line = output.lines().find_map(|line| line.split_once("ensemble: id="));
        line.map(|(_, id)| id.trim().to_owned())
    };
    ensemble.wait_until("agreeing on an id", |all| all.servers.iter().all(|s| id(s).is_some()));
    let ids: Vec<Option<String>> = ensemble.servers.iter().map(id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    ids.into_iter().flatten().next().expect("looked at just now")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a test may write");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a file");
    }
}

/// Goal: a member that is started on the data of another ensemble is refused, both sides name the
/// two ids and the remedy, the others go on; once its directory is empty it joins.
#[test]
fn data_of_another_ensemble_is_refused() {
    let start = || tools::need(Ensemble::start(&[VOTER; 3], &[]));
    let (Some(mut ours), Some(mut theirs)) = (start(), start()) else { return };
    ours.wait_serving(3);
    theirs.wait_serving(3);
    let (our_id, their_id) = (agreed(&mut ours), agreed(&mut theirs));
    assert_ne!(our_id, their_id);
    let mut conn = Conn::open(theirs.address(0));
    for number in 0..20 {
        conn.create(&format!("/theirs{number}"), 0);
    }
    theirs.servers.iter_mut().for_each(Server::kill);
    ours.servers[2].kill();
    ours.wipe(2);
    copy(&theirs.data_dir(2).join("zk-agent"), &ours.data_dir(2).join("zk-agent"));
    let from: Vec<usize> = ours.servers.iter().map(|server| server.output().len()).collect();
    ours.respawn(2);
    let refused = |all: &Ensemble, at: usize| {
        let printed = all.printed(at, from[at]);
        let of = |line: &&str| line.contains(&our_id) && line.contains(&their_id);
        printed.lines().any(|line| of(&line) && line.contains("dataDir"))
    };
    ours.wait_until("being refused", |all| refused(all, 2) && (refused(all, 0) || refused(all, 1)));
    ours.wait_until("the others going on", |all| {
        (0..2).all(|at| all.mode(at).is_some()) && all.mode(2).is_none()
    });
    Conn::open(ours.address(0)).create("/ours", 0);
    ours.servers[2].kill();
    ours.wipe(2);
    ours.respawn(2);
    ours.wait_serving(3);
    compare::assert_equal_trees(&[0, 1, 2].map(|at| ours.address(at)));
    assert_eq!(agreed(&mut ours), our_id);
}

/// Goal: a member whose `myid` is not that with which its directory was used does not start, and
/// says which is which.
#[test]
fn another_myid_is_refused() {
    let Some(mut ensemble) = tools::need(Ensemble::start(&[VOTER; 3], &[])) else { return };
    ensemble.wait_serving(3);
    // The other one's ports are free, so that its line is no reason.
    ensemble.servers[1].kill();
    ensemble.servers[2].kill();
    std::fs::write(ensemble.data_dir(1).join("myid"), b"3\n").expect("a test may write");
    let from = ensemble.servers[1].output().len();
    ensemble.servers[1].respawn();
    let said = "this directory belongs to server 2, but myid says 3; set the right dataDir or myid";
    ensemble.wait_until("being refused", |all| all.printed(1, from).contains(said));
    ensemble.wait_until("the end of the process", |all| !all.servers[1].runs());
}

/// Members each of whose lines has several places, as this says of a server and its ports.
fn with_places(lines: &[&str], place: impl Fn(&[SocketAddr]) -> String) -> Option<Vec<Server>> {
    let places = free_addresses(15);
    let list: Vec<String> = places
        .chunks(5)
        .enumerate()
        .map(|(at, ports)| format!("server.{}={}", at + 1, place(&ports[1..])))
        .collect();
    let servers = (0..3).map(|at| {
        let mut options = Options::new(Kind::Ours).line("initLimit=10").line("syncLimit=5");
        options.config.extend(list.iter().cloned());
        options.config.extend(lines.iter().map(|line| (*line).to_owned()));
        let options = options.file("myid", format!("{}\n", at + 1).into_bytes());
        Server::spawn(options, places[at * 5])
    });
    tools::need(servers.collect())
}

/// Goal: members find each other over whichever address of a line works, when the first is a name that
/// is not there, and when there are two.
#[test]
fn any_address_of_a_line_will_do() {
    let all = ["multiAddress.enabled=true", "quorumListenOnAllIPs=true"];
    let named = with_places(&all, |ports| {
        let (quorum, election) = (ports[0].port(), ports[1].port());
        format!("no.such.host.invalid:{quorum}:{election}|127.0.0.1:{quorum}:{election}")
    });
    let several = with_places(&all[..1], |ports| {
        let ports: Vec<u16> = ports.iter().map(SocketAddr::port).collect();
        format!("127.0.0.2:{}:{}|127.0.0.1:{}:{}", ports[0], ports[1], ports[2], ports[3])
    });
    for servers in [named, several] {
        let Some(servers) = servers else { return };
        let mut ensemble = Ensemble::of(servers);
        ensemble.wait_serving(3);
        Conn::open(ensemble.address(0)).create("/a", 0);
        compare::assert_equal_trees(&[0, 1, 2].map(|at| ensemble.address(at)));
    }
}

/// Goal: a second process with the id of a member that serves is refused, both sides say so and what
/// to do, and nobody else feels it, the member's clients included; a member that was killed comes
/// back without being taken for one; when the member has gone, the other may have its place.
#[test]
fn a_second_process_with_one_id_is_refused() {
    let Some(mut ensemble) = tools::need(Ensemble::start(&[VOTER; 3], &[])) else { return };
    ensemble.wait_serving(3);
    let leader = ensemble.leader().expect("somebody leads");
    let member = (leader + 1) % 3;
    ensemble.servers[member].kill();
    ensemble.respawn(member);
    ensemble.wait_serving(3);
    let text = format!("two servers have the id {}", member + 1);
    assert!(!ensemble.output().contains(&text), "{}", ensemble.output());
    let mut conn = Conn::open(ensemble.address(member));
    let places = free_addresses(3);
    let mut options = Options::new(Kind::Ours).line("initLimit=10").line("syncLimit=5");
    let own = format!("server.{}=", member + 1);
    let config = std::fs::read_to_string(ensemble.servers[member].home().join("zoo.cfg"));
    for line in config.expect("its settings").lines().filter(|line| line.starts_with("server.")) {
        let (quorum, election) = (places[1].port(), places[2].port());
        options.config.push(match line.starts_with(&own) {
            true => format!("{own}127.0.0.1:{quorum}:{election}:participant"),
            false => line.to_owned(),
        });
    }
    let options = options.file("myid", format!("{}\n", member + 1).into_bytes());
    let twin = Server::spawn(options, places[0]).expect("ours is built");
    let says =
        |output: &str| output.lines().any(|line| line.contains(&text) && line.contains("myid"));
    ensemble.wait_until("the refusal", |all| {
        says(&twin.output()) && says(&all.servers[leader].output())
    });
    for number in 0..50 {
        conn.create(&format!("/n{number}"), 0);
    }
    assert_eq!(ensemble.leader(), Some(leader));
    assert!(!ensemble.printed(member, 0).contains("looking for a leader reason=\"the leader"));
    ensemble.servers[member].kill();
    ensemble.wait_until("the other in its place", |_| {
        zk_tests::ensemble::word(twin.address(), "srvr")
            .is_some_and(|said| said.contains("Mode: f"))
    });
}
