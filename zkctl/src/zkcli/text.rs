//! How Java writes things: dates, stats, hex dumps, events, exceptions, and what is wrong with a
//! path.

use zk_wire::watch::event;
use zk_wire::{Acl, Code, Stat};

/// `Date.toString`, in the local time zone.
pub fn date(ms: i64) -> String {
    crate::output::date_as(ms, "%a %b %d %H:%M:%S %Z %Y")
}

/// A stat as `StatPrinter` prints it.
pub fn stat(stat: &Stat) -> String {
    format!(
        "cZxid = 0x{:x}\nctime = {}\nmZxid = 0x{:x}\nmtime = {}\npZxid = 0x{:x}\ncversion = {}\n\
         dataVersion = {}\naclVersion = {}\nephemeralOwner = 0x{:x}\ndataLength = {}\n\
         numChildren = {}\n",
        stat.czxid,
        date(stat.ctime_ms),
        stat.mzxid,
        date(stat.mtime_ms),
        stat.pzxid,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

/// The hex dump that netty makes.
pub fn hex_dump(bytes: &[u8]) -> String {
    const EDGE: &str = "+-------------------------------------------------+";
    if bytes.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "         {EDGE}\n         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n\
         +--------{EDGE}----------------+"
    );
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let hex: String = chunk.iter().map(|byte| format!(" {byte:02x}")).collect();
        let shown =
            |byte: &u8| if *byte <= 0x1f || *byte >= 0x7f { '.' } else { char::from(*byte) };
        let text: String = chunk.iter().map(shown).collect();
        out.push_str(&format!("\n|{:08x}|{hex:48} |{text:16}|", row * 16));
    }
    out.push_str(&format!("\n+--------{EDGE}----------------+"));
    out
}

/// `WatchedEvent.toString` of something that happened to a znode or to the session.
pub fn watched(state: &str, kind: &str, path: Option<&str>, zxid: i64) -> String {
    let path = path.unwrap_or("null");
    format!("WatchedEvent state:{state} type:{kind} path:{path} zxid: {zxid}")
}

/// The name of an event's type.
pub fn event_type(kind: i32) -> &'static str {
    match kind {
        event::CREATED => "NodeCreated",
        event::DELETED => "NodeDeleted",
        event::DATA_CHANGED => "NodeDataChanged",
        event::CHILDREN_CHANGED => "NodeChildrenChanged",
        _ => "None",
    }
}

/// An ACL as getAcl prints it: an id in quotes, and the letters below.
pub fn acl(acl: &Acl) -> String {
    let (scheme, id) = (acl.id.scheme(), acl.id.id());
    format!("'{scheme},'{id}\n: {}\n", crate::acls::letters(acl.perms))
}

/// The message of a `KeeperException`.
pub fn exception(code: Code, path: &str) -> String {
    let name = match code {
        Code::SYSTEM_ERROR => "SystemError",
        Code::RUNTIME_INCONSISTENCY => "RuntimeInconsistency",
        Code::DATA_INCONSISTENCY => "DataInconsistency",
        Code::CONNECTION_LOSS => "ConnectionLoss",
        Code::MARSHALLING_ERROR => "MarshallingError",
        Code::UNIMPLEMENTED => "Unimplemented",
        Code::OPERATION_TIMEOUT => "OperationTimeout",
        Code::BAD_ARGUMENTS => "BadArguments",
        Code::NEW_CONFIG_NO_QUORUM => "NewConfigNoQuorum",
        Code::RECONFIG_IN_PROGRESS => "ReconfigInProgress",
        Code::NO_NODE => "NoNode",
        Code::NO_AUTH => "NoAuth",
        Code::BAD_VERSION => "BadVersion",
        Code::NO_CHILDREN_FOR_EPHEMERALS => "NoChildrenForEphemerals",
        Code::NODE_EXISTS => "NodeExists",
        Code::NOT_EMPTY => "Directory not empty",
        Code::SESSION_EXPIRED => "Session expired",
        Code::INVALID_ACL => "InvalidACL",
        Code::AUTH_FAILED => "AuthFailed",
        Code::SESSION_MOVED => "Session moved",
        Code::NOT_READ_ONLY => "Not a read-only call",
        Code::EPHEMERAL_ON_LOCAL_SESSION => "Ephemeral node on local session",
        Code::NO_WATCHER => "No such watcher",
        Code::RECONFIG_DISABLED => "Reconfig is disabled",
        Code::QUOTA_EXCEEDED => "Quota has exceeded",
        Code::THROTTLED_OP => "Op throttled due to high load",
        other => return format!("KeeperErrorCode = Unknown error {other}"),
    };
    match path.is_empty() {
        true => format!("KeeperErrorCode = {name}"),
        false => format!("KeeperErrorCode = {name} for {path}"),
    }
}

/// What zkCli says of an error number.
pub fn wrapped(code: Code, path: &str) -> String {
    let said = match code {
        Code::NO_NODE => "Node does not exist: ",
        Code::NO_CHILDREN_FOR_EPHEMERALS => "Ephemerals cannot have children: ",
        Code::NODE_EXISTS => "Node already exists: ",
        Code::NOT_EMPTY => "Node not empty: ",
        Code::NOT_READ_ONLY => "Not a read-only call: ",
        Code::INVALID_ACL => "Acl is not valid : ",
        Code::NO_AUTH => "Insufficient permission : ",
        Code::BAD_ARGUMENTS => "Arguments are not valid : ",
        Code::BAD_VERSION => "version No is not valid : ",
        Code::QUOTA_EXCEEDED => "Quota has exceeded : ",
        Code::RECONFIG_IN_PROGRESS => {
            return "Another reconfiguration is in progress -- concurrent reconfigs not supported \
                    (yet)"
                .to_owned();
        }
        Code::NEW_CONFIG_NO_QUORUM => {
            return "No quorum of new config is connected and up-to-date with the leader of last \
                    commmitted config - try invoking reconfiguration after new servers are \
                    connected and synced"
                .to_owned();
        }
        code => return exception(code, path),
    };
    format!("{said}{path}")
}

/// What Java's client says of a path that no znode can have. Positions count UTF-16 units.
pub fn path_error(path: &str) -> Option<String> {
    let units: Vec<u16> = path.encode_utf16().collect();
    let unit = |c: char| c as u16;
    let slash = unit('/');
    let dot = unit('.');
    match (units.first(), units.len()) {
        (None, _) => return Some("Path length must be > 0".to_owned()),
        (Some(first), _) if *first != slash => {
            return Some("Path must start with / character".to_owned());
        }
        (_, 1) => return None,
        _ => {}
    }
    if units.last() == Some(&slash) {
        return Some("Path must not end with / character".to_owned());
    }
    let ends = |at: usize| units.get(at + 1).is_none_or(|next| *next == slash);
    for at in 1..units.len() {
        let (c, last) = (units[at], units[at - 1]);
        let reason = match c {
            0 => "null character not allowed",
            c if c == slash && last == slash => "empty node name specified",
            c if c == dot && last == dot && at >= 2 && units[at - 2] == slash && ends(at) => {
                "relative paths not allowed"
            }
            c if c == dot && last == slash && ends(at) => "relative paths not allowed",
            0x01..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..=0xffff => "invalid character",
            _ => continue,
        };
        return Some(format!("Invalid path string \"{path}\" caused by {reason} @{at}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_refused_in_javas_words() {
        assert_eq!(path_error("/a/..b"), None);
        assert_eq!(path_error("/"), None);
        assert_eq!(
            path_error("/a/../b").unwrap(),
            "Invalid path string \"/a/../b\" caused by relative paths not allowed @4"
        );
        assert_eq!(
            path_error("/a//b").unwrap(),
            "Invalid path string \"/a//b\" caused by empty node name specified @3"
        );
        assert!(path_error("/a\u{1}").unwrap().ends_with("invalid character @2"));
    }

    #[test]
    fn dumps_have_nettys_frame() {
        let dump = hex_dump(b"data");
        assert_eq!(
            dump.lines().nth(3),
            Some("|00000000| 64 61 74 61                                     |data            |")
        );
        assert_eq!(dump.lines().count(), 5);
        assert_eq!(hex_dump(b""), "");
    }
}
