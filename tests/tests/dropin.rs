//! The drop-in for Apache's C client: the same programs with Apache's library and with ours.
//!
//! Programs of `tests/c/dropin` are compiled against Debian's headers, run once with each library
//! against one server, and must print the same. Debian's own programs run on ours, too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use zk_tests::ensemble::Ensemble;
use zk_tests::fixture::{self, Conn};
use zk_tests::program::{root, target, xtask};
use zk_tests::record;
use zk_tests::scratch::Scratch;
use zk_tests::server::{Kind, Server, wait_exit};
use zk_tests::tools::{need, tool};
use zk_wire::Op;

const APACHE_HEADERS: &str = "/usr/include/zookeeper";
const APACHE_LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(60);

fn file(path: impl Into<PathBuf>, package: &str) -> Result<PathBuf, String> {
    let path = path.into();
    match path.is_file() {
        true => Ok(path),
        false => Err(format!("{} (Debian's package {package})", path.display())),
    }
}

/// The folder with our libraries, linked once.
fn ours() -> PathBuf {
    static LINKED: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut linked = LINKED.lock().expect("a link that fails fails every test");
    linked
        .get_or_insert_with(|| {
            let out = target().join("dropin-tests");
            let text = out.to_string_lossy().into_owned();
            let done = xtask(&["dropin", "--profile", "dev", "--out", &text]);
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            out
        })
        .clone()
}

/// Which of the two libraries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Threads {
    Mt,
    St,
}

impl Threads {
    fn name(self) -> &'static str {
        match self {
            Threads::Mt => "libzookeeper_mt.so.2",
            Threads::St => "libzookeeper_st.so.2",
        }
    }

    /// Debian's library.
    fn apache(self) -> Result<PathBuf, String> {
        let package = if self == Threads::Mt { "libzookeeper-mt2" } else { "libzookeeper-st2" };
        file(Path::new(APACHE_LIBRARIES).join(self.name()), package)
    }
}

fn run(command: &mut Command, what: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{what}: {}\n{said}", output.status);
}

/// Compiles a program of `tests/c/dropin` against headers and Debian's library.
fn compile(name: &str, threads: Threads, headers: &str, more: &[&str], to: &Scratch) -> PathBuf {
    let program = to.path().join(name);
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-I", headers]).args(more);
    if threads == Threads::Mt {
        cc.arg("-DTHREADED");
    }
    cc.arg(root().join(format!("tests/c/dropin/{name}.c"))).arg("-o").arg(&program);
    cc.arg(Path::new(APACHE_LIBRARIES).join(threads.name())).arg("-lpthread");
    run(&mut cc, name);
    program
}

/// Runs a program with the libraries of a folder; what it prints.
fn printed(program: &Path, libraries: &Path, argument: &str) -> String {
    let mut child = Command::new(program)
        .arg(argument)
        .env("LD_LIBRARY_PATH", libraries)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("what was compiled runs");
    let status = wait_exit(&mut child, LIMIT);
    if status.is_none() {
        let _ = child.kill();
    }
    let output = child.wait_with_output().expect("a child can be waited for");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (name, place) = (program.display(), libraries.display());
    let status = status.unwrap_or_else(|| panic!("{name} hangs with {place}:\n{text}"));
    assert!(status.success(), "{name} with {place}: {status}\n{text}");
    text
}

fn same(ours: &str, apache: &str) {
    for (at, (ours, apache)) in ours.lines().zip(apache.lines()).enumerate() {
        assert_eq!(ours, apache, "line {}: ours is on the left", at + 1);
    }
    assert_eq!(ours.lines().count(), apache.lines().count(), "one of them prints less");
}

/// A server, and the tools that every comparison needs.
fn ready(threads: Threads) -> Option<Server> {
    need(tool("cc"))?;
    need(file(Path::new(APACHE_HEADERS).join("zookeeper.h"), "libzookeeper-mt-dev"))?;
    need(threads.apache())?;
    fixture::server()
}

fn compare(name: &str, threads: Threads, more: &[&str], argument: impl Fn(&Server) -> String) {
    let Some(server) = ready(threads) else { return };
    let scratch = Scratch::new("dropin");
    let program = compile(name, threads, APACHE_HEADERS, more, &scratch);
    let apache = printed(&program, Path::new(APACHE_LIBRARIES), &argument(&server));
    let ours = printed(&program, &ours(), &argument(&server));
    assert!(apache.lines().count() > 8, "{name} says nearly nothing:\n{apache}");
    same(&ours, &apache);
}

fn address(server: &Server) -> String {
    server.address().to_string()
}

#[test]
fn every_call_answers_as_apaches() {
    compare("transcript", Threads::Mt, &[], address);
}

#[test]
fn losses_and_ends_are_told_in_the_same_order() {
    compare("session", Threads::Mt, &[], |server| server.address().port().to_string());
}

/// A server by an address of its own: Apache's library takes servers of one address for one server.
fn forward(from: Ipv4Addr, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((from, 0)).expect("loopback has many addresses");
    let address = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(to) else { continue };
            for (mut from, mut to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))]
                .map(|(a, b)| (a.expect("a descriptor is free"), b.expect("a descriptor is free")))
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                    let _ = from.shutdown(Shutdown::Both);
                });
            }
        }
    });
    address
}

/// Runs `roam` on an ensemble of three with the libraries of a folder. Where it is ready, `ready` does
/// what it asks for.
fn roamed(
    (program, what): (&Path, &str),
    libraries: &Path,
    mut ensemble: Ensemble,
    ready: impl Fn(&mut Ensemble),
) -> String {
    let places: Vec<String> = (0..3u8)
        .map(|at| forward([127, 0, 0, at + 1].into(), ensemble.address(at.into())).to_string())
        .collect();
    let mut child = Command::new(program)
        .arg(what)
        .args(places)
        .env("LD_LIBRARY_PATH", libraries)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("what was compiled runs");
    let mut words = child.stdin.take().expect("it is a pipe");
    let mut text = String::new();
    for line in BufReader::new(child.stdout.take().expect("it is a pipe")).lines() {
        let line = line.expect("it prints text");
        if line.starts_with("ready: ") {
            ready(&mut ensemble);
            writeln!(words, "done").expect("it reads");
        }
        text.push_str(&line);
        text.push('\n');
    }
    let status = wait_exit(&mut child, LIMIT).expect("it closed its output and ends");
    assert!(status.success(), "{what} with {}: {status}\n{text}", libraries.display());
    text
}

fn three(properties: &[(&str, &str)]) -> Option<Ensemble> {
    let kinds = [(Kind::Ours, "participant"); 3];
    let mut ensemble = need(Ensemble::start_with(&kinds, &["tickTime=1000"], properties))?;
    ensemble.wait_serving(3);
    Some(ensemble)
}

/// A session moves when its list of servers changes and when its server dies.
#[test]
fn sessions_roam_as_apaches_do() {
    let Some(_server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let program = compile("roam", Threads::Mt, APACHE_HEADERS, &[], &scratch);
    let moved = |libraries: &Path| {
        let ensemble = three(&[])?;
        Some(roamed((&program, "moving"), libraries, ensemble, |ensemble| {
            ensemble.servers[2].kill();
        }))
    };
    let Some(apache) = moved(Path::new(APACHE_LIBRARIES)) else { return };
    assert!(apache.lines().count() > 20, "{apache}");
    same(&moved(&ours()).expect("three servers once more"), &apache);
}

/// Reading from a server without a leader, and leaving it for one that writes.
#[test]
fn read_only_clients_do_as_apaches() {
    let Some(_server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let program = compile("roam", Threads::Mt, APACHE_HEADERS, &[], &scratch);
    let read = |libraries: &Path| {
        let mut ensemble = three(&[("readonlymode.enabled", "true")])?;
        let mut conn = Conn::open(ensemble.address(0));
        conn.ok(Op::CREATE, &record::create("/seen", b"text", 0));
        ensemble.servers[1].kill();
        ensemble.servers[2].kill();
        Some(roamed((&program, "reading"), libraries, ensemble, |ensemble| {
            ensemble.respawn(1);
            ensemble.respawn(2);
        }))
    };
    let Some(apache) = read(Path::new(APACHE_LIBRARIES)) else { return };
    assert!(apache.lines().count() > 10, "{apache}");
    same(&read(&ours()).expect("three servers once more"), &apache);
}

#[test]
fn the_library_without_threads_does_the_same() {
    compare("st", Threads::St, &[], address);
}

/// A program at a fixed address holds copies of the data objects; both sides must use those.
#[test]
fn data_objects_may_be_copied_into_the_program() {
    compare("copies", Threads::Mt, &["-fno-pie", "-no-pie"], address);
    let Some(readelf) = need(tool("readelf")) else { return };
    let Some(_server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let fixed = ["-fno-pie", "-no-pie"];
    let program = compile("copies", Threads::Mt, APACHE_HEADERS, &fixed, &scratch);
    let output = Command::new(readelf).arg("-rW").arg(&program).output().expect("readelf runs");
    let copies = String::from_utf8_lossy(&output.stdout).matches("R_X86_64_COPY").count();
    assert!(copies >= 8, "{copies} copied objects: the comparison shows nothing");
}

/// What crashes or hangs in Apache's library, and every kind of wrong argument. With valgrind: no
/// error and nothing lost.
#[test]
fn misuse_is_answered() {
    let Some(server) = ready(Threads::Mt) else { return };
    let Some(valgrind) = need(tool("valgrind")) else { return };
    let scratch = Scratch::new("dropin");
    let program = compile("misuse", Threads::Mt, APACHE_HEADERS, &[], &scratch);
    for _ in 0..5 {
        assert_eq!(printed(&program, &ours(), &address(&server)), "0 failures\n");
    }
    let mut command = Command::new(valgrind);
    command.args(["-q", "--error-exitcode=9", "--leak-check=full"]);
    command.args(["--errors-for-leak-kinds=definite", "--show-leak-kinds=definite"]);
    command.arg("--child-silent-after-fork=yes").arg(&program).arg(address(&server));
    run(command.env("LD_LIBRARY_PATH", ours()).env("RUST_BACKTRACE", "0"), "misuse in valgrind");
}

/// A process that is short of descriptors or threads is told so, and goes on when it has some.
#[test]
fn limits_of_the_process_are_errors() {
    let Some(server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let program = compile("limits", Threads::Mt, APACHE_HEADERS, &[], &scratch);
    assert_eq!(printed(&program, &ours(), &address(&server)), "0 failures\n");
}

#[test]
fn a_forked_process_leaves_its_parents_handle_alone() {
    let Some(server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let program = compile("fork", Threads::Mt, APACHE_HEADERS, &[], &scratch);
    assert_eq!(printed(&program, &ours(), &address(&server)), "0 failures\n");
}

/// 16 threads on one handle, and 50 handles; callbacks put arrays of 1 MiB on their stack.
#[test]
fn a_crowd_is_served() {
    let Some(server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let program = compile("crowd", Threads::Mt, APACHE_HEADERS, &[], &scratch);
    assert_eq!(printed(&program, &ours(), &address(&server)), "0 failures\n");
}

/// The same programs with AddressSanitizer, which sees what they give to the library and take from it.
#[test]
fn memory_is_handled_as_the_interface_says() {
    for name in ["misuse", "crowd"] {
        let Some(server) = ready(Threads::Mt) else { return };
        let scratch = Scratch::new("dropin");
        let sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let program = compile(name, Threads::Mt, APACHE_HEADERS, &sanitize, &scratch);
        assert_eq!(printed(&program, &ours(), &address(&server)), "0 failures\n");
    }
}

/// A program that is compiled against our headers is as good with either library.
#[test]
fn our_headers_make_the_same_program() {
    let Some(server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let headers = root().join("include/zookeeper");
    let headers = headers.to_str().expect("a path in UTF-8");
    let program = compile("transcript", Threads::Mt, headers, &[], &scratch);
    let apache = printed(&program, Path::new(APACHE_LIBRARIES), &address(&server));
    let Some(server) = ready(Threads::Mt) else { return };
    same(&printed(&program, &ours(), &address(&server)), &apache);
}

/// The static library needs nothing but the system's, and does the same.
#[test]
fn the_static_library_links() {
    let Some(server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let program = scratch.path().join("static");
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-DTHREADED", "-I"]).arg(root().join("include/zookeeper"));
    cc.arg(root().join("tests/c/dropin/misuse.c")).arg("-o").arg(&program);
    cc.arg(ours().join("libzookeeper_mt.a")).args(["-lpthread", "-ldl", "-lm"]);
    run(&mut cc, "the static library");
    assert_eq!(printed(&program, scratch.path(), &address(&server)), "0 failures\n");
}

/// Both headers give the same layouts and numbers, but for the two records of the handshake, which
/// have got a field with 3.9.
#[test]
fn headers_have_the_same_layouts() {
    let Some(_server) = ready(Threads::Mt) else { return };
    let scratch = Scratch::new("dropin");
    let headers = root().join("include/zookeeper");
    let headers = headers.to_str().expect("a path of text");
    let libraries = Path::new(APACHE_LIBRARIES);
    let mine = compile("layout", Threads::Mt, headers, &[], &scratch);
    let mine = [printed(&mine, libraries, ""), printed(&mine, &ours(), "")];
    let apache = compile("layout", Threads::Mt, APACHE_HEADERS, &[], &scratch);
    let apache = printed(&apache, libraries, "");
    let newer = |line: &str| {
        line.starts_with("struct ConnectRequest: ") || line.starts_with("struct ConnectResponse: ")
    };
    for mine in mine {
        for (mine, apache) in mine.lines().zip(apache.lines()) {
            assert!(mine == apache || newer(mine), "{mine} instead of {apache}");
        }
        assert!(apache.lines().count() > 300 && mine.lines().count() == apache.lines().count());
    }
}

#[test]
fn headers_are_clean_c99_and_cplusplus11() {
    let Some(_cc) = need(tool("cc").and_then(|_| tool("c++"))) else { return };
    let scratch = Scratch::new("dropin");
    let text = "#include <zookeeper.h>\n#include <zookeeper_log.h>\n\
        int main(void) { if (ZOO_OPEN_ACL_UNSAFE.count) LOG_INFO(0, \"%d\", 1); return 0; }\n";
    for (compiler, standard, name) in [("cc", "c99", "h.c"), ("c++", "c++11", "h.cc")] {
        let source = scratch.path().join(name);
        std::fs::write(&source, text).expect("a test can write its files");
        for threads in ["-DTHREADED", "-UTHREADED"] {
            let mut command = Command::new(compiler);
            command.arg(format!("-std={standard}")).arg(threads).arg("-fsyntax-only");
            command.args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-I"]);
            run(command.arg(root().join("include/zookeeper")).arg(&source), standard);
        }
    }
}

/// The names that a library exports.
fn exported(library: &Path) -> Vec<String> {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output();
    let output = output.expect("nm runs");
    let text = String::from_utf8(output.stdout).expect("names are text");
    let name = |line: &str| line.split_whitespace().nth(2).map(str::to_owned);
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.sort();
    names
}

#[test]
fn symbols_are_apaches_and_one_more() {
    let Some(_nm) = need(tool("nm")) else { return };
    let Some(abidiff) = need(tool("abidiff")) else { return };
    for threads in [Threads::Mt, Threads::St] {
        let Some(apache) = need(threads.apache()) else { return };
        let ours = ours().join(threads.name());
        let mut wanted = exported(&apache);
        assert!(wanted.len() > 150, "{} names", wanted.len());
        wanted.push("zoo_version_str".to_owned());
        wanted.sort();
        assert_eq!(exported(&ours), wanted);
        // Bits of abidiff's result: 4 a change, 8 one that breaks programs.
        let status = Command::new(&abidiff).arg(&apache).arg(&ours).status().expect("it runs");
        assert_eq!(status.code().map(|code| code & !4), Some(0), "abidiff finds a break");
    }
}

/// Debian's command line, fed line by line; what it prints but for times and ids.
fn cli(program: &Path, libraries: &Path, server: &Server) -> Vec<String> {
    let mut child = Command::new(program)
        .arg(address(server))
        .env("LD_LIBRARY_PATH", libraries)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Debian's program runs");
    let mut words = child.stdin.take().expect("it is a pipe");
    // It reads on while it waits for answers; each line is to come behind the one before.
    for line in ["create /cli", "set /cli data", "get /cli", "ls /", "delete /cli"] {
        std::thread::sleep(Duration::from_millis(400));
        writeln!(words, "{line}").expect("it reads");
    }
    std::thread::sleep(Duration::from_millis(400));
    writeln!(words, "quit").expect("it reads");
    assert!(wait_exit(&mut child, LIMIT).is_some_and(|status| status.success()), "it ends well");
    let output = child.wait_with_output().expect("a child can be waited for");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let differs = ["time", "zxid", "session id", "ZOO_"];
    let keep = |line: &&str| !differs.iter().any(|word| line.contains(word));
    text.lines().filter(keep).map(str::to_owned).collect()
}

#[test]
fn debians_command_line_runs_on_ours() {
    let Some(server) = ready(Threads::Mt) else { return };
    let cli_mt = file("/usr/lib/zookeeper/bin/cli_mt", "zookeeper-bin");
    let Some(program) = need(cli_mt) else { return };
    let apache = cli(&program, Path::new(APACHE_LIBRARIES), &server);
    let ours = cli(&program, &ours(), &server);
    assert!(apache.iter().any(|line| line == "data"), "{apache:#?}");
    assert_eq!(ours, apache);
}

/// The same command line without threads, which Debian has as source only.
#[test]
fn apaches_command_line_without_threads_runs_on_ours() {
    let Some(server) = ready(Threads::St) else { return };
    let source = zk_tests::tools::peer_root().join("c-source/client/src/cli.c");
    let source = file(source, "zookeeper, as source: tests/peers.sh brings it");
    let Some(source) = need(source) else { return };
    let scratch = Scratch::new("dropin");
    let program = scratch.path().join("cli_st");
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-w", "-I", APACHE_HEADERS]).arg(&source).arg("-o").arg(&program);
    run(cc.arg(Path::new(APACHE_LIBRARIES).join(Threads::St.name())), "cli_st");
    let apache = cli(&program, Path::new(APACHE_LIBRARIES), &server);
    let ours = cli(&program, &ours(), &server);
    assert!(apache.iter().any(|line| line == "data"), "{apache:#?}");
    assert_eq!(ours, apache);
}

/// It creates, writes, reads and deletes children in rounds, for ever; one round is enough. What
/// it says of that goes through the log of the library.
#[test]
fn debians_load_generator_runs_on_ours() {
    let Some(server) = ready(Threads::Mt) else { return };
    let load_gen = file("/usr/lib/zookeeper/bin/load_gen", "zookeeper-bin");
    let Some(program) = need(load_gen) else { return };
    let scratch = Scratch::new("dropin");
    let log = scratch.path().join("log");
    let mut child = Command::new(&program)
        .args([&address(&server), "/load", "50"])
        .env("LD_LIBRARY_PATH", ours())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).expect("a test can write its files"))
        .spawn()
        .expect("Debian's program runs");
    let until = Instant::now() + LIMIT;
    let cycles = ["write", "read", "delete", "Creating"];
    let mut text = String::new();
    while Instant::now() < until && !cycles.iter().all(|cycle| text.contains(cycle)) {
        std::thread::sleep(Duration::from_millis(50));
        text = std::fs::read_to_string(&log).expect("its log is text");
    }
    let _ = child.kill();
    let _ = child.wait();
    for cycle in ["write", "read", "delete"] {
        let line = format!("Starting the {cycle} cycle for path /load");
        assert!(text.contains(&line), "{line} is missing:\n{text}");
    }
    assert!(!text.contains("ZOO_ERROR"), "{text}");
}
