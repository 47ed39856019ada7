//! What sets servers up on this machine: demo, cluster, and waiting for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use zk_tests::scratch::Scratch;
use zk_tests::server::{Kind, Options, Server, built, free_address, free_addresses};
use zk_tests::tools;

use crate::safe::three;
use crate::{Ran, binary, finish, good, server, spawn, until, zkctl};

/// A call without servers.
fn alone(words: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.env_remove("ZKCTL_SERVERS").env_remove("ZKCTL_AUTH").args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("it runs"))
}

/// Stops a demo also when its test fails.
struct Demo(PathBuf);

impl Demo {
    fn call(&self, words: &[&str]) -> Ran {
        let dir = self.0.display().to_string();
        alone(&[&["demo"], words, &["--dir", &dir]].concat())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.call(&["down", "--purge"]);
    }
}

/// Goal: one line gives three servers that lead and follow, again after they were stopped, with what
/// was written; another line ends them, and nothing is left of them.
#[test]
fn a_demo_goes_up_and_down() {
    if tools::need(built("zk-agent")).is_none() {
        return;
    }
    let scratch = Scratch::new("zkctl-demo");
    let demo = Demo(scratch.path().join("demo"));
    assert_eq!(demo.call(&["status"]).exit, 10);
    let port = free_address().port().to_string();
    let ran = demo.call(&["up", "--port", &port, "-o", "plain"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let nodes: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(nodes.len(), 3, "{ran:?}");
    assert!(nodes.iter().all(|node| node[1].starts_with("127.0.0.1:")), "{ran:?}");
    assert_eq!(ran.out.matches("\tleader\t").count(), 1, "{ran:?}");
    assert_eq!(ran.out.matches("\tfollower\t").count(), 2, "{ran:?}");
    let address = nodes[0][1];
    let made = finish(spawn(address, &["create", "/kept", "x"]));
    assert_eq!(made.exit, 0, "{made:?}");
    // Up again does no harm.
    assert_eq!(demo.call(&["up"]).exit, 0);
    assert_eq!(demo.call(&["down"]).exit, 0);
    let down = demo.call(&["status", "-o", "plain"]);
    assert_eq!((down.exit, down.out.matches("\tdown\t").count()), (10, 3), "{down:?}");
    assert_eq!(demo.call(&["up"]).exit, 0);
    let read = finish(spawn(address, &["get", "/kept"]));
    assert_eq!(read.out.trim_end(), "x", "{read:?}");
    assert_eq!(demo.call(&["down", "--purge"]).exit, 0);
    assert_eq!(demo.call(&["status"]).exit, 10);
    assert!(!scratch.path().join("demo/1").exists());
}

/// Goal: health and wait tell by their exit codes whether a server is there, has a quorum, and has
/// what the leader has.
#[test]
fn states_have_exit_codes_of_their_own() {
    let Some(alone) = server(Kind::Ours) else { return };
    assert!(good(&alone, &["wait", "--quorum"]).is_empty());
    assert!(good(&alone, &["health", "--synced"]).contains("\twell\t"));
    let Some(mut ensemble) = three(Kind::Ours, &[]) else { return };
    let waits = spawn(&ensemble.address(1).to_string(), &["wait", "--quorum", "--timeout", "60"]);
    assert_eq!(finish(waits).exit, 0);
    let leader = ensemble.wait_serving(3);
    let all: Vec<String> = (0..3).map(|at| ensemble.address(at).to_string()).collect();
    let ran = finish(spawn(&all.join(","), &["wait", "--synced", "--timeout", "60"]));
    assert_eq!(ran.exit, 0, "{ran:?}");
    let followers: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    // A leader that stands still is followed for a while, and answers no sync.
    ensemble.servers[leader].signal("STOP");
    let lags = zkctl(ensemble.address(followers[0]), &["health", "--synced", "--timeout", "0.5"]);
    ensemble.servers[leader].signal("CONT");
    assert!([12, 13].contains(&lags.exit), "{lags:?}");
    ensemble.wait_serving(3);
    for at in followers {
        ensemble.servers[at].kill();
    }
    let address = ensemble.address(leader);
    until("it has seen that", || zkctl(address, &["health"]).exit == 12);
    assert_eq!(zkctl(address, &["health", "--alive"]).exit, 0);
    let ran = zkctl(address, &["wait", "--quorum", "--timeout", "0.3"]);
    assert_eq!(ran.exit, 8, "{ran:?}");
    assert!(ran.error.contains("no quorum"), "{ran:?}");
    assert_eq!(zkctl(address, &["wait", "/a", "--quorum"]).exit, 2);
    ensemble.servers[leader].kill();
    assert_eq!(zkctl(address, &["health"]).exit, 7);
    assert_eq!(zkctl(address, &["health", "--alive"]).exit, 7);
}

/// The settings that a call writes for one of several servers on this machine.
struct Host {
    folder: PathBuf,
    client: std::net::SocketAddr,
    ports: String,
}

impl Host {
    fn new(top: &Path, at: usize) -> Host {
        let places = free_addresses(3);
        let folder = top.join(at.to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        let ports = format!("{}:{}", places[1].port(), places[2].port());
        Host { folder, client: places[0], ports }
    }

    fn conf(&self) -> String {
        self.folder.join("zoo.cfg").display().to_string()
    }

    fn words(&self) -> Vec<String> {
        let data = self.folder.join("data").display().to_string();
        let port = self.client.port().to_string();
        [
            "--conf",
            &self.conf(),
            "--data-dir",
            &data,
            "--client-port",
            &port,
            "--ports",
            &self.ports,
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// Goal: cluster init writes what the server takes, once, and refuses to be another member; a
/// server joins a running ensemble, is shown, and leaves it.
#[test]
fn members_come_and_go() {
    let Some(mut ensemble) = three(Kind::Ours, &["reconfigEnabled=true", "skipACL=yes"]) else {
        return;
    };
    ensemble.wait_serving(3);
    let (one, two) = (ensemble.address(0), ensemble.address(1));
    let scratch = Scratch::new("zkctl-cluster");
    let host = Host::new(scratch.path(), 4);
    std::fs::write(host.conf(), "# mine\nskipACL=yes\nsnapCount=5000\nclientPort=1\n").unwrap();
    let agent = built("zk-agent").expect("built").display().to_string();
    let pid = host.folder.join("pid").display().to_string();
    let start = format!(
        "{agent} --config {} > {}/log 2>&1 & echo $! > {pid}",
        host.conf(),
        host.folder.display()
    );
    let mut words = vec!["cluster", "join", "--host", "127.0.0.1", "--start", &start];
    let place = host.words();
    words.extend(place.iter().map(String::as_str));
    let shown = zkctl(one, &[&words[..], &["--dry-run"]].concat());
    assert!(
        shown.out.contains("\nsnapCount=5000\n") && shown.out.contains("server.4="),
        "{shown:?}"
    );
    let ran = zkctl(one, &words);
    let stop = || {
        let text = std::fs::read_to_string(&pid).unwrap_or_default();
        Command::new("kill").arg(text.trim()).status().expect("kill runs");
    };
    let status = zkctl(two, &["cluster", "status", "-o", "plain"]);
    let removed = zkctl(two, &["cluster", "remove", "4"]);
    stop();
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!((status.exit, status.out.lines().count()), (0, 4), "{status:?}");
    assert_eq!(status.out.matches("\ttrue\t").count(), 4, "all may stop: {status:?}");
    assert_eq!(removed.exit, 0, "{removed:?}");
    assert!(!removed.out.contains("server.4="), "{removed:?}");
    // Two of three are the fewest: with one down none may go.
    ensemble.servers[2].kill();
    let kept = zkctl(one, &["cluster", "status"]);
    assert_eq!(kept.exit, 10, "{kept:?}");
    let refused = zkctl(one, &["cluster", "remove", "7"]);
    assert!(refused.exit == 2 && refused.error.contains("there are 1, 2, 3"), "{refused:?}");
}

#[test]
fn an_ensemble_is_set_up_by_the_same_line_on_each_host() {
    if tools::need(built("zk-agent")).is_none() {
        return;
    }
    let scratch = Scratch::new("zkctl-init");
    let host = Host::new(scratch.path(), 1);
    let place = host.words();
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    let call = |hosts: &[&str], more: &[&str]| {
        alone(&[&["cluster", "init"], hosts, &place, &["--start", "true"], more].concat())
    };
    let hosts = ["192.0.2.1", "127.0.0.1", "192.0.2.3"];
    assert_eq!(call(&["192.0.2.1"], &[]).exit, 2, "none is this host");
    let ran = call(&hosts, &[]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let text = std::fs::read_to_string(host.conf()).unwrap();
    assert_eq!(text.matches("\nserver.").count(), 3, "{text}");
    assert_eq!(std::fs::read_to_string(host.folder.join("data/myid")).unwrap(), "2\n");
    // Once more is no change; another list, or another id, is refused.
    assert_eq!(call(&hosts, &[]).exit, 0);
    assert_eq!(std::fs::read_to_string(host.conf()).unwrap(), text);
    assert_eq!(call(&["127.0.0.1", "192.0.2.9"], &[]).exit, 4);
    let other = call(&hosts, &["--id", "3"]);
    assert!(other.exit == 1 && other.error.contains("another member"), "{other:?}");
    assert_eq!(std::fs::read_to_string(host.conf()).unwrap(), text);
}

/// Goal: a server of Apache's becomes ours with its settings and data, and gets everything back that
/// was written since; what is not supported stops it before anything is changed.
/// Method: without systemd: the commands that stop and start are the test's.
#[test]
fn apaches_server_is_taken_over_and_given_back() {
    let apache = Options::new(Kind::Apache(tools::Release::Debian38));
    let Some(mut theirs) = tools::need(Server::start(apache)) else { return };
    assert_eq!(good(&theirs, &["create", "/before", "x"]), "/before\n");
    let scratch = Scratch::new("zkctl-migrate");
    let (top, address) = (scratch.path(), theirs.address());
    let conf = theirs.home().join("zoo.cfg").display().to_string();
    let to = top.join("etc/zoo.cfg").display().to_string();
    let data = top.join("data").display().to_string();
    let agent = built("zk-agent").expect("built").display().to_string();
    let (pid, given) = (theirs.pid(), top.join("given"));
    let pid_file = top.join("pid").display().to_string();
    // Whoever is a zombie has let go of its files.
    let ended = "while [ -e /proc/$pid/fd/1 ]; do sleep 0.05; done";
    let forth = format!("pid={pid}; kill $pid; {ended}");
    let start =
        format!("{agent} --config {to} > {}/log 2>&1 & echo $! > {pid_file}", top.display());
    let words = |verb: &'static str, stop: &str, start: &str| -> Vec<String> {
        let words = ["migrate", verb, "--to", &to, "--data-dir", &data, "--stop", stop];
        [&words[..], &["--start", start]].concat().iter().map(|word| (*word).to_owned()).collect()
    };
    let call = |words: &[String], more: &[&str]| {
        let words: Vec<&str> =
            words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        alone(&words)
    };
    let from = words("from-zookeeper", &forth, &start);
    let dry = call(&from, &["--conf", &conf, "--dry-run", "-o", "plain"]);
    assert_eq!(dry.exit, 0, "{dry:?}");
    assert!(dry.out.contains("dataDir\t") && dry.out.contains("\trenamed\t"), "{dry:?}");
    let unasked = call(&from, &["--conf", &conf]);
    assert_eq!(unasked.exit, 9, "{unasked:?}");
    assert!(theirs.runs() && !Path::new(&to).exists());
    // Something that nobody may lose in silence.
    let odd = top.join("odd.cfg");
    let text = std::fs::read_to_string(&conf).unwrap() + "secureClientPort=2281\n";
    std::fs::write(&odd, text).unwrap();
    let odd = odd.display().to_string();
    let refused = call(&from, &["--conf", &odd, "--yes"]);
    assert!(refused.exit == 10 && refused.out.contains("unsupported"), "{refused:?}");
    assert!(theirs.runs());

    let ran = call(&from, &["--conf", &conf, "--yes"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(zkctl(address, &["get", "/before"]).out.trim_end(), "x");
    assert!(zkctl(address, &["srvr"]).out.contains("zk-agent"));
    assert_eq!(zkctl(address, &["create", "/since", "y"]).exit, 0);
    let give = format!("touch {}", given.display());
    let back =
        words("back-to-zookeeper", &format!("pid=$(cat {pid_file}); kill $pid; {ended}"), &give);
    until("Apache's process has gone", || !theirs.runs());
    // Starting the other program is the test's own matter; the call waits for it.
    let waits = std::thread::spawn(move || {
        let words: Vec<&str> = back.iter().map(String::as_str).chain(["--yes"]).collect();
        alone(&words)
    });
    until("its data are there again", || given.exists() || waits.is_finished());
    theirs.respawn_as_left();
    let ran = waits.join().expect("it ends");
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(!zkctl(address, &["srvr"]).out.contains("zk-agent"));
    assert_eq!(zkctl(address, &["get", "/since"]).out.trim_end(), "y");
    assert!(theirs.terminate(Duration::from_secs(30)).code().is_some());
}
