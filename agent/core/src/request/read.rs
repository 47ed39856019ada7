//! Answers reads from the tree, and sets watches.
//!
//! A read writes its record straight behind the reply header. It changes nothing but watches.

use std::borrow::Cow;

use zk_wire::jute::Reader;
use zk_wire::multi::{SubRequest, SubRequests, encode_end, encode_error, encode_header};
use zk_wire::request::{PathIntRequest, PathWatchRequest, SetWatchesRequest, decode_path};
use zk_wire::watch::{encode_event, event};
use zk_wire::{Code, DecodeError, Id, Op, Writer, Zxid, frame, header, perms};

use crate::bugs::{self, Bug};
use crate::config::Config;
use crate::ids::ConnId;
use crate::session::auth::{permitted, user_of};
use crate::tree::watch_table::mark;
use crate::tree::{DataTree, WatchTable};

/// Why a read is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The error of the reply.
    pub code: Code,
    /// Whether what was written so far follows the header all the same.
    pub keep_body: bool,
}

impl Refused {
    /// With a header only: the common case.
    pub fn with(code: Code) -> Refused {
        Refused { code, keep_body: false }
    }
}

impl From<DecodeError> for Refused {
    fn from(_: DecodeError) -> Refused {
        Refused::with(Code::MARSHALLING_ERROR)
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Refused {
        Refused::with(code)
    }
}

type Answer = Result<(), Refused>;

/// What a read looks at.
#[derive(Debug)]
pub struct Read<'a> {
    /// Switches.
    pub config: &'a Config,
    /// The tree.
    pub tree: &'a DataTree,
    /// Where watches are left.
    pub watches: &'a mut WatchTable,
    /// Lists of children that were encoded before.
    pub cache: &'a mut ChildrenCache,
    /// Identities of the caller.
    pub ids: &'a [Id],
    /// The caller.
    pub conn: ConnId,
    /// His session.
    pub session: i64,
}

fn some_path(path: Option<Cow<'_, str>>) -> Result<Cow<'_, str>, Refused> {
    path.ok_or(Refused::with(Code::MARSHALLING_ERROR))
}

impl Read<'_> {
    /// Answers one of the reads. `Err` leaves `out` in any state behind its old length.
    #[inline]
    pub fn answer(&mut self, op: Op, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Answer {
        match op {
            Op::GET_DATA => self.get_data(&PathWatchRequest::decode(reader)?, out),
            Op::EXISTS => self.exists(&PathWatchRequest::decode(reader)?, out),
            Op::GET_CHILDREN => self.get_children(&PathWatchRequest::decode(reader)?, false, out),
            Op::GET_CHILDREN2 => self.get_children(&PathWatchRequest::decode(reader)?, true, out),
            Op::PING => Ok(()),
            Op::SYNC => {
                out.put_ustring(decode_path(reader)?.as_deref());
                Ok(())
            }
            Op::GET_ACL => self.get_acl(&some_path(decode_path(reader)?)?, out),
            Op::GET_ALL_CHILDREN_NUMBER => {
                let path = some_path(decode_path(reader)?)?;
                let number = self.readable(&path)?;
                // Asked for "" instead of "/", Apache counts "/" as well.
                let count = self.tree.descendants(number) + u64::from(path.is_empty());
                out.put_int(count as i32);
                Ok(())
            }
            Op::GET_EPHEMERALS => {
                let prefix = decode_path(reader)?.unwrap_or(Cow::Borrowed(""));
                // Java's trim: everything up to the blank.
                let all = matches!(prefix.trim_matches(|c| c <= ' '), "" | "/");
                let mut paths = self.tree.ephemerals_of(self.session);
                paths.retain(|path| all || path.starts_with(&*prefix));
                out.put_strings(&paths);
                Ok(())
            }
            Op::WHO_AM_I => {
                // Apache's order is that of a hash; sorted, a digest stands before the address as there.
                let mut shown: Vec<_> =
                    self.ids.iter().map(|id| (id.scheme(), user_of(id))).collect();
                shown.sort_unstable();
                out.put_int(shown.len() as i32);
                for (scheme, user) in shown {
                    out.put_string(scheme);
                    out.put_string(user);
                }
                Ok(())
            }
            Op::CHECK_WATCHES => self.some_watches(&PathIntRequest::decode(reader)?, false),
            Op::REMOVE_WATCHES => self.some_watches(&PathIntRequest::decode(reader)?, true),
            Op::ADD_WATCH => {
                let request = PathIntRequest::decode(reader)?;
                let marks = match request.number {
                    0 => mark::PERSISTENT,
                    1 => mark::RECURSIVE,
                    _ => return Err(Refused::with(Code::MARSHALLING_ERROR)),
                };
                self.watches.add(self.conn, &request.path, marks);
                out.put_int(0);
                Ok(())
            }
            Op::MULTI_READ => self.multi_read(reader, out),
            other => unreachable!("{other:?} is no read"),
        }
    }

    fn permit(&self, number: u32, wanted: i32) -> Answer {
        let acl = self.tree.node(number).acl;
        match permitted(self.config, &self.tree.acls, acl, wanted, self.ids) {
            true => Ok(()),
            false => Err(Refused::with(Code::NO_AUTH)),
        }
    }

    /// A znode that is there and may be read.
    #[inline]
    fn readable(&self, path: &str) -> Result<u32, Refused> {
        let number = self.tree.find(path).ok_or(Refused::with(Code::NO_NODE))?;
        self.permit(number, perms::READ)?;
        Ok(number)
    }

    fn exists(&mut self, request: &PathWatchRequest<'_>, out: &mut Vec<u8>) -> Answer {
        let path = some_path(request.path.clone())?;
        if path.contains('\0') {
            return Err(Refused::with(Code::BAD_ARGUMENTS));
        }
        let found = self.tree.find(&path);
        if let Some(number) = found {
            self.permit(number, perms::READ)?;
        }
        if request.watch {
            self.watches.add(self.conn, &path, mark::DATA);
        }
        self.tree.stat(found.ok_or(Refused::with(Code::NO_NODE))?).encode(out);
        Ok(())
    }

    #[inline]
    fn get_data(&mut self, request: &PathWatchRequest<'_>, out: &mut Vec<u8>) -> Answer {
        let path = request.path.as_deref().ok_or(Refused::with(Code::MARSHALLING_ERROR))?;
        let number = self.readable(path)?;
        if request.watch {
            self.watches.add(self.conn, path, mark::DATA);
        }
        out.put_buffer(self.tree.data(number));
        self.tree.stat(number).encode(out);
        Ok(())
    }

    fn get_children(
        &mut self,
        request: &PathWatchRequest<'_>,
        with_stat: bool,
        out: &mut Vec<u8>,
    ) -> Answer {
        let path = request.path.as_deref().ok_or(Refused::with(Code::MARSHALLING_ERROR))?;
        let number = self.readable(path)?;
        if request.watch {
            self.watches.add(self.conn, path, mark::CHILD);
        }
        self.cache.put_children(self.tree, number, out);
        if with_stat {
            self.tree.stat(number).encode(out);
        }
        Ok(())
    }

    fn get_acl(&self, path: &str, out: &mut Vec<u8>) -> Answer {
        let number = self.tree.find(path).ok_or(Refused::with(Code::NO_NODE))?;
        self.permit(number, perms::READ | perms::ADMIN)?;
        let acl = self.tree.node(number).acl;
        if self.permit(number, perms::ADMIN).is_ok() {
            out.extend_from_slice(self.tree.acls.bytes(acl));
        } else {
            let list = self.tree.acls.list(acl);
            out.put_int(list.len() as i32);
            for entry in list {
                out.put_int(entry.perms);
                out.put_ustring(entry.id.scheme.as_deref());
                // What stands behind the name is as good as a password for whoever can guess.
                match (entry.id.scheme(), entry.id.id().split_once(':')) {
                    ("digest", Some((user, _))) => out.put_string(&format!("{user}:x")),
                    _ => out.put_ustring(entry.id.id.as_deref()),
                }
            }
        }
        self.tree.stat(number).encode(out);
        Ok(())
    }

    /// checkWatches and removeWatches. Types: 1 children, 2 data, 3 any, 4 persistent, 5 recursive.
    fn some_watches(&mut self, request: &PathIntRequest<'_>, remove: bool) -> Answer {
        let marks = match request.number {
            1 => mark::CHILD,
            2 => mark::DATA,
            3 => mark::ALL,
            4 => mark::PERSISTENT,
            5 => mark::RECURSIVE,
            _ => return Err(Refused::with(Code::MARSHALLING_ERROR)),
        };
        if self.watches.get(self.conn, &request.path) & marks == 0 {
            return Err(Refused::with(Code::NO_WATCHER));
        }
        if remove {
            self.watches.remove(self.conn, &request.path, marks);
        }
        Ok(())
    }

    fn multi_read(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Answer {
        let mut subs = SubRequests::new(reader.clone());
        let mut requests = Vec::new();
        while let Some(sub) = subs.read_next()? {
            requests.push(sub);
        }
        if requests.first().is_some_and(|sub| !sub.is_read()) {
            // Writes decode and are then refused: Apache sends the results so far, which are none.
            encode_end(out);
            return Err(Refused { code: Code::MARSHALLING_ERROR, keep_body: true });
        }
        for sub in requests {
            if sub.path().is_none() {
                // Apache's server trips over it and sends the results so far.
                encode_end(out);
                return Err(Refused { code: Code::MARSHALLING_ERROR, keep_body: true });
            }
            let start = out.len();
            let answer = match sub {
                SubRequest::GetData(request) => {
                    encode_header(out, Op::GET_DATA.0, false, 0);
                    self.get_data(&PathWatchRequest { watch: false, ..request }, out)
                }
                SubRequest::GetChildren(request) => {
                    encode_header(out, Op::GET_CHILDREN.0, false, 0);
                    self.get_children(&PathWatchRequest { watch: false, ..request }, false, out)
                }
                _ => unreachable!("a list holds one kind, and the first is a read"),
            };
            if let Err(Refused { code, .. }) = answer {
                out.truncate(start);
                encode_error(out, code);
            }
        }
        encode_end(out);
        Ok(())
    }

    /// setWatches and setWatches2: registers what is still as the client knows it, and writes an
    /// event frame for what is not. Gives the number of events, and the error of a null list.
    pub fn set_watches(
        &mut self,
        request: &SetWatchesRequest<'_>,
        out: &mut Vec<u8>,
    ) -> (u64, Answer) {
        let mut events = 0;
        for (number, list) in request.lists.iter().enumerate() {
            let Some(list) = list else {
                return (events, Err(Refused::with(Code::MARSHALLING_ERROR)));
            };
            for path in list {
                let Some(path) = path else {
                    // Only the first three lists are looked up in the tree.
                    if number < 3 {
                        return (events, Err(Refused::with(Code::MARSHALLING_ERROR)));
                    }
                    let marks = if number == 3 { mark::PERSISTENT } else { mark::RECURSIVE };
                    self.watches.add(self.conn, "\0", marks);
                    continue;
                };
                let since = if bugs::on(Bug::Zk1412) { 0 } else { request.relative_zxid };
                match self.missed(number, path, since) {
                    Ok(marks) => self.watches.add(self.conn, path, marks),
                    Err(_) if bugs::on(Bug::WatchLost) => {}
                    Err(kind) => {
                        put_event(out, Zxid::NONE, kind, path);
                        events += 1;
                    }
                }
            }
        }
        (events, Ok(()))
    }

    /// Whether a watch of list `number` would have fired since: the event, or the marks to set.
    fn missed(&self, number: usize, path: &str, since: i64) -> Result<u32, i32> {
        let found = self.tree.find(path).map(|found| self.tree.node(found));
        match (number, found) {
            (0 | 2, None) => Err(event::DELETED),
            (0, Some(node)) if node.mzxid > since => Err(event::DATA_CHANGED),
            (1, Some(_)) => Err(event::CREATED),
            (2, Some(node)) if node.pzxid > since => Err(event::CHILDREN_CHANGED),
            (0 | 1, _) => Ok(mark::DATA),
            (2, _) => Ok(mark::CHILD),
            (3, _) => Ok(mark::PERSISTENT),
            _ => Ok(mark::RECURSIVE),
        }
    }
}

/// Writes the frame of a watch event.
pub fn put_event(out: &mut Vec<u8>, zxid: Zxid, kind: i32, path: &str) {
    let at = frame::begin(out);
    let xid = header::xid::NOTIFICATION;
    header::ReplyHeader { xid, zxid, code: Code::OK }.encode(out);
    encode_event(kind, path, out);
    frame::end(out, at);
}

/// Children lists from so many names on are kept encoded.
const CACHED_FROM: u32 = 64;
/// Lists kept at most.
const CACHED_MAX: usize = 16;
/// A longer list is not kept, in bytes.
const CACHED_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
struct Cached {
    number: u32,
    /// czxid, cversion, pzxid, children: no change of the children leaves all of them alone.
    state: (i64, i32, i64, u32),
    bytes: Vec<u8>,
}

/// The encoded names of the children of busy parents. An entry is known to be stale by itself, so
/// that writes need not look here.
#[derive(Debug, Default)]
pub struct ChildrenCache {
    entries: Vec<Cached>,
    oldest: usize,
}

impl ChildrenCache {
    fn put_children(&mut self, tree: &DataTree, number: u32, out: &mut Vec<u8>) {
        let node = tree.node(number);
        if node.children < CACHED_FROM {
            return encode_children(tree, number, out);
        }
        let state = (node.czxid, node.cversion, node.pzxid, node.children);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            if entry.state != state {
                entry.bytes.clear();
                encode_children(tree, number, &mut entry.bytes);
                entry.state = state;
            }
            out.extend_from_slice(&entry.bytes);
            return;
        }
        let start = out.len();
        encode_children(tree, number, out);
        if out.len() - start > CACHED_BYTES_MAX {
            return;
        }
        let entry = Cached { number, state, bytes: out[start..].to_vec() };
        if self.entries.len() < CACHED_MAX {
            self.entries.push(entry);
        } else {
            self.entries[self.oldest] = entry;
            self.oldest = (self.oldest + 1) % CACHED_MAX;
        }
    }
}

fn encode_children(tree: &DataTree, number: u32, out: &mut Vec<u8>) {
    out.put_int(tree.node(number).children as i32);
    for child in tree.children(number) {
        out.put_buffer(Some(tree.name(child).as_bytes()));
    }
}
