//! What applications do with kazoo, in a process of its own (`tests/chaos/recipes.py`), and whether
//! all that held.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::tool::run;

/// How long it may take to look at what has come of all of it.
const END_LIMIT: Duration = Duration::from_secs(240);

/// The running process.
#[derive(Debug)]
pub struct Recipes {
    child: Child,
    output: PathBuf,
}

impl Recipes {
    /// Starts it with a Python that has kazoo.
    pub fn start(python: &Path, home: &Path, places: &[SocketAddr], seed: u64) -> Recipes {
        let output = home.join("recipes");
        let file = File::create(&output).expect("a file of our own");
        let errors = File::create(home.join("recipes-errors")).expect("a file of our own");
        let hosts: Vec<String> = places.iter().map(SocketAddr::to_string).collect();
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("chaos/recipes.py"));
        command.arg(hosts.join(",")).arg(seed.to_string());
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        Recipes { child: command.spawn().expect("python runs"), output }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// It works as long as it isn't told to end.
    ///
    /// # Panics
    /// When it has ended, with what it said.
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("a child of ours");
        assert_eq!(ended, None, "{}", self.said());
    }

    /// Has it end and look whether all is as it must be; the sessions it had.
    ///
    /// # Panics
    /// When something isn't, with what it said.
    pub fn finish(mut self) -> BTreeSet<i64> {
        self.assert_alive();
        run("kill", &["-TERM", &self.child.id().to_string()]);
        let status = self.wait();
        let said = self.said();
        assert!(status.is_some_and(|status| status.success()), "recipes: {status:?}\n{said}");
        let summary = said.lines().find(|line| line.starts_with("recipes ")).unwrap_or_default();
        println!("chaos: {summary}");
        let sessions = said.lines().find_map(|line| line.strip_prefix("sessions "));
        let sessions = sessions.expect("it tells them").split_whitespace();
        sessions.map(|session| session.parse().expect("a session")).collect()
    }

    fn wait(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + END_LIMIT;
        while Instant::now() < deadline {
            let ended = self.child.try_wait().expect("a child of ours");
            if ended.is_some() {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Recipes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
