//! lock and elect.

use zk_tests::server::{Kind, Server};

use crate::{bad, ended, good, server, signal, spawn, until, zkctl};

pub fn check(server: &Server) {
    let address = server.address().to_string();
    let out = good(
        server,
        &["lock", "/l", "--", "sh", "-c", "echo $ZKCTL_LOCK; test $ZKCTL_TOKEN -gt 0"],
    );
    assert!(out.starts_with("/l/"), "{out}");
    let ran = zkctl(server.address(), &["lock", "/l", "--", "sh", "-c", "exit 7"]);
    assert_eq!((ran.exit, ran.error.as_str()), (7, ""));
    assert!(bad(server, 127, &["lock", "/l", "--", "/no/such/program"]).contains("/no/such"));

    // While one holds it, another waits, and gives up in its time.
    let holder = spawn(&address, &["lock", "/l", "--", "sleep", "60"]);
    let standing = || zkctl(server.address(), &["ls", "/l"]).out.lines().count();
    until("it is held", || standing() == 1);
    bad(server, 8, &["lock", "/l", "--try-once", "--", "true"]);
    bad(server, 8, &["--timeout", "0.3", "lock", "/l", "--", "true"]);
    let waiting = spawn(&address, &["lock", "/l", "--", "echo", "mine"]);
    until("another waits", || standing() == 2);
    signal(&holder, "TERM");
    assert_eq!(ended(holder).exit, 143, "the command was ended by SIGTERM");
    let ran = ended(waiting);
    assert_eq!((ran.exit, ran.out.as_str()), (0, "mine\n"), "{ran:?}");
    // A lock that nobody wants vanishes by itself.
    let left = zkctl(server.address(), &["ls", "/l"]);
    assert!(left.out.is_empty() && [0, 3].contains(&left.exit), "nobody holds it: {left:?}");

    let leader = spawn(&address, &["elect", "/e", "--value", "me", "--", "sleep", "60"]);
    until("somebody leads", || zkctl(server.address(), &["elect", "/e", "--who"]).exit == 0);
    assert_eq!(good(server, &["elect", "/e", "--who"]), "me\n");
    let json = good(server, &["elect", "/e", "--who", "-o", "json"]);
    assert!(json.starts_with("{\"leader\":\"me\",\"token\":"), "{json}");
    signal(&leader, "INT");
    assert_eq!(ended(leader).exit, 143);
    assert!(bad(server, 10, &["elect", "/e", "--who"]).contains("nobody leads"));
    zkctl(server.address(), &["rm", "-R", "/l"]);
    zkctl(server.address(), &["rm", "-R", "/e"]);
}

#[test]
fn a_lock_that_is_taken_away_ends_its_command() {
    let Some(server) = server(Kind::Ours) else { return };
    let holder = spawn(&server.address().to_string(), &["lock", "/l", "--", "sleep", "60"]);
    until("it is held", || zkctl(server.address(), &["ls", "/l"]).out.lines().count() == 1);
    let name = good(&server, &["ls", "/l"]);
    good(&server, &["delete", &format!("/l/{}", name.trim())]);
    let ran = ended(holder);
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.error.contains("the command was ended"), "{ran:?}");
}

#[test]
fn only_one_holds_a_lock_at_a_time() {
    let Some(server) = server(Kind::Ours) else { return };
    let home = zk_tests::scratch::Scratch::new("lock");
    let place = home.path().join("held").display().to_string();
    // Whoever finds the folder there already is not alone.
    let script = format!("mkdir {place} && sleep 0.05 && rmdir {place}");
    let words = ["lock", "/l", "--", "sh", "-c", &script];
    let all: Vec<_> = (0..8).map(|_| spawn(&server.address().to_string(), &words)).collect();
    for child in all {
        let ran = ended(child);
        assert_eq!((ran.exit, ran.error.as_str()), (0, ""), "{ran:?}");
    }
}
