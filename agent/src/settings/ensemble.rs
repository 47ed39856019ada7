//! Whether this is a server of an ensemble, and if so, of which and which one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::{fs, io};

use zk_core::{EmptyDisk, EnsembleConfig, Members};

use crate::settings::files::read_entries;
use crate::settings::given::{Origin, Refusal, Values};
use crate::settings::servers::{HostPort, ServerList};
use crate::settings::{EnsembleSettings, PeerSettings, own_id};

const INT_MAX: i64 = i32::MAX as i64;
/// How long a better vote is waited for once a quorum agrees, in ms.
const SETTLE_MS: i64 = 25;
/// Longest `myid` that is looked at, in bytes.
const MYID_BYTES_MAX: usize = 64;

/// Switches that must not be passed over in silence: an ensemble without them is another one.
const REFUSED: &[(&str, &str)] = &[
    ("sslQuorum", "TLS between servers comes later"),
    ("quorum.auth.enableSasl", "SASL between servers comes later"),
    ("quorum.auth.learnerRequireSasl", "SASL between servers comes later"),
    ("quorum.auth.serverRequireSasl", "SASL between servers comes later"),
];

/// What stands in the file about ensembles beside the list.
struct Keys {
    init_ticks: i64,
    sync_ticks: i64,
    connect_timeout_ms: i64,
    bind_attempts: i64,
    listen_on_all: bool,
    tcp_keepalive: bool,
    standalone: bool,
    empty_disk: EmptyDisk,
}

fn keys(values: &Values) -> Result<Keys, Refusal> {
    if values.int("electionAlg", 3, i64::MIN..=i64::MAX)? != 3 {
        let remedy = "leave it out".into();
        return Err(values.refuse("electionAlg", "there is only one, number 3", remedy));
    }
    let peer_type = values.text("peerType").unwrap_or("participant").to_ascii_lowercase();
    if peer_type != "participant" && peer_type != "observer" {
        let remedy = "give participant or observer".into();
        return Err(values.refuse("peerType", "no such role", remedy));
    }
    let connect_timeout_ms = values.int("cnxTimeout", 5000, 1..=INT_MAX)?;
    if connect_timeout_ms < 100 {
        values.warn("cnxTimeout", format!("is in ms: connections have {connect_timeout_ms} ms"));
    }
    Ok(Keys {
        init_ticks: values.int("initLimit", 0, 0..=INT_MAX)?,
        sync_ticks: values.int("syncLimit", 0, 0..=INT_MAX)?,
        connect_timeout_ms,
        bind_attempts: values.int("electionPortBindRetry", 3, 0..=INT_MAX)?,
        listen_on_all: values.flag("quorumListenOnAllIPs", false),
        tcp_keepalive: values.flag("tcpKeepAlive", false),
        standalone: values.flag("standaloneEnabled", true),
        empty_disk: match values.flag("db.autocreate", true) {
            true => EmptyDisk::Asks,
            false => EmptyDisk::Abstains,
        },
    })
}

/// Reads the server list, from the file itself or from the one it names.
pub fn server_list(values: &Values, file: Option<&Path>) -> Result<ServerList, Refusal> {
    let mut list = ServerList::default();
    let prefixes = ["server.", "group", "weight"];
    let static_keys: Vec<(&str, &str)> =
        prefixes.iter().flat_map(|prefix| values.with_prefix(prefix)).collect();
    for &(key, value) in &static_keys {
        let origin = values.origin(key);
        list.add(key, value, origin)
            .map_err(|e| values.refuse(key, &e.to_string(), "correct the line".into()))?;
    }
    if let Some(path) = values.text("dynamicConfigFile") {
        if let Some((key, _)) = static_keys.first() {
            let remedy = "keep the list in one file".into();
            return Err(values.refuse(key, "dynamicConfigFile is given too", remedy));
        }
        let path = file_beside(file, path);
        dynamic_list(&path, &mut list)?;
        list.ensemble.version = version_of(&path);
    }
    Ok(list)
}

fn dynamic_list(path: &Path, list: &mut ServerList) -> Result<(), Refusal> {
    for entry in read_entries(path, "dynamicConfigFile")? {
        let origin = Origin::File(path.to_owned(), entry.line);
        let refuse = |reason: &str, remedy: &str| Refusal {
            origin: origin.clone(),
            given: format!("{}={}", entry.key, entry.value),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        };
        let known = ["server.", "group", "weight"].iter().any(|p| entry.key.starts_with(p));
        if entry.key == "version" {
            let remedy = "leave it out; the end of the file's name says it";
            return Err(refuse("a dynamic file has no version", remedy));
        }
        if !known {
            let remedy = "only server, group and weight may stand here";
            return Err(refuse("unexpected key in a dynamic file", remedy));
        }
        let added = list.add(&entry.key, &entry.value, origin.clone());
        added.map_err(|e| refuse(&e.to_string(), "correct the line"))?;
    }
    Ok(())
}

/// The version that the name of a dynamic file ends in, in hexadecimal digits; 0 without.
fn version_of(path: &Path) -> i64 {
    let name = path.to_string_lossy();
    let digits = name.rsplit_once('.').map_or("", |(_, digits)| digits);
    i64::from_str_radix(digits, 16).map_or(0, |version| version.max(0))
}

/// The configuration that was proposed before this start, if it was written down. It counts beside
/// a dynamic file only: who writes the list into the file itself begins anew.
fn proposed(values: &Values, file: Option<&Path>) -> Result<Option<Members>, Refusal> {
    let Some(file) = file.filter(|_| values.has("dynamicConfigFile")) else { return Ok(None) };
    let path = pending_file(file);
    if !values.flag("reconfigEnabled", false) || !path.exists() {
        return Ok(None);
    }
    let text = fs::read(&path).map_err(|e| e.to_string());
    let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()));
    let members = text.and_then(|text| Members::parse(&text).map_err(|e| e.to_string()));
    members.map(Some).map_err(|reason| Refusal {
        origin: Origin::WholeFile(path),
        given: "the proposed configuration".to_owned(),
        reason,
        remedy: "correct it as the other servers have it; or remove it, if no other server has one"
            .to_owned(),
    })
}

/// Where a configuration stands that was proposed, beside the file of the settings.
pub fn pending_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".dynamic.next");
    PathBuf::from(name)
}

fn file_beside(file: Option<&Path>, path: &str) -> PathBuf {
    let parent = file.and_then(Path::parent).unwrap_or(Path::new(""));
    if Path::new(path).exists() { PathBuf::from(path) } else { parent.join(path) }
}

/// Where the settings and the data are.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The file of the settings, if there is one.
    pub file: Option<&'a Path>,
    /// The data directory.
    pub data_dir: &'a Path,
}

/// The ensemble that the list makes; `None` for a server that stands alone. `own_addresses`: as in
/// [`crate::settings::Source`].
pub fn ensemble(
    values: &Values,
    place: Place<'_>,
    list: &mut ServerList,
    own_addresses: Option<fn() -> Vec<IpAddr>>,
) -> Result<Option<EnsembleSettings>, Refusal> {
    let keys = keys(values)?;
    let oracle = values.text("oraclePath").is_some();
    let refused = |(key, reason): &(&'static str, &'static str)| {
        values.flag(key, false).then_some((*key, *reason))
    };
    let insecure = REFUSED.iter().filter_map(refused).next();
    if !is_ensemble(values, list, &keys)? {
        return Ok(None);
    }
    if oracle {
        let reason = "an oracle lets two servers go on without a quorum, and loses writes";
        return Err(values.refuse("oraclePath", reason, "run three servers, or one".into()));
    }
    if let Some((key, reason)) = insecure {
        let remedy = "leave it out, and keep the servers on a network of their own".into();
        return Err(values.refuse(key, reason, remedy));
    }
    for (key, ticks) in [("initLimit", keys.init_ticks), ("syncLimit", keys.sync_ticks)] {
        if ticks == 0 {
            let example = if key == "initLimit" { 10 } else { 5 };
            let remedy = format!("add {key}={example}, in ticks");
            return Err(values.refuse(key, "an ensemble needs it", remedy));
        }
    }
    check_places(list)?;
    list.complete()?;
    let me = my_id(values, list, place.data_dir, own_addresses)?;
    let line = &list.servers[&me];
    warn(values, list, line.member.observer);
    Ok(Some(EnsembleSettings {
        core: EnsembleConfig {
            me,
            members: Members::of(&list.ensemble),
            proposed: proposed(values, place.file)?,
            init_ticks: keys.init_ticks as u32,
            sync_ticks: keys.sync_ticks as u32,
            settle_ms: SETTLE_MS,
            // What the data directory says comes with it.
            cluster: Default::default(),
            fresh_cluster: 0,
            empty_disk: keys.empty_disk,
        },
        peers: PeerSettings {
            election: line.member.election.clone(),
            quorum: line.member.quorum.clone(),
            listen_on_all: keys.listen_on_all,
            bind_attempts: (keys.bind_attempts > 0).then_some(keys.bind_attempts as u32),
            connect_timeout_ms: keys.connect_timeout_ms,
            tcp_keepalive: keys.tcp_keepalive,
        },
        client: line.client.clone(),
    }))
}

/// One voter alone stands alone, unless it is told not to.
fn is_ensemble(values: &Values, list: &ServerList, keys: &Keys) -> Result<bool, Refusal> {
    let (voters, observers) = list.counts();
    let last = list.servers.values().next_back();
    if voters == 0 && observers > 0 {
        let remedy = "add a server line without :observer";
        return Err(last.expect("there is one").refuse("observers need voters", remedy));
    }
    if voters == 0 && !keys.standalone {
        let remedy = "add server lines, or leave it out".into();
        return Err(values.refuse("standaloneEnabled", "there are no server lines", remedy));
    }
    if voters == 1 && observers > 0 && keys.standalone {
        let observer = list.servers.values().find(|line| line.member.observer);
        let reason = "one voter stands alone and has no observers";
        let remedy = "add voters, or standaloneEnabled=false";
        return Err(observer.expect("there is one").refuse(reason, remedy));
    }
    Ok(voters > 1 || (voters == 1 && !keys.standalone))
}

/// No two servers, and no two ports of one, may be in the same place.
fn check_places(list: &ServerList) -> Result<(), Refusal> {
    let mut taken: BTreeMap<&HostPort, i64> = BTreeMap::new();
    for (id, line) in &list.servers {
        let mut own: BTreeSet<&HostPort> =
            line.member.quorum.iter().chain(&line.member.election).collect();
        let everywhere = |host: &str| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
        let client = line.client.as_ref();
        own.extend(client.filter(|(host, _)| !host.is_empty() && !everywhere(host)));
        for place in own {
            if let Some(other) = taken.insert(place, *id) {
                let reason = format!("{}:{} is server {other}'s too", place.0, place.1);
                return Err(line.refuse(&reason, "give each server ports of its own"));
            }
        }
        let ports = line.member.quorum.iter().chain(&line.member.election).map(|(_, port)| *port);
        if let Some((_, client)) = line.client
            && ports.clone().any(|port| port == client)
        {
            let reason = "the client port is one of the ports for servers";
            return Err(line.refuse(reason, "give it another number"));
        }
    }
    Ok(())
}

/// Reads `myid` in the data directory, and looks whether the list has it. Without one, the list says
/// it, if this host has an address of one server only.
fn my_id(
    values: &Values,
    list: &ServerList,
    data_dir: &Path,
    own_addresses: Option<fn() -> Vec<IpAddr>>,
) -> Result<i64, Refusal> {
    let path = data_dir.join("myid");
    let refuse = |given: &str, reason: String, remedy: &str| Refusal {
        origin: Origin::WholeFile(path.clone()),
        given: given.to_owned(),
        reason,
        remedy: remedy.to_owned(),
    };
    const REMEDY: &str = "write this server's number from the server list into it";
    let id: i64 = match (fs::read(&path), own_addresses) {
        (Err(error), Some(own)) if error.kind() == io::ErrorKind::NotFound => {
            let (id, ip) = own_id::find(list, &own()).map_err(|e| refuse("myid", e, REMEDY))?;
            let text = format!("is missing: this is server {id}, by its address {ip}");
            values.warn_at(Origin::WholeFile(path.clone()), "myid", text);
            id
        }
        (Err(error), _) => return Err(refuse("myid", error.to_string(), REMEDY)),
        (Ok(text), _) => {
            let text = String::from_utf8_lossy(&text[..text.len().min(MYID_BYTES_MAX)]);
            let first = text.lines().next().unwrap_or("").trim();
            let number = || "not a whole number".to_owned();
            first.parse().map_err(|_| refuse(&format!("myid={first:?}"), number(), REMEDY))?
        }
    };
    let given = format!("myid={id}");
    if !list.servers.contains_key(&id) {
        let ids: Vec<String> = list.servers.keys().map(ToString::to_string).collect();
        let reason = format!("the server list has only {}", ids.join(", "));
        return Err(refuse(&given, reason, "correct it, or add a server line"));
    }
    if id & 0xff == 0xff {
        let reason = "ids of its sessions would look like times to live".to_owned();
        return Err(refuse(&given, reason, "give it a number from 1 to 254"));
    }
    Ok(id)
}

fn warn(values: &Values, list: &ServerList, observes: bool) {
    let (voters, _) = list.counts();
    if let Some(last) = list.servers.values().next_back()
        && voters % 2 == 0
        && !list.ensemble.hierarchical
    {
        let fewer = voters - 1;
        let text = format!(
            "{voters} voters survive no more failures than {fewer}; add one or make one an observer"
        );
        let key = last.given.split('=').next().unwrap_or("server");
        values.warn_at(last.origin.clone(), key, text);
    }
    let wanted = values.text("peerType").is_some_and(|role| role.eq_ignore_ascii_case("observer"));
    if values.has("peerType") && wanted != observes {
        values.warn("peerType", "has no effect: the server list says otherwise");
    }
    let upgrading = "localSessionsUpgradingEnabled";
    if values.flag(upgrading, false) && !values.flag("localSessionsEnabled", false) {
        values.warn(upgrading, "has no effect without localSessionsEnabled");
    }
}

/// The port for clients is none of the ports for servers, and if the server's line says where
/// clients connect, the file does not say otherwise.
pub fn check_client_address(
    values: &Values,
    ensemble: &EnsembleSettings,
    found: SocketAddr,
) -> Result<(), Refusal> {
    if !values.has("clientPort") {
        return Ok(());
    }
    let (port, peers) = (found.port(), &ensemble.peers);
    if peers.election.iter().chain(&peers.quorum).any(|(_, other)| *other == port) {
        let reason = "it is one of this server's ports for servers";
        return Err(values.refuse("clientPort", reason, "give it another number".into()));
    }
    let Some((host, listed)) = &ensemble.client else { return Ok(()) };
    let address = values.text("clientPortAddress");
    let same_host = address.is_none_or(|text| text == host)
        || found.ip().is_unspecified()
        || host.parse() == Ok(found.ip());
    if port == *listed && same_host {
        return Ok(());
    }
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let reason = format!("this server's line in the list says {host}:{listed}");
    Err(values.refuse("clientPort", &reason, "leave it out here, or in the line".into()))
}
