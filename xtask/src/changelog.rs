//! The packages' changelog, in Debian's format: which version they are, and of which day.

use std::path::Path;
use std::process::Command;

/// What it says.
pub struct Changelog {
    /// Its text, in Debian's format.
    pub text: String,
    /// The version of the source.
    pub version: String,
    /// The number of the packaging behind it.
    pub release: String,
    /// When the newest entry was written, in seconds since 1970: the only clock in a package.
    pub seconds: String,
    /// The same as a day, for manuals.
    pub day: String,
}

impl Changelog {
    /// Reads it; `version` puts one more entry above, of the same time.
    pub fn load(root: &Path, version: Option<&str>) -> Result<Changelog, String> {
        let mut text = crate::read(&root.join("packaging/deb/changelog"))?;
        let odd = |what: &str| format!("packaging/deb/changelog: {what}");
        let ours = env!("CARGO_PKG_VERSION");
        if !text.starts_with(&format!("zk-agent ({ours}-")) {
            return Err(odd(&format!("the newest entry is not of version {ours}")));
        }
        let trailer = text.lines().find(|line| line.starts_with(" -- "));
        let trailer = trailer.ok_or_else(|| odd("an entry without its last line"))?.to_owned();
        if let Some(version) = version {
            let head = format!("zk-agent ({version}) unstable; urgency=medium");
            text = format!("{head}\n\n  * The same source once more.\n\n{trailer}\n\n{text}");
        }
        let full = text.split(['(', ')']).nth(1).unwrap_or_default();
        let split = full.rsplit_once('-').ok_or_else(|| odd("a version without a revision"))?;
        let (version, release) = (split.0.to_owned(), split.1.to_owned());
        let time = trailer.split_once(">  ").ok_or_else(|| odd("a last line without a time"))?.1;
        let seconds = date(time, "+%s")?;
        let day = date(time, "+%Y-%m-%d")?;
        Ok(Changelog { text, version, release, seconds, day })
    }

    /// The same in the format of a spec.
    pub fn of_a_spec(&self) -> Result<String, String> {
        let (mut spec, mut points, mut version) = (String::new(), String::new(), "");
        for line in self.text.lines() {
            if let Some(rest) = line.strip_prefix("zk-agent (") {
                version = rest.split(')').next().unwrap_or_default();
            } else if let Some(point) = line.strip_prefix("  * ") {
                points.push_str(&format!("- {point}\n"));
            } else if let Some(rest) = line.strip_prefix("    ") {
                points.push_str(&format!("  {rest}\n"));
            } else if let Some((who, time)) =
                line.strip_prefix(" -- ").and_then(|rest| rest.split_once(">  "))
            {
                let day = date(time, "+%a %b %d %Y")?;
                spec.push_str(&format!("* {day} {who}> - {version}\n{points}\n"));
                points.clear();
            }
        }
        Ok(spec)
    }
}

fn date(time: &str, format: &str) -> Result<String, String> {
    let said =
        crate::output(Command::new("date").args(["-u", "-d", time, format]).env("LC_ALL", "C"))?;
    Ok(said.trim().to_owned())
}
