//! What happens: watch and wait.

use std::io::{BufRead, BufReader};

use zk_tests::server::{Kind, Server};

use crate::{bad, ended, good, server, signal, spawn};

pub fn check(server: &Server) {
    let address = server.address().to_string();
    good(server, &["create", "/w"]);
    // The first line that it prints is of a znode that we create until it does.
    let mut child = spawn(&address, &["watch", "/w", "--data", "--count", "4", "-o", "json"]);
    let mut lines = BufReader::new(child.stdout.take().expect("it was piped"));
    let (told, first) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        let mut line = String::new();
        while lines.read_line(&mut line).expect("text") > 0 {
            let _ = told.send(());
            all.push(std::mem::take(&mut line));
        }
        all
    });
    let mut at = 0;
    while first.recv_timeout(std::time::Duration::from_millis(100)).is_err() {
        at += 1;
        good(server, &["create", &format!("/w/n{at}"), "x"]);
        assert!(at < 200, "nothing is told");
    }
    good(server, &["create", "/w/a", "one"]);
    good(server, &["set", "/w/a", "two"]);
    good(server, &["delete", "/w/a"]);
    good(server, &["create", "/w/end"]);
    assert_eq!(ended(child).exit, 0);
    let all = reader.join().expect("it reads");
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all[0].starts_with("{\"event\":\"created\",\"path\":\"/w/n"), "{all:?}");
    let rest = all.concat();
    assert!(rest.contains("\"path\":\"/w/a\",\"zxid\":"), "{rest}");

    // Nothing happens within the time.
    assert!(bad(server, 8, &["--timeout", "0.3", "watch", "/w", "-c", "1"]).contains("0 of 1"));
    assert_eq!(good(server, &["--timeout", "0.3", "watch", "/w"]), "");
    waits(server);
    good(server, &["rm", "-R", "-y", "/w"]);
}

fn waits(server: &Server) {
    let address = server.address().to_string();
    assert!(bad(server, 8, &["--timeout", "0.3", "wait", "/w/later"]).contains("/w/later"));
    let wait = |words: &[&str]| spawn(&address, &[&["--timeout", "60", "wait"], words].concat());
    let exists = wait(&["/w/later"]);
    let data = wait(&["/w/later", "--data", "done"]);
    let children = wait(&["/w/later", "--children", "2"]);
    good(server, &["create", "/w/later", "begun"]);
    assert_eq!(ended(exists).exit, 0);
    good(server, &["set", "/w/later", "done"]);
    assert_eq!(ended(data).exit, 0);
    good(server, &["create", "/w/later/1"]);
    good(server, &["create", "/w/later/2"]);
    assert_eq!(ended(children).exit, 0);
    let gone = wait(&["/w/later", "--gone"]);
    good(server, &["rm", "-R", "/w/later"]);
    assert_eq!(ended(gone).exit, 0);
}

#[test]
fn an_interrupt_ends_in_order() {
    let Some(server) = server(Kind::Ours) else { return };
    good(&server, &["create", "/w"]);
    let words = ["watch", "/w", "--exec", "echo $ZKCTL_EVENT $ZKCTL_PATH"];
    let mut child = spawn(&server.address().to_string(), &words);
    let mut lines = BufReader::new(child.stdout.take().expect("it was piped"));
    // Once it tells of one, it runs.
    let creating = std::thread::scope(|scope| {
        let server = &server;
        let first = scope.spawn(move || {
            let mut line = String::new();
            lines.read_line(&mut line).expect("text");
            let mut echoed = String::new();
            lines.read_line(&mut echoed).expect("text");
            (line, echoed, lines)
        });
        let mut at = 0;
        while !first.is_finished() {
            good(server, &["create", &format!("/w/{at}")]);
            at += 1;
        }
        first.join().expect("it reads")
    });
    assert!(creating.0.starts_with("created\t/w/"), "{:?}", (&creating.0, &creating.1));
    assert!(creating.1.starts_with("created /w/"), "{:?}", (&creating.0, &creating.1));
    signal(&child, "INT");
    let status = zk_tests::server::wait_exit(&mut child, crate::LIMIT).expect("it ends");
    assert_eq!(status.code(), Some(130));
}
