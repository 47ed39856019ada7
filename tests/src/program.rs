//! Programs that a test builds or runs: where the tree is, what `cargo xtask` makes, and a child
//! that has an end.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::server::wait_exit;

/// How long a program may take; valgrind is slow.
const LIMIT: Duration = Duration::from_secs(240);

/// The root of the tree.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the crate of the tests stands in the workspace").to_owned()
}

/// The target directory that the running test was built in.
pub fn target() -> PathBuf {
    let here = std::env::current_exe().expect("a test knows its file");
    here.ancestors().nth(3).expect("a test runs from a target directory").to_owned()
}

/// Cargo, in the root of the tree, with the target directory of the running test.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.env("CARGO_TARGET_DIR", target()).current_dir(root());
    cargo
}

/// Runs `cargo xtask`.
pub fn xtask(words: &[&str]) -> Output {
    let mut run = cargo();
    run.args(["run", "--quiet", "-p", "xtask", "--"]).args(words);
    run.output().expect("cargo runs")
}

/// Runs a program to its end, which must be a good one and come in time; what it prints.
pub fn run(command: &mut Command) -> String {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program starts");
    let (mut out, mut error) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = error.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let output = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = out.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = wait_exit(&mut child, LIMIT);
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (output, errors) = (output.join().unwrap(), errors.join().unwrap());
    let good = status.is_some_and(|status| status.success());
    assert!(good, "{command:?}: {status:?}\n{output}{errors}");
    output
}
