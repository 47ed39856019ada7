//! The load generator: it measures, and cleans up.

use zk_tests::server::{Kind, Server};

use crate::{bad, ended, good, server, signal, spawn, until, zkctl};

pub fn check(server: &Server) {
    let before = good(server, &["ls", "-R", "/"]);
    let quick = ["-t", "0.4", "--warmup", "0.1", "-z", "20"];
    for kind in ["read", "write", "mixed", "create"] {
        let json = good(server, &[&["bench", kind, "-o", "json"], &quick[..]].concat());
        assert!(json.starts_with("{\"loop\":\"closed\",\"connections\":8,"), "{json}");
        assert!(json.contains("\"errors\":{}") && json.contains("\"p999_us\":"), "{json}");
        let op = if kind == "mixed" { "read" } else { kind };
        assert!(json.contains(&format!("{{\"op\":\"{op}\",\"answers\":")), "{json}");
    }
    let more = ["bench", "read", "-n", "4", "-d", "16", "--threads", "2"];
    let plain = good(server, &[&more[..], &quick[..]].concat());
    let fields: Vec<&str> = plain.trim().split('\t').collect();
    assert_eq!((fields[0], fields.len()), ("read", 8), "{plain}");
    assert!(fields[1].parse::<u64>().expect("a number") > 0, "{plain}");
    // An open loop sends as many as were asked for, not as many as go.
    let open = good(server, &[&["bench", "read", "-r", "500", "-o", "json"], &quick[..]].concat());
    assert!(open.starts_with("{\"loop\":\"open\"") && open.contains("\"unsent\":0"), "{open}");
    let answers: u64 = open
        .split("\"answers\":")
        .nth(1)
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .expect("a number");
    assert!((50..=260).contains(&answers), "0.4 s of 500 a second: {open}");
    assert_eq!(good(server, &["ls", "-R", "/"]), before, "it cleans up");
}

#[test]
fn an_interrupted_run_cleans_up() {
    let Some(server) = server(Kind::Ours) else { return };
    let child =
        spawn(&server.address().to_string(), &["bench", "create", "-t", "600", "--warmup", "0"]);
    until("it creates", || {
        let names = zkctl(server.address(), &["ls", "/"]).out;
        let own = names.lines().find(|name| name.starts_with("zkctl-bench-"));
        own.is_some_and(|name| {
            let path = format!("/{name}");
            zkctl(server.address(), &["wait", "--children", "50", "--timeout", "5", &path]).exit
                == 0
        })
    });
    signal(&child, "INT");
    let ran = ended(child);
    assert_eq!(ran.exit, 130, "{ran:?}");
    assert!(ran.out.starts_with("create\t"), "what was measured so far is told: {ran:?}");
    assert_eq!(good(&server, &["ls", "/"]), "zookeeper\n");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let Some(server) = server(Kind::Ours) else { return };
    for words in [
        &["bench", "fly"][..],
        &["bench", "read", "-n", "0"],
        &["bench", "read", "-r", "0"],
        &["bench", "read", "-t", "x"],
    ] {
        bad(&server, 2, words);
    }
    assert!(bad(&server, 3, &["bench", "--below", "/none"]).contains("/none"));
}

#[test]
fn a_rate_above_what_goes_is_told() {
    let Some(server) = server(Kind::Ours) else { return };
    let words = ["bench", "read", "-r", "5000000", "-n", "1", "-d", "1", "-t", "0.3", "-z", "10"];
    let ran = zkctl(server.address(), &words);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.error.contains("were due and never sent"), "{ran:?}");
    // What waits for its turn has the latency of that: p99 is above a ms though one answer is not.
    let p99: f64 = ran.out.split('\t').nth(5).and_then(|text| text.parse().ok()).expect("a number");
    assert!(p99 > 1000.0, "{ran:?}");
}
