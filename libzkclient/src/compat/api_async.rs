//! The functions of `zookeeper.h` that answer with a completion.
//!
//! The result of a call says only whether the request is on its way; a completion that was taken is
//! called exactly once.

use std::ffi::{c_char, c_int, c_void};

use zk_wire::Op;

use super::abi::*;
use super::api::{alive, code};
use super::calls::Shape;
use super::request::{self, Create, Made, Removal, default_watcher, watcher};
use super::zoo::Zoo;
use crate::session::WatchWish;

/// Sends what `make` makes, unless there is nobody to tell of its answer.
fn call<F>(
    zh: *const Zoo,
    completion: Option<F>,
    data: *const c_void,
    shape: impl FnOnce(F) -> Shape,
    make: impl FnOnce(&Zoo) -> Made,
) -> c_int {
    code((|| {
        let zoo = alive(zh)?;
        let completion = completion.ok_or(rc::BAD_ARGUMENTS)?;
        Ok(make(&zoo)?.call(&zoo, shape(completion), data))
    })())
}

export! {
    /// Creates a znode.
    fn zoo_acreate(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        completion: Option<StringFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let create = Create { path, value, acl, mode, ttl: -1, stat: false };
        call(zh, completion, data, Shape::String, |zoo| request::create(zoo, &create))
    }

    /// Creates a znode, with a time to live.
    fn zoo_acreate_ttl(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        ttl: i64,
        completion: Option<StringFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let create = Create { path, value, acl, mode, ttl, stat: false };
        call(zh, completion, data, Shape::String, |zoo| request::create(zoo, &create))
    }

    /// Creates a znode; the completion gets its stat.
    fn zoo_acreate2(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        completion: Option<StringStatFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let create = Create { path, value, acl, mode, ttl: -1, stat: true };
        call(zh, completion, data, Shape::StringStat, |zoo| request::create(zoo, &create))
    }

    /// Creates a znode, with a time to live; the completion gets its stat.
    fn zoo_acreate2_ttl(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        ttl: i64,
        completion: Option<StringStatFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let create = Create { path, value, acl, mode, ttl, stat: true };
        call(zh, completion, data, Shape::StringStat, |zoo| request::create(zoo, &create))
    }

    /// Deletes a znode.
    fn zoo_adelete(
        zh: *const Zoo,
        path: *const c_char,
        version: c_int,
        completion: Option<VoidFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Void, |zoo| {
            request::of_path_int(zoo, Op::DELETE, path, version)
        })
    }

    /// Looks whether a znode is there.
    fn zoo_aexists(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        completion: Option<StatFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Stat, |zoo| {
            let watcher = default_watcher(zoo, watch);
            request::read(zoo, Op::EXISTS, WatchWish::DataOrExist, path, watcher)
        })
    }

    /// Looks whether a znode is there; leaves a watch.
    fn zoo_awexists(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        completion: Option<StatFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Stat, |zoo| {
            let watcher = watcher(function, context);
            request::read(zoo, Op::EXISTS, WatchWish::DataOrExist, path, watcher)
        })
    }

    /// Reads data.
    fn zoo_aget(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        completion: Option<DataFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Data, |zoo| {
            let watcher = default_watcher(zoo, watch);
            request::read(zoo, Op::GET_DATA, WatchWish::Data, path, watcher)
        })
    }

    /// Reads data; leaves a watch.
    fn zoo_awget(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        completion: Option<DataFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Data, |zoo| {
            let watcher = watcher(function, context);
            request::read(zoo, Op::GET_DATA, WatchWish::Data, path, watcher)
        })
    }

    /// Lists children.
    fn zoo_aget_children(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        completion: Option<StringsFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Strings, |zoo| {
            let watcher = default_watcher(zoo, watch);
            request::read(zoo, Op::GET_CHILDREN, WatchWish::Children, path, watcher)
        })
    }

    /// Lists children; leaves a watch.
    fn zoo_awget_children(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        completion: Option<StringsFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Strings, |zoo| {
            let watcher = watcher(function, context);
            request::read(zoo, Op::GET_CHILDREN, WatchWish::Children, path, watcher)
        })
    }

    /// Lists children, with the stat of their parent.
    fn zoo_aget_children2(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        completion: Option<StringsStatFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::StringsStat, |zoo| {
            let watcher = default_watcher(zoo, watch);
            request::read(zoo, Op::GET_CHILDREN2, WatchWish::Children, path, watcher)
        })
    }

    /// Lists children, with the stat of their parent; leaves a watch.
    fn zoo_awget_children2(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        completion: Option<StringsStatFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::StringsStat, |zoo| {
            let watcher = watcher(function, context);
            request::read(zoo, Op::GET_CHILDREN2, WatchWish::Children, path, watcher)
        })
    }

    /// Reads the configuration of the ensemble.
    fn zoo_agetconfig(
        zh: *const Zoo,
        watch: c_int,
        completion: Option<DataFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Data, |zoo| request::config(default_watcher(zoo, watch)))
    }

    /// Reads the configuration of the ensemble; leaves a watch.
    fn zoo_awgetconfig(
        zh: *const Zoo,
        function: Option<WatcherFn>,
        context: *mut c_void,
        completion: Option<DataFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Data, |_| request::config(watcher(function, context)))
    }

    /// Changes the ensemble.
    fn zoo_areconfig(
        zh: *const Zoo,
        joining: *const c_char,
        leaving: *const c_char,
        members: *const c_char,
        version: i64,
        completion: Option<DataFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Data, |_| {
            request::reconfig(joining, leaving, members, version)
        })
    }

    /// Writes data.
    fn zoo_aset(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        version: c_int,
        completion: Option<StatFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Stat, |zoo| {
            request::set(zoo, path, (value, length), version)
        })
    }

    /// Brings the server up to date.
    fn zoo_async(
        zh: *const Zoo,
        path: *const c_char,
        completion: Option<StringFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::String, |zoo| request::of_path(zoo, Op::SYNC, path))
    }

    /// Reads an ACL.
    fn zoo_aget_acl(
        zh: *const Zoo,
        path: *const c_char,
        completion: Option<AclFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Acl, |zoo| request::of_path(zoo, Op::GET_ACL, path))
    }

    /// Writes an ACL.
    fn zoo_aset_acl(
        zh: *const Zoo,
        path: *const c_char,
        version: c_int,
        acl: *const AclVector,
        completion: Option<VoidFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        call(zh, completion, data, Shape::Void, |zoo| {
            request::set_acl(zoo, path, version, acl)
        })
    }

    /// Carries operations out all or none.
    fn zoo_amulti(
        zh: *const Zoo,
        count: c_int,
        ops: *const ZooOp,
        results: *mut ZooOpResult,
        completion: Option<VoidFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        code((|| {
            let zoo = alive(zh)?;
            let completion = completion.ok_or(rc::BAD_ARGUMENTS)?;
            let (request, multi) = request::multi(&zoo, count, ops, results)?;
            Ok(request.call(&zoo, Shape::Multi(completion, multi), data))
        })())
    }

    /// Removes a watch. The header's `void_completion_t *` is the function itself.
    fn zoo_aremove_watches(
        zh: *const Zoo,
        path: *const c_char,
        kind: c_int,
        function: Option<WatcherFn>,
        context: *mut c_void,
        local: c_int,
        completion: Option<VoidFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let watcher = watcher(function, context);
        let removal = Removal { path, kind, watcher, all: false, local: local != 0 };
        remove(zh, &removal, completion, data)
    }

    /// Removes all watches of a path. The header's `void_completion_t *` is the function itself.
    fn zoo_aremove_all_watches(
        zh: *const Zoo,
        path: *const c_char,
        kind: c_int,
        local: c_int,
        completion: Option<VoidFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let watcher = None;
        let removal = Removal { path, kind, watcher, all: true, local: local != 0 };
        remove(zh, &removal, completion, data)
    }
}

fn remove(
    zh: *const Zoo,
    removal: &Removal,
    completion: Option<VoidFn>,
    data: *const c_void,
) -> c_int {
    code((|| {
        let zoo = alive(zh)?;
        let completion = completion.ok_or(rc::BAD_ARGUMENTS)?;
        match request::remove(&zoo, removal)? {
            Some(request) => Ok(request.call(&zoo, Shape::Void(completion), data)),
            None => {
                zoo.call_later(Shape::Void(completion), data);
                Ok(rc::OK)
            }
        }
    })())
}
