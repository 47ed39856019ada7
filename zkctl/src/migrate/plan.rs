//! What becomes of the settings of an Apache server: pure, but for the judge that is handed in.
//!
//! Keys are kept as they stand. Those that name places are renamed, properties of the Java machine
//! become keys, and what the server says of each of them is written beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use zk_wire::properties;

use crate::failure::{Failure, Result, exit};

/// Keys without which clients or servers would be less protected than before, as far as their names
/// go; when the server does not know them yet, nothing is migrated.
const PROTECTION: &[&str] = &[
    "ssl",
    "secureClientPort",
    "quorum.auth",
    "authProvider",
    "sessionRequireClientSASLAuth",
    "enforce.auth",
    "sslQuorum",
    "java.security.auth.login.config",
];

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It stays.
    Kept,
    /// It stays with another value, or comes from elsewhere.
    Renamed,
    /// It has no effect.
    Ignored,
    /// The migration stops because of it.
    Unsupported,
}

impl Fate {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Kept => "kept",
            Fate::Renamed => "renamed",
            Fate::Ignored => "ignored",
            Fate::Unsupported => "unsupported",
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key, as Apache's server has it.
    pub key: String,
    /// Its value there.
    pub value: String,
    /// What becomes of it.
    pub fate: Fate,
    /// Its new value, or why.
    pub remark: String,
}

/// The settings of an Apache server as they were found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The keys of zoo.cfg in order, the last of equal ones.
    pub keys: Vec<(String, String)>,
    /// `-Dname=value` from the environment.
    pub properties: Vec<(String, String)>,
    /// Other options of the Java machine.
    pub options: Vec<String>,
    /// The members of the dynamic file, if there is one.
    pub dynamic: Option<String>,
}

impl Found {
    /// Reads the texts of zoo.cfg and of Debian's `environment`.
    pub fn parse(config: &str, environment: &str) -> Result<Found> {
        let entries = properties::parse(config)
            .map_err(|error| Failure::new(exit::FAILED, format!("zoo.cfg: {error}")))?;
        let mut keys: Vec<(String, String)> = Vec::new();
        for entry in entries {
            keys.retain(|(key, _)| *key != entry.key);
            keys.push((entry.key, entry.value.trim().to_owned()));
        }
        let mut found = Found { keys, ..Found::default() };
        for line in environment.lines().map(str::trim) {
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=') else { continue };
            if !matches!(name, "JAVA_OPTS" | "JVMFLAGS" | "SERVER_JVMFLAGS" | "JAVA_TOOL_OPTIONS") {
                continue;
            }
            let value = value.trim_matches(['"', '\'']);
            for word in value.split_whitespace() {
                match word.strip_prefix("-D").and_then(|text| text.split_once('=')) {
                    Some((name, value)) => {
                        found.properties.push((name.to_owned(), value.to_owned()));
                    }
                    None => found.options.push(word.to_owned()),
                }
            }
        }
        Ok(found)
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        let found = self.keys.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The client port, in the keys or in the line of a server.
    pub fn client_port(&self, id: Option<i64>) -> Option<u16> {
        let own = id.map(|id| format!("server.{id}"));
        let lines = self.keys.iter().filter(|(key, _)| Some(key) == own.as_ref());
        let dynamic = self.dynamic.as_deref().unwrap_or("");
        let listed = dynamic.lines().filter_map(|line| line.split_once('='));
        let listed = listed.filter(|(key, _)| Some(*key) == own.as_deref());
        let clients = lines.map(|(_, value)| value.as_str()).chain(listed.map(|(_, value)| value));
        let mut ports = clients.filter_map(|value| {
            let client = value.split(';').nth(1)?;
            client.rsplit(':').next()?.trim().parse().ok()
        });
        ports.next().or_else(|| self.value("clientPort")?.parse().ok())
    }
}

/// What the server's `check-config` says of a text: refused with a line, or warnings by key.
pub enum Judgement {
    /// The number of the line it refuses, 0 for all of it, and its words.
    Refused(usize, String),
    /// Taken; key and words of each warning.
    Taken(Vec<(String, String)>),
}

/// The new settings, and the table of what became of the old ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The lines of the new file.
    pub lines: Vec<String>,
    /// The table.
    pub rows: Vec<Row>,
}

impl Plan {
    /// The text of the new file.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Whether something stops the migration.
    pub fn stops(&self) -> bool {
        self.rows.iter().any(|row| row.fate == Fate::Unsupported)
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\")
}

/// Where things go on our side.
pub struct Places {
    /// The data directory.
    pub data: PathBuf,
    /// The dynamic file, where there is one.
    pub dynamic: Option<PathBuf>,
}

/// Makes a plan; `judge` is asked until it takes the rest, once for each line that it refuses.
pub fn plan(
    found: &Found,
    places: &Places,
    judge: &mut dyn FnMut(&str) -> Result<Judgement>,
) -> Result<Plan> {
    let mut rows: Vec<Row> = Vec::new();
    // Each line with the row it belongs to.
    let mut lines: Vec<(String, usize)> = Vec::new();
    let data = places.data.display().to_string();
    for (key, value) in &found.keys {
        let (fate, new, remark) = match key.as_str() {
            "dataDir" => (Fate::Renamed, Some(data.clone()), data.clone()),
            "dataLogDir" => (Fate::Renamed, None, format!("{data}: logs stand with the snapshots")),
            "dynamicConfigFile" => match &places.dynamic {
                Some(path) => {
                    let path = path.display().to_string();
                    (Fate::Renamed, Some(path.clone()), path)
                }
                None => (Fate::Ignored, None, "the file is not there".to_owned()),
            },
            _ => (Fate::Kept, Some(value.clone()), String::new()),
        };
        if let Some(new) = new {
            lines.push((format!("{key}={}", escaped(&new)), rows.len()));
        }
        rows.push(Row { key: key.clone(), value: value.clone(), fate, remark });
    }
    add_properties(found, &mut rows, &mut lines);
    let warnings = loop {
        let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
        match judge(&text)? {
            Judgement::Taken(warnings) => break warnings,
            Judgement::Refused(number, why) => {
                let Some(at) = number.checked_sub(1).filter(|at| *at < lines.len()) else {
                    let row = Row {
                        key: "zoo.cfg".to_owned(),
                        value: String::new(),
                        fate: Fate::Unsupported,
                        remark: why,
                    };
                    rows.push(row);
                    break Vec::new();
                };
                let (_, row) = lines.remove(at);
                (rows[row].fate, rows[row].remark) = (Fate::Unsupported, why);
            }
        }
    };
    let warned: BTreeMap<String, String> = warnings.into_iter().collect();
    let mut without = BTreeSet::new();
    for (line, row) in &lines {
        let key = line.split('=').next().unwrap_or_default();
        let Some(text) = warned.get(key) else { continue };
        let row = &mut rows[*row];
        let no_effect = ["no effect", "later", "is none of", "not known", "unknown"];
        if no_effect.iter().any(|start| text.contains(start)) {
            let protects = PROTECTION.iter().any(|start| row.key.contains(start));
            row.fate = if protects { Fate::Unsupported } else { Fate::Ignored };
            without.insert(line.clone());
        }
        row.remark.clone_from(text);
    }
    // What has no effect stays in the file, for the way back of whoever reads it.
    Ok(Plan { lines: lines.into_iter().map(|(line, _)| line).collect(), rows })
}

/// Properties of the Java machine as keys; what the file sets wins, as in Apache's server.
fn add_properties(found: &Found, rows: &mut Vec<Row>, lines: &mut Vec<(String, usize)>) {
    for (name, value) in &found.properties {
        let key = name.strip_prefix("zookeeper.").unwrap_or(name);
        let row = |fate: Fate, remark: String| Row {
            key: format!("-D{name}"),
            value: value.clone(),
            fate,
            remark,
        };
        if PROTECTION.iter().any(|start| key.starts_with(start)) {
            rows.push(row(Fate::Unsupported, "TLS and SASL come later".to_owned()));
        } else if !name.starts_with("zookeeper.")
            && name != "jute.maxbuffer"
            && name != "readonlymode.enabled"
        {
            rows.push(row(Fate::Ignored, "a matter of the Java virtual machine".to_owned()));
        } else if found.value(key).is_some() {
            rows.push(row(Fate::Ignored, format!("zoo.cfg sets {key}")));
        } else {
            lines.push((format!("{key}={}", escaped(value)), rows.len()));
            rows.push(row(Fate::Renamed, format!("{key} in zoo.cfg")));
        }
    }
    for option in &found.options {
        rows.push(Row {
            key: option.clone(),
            value: String::new(),
            fate: Fate::Ignored,
            remark: "a matter of the Java virtual machine".to_owned(),
        });
    }
}

/// Reads what `zk-agent check-config FILE` printed: `FILE:LINE: key..` on standard error when it
/// refuses, `# warning: FILE:LINE: key: text` among what it prints when it takes the settings.
pub fn judgement(file: &Path, code: i32, out: &str, error: &str) -> Judgement {
    let place = format!("{}:", file.display());
    if code != 0 {
        let said = error.lines().last().unwrap_or("").to_owned();
        let rest = said.split_once(&place).map(|(_, rest)| rest.to_owned());
        let number = rest.as_deref().and_then(|rest| rest.split(':').next()?.trim().parse().ok());
        let words = match (number, rest) {
            (Some(_), Some(rest)) => {
                rest.split_once(": ").map_or(rest.clone(), |(_, w)| w.to_owned())
            }
            _ => said,
        };
        return Judgement::Refused(number.unwrap_or(0), words);
    }
    let warnings = out.lines().filter_map(|line| {
        let line = line.strip_prefix("# warning: ")?;
        let (_, rest) = line.split_once(": ")?;
        let (key, text) = rest.split_once(": ")?;
        Some((key.to_owned(), text.to_owned()))
    });
    Judgement::Taken(warnings.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "# c\ntickTime=2000\ndataDir=/tmp/zookeeper\ndataLogDir=/log\n\
        clientPort=2181\nforceSync = no\nbogus=1\nsslQuorum=true\nclientPort=2199\n";
    const ENVIRONMENT: &str = "JAVA=/usr/bin/java\nJAVA_OPTS=\"-Xmx1g -Dzookeeper.skipACL=yes \
        -Dfoo=1 -Dzookeeper.forceSync=yes -Djute.maxbuffer=0x200000\"\n";

    fn fate<'a>(plan: &'a Plan, key: &str) -> &'a Row {
        plan.rows.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("{key}: {plan:?}"))
    }

    #[test]
    fn each_key_has_a_fate() {
        let found = Found::parse(CONFIG, ENVIRONMENT).unwrap();
        assert_eq!(found.client_port(None), Some(2199));
        let places = Places { data: "/new".into(), dynamic: None };
        let mut asked = 0;
        let plan = plan(&found, &places, &mut |text| {
            asked += 1;
            let at = text.lines().position(|line| line.starts_with("sslQuorum"));
            Ok(match at {
                Some(at) => Judgement::Refused(at + 1, "sslQuorum=true: later".to_owned()),
                None => Judgement::Taken(vec![("bogus".to_owned(), "has no effect".to_owned())]),
            })
        })
        .unwrap();
        assert_eq!(asked, 2);
        assert!(plan.stops());
        let fates = [
            ("tickTime", Fate::Kept),
            ("dataDir", Fate::Renamed),
            ("dataLogDir", Fate::Renamed),
            ("bogus", Fate::Ignored),
            ("sslQuorum", Fate::Unsupported),
            ("-Xmx1g", Fate::Ignored),
            ("-Dfoo", Fate::Ignored),
            ("-Dzookeeper.forceSync", Fate::Ignored),
            ("-Dzookeeper.skipACL", Fate::Renamed),
            ("-Djute.maxbuffer", Fate::Renamed),
        ];
        for (key, wanted) in fates {
            assert_eq!(fate(&plan, key).fate, wanted, "{key}");
        }
        assert_eq!(
            plan.text(),
            "tickTime=2000\ndataDir=/new\nforceSync=no\nbogus=1\nclientPort=2199\nskipACL=yes\n\
             jute.maxbuffer=0x200000\n"
        );
    }

    #[test]
    fn protection_is_not_dropped_in_silence() {
        let found = Found::parse(
            "dataDir=/d\nssl.keyStore.location=/k\n",
            "JVMFLAGS=-Djava.security.auth.login.config=/j",
        )
        .unwrap();
        let places = Places { data: "/new".into(), dynamic: None };
        let later = vec![("ssl.keyStore.location".to_owned(), "later: TLS comes later".to_owned())];
        let plan = plan(&found, &places, &mut |_| Ok(Judgement::Taken(later.clone()))).unwrap();
        assert_eq!(fate(&plan, "ssl.keyStore.location").fate, Fate::Unsupported);
        assert_eq!(fate(&plan, "-Djava.security.auth.login.config").fate, Fate::Unsupported);
    }

    #[test]
    fn the_servers_words_are_read() {
        let file = Path::new("/t/zoo.cfg");
        let error = "zk-agent: /t/zoo.cfg:3: tickTime=x: not a number; give ms";
        match judgement(file, 78, "", error) {
            Judgement::Refused(3, why) => assert_eq!(why, "tickTime=x: not a number; give ms"),
            _ => panic!("{error}"),
        }
        let out = "tickTime=1\n# warning: /t/zoo.cfg:4: bogus: has no effect: it is like no key\n";
        match judgement(file, 0, out, "") {
            Judgement::Taken(warnings) => {
                assert_eq!(warnings[0].0, "bogus");
                assert_eq!(warnings[0].1, "has no effect: it is like no key");
            }
            Judgement::Refused(..) => panic!("{out}"),
        }
    }

    #[test]
    fn client_ports_of_members() {
        let mut found = Found::parse("server.2=b:1:2;0.0.0.0:2182\nclientPort=5\n", "").unwrap();
        assert_eq!(found.client_port(Some(2)), Some(2182));
        found.keys.clear();
        found.dynamic = Some("server.3=c:1:2:participant;2183".to_owned());
        assert_eq!(found.client_port(Some(3)), Some(2183));
    }
}
