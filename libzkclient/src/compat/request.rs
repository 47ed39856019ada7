//! Arguments of C into requests, and requests on their way.
//!
//! Everything is checked and copied here, before a call returns; nothing is sent that is wrong by
//! itself.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use zk_wire::{Op, Writer};

use super::abi::{AclVector, WatcherFn, ZooOp, ZooOpResult, rc};
use super::calls::{Call, Completion, Done, Shape, Slot, Unwatch, Watcher};
use super::log;
use super::memory;
use super::multi::{self, Multi, is_sequential};
use super::paths;
use super::zoo::Zoo;
use crate::error::Error;
use crate::session::{Extra, WatchWish};

/// Largest time to live, in ms: 40 bits of the znode's owner hold it.
const TTL_MAX: i64 = 0xff_ffff_ffff;

/// Where the ensemble keeps its configuration; no chroot goes before it.
const CONFIG: &[u8] = b"/zookeeper/config";

/// A request, ready to be sent.
pub struct Request {
    op: Op,
    body: Vec<u8>,
    watch: Option<Box<(WatchWish, String, Watcher)>>,
    unwatch: Option<Box<Unwatch>>,
}

/// The outcome of making one; the error is what the call answers.
pub type Made = Result<Request, c_int>;

impl Request {
    fn new(op: Op, body: Vec<u8>) -> Request {
        Request { op, body, watch: None, unwatch: None }
    }

    fn of_path(op: Op, path: &[u8]) -> Request {
        let mut body = Vec::with_capacity(path.len() + 16);
        body.put_buffer(Some(path));
        Request::new(op, body)
    }

    /// Sends it; a completion is called with the answer.
    pub fn call(self, zoo: &Zoo, shape: Shape, data: *const c_void) -> c_int {
        let sent = self.send(zoo, Completion::Call(Call { shape, data }));
        sent.err().unwrap_or(rc::OK)
    }

    /// Sends it and waits for the answer: the result and the record.
    pub fn wait(self, zoo: &Zoo) -> (c_int, Vec<u8>) {
        thread_local! {
            static SLOT: Arc<Slot> = Arc::default();
        }
        // A thread waits for one answer at a time; at its very end it has no slot any more.
        let slot = SLOT.try_with(Arc::clone).unwrap_or_default();
        if let Err(rc) = self.send(zoo, Completion::Sync(slot.clone())) {
            return (rc, Vec::new());
        }
        if zoo.in_callback() {
            // What callbacks send is held back until they end.
            zoo.core().flush();
        }
        slot.wait()
    }

    fn send(self, zoo: &Zoo, completion: Completion) -> Result<(), c_int> {
        if zoo.is_foreign() {
            return Err(rc::INVALID_STATE);
        }
        let done = Done { completion, unwatch: self.unwatch };
        let extra = Extra { watch: self.watch, ..Extra::default() };
        let body = self.body;
        if log::enabled(log::DEBUG) {
            let text = format!("Sending a request of {} bytes", body.len());
            zoo.say(log::DEBUG, line!(), function(self.op), text);
        }
        match zoo.core().submit(self.op, |out| out.extend_from_slice(&body), extra, done) {
            Ok(_) => Ok(()),
            Err((Error::SessionExpired | Error::AuthFailed, _)) => Err(rc::INVALID_STATE),
            Err(_) => Err(rc::MARSHALLING_ERROR),
        }
    }
}

/// The function of Apache's client that sends such a request; programs look for it in the log.
fn function(op: Op) -> &'static str {
    match op {
        Op::CREATE | Op::CREATE_CONTAINER => "zoo_acreate",
        Op::CREATE2 => "zoo_acreate2",
        Op::CREATE_TTL => "zoo_acreate_ttl",
        Op::DELETE => "zoo_adelete",
        Op::EXISTS => "zoo_awexists",
        Op::GET_DATA => "zoo_awget",
        Op::SET_DATA => "zoo_aset",
        Op::GET_CHILDREN => "zoo_awget_children_",
        Op::GET_CHILDREN2 => "zoo_awget_children2_",
        Op::GET_ACL => "zoo_aget_acl",
        Op::SET_ACL => "zoo_aset_acl",
        Op::SYNC => "zoo_async",
        Op::MULTI => "zoo_amulti",
        Op::RECONFIG => "zoo_areconfig",
        _ => "aremove_watches",
    }
}

/// A watcher that a call was given; `None` for none.
pub fn watcher(function: Option<WatcherFn>, context: *mut c_void) -> Option<Watcher> {
    function.map(|function| Watcher { function, context })
}

/// The default watcher, when a call asks for it.
pub fn default_watcher(zoo: &Zoo, watch: c_int) -> Option<Watcher> {
    (watch != 0).then(|| zoo.default_watcher())
}

/// What is created.
pub struct Create {
    /// The path.
    pub path: *const c_char,
    /// The data and how many bytes, -1 for none.
    pub value: (*const c_char, c_int),
    /// The ACL.
    pub acl: *const AclVector,
    /// The mode.
    pub mode: c_int,
    /// Time to live in ms, -1 for none.
    pub ttl: i64,
    /// Whether the stat is wanted too.
    pub stat: bool,
}

/// create, create2, createContainer, createTTL.
pub fn create(zoo: &Zoo, create: &Create) -> Made {
    let with_ttl = matches!(create.mode, 5 | 6);
    let ttl_fits = match with_ttl {
        true => (1..=TTL_MAX).contains(&create.ttl),
        false => create.ttl == -1,
    };
    if !ttl_fits {
        return Err(rc::BAD_ARGUMENTS);
    }
    let path = memory::text(create.path);
    let path = paths::full(zoo.chroot(), path, is_sequential(create.mode))?;
    let op = match create.mode {
        4 => Op::CREATE_CONTAINER,
        5 | 6 => Op::CREATE_TTL,
        _ if create.stat => Op::CREATE2,
        _ => Op::CREATE,
    };
    let mut request = Request::of_path(op, &path);
    request.body.put_buffer(memory::bytes(create.value.0, create.value.1));
    memory::encode_acl(create.acl, &mut request.body);
    request.body.put_int(create.mode);
    if with_ttl {
        request.body.put_long(create.ttl);
    }
    Ok(request)
}

/// A request that holds a path.
pub fn of_path(zoo: &Zoo, op: Op, path: *const c_char) -> Made {
    Ok(Request::of_path(op, &paths::full(zoo.chroot(), memory::text(path), false)?))
}

/// A request that holds a path and a number.
pub fn of_path_int(zoo: &Zoo, op: Op, path: *const c_char, number: c_int) -> Made {
    let mut request = of_path(zoo, op, path)?;
    request.body.put_int(number);
    Ok(request)
}

/// A read that may leave a watch.
pub fn read(
    zoo: &Zoo,
    op: Op,
    wish: WatchWish,
    path: *const c_char,
    watcher: Option<Watcher>,
) -> Made {
    let path = paths::full(zoo.chroot(), memory::text(path), false)?;
    Ok(watched(op, wish, &path, watcher))
}

/// getData of the ensemble's configuration.
pub fn config(watcher: Option<Watcher>) -> Made {
    Ok(watched(Op::GET_DATA, WatchWish::Data, CONFIG, watcher))
}

fn watched(op: Op, wish: WatchWish, path: &[u8], watcher: Option<Watcher>) -> Request {
    let mut request = Request::of_path(op, path);
    request.body.put_boolean(watcher.is_some());
    let text = || String::from_utf8_lossy(path).into_owned();
    request.watch = watcher.map(|watcher| Box::new((wish, text(), watcher)));
    request
}

/// setData.
pub fn set(zoo: &Zoo, path: *const c_char, value: (*const c_char, c_int), version: c_int) -> Made {
    let mut request = of_path(zoo, Op::SET_DATA, path)?;
    request.body.put_buffer(memory::bytes(value.0, value.1));
    request.body.put_int(version);
    Ok(request)
}

/// setACL.
pub fn set_acl(zoo: &Zoo, path: *const c_char, version: c_int, acl: *const AclVector) -> Made {
    let mut request = of_path(zoo, Op::SET_ACL, path)?;
    memory::encode_acl(acl, &mut request.body);
    request.body.put_int(version);
    Ok(request)
}

/// reconfig.
pub fn reconfig(
    joining: *const c_char,
    leaving: *const c_char,
    members: *const c_char,
    version: i64,
) -> Made {
    let mut body = Vec::new();
    for text in [joining, leaving, members] {
        body.put_buffer(memory::text(text));
    }
    body.put_long(version);
    Ok(Request::new(Op::RECONFIG, body))
}

/// multi.
pub fn multi(
    zoo: &Zoo,
    count: c_int,
    ops: *const ZooOp,
    results: *mut ZooOpResult,
) -> Result<(Request, Multi), c_int> {
    let ops = memory::array(ops, count).ok_or(rc::BAD_ARGUMENTS)?;
    let mut body = Vec::new();
    let multi = multi::encode(zoo.chroot(), ops, results, &mut body)?;
    Ok((Request::new(Op::MULTI, body), multi))
}

/// Which watches go: of one watcher (`all` is false), or of everybody.
pub struct Removal {
    /// Of this path.
    pub path: *const c_char,
    /// `ZooWatcherType`.
    pub kind: c_int,
    /// Of this watcher.
    pub watcher: Option<Watcher>,
    /// Whether the others go too.
    pub all: bool,
    /// Whether the server is not asked.
    pub local: bool,
}

/// checkWatches or removeWatches; `None` when everything is done already.
pub fn remove(zoo: &Zoo, removal: &Removal) -> Result<Option<Request>, c_int> {
    if !(1..=3).contains(&removal.kind) {
        return Err(rc::BAD_ARGUMENTS);
    }
    if zoo.is_foreign() {
        return Err(rc::INVALID_STATE);
    }
    let path = paths::full(zoo.chroot(), memory::text(removal.path), false)?;
    let text = String::from_utf8_lossy(&path).into_owned();
    let watcher = removal.watcher.filter(|_| !removal.all);
    let unwatch = Unwatch { kind: removal.kind, path: text, watcher };
    // Without a watcher it is the server that knows whether there is one.
    if watcher.is_some() && !zoo.has_watch(&unwatch) {
        return Err(rc::NO_WATCHER);
    }
    if removal.local {
        zoo.forget(&unwatch);
        return Ok(None);
    }
    let op = if removal.all { Op::REMOVE_WATCHES } else { Op::CHECK_WATCHES };
    let mut request = Request::of_path(op, &path);
    request.body.put_int(removal.kind);
    request.unwatch = Some(Box::new(unwatch));
    Ok(Some(request))
}
