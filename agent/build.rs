//! Notes which commit is built and when it was made, for the version that operators see. Without
//! git (a source archive) the environment may say it: `ZK_AGENT_COMMIT`, `SOURCE_DATE_EPOCH`.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=ZK_AGENT_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = env::var("ZK_AGENT_COMMIT").ok().or_else(|| git(&["rev-parse", "HEAD"]));
    let seconds = env::var("SOURCE_DATE_EPOCH").ok();
    // The commit's time and not the clock's, so that the same source gives the same binary.
    let seconds = seconds.or_else(|| git(&["log", "-1", "--format=%ct"]));
    println!("cargo::rustc-env=ZK_AGENT_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=ZK_AGENT_BUILT={}", seconds.as_deref().unwrap_or("0"));
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
