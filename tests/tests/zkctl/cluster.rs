//! The servers: health, members, config, reconfig, sessions, words, top.

use zk_tests::server::{Kind, Options, Server, free_address};
use zk_tests::tools;

use crate::safe::three;
use crate::{bad, finish, good, server, spawn, zkctl};

pub fn check(server: &Server) {
    let health = good(server, &["health"]);
    let start = format!("{}\twell\tstandalone\t3.", server.address());
    assert!(health.starts_with(&start), "{health}");
    let json = good(server, &["health", "-o", "json"]);
    assert!(
        json.contains("\"health\":\"well\",\"mode\":\"standalone\",\"version\":\"3."),
        "{json}"
    );
    assert!(good(server, &["health", "-o", "table"]).starts_with("SERVER "));

    assert_eq!(good(server, &["word", "ruok"]), "imok\n");
    assert!(good(server, &["srvr"]).contains("Mode: standalone\n"));
    assert!(good(server, &["-o", "json", "srvr"]).contains("\"Mode\":\"standalone\""));
    assert!(good(server, &["word", "mntr"]).contains("zk_server_state\tstandalone\n"));

    // The shell's own session is there; standard input keeps it open meanwhile.
    let out = crate::good_fed(server, &["shell"], "ls /zookeeper\nsessions\n");
    let own = format!("\t{}\t30000\t0\t", server.address());
    assert!(out.lines().any(|line| line.starts_with("0x") && line.contains(&own)), "{out}");
    let out = crate::good_fed(server, &["shell"], "create -e /mine\nsessions -o json\n");
    let line = out.lines().nth(1).expect("a second line");
    assert!(line.contains("\"session\":\"0x") && line.contains("\"ephemerals\":1"), "{out}");
    assert!(line.contains(&format!("\"server\":\"{}\"", server.address())), "{line}");

    let ran = zkctl(server.address(), &["members"]);
    assert_eq!((ran.exit, ran.out.as_str()), (0, ""), "{ran:?}");
    assert!(ran.error.contains("is standalone"), "{ran:?}");
    assert_eq!(good(server, &["members", "-o", "json"]), "[]\n");
    assert_eq!(good(server, &["config"]), "\n");
    assert_eq!(good(server, &["config", "-o", "json"]), "{\"config\":\"\"}\n");
    assert!(good(server, &["config", "-s"]).contains("dataLength\t0\n"));
    assert!(bad(server, 1, &["reconfig", "--remove", "1"]).contains("reconfig"));
    bad(server, 2, &["reconfig"]);

    let top = good(server, &["top", "-c", "2", "-i", "0.1"]);
    assert_eq!(top.lines().count(), 2, "{top}");
    assert!(top.starts_with(&format!("{}\tstandalone\t-\t", server.address())), "{top}");
    let json = good(server, &["top", "-c", "1", "-o", "json"]);
    assert!(json.contains("\"outstanding\":0"), "{json}");
}

#[test]
fn a_server_that_is_not_well_is_named() {
    let gone = free_address();
    let ran = zkctl(gone, &["health"]);
    assert_eq!(ran.exit, 7, "{ran:?}");
    assert!(ran.out.starts_with(&format!("{gone}\tsick\t-\t")), "{ran:?}");
    assert!(ran.out.contains("not reached") && ran.error.contains("not well"), "{ran:?}");
    // One of a list.
    let Some(server) = server(Kind::Ours) else { return };
    let ran = finish(spawn(&format!("{},{gone}", server.address()), &["health"]));
    assert_eq!((ran.exit, ran.out.lines().count()), (7, 2), "{ran:?}");
}

#[test]
fn a_word_that_is_forbidden_is_remarked() {
    let options = Options::new(Kind::Ours).line("4lw.commands.whitelist=srvr");
    let Some(server) = tools::need(Server::start(options)) else { return };
    assert!(good(&server, &["health"]).contains("\twell\tstandalone\t"));
    assert!(good(&server, &["top", "-c", "1"]).contains("\tstandalone\t"));
    let ran = zkctl(server.address(), &["sessions"]);
    assert_eq!((ran.exit, ran.out.as_str()), (0, ""), "{ran:?}");
    assert!(ran.error.contains("4lw.commands.whitelist"), "{ran:?}");
    assert!(bad(&server, 1, &["word", "mntr"]).contains("4lw.commands.whitelist"));
}

#[test]
fn an_ensemble_is_seen_from_any_of_its_servers() {
    let Some(mut ensemble) = three(Kind::Ours, &["reconfigEnabled=true", "skipACL=yes"]) else {
        return;
    };
    ensemble.wait_serving(3);
    let (one, two) = (&ensemble.servers[0], &ensemble.servers[1]);
    let members = good(one, &["members"]);
    assert_eq!(members.lines().count(), 3, "{members}");
    assert_eq!(members.matches("\tfollower\n").count(), 2, "{members}");
    assert_eq!(members.matches("\tleader\n").count(), 1, "{members}");
    assert!(members.starts_with("1\tparticipant\t127.0.0.1:"), "{members}");
    let health = good(two, &["health", "--all"]);
    assert_eq!(health.matches("\twell\t").count(), 3, "{health}");
    let clients = good(two, &["config", "-c"]);
    assert_eq!(clients.matches("127.0.0.1:").count(), 3, "{clients}");
    let sessions = good(one, &["sessions", "--all", "-o", "json"]);
    assert!(sessions.contains("\"session\":\"0x"), "{sessions}");
    let top = good(one, &["top", "--all", "-c", "1"]);
    assert_eq!(top.lines().count(), 3, "{top}");
    assert!(good(one, &["sync", "/"]).is_empty());

    // A member leaves, by the name that zkCli has for the option.
    bad(two, 5, &["reconfig", "-remove", "1", "-v", "77"]);
    let config = good(two, &["reconfig", "-remove", "1"]);
    assert!(!config.contains("server.1=") && config.contains("server.2="), "{config}");
    assert_eq!(good(two, &["members"]).lines().count(), 2);

    // What is left of two is no quorum.
    ensemble.servers[2].kill();
    let two = &ensemble.servers[1];
    crate::until("it has seen that", || zkctl(two.address(), &["health"]).exit == 12);
    let ran = zkctl(two.address(), &["health"]);
    assert!(ran.out.contains("no quorum"), "{ran:?}");
}
