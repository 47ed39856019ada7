//! Programs of the system that are run.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a program; what it printed.
///
/// # Panics
/// When it fails.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a program with text for it to read.
///
/// # Panics
/// When it fails.
pub fn feed(program: &str, arguments: &[&str], text: &str) {
    let mut command = Command::new(program);
    let child = command.args(arguments).stdin(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    assert!(child.wait().expect("it ends").success(), "{program} {arguments:?}: {text}");
}
