//! What the audit log says of a change: who asked for it, what it was, what became of it.
//!
//! Facts only; the shell writes the lines. Nothing here is made while the audit log is off. Texts
//! that clients choose are cut, so that a line is bounded and never loses its end.

use std::net::IpAddr;

use zk_wire::multi::{SubRequest, SubRequests};
use zk_wire::request::{CreateRequest, PathVersionRequest, SetAclRequest, SetDataRequest, flags};
use zk_wire::{Acl, Id, Op, Reader, perms};

use crate::txn::Body;

/// Bytes of a path in a line, at most.
pub const PATH_BYTES_MAX: usize = 2048;
/// Bytes of an ACL in a line, at most.
pub const ACL_BYTES_MAX: usize = 1024;
/// Bytes of the names of a client in a line, at most.
pub const USERS_BYTES_MAX: usize = 512;

/// Whoever made a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A client: its names, joined by commas (empty when it has none), and its address.
    Client(String, IpAddr),
    /// This server itself.
    Server,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The session that the change belongs to.
    pub session: i64,
    /// Who made it.
    pub by: By,
    /// The operation, in the words of Apache's server.
    pub operation: &'static str,
    /// Where; the path that was asked for when it failed.
    pub path: Option<String>,
    /// Kind of the znode that was created.
    pub kind: Option<&'static str>,
    /// The list that was set.
    pub acl: Option<String>,
    /// Whether it was done.
    pub success: bool,
}

/// What a client asked for, kept with its txn until the result is known.
#[derive(Clone, Debug)]
pub struct Asked {
    users: String,
    address: IpAddr,
    op: Op,
    path: Option<String>,
    kind: Option<&'static str>,
    acl: Option<String>,
    /// Kinds of what a multi creates, by the path that was asked for.
    kinds: Vec<(String, &'static str)>,
}

impl Asked {
    /// Reads a request's record; `None` for operations that are not audited.
    pub fn of(op: Op, record: Reader<'_>, ids: &[Id], address: IpAddr) -> Option<Box<Asked>> {
        operation(op)?;
        let mut asked = Asked {
            users: users(ids),
            address,
            op,
            path: None,
            // What does not decode is shown with Apache's first value.
            kind: is_create(op).then_some("persistent"),
            acl: None,
            kinds: Vec::new(),
        };
        asked.read(record);
        Some(Box::new(asked))
    }

    fn read(&mut self, mut record: Reader<'_>) {
        let reader = &mut record;
        let create = match self.op {
            Op::CREATE_TTL => CreateRequest::decode_ttl(reader),
            op if is_create(op) => CreateRequest::decode(reader),
            Op::DELETE => {
                let request = PathVersionRequest::decode(reader).ok();
                self.path = request.and_then(|r| r.path).as_deref().map(cut_path);
                return;
            }
            Op::SET_DATA => {
                let request = SetDataRequest::decode(reader).ok();
                self.path = request.and_then(|r| r.path).as_deref().map(cut_path);
                return;
            }
            Op::SET_ACL => {
                if let Ok(request) = SetAclRequest::decode(reader) {
                    self.path = Some(cut_path(&request.path));
                    self.acl = acl_text(request.acl.bytes());
                }
                return;
            }
            Op::MULTI => return self.read_multi(record),
            _ => return,
        };
        if let Ok(request) = create {
            self.path = request.path.as_deref().map(cut_path);
            self.kind = kind(request.flags);
        }
    }

    fn read_multi(&mut self, record: Reader<'_>) {
        let mut requests = SubRequests::new(record);
        while let Ok(Some(request)) = requests.read_next() {
            if let SubRequest::Create(op, request) = request
                && op != Op::CREATE_TTL
                && let (Some(path), Some(kind)) = (request.path.as_deref(), kind(request.flags))
            {
                self.kinds.push((cut_path(path), kind));
            }
        }
    }

    /// The lines of a txn that was applied, or of a request that never became one (`None`).
    pub fn lines(&self, session: i64, body: Option<&Body<'_>>) -> Vec<Audit> {
        let line = |operation: &'static str, path, kind, acl, success| Audit {
            session,
            by: By::Client(self.users.clone(), self.address),
            operation,
            path,
            kind,
            acl,
            success,
        };
        let asked = |path: Option<String>, success| {
            let operation = operation(self.op).expect("only what is audited is kept");
            line(operation, path, self.kind, self.acl.clone(), success)
        };
        match body {
            None | Some(Body::Error(_)) => vec![asked(self.path.clone(), false)],
            Some(Body::Multi(list)) => {
                if list.iter().any(|(_, body)| matches!(body, Body::Error(_))) {
                    return vec![asked(None, false)];
                }
                let lines = list.iter().filter_map(|(op, body)| match body {
                    Body::SetAcl(..) | Body::Check(_) => None,
                    body => {
                        let path = changed(body).map(cut_path);
                        let of_path = |known: &&(String, _)| Some(&known.0) == path.as_ref();
                        let kind = self.kinds.iter().rev().find(of_path).map(|known| known.1);
                        let kind = kind.filter(|_| is_create(*op));
                        Some(line(operation(*op)?, path, kind, None, true))
                    }
                });
                lines.collect()
            }
            Some(body) => vec![asked(changed(body).map(cut_path), true)],
        }
    }
}

impl Audit {
    /// An ephemeral that goes with its session.
    pub fn ephemeral(session: i64, path: &str) -> Audit {
        Audit {
            session,
            by: By::Server,
            operation: "ephemeralZNodeDeletionOnSessionCloseOrExpire",
            path: Some(cut_path(path)),
            kind: None,
            acl: None,
            success: true,
        }
    }
}

fn is_create(op: Op) -> bool {
    matches!(op, Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL)
}

fn operation(op: Op) -> Option<&'static str> {
    match op {
        op if is_create(op) => Some("create"),
        Op::DELETE => Some("delete"),
        Op::SET_DATA => Some("setData"),
        Op::SET_ACL => Some("setAcl"),
        Op::MULTI => Some("multiOperation"),
        Op::RECONFIG => Some("reconfig"),
        _ => None,
    }
}

fn changed<'a>(body: &'a Body<'_>) -> Option<&'a str> {
    match body {
        Body::Create(txn) => Some(&txn.path),
        Body::Delete(path) | Body::SetData(path, ..) | Body::SetAcl(path, ..) => Some(path),
        _ => None,
    }
}

fn kind(of: i32) -> Option<&'static str> {
    match of {
        flags::PERSISTENT => Some("persistent"),
        flags::EPHEMERAL => Some("ephemeral"),
        flags::PERSISTENT_SEQUENTIAL => Some("persistent_sequential"),
        flags::EPHEMERAL_SEQUENTIAL => Some("ephemeral_sequential"),
        flags::CONTAINER => Some("container"),
        flags::PERSISTENT_TTL => Some("persistent_with_ttl"),
        flags::PERSISTENT_SEQUENTIAL_TTL => Some("persistent_sequential_with_ttl"),
        _ => None,
    }
}

/// The names that Apache's providers give identities; `super` and `world` have none.
fn users(ids: &[Id]) -> String {
    let names = ids.iter().filter_map(|id| match id.scheme() {
        "ip" => Some(id.id()),
        "digest" => id.id().split(':').next(),
        _ => None,
    });
    let names: Vec<&str> = names.filter(|name| !name.trim().is_empty()).collect();
    cut(&names.join(","), USERS_BYTES_MAX)
}

fn acl_text(list: &[u8]) -> Option<String> {
    let list = Acl::decode_list(&mut Reader::new(list)).ok()??;
    let mut text = String::new();
    for acl in list {
        // Cut below; a list of a megabyte need not be written out for it.
        if text.len() > ACL_BYTES_MAX {
            break;
        }
        text.push_str(&format!("{}:{}:", acl.id.scheme(), acl.id.id()));
        let letters = [
            (perms::CREATE, 'c'),
            (perms::DELETE, 'd'),
            (perms::READ, 'r'),
            (perms::WRITE, 'w'),
            (perms::ADMIN, 'a'),
        ];
        text.extend(letters.iter().filter(|(bit, _)| acl.perms & bit != 0).map(|(_, c)| c));
    }
    Some(cut(&text, ACL_BYTES_MAX))
}

fn cut_path(path: &str) -> String {
    cut(path, PATH_BYTES_MAX)
}

fn cut(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("aé", 2), "a");
        let long = Acl::new(perms::ALL, "digest", &"x".repeat(5000));
        let mut bytes = Vec::new();
        Acl::encode_list(&[long.clone(), long], &mut bytes);
        assert_eq!(acl_text(&bytes).unwrap().len(), ACL_BYTES_MAX);
        let ids = vec![Id::new("digest", &format!("{}:h", "u".repeat(5000))); 3];
        assert_eq!(users(&ids).len(), USERS_BYTES_MAX);
    }

    #[test]
    fn names_are_those_of_the_providers() {
        let ids = [
            Id::new("ip", "10.0.0.1"),
            Id::new("super", ""),
            Id::new("digest", "ann:hash"),
            Id::new("digest", ":hash"),
        ];
        assert_eq!(users(&ids), "10.0.0.1,ann");
    }
}
