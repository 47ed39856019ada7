//! Servers as processes: ours and genuine Apache ones, on loopback, with a directory of their own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::scratch::Scratch;
use crate::tools::{self, Release};
use crate::words;

/// How long a server may take to serve. A Java server on two busy cores is slow.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Which program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Our binary.
    Ours,
    /// A genuine one.
    Apache(Release),
}

impl Kind {
    /// What the tests run against: ours, or with `ZK_TEST_TARGET=apache` (or `apache38`) a genuine
    /// server, to test the tests.
    pub fn from_env() -> Kind {
        match std::env::var("ZK_TEST_TARGET").as_deref() {
            Ok("apache") => Kind::Apache(Release::Apache39),
            Ok("apache38") => Kind::Apache(Release::Debian38),
            _ => Kind::Ours,
        }
    }

    /// True for a genuine server.
    pub fn is_apache(self) -> bool {
        self != Kind::Ours
    }
}

/// What a test wants of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which program.
    pub kind: Kind,
    /// Lines of zoo.cfg beyond the usual ones; later lines win.
    pub config: Vec<String>,
    /// Files to put into the data directory before the first start, by relative path.
    pub files: Vec<(String, Vec<u8>)>,
    /// JVM properties, which our binary gets as `-Dname=value` in JVMFLAGS.
    pub properties: Vec<(String, String)>,
    /// The JVM's heap in MiB; nothing to ours.
    pub heap_mb: u32,
}

impl Options {
    /// The usual server of that kind.
    pub fn new(kind: Kind) -> Options {
        let (config, files, properties) = (Vec::new(), Vec::new(), Vec::new());
        Options { kind, config, files, properties, heap_mb: 768 }
    }

    /// Adds a line of zoo.cfg.
    pub fn line(mut self, line: &str) -> Options {
        self.config.push(line.to_owned());
        self
    }

    /// Adds a JVM property.
    pub fn property(mut self, name: &str, value: &str) -> Options {
        self.properties.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a file into the data directory before the first start.
    pub fn file(mut self, path: &str, bytes: Vec<u8>) -> Options {
        self.files.push((path.to_owned(), bytes));
        self
    }

    /// Starts on a copy of the data directory of another server.
    pub fn data_of(mut self, other: &Server) -> Options {
        let root = other.home().join("data");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                self.files.push((name, std::fs::read(&path).expect("a file")));
            }
        }
        self
    }

    fn config_text(&self, data: &Path, port: u16) -> String {
        let mut text = format!(
            "tickTime=2000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n\
             extendedTypesEnabled=true\n",
            data.display()
        );
        for line in &self.config {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// A running server; stopped on drop.
#[derive(Debug)]
pub struct Server {
    options: Options,
    home: Scratch,
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    fn new(options: Options) -> Server {
        let home = Scratch::new(if options.kind.is_apache() { "apache" } else { "ours" });
        for (path, bytes) in &options.files {
            let path = home.path().join("data").join(path);
            std::fs::create_dir_all(path.parent().expect("a file stands in a folder"))
                .and_then(|()| std::fs::write(&path, bytes))
                .expect("a test can write its files");
        }
        Server { options, home, address: free_address(), child: None }
    }

    /// Starts one and waits until it serves. An error says what tool is missing; everything else
    /// that goes wrong is a panic with the server's output.
    pub fn start(options: Options) -> Result<Server, String> {
        let mut server = Server::new(options);
        for attempt in 0..3 {
            match server.launch() {
                Ok(()) => return Ok(server),
                Err(Failed::Tool(missing)) => return Err(missing),
                Err(Failed::Start(_)) if attempt < 2 => server.address = free_address(),
                Err(Failed::Start(output)) => panic!("the server did not start:\n{output}"),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// What a server prints that does not start; a panic when it does.
    pub fn refusal(options: Options) -> Result<String, String> {
        let mut server = Server::new(options);
        match server.launch() {
            Ok(()) => panic!("the server should not have started:\n{}", server.output()),
            Err(Failed::Tool(missing)) => Err(missing),
            Err(Failed::Start(output)) => Ok(output),
        }
    }

    /// Starts one that is to listen at an address, and does not wait until it serves.
    pub fn spawn(options: Options, address: SocketAddr) -> Result<Server, String> {
        let mut server = Server::new(options);
        server.address = address;
        server.run(true)?;
        Ok(server)
    }

    /// Starts it again on the same directory and port, and does not wait until it serves.
    pub fn respawn(&mut self) {
        self.kill();
        self.run(true).expect("what ran once runs again");
    }

    /// As [`Server::respawn`], with the files of settings as the server left them.
    pub fn respawn_as_left(&mut self) {
        self.kill();
        self.run(false).expect("what ran once runs again");
    }

    /// Whether the process is there.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts it again on the same directory and port.
    pub fn restart(&mut self) {
        self.kill();
        match self.launch() {
            Ok(()) => {}
            Err(Failed::Tool(text) | Failed::Start(text)) => {
                panic!("the server did not start again:\n{text}")
            }
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory that holds zoo.cfg, the data and the output.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Which program it is.
    pub fn kind(&self) -> Kind {
        self.options.kind
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.home().join("output")).unwrap_or_default()
    }

    /// Ends it at once, by SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends its process a signal: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let signalled = Command::new("kill").arg(format!("-{name}")).arg(pid).status();
        assert!(signalled.expect("kill runs").success(), "the process can be signalled");
    }

    /// Asks it to end by SIGTERM; the exit status, or a panic when it does not end in time.
    pub fn terminate(&mut self, limit: Duration) -> std::process::ExitStatus {
        self.signal("TERM");
        let mut child = self.child.take().expect("the server runs");
        wait_exit(&mut child, limit).unwrap_or_else(|| {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server did not end within {limit:?}:\n{}", self.output())
        })
    }

    /// Starts the process; `fresh`: with settings as the options say.
    fn run(&mut self, fresh: bool) -> Result<(), String> {
        let config = self.home().join("zoo.cfg");
        let data = self.home().join("data");
        std::fs::create_dir_all(&data).expect("a test can make a directory");
        if fresh {
            std::fs::write(&config, self.options.config_text(&data, self.address.port()))
                .expect("a test can write its files");
        }
        let mut command = command(&self.options, &config)?;
        // What it printed in former lives stays.
        let mut open = std::fs::OpenOptions::new();
        let output = open.create(true).append(true).open(self.home().join("output"));
        let output = output.expect("a file");
        let errors = output.try_clone().expect("a file");
        command.current_dir(self.home()).stdin(Stdio::null()).stdout(output).stderr(errors);
        self.child = Some(command.spawn().map_err(|error| error.to_string())?);
        Ok(())
    }

    fn launch(&mut self) -> Result<(), Failed> {
        self.run(true).map_err(Failed::Tool)?;
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("it was started");
            if let Ok(Some(status)) = child.try_wait() {
                self.child = None;
                return Err(Failed::Start(format!("{status}\n{}", self.output())));
            }
            if serves(self.address) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
        Err(Failed::Start(format!("not serving after {START_LIMIT:?}\n{}", self.output())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

enum Failed {
    Tool(String),
    Start(String),
}

/// The command that runs a server on a configuration file.
pub fn command(options: &Options, config: &Path) -> Result<Command, String> {
    let mut command = match options.kind {
        Kind::Ours => {
            let mut command = guarded(&our_binary()?);
            command.arg("--config").arg(config);
            let flags: Vec<String> =
                options.properties.iter().map(|(k, v)| format!("-D{k}={v}")).collect();
            command.env("JVMFLAGS", flags.join(" "));
            command
        }
        Kind::Apache(release) => {
            let class_path = tools::class_path(release)?;
            let mut command = guarded(Path::new("java"));
            command.arg(format!("-Xmx{}m", options.heap_mb));
            command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
            command.arg(format!("-Dlog4j2.configurationFile={}", log_settings(config)));
            command.arg("-Dzookeeper.admin.enableServer=false");
            command.args(options.properties.iter().map(|(k, v)| format!("-D{k}={v}")));
            command.arg("-cp").arg(class_path);
            command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(config);
            command
        }
    };
    command.env_remove("ZK_TEST_TARGET");
    Ok(command)
}

/// Has the log of a genuine server printed, from INFO up; says where that is written.
fn log_settings(config: &Path) -> String {
    const TEXT: &str = r#"<Configuration status="WARN"><Appenders><Console name="C">
<PatternLayout pattern="%d{ISO8601} %-5p [%t:%C{1}@%L] - %m%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="C"/></Root></Loggers></Configuration>
"#;
    let path = config.with_file_name("log4j2.xml");
    std::fs::write(&path, TEXT).expect("a test can write its files");
    path.display().to_string()
}

/// A command whose process ends when the test's thread does, however that ends.
fn guarded(program: &Path) -> Command {
    match tools::which("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Our server: `$ZK_AGENT_BIN`, or what cargo builds beside this test.
pub fn our_binary() -> Result<PathBuf, String> {
    match std::env::var_os("ZK_AGENT_BIN") {
        // Servers run in directories of their own.
        Some(path) => std::path::absolute(path).map_err(|error| error.to_string()),
        None => built("zk-agent"),
    }
}

/// A binary of the workspace, in the target directory that this program came from. Cargo does not
/// build the binaries of other packages for a test, so it is asked to, once for each.
pub fn built(name: &str) -> Result<PathBuf, String> {
    static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let dir = here.parent().and_then(|dir| match dir.ends_with("deps") {
        true => dir.parent(),
        false => Some(dir),
    });
    let path = dir.expect("a test runs from a target directory").join(name);
    let mut done = BUILT.lock().expect("no build has panicked");
    if let (Some(cargo), false) = (std::env::var_os("CARGO"), done.iter().any(|n| n == name)) {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "-p", name]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if path.parent().is_some_and(|dir| dir.ends_with("release")) {
            build.arg("--release");
        }
        let status = build.status().map_err(|error| error.to_string())?;
        assert!(status.success(), "{name} does not build");
        done.push(name.to_owned());
    }
    match path.is_file() {
        true => Ok(path),
        false => Err(format!("{} is not built; run cargo build --workspace", path.display())),
    }
}

/// Loopback addresses that nobody listens on now, all different. They lie below the ports that the
/// kernel gives to connections, so that none is taken before a server listens on it.
pub fn free_addresses(count: usize) -> Vec<SocketAddr> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut found: Vec<(SocketAddr, TcpListener)> = Vec::new();
    while found.len() < count {
        // Processes begin at different places, threads go on from each other.
        let at = std::process::id().wrapping_mul(611) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (10_000 + at % 22_000) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if let Ok(listener) = TcpListener::bind(address) {
            found.push((address, listener));
        }
    }
    found.into_iter().map(|(address, _)| address).collect()
}

/// A loopback address that nobody listens on now.
pub fn free_address() -> SocketAddr {
    free_addresses(1)[0]
}

fn serves(address: SocketAddr) -> bool {
    // A server that is still starting may take a connection and never answer on it.
    let patience = Duration::from_millis(500);
    if TcpStream::connect_timeout(&address, patience).is_err() {
        return false;
    }
    words::ask_within(address, "srvr", patience).is_ok_and(|text| text.contains("Mode: "))
}

/// Waits until a process ends; `None` when it did not in time.
pub fn wait_exit(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
