//! Tools that are not ours: where they are, and what it means when they are not there.
//!
//! On a developer's machine a missing tool skips a test, and the test says so. Where
//! `ZK_TESTS_REQUIRE=1` is set, as CI does, it fails.

use std::path::{Path, PathBuf};

/// Debian's server (package `libzookeeper-java`).
const DEBIAN_JAR: &str = "/usr/share/java/zookeeper.jar";

/// What prints its log (package `libslf4j-java`, which the server's needs).
const DEBIAN_LOG_JAR: &str = "/usr/share/java/slf4j-simple.jar";

/// The newest Apache release that a test can be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 3.8, from Debian's package.
    Debian38,
    /// 3.9, the jars under `$ZKPEER/zk39`.
    Apache39,
}

/// Where the jars of the peers are.
pub fn peer_root() -> PathBuf {
    std::env::var_os("ZKPEER").map_or_else(|| PathBuf::from("/opt/zkpeer"), PathBuf::from)
}

/// The Java class path of a release, or what is missing.
pub fn class_path(release: Release) -> Result<String, String> {
    if which("java").is_none() {
        return Err("java is not installed (package openjdk-17-jre-headless)".to_owned());
    }
    match release {
        Release::Debian38 if Path::new(DEBIAN_JAR).exists() => {
            Ok(format!("{DEBIAN_JAR}:{DEBIAN_LOG_JAR}"))
        }
        Release::Debian38 => Err(format!("{DEBIAN_JAR} is not there (package libzookeeper-java)")),
        Release::Apache39 => {
            let jars = peer_root().join("zk39");
            match jars.is_dir() {
                true => Ok(format!("{}/*", jars.display())),
                false => Err(format!(
                    "{} holds no jars; set ZKPEER to the directory above zk39/",
                    jars.display()
                )),
            }
        }
    }
}

/// The first executable of that name on the path.
pub fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// As [`which`], for [`need`].
pub fn tool(name: &str) -> Result<PathBuf, String> {
    which(name).ok_or_else(|| format!("{name} is not installed"))
}

/// A tool that is needed: its value, or a skipped test (`None`), or a failed one where tools are
/// required.
pub fn need<T>(tool: Result<T, String>) -> Option<T> {
    match tool {
        Ok(value) => Some(value),
        Err(missing) if std::env::var("ZK_TESTS_REQUIRE").as_deref() == Ok("1") => {
            panic!("a tool is missing and ZK_TESTS_REQUIRE=1: {missing}")
        }
        Err(missing) => {
            println!("skipped: {missing}");
            None
        }
    }
}
