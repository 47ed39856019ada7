//! The files of a configuration that changes while the server runs, as Apache's servers keep them.
//!
//! ```text
//! zoo.cfg                  the settings; names the dynamic file once there is one
//! zoo.cfg.bak              the settings as they were when the servers still stood in them
//! zoo.cfg.dynamic.VERSION  the configuration in force: sorted lines, without a version
//! zoo.cfg.dynamic.next     one that was proposed, with its version
//! ```
//!
//! Each is replaced whole and durably, and in an order in which any of them may be the last that
//! was written: `settings` makes sense of all of it. Of the settings only the lines go that the
//! dynamic file replaces; all others stay as the operator wrote them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use zk_core::Members;

use crate::disk::identity::replace;
use crate::settings::ensemble::pending_file;

/// The files beside a file of settings.
#[derive(Debug)]
pub struct DynamicFiles {
    file: PathBuf,
    me: i64,
    /// Version of what stands in the pending file.
    pending: Option<i64>,
}

impl DynamicFiles {
    /// Beside `file`, for the server with the id `me`. `proposed`: what the pending file held.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn new(file: &Path, me: i64, proposed: Option<&Members>) -> io::Result<DynamicFiles> {
        let file = std::path::absolute(file)?;
        let probe = with_suffix(&file, ".dynamic.tmp");
        fs::write(&probe, b"")?;
        fs::remove_file(&probe)?;
        Ok(DynamicFiles { file, me, pending: proposed.map(|members| members.version) })
    }

    /// Keeps the settings as they are, before the servers go from them.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn back_up(&self) -> Result<(), String> {
        let bytes = self.read()?;
        replace(&with_suffix(&self.file, ".bak"), &bytes).map_err(|error| error.to_string())
    }

    /// Writes down what was proposed.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn propose(&mut self, members: &Members) -> Result<(), String> {
        let text = sorted(members, true);
        replace(&pending_file(&self.file), text.as_bytes()).map_err(|error| error.to_string())?;
        self.pending = Some(members.version);
        Ok(())
    }

    /// Writes down what is in force, and that it is.
    ///
    /// # Errors
    /// What is wrong with which file; the next start then begins where this one did.
    pub fn activate(&mut self, members: &Members) -> Result<(), String> {
        let dynamic = with_suffix(&self.file, &format!(".dynamic.{:x}", members.version));
        let told = |error: crate::disk::DiskError| error.to_string();
        replace(&dynamic, sorted(members, false).as_bytes()).map_err(told)?;
        let settings = self.read()?;
        let listed = members.clients.contains_key(&self.me);
        // What the name stands for is replaced, not the name.
        let file = fs::canonicalize(&self.file).unwrap_or_else(|_| self.file.clone());
        replace(&file, &rewritten(&settings, &dynamic, listed)).map_err(told)?;
        if self.pending.take_if(|version| *version <= members.version).is_some() {
            let path = pending_file(&self.file);
            fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        fs::read(&self.file).map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The lines of a configuration in order, as Apache's servers write them to a file.
fn sorted(members: &Members, version: bool) -> String {
    let mut lines: Vec<&str> =
        members.text.lines().filter(|line| version || !line.starts_with("version=")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Whether a key goes from the settings when there is a dynamic file. `listed`: the server's line
/// says where clients connect.
fn goes(key: &str, listed: bool) -> bool {
    let prefixes = ["server.", "group", "weight", "dynamicConfigFile", "peerType"];
    prefixes.iter().any(|prefix| key.starts_with(prefix))
        || (listed && matches!(key, "clientPort" | "clientPortAddress"))
}

/// The settings without what the dynamic file says, and with its name.
fn rewritten(settings: &[u8], dynamic: &Path, listed: bool) -> Vec<u8> {
    let text: String = settings.iter().copied().map(char::from).collect();
    let mut out = Vec::with_capacity(settings.len());
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let mut entry = line.to_owned();
        let blank = |c: char| c.is_ascii_whitespace();
        let comment = line.trim_start_matches(blank).starts_with(['#', '!']);
        while !comment && continues(&entry) {
            let Some(more) = lines.next() else { break };
            entry.push_str(more);
        }
        let parsed = zk_wire::properties::parse(&entry).unwrap_or_default();
        if !parsed.iter().any(|parsed| goes(&parsed.key, listed)) {
            out.extend(entry.chars().map(|c| c as u8));
        }
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out.extend_from_slice(b"dynamicConfigFile=");
    for unit in dynamic.to_string_lossy().encode_utf16() {
        match unit {
            0x5c => out.extend_from_slice(b"\\\\"),
            0x20..=0x7e => out.push(unit as u8),
            other => out.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
        }
    }
    out.push(b'\n');
    out
}

/// Whether the next line belongs to this one: it ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    let line = line.trim_end_matches(['\n', '\r']);
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, Source, load};

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str, settings: &str) -> Dir {
            let id = std::process::id();
            let dir = std::env::temp_dir().join(format!("zk-agent-{id}-dynamic-{name}"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("myid"), "1").unwrap();
            let head = format!("dataDir={}\ninitLimit=5\nsyncLimit=5\n", dir.display());
            fs::write(dir.join("zoo.cfg"), format!("{head}{settings}")).unwrap();
            Dir(dir)
        }

        fn file(&self) -> PathBuf {
            self.0.join("zoo.cfg")
        }

        fn read(&self, suffix: &str) -> Option<String> {
            fs::read_to_string(with_suffix(&self.file(), suffix)).ok()
        }

        fn load(&self) -> Result<Settings, String> {
            let source = Source { file: Some(self.file()), ..Source::default() };
            load(&source).map_err(|refusal| refusal.to_string())
        }

        /// Versions of the configurations in force and on their way, as a start finds them.
        fn found(&self) -> (i64, Option<i64>) {
            let ensemble = self.load().unwrap().core.ensemble.unwrap();
            (ensemble.members.version, ensemble.proposed.map(|members| members.version))
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const SETTINGS: &str = "# ours\nreconfigEnabled=true\nclientPort=2181\nserver.1=a:1:2\n\
                            server.2=\\\n  b:1:2\npeerType=observer\nsnapCount=7";

    fn members(version: i64) -> Members {
        let text = format!(
            "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:participant\n\
             server.10=c:1:2:observer\nversion={version:x}"
        );
        Members::parse(&text).unwrap()
    }

    /// Goal: at each step of a reconfig the files lead to a start that knows what is in force, and
    /// what was proposed as long as that may still be needed (schedule 29 of the protocol).
    #[test]
    fn a_start_makes_sense_of_every_subset_of_the_files() {
        let dir = Dir::new("subsets", SETTINGS);
        let mut files = DynamicFiles::new(&dir.file(), 1, None).unwrap();
        assert_eq!(dir.found(), (0, None));
        files.propose(&members(0x1_0000_0000)).unwrap();
        // Nothing has a version yet: the next leader gives one again.
        assert_eq!(dir.found(), (0, None));
        files.activate(&members(0x1_0000_0000)).unwrap();
        assert_eq!(dir.found(), (0x1_0000_0000, None));
        assert_eq!(dir.read(".dynamic.next"), None);
        let next = members(0x1_0000_0005);
        files.propose(&next).unwrap();
        assert_eq!(dir.found(), (0x1_0000_0000, Some(0x1_0000_0005)));
        let text = dir.read(".dynamic.next").unwrap();
        assert!(text.starts_with("server.10=c:1:2:observer\nserver.1=a:1:2:"), "{text}");
        assert!(text.ends_with("\nversion=100000005"), "{text}");
        // The dynamic file is there, the settings do not name it yet.
        let dynamic = with_suffix(&dir.file(), ".dynamic.100000005");
        fs::write(&dynamic, sorted(&next, false)).unwrap();
        assert_eq!(dir.found(), (0x1_0000_0000, Some(0x1_0000_0005)));
        files.activate(&next).unwrap();
        assert_eq!(dir.found(), (0x1_0000_0005, None));
        // The pending file is still there: what is in force is as new.
        fs::write(pending_file(&dir.file()), text).unwrap();
        assert_eq!(dir.found().0, 0x1_0000_0005);
        fs::write(pending_file(&dir.file()), "server.x=").unwrap();
        let refused = dir.load().unwrap_err();
        assert!(
            refused.contains(".dynamic.next: the proposed configuration: server.x"),
            "{refused}"
        );
    }

    #[test]
    fn only_what_the_dynamic_file_says_goes_from_the_settings() {
        let dir = Dir::new("settings", SETTINGS);
        let mut files = DynamicFiles::new(&dir.file(), 1, None).unwrap();
        files.back_up().unwrap();
        let before = dir.read("").unwrap();
        files.activate(&members(0x1_0000_0000)).unwrap();
        assert_eq!(dir.read(".bak").unwrap(), before);
        let head = before.split("# ours").next().unwrap();
        let dynamic = with_suffix(&dir.file(), ".dynamic.100000000");
        let expected = format!(
            "{head}# ours\nreconfigEnabled=true\nsnapCount=7\ndynamicConfigFile={}\n",
            dynamic.display()
        );
        assert_eq!(dir.read("").unwrap(), expected);
        assert_eq!(
            dir.read(".dynamic.100000000").unwrap(),
            "server.10=c:1:2:observer\nserver.1=a:1:2:participant;0.0.0.0:2181\n\
             server.2=b:1:2:participant"
        );
        // A second time there is one name in it, the new one.
        files.activate(&members(0x1_0000_0001)).unwrap();
        assert_eq!(dir.read("").unwrap(), expected.replace("100000000", "100000001"));
        assert_eq!(dir.load().unwrap().client_address.port(), 2181);
    }

    #[test]
    fn a_client_port_that_no_line_names_stays() {
        let text =
            rewritten(b"a=\\\\\nclientPort=2181\ngroup.1=1", Path::new("/x \u{fc}\\y"), false);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "a=\\\\\nclientPort=2181\ndynamicConfigFile=/x \\u00fc\\\\y\n");
    }

    #[test]
    fn a_version_in_a_dynamic_file_is_refused() {
        let dir = Dir::new("version", "reconfigEnabled=true\nclientPort=2181\n");
        let dynamic = with_suffix(&dir.file(), ".dynamic.5");
        fs::write(&dynamic, "server.1=a:1:2\nserver.2=b:1:2\nversion=5").unwrap();
        let mut settings = dir.read("").unwrap();
        settings.push_str(&format!("dynamicConfigFile={}\n", dynamic.display()));
        fs::write(dir.file(), settings).unwrap();
        let refused = dir.load().unwrap_err();
        assert!(refused.contains(":3: version=5: a dynamic file has no version"), "{refused}");
    }

    #[test]
    fn a_place_where_nothing_can_be_written_is_told() {
        assert!(DynamicFiles::new(Path::new("/proc/zoo.cfg"), 1, None).is_err());
    }
}
