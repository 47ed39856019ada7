//! Completions and the man page: what is committed is what the binary prints.

use std::path::Path;
use std::process::Command;

use crate::binary;

/// What is generated, and by which words.
const GENERATED: &[(&str, &[&str])] = &[
    ("packaging/completions/zkctl.bash", &["completions", "bash"]),
    ("packaging/completions/_zkctl", &["completions", "zsh"]),
    ("packaging/completions/zkctl.fish", &["completions", "fish"]),
    ("packaging/man/zkctl.1", &["man"]),
];

fn printed(words: &[&str]) -> String {
    let mut command = Command::new(binary());
    let command = command.env_remove("ZKCTL_SERVERS").env_remove("ZKCTL_AUTH").args(words);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn what_is_committed_is_what_the_binary_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    for (file, words) in GENERATED {
        let committed = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let words_of = words.join(" ");
        assert!(
            committed == printed(words),
            "{file} is stale; make it anew: zkctl {words_of} > {file}"
        );
    }
}

#[test]
fn every_command_stands_in_the_man_page() {
    let page = printed(&["man"]);
    let help = printed(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names.iter().filter(|name| **name != "help") {
        let escaped = name.replace('-', "\\-");
        assert!(page.contains(&format!(".SS {escaped}")), "{name} is missing in the man page");
    }
    assert!(page.contains("Exit") || page.contains("EXIT STATUS"));
    for code in ["130", "\\-\\-to\\-servers", "ZKCTL_SERVERS"] {
        assert!(page.contains(code), "{code}");
    }
}

#[test]
fn bash_takes_its_completions() {
    let script = printed(&["completions", "bash"]);
    let mut bash = Command::new("bash");
    bash.args(["-n", "/dev/stdin"]).stdin(std::process::Stdio::piped());
    let mut child = bash.spawn().expect("bash runs");
    use std::io::Write;
    child.stdin.take().expect("piped").write_all(script.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
}
