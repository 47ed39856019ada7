//! The daemon as systemd and the journal meet it: passed sockets, a reload that is waited for, backups
//! while it runs, and a catalog that fits the code. tests/systemd/boot.sh has the same under a real
//! systemd.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use zk_agent::journal::events::EVENTS;
use zk_tests::fixture::Conn;
use zk_tests::scratch::Scratch;
use zk_tests::server::{Kind, Options, Server, free_address, our_binary, wait_exit};
use zk_tests::tools;
use zk_tests::words;

const PATIENCE: Duration = Duration::from_secs(20);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Ids of a catalog, each with its subject and its text.
fn catalog(name: &str) -> BTreeMap<u128, (String, String)> {
    let text = std::fs::read_to_string(root().join("systemd").join(name)).expect("a catalog");
    let mut entries = BTreeMap::new();
    for entry in text.split("\n-- ").skip(1) {
        let (id, rest) = entry.split_once('\n').expect("lines");
        let (head, body) = rest.split_once("\n\n").expect("an empty line behind the head");
        let subject = head.lines().find_map(|line| line.strip_prefix("Subject: "));
        assert!(head.contains("Defined-By: zk-agent"), "{name}: {id}");
        let id = u128::from_str_radix(id, 16).unwrap_or_else(|_| panic!("{name}: {id:?}"));
        let entry = (subject.expect("a subject").to_owned(), body.trim().to_owned());
        assert!(entries.insert(id, entry).is_none(), "{name}: {id:032x} twice");
    }
    entries
}

fn sources(dir: &Path, all: &mut String) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("events.rs") {
            all.push_str(&std::fs::read_to_string(&path).expect("text"));
        }
    }
}

/// Goal: an operator finds an explanation of every event in both languages, and none of an event that
/// is no more.
#[test]
fn events_and_catalogs_are_the_same() {
    let (english, chinese) = (catalog("zk-agent.catalog"), catalog("zk-agent.zh_CN.catalog"));
    let mut code = String::new();
    sources(&root().join("agent/src"), &mut code);
    sources(&root().join("agent/core/src"), &mut code);
    for (id, line) in EVENTS {
        for (name, catalog) in [("English", &english), ("Chinese", &chinese)] {
            let (subject, body) = catalog.get(id).unwrap_or_else(|| panic!("{line}: no {name}"));
            assert!(!subject.is_empty() && !body.is_empty(), "{line}: {name}");
        }
        assert!(code.contains(&format!("\"{line}")), "nobody logs {line:?}");
    }
    assert_eq!(english.len(), EVENTS.len(), "entries of the catalog and events of the code");
    assert_eq!(chinese.len(), EVENTS.len(), "entries of the catalog and events of the code");
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    assert!(chinese.values().all(|(subject, body)| is_chinese(subject) && is_chinese(body)));
}

/// A daemon with what systemd would give it; killed at the end.
struct Daemon {
    child: Child,
    home: Scratch,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_config(home: &Path, lines: &str) -> PathBuf {
    let path = home.join("zoo.cfg");
    let data = home.join("data").display().to_string();
    std::fs::write(&path, format!("dataDir={data}\n4lw.commands.whitelist=*\n{lines}\n"))
        .expect("a test may write");
    path
}

/// Starts it by a shell, which knows the process id that it will have. `passed`: descriptor 3, under
/// this name.
fn start(
    home: Scratch,
    lines: &str,
    passed: Option<(&str, OwnedFd)>,
    notify: Option<&Path>,
) -> Daemon {
    let config = write_config(home.path(), lines);
    let binary = our_binary().expect("the binary is built");
    let mut command = Command::new("sh");
    let script = match &passed {
        Some(_) => "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --config \"$1\"",
        None => "exec \"$0\" --config \"$1\"",
    };
    command.args(["-c", script]).arg(binary).arg(config);
    for name in ["NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("RUNTIME_DIRECTORY", home.path());
    if let Some(path) = notify {
        command.env("NOTIFY_SOCKET", path);
    }
    match passed {
        Some((name, fd)) => command.env("LISTEN_FDNAMES", name).stdin(Stdio::from(fd)),
        None => command.stdin(Stdio::null()),
    };
    let output = std::fs::File::create(home.path().join("output")).expect("a test may write");
    command.stdout(Stdio::null()).stderr(output);
    Daemon { child: command.spawn().expect("a shell"), home }
}

impl Daemon {
    fn output(&self) -> String {
        std::fs::read_to_string(self.home.path().join("output")).unwrap_or_default()
    }

    fn wait_for(&self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.output().contains(wanted) {
            assert!(Instant::now() < deadline, "never said {wanted:?}:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
        assert!(sent.success());
    }
}

fn listening() -> (OwnedFd, OwnedFd, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    let second = socket.try_clone().expect("a copy");
    (socket.into(), second.into(), address)
}

/// Goal: a passed socket is used, a difference to the settings is told, and who connects while nobody
/// runs is neither refused nor lost.
#[test]
fn a_passed_socket_outlives_the_server() {
    let (held, passed, address) = listening();
    let elsewhere = format!("clientPort={}\nclientPortAddress=127.0.0.1", free_address().port());
    let mut first = start(Scratch::new("passed"), &elsewhere, Some(("client", passed)), None);
    first.wait_for("start: serving");
    first.wait_for("sockets: differs name=client");
    assert!(words::ask(address, "srvr").contains("Mode: standalone"));
    first.signal("TERM");
    wait_exit(&mut first.child, PATIENCE).expect("it stops");
    let mut waiting = TcpStream::connect(address).expect("nobody is refused");
    waiting.write_all(b"ruok").expect("there is room");
    let home = Scratch::new("passed-again");
    let same = format!("clientPort={}\nclientPortAddress=127.0.0.1", address.port());
    let second = start(home, &same, Some(("client", held)), None);
    waiting.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "imok");
    assert!(!second.output().contains("sockets: differs"), "{}", second.output());
}

/// Goal: a socket for nothing is refused before anything is touched, with the remedy.
#[test]
fn a_passed_socket_without_a_use_is_refused() {
    let (_held, passed, _) = listening();
    let name = Some(("zk-agent.socket", passed));
    let mut daemon = start(Scratch::new("unnamed"), "clientPort=0", name, None);
    let status = wait_exit(&mut daemon.child, PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(78), "{}", daemon.output());
    assert!(daemon.output().contains("FileDescriptorName="), "{}", daemon.output());
    assert!(!daemon.home.path().join("data").exists());
}

/// Goal: the service manager is asked to keep the socket that the server opened, by name, before it
/// hears that the server is ready; and not one that a socket unit holds.
#[test]
fn own_sockets_are_kept_and_passed_ones_are_not() {
    let told = |passed: Option<(&str, OwnedFd)>| {
        let home = Scratch::new("kept");
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let local = "clientPort=0\nclientPortAddress=127.0.0.1";
        let _daemon = start(home, local, passed, Some(&path));
        let (mut all, mut bytes) = (Vec::new(), [0; 4096]);
        loop {
            let count = socket.recv(&mut bytes).expect("a message");
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let ready = text.contains("READY=1");
            all.push(text);
            if ready {
                return all;
            }
        }
    };
    let keeps =
        |all: &[String]| all.iter().any(|text| text.starts_with("FDSTORE=1\nFDNAME=kept-client"));
    let own = told(None);
    assert!(keeps(&own), "{own:?}");
    let (_held, passed, _) = listening();
    let from_unit = told(Some(("client", passed)));
    assert!(!keeps(&from_unit), "{from_unit:?}");
}

fn run(arguments: &[&str], runtime: &Path) -> Output {
    let mut command = Command::new(our_binary().expect("the binary is built"));
    command.args(arguments).env("RUNTIME_DIRECTORY", runtime).env_remove("RUST_LOG");
    command.output().expect("it runs")
}

/// Goal: `zk-agent reload` returns when the server has the new settings, says what has changed, and
/// fails with the reason for a file that is wrong, which changes nothing.
#[test]
fn a_reload_is_waited_for() {
    let local = "clientPort=0\nclientPortAddress=127.0.0.1";
    let daemon = start(Scratch::new("reloaded"), local, None, None);
    daemon.wait_for("start: serving");
    let (home, pid) = (daemon.home.path(), daemon.child.id().to_string());
    let reload = |lines: &str| {
        let config = write_config(home, lines).display().to_string();
        let output = run(&["reload", "--config", &config, &pid], home);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.code(), text)
    };
    let (code, text) = reload(&format!("{local}\nmaxClientCnxns=7\ntickTime=4000"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("maxClientCnxns=7\n"), "{text}");
    assert!(text.contains("tickTime=4000 (needs a restart)\n"), "{text}");
    assert!(daemon.output().contains("settings: reloaded maxClientCnxns=7"), "it was waited for");
    let (code, text) = reload(&format!("{local}\ntickTime=soon"));
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("tickTime=soon"), "{text}");
    let (code, text) = reload(&format!("{local}\nmaxClientCnxns=8"));
    assert_eq!((code, text.contains("maxClientCnxns=8")), (Some(0), true), "{text}");
    let config = home.join("zoo.cfg").display().to_string();
    // The process id of somebody who is gone.
    let mut gone = Command::new("true").spawn().expect("true runs");
    let gone_pid = gone.id().to_string();
    gone.wait().expect("it ends");
    let nobody = run(&["reload", "--config", &config, &gone_pid], home);
    assert_eq!(nobody.status.code(), Some(78));
}

fn backups(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

/// Goal: a backup of a server that is written to all the time is whole, holds all that was
/// acknowledged before it began, and is what a server starts from; old ones go, half ones never count.
#[test]
fn a_server_that_runs_is_backed_up() {
    // Snapshots all the time, so that files come and go under the backup.
    let options = Options::new(Kind::Ours).line("snapCount=500");
    let Some(server) = tools::need(Server::start(options)) else { return };
    let mut conn = Conn::open(server.address());
    conn.create("/before", 0);
    let (address, stop) = (server.address(), AtomicBool::new(false));
    let to = Scratch::new("backups");
    let config = server.home().join("zoo.cfg").display().to_string();
    let target = to.path().display().to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut conn = Conn::open(address);
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                conn.create(&format!("/during{number}"), 0);
                number += 1;
            }
        });
        for _ in 0..4 {
            let arguments = ["backup", "--config", &config, "--to", &target, "--keep", "2"];
            let output = run(&arguments, to.path());
            let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
            if !output.status.success() {
                stop.store(true, Ordering::Relaxed);
                panic!("{text}");
            }
            // The name says the second.
            std::thread::sleep(Duration::from_millis(1100));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let all = backups(to.path());
    assert_eq!(all.len(), 2, "{all:?}");
    let newest = all.last().expect("two");
    let mut options = Options::new(Kind::Ours);
    for path in backups(&newest.join("version-2")) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("a file");
        options = options.file(&format!("version-2/{name}"), bytes);
    }
    let Some(restored) = tools::need(Server::start(options)) else { return };
    let mut conn = Conn::open(restored.address());
    let names = conn.children("/");
    assert!(names.contains(&"before".to_owned()), "{names:?}");
    assert!(names.contains(&"during0".to_owned()), "{names:?}");
}
