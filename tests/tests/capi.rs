//! The C library as C programs see it.
//!
//! Goal: header and library do what they say to any C99, C++11 and C++17 compiler, and a program
//! that uses them in any wrong way gets a code and neither crashes nor leaks.
//! Method: the library is built as it is installed; the programs of `tests/c/capi` are compiled
//! against it and run plain, under valgrind and with AddressSanitizer, against real servers and
//! against one that says anything. The examples are built and run as their readers would.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use zk_tests::fixture;
use zk_tests::program::{root, run, target, xtask};
use zk_tests::rng::Rng;
use zk_tests::scratch::Scratch;
use zk_tests::stranger::hostile;
use zk_tests::tools::{need, tool};

/// The prefix with the library, built once.
fn prefix() -> PathBuf {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().expect("a build that fails fails every test");
    let make = || {
        let out = target().join("capi-tests");
        let text = out.to_string_lossy().into_owned();
        let done = xtask(&["capi", "--profile", "dev", "--out", &text]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        out
    };
    built.get_or_insert_with(make).clone()
}

const STRICT: &[&str] = &["-pedantic", "-Wall", "-Wextra", "-Werror", "-g"];

/// Compiles a program against the prefix. The compiler is C's or C++'s by the file's name.
fn compile(scratch: &Scratch, sources: &[PathBuf], extra: &[&str]) -> Option<PathBuf> {
    let cpp = sources.iter().any(|source| source.extension().is_some_and(|e| e == "cpp"));
    let (compiler, standard) = if cpp { ("c++", "-std=c++17") } else { ("cc", "-std=c99") };
    let compiler = need(tool(compiler))?;
    let (prefix, name) = (prefix(), sources[0].file_stem().expect("a source has a name"));
    let out = scratch.path().join(name);
    let lib = prefix.join("lib");
    let done = Command::new(compiler)
        .arg(standard)
        .args(STRICT)
        .args(extra)
        .arg("-I")
        .arg(prefix.join("include"))
        .arg("-o")
        .arg(&out)
        .args(sources)
        .arg("-L")
        .arg(&lib)
        .arg(format!("-Wl,-rpath,{}", lib.display()))
        .args(["-lzkclient", "-lpthread"])
        .output()
        .expect("a compiler runs");
    assert!(done.status.success(), "{name:?}: {}", String::from_utf8_lossy(&done.stderr));
    Some(out)
}

fn source(name: &str) -> Vec<PathBuf> {
    vec![root().join("tests/c/capi").join(format!("{name}.c"))]
}

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Under {
    Nothing,
    Valgrind,
    Sanitizer,
}

fn program(name: &str, under: Under, arguments: &[String]) {
    let scratch = Scratch::new("capi");
    let sanitize: &[&str] = match under {
        Under::Sanitizer => &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        _ => &[],
    };
    let Some(path) = compile(&scratch, &source(name), sanitize) else { return };
    let mut command = match under {
        Under::Valgrind => {
            let Some(valgrind) = need(tool("valgrind")) else { return };
            let mut command = Command::new(valgrind);
            command.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
            command.args(["--errors-for-leak-kinds=definite,indirect,possible"]);
            command.arg("--show-leak-kinds=definite,indirect,possible").arg(path);
            command
        }
        _ => Command::new(path),
    };
    let text = run(command.args(arguments).env("ASAN_OPTIONS", "detect_leaks=1"));
    assert!(text.starts_with("done"), "{name}: {text}");
}

fn with_server(name: &str, under: &[Under], more: &[&str]) {
    for under in under {
        let Some(server) = fixture::server() else { return };
        let mut arguments = vec![server.address().to_string()];
        arguments.extend(more.iter().map(|word| word.to_string()));
        program(name, *under, &arguments);
    }
}

const ALL: &[Under] = &[Under::Nothing, Under::Valgrind, Under::Sanitizer];

#[test]
fn the_header_is_what_the_code_says() {
    let done = xtask(&["header", "--check"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Two translation units that both see the header, in each language that may.
#[test]
fn the_header_is_fit_for_every_compiler() {
    let scratch = Scratch::new("header");
    let (one, two) = (scratch.path().join("one"), scratch.path().join("two"));
    let text = "#include <zkclient.h>\nint other(void);\n";
    for (compiler, standard, end) in
        [("cc", "-std=c99", "c"), ("c++", "-std=c++11", "cpp"), ("cc", "-std=c17", "c")]
    {
        let Some(compiler) = need(tool(compiler)) else { return };
        let (one, two) = (one.with_extension(end), two.with_extension(end));
        let main = "int main(void) { return other() + (zkc_version() == 0); }\n";
        std::fs::write(&one, format!("{text}{main}")).unwrap();
        std::fs::write(&two, format!("{text}int other(void) {{ return ZKC_OK; }}\n")).unwrap();
        let mut command = Command::new(compiler);
        command.arg(standard).args(STRICT).arg("-Wshadow").arg("-I");
        command.arg(prefix().join("include")).arg("-o").arg(scratch.path().join("both"));
        command.arg(&one).arg(&two).arg("-L").arg(prefix().join("lib")).arg("-lzkclient");
        run(&mut command);
    }
}

#[test]
fn the_library_shows_its_own_names_and_no_others() {
    let Some(nm) = need(tool("nm")) else { return };
    let library = prefix().join("lib/libzkclient.so.1");
    let names = run(Command::new(&nm).args(["-D", "--defined-only"]).arg(&library));
    let names: Vec<&str> =
        names.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let strange = |name: &&&str| !name.starts_with("zkc_") && !name.starts_with("ZKCLIENT_");
    assert_eq!(names.iter().filter(strange).collect::<Vec<_>>(), [] as [&&str; 0]);
    let listed = std::fs::read_to_string(root().join("libzkclient/capi/symbols.txt")).unwrap();
    let mut own: Vec<&str> = names.iter().filter_map(|name| name.split('@').next()).collect();
    own.retain(|name| name.starts_with("zkc_"));
    own.sort_unstable();
    let listed: Vec<&str> = listed.lines().filter(|line| line.starts_with("zkc_")).collect();
    assert_eq!(own, listed, "a name that was there must stay; a new one is added to the list");
    let header = std::fs::read_to_string(root().join("include/zkclient.h")).unwrap();
    for name in own {
        assert!(header.contains(&format!("{name}(")), "{name} is not in the header");
    }
    let Some(readelf) = need(tool("readelf")) else { return };
    let dynamic = run(Command::new(readelf).arg("-d").arg(&library));
    assert!(dynamic.contains("Library soname: [libzkclient.so.1]"), "{dynamic}");
    for line in dynamic.lines().filter(|line| line.contains("(NEEDED)")) {
        let libc = ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux"];
        assert!(libc.iter().any(|name| line.contains(name)), "{line}");
    }
}

#[test]
fn every_call_does_what_it_says() {
    with_server("calls", ALL, &[]);
}

#[test]
fn misuse_gets_a_code() {
    with_server("misuse", ALL, &[]);
}

#[test]
fn sixteen_threads_share_a_handle() {
    with_server("threads", ALL, &[]);
}

#[test]
fn closing_is_possible_anywhere() {
    with_server("closing", ALL, &[]);
}

#[test]
fn a_loop_of_the_callers_own_needs_no_thread() {
    with_server("loop", ALL, &[]);
}

#[test]
fn a_thousand_handles_cost_two_threads() {
    with_server("handles", &[Under::Nothing], &["1000"]);
}

#[test]
fn a_forked_child_is_refused_and_opens_its_own() {
    with_server("forked", &[Under::Nothing], &[]);
}

#[test]
fn a_server_may_say_anything() {
    for (under, rounds, seed) in
        [(Under::Nothing, "20", 1), (Under::Valgrind, "8", 2), (Under::Sanitizer, "20", 3)]
    {
        program("hostile", under, &[hostile(seed).to_string(), rounds.to_owned()]);
    }
}

/// A server that dies and comes back, over and over, under calls of every kind.
#[test]
fn a_server_may_die_at_any_moment() {
    for under in [Under::Nothing, Under::Sanitizer] {
        let Some(mut server) = fixture::server() else { return };
        let arguments = [server.address().to_string(), "15".to_owned()];
        std::thread::scope(|scope| {
            let program = scope.spawn(|| program("hostile", under, &arguments));
            let mut rng = Rng::new(7);
            while !program.is_finished() {
                std::thread::sleep(Duration::from_millis(rng.below(120) as u64));
                server.respawn();
            }
            program.join().expect("the program ends well");
        });
    }
}

#[test]
fn examples_are_what_they_show() {
    let scratch = Scratch::new("examples");
    for (folder, names) in [
        ("c", ["lock", "queue", "election", "config", "registry"]),
        ("cpp", ["lock", "queue", "election", "config", "registry"]),
    ] {
        for name in names {
            let Some(server) = fixture::server() else { return };
            let source = root().join("examples").join(folder).join(format!("{name}.{folder}"));
            let Some(path) = compile(&scratch, &[source], &[]) else { return };
            let text = run(Command::new(path).arg(server.address().to_string()));
            let last = text.lines().last().unwrap_or_default();
            assert_eq!(last, "done", "{folder}/{name}: {text}");
        }
    }
}

#[test]
fn pkg_config_and_cmake_find_it() {
    let prefix = prefix();
    let Some(pkg_config) = need(tool("pkg-config")) else { return };
    let flags = run(Command::new(pkg_config)
        .args(["--cflags", "--libs", "zkclient"])
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")));
    assert!(flags.contains("-lzkclient") && flags.contains("-I"), "{flags}");
    let Some(cmake) = need(tool("cmake")) else { return };
    let scratch = Scratch::new("cmake");
    let text = format!(
        "cmake_minimum_required(VERSION 3.10)\nproject(t C)\nfind_package(zkclient 0.1 REQUIRED)\n\
         foreach(kind zkclient static)\nadd_executable(t_${{kind}} {})\n\
         target_link_libraries(t_${{kind}} zkclient::${{kind}})\nendforeach()\n",
        root().join("tests/c/capi/misuse.c").display()
    );
    std::fs::write(scratch.path().join("CMakeLists.txt"), text).unwrap();
    let build = scratch.path().join("build");
    run(Command::new(&cmake)
        .arg("-S")
        .arg(scratch.path())
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())));
    run(Command::new(&cmake).arg("--build").arg(&build));
    let Some(server) = fixture::server() else { return };
    for kind in ["zkclient", "static"] {
        let program = build.join(format!("t_{kind}"));
        let text = run(Command::new(program).arg(server.address().to_string()));
        assert!(text.starts_with("done"), "{kind}: {text}");
    }
}
