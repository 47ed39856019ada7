//! Data races of the C libraries, looked for by ThreadSanitizer.
//!
//! Goal: whatever threads do with a handle, and whatever a server says, no memory is touched by two
//! threads without an order between them.
//! Method: both libraries and the C programs are compiled with the sanitizer and run against real
//! servers and strange ones. The compiler's switch is one that Rust doesn't promise to keep, so this
//! runs where every tool is required, and is skipped elsewhere.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use zk_tests::fixture;
use zk_tests::program::{cargo, root, run, target};
use zk_tests::rng::Rng;
use zk_tests::scratch::Scratch;
use zk_tests::stranger::hostile;
use zk_tests::tools::{need, tool};

/// What the sanitizer cannot see of the standard library, which is not compiled with it: the last
/// owner of an `Arc` frees behind a fence, and a thread's own record goes the same way.
const UNSEEN: &str = "race:alloc::sync::Arc<*>::drop_slow\nrace:<alloc::sync::Arc<std::thread::*\n";

const FLAGS: &str = "--cfg tsan -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";

/// What is linked: the two archives, and the sanitizer's own code.
#[derive(Clone)]
struct Parts {
    archives: PathBuf,
    runtime: PathBuf,
}

fn rustc(words: &[&str]) -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(words).output().expect("a compiler runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn parts() -> Result<Parts, String> {
    if std::env::var("ZK_TESTS_REQUIRE").as_deref() != Ok("1") {
        return Err("the sanitizer needs RUSTC_BOOTSTRAP; ZK_TESTS_REQUIRE=1 allows it".to_owned());
    }
    tool("cc")?;
    let version = rustc(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc names no host")?;
    let sysroot = rustc(&["--print", "sysroot"]);
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("lib");
    let names = std::fs::read_dir(&libraries).map_err(|e| format!("{libraries:?}: {e}"))?;
    let mut names = names.flatten().map(|entry| entry.path());
    let runtime = names.find(|path| path.to_string_lossy().ends_with("_rt.tsan.a"));
    let runtime = runtime.ok_or_else(|| format!("{} has no tsan", libraries.display()))?;
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().expect("a build that fails fails every test");
    let build = || {
        let folder = target().join("races");
        let mut command = cargo();
        command.args(["build", "--quiet", "-p", "zkclient-capi", "-p", "zkclient-dropin"]);
        command.args(["--target", host]).env("CARGO_TARGET_DIR", &folder);
        run(command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS));
        folder.join(host).join("debug")
    };
    Ok(Parts { archives: built.get_or_insert_with(build).clone(), runtime })
}

/// Compiles with the sanitizer, and links with the one that came with the library.
fn link(
    parts: &Parts,
    scratch: &Scratch,
    sources: &[&str],
    flags: &[&str],
    archive: &str,
) -> PathBuf {
    let mut objects = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let object = scratch.path().join(format!("{number}.o"));
        let mut command = Command::new("cc");
        command.args(["-g", "-O1", "-fsanitize=thread", "-c", "-o"]).arg(&object);
        run(command.args(flags).arg(source).current_dir(root()));
        objects.push(object);
    }
    let program = scratch.path().join("program");
    let mut command = Command::new("cc");
    command.arg("-o").arg(&program).args(&objects).arg(parts.archives.join(archive));
    command.arg("-Wl,--whole-archive").arg(&parts.runtime).arg("-Wl,--no-whole-archive");
    run(command.args(["-lgcc_s", "-lpthread", "-ldl", "-lm"]));
    program
}

fn own(parts: &Parts, scratch: &Scratch, name: &str) -> PathBuf {
    let source = format!("tests/c/capi/{name}.c");
    link(parts, scratch, &[&source], &["-std=c99", "-Iinclude"], "libzkcapi.a")
}

/// Ready to run; the first race ends it with a code of its own.
fn watched(scratch: &Scratch, program: &Path) -> Command {
    let unseen = scratch.path().join("unseen");
    std::fs::write(&unseen, UNSEEN).expect("a scratch directory can be written");
    let options = format!("suppressions={} halt_on_error=1 exitcode=66", unseen.display());
    let mut command = Command::new(program);
    command.env("TSAN_OPTIONS", options);
    command
}

#[test]
fn the_sanitizer_sees_a_race() {
    let Some(parts) = need(parts()) else { return };
    let scratch = Scratch::new("races");
    let program = own(&parts, &scratch, "planted");
    let output = watched(&scratch, &program).output().expect("what was compiled runs");
    assert_eq!(output.status.code(), Some(66));
    assert!(String::from_utf8_lossy(&output.stderr).contains("data race"));
}

#[test]
fn the_c_library_has_no_races() {
    let Some(parts) = need(parts()) else { return };
    for name in ["calls", "misuse", "threads", "closing", "loop"] {
        let Some(server) = fixture::server() else { return };
        let scratch = Scratch::new("races");
        let program = own(&parts, &scratch, name);
        let text = run(watched(&scratch, &program).arg(server.address().to_string()));
        assert!(text.starts_with("done"), "{name}: {text}");
    }
}

#[test]
fn strange_and_dying_servers_make_no_races() {
    let Some(parts) = need(parts()) else { return };
    let scratch = Scratch::new("races");
    let program = own(&parts, &scratch, "hostile");
    let text = run(watched(&scratch, &program).arg(hostile(4).to_string()).arg("20"));
    assert!(text.starts_with("done"), "{text}");
    let Some(mut server) = fixture::server() else { return };
    let address = server.address().to_string();
    std::thread::scope(|scope| {
        let calls = scope.spawn(|| run(watched(&scratch, &program).arg(&address).arg("15")));
        let mut rng = Rng::new(8);
        while !calls.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(rng.below(120) as u64));
            server.respawn();
        }
        assert!(calls.join().expect("no race").starts_with("done"));
    });
}

#[test]
fn the_drop_in_has_no_races() {
    let Some(parts) = need(parts()) else { return };
    for name in ["crowd", "misuse"] {
        let Some(server) = fixture::server() else { return };
        let scratch = Scratch::new("races");
        let source = format!("tests/c/dropin/{name}.c");
        let sources = [&source, "libzkclient/dropin/shim.c", "libzkclient/dropin/jute.c"];
        let flags = ["-std=gnu11", "-Iinclude/zookeeper", "-DTHREADED", "-DZKD_THREADED=1"];
        let program = link(&parts, &scratch, &sources, &flags, "libzkdropin.a");
        run(watched(&scratch, &program).arg(server.address().to_string()));
    }
}
