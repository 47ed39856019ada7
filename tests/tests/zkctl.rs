//! The command line against a real server: what it prints and how it ends.

use std::process::Command;

use zk_tests::fixture;
use zk_tests::server::{Server, built, free_address};

/// Exit code, standard output and standard error of a call.
fn zkctl(address: std::net::SocketAddr, words: &[&str]) -> (i32, String, String) {
    let path = built("zkctl").expect("zkctl is part of the workspace");
    let mut command = Command::new(path);
    let output = command.arg("-s").arg(address.to_string()).args(words).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

fn good(server: &Server, words: &[&str]) -> String {
    let (exit, out, error) = zkctl(server.address(), words);
    assert_eq!((exit, error.as_str()), (0, ""), "{words:?}");
    out
}

#[test]
fn znodes_come_and_go() {
    let Some(server) = fixture::server() else { return };
    assert_eq!(good(&server, &["create", "/a", "data"]), "/a\n");
    assert_eq!(good(&server, &["create", "/a/s-", "-q"]), "/a/s-0000000000\n");
    assert_eq!(good(&server, &["create", "/a/t", "-t", "60000"]), "/a/t\n");
    assert_eq!(good(&server, &["get", "/a"]), "data\n");
    assert!(good(&server, &["set", "/a", "more", "-v", "0"]).contains("version 1\n"));
    assert_eq!(good(&server, &["ls", "/a"]), "s-0000000000\nt\n");
    assert_eq!(good(&server, &["--output", "json", "ls", "/a"]), "[\"s-0000000000\",\"t\"]\n");
    let json = good(&server, &["--output", "json", "get", "/a"]);
    assert!(json.starts_with("{\"data\":\"more\",\"stat\":{\"czxid\":"), "{json}");
    assert!(good(&server, &["stat", "/a"]).contains("numChildren 2\n"));
    assert_eq!(good(&server, &["rm", "-R", "/a"]), "");
    assert_eq!(
        good(&server, &["ls", "-R", "/"]),
        "/zookeeper\n/zookeeper/config\n/zookeeper/quota\n"
    );
}

#[test]
fn exit_codes_say_what_happened() {
    let Some(server) = fixture::server() else { return };
    good(&server, &["create", "/a"]);
    for (words, exit) in [
        (&["get", "/none"][..], 3),
        (&["create", "/a"], 4),
        (&["set", "/a", "x", "-v", "7"], 5),
        (&["set", "/zookeeper/config", "x"], 6),
        (&["get", "relative"], 2),
        (&["create", "relative"], 2),
        (&["fly", "/a"], 2),
        (&["--timeout", "1", "wait", "/none"], 8),
    ] {
        let (code, out, error) = zkctl(server.address(), words);
        assert_eq!((code, out.as_str()), (exit, ""), "{words:?}: {error}");
        assert!(error.starts_with("zkctl: "), "{error}");
    }
    assert_eq!(zkctl(free_address(), &["ls", "/"]).0, 7);
    assert_eq!(zkctl(free_address(), &["srvr"]).0, 7);
}

#[test]
fn the_server_speaks_of_itself() {
    let Some(server) = fixture::server() else { return };
    assert!(good(&server, &["srvr"]).contains("Mode: standalone\n"));
    assert!(good(&server, &["--output", "json", "srvr"]).contains("\"Mode\":\"standalone\""));
}

#[test]
fn waiting_ends_when_it_happens() {
    let Some(server) = fixture::server() else { return };
    let address = server.address();
    std::thread::scope(|scope| {
        let waits = scope.spawn(move || zkctl(address, &["wait", "/later"]));
        good(&server, &["create", "/later"]);
        assert_eq!(waits.join().expect("it ends").0, 0);
        let waits = scope.spawn(move || zkctl(address, &["wait", "/later", "--gone"]));
        good(&server, &["rm", "/later"]);
        assert_eq!(waits.join().expect("it ends").0, 0);
    });
}
