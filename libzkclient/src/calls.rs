//! Every operation of the protocol as a typed call. `multi` has a file of its own.

use zk_wire::acl::Acl;
use zk_wire::request::{
    ReconfigRequest, SetWatchesRequest, encode_auth, encode_create, encode_path, encode_path_int,
    encode_path_watch, encode_set_acl, encode_set_data, flags,
};
use zk_wire::{Op, Reader, Stat};

use crate::client::Client;
use crate::error::{Error, Result};

/// What a new znode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Stays until deleted.
    Persistent,
    /// Goes with the session.
    Ephemeral,
    /// Persistent, with a number behind the name.
    PersistentSequential,
    /// Ephemeral, with a number behind the name.
    EphemeralSequential,
    /// Goes when its last child is deleted.
    Container,
    /// Goes when it was not set for so many ms and has no children.
    Ttl(i64),
    /// The same, with a number behind the name.
    TtlSequential(i64),
}

impl Mode {
    /// Operation, flags and TTL in ms as they travel.
    pub fn parts(self) -> (Op, i32, Option<i64>) {
        match self {
            Mode::Persistent => (Op::CREATE2, flags::PERSISTENT, None),
            Mode::Ephemeral => (Op::CREATE2, flags::EPHEMERAL, None),
            Mode::PersistentSequential => (Op::CREATE2, flags::PERSISTENT_SEQUENTIAL, None),
            Mode::EphemeralSequential => (Op::CREATE2, flags::EPHEMERAL_SEQUENTIAL, None),
            Mode::Container => (Op::CREATE_CONTAINER, flags::CONTAINER, None),
            Mode::Ttl(ms) => (Op::CREATE_TTL, flags::PERSISTENT_TTL, Some(ms)),
            Mode::TtlSequential(ms) => (Op::CREATE_TTL, flags::PERSISTENT_SEQUENTIAL_TTL, Some(ms)),
        }
    }
}

/// Which watches `check_watches` and `remove_watches` mean (`Watcher.WatcherType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum WatcherType {
    /// Those left by `children`.
    Children = 1,
    /// Those left by `get` and `exists`.
    Data = 2,
    /// Any.
    Any = 3,
    /// Those left by `add_watch` with [`AddWatchMode::Persistent`].
    Persistent = 4,
    /// Those left by `add_watch` with [`AddWatchMode::PersistentRecursive`].
    PersistentRecursive = 5,
}

/// What `add_watch` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum AddWatchMode {
    /// Stays after it fired; data and children of one znode.
    Persistent = 0,
    /// Stays after it fired; the znode and everything below.
    PersistentRecursive = 1,
}

/// Data and stat of a znode. Null data is `None`.
pub type Data = (Option<Vec<u8>>, Stat);

impl Client {
    /// Creates a znode with the open ACL; returns its path, which for sequential ones is longer.
    pub fn create(&mut self, path: &str, data: &[u8], mode: Mode) -> Result<(String, Stat)> {
        self.create_with(path, Some(data), &Acl::open(), mode)
    }

    /// Creates a znode with null data or an ACL of its own.
    pub fn create_with(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        mode: Mode,
    ) -> Result<(String, Stat)> {
        let (op, flags, ttl_ms) = mode.parts();
        let body = self.call(op, |out| encode_create(out, path, data, acl, flags, ttl_ms))?;
        let mut reader = Reader::new(&body);
        let path = reader.string("Create2Response.path")?.into_owned();
        Ok((path, Stat::decode(&mut reader)?))
    }

    /// Creates by the oldest operation, whose answer has no stat.
    pub fn create1(&mut self, path: &str, data: &[u8], mode: Mode) -> Result<String> {
        let (_, flags, _) = mode.parts();
        let acl = Acl::open();
        let body =
            self.call(Op::CREATE, |out| encode_create(out, path, Some(data), &acl, flags, None))?;
        Ok(Reader::new(&body).string("CreateResponse.path")?.into_owned())
    }

    /// Deletes a znode without children; `version` -1 takes any.
    pub fn delete(&mut self, path: &str, version: i32) -> Result<()> {
        self.call(Op::DELETE, |out| encode_path_int(out, path, version)).map(|_| ())
    }

    /// The stat of a znode; the error is NONODE when there is none, and the watch is left all the
    /// same.
    pub fn exists(&mut self, path: &str, watch: bool) -> Result<Stat> {
        let body = self.call(Op::EXISTS, |out| encode_path_watch(out, path, watch))?;
        Ok(Stat::decode(&mut Reader::new(&body))?)
    }

    /// Data and stat of a znode.
    pub fn get(&mut self, path: &str, watch: bool) -> Result<Data> {
        let body = self.call(Op::GET_DATA, |out| encode_path_watch(out, path, watch))?;
        let mut reader = Reader::new(&body);
        let data = reader.buffer("GetDataResponse.data")?.map(<[u8]>::to_vec);
        Ok((data, Stat::decode(&mut reader)?))
    }

    /// Sets the data; `None` is null data, `version` -1 takes any.
    pub fn set(&mut self, path: &str, data: Option<&[u8]>, version: i32) -> Result<Stat> {
        let body = self.call(Op::SET_DATA, |out| encode_set_data(out, path, data, version))?;
        Ok(Stat::decode(&mut Reader::new(&body))?)
    }

    /// ACL and stat of a znode.
    pub fn get_acl(&mut self, path: &str) -> Result<(Vec<Acl>, Stat)> {
        let body = self.call(Op::GET_ACL, |out| encode_path(out, path))?;
        let mut reader = Reader::new(&body);
        let acl = Acl::decode_some(&mut reader)?;
        Ok((acl, Stat::decode(&mut reader)?))
    }

    /// Sets the ACL; `version` is that of the ACL, -1 takes any.
    pub fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Result<Stat> {
        let body = self.call(Op::SET_ACL, |out| encode_set_acl(out, path, acl, version))?;
        Ok(Stat::decode(&mut Reader::new(&body))?)
    }

    /// Names of the children, in no order.
    pub fn children(&mut self, path: &str, watch: bool) -> Result<Vec<String>> {
        let body = self.call(Op::GET_CHILDREN, |out| encode_path_watch(out, path, watch))?;
        strings(&mut Reader::new(&body))
    }

    /// Names of the children, in no order, and the stat.
    pub fn children2(&mut self, path: &str, watch: bool) -> Result<(Vec<String>, Stat)> {
        let body = self.call(Op::GET_CHILDREN2, |out| encode_path_watch(out, path, watch))?;
        let mut reader = Reader::new(&body);
        let names = strings(&mut reader)?;
        Ok((names, Stat::decode(&mut reader)?))
    }

    /// Waits until this server has everything that the leader had when the call came.
    pub fn sync(&mut self, path: &str) -> Result<()> {
        self.call(Op::SYNC, |out| encode_path(out, path)).map(|_| ())
    }

    /// Adds an identity to this connection, for `digest` by `user:password`.
    pub fn auth(&mut self, scheme: &str, auth: &[u8]) -> Result<()> {
        self.call(Op::AUTH, |out| encode_auth(out, scheme, auth)).map(|_| ())
    }

    /// Leaves a watch that stays.
    pub fn add_watch(&mut self, path: &str, mode: AddWatchMode) -> Result<()> {
        self.call(Op::ADD_WATCH, |out| encode_path_int(out, path, mode as i32)).map(|_| ())
    }

    /// Leaves again the watches of an earlier connection; what was missed comes as events.
    pub fn set_watches(&mut self, watches: &SetWatchesRequest<'_>) -> Result<()> {
        // Older servers know the first form only, so the second is for what it alone can say.
        let two = watches.lists[3..].iter().flatten().any(|list| !list.is_empty());
        let op = if two { Op::SET_WATCHES2 } else { Op::SET_WATCHES };
        self.call(op, |out| watches.encode(out, two)).map(|_| ())
    }

    /// Removes watches of this connection; the error is NOWATCHER when there is none.
    pub fn remove_watches(&mut self, path: &str, kind: WatcherType) -> Result<()> {
        self.call(Op::REMOVE_WATCHES, |out| encode_path_int(out, path, kind as i32)).map(|_| ())
    }

    /// Whether this connection has such a watch; the error is NOWATCHER when not.
    pub fn check_watches(&mut self, path: &str, kind: WatcherType) -> Result<()> {
        self.call(Op::CHECK_WATCHES, |out| encode_path_int(out, path, kind as i32)).map(|_| ())
    }

    /// Paths of this session's ephemerals that begin with `prefix`, in no order.
    pub fn ephemerals(&mut self, prefix: &str) -> Result<Vec<String>> {
        let body = self.call(Op::GET_EPHEMERALS, |out| encode_path(out, prefix))?;
        strings(&mut Reader::new(&body))
    }

    /// Number of all znodes below a path.
    pub fn all_children_number(&mut self, path: &str) -> Result<i32> {
        let body = self.call(Op::GET_ALL_CHILDREN_NUMBER, |out| encode_path(out, path))?;
        Ok(Reader::new(&body).int("GetAllChildrenNumberResponse.totalNumber")?)
    }

    /// Scheme and user of each identity of this connection.
    pub fn who_am_i(&mut self) -> Result<Vec<(String, String)>> {
        let body = self.call(Op::WHO_AM_I, |_| ())?;
        let mut reader = Reader::new(&body);
        let mut list = Vec::new();
        for _ in 0..reader.count("WhoAmIResponse.clientInfo")?.unwrap_or(0) {
            let scheme = reader.string("ClientInfo.authScheme")?.into_owned();
            list.push((scheme, reader.string("ClientInfo.user")?.into_owned()));
        }
        Ok(list)
    }

    /// Changes the members of an ensemble; returns the new configuration.
    pub fn reconfig(&mut self, request: &ReconfigRequest<'_>) -> Result<Data> {
        let body = self.call(Op::RECONFIG, |out| request.encode(out))?;
        let mut reader = Reader::new(&body);
        let data = reader.buffer("GetDataResponse.data")?.map(<[u8]>::to_vec);
        Ok((data, Stat::decode(&mut reader)?))
    }

    /// Ends the session: its ephemerals go, its watches too.
    pub fn close(mut self) -> Result<()> {
        match self.call(Op::CLOSE_SESSION, |_| ()) {
            Ok(_) | Err(Error::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    let list = reader.strings("children")?.unwrap_or_default();
    Ok(list.into_iter().map(|text| text.into_owned()).collect())
}
