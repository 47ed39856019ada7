//! The interactive shell.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use zk_tests::scratch::Scratch;
use zk_tests::server::{Kind, Server};
use zk_tests::tools;

use crate::{binary, fed, good, good_fed, server};

pub fn check(server: &Server) {
    let script = "create /s one\ncd /s\npwd\ncreate a\ncreate -e mine x\nls\nget .\n\
        # a comment\n\nset 'a' 'two words'\nget a\ngetEphemerals\nls -o json\ncd ..\npwd\n\
        addauth digest u:p\nhistory\nredo 2\nprintwatches\nprintwatches off\n\
        rm -R /s\nquit\nls /none\n";
    let out = good_fed(server, &["shell"], script);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..8], ["/s", "/s", "/s/a", "/s/mine", "a", "mine", "one", "two words"]);
    assert_eq!(lines[8..11], ["/s/mine", "[\"a\",\"mine\"]", "/"]);
    assert!(out.contains("\n14 - history\n"), "{out}");
    assert!(out.ends_with("/\nprintwatches is on\n"), "redo 2 is pwd: {out}");
    let out = good_fed(server, &["shell"], "close\nls /\nconnect\npwd\n");
    assert_eq!(out, "zookeeper\n/\n");

    // Lines that fail are told of and the others are done; the exit code is the first one's.
    let ran = fed(server.address(), &["shell"], "get /none\nfly\nget 'x\npwd\nredo 99\n");
    assert_eq!((ran.exit, ran.out.as_str()), (3, "/\n"), "{ran:?}");
    assert!(ran.error.contains("get /none: no such znode"), "{ran:?}");
    assert!(ran.error.contains("'fly'") && ran.error.contains("no closing '"), "{ran:?}");
    assert!(ran.error.contains("redo 99: no such line"), "{ran:?}");

    // A watch speaks when a command has ended.
    let script = "create /s2\naddWatch /s2\ncreate /s2/x\nwait --timeout 1 /none\nset /s2/x y\n\
        wait --timeout 1 /none\nrm -R /s2\n";
    let ran = fed(server.address(), &["shell"], script);
    assert!(ran.out.contains("created\t/s2/x\n"), "{ran:?}");
    assert_eq!(good(server, &["ls", "/"]), "zookeeper\n");
}

/// A terminal is a program of its own here: it types what we write and gives what is shown.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    told: Receiver<String>,
    screen: String,
}

impl Terminal {
    fn new(terminal: &Path, line: &str, home: &Path) -> Terminal {
        let mut child = Command::new(terminal)
            .args(["-qec", line, "/dev/null"])
            .env("HOME", home)
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let keys = child.stdin.take().expect("it was piped");
        let mut shown = child.stdout.take().expect("it was piped");
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                let _ = tell.send(String::from_utf8_lossy(&bytes[..count]).into_owned());
            }
        });
        Terminal { child, keys, told, screen: String::new() }
    }

    /// Waits until something is shown, and forgets what stood before it.
    fn expect(&mut self, wanted: &str) {
        let deadline = Instant::now() + crate::LIMIT;
        while !self.screen.contains(wanted) {
            match self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(text) => self.screen.push_str(&text),
                Err(_) => panic!("{wanted:?} is not shown: {:?}", self.screen),
            }
        }
        let end = self.screen.find(wanted).expect("it is there") + wanted.len();
        self.screen.drain(..end);
    }

    fn press(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).expect("it reads");
    }
}

#[test]
fn paths_are_completed_and_lines_remembered() {
    let Some(terminal) = tools::which("script") else {
        return println!("skipped: script is not installed (package bsdutils)");
    };
    let Some(server) = server(Kind::Ours) else { return };
    good(&server, &["create", "/completed", "found"]);
    good(&server, &["create", "/completed/below", "deeper"]);
    let home = Scratch::new("shell");
    let line = format!("{} -s {}", binary().display(), server.address());
    let mut shell = Terminal::new(&terminal, &line, home.path());
    shell.expect("/> ");
    shell.press("get /comp\t\r");
    shell.expect("found");
    shell.expect("/> ");
    shell.press("cd completed\r");
    shell.expect("/completed> ");
    shell.press("get b\t\r");
    shell.expect("deeper");
    shell.expect("/completed> ");
    shell.press("getAllC\t/\r");
    // What was typed is shown again and again; only the answer says that it was done.
    shell.expect("\n5\r\n");
    shell.expect("/completed> ");
    shell.press("addauth digest ann:secret\r");
    shell.expect("ann:secret");
    shell.expect("/completed> ");
    shell.press("addWatch /completed\r");
    shell.expect("/completed> ");
    // Above the line that is being typed, without a key.
    shell.press("ge");
    shell.expect("ge");
    good(&server, &["set", "/completed/below", "other"]);
    shell.expect("changed\t/completed/below");
    shell.press("t below\r");
    shell.expect("\nother\r\n");
    shell.expect("/completed> ");
    shell.press("quit\r");
    let status = zk_tests::server::wait_exit(&mut shell.child, crate::LIMIT).expect("it ends");
    assert!(status.success());
    let file = home.path().join(".zkctl_history");
    let history = std::fs::read_to_string(&file).expect("a history");
    assert!(history.contains("get /completed\n"), "{history}");
    assert!(history.contains("getAllChildrenNumber /\n"), "{history}");
    assert!(!history.contains("secret"), "{history}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o077, 0, "only its owner may read it");
}
