//! `zk-agent container`: the settings of a server in a container, from the variables that people know
//! from the official ZooKeeper image.
//!
//! Reads the environment, the host's name and addresses; writes `conf/zoo.cfg` and `myid` below the
//! data directory, and nothing else. A `zoo.cfg` in the configuration directory goes before all
//! variables. What the settings think of a value is told with the variable's name.
//!
//! The file is made anew at each start, so that a changed variable takes effect although the volume
//! is the old one. Only a membership that reconfigs have made outlives that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::settings::given::{Origin, Refusal};
use crate::settings::load::load_bytes;

/// The environment, or what stands for it in a test.
pub type Variables = BTreeMap<String, String>;

/// Variables that become a line each: their name, the key, and what the official image has without
/// them. No default where ours is the better one.
const PLAIN: &[(&str, &str, Option<&str>)] = &[
    ("ZOO_TICK_TIME", "tickTime", Some("2000")),
    ("ZOO_INIT_LIMIT", "initLimit", Some("5")),
    ("ZOO_SYNC_LIMIT", "syncLimit", Some("2")),
    ("ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", Some("60")),
    ("ZOO_STANDALONE_ENABLED", "standaloneEnabled", Some("true")),
    ("ZOO_AUTOPURGE_SNAPRETAINCOUNT", "autopurge.snapRetainCount", None),
    ("ZOO_AUTOPURGE_PURGEINTERVAL", "autopurge.purgeInterval", None),
    ("ZOO_ADMINSERVER_ENABLED", "admin.enableServer", None),
    ("ZOO_4LW_COMMANDS_WHITELIST", "4lw.commands.whitelist", None),
    ("ZOO_PORT", "clientPort", None),
];

/// Variables that are read elsewhere, or that only a Java server has a use for.
const OTHERS: &[&str] = &[
    "ZOO_MY_ID",
    "ZOO_SERVERS",
    "ZOO_CFG_EXTRA",
    "ZOO_CONF_DIR",
    "ZOO_DATA_DIR",
    "ZOO_DATA_LOG_DIR",
    "ZOO_LOG_DIR",
    "ZOO_LOG4J_PROP",
];

/// Where things are unless a variable says otherwise.
const CONF_DIR: &str = "/conf";
const DATA_DIR: &str = "/data";
const LOG_DIR: &str = "/datalog";

/// The client port where nobody names one.
const CLIENT_PORT: u16 = 2181;

/// Longest `myid` or settings file of a former start that is looked at, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the server is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The file of the settings.
    pub config: PathBuf,
    /// What the operator should know.
    pub remarks: Vec<String>,
}

/// What this host is called, and where.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its addresses, without that of the loopback.
    pub addresses: Vec<std::net::IpAddr>,
}

impl Host {
    /// Asks the kernel.
    pub fn here() -> Host {
        let name = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let found = nix::ifaddrs::getifaddrs().into_iter().flatten();
        let addresses = found.filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|a| std::net::IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| std::net::IpAddr::V6(a.ip())))
        });
        let addresses = addresses.filter(|ip| !ip.is_loopback()).collect();
        Host { name, addresses }
    }

    /// The number behind the last dash of the name, as in the pods of a StatefulSet.
    fn ordinal(&self) -> Option<i64> {
        let label = self.name.split('.').next().unwrap_or_default();
        let (_, digits) = label.rsplit_once('-')?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse().ok() } else { None }
    }

    /// Whether a host in a server's line is this one: by its address, its name, or the first part
    /// of that.
    fn is(&self, host: &str) -> bool {
        match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
            Ok(ip) => self.addresses.contains(&ip),
            Err(_) => {
                let first = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
                !self.name.is_empty() && first(host) == first(&self.name)
            }
        }
    }
}

/// A line of the settings, and the variable it comes from.
struct Lines(Vec<(String, &'static str)>);

impl Lines {
    fn add(&mut self, line: String, from: &'static str) {
        self.0.push((line, from));
    }

    fn text(&self) -> String {
        let lines = self.0.iter().map(|(line, _)| format!("{line}\n"));
        format!("# Made at each start from the variables ZOO_*.\n{}", lines.collect::<String>())
    }

    /// The variable that a line of the text comes from; the first line is 1, and a comment.
    fn variable(&self, line: usize) -> Option<&'static str> {
        self.0.get(line.checked_sub(2)?).map(|(_, from)| *from)
    }
}

/// A member as its line names it: id, host, and whether the line has a port for clients.
struct Member<'a> {
    id: i64,
    host: &'a str,
    has_client: bool,
}

fn member(line: &str) -> Option<Member<'_>> {
    let (id, rest) = line.strip_prefix("server.")?.split_once('=')?;
    let (addresses, client) =
        rest.split_once(';').map_or((rest, ""), |(front, back)| (front, back));
    let host = match addresses.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => addresses.split(':').next()?,
    };
    Some(Member { id: id.trim().parse().ok()?, host, has_client: !client.is_empty() })
}

fn refused(variable: &str, value: &str, reason: &str, remedy: &str) -> String {
    let given = if value.is_empty() { String::new() } else { format!("={value}") };
    format!("${variable}{given}: {reason}; {remedy}")
}

fn failed(path: &Path, variable: &str, error: &std::io::Error) -> String {
    let remedy = "mount a volume there that the container's user may write";
    refused(variable, "", &format!("{}: {error}", path.display()), remedy)
}

/// A small file, if it is there.
fn read(path: &Path) -> Option<String> {
    let length = fs::metadata(path).ok()?.len();
    if length > FILE_BYTES_MAX { None } else { fs::read_to_string(path).ok() }
}

/// Makes what the server is started with. The error is a line for the operator.
pub fn prepare(variables: &Variables, host: &Host) -> Result<Prepared, String> {
    let get = |name: &str| variables.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    let mut remarks = Vec::new();
    for name in variables.keys().filter(|name| name.starts_with("ZOO_")) {
        let known =
            OTHERS.contains(&name.as_str()) || PLAIN.iter().any(|(plain, ..)| plain == name);
        if !known {
            remarks.push(format!("${name} has no effect: there is no such variable"));
        }
    }
    let given = Path::new(get("ZOO_CONF_DIR").unwrap_or(CONF_DIR)).join("zoo.cfg");
    if given.is_file() {
        return Ok(Prepared { config: given, remarks });
    }
    let data = PathBuf::from(get("ZOO_DATA_DIR").unwrap_or(DATA_DIR));
    let log = PathBuf::from(get("ZOO_DATA_LOG_DIR").unwrap_or(LOG_DIR));
    let conf = data.join("conf");
    fs::create_dir_all(&conf).map_err(|error| failed(&conf, "ZOO_DATA_DIR", &error))?;
    fs::create_dir_all(&log).map_err(|error| failed(&log, "ZOO_DATA_LOG_DIR", &error))?;
    let config = conf.join("zoo.cfg");

    let servers = get("ZOO_SERVERS").unwrap_or("server.1=localhost:2888:3888;2181");
    let servers: Vec<&str> = servers.split_whitespace().collect();
    let id = identity(get("ZOO_MY_ID"), get("ZOO_SERVERS").is_some(), &servers, &data, host)?;
    let lines = lines(variables, &servers, &data, &log, id, read(&config).as_deref());
    let text = lines.text();
    // The settings look for it. What they refuse leaves no mark on the volume.
    let path = data.join("myid");
    let fresh = !path.exists();
    if fresh {
        fs::write(&path, format!("{id}\n")).map_err(|e| failed(&path, "ZOO_DATA_DIR", &e))?;
    }
    if let Err(refusal) = load_bytes(&config, text.as_bytes()) {
        if fresh {
            fs::remove_file(&path).map_err(|e| failed(&path, "ZOO_DATA_DIR", &e))?;
        }
        return Err(by_variable(refusal, &lines));
    }
    if read(&config).as_deref() != Some(&text) {
        let fresh = conf.join("zoo.cfg.new");
        let written = fs::write(&fresh, &text).and_then(|()| fs::rename(&fresh, &config));
        written.map_err(|error| failed(&config, "ZOO_DATA_DIR", &error))?;
    }
    Ok(Prepared { config, remarks })
}

/// A refusal with the variable in the place of the line.
fn by_variable(refusal: Refusal, lines: &Lines) -> String {
    let origin = match &refusal.origin {
        Origin::File(_, line) => lines.variable(*line).map(Origin::Environment),
        _ => None,
    };
    let origin = origin.unwrap_or(refusal.origin.clone());
    Refusal { origin, ..refusal }.to_string()
}

/// Who this server is: as `myid` of the volume says, `ZOO_MY_ID`, the only line with this host, or
/// the ordinal of a StatefulSet, whose pods begin with 0 and members with 1.
fn identity(
    given: Option<&str>,
    listed: bool,
    servers: &[&str],
    data: &Path,
    host: &Host,
) -> Result<i64, String> {
    let given = match given {
        None => None,
        Some(text) => Some(text.parse::<i64>().map_err(|_| {
            refused("ZOO_MY_ID", text, "no whole number", "give the N of this server's server.N")
        })?),
    };
    let path = data.join("myid");
    if path.exists() {
        let text = read(&path).unwrap_or_default();
        let kept = text.trim().parse::<i64>().map_err(|_| {
            let remedy = "write this server's number into it, or remove it";
            refused("ZOO_DATA_DIR", "", &format!("{}: no whole number", path.display()), remedy)
        })?;
        return match given {
            Some(id) if id != kept => {
                let reason =
                    format!("{} says {kept}: these are another member's data", path.display());
                let remedy = "mount this member's volume, or give its number";
                Err(refused("ZOO_MY_ID", &id.to_string(), &reason, remedy))
            }
            _ => Ok(kept),
        };
    }
    if let Some(id) = given {
        return Ok(id);
    }
    if !listed {
        return Ok(1);
    }
    let members: Vec<Member<'_>> = servers.iter().filter_map(|line| member(line)).collect();
    let mut mine = members.iter().filter(|member| host.is(member.host));
    if let (Some(member), None) = (mine.next(), mine.next()) {
        return Ok(member.id);
    }
    let by_ordinal = host.ordinal().map(|ordinal| ordinal + 1);
    match by_ordinal.filter(|id| members.iter().any(|member| member.id == *id)) {
        Some(id) => Ok(id),
        None => {
            let reason = format!("not given, and no server in $ZOO_SERVERS is {}", host.name);
            Err(refused("ZOO_MY_ID", "", &reason, "give the N of this server's server.N"))
        }
    }
}

fn lines(
    variables: &Variables,
    servers: &[&str],
    data: &Path,
    log: &Path,
    id: i64,
    before: Option<&str>,
) -> Lines {
    let get = |name: &str| variables.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    let mut lines = Lines(Vec::new());
    lines.add(format!("dataDir={}", data.display()), "ZOO_DATA_DIR");
    lines.add(format!("dataLogDir={}", log.display()), "ZOO_DATA_LOG_DIR");
    for (name, key, default) in PLAIN {
        if let Some(value) = get(name).or(*default) {
            lines.add(format!("{key}={value}"), name);
        }
    }
    let extra: Vec<&str> = get("ZOO_CFG_EXTRA").unwrap_or("").split_whitespace().collect();
    let has_extra = |key: &str| extra.iter().any(|entry| entry.split('=').next() == Some(key));
    let reconfigured = kept_members(before).filter(|_| extra.contains(&"reconfigEnabled=true"));
    match &reconfigured {
        Some(kept) => kept.iter().for_each(|line| lines.add(line.clone(), "ZOO_DATA_DIR")),
        None => {
            let me = servers.iter().filter_map(|line| member(line)).find(|member| member.id == id);
            let named = me.is_some_and(|member| member.has_client);
            if !named && get("ZOO_PORT").is_none() && !has_extra("clientPort") {
                lines.add(format!("clientPort={CLIENT_PORT}"), "ZOO_PORT");
            }
            servers.iter().for_each(|line| lines.add((*line).to_owned(), "ZOO_SERVERS"));
        }
    }
    extra.iter().for_each(|entry| lines.add((*entry).to_owned(), "ZOO_CFG_EXTRA"));
    lines
}

/// The lines of a former start that name the members as reconfigs have left them.
fn kept_members(before: Option<&str>) -> Option<Vec<String>> {
    let lines: Vec<&str> = before?.lines().collect();
    let file = lines.iter().find_map(|line| line.strip_prefix("dynamicConfigFile="))?;
    let kept =
        |line: &&&str| line.starts_with("dynamicConfigFile=") || line.starts_with("clientPort=");
    let kept = lines.iter().filter(kept).map(|line| (*line).to_owned()).collect();
    Path::new(file).is_file().then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "server.1=zk-0.zk:2888:3888;2181 server.2=zk-1.zk:2888:3888;2181 \
        server.3=zk-2.zk:2888:3888;2181";

    struct Volume(PathBuf);

    impl Volume {
        fn new(name: &str) -> Volume {
            let name = format!("zk-container-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Volume(path)
        }

        fn prepare(&self, given: &[(&str, &str)], host: &str) -> Result<Prepared, String> {
            let mut variables: Variables =
                given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            for (name, below) in
                [("ZOO_CONF_DIR", "c"), ("ZOO_DATA_DIR", "d"), ("ZOO_DATA_LOG_DIR", "l")]
            {
                variables.insert(name.to_owned(), self.0.join(below).display().to_string());
            }
            let host = Host { name: host.to_owned(), addresses: vec!["10.0.0.7".parse().unwrap()] };
            prepare(&variables, &host)
        }

        fn settings(&self) -> String {
            fs::read_to_string(self.0.join("d/conf/zoo.cfg")).unwrap()
        }

        fn id(&self) -> Option<String> {
            fs::read_to_string(self.0.join("d/myid")).ok()
        }
    }

    impl Drop for Volume {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn without_variables_it_stands_alone() {
        let volume = Volume::new("alone");
        let prepared = volume.prepare(&[], "box").unwrap();
        assert!(prepared.remarks.is_empty(), "{prepared:?}");
        let text = volume.settings();
        for line in ["tickTime=2000", "initLimit=5", "syncLimit=2", "maxClientCnxns=60"] {
            assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
        }
        assert!(text.ends_with("\nserver.1=localhost:2888:3888;2181\n"), "{text}");
        assert!(!text.contains("purgeInterval") && !text.contains("admin."), "{text}");
        assert_eq!(volume.id().as_deref(), Some("1\n"));
    }

    #[test]
    fn variables_become_settings_and_extra_ones_stand_last() {
        let volume = Volume::new("given");
        let given = [
            ("ZOO_MY_ID", "2"),
            ("ZOO_SERVERS", THREE),
            ("ZOO_TICK_TIME", "500"),
            ("ZOO_4LW_COMMANDS_WHITELIST", "srvr, mntr"),
            ("ZOO_CFG_EXTRA", "snapCount=5000  syncLimit=9"),
            ("ZOO_TICKTIME", "1"),
        ];
        let prepared = volume.prepare(&given, "box").unwrap();
        assert_eq!(prepared.remarks, ["$ZOO_TICKTIME has no effect: there is no such variable"]);
        let text = volume.settings();
        assert!(
            text.contains("tickTime=500\n") && text.contains("whitelist=srvr, mntr\n"),
            "{text}"
        );
        assert!(text.ends_with("snapCount=5000\nsyncLimit=9\n"), "{text}");
        assert!(!text.contains("clientPort"), "it stands in the line: {text}");
        assert_eq!(volume.id().as_deref(), Some("2\n"));
        // A changed variable takes effect on the old volume.
        volume.prepare(&[given[1], ("ZOO_TICK_TIME", "700")], "box").unwrap();
        assert!(volume.settings().contains("tickTime=700\n"));
    }

    #[test]
    fn a_file_goes_before_variables() {
        let volume = Volume::new("file");
        fs::create_dir_all(volume.0.join("c")).unwrap();
        fs::write(volume.0.join("c/zoo.cfg"), "dataDir=/data\n").unwrap();
        let prepared = volume.prepare(&[("ZOO_TICK_TIME", "nonsense")], "box").unwrap();
        assert_eq!(prepared.config, volume.0.join("c/zoo.cfg"));
        assert!(!volume.0.join("d").exists());
    }

    #[test]
    fn who_it_is() {
        let ids = [("zk-1", "2"), ("zk-1.zk.default.svc", "2"), ("other-2", "3")];
        for (host, id) in ids {
            let volume = Volume::new(host);
            volume.prepare(&[("ZOO_SERVERS", THREE)], host).unwrap();
            assert_eq!(volume.id(), Some(format!("{id}\n")), "{host}");
        }
        let volume = Volume::new("address");
        let servers = "server.4=10.0.0.6:2888:3888 server.5=10.0.0.7:2888:3888";
        volume.prepare(&[("ZOO_SERVERS", servers)], "box").unwrap();
        assert_eq!(volume.id().as_deref(), Some("5\n"));
        assert!(volume.settings().contains("clientPort=2181\n"));
    }

    #[test]
    fn mistakes_name_the_variable() {
        let volume = Volume::new("mistakes");
        let three = ("ZOO_SERVERS", THREE);
        for (given, host, start) in [
            (vec![three], "box", "$ZOO_MY_ID: not given, and no server in $ZOO_SERVERS is box; "),
            (vec![three], "box-9", "$ZOO_MY_ID: not given"),
            (vec![three, ("ZOO_MY_ID", "one")], "box", "$ZOO_MY_ID=one: no whole number; "),
            (vec![("ZOO_TICK_TIME", "2s")], "box", "$ZOO_TICK_TIME: tickTime=2s: "),
            (
                vec![("ZOO_SERVERS", "server.1=a"), ("ZOO_MY_ID", "1")],
                "box",
                "$ZOO_SERVERS: server.1=a: ",
            ),
            (vec![("ZOO_CFG_EXTRA", "snapCount=many")], "box", "$ZOO_CFG_EXTRA: snapCount=many: "),
        ] {
            let told = volume.prepare(&given, host).unwrap_err();
            assert!(told.starts_with(start), "{given:?}: {told}");
            assert_eq!(volume.id(), None, "{given:?} left a mark");
        }
        volume.prepare(&[three, ("ZOO_MY_ID", "1")], "box").unwrap();
        let told = volume.prepare(&[three, ("ZOO_MY_ID", "2")], "box").unwrap_err();
        assert!(told.starts_with("$ZOO_MY_ID=2: ") && told.contains("says 1"), "{told}");
    }

    #[test]
    fn members_outlive_a_start_only_by_reconfig() {
        let volume = Volume::new("reconfig");
        let extra = ("ZOO_CFG_EXTRA", "reconfigEnabled=true");
        let given = [("ZOO_SERVERS", THREE), ("ZOO_MY_ID", "1")];
        volume.prepare(&[given[0], given[1], extra], "box").unwrap();
        let dynamic = volume.0.join("d/conf/zoo.cfg.dynamic.100000003");
        let members = "server.1=zk-0.zk:2888:3888:participant;2181\n\
            server.2=zk-1.zk:2888:3888:participant;2181\n";
        fs::write(&dynamic, members).unwrap();
        let kept = format!("dynamicConfigFile={}\n", dynamic.display());
        fs::write(volume.0.join("d/conf/zoo.cfg"), &kept).unwrap();
        volume.prepare(&[given[0], extra], "box").unwrap();
        let text = volume.settings();
        assert!(text.contains(&kept) && !text.contains("server."), "{text}");
        // Without reconfigs the variables say it.
        volume.prepare(&[given[0]], "box").unwrap();
        assert!(volume.settings().contains("server.3="));
    }
}
