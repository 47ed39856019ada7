//! What a developer runs: `cargo xtask bench` measures our server beside its peers, `cargo xtask sim`
//! simulates ensembles, `cargo xtask header` and `capi` make the C library, `cargo xtask dropin` links
//! the drop-in for Apache's C client.
//!
//! The yardstick (generators, scripts, the null server) is kept beside the repository, in the folder
//! that `ZK_BENCH` names or `../shared/bench`; this only builds what is measured and calls it.
#![forbid(unsafe_code)]

mod library;

mod capi;
mod changelog;
mod deb;
mod dropin;
mod licences;
mod manual;
mod oci;
mod rpm;
mod stage;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const USAGE: &str = "\
usage: cargo xtask sim COUNT [FIRST]

Simulates so many ensembles under faults, from a seed on (1), on two threads; reports what came.

usage: cargo xtask header [--check]

Makes include/zkclient.h from libzkclient/src/ffi, or says whether it is stale.

usage: cargo xtask release

Builds zk-agent and zkctl for release as they are packaged: without a path of this machine in them.

usage: cargo xtask deb [--out DIR] [--version VERSION]

Builds all Debian packages into target/deb, offline after cargo fetch. The same source gives the same bytes.

usage: cargo xtask rpm [--out DIR] [--version VERSION]

The same for rpm, into target/rpm.

usage: cargo xtask capi [--out DIR] [--prefix PREFIX] [--libdir DIR] [--profile PROFILE]

Builds libzkclient for C: headers, shared and static library, and what pkg-config and CMake read.

usage: cargo xtask dropin [--out DIR] [--profile PROFILE]

Links libzookeeper_mt and libzookeeper_st (.so.2 and .a) into target/dropin.

usage: cargo xtask oci [--out FILE] [--binaries DIR] [--name NAME]

Packs zk-agent and zkctl as an image for containers, target/oci/zk-agent.tar.

usage: cargo xtask bench [--rounds N] [--seconds N] [--configs LIST] [--rows LIST] [--out FILE]

Builds the server for release and runs the yardstick's matrix with it; prints medians as Markdown.
  --rounds   rounds of all configurations, interleaved (1)
  --seconds  seconds of each row (3)
  --configs  who is measured (\"ours-1-pin zk39-1-pin null-1-pin\")
  --rows     what is measured, as matrix.sh takes it (\"get 1 1|get 100 10|set 100 1|...\")
  --out      where the raw results go (target/bench/matrix.txt, begun anew)
";

/// What is measured unless it is said otherwise: the rows that the design stands on.
const ROWS: &str = "get 1 1|get 100 1|get 1 100|get 100 10|set 1 1|set 100 1|set 100 10|\
    create 100 10|mixed 100 10";

struct Bench {
    rounds: String,
    seconds: String,
    configs: String,
    rows: String,
    out: PathBuf,
}

fn parse(mut arguments: impl Iterator<Item = String>, root: &Path) -> Result<Bench, String> {
    let mut bench = Bench {
        rounds: "1".to_owned(),
        seconds: "3".to_owned(),
        configs: "ours-1-pin zk39-1-pin null-1-pin".to_owned(),
        rows: ROWS.to_owned(),
        out: target(root).join("bench/matrix.txt"),
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let counts = matches!(name.as_str(), "--rounds" | "--seconds");
        if counts && value.parse::<u32>().is_err() {
            return Err(format!("{name} {value}: not a number"));
        }
        match name.as_str() {
            "--rounds" => bench.rounds = value,
            "--seconds" => bench.seconds = value,
            "--configs" => bench.configs = value,
            "--rows" => bench.rows = value,
            "--out" => bench.out = PathBuf::from(value),
            _ => return Err(format!("{name} is no option")),
        }
    }
    Ok(bench)
}

/// The root of the workspace.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("xtask stands in the workspace").to_owned()
}

fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}")) }
}

/// What a command prints.
fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{name}: {error}"))
}

/// A folder, with those above it.
fn folder(path: &Path) -> Result<(), String> {
    std::fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied = std::fs::copy(from, to);
    copied.map(|_| ()).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

/// A symbolic link in a folder, made anew.
fn alias(folder: &Path, to: &str, name: &str) -> Result<(), String> {
    let link = folder.join(name);
    // It is not there the first time.
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(to, &link).map_err(|error| format!("{}: {error}", link.display()))
}

fn bench(bench: &Bench, root: &Path) -> Result<(), String> {
    let yardstick =
        std::env::var_os("ZK_BENCH").map_or_else(|| root.join("../shared/bench"), PathBuf::from);
    if !yardstick.join("matrix.sh").is_file() {
        let place = yardstick.display();
        return Err(format!("{place} holds no matrix.sh; set ZK_BENCH to the yardstick's folder"));
    }
    release(root, &target(root))?;
    folder(bench.out.parent().ok_or("--out needs a file in a folder")?)?;
    write(&bench.out, "")?;
    run(Command::new("bash")
        .arg(yardstick.join("matrix.sh"))
        .args([bench.out.as_os_str()])
        .args([&bench.rounds, &bench.seconds])
        .env("OURS", target(root).join("release/zk-agent"))
        .env("CONFIGS", &bench.configs)
        .env("SUBSET", "")
        .env("MODES_FULL", &bench.rows))?;
    run(Command::new("python3").arg(yardstick.join("summarize.py")).arg(&bench.out))
}

/// The binaries as they are packaged. Named together wherever they are built, so that they are built
/// once.
fn release(root: &Path, target: &Path) -> Result<PathBuf, String> {
    library::build(root, target, "release", &["zk-agent", "zkctl"])
}

fn sim(mut arguments: impl Iterator<Item = String>, root: &Path) -> Result<(), String> {
    let count = arguments.next().ok_or("sim needs a number of seeds")?;
    let first = arguments.next().unwrap_or_else(|| "1".to_owned());
    if count.parse::<u64>().is_err() || first.parse::<u64>().is_err() {
        return Err(format!("sim {count} {first}: not numbers"));
    }
    run(Command::new(library::cargo())
        .args(["run", "--quiet", "--profile", "sim", "-p", "zk-tests", "--bin", "zk-sim", "--"])
        .args(["-j", "2", &first, &count])
        .current_dir(root))
}

fn main() -> ExitCode {
    let root = root();
    let mut arguments = std::env::args().skip(1);
    let result = match arguments.next().as_deref() {
        Some("bench") => parse(arguments, &root).and_then(|settings| bench(&settings, &root)),
        Some("sim") => sim(arguments, &root),
        Some("header") => capi::header(arguments, &root),
        Some("deb") => deb::run(arguments, &root, &target(&root)),
        Some("rpm") => rpm::run(arguments, &root, &target(&root)),
        Some("release") => release(&root, &target(&root)).map(|_| ()),
        Some("capi") => capi::run(arguments, &root, &target(&root)),
        Some("dropin") => dropin::run(arguments, &root, &target(&root)),
        Some("oci") => oci::run(arguments, &root, &target(&root)),
        Some("--help" | "-h") | None => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => Err(format!("{other} is no task; see cargo xtask --help")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
