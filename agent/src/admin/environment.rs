//! The word `envi`. Scripts look for `zookeeper.version` and `host.name`; Java's own keys stay,
//! with `<NA>` where there is no such thing here.

use std::env;
use std::fmt::Write;
use std::fs;

/// What a value is that doesn't exist here.
const NONE: &str = "<NA>";

/// All lines.
pub fn text(version: &str) -> String {
    let mut out = String::from("Environment:\n");
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| NONE.to_owned());
    let path = |path: std::io::Result<std::path::PathBuf>| {
        path.map_or_else(|_| NONE.to_owned(), |path| path.display().to_string())
    };
    let (total, free) = memory_mib();
    let lines = [
        ("zookeeper.version", version.to_owned()),
        ("host.name", host.unwrap_or_else(|| NONE.to_owned())),
        ("java.version", NONE.to_owned()),
        ("java.vendor", NONE.to_owned()),
        ("java.home", NONE.to_owned()),
        ("java.class.path", path(env::current_exe())),
        ("java.library.path", NONE.to_owned()),
        ("java.io.tmpdir", env::temp_dir().display().to_string()),
        ("java.compiler", NONE.to_owned()),
        ("os.name", "Linux".to_owned()),
        ("os.arch", java_arch().to_owned()),
        ("os.version", kernel.trim().to_owned()),
        ("user.name", variable("USER")),
        ("user.home", variable("HOME")),
        ("user.dir", path(env::current_dir())),
        ("os.memory.free", format!("{free}MB")),
        ("os.memory.max", format!("{total}MB")),
        ("os.memory.total", format!("{total}MB")),
    ];
    for (key, value) in lines {
        let _ = writeln!(out, "{key}={value}");
    }
    out
}

/// Java's names of processors.
fn java_arch() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

/// Memory of the machine in MiB: all of it, and what is available.
fn memory_mib() -> (u64, u64) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0) / 1024
    };
    (value("MemTotal:"), value("MemAvailable:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_apaches_order() {
        let text = text("3.9.5-x");
        let keys: Vec<&str> = text.lines().skip(1).map(|l| l.split_once('=').unwrap().0).collect();
        assert_eq!(text.lines().next(), Some("Environment:"));
        assert_eq!(keys[..3], ["zookeeper.version", "host.name", "java.version"]);
        assert_eq!(keys.len(), 18);
        assert!(text.contains("zookeeper.version=3.9.5-x\n"));
        assert!(!text.contains("os.memory.total=0MB"));
    }
}
