//! Group O: configuration and life cycle, as far as a standalone server has one.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use zk_tests::fixture::Conn;
use zk_tests::raw::{PATIENCE, framed, request};
use zk_tests::record;
use zk_tests::scratch::Scratch;
use zk_tests::server::{Kind, Options, command, free_address, wait_exit};
use zk_tests::tools;
use zk_tests::words::{ask, field};
use zk_wire::{Code, Op};

use crate::server;

/// Runs the server on a configuration that should not start; exit code and output.
fn refused(home: &Path, text: &str) -> Option<(i32, String)> {
    let config = home.join("zoo.cfg");
    std::fs::write(&config, text).expect("a file");
    let mut command = tools::need(command(&Options::new(Kind::from_env()), &config))?;
    let output = std::fs::File::create(home.join("output")).expect("a file");
    let errors = output.try_clone().expect("a file");
    command.current_dir(home).stdin(Stdio::null()).stdout(output).stderr(errors);
    let mut child = command.spawn().expect("the server runs");
    let status = wait_exit(&mut child, PATIENCE * 2);
    let _ = child.kill();
    let _ = child.wait();
    let output = std::fs::read_to_string(home.join("output")).expect("text");
    let status = status.unwrap_or_else(|| panic!("it started with:\n{text}\n{output}"));
    Some((status.code().expect("an exit code"), output))
}

/// O1: the sample file of every distribution starts a standalone server.
#[test]
fn the_sample_starts() {
    let server = server!(|options| {
        options
            .line("# The number of milliseconds of each tick")
            .line("tickTime=2000")
            .line("initLimit=10")
            .line("syncLimit=5")
            .line("#maxClientCnxns=60")
            .line("#autopurge.snapRetainCount=3")
    });
    assert!(ask(server.address(), "srvr").contains("Mode: standalone"));
    Conn::open(server.address()).create("/a", 0);
}

/// O3, O21: values that cannot be end the start: exit 2 of a genuine server, 78 (EX_CONFIG) of ours,
/// which names file, line and key.
#[test]
fn impossible_values_end_the_start() {
    let home = Scratch::new("config");
    let data = home.path().join("data");
    let port = free_address().port();
    let usual = format!("dataDir={}\nclientPort={port}\n", data.display());
    for (key, value) in [
        ("tickTime", "fast"),
        ("tickTime", "0"),
        ("clientPort", "x"),
        ("maxClientCnxns", "many"),
        ("reconfigEnabled", "maybe"),
        ("minSessionTimeout", "1s"),
    ] {
        let text = format!("{usual}{key}={value}\n");
        let Some((code, output)) = refused(home.path(), &text) else { return };
        match Kind::from_env().is_apache() {
            true => assert_eq!(code, 2, "{key}={value}: {output}"),
            false => {
                assert_eq!(code, 78, "{key}={value}: {output}");
                assert!(output.contains("zoo.cfg:3") && output.contains(key), "{output}");
            }
        }
    }
    let text = format!("{usual}minSessionTimeout=9000\nmaxSessionTimeout=8000\n");
    let Some((code, output)) = refused(home.path(), &text) else { return };
    assert_ne!(code, 0, "{output}");
}

/// O2, a difference on purpose: a genuine server takes a misspelt key in silence, ours refuses it
/// with file and line and the key that was meant.
#[test]
fn misspelt_keys() {
    if Kind::from_env().is_apache() {
        let server = server!(|options| options.line("tickTim=1000"));
        return Conn::open(server.address()).create("/a", 0).clear();
    }
    let home = Scratch::new("config");
    let data = home.path().join("data");
    let port = free_address().port();
    let text = format!("dataDir={}\nclientPort={port}\ntickTim=1000\n", data.display());
    let Some((code, output)) = refused(home.path(), &text) else { return };
    assert_eq!(code, 78, "{output}");
    assert!(output.contains("zoo.cfg:3") && output.contains("tickTime"), "{output}");
}

/// O4: the file is a Java properties file.
#[test]
fn the_file_is_a_properties_file() {
    let server = server!(|options| {
        options
            .line("! a comment")
            .line("   tickTime : 3000  ")
            .line("minSessionTimeout 7\\")
            .line("   000")
            .line("maxSessionT\\u0069meout=9000")
            .line("maxClientCnxns=7")
            .line("maxClientCnxns=9")
    });
    let conf = ask(server.address(), "conf");
    let value = |key| field(&conf, key).expect("a value");
    assert_eq!(value("tickTime"), "3000");
    assert_eq!((value("minSessionTimeout"), value("maxSessionTimeout")), ("7000", "9000"));
    assert_eq!(value("maxClientCnxns"), "9");
}

/// O15, O21: a data directory that must not be made and is not there ends the start.
#[test]
fn directories_are_made_only_where_that_is_allowed() {
    let home = Scratch::new("config");
    let text = format!(
        "dataDir={}\nclientPort={}\ndatadir.autocreate=false\nadmin.enableServer=false\n",
        home.path().join("none").display(),
        free_address().port()
    );
    let Some((code, output)) = refused(home.path(), &text) else { return };
    match Kind::from_env().is_apache() {
        true => assert_eq!(code, 3, "{output}"),
        false => assert_ne!(code, 0, "{output}"),
    }
    assert!(!home.path().join("none").exists());
}

/// O12, O21: a port that is taken ends the start.
#[test]
fn a_port_that_is_taken_ends_the_start() {
    let taken = server!();
    let home = Scratch::new("config");
    let text = format!(
        "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
        home.path().join("data").display(),
        taken.address().port()
    );
    let Some((code, output)) = refused(home.path(), &text) else { return };
    assert_ne!(code, 0, "{output}");
    Conn::open(taken.address()).create("/alive", 0);
}

/// O13, O14: after many writes with small limits the directory holds snapshots, and not all of the
/// log.
#[test]
fn snapshots_are_taken_and_old_ones_go() {
    let mut server = server!(|options| {
        options
            .line("snapCount=200")
            .line("autopurge.snapRetainCount=3")
            .line("autopurge.purgeInterval=1")
    });
    let mut conn = Conn::open(server.address());
    conn.create("/n", 0);
    for _ in 0..2500 {
        conn.send(Op::SET_DATA, &record::set_data("/n", Some(&[7; 200]), -1));
    }
    for _ in 0..2500 {
        assert_eq!(conn.receive().header.code, Code::OK);
    }
    let count = |server: &zk_tests::server::Server| {
        let mut names = Vec::new();
        let mut folders = vec![server.home().join("data")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    names.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        names.iter().filter(|name| name.contains("snap")).count()
    };
    let deadline = Instant::now() + PATIENCE;
    while count(&server) < 2 {
        assert!(Instant::now() < deadline, "no snapshots were taken");
        std::thread::sleep(Duration::from_millis(50));
    }
    if !server.kind().is_apache() {
        // Retention is on by default: three and the one under way.
        let deadline = Instant::now() + PATIENCE;
        while count(&server) > 4 {
            assert!(Instant::now() < deadline, "{} snapshots are kept", count(&server));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    server.restart();
    assert_eq!(Conn::open(server.address()).stat("/n").version, 2500);
}

/// O23: a server that is asked to end does so within five seconds, and what it had acknowledged is
/// there afterwards.
#[test]
fn an_asked_for_end_loses_nothing() {
    let mut server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/n", 0);
    let mut bytes = Vec::new();
    for xid in 1..=2000 {
        let record = record::set_data("/n", Some(b"x"), -1);
        bytes.extend_from_slice(&framed(&request(xid, Op::SET_DATA, &record)));
    }
    conn.raw.send(&bytes);
    for _ in 0..300 {
        assert_eq!(conn.receive().header.code, Code::OK);
    }
    let status = server.terminate(Duration::from_secs(5));
    assert!(server.kind().is_apache() || status.success(), "{status}\n{}", server.output());
    let mut acknowledged = 300;
    while conn.receive_or_end().is_some_and(|reply| reply.header.code == Code::OK) {
        acknowledged += 1;
    }
    server.restart();
    let version = Conn::open(server.address()).stat("/n").version;
    assert!(version >= acknowledged, "{acknowledged} acknowledged, {version} there");
}
