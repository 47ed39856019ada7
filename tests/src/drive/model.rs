//! What a tree of znodes is, said as simply as possible: a map from paths, and the rules of the
//! requests that change it. Slow, and easy to believe.
//!
//! Knows create in its kinds, delete, setData, multi of these with check, and the end of sessions;
//! ACLs are open and quotas are off.

use std::collections::{BTreeMap, BTreeSet};

use zk_core::tree::digest::{crc_of, digested, node_digest};
use zk_wire::{Code, Op, Stat, StatPersisted};

const CONTAINER: i64 = i64::MIN;
const TTL_MARK: i64 = 0xff << 56;

/// A znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// As it is stored.
    pub stat: StatPersisted,
}

/// A request that changes the tree.
#[derive(Clone, Debug)]
pub enum Change {
    /// One of the create family: path or its beginning, data, flags as in the request, TTL in ms.
    Create(Op, String, Option<Vec<u8>>, i32, i64),
    /// delete, with the version that is expected.
    Delete(String, i32),
    /// setData, with the version that is expected.
    SetData(String, Option<Vec<u8>>, i32),
    /// The check of a multi.
    Check(String, i32),
}

impl Change {
    /// Whether it makes an ephemeral.
    pub fn is_ephemeral(&self) -> bool {
        matches!(self, Change::Create(_, _, _, 1 | 3, _))
    }
}

/// What a change is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The path that was created, with a stat from all but the plain create.
    Created(String, Option<Stat>),
    /// Nothing but OK.
    Done,
    /// The stat after the change.
    Changed(Stat),
}

/// The tree.
#[derive(Clone, Debug)]
pub struct Model {
    /// Znodes; the root is the empty path.
    pub nodes: BTreeMap<String, Node>,
}

fn parent_of(path: &str) -> &str {
    &path[..path.rfind('/').expect("every path but the root's has a slash")]
}

fn version_fits(have: i32, wanted: i32) -> Result<(), Code> {
    if wanted == -1 || wanted == have { Ok(()) } else { Err(Code::BAD_VERSION) }
}

impl Model {
    /// The fresh database.
    pub fn fresh() -> Model {
        let mut nodes = BTreeMap::new();
        for path in ["", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            let mut stat = StatPersisted::default();
            if path == "/zookeeper/config" {
                stat.aversion = -1;
            }
            nodes.insert(path.to_owned(), Node { data: Some(Vec::new()), stat });
        }
        Model { nodes }
    }

    /// Names of the children of a znode.
    pub fn children(&self, path: &str) -> BTreeSet<String> {
        let prefix = format!("{path}/");
        let below = self.nodes.range(prefix.clone()..).map(|(path, _)| path);
        let below = below.take_while(|path| path.starts_with(&prefix));
        let names = below.map(|path| &path[prefix.len()..]);
        names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }

    /// The stat of a znode as a client sees it.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        let node = self.nodes.get(path)?;
        let (stat, children) = (&node.stat, self.children(path).len() as i32);
        Some(Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime_ms: stat.ctime_ms,
            mtime_ms: stat.mtime_ms,
            version: stat.version,
            cversion: stat.cversion * 2 - children,
            aversion: stat.aversion,
            ephemeral_owner: if stat.ephemeral_owner > 0 { stat.ephemeral_owner } else { 0 },
            data_length: node.data.as_ref().map_or(0, |data| data.len() as i32),
            num_children: children,
            pzxid: stat.pzxid,
        })
    }

    /// Does a change, or says why not. Nothing has happened then.
    pub fn change(
        &mut self,
        change: &Change,
        session: i64,
        zxid: i64,
        time_ms: i64,
    ) -> Result<Answer, Code> {
        match change {
            Change::Create(op, path, data, flags, ttl_ms) => {
                let owner = match *flags {
                    1 | 3 => session,
                    4 => CONTAINER,
                    5 | 6 => TTL_MARK | ttl_ms,
                    _ => 0,
                };
                let numbered = matches!(*flags, 2 | 3 | 6);
                let path = self.create(path, data.clone(), owner, numbered, zxid, time_ms)?;
                let stat = if *op == Op::CREATE { None } else { self.stat(&path) };
                Ok(Answer::Created(path, stat))
            }
            Change::Delete(path, version) => {
                let node = self.nodes.get(path).ok_or(Code::NO_NODE)?;
                version_fits(node.stat.version, *version)?;
                if !self.children(path).is_empty() {
                    return Err(Code::NOT_EMPTY);
                }
                self.remove(path, zxid);
                Ok(Answer::Done)
            }
            Change::SetData(path, data, version) => {
                let node = self.nodes.get_mut(path).ok_or(Code::NO_NODE)?;
                version_fits(node.stat.version, *version)?;
                node.data.clone_from(data);
                node.stat.version += 1;
                node.stat.mzxid = zxid;
                node.stat.mtime_ms = time_ms;
                Ok(Answer::Changed(self.stat(path).expect("it is there")))
            }
            Change::Check(path, version) => {
                let node = self.nodes.get(path).ok_or(Code::NO_NODE)?;
                version_fits(node.stat.version, *version)?;
                Ok(Answer::Done)
            }
        }
    }

    fn create(
        &mut self,
        path: &str,
        data: Option<Vec<u8>>,
        owner: i64,
        numbered: bool,
        zxid: i64,
        time_ms: i64,
    ) -> Result<String, Code> {
        let parent = self.nodes.get(parent_of(path)).ok_or(Code::NO_NODE)?;
        let path = match numbered {
            true => format!("{path}{:010}", parent.stat.cversion),
            false => path.to_owned(),
        };
        if self.nodes.contains_key(&path) {
            return Err(Code::NODE_EXISTS);
        }
        if parent.stat.ephemeral_owner > 0 {
            return Err(Code::NO_CHILDREN_FOR_EPHEMERALS);
        }
        let parent = self.nodes.get_mut(parent_of(&path)).expect("looked up before");
        parent.stat.cversion += 1;
        parent.stat.pzxid = zxid;
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime_ms: time_ms,
            mtime_ms: time_ms,
            ephemeral_owner: owner,
            ..StatPersisted::default()
        };
        self.nodes.insert(path.clone(), Node { data, stat });
        Ok(path)
    }

    fn remove(&mut self, path: &str, zxid: i64) {
        self.nodes.remove(path).expect("it is there");
        let parent = self.nodes.get_mut(parent_of(path)).expect("a znode has a parent");
        parent.stat.pzxid = zxid;
    }

    /// Does all of it or nothing; the error says which change failed, and why.
    pub fn multi(
        &mut self,
        changes: &[Change],
        session: i64,
        zxid: i64,
        time_ms: i64,
    ) -> Result<Vec<Answer>, (usize, Code)> {
        let before = self.nodes.clone();
        let mut answers = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            match self.change(change, session, zxid, time_ms) {
                Ok(answer) => answers.push(answer),
                Err(code) => {
                    self.nodes = before;
                    return Err((at, code));
                }
            }
        }
        Ok(answers)
    }

    /// A session ends, and its ephemerals with it.
    pub fn close_session(&mut self, session: i64, zxid: i64) {
        let owned = self.nodes.iter().filter(|(_, node)| node.stat.ephemeral_owner == session);
        let owned: Vec<String> = owned.map(|(path, _)| path.clone()).collect();
        for path in owned {
            self.remove(&path, zxid);
        }
    }

    /// The digest of the whole tree, from nothing.
    pub fn digest(&self) -> u64 {
        let covered = self.nodes.iter().filter(|(path, _)| digested(path));
        covered
            .map(|(path, node)| node_digest(crc_of(path, node.data.as_deref()), &node.stat))
            .fold(0, u64::wrapping_add)
    }
}
