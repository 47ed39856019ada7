//! Every operation of the protocol: as a value that any of the ways to make a call takes, and as a
//! blocking method of [`Client`]. Several operations in one stand in [`crate::multi`].

use zk_wire::acl::Acl;
use zk_wire::request::{
    ReconfigRequest, encode_create, encode_path, encode_path_int, encode_path_watch,
    encode_set_acl, encode_set_data, flags,
};
use zk_wire::{Op, Reader, Stat};

use crate::call::{Call, Encode, strip};
use crate::client::{Client, Watcher};
use crate::error::{Error, Result};
use crate::session::WatchWish;
use crate::watches::WatchKind;

/// A call about one path.
fn on_path<'a, R, E: Encode>(
    op: Op,
    path: &'a str,
    encode: E,
    decode: fn(&[u8], &str) -> Result<R>,
) -> Call<'a, R, E> {
    let path = Some(path);
    Call {
        op,
        path,
        sequential: false,
        absolute: false,
        encode,
        decode,
        wish: None,
        watches: false,
    }
}

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
    /// Whether the server puts a number behind the name.
    pub fn is_sequential(self) -> bool {
        use Mode::{EphemeralSequential, PersistentSequential, TtlSequential};
        matches!(self, PersistentSequential | EphemeralSequential | TtlSequential(_))
    }

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

impl WatcherType {
    /// The tables in which such watches stand.
    pub fn tables(self) -> &'static [WatchKind] {
        use WatchKind::{Children, Data, Exist, Persistent, Recursive};
        match self {
            WatcherType::Children => &[Children],
            WatcherType::Data => &[Data, Exist],
            WatcherType::Any => &[Data, Exist, Children, Persistent, Recursive],
            WatcherType::Persistent => &[Persistent],
            WatcherType::PersistentRecursive => &[Recursive],
        }
    }
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

impl AddWatchMode {
    /// What such watches are called when they are removed.
    pub fn watcher_type(self) -> WatcherType {
        match self {
            AddWatchMode::Persistent => WatcherType::Persistent,
            AddWatchMode::PersistentRecursive => WatcherType::PersistentRecursive,
        }
    }
}

/// Data and stat of a znode. Null data is `None`.
pub type Data = (Option<Vec<u8>>, Stat);

fn nothing(_: &[u8], _: &str) -> Result<()> {
    Ok(())
}

fn stat(body: &[u8], _: &str) -> Result<Stat> {
    Ok(Stat::decode(&mut Reader::new(body))?)
}

fn data(body: &[u8], _: &str) -> Result<Data> {
    let mut reader = Reader::new(body);
    let data = reader.buffer("GetDataResponse.data")?.map(<[u8]>::to_vec);
    Ok((data, Stat::decode(&mut reader)?))
}

fn names(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    let list = reader.strings("children")?.unwrap_or_default();
    Ok(list.into_iter().map(|text| text.into_owned()).collect())
}

fn watching<'a, R, E: Encode>(
    mut call: Call<'a, R, E>,
    wish: WatchWish,
    watch: bool,
) -> Call<'a, R, E> {
    call.wish = Some(wish);
    call.watches = watch;
    call
}

/// create2, createContainer or createTTL: the path with its number, and the stat.
pub fn create<'a>(
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: &'a [Acl],
    mode: Mode,
) -> Call<'a, (String, Stat), impl Encode + 'a> {
    let (op, flags, ttl_ms) = mode.parts();
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| {
        encode_create(out, path, data, acl, flags, ttl_ms)
    };
    let mut call = on_path(op, path, encode, |body, chroot| {
        let mut reader = Reader::new(body);
        let path = reader.string("Create2Response.path")?.into_owned();
        Ok((strip(chroot, path), Stat::decode(&mut reader)?))
    });
    call.sequential = mode.is_sequential();
    call
}

/// The oldest create, whose answer has no stat.
pub fn create1<'a>(
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: &'a [Acl],
    mode: Mode,
) -> Call<'a, String, impl Encode + 'a> {
    let (_, flags, _) = mode.parts();
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| {
        encode_create(out, path, data, acl, flags, None)
    };
    let mut call = on_path(Op::CREATE, path, encode, |body, chroot| {
        Ok(strip(chroot, Reader::new(body).string("CreateResponse.path")?.into_owned()))
    });
    call.sequential = mode.is_sequential();
    call
}

/// delete.
pub fn delete(path: &str, version: i32) -> Call<'_, (), impl Encode> {
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_int(out, path, version);
    on_path(Op::DELETE, path, encode, nothing)
}

/// exists.
pub fn exists(path: &str, watch: bool) -> Call<'_, Stat, impl Encode> {
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_watch(out, path, watch);
    watching(on_path(Op::EXISTS, path, encode, stat), WatchWish::DataOrExist, watch)
}

/// getData.
pub fn get(path: &str, watch: bool) -> Call<'_, Data, impl Encode> {
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_watch(out, path, watch);
    watching(on_path(Op::GET_DATA, path, encode, data), WatchWish::Data, watch)
}

/// getData of /zookeeper/config, which stands outside any chroot.
pub fn get_config(watch: bool) -> Call<'static, Data, impl Encode> {
    let mut call = get("/zookeeper/config", watch);
    call.absolute = true;
    call
}

/// setData.
pub fn set<'a>(
    path: &'a str,
    data: Option<&'a [u8]>,
    version: i32,
) -> Call<'a, Stat, impl Encode + 'a> {
    let encode =
        move |out: &mut Vec<u8>, path: &str, _: &str| encode_set_data(out, path, data, version);
    on_path(Op::SET_DATA, path, encode, stat)
}

/// getACL.
pub fn get_acl(path: &str) -> Call<'_, (Vec<Acl>, Stat), impl Encode> {
    let encode = |out: &mut Vec<u8>, path: &str, _: &str| encode_path(out, path);
    on_path(Op::GET_ACL, path, encode, |body, _| {
        let mut reader = Reader::new(body);
        let acl = Acl::decode_some(&mut reader)?;
        Ok((acl, Stat::decode(&mut reader)?))
    })
}

/// setACL.
pub fn set_acl<'a>(
    path: &'a str,
    acl: &'a [Acl],
    version: i32,
) -> Call<'a, Stat, impl Encode + 'a> {
    let encode =
        move |out: &mut Vec<u8>, path: &str, _: &str| encode_set_acl(out, path, acl, version);
    on_path(Op::SET_ACL, path, encode, stat)
}

/// getChildren.
pub fn children(path: &str, watch: bool) -> Call<'_, Vec<String>, impl Encode> {
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_watch(out, path, watch);
    let decode = |body: &[u8], _: &str| names(&mut Reader::new(body));
    watching(on_path(Op::GET_CHILDREN, path, encode, decode), WatchWish::Children, watch)
}

/// getChildren2.
pub fn children2(path: &str, watch: bool) -> Call<'_, (Vec<String>, Stat), impl Encode> {
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_watch(out, path, watch);
    let call = on_path(Op::GET_CHILDREN2, path, encode, |body, _| {
        let mut reader = Reader::new(body);
        let names = names(&mut reader)?;
        Ok((names, Stat::decode(&mut reader)?))
    });
    watching(call, WatchWish::Children, watch)
}

/// sync.
pub fn sync(path: &str) -> Call<'_, (), impl Encode> {
    let encode = |out: &mut Vec<u8>, path: &str, _: &str| encode_path(out, path);
    on_path(Op::SYNC, path, encode, nothing)
}

/// addWatch.
pub fn add_watch(path: &str, mode: AddWatchMode) -> Call<'_, (), impl Encode> {
    let number = mode as i32;
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_int(out, path, number);
    let wish = match mode {
        AddWatchMode::Persistent => WatchWish::Persistent,
        AddWatchMode::PersistentRecursive => WatchWish::Recursive,
    };
    watching(on_path(Op::ADD_WATCH, path, encode, nothing), wish, true)
}

/// removeWatches, on the server alone; [`Client::remove_watches`] forgets the watchers too.
pub fn remove_watches(path: &str, kind: WatcherType) -> Call<'_, (), impl Encode> {
    let number = kind as i32;
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_int(out, path, number);
    on_path(Op::REMOVE_WATCHES, path, encode, nothing)
}

/// checkWatches.
pub fn check_watches(path: &str, kind: WatcherType) -> Call<'_, (), impl Encode> {
    let number = kind as i32;
    let encode = move |out: &mut Vec<u8>, path: &str, _: &str| encode_path_int(out, path, number);
    on_path(Op::CHECK_WATCHES, path, encode, nothing)
}

/// getEphemerals.
pub fn ephemerals(prefix: &str) -> Call<'_, Vec<String>, impl Encode> {
    let encode = |out: &mut Vec<u8>, path: &str, _: &str| encode_path(out, path);
    on_path(Op::GET_EPHEMERALS, prefix, encode, |body, chroot| {
        let list = names(&mut Reader::new(body))?;
        Ok(list.into_iter().map(|path| strip(chroot, path)).collect())
    })
}

/// getAllChildrenNumber.
pub fn all_children_number(path: &str) -> Call<'_, i32, impl Encode> {
    let encode = |out: &mut Vec<u8>, path: &str, _: &str| encode_path(out, path);
    on_path(Op::GET_ALL_CHILDREN_NUMBER, path, encode, |body, _| {
        Ok(Reader::new(body).int("GetAllChildrenNumberResponse.totalNumber")?)
    })
}

/// whoAmI.
pub fn who_am_i() -> Call<'static, Vec<(String, String)>, impl Encode> {
    let encode = |_: &mut Vec<u8>, _: &str, _: &str| ();
    let mut call = on_path(Op::WHO_AM_I, "/", encode, |body, _| {
        let mut reader = Reader::new(body);
        let mut list = Vec::new();
        for _ in 0..reader.count("WhoAmIResponse.clientInfo")?.unwrap_or(0) {
            let scheme = reader.string("ClientInfo.authScheme")?.into_owned();
            list.push((scheme, reader.string("ClientInfo.user")?.into_owned()));
        }
        Ok(list)
    });
    call.path = None;
    call
}

/// reconfig.
pub fn reconfig<'a>(request: &'a ReconfigRequest<'a>) -> Call<'a, Data, impl Encode + 'a> {
    let encode = |out: &mut Vec<u8>, _: &str, _: &str| request.encode(out);
    let mut call = on_path(Op::RECONFIG, "/", encode, data);
    call.path = None;
    call
}

impl Client {
    /// Creates a znode with the open ACL; returns its path, which for sequential ones is longer.
    pub fn create(&self, path: &str, data: &[u8], mode: Mode) -> Result<(String, Stat)> {
        self.create_with(path, Some(data), &Acl::open(), mode)
    }

    /// Creates a znode with null data or an ACL of its own.
    pub fn create_with(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        mode: Mode,
    ) -> Result<(String, Stat)> {
        self.run(create(path, data, acl, mode))
    }

    /// Creates by the oldest operation, whose answer has no stat.
    pub fn create1(&self, path: &str, data: &[u8], mode: Mode) -> Result<String> {
        self.run(create1(path, Some(data), &Acl::open(), mode))
    }

    /// Deletes a znode without children; `version` -1 takes any.
    pub fn delete(&self, path: &str, version: i32) -> Result<()> {
        self.run(delete(path, version))
    }

    /// The stat of a znode; the error is NONODE when there is none. `watch` leaves a watch of the
    /// client's own watcher, also on a znode that is not there.
    pub fn exists(&self, path: &str, watch: bool) -> Result<Stat> {
        self.run(exists(path, watch))
    }

    /// As `exists`, with a watcher that is told once.
    pub fn exists_w(&self, path: &str, watcher: Watcher) -> Result<Stat> {
        self.run_watching(exists(path, true), Some(watcher))
    }

    /// Data and stat of a znode.
    pub fn get(&self, path: &str, watch: bool) -> Result<Data> {
        self.run(get(path, watch))
    }

    /// As `get`, with a watcher that is told once.
    pub fn get_w(&self, path: &str, watcher: Watcher) -> Result<Data> {
        self.run_watching(get(path, true), Some(watcher))
    }

    /// The members of the ensemble, as `/zookeeper/config` holds them.
    pub fn get_config(&self, watch: bool) -> Result<Data> {
        self.run(get_config(watch))
    }

    /// Sets the data; `None` is null data, `version` -1 takes any.
    pub fn set(&self, path: &str, data: Option<&[u8]>, version: i32) -> Result<Stat> {
        self.run(set(path, data, version))
    }

    /// ACL and stat of a znode.
    pub fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat)> {
        self.run(get_acl(path))
    }

    /// Sets the ACL; `version` is that of the ACL, -1 takes any.
    pub fn set_acl(&self, path: &str, acl: &[Acl], version: i32) -> Result<Stat> {
        self.run(set_acl(path, acl, version))
    }

    /// Names of the children, in no order.
    pub fn children(&self, path: &str, watch: bool) -> Result<Vec<String>> {
        self.run(children(path, watch))
    }

    /// As `children`, with a watcher that is told once.
    pub fn children_w(&self, path: &str, watcher: Watcher) -> Result<Vec<String>> {
        self.run_watching(children(path, true), Some(watcher))
    }

    /// Names of the children, in no order, and the stat.
    pub fn children2(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat)> {
        self.run(children2(path, watch))
    }

    /// Waits until this server has everything that the leader had when the call came.
    pub fn sync(&self, path: &str) -> Result<()> {
        self.run(sync(path))
    }

    /// Leaves a watch of the client's own watcher that stays.
    pub fn add_watch(&self, path: &str, mode: AddWatchMode) -> Result<()> {
        self.run(add_watch(path, mode))
    }

    /// Leaves a watch that stays, with a watcher of its own. A watcher that stands there already
    /// stands there once.
    pub fn watch(&self, path: &str, mode: AddWatchMode, watcher: Watcher) -> Result<()> {
        self.run_watching(add_watch(path, mode), Some(watcher))
    }

    /// Removes a watcher of a watch that stays. The server is told when it was the last on this
    /// path. The error is NOWATCHER when it is not there.
    pub fn unwatch(&self, path: &str, mode: AddWatchMode, watcher: &Watcher) -> Result<()> {
        match self.forget(path, mode, watcher)? {
            None => Err(Error::Server(zk_wire::Code::NO_WATCHER)),
            Some(false) => Ok(()),
            Some(true) => self.run(remove_watches(path, mode.watcher_type())),
        }
    }

    /// As `unwatch`, without waiting: the watcher is told nothing more, and the server learns of it
    /// in time.
    pub(crate) fn unwatch_later(&self, path: &str, mode: AddWatchMode, watcher: &Watcher) {
        if let Ok(Some(true)) = self.forget(path, mode, watcher) {
            // It fails when the session is over, and the watch with it.
            let _ = self.start(remove_watches(path, mode.watcher_type()), |_| ());
        }
    }

    /// Forgets a watcher: whether it was the last on this path, `None` when it was not there.
    fn forget(&self, path: &str, mode: AddWatchMode, watcher: &Watcher) -> Result<Option<bool>> {
        let kind = mode.watcher_type().tables()[0];
        let server_path = self.full(path, false)?.into_owned();
        Ok(self.handle().change(|_, session| {
            let watches = session.watches_mut();
            let was = watches.forget(kind, &server_path, Some(watcher));
            was.then(|| !watches.holds(kind, &server_path, None))
        }))
    }

    /// Removes all watchers of a kind from a path, here and on the server; the error is NOWATCHER
    /// when the server has none.
    pub fn remove_watches(&self, path: &str, kind: WatcherType) -> Result<()> {
        self.run(remove_watches(path, kind))?;
        self.forget_watches(path, kind)
    }

    /// Forgets all watchers of a kind on a path, here alone: they are told nothing more.
    pub(crate) fn forget_watches(&self, path: &str, kind: WatcherType) -> Result<()> {
        let server_path = self.full(path, false)?.into_owned();
        self.handle().change(|_, session| {
            for table in kind.tables() {
                session.watches_mut().forget(*table, &server_path, None);
            }
        });
        Ok(())
    }

    /// Whether the server has such a watch of this session; the error is NOWATCHER when not.
    pub fn check_watches(&self, path: &str, kind: WatcherType) -> Result<()> {
        self.run(check_watches(path, kind))
    }

    /// Paths of this session's ephemerals that begin with `prefix`, in no order.
    pub fn ephemerals(&self, prefix: &str) -> Result<Vec<String>> {
        self.run(ephemerals(prefix))
    }

    /// Number of all znodes below a path.
    pub fn all_children_number(&self, path: &str) -> Result<i32> {
        self.run(all_children_number(path))
    }

    /// Scheme and user of each identity of this connection.
    pub fn who_am_i(&self) -> Result<Vec<(String, String)>> {
        self.run(who_am_i())
    }

    /// Changes the members of an ensemble; returns the new configuration.
    pub fn reconfig(&self, request: &ReconfigRequest<'_>) -> Result<Data> {
        self.run(reconfig(request))
    }
}
