//! safe-to-stop: of each member, in the states that an ensemble can be in.

use zk_tests::ensemble::Ensemble;
use zk_tests::server::{Kind, Options, Server, free_address, free_addresses};
use zk_tests::tools::{self, Release};

use crate::{Ran, finish, server, spawn, until, zkctl};

/// Three servers whose configuration names where clients connect.
pub fn three(kind: Kind, lines: &[&str]) -> Option<Ensemble> {
    let places = free_addresses(9);
    let list: Vec<String> = places
        .chunks(3)
        .enumerate()
        .map(|(at, ports)| {
            let (client, quorum, election) = (ports[0], ports[1].port(), ports[2].port());
            format!("server.{}=127.0.0.1:{quorum}:{election}:participant;{client}", at + 1)
        })
        .collect();
    let start = |at: usize| {
        let mut options = Options::new(kind).line("initLimit=10").line("syncLimit=5");
        options.config.extend(list.iter().cloned());
        options.config.extend(lines.iter().map(|line| (*line).to_owned()));
        Server::spawn(options.file("myid", format!("{}\n", at + 1).into_bytes()), places[at * 3])
    };
    let servers: Result<Vec<Server>, String> = (0..3).map(start).collect();
    Some(Ensemble::of(tools::need(servers)?))
}

fn asked(server: &Server) -> Ran {
    zkctl(server.address(), &["safe-to-stop", "-o", "json"])
}

/// Goal: the answer is yes exactly while the others can do without the server, and no number of
/// followers that are down, stopped or frozen makes it a wrong yes.
fn one_after_the_other(kind: Kind) {
    let Some(mut ensemble) = three(kind, &[]) else { return };
    let leader = ensemble.wait_serving(3);
    for at in 0..3 {
        let server = &ensemble.servers[at];
        until("all of them are there", || asked(server).exit == 0);
        let ran = asked(server);
        assert!(ran.out.contains(&format!("\"safe\":true,\"id\":{},", at + 1)), "{ran:?}");
        assert!(ran.out.contains("2 of 3 voters stay\""), "{ran:?}");
    }
    let followers: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    // One that does not move any more cannot be counted on.
    ensemble.servers[followers[0]].signal("STOP");
    let words = ["safe-to-stop", "--timeout", "1"];
    for at in [leader, followers[1]] {
        let ran = zkctl(ensemble.address(at), &words);
        assert_eq!(ran.exit, 10, "{ran:?}");
        assert!(ran.error.contains("1 of 3 voters stay, which is no quorum"), "{ran:?}");
        assert!(ran.error.contains(&format!("; {} not reached", followers[0] + 1)), "{ran:?}");
    }
    // It is waited for.
    let address = ensemble.address(leader).to_string();
    let waits = spawn(&address, &["safe-to-stop", "--wait", "60", "--timeout", "1"]);
    ensemble.servers[followers[0]].signal("CONT");
    let ran = finish(waits);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""), "{ran:?}");
    ensemble.servers[followers[0]].kill();
    let ran = finish(spawn(&address, &["safe-to-stop", "--wait", "0.5"]));
    assert_eq!(ran.exit, 10, "{ran:?}");
    // The one that is down itself: by the word of another.
    let down = ensemble.address(followers[0]);
    assert_eq!(zkctl(down, &["safe-to-stop"]).exit, 7);
    let id = (followers[0] + 1).to_string();
    let both = format!("{down},{address}");
    let ran = finish(spawn(&both, &["safe-to-stop", "--id", &id]));
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""), "{ran:?}");
    // Without a quorum there is nothing to keep, and it is not said that there were.
    ensemble.servers[followers[1]].kill();
    let left = ensemble.address(leader);
    until("the last one has seen it", || zkctl(left, &["health"]).exit != 0);
    let ran = zkctl(left, &["safe-to-stop"]);
    assert_eq!(ran.exit, 10, "{ran:?}");
    assert!(ran.error.contains("it has no quorum"), "{ran:?}");
}

#[test]
fn members_of_ours() {
    one_after_the_other(Kind::Ours);
}

#[test]
fn members_of_apache_3_9() {
    one_after_the_other(Kind::Apache(Release::Apache39));
}

#[test]
fn members_of_apache_3_8() {
    one_after_the_other(Kind::Apache(Release::Debian38));
}

#[test]
fn a_standalone_server_keeps_nobody() {
    let Some(server) = server(Kind::Ours) else { return };
    let ran = zkctl(server.address(), &["safe-to-stop"]);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""), "{ran:?}");
    assert!(ran.out.contains("safe\ttrue\n") && ran.out.contains("standalone"), "{ran:?}");
    let gone = zkctl(free_address(), &["safe-to-stop"]);
    assert_eq!(gone.exit, 7, "{gone:?}");
    assert_eq!(zkctl(server.address(), &["safe-to-stop", "--wait", "-1"]).exit, 2);
}
