//! The real binary as a service manager and an operator see it: start, signals, notifications,
//! exit codes, a log that nobody reads, a stall.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::jute::Writer as _;
use zk_wire::request::encode_create;
use zk_wire::{Acl, Op, Reader, frame};

const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that is gone at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("zk-daemon-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn config(&self, more: &str) -> PathBuf {
        let path = self.0.join("zoo.cfg");
        let data = self.0.join("data");
        let text = format!(
            "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n{more}\n",
            data.display()
        );
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Daemon {
    child: Child,
    lines: Receiver<String>,
    port: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zk-agent"));
    for name in ["RUST_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET", "STATE_DIRECTORY", "JVMFLAGS"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Daemon {
    /// Starts it and waits until it says where it serves.
    fn start(mut command: Command) -> Daemon {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = to.send(line);
            }
        });
        let mut daemon = Daemon { child, lines, port: 0 };
        let line = daemon.wait_for_line("start: serving");
        let address = line.split("address=127.0.0.1:").nth(1).unwrap();
        daemon.port = address.split(' ').next().unwrap().parse().unwrap();
        daemon
    }

    fn configured(config: &Path) -> Daemon {
        let mut command = command();
        command.arg("--config").arg(config);
        Daemon::start(command)
    }

    fn wait_for_line(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(wanted) => return line,
                Ok(line) => all.push(line),
                Err(_) => break,
            }
        }
        panic!("never said {wanted:?}: {all:?}");
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn word(&self, word: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(word.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection with a session, and the timeout in ms that was granted.
    fn session(&self, timeout_ms: i32) -> (TcpStream, i32) {
        let mut stream = self.connect();
        let mut bytes = Vec::new();
        let at = frame::begin(&mut bytes);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms,
            session_id: 0,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        request.encode(&mut bytes);
        frame::end(&mut bytes, at);
        stream.write_all(&bytes).unwrap();
        let reply = receive(&mut stream).expect("a session");
        let response = ConnectResponse::decode(&mut Reader::new(&reply)).unwrap();
        (stream, response.timeout_ms)
    }
}

/// The next frame; `None` when the connection has ended.
fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn send_ping(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    let at = frame::begin(&mut bytes);
    bytes.put_int(-2);
    bytes.put_int(11);
    frame::end(&mut bytes, at);
    stream.write_all(&bytes).unwrap();
}

fn put_request(bytes: &mut Vec<u8>, xid: i32, op: Op, record: impl FnOnce(&mut Vec<u8>)) {
    let at = frame::begin(bytes);
    bytes.put_int(xid);
    bytes.put_int(op.0);
    record(bytes);
    frame::end(bytes, at);
}

fn wait_exit(child: &mut Child, limit: Duration) -> ExitStatus {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("still running after {limit:?}");
}

/// What a command that ends by itself says and gives.
fn outcome(command: &mut Command) -> (i32, String) {
    let mut child = command.spawn().unwrap();
    let code = wait_exit(&mut child, PATIENCE).code().unwrap();
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (code, text)
}

#[test]
fn sigterm_ends_it_in_order() {
    let scratch = Scratch::new("term");
    let mut daemon = Daemon::configured(&scratch.config(""));
    let (mut client, _) = daemon.session(10_000);
    send_ping(&mut client);
    assert!(receive(&mut client).is_some());
    daemon.signal(Signal::SIGTERM);
    let status = wait_exit(&mut daemon.child, Duration::from_secs(5));
    assert_eq!(status.code(), Some(0));
    assert_eq!(receive(&mut client), None);
    daemon.wait_for_line("start: stopped");
}

/// Goal: while a server that was told to stop still has something to do, nobody new waits for it.
/// Method: a client that doesn't read its replies holds the end up.
#[test]
fn a_stopping_server_does_not_listen() {
    let scratch = Scratch::new("listen");
    let mut daemon = Daemon::configured(&scratch.config(""));
    let (mut client, _) = daemon.session(10_000);
    let mut bytes = Vec::new();
    put_request(&mut bytes, 1, Op::CREATE, |out| {
        encode_create(out, "/a", Some(&[1; 900_000]), &Acl::open(), 0, None);
    });
    client.write_all(&bytes).unwrap();
    assert!(receive(&mut client).is_some());
    bytes.clear();
    for xid in 2..52 {
        put_request(&mut bytes, xid, Op::GET_DATA, |out| {
            out.put_string("/a");
            out.put_boolean(false);
        });
    }
    client.write_all(&bytes).unwrap();
    assert!(receive(&mut client).is_some());
    // Turns enough to fill what the kernel takes.
    for _ in 0..50 {
        assert!(daemon.word("srvr").contains("Mode"));
    }
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_line("server: stopping");
    let deadline = Instant::now() + Duration::from_secs(2);
    let address = SocketAddr::from(([127, 0, 0, 1], daemon.port));
    let refused = || {
        let error = TcpStream::connect_timeout(&address, Duration::from_millis(100)).err();
        error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    while !refused() {
        assert!(Instant::now() < deadline, "it still listens");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(daemon.child.try_wait().unwrap(), None, "it has replies to send");
    drop(client);
    assert_eq!(wait_exit(&mut daemon.child, Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn without_a_file_it_serves_loopback_from_the_state_directory() {
    let scratch = Scratch::new("bare");
    let mut command = command();
    command.env("STATE_DIRECTORY", scratch.0.join("state")).arg("-DclientPort=0");
    let daemon = Daemon::start(command);
    assert!(daemon.word("srvr").contains("Mode: standalone\n"));
    assert!(scratch.0.join("state").is_dir());
}

#[test]
fn the_service_manager_is_told() {
    let scratch = Scratch::new("notify");
    let path = scratch.0.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let config = scratch.config("");
    // WATCHDOG_PID must be the daemon's own.
    let mut command = Command::new("sh");
    command
        .args(["-c", "WATCHDOG_PID=$$ exec \"$0\" --config \"$1\""])
        .arg(env!("CARGO_BIN_EXE_zk-agent"))
        .arg(&config);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut daemon = Daemon::start(command);
    let wait_for = |wanted: &str| {
        let mut bytes = [0; 4096];
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let count = socket.recv(&mut bytes).unwrap_or_else(|e| panic!("{wanted}: {e}"));
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if text.lines().any(|line| line.starts_with(wanted)) {
                return text;
            }
        }
        panic!("never told {wanted:?}");
    };
    wait_for("READY=1");
    wait_for("STATUS=Standalone, zxid 0x0, 0 sessions, 5 znodes; 0 connections on 127.0.0.1:");
    wait_for("WATCHDOG=1");
    wait_for("WATCHDOG=1");
    daemon.signal(Signal::SIGHUP);
    assert!(wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    wait_for("READY=1");
    daemon.signal(Signal::SIGTERM);
    wait_for("STOPPING=1");
    wait_exit(&mut daemon.child, Duration::from_secs(5));
}

#[test]
fn sighup_reloads_what_can_be_reloaded() {
    let scratch = Scratch::new("reload");
    let daemon = Daemon::configured(&scratch.config("tickTime=2000"));
    assert!(daemon.word("ruok").contains("not in the whitelist"));
    scratch.config("tickTime=4000\n4lw.commands.whitelist=ruok\nmaxClientCnxns=7");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_line("settings: needs_restart tickTime=4000");
    daemon.wait_for_line("settings: reloaded maxClientCnxns=7");
    // The loop takes what was read a moment after that was told.
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while daemon.word("ruok") != "imok" {
        assert!(std::time::Instant::now() < deadline, "the whitelist never changed");
        std::thread::sleep(Duration::from_millis(5));
    }
    scratch.config("tickTime=soon");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_line("settings: reload_refused");
    assert_eq!(daemon.word("ruok"), "imok", "a refused reload changes nothing");
}

/// Goal: clients are served while the settings are read, however long that takes.
/// Method: the file becomes a pipe, which is read only when somebody writes to it.
#[test]
fn a_slow_reload_keeps_nobody_waiting() {
    let scratch = Scratch::new("slow");
    let config = scratch.config("4lw.commands.whitelist=*");
    let daemon = Daemon::configured(&config);
    let text = fs::read_to_string(&config).unwrap();
    fs::remove_file(&config).unwrap();
    mkfifo(&config, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    daemon.signal(Signal::SIGHUP);
    // A pipe can be opened for writing without waiting only while somebody reads it.
    let deadline = Instant::now() + PATIENCE;
    let mut pipe = loop {
        let mut options = fs::File::options();
        match options.write(true).custom_flags(libc::O_NONBLOCK).open(&config) {
            Ok(pipe) => break pipe,
            Err(e) => assert!(Instant::now() < deadline, "nobody reads the settings: {e}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(daemon.word("ruok"), "imok");
    let (mut client, _) = daemon.session(10_000);
    send_ping(&mut client);
    assert!(receive(&mut client).is_some());
    pipe.write_all(format!("{text}maxClientCnxns=7\n").as_bytes()).unwrap();
    drop(pipe);
    daemon.wait_for_line("settings: reloaded maxClientCnxns=7");
}

#[test]
fn exit_codes_tell_what_is_wrong() {
    let scratch = Scratch::new("codes");
    let bad = scratch.config("tickTme=1000");
    let (code, text) = outcome(command().arg("--config").arg(&bad));
    assert_eq!(code, 78);
    let wanted = format!("{}:4: tickTme=1000: no such key; did you mean tickTime?", bad.display());
    assert!(text.contains(&wanted), "{text}");
    let (code, text) = outcome(command().arg("check-config").arg(&bad));
    assert_eq!((code, text.contains(&wanted)), (78, true), "{text}");
    let (code, text) = outcome(command().args(["-DclientPort=0", "-DdataDir=/dev/null/x"]));
    assert_eq!((code, text.contains("/dev/null/x")), (3, true), "{text}");
    let missing = scratch.0.join("none");
    let (code, text) = outcome(
        command()
            .args(["-DclientPort=0", "-Dzookeeper.datadir.autocreate=false"])
            .arg(format!("-DdataDir={}", missing.display())),
    );
    assert_eq!((code, missing.exists()), (3, false), "{text}");
    let daemon = Daemon::configured(&scratch.config(""));
    let taken = format!("-DclientPort={}", daemon.port);
    let data = format!("-DdataDir={}", scratch.0.join("other").display());
    let (code, text) = outcome(command().args([&taken, &data]));
    assert_eq!((code, text.contains("cannot listen on 127.0.0.1")), (1, true), "{text}");
    let data = format!("-DdataDir={}", scratch.0.join("data").display());
    let (code, text) = outcome(command().args(["-DclientPort=0", &data]));
    assert_eq!((code, text.contains("locked")), (78, true), "{text}");
}

#[test]
fn check_config_prints_settings_and_warnings() {
    let scratch = Scratch::new("check");
    let config = scratch.config("secureClientPort=2281");
    let output = command().arg("check-config").arg(&config).stdout(Stdio::piped()).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(text.contains("tickTime=3000\n"), "{text}");
    assert!(text.contains("# warning: "), "{text}");
    assert!(text.contains("secureClientPort: has no effect yet: TLS comes later\n"), "{text}");
}

/// Goal: a log that nobody reads neither blocks nor kills the server.
/// Method: stderr is a full pipe, then a closed one, while every connection makes a line.
#[test]
fn nobody_has_to_read_the_log() {
    let scratch = Scratch::new("log");
    let mut command = command();
    command.arg("--config").arg(scratch.config("agent.logLevel=trace"));
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    command.stderr(writer.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut lines = BufReader::new(&mut reader).lines();
    let line = loop {
        let line = lines.next().unwrap().unwrap();
        if line.contains("start: serving") {
            break line;
        }
    };
    let port = line.split("address=127.0.0.1:").nth(1).unwrap().split(' ').next().unwrap();
    let port: u16 = port.parse().unwrap();
    drop(lines);
    let daemon = |round: &str| {
        for _ in 0..200 {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&[0xff; 8]).unwrap();
            let _ = stream.read(&mut [0; 1]);
        }
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"srvr").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.contains("Mode: standalone"), "{round}");
    };
    // Our own end of the pipe fills it, so that the daemon's lines find no room.
    let fill = std::thread::spawn(move || {
        let _ = writer.write_all(&vec![b'\n'; 1 << 20]);
    });
    daemon("full");
    drop(reader);
    fill.join().unwrap();
    daemon("closed");
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Goal: a stall of the server's own expires nobody.
/// Method: the process is stopped for several session timeouts; one client speaks meanwhile and
/// one after it.
#[test]
fn a_stopped_process_expires_nobody() {
    let scratch = Scratch::new("stall");
    let daemon = Daemon::configured(&scratch.config("tickTime=500"));
    let (mut speaks, timeout_ms) = daemon.session(1);
    let (mut silent, _) = daemon.session(1);
    assert_eq!(timeout_ms, 1000);
    daemon.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(4000));
    send_ping(&mut speaks);
    daemon.signal(Signal::SIGCONT);
    assert!(receive(&mut speaks).is_some(), "who spoke meanwhile was expired");
    send_ping(&mut silent);
    assert!(receive(&mut silent).is_some(), "the stall counted as silence");
    assert!(receive(&mut silent).is_none(), "silence of its own does count");
}
