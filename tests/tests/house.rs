//! The house rules that a machine can hold. Each failure says why the rule is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const DAEMON_CRATES_MAX: usize = 45;

/// The crates of the house: folder, name, and which of ours it may import.
const CRATES: &[(&str, &str, &[&str])] = &[
    ("wire", "zk-wire", &[]),
    ("agent/core", "zk-core", &["zk-wire"]),
    ("agent", "zk-agent", &["zk-core", "zk-wire"]),
    ("libzkclient", "zkclient", &["zk-wire"]),
    ("libzkclient/capi", "zkclient-capi", &["zkclient"]),
    ("libzkclient/dropin", "zkclient-dropin", &["zkclient"]),
    ("zkctl", "zkctl", &["zkclient", "zk-wire"]),
    ("tests", "zk-tests", &["zk-wire", "zk-core", "zk-agent", "zkclient"]),
    ("xtask", "xtask", &["zkclient", "zk-wire"]),
];

/// Folders in which `unsafe` may stand.
const UNSAFE_ROOMS: &[&str] = &["agent/src/sys", "libzkclient/src/ffi", "libzkclient/src/compat"];

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the crate of the tests stands in the workspace").to_owned()
}

/// Every Rust file under a folder of the workspace, with its path from the root and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            if path.is_dir() && name != "target" {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).expect("a readable file");
                let path = path.strip_prefix(&root).expect("below the root");
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} holds no sources: the rules would check nothing");
    found
}

fn all_sources() -> Vec<(String, String)> {
    // agent/ holds agent/core, libzkclient/ holds the libraries made of it.
    let inner = ["agent/core", "libzkclient/capi", "libzkclient/dropin"];
    let rooms = CRATES.iter().filter(|(folder, ..)| !inner.contains(folder));
    rooms.flat_map(|(folder, ..)| sources(folder)).collect()
}

/// A line without its comment and without what stands between quotes.
fn code_of(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => break,
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => {
                            chars.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
                out.push_str("\"\"");
            }
            '\'' => {
                // A char literal, or a lifetime, which has no closing quote.
                let rest: Vec<char> = chars.clone().take(4).collect();
                match rest.as_slice() {
                    ['\\', _, '\'', ..] => drop(chars.by_ref().take(3).count()),
                    [_, '\'', ..] => drop(chars.by_ref().take(2).count()),
                    _ => out.push('\''),
                }
            }
            c => out.push(c),
        }
    }
    out
}

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

#[test]
fn imports_between_crates_go_down() {
    let mut faults = Vec::new();
    for (folder, name, allowed) in CRATES {
        let manifest = root().join(folder).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).expect("each crate has a manifest");
        assert!(text.contains(&format!("name = \"{name}\"")), "{folder} should be {name}");
        let mut depends = false;
        for line in text.lines() {
            if line.starts_with('[') {
                depends = line.contains("dependencies");
                continue;
            }
            let key = line.split(['.', ' ', '=']).next().unwrap_or("");
            let ours = CRATES.iter().any(|(_, name, _)| *name == key);
            if depends && ours && !allowed.contains(&key) {
                faults.push(format!("{name} imports {key}"));
            }
        }
    }
    report(
        "arrows between crates go down or not at all, so that the core can be simulated, the \
         client shipped without the server, and each read alone",
        &faults,
    );
}

#[test]
fn modules_use_only_what_is_declared_above_them() {
    let mut faults = Vec::new();
    for (folder, ..) in CRATES {
        let lib = root().join(folder).join("src/lib.rs");
        let Ok(text) = std::fs::read_to_string(&lib) else { continue };
        let floors: Vec<&str> = text
            .lines()
            .filter_map(|line| {
                let line = line.strip_prefix("pub ").unwrap_or(line);
                line.strip_prefix("mod ")?.strip_suffix(';')
            })
            .collect();
        for (path, text) in sources(&format!("{folder}/src")) {
            let inner = path.strip_prefix(&format!("{folder}/src/")).expect("below src");
            let module = inner.split('/').next().unwrap_or("").trim_end_matches(".rs");
            let Some(floor) = floors.iter().position(|name| *name == module) else { continue };
            for used in crate_paths(&text) {
                let above = floors.iter().position(|name| *name == used);
                if above.is_some_and(|above| above > floor) {
                    faults.push(format!("{path} uses crate::{used}, which is declared below it"));
                }
            }
        }
    }
    report(
        "the order of the mod lines in lib.rs is the floor plan: what stands on a floor can be \
         understood without the floors above",
        &faults,
    );
}

/// The first segments behind `crate::`, braces included.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code: Vec<String> = text.lines().map(code_of).collect();
    let code = code.join("\n");
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(found.insert(word(rest))),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && c.is_alphabetic() => {
                            found.insert(word(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn files_fit_in_a_head() {
    let faults: Vec<String> = all_sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    report("a file of more than 600 lines is a room that holds two rooms", &faults);
}

#[test]
fn functions_fit_on_a_screen() {
    let mut faults = Vec::new();
    for (path, text) in all_sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if !is_function(&code_of(line)) {
                continue;
            }
            let end = format!("{}}}", " ".repeat(indent));
            let body = lines[start..].iter().position(|l| *l == end || l.ends_with(';'));
            let length = match body {
                Some(at) if lines[start + at] == end => at + 1,
                _ => match lines[start..].iter().position(|l| *l == end) {
                    Some(at) => at + 1,
                    None => continue,
                },
            };
            if length > FUNCTION_LINES_MAX {
                faults.push(format!("{path}:{}: {length} lines: {}", start + 1, line.trim()));
            }
        }
    }
    report("a function of more than 70 lines does more than one thing", &faults);
}

/// True for a line that opens a function with a body.
fn is_function(code: &str) -> bool {
    let code = code.trim_start();
    if code.ends_with(';') || code.ends_with('}') {
        return false;
    }
    let mut words = code.split([' ', '(']).filter(|word| {
        !matches!(*word, "pub" | "const" | "unsafe" | "extern" | "\"\"" | "crate)" | "super)")
    });
    words.next() == Some("fn")
}

#[test]
fn unsafe_stands_in_its_rooms_and_says_why() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for (path, text) in all_sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = code_of(line);
            let is_unsafe = code
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .any(|word| word == "unsafe");
            if !is_unsafe {
                continue;
            }
            seen += 1;
            if !UNSAFE_ROOMS.iter().any(|room| path.starts_with(room)) {
                faults.push(format!("{path}:{}: unsafe outside its rooms", at + 1));
            }
            // A declaration does nothing yet: what is asked of the caller stands in its words, for
            // the C API in the header. The blocks inside say why they hold.
            if line.contains("unsafe extern \"C\" fn") || line.contains("#[unsafe(no_mangle)]") {
                continue;
            }
            let above = lines[..at].iter().rev().take_while(|l| {
                let l = l.trim_start();
                l.starts_with("//") || l.starts_with("#[")
            });
            let said = above.into_iter().any(|l| l.contains("SAFETY:") || l.contains("# Safety"));
            if !said && !line.contains("SAFETY:") {
                faults.push(format!("{path}:{}: unsafe without a SAFETY comment", at + 1));
            }
        }
    }
    println!("{seen} places of unsafe");
    report(
        "what the compiler cannot check is kept in few rooms, each place with the reason why it \
         holds",
        &faults,
    );
}

#[test]
fn the_core_knows_no_world() {
    // Addresses are values; sockets are not.
    const FORBIDDEN: &[(&str, &str)] = &[
        ("HashMap::new", "a random seed: the same events must give the same effects"),
        ("HashSet::new", "a random seed: the same events must give the same effects"),
        ("RandomState", "a random seed: the same events must give the same effects"),
        ("Instant", "a clock: time comes in as a parameter"),
        ("SystemTime", "a clock: time comes in as a parameter"),
        ("std::thread", "a thread: the core is one door"),
        ("std::env", "the environment: settings come in as Config"),
        ("std::fs", "a file: the shell does the disk"),
        ("std::process", "a process: the core ends nothing"),
        ("TcpStream", "a socket: the shell does the network"),
        ("TcpListener", "a socket: the shell does the network"),
        ("UdpSocket", "a socket: the shell does the network"),
        ("std::io", "input or output: bytes come in and go out as slices"),
        ("println!", "output: say it with Effect::Log"),
        ("log::", "a logger: say it with Effect::Log"),
    ];
    let mut faults = Vec::new();
    for (path, text) in sources("agent/core/src") {
        for (at, line) in text.lines().enumerate() {
            let code = code_of(line);
            for (word, reason) in FORBIDDEN {
                let hit = code.match_indices(word).any(|(at, _)| {
                    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                if hit {
                    faults.push(format!("{path}:{}: {word} is {reason}", at + 1));
                }
            }
        }
    }
    report("the core decides and touches nothing, so that every run can be replayed", &faults);
}

#[test]
fn nothing_committed_names_this_machine() {
    let listed = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output();
    let Ok(listed) = listed else { return println!("skipped: git is not installed") };
    let names = String::from_utf8(listed.stdout).expect("names are text");
    let mut faults = Vec::new();
    let home = ["/wo", "rk/"].concat();
    let needles = [home.as_str(), "/home/", "/root/", "/Users/"];
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        if name == "tests/tests/house.rs" {
            continue;
        }
        let Ok(bytes) = std::fs::read(root().join(name)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        for (at, line) in text.lines().enumerate() {
            // A path begins a word: `a/work/b` is a relative one.
            let hit = needles.iter().any(|needle| {
                line.match_indices(needle).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/}".contains(c))
                })
            });
            if hit {
                faults.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    report("a path of the machine it was written on breaks on every other machine", &faults);
}

#[test]
fn the_daemon_stays_light() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .arg("tree")
        .args(["-p", "zk-agent", "-e", "normal,build", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}", "--offline", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).expect("names are text");
    let crates: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split(" (").next()).filter(|l| !l.is_empty()).collect();
    println!("{} crates", crates.len());
    assert!(
        crates.len() <= DAEMON_CRATES_MAX,
        "{} crates in the daemon's tree, {DAEMON_CRATES_MAX} at most: each one is code that runs \
         with the data in its hands:\n{crates:#?}",
        crates.len()
    );
}
