//! A server: its disk, its process, and what may be done to them.

use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::disk::Disk;
use super::net::{self, PORTS};
use super::tool::run;

/// The port of clients.
const CLIENT_PORT: u16 = 2181;

/// A server of ours in its namespace.
#[derive(Debug)]
pub struct Node {
    number: usize,
    home: PathBuf,
    /// Its disk.
    pub disk: Disk,
    child: Option<Child>,
}

impl Node {
    /// Makes its disk and settings below `home`; it doesn't run yet.
    pub fn new(home: &Path, number: usize, count: usize) -> Node {
        let home = home.join(number.to_string());
        std::fs::create_dir_all(&home).expect("a directory of our own");
        let disk = Disk::new(&home);
        let node = Node { number, home, disk, child: None };
        node.write_id();
        let (data, address) = (node.data_dir(), net::address(number));
        let servers = (1..=count).map(|to| {
            let place = if to == number { address } else { net::address(to) };
            format!("server.{to}={place}:{}:{}\n", PORTS[0], PORTS[1])
        });
        // Snapshots are taken often, and the log below them stays: it is the certificate.
        let text = format!(
            "tickTime=1000\ninitLimit=10\nsyncLimit=4\ndataDir={}\nclientPort={CLIENT_PORT}\n\
             clientPortAddress={address}\nadmin.enableServer=false\n4lw.commands.whitelist=*\n\
             snapCount=5000\nautopurge.snapRetainCount=100000\nenforceQuota=true\n{}",
            data.display(),
            servers.collect::<String>()
        );
        std::fs::write(node.home.join("zoo.cfg"), text).expect("a file of our own");
        node
    }

    fn write_id(&self) {
        std::fs::create_dir_all(self.data_dir()).expect("a directory of our own");
        let id = format!("{}\n", self.number);
        std::fs::write(self.data_dir().join("myid"), id).expect("a file of our own");
        run("sync", &["-f", self.data_dir().to_str().expect("text")]);
    }

    /// Where its data is.
    pub fn data_dir(&self) -> PathBuf {
        self.disk.place().join("data")
    }

    /// Where its clients connect.
    pub fn address(&self) -> SocketAddr {
        SocketAddrV4::new(net::address(self.number), CLIENT_PORT).into()
    }

    /// What it has printed in all its lives.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.home.join("output")).unwrap_or_default()
    }

    /// Starts it, unless it runs.
    pub fn start(&mut self, binary: &Path) {
        if self.child.is_some() {
            return;
        }
        let mut open = std::fs::OpenOptions::new();
        let output = open.create(true).append(true).open(self.home.join("output"));
        let output = output.expect("a file of our own");
        let errors = output.try_clone().expect("a file of our own");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", net::name(self.number)));
        command.arg(binary).arg("--config").arg(self.home.join("zoo.cfg"));
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        self.child = Some(command.spawn().expect("nsenter runs"));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGSTOP or SIGCONT.
    pub fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            run("kill", &[&format!("-{name}"), &child.id().to_string()]);
        }
    }

    /// How it ended, when it should run and doesn't.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut()?.try_wait().expect("a child of ours")
    }

    /// Whether its process is there.
    pub fn runs(&mut self) -> bool {
        self.child.is_some() && self.ended().is_none()
    }

    /// Nothing is left on its disk but its id.
    pub fn wipe(&mut self) {
        assert!(self.child.is_none(), "the disk of a running server is wiped");
        let _ = std::fs::remove_dir_all(self.data_dir());
        self.write_id();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
