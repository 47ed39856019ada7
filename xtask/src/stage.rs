//! The tree of everything that is packaged, in the folders of a host: what `cargo xtask deb` and `rpm`
//! have in common.
//!
//! Binaries and shared objects keep their debug information; the packaging splits it off.

use std::path::{Path, PathBuf};

use crate::{capi, dropin};

/// Where a distribution has things.
pub struct Layout {
    /// Libraries, below `/usr`.
    pub libdir: String,
    /// Units of systemd.
    pub units: &'static str,
    /// Completions for zsh.
    pub zsh: &'static str,
    /// The package of headers.
    pub development: &'static str,
    /// The file of a package that says what is particular to it.
    pub readme: &'static str,
    /// The day that manuals carry.
    pub date: String,
}

/// Builds everything and lays it into `out`, which must be empty or not there.
pub fn make(layout: &Layout, out: &Path, root: &Path, target: &Path) -> Result<(), String> {
    let bin = crate::release(root, target)?;
    let c_library = capi::Build {
        out: out.join("usr"),
        profile: "release".to_owned(),
        prefix: "/usr".to_owned(),
        libdir: layout.libdir.clone(),
        debug: true,
    };
    capi::make(&c_library, root, target)?;
    let stage = Stage { layout, out, root };
    stage.drop_in(target)?;
    for name in ["zk-agent", "zkctl"] {
        stage.put(&bin.join(name), "usr/bin")?;
    }
    stage.systemd()?;
    stage.shells_and_manuals()?;
    stage.put(&root.join("packaging/config/zoo.cfg"), "etc/zk-agent")?;
    stage.put(&root.join("packaging/lib/restart-after-upgrade"), "usr/lib/zk-agent")?;
    stage.documents()
}

/// The format of data directories that this version writes and reads, for the scripts that judge a
/// downgrade.
pub fn format(root: &Path) -> Result<String, String> {
    let file = root.join("agent/src/disk/identity.rs");
    let text = crate::read(&file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("pub const FORMAT: u32 = "));
    let number = line.and_then(|line| line.strip_suffix(';'));
    number.map(str::to_owned).ok_or_else(|| format!("{} names no FORMAT", file.display()))
}

struct Stage<'a> {
    layout: &'a Layout,
    out: &'a Path,
    root: &'a Path,
}

impl Stage<'_> {
    /// A file, with its mode, into a folder of the tree.
    fn put(&self, from: &Path, folder: &str) -> Result<(), String> {
        let folder = self.out.join(folder);
        crate::folder(&folder)?;
        let name = from.file_name().ok_or_else(|| format!("{} is no file", from.display()))?;
        crate::copy(from, &folder.join(name))
    }

    fn text(&self, text: &str, file: &str) -> Result<(), String> {
        let file = self.out.join(file);
        crate::folder(file.parent().unwrap_or(self.out))?;
        crate::write(&file, text)
    }

    fn drop_in(&self, target: &Path) -> Result<(), String> {
        let linked = target.join("xtask/packaged-dropin");
        dropin::make(&linked, "release", true, self.root, target)?;
        let folder = format!("usr/{}/zkclient-compat", self.layout.libdir);
        for name in ["libzookeeper_mt.so.2", "libzookeeper_st.so.2"] {
            let file = format!("{name}.0.0");
            self.put(&linked.join(&file), &folder)?;
            crate::alias(&self.out.join(&folder), &file, name)?;
        }
        Ok(())
    }

    fn systemd(&self) -> Result<(), String> {
        let units = ["service", "socket", "target", "slice", "timer"];
        for file in files(&self.root.join("systemd"))? {
            let extension = file.extension().unwrap_or_default().to_string_lossy().into_owned();
            match extension.as_str() {
                "catalog" => self.put(&file, "usr/lib/systemd/catalog")?,
                "sysusers" => {
                    self.text(&crate::read(&file)?, "usr/lib/sysusers.d/zk-agent.conf")?;
                }
                // What older systemds do not know is in no search path: the generator puts it there.
                "conf" => self.put(&file, "usr/lib/zk-agent")?,
                "generator" => {
                    let folder = self.out.join("usr/lib/systemd/system-generators");
                    crate::folder(&folder)?;
                    crate::copy(&file, &folder.join("zk-agent-generator"))?;
                }
                kind if units.contains(&kind) => self.put(&file, self.layout.units)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn shells_and_manuals(&self) -> Result<(), String> {
        let room = self.root.join("packaging");
        for name in ["zk-agent", "zkctl"] {
            let bash = crate::read(&room.join(format!("completions/{name}.bash")))?;
            self.text(&bash, &format!("usr/share/bash-completion/completions/{name}"))?;
            self.put(&room.join(format!("completions/_{name}")), self.layout.zsh)?;
            let fish = room.join(format!("completions/{name}.fish"));
            self.put(&fish, "usr/share/fish/vendor_completions.d")?;
        }
        let settings = crate::read(&self.root.join("docs/SETTINGS.md"))?;
        for name in ["zkctl.1", "libzkclient.3", "zk-agent.cfg.5", "zk-agent.8"] {
            let file = room.join("man").join(name);
            let template = room.join("man").join(format!("{name}.in"));
            let text = crate::read(if template.is_file() { &template } else { &file })?;
            let text = crate::manual::filled(&text, &settings, &self.layout.date)?;
            let section = name.rsplit('.').next().unwrap_or_default();
            self.text(&text, &format!("usr/share/man/man{section}/{name}"))?;
        }
        Ok(())
    }

    fn documents(&self) -> Result<(), String> {
        let docs = self.root.join("docs");
        for name in ["COMPATIBILITY", "DISK", "MIGRATION", "OPERATING", "SETTINGS"] {
            let file = docs.join(format!("{name}.md"));
            if file.is_file() {
                self.put(&file, "usr/share/doc/zk-agent")?;
            }
        }
        self.put(&docs.join("ZKCTL.md"), "usr/share/doc/zkctl")?;
        let development = format!("usr/share/doc/{}", self.layout.development);
        self.put(&docs.join("CAPI.md"), &development)?;
        self.put(&docs.join("DROPIN.md"), "usr/share/doc/libzkclient-compat")?;
        let readme = crate::read(&self.root.join("packaging/config/drop-in.README"))?;
        let readme = readme.replace("@LIBDIR@", &self.layout.libdir);
        self.text(&readme, &format!("usr/share/doc/libzkclient-compat/{}", self.layout.readme))?;
        for language in ["c", "cpp"] {
            for file in files(&self.root.join("examples").join(language))? {
                self.put(&file, &format!("{development}/examples/{language}"))?;
            }
        }
        Ok(())
    }
}

/// The files of a folder, by name.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// Takes the packages of a kind out of a folder into the one that was asked for,
/// in the place of those that lie there.
pub fn collect(from: &Path, kind: &str, out: &Path) -> Result<(), String> {
    crate::folder(out)?;
    let packages = |folder: &Path| -> Result<Vec<PathBuf>, String> {
        let mut found = files(folder)?;
        found.retain(|file| file.extension().is_some_and(|extension| extension == kind));
        Ok(found)
    };
    for old in packages(out)? {
        std::fs::remove_file(&old).map_err(|error| format!("{}: {error}", old.display()))?;
    }
    let made = packages(from)?;
    if made.is_empty() {
        return Err(format!("{} holds no .{kind}", from.display()));
    }
    for file in made {
        let to = out.join(file.file_name().unwrap_or_default());
        crate::copy(&file, &to)?;
        println!("{}", to.display());
    }
    Ok(())
}
