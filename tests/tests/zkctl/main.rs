//! The command line against real servers: what it prints and how it ends.
//!
//! Goal: every command works on ours and on Apache's 3.8 and 3.9, its plain and JSON output are
//! what they are, and its exit codes say what happened.
//! Method: the real binary against a server of each kind; each room of commands below a znode of
//! its own.

mod bench;
mod cluster;
mod data;
mod follow;
mod manual;
mod recipes;
mod safe;
mod setup;
mod shell;
mod trees;
mod zkcli;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zk_tests::server::{Kind, Options, Server, built, wait_exit};
use zk_tests::tools::{self, Release};

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ran {
    exit: i32,
    out: String,
    error: String,
}

fn binary() -> PathBuf {
    built("zkctl").expect("zkctl is part of the workspace")
}

/// The command with its servers, with nothing of this machine's settings.
fn command(servers: &str, words: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.env_remove("ZKCTL_SERVERS").env_remove("ZKCTL_AUTH").env("TZ", "UTC");
    command.args(["-s", servers]).args(words).stdin(Stdio::null());
    command
}

fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let exit = output.status.code().expect("an exit code");
    Ran { exit, out: text(output.stdout), error: text(output.stderr) }
}

fn spawn(servers: &str, words: &[&str]) -> Child {
    let mut command = command(servers, words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// A call to its end.
fn zkctl(address: SocketAddr, words: &[&str]) -> Ran {
    finish(spawn(&address.to_string(), words))
}

/// A call with something on standard input.
fn fed(address: SocketAddr, words: &[&str], input: &str) -> Ran {
    let mut command = command(&address.to_string(), words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    finish(child)
}

/// What a call prints that does what was asked and has nothing to remark.
fn good(server: &Server, words: &[&str]) -> String {
    let ran = zkctl(server.address(), words);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""), "{words:?}: {ran:?}");
    ran.out
}

/// The same with standard input.
fn good_fed(server: &Server, words: &[&str], input: &str) -> String {
    let ran = fed(server.address(), words, input);
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""), "{words:?}: {ran:?}");
    ran.out
}

/// The line on standard error of a call that fails with this exit code and prints nothing.
fn bad(server: &Server, exit: i32, words: &[&str]) -> String {
    let ran = zkctl(server.address(), words);
    assert_eq!((ran.exit, ran.out.as_str()), (exit, ""), "{words:?}: {ran:?}");
    assert!(!ran.error.is_empty(), "{words:?}: it fails without a word");
    ran.error
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid).status().expect("kill runs");
    assert!(sent.success());
}

/// Waits for something, with a deadline.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ended(mut child: Child) -> Ran {
    if wait_exit(&mut child, LIMIT).is_none() {
        child.kill().expect("it can be ended");
        panic!("it does not end: {:?}", finish(child));
    }
    finish(child)
}

fn server(kind: Kind) -> Option<Server> {
    tools::need(Server::start(Options::new(kind)))
}

fn everything(kind: Kind) {
    let Some(server) = server(kind) else { return };
    data::check(&server);
    trees::check(&server);
    follow::check(&server);
    recipes::check(&server);
    cluster::check(&server);
    bench::check(&server);
    shell::check(&server);
}

#[test]
fn every_command_on_ours() {
    everything(Kind::Ours);
}

#[test]
fn every_command_on_apache_3_9() {
    everything(Kind::Apache(Release::Apache39));
}

#[test]
fn every_command_on_apache_3_8() {
    everything(Kind::Apache(Release::Debian38));
}
