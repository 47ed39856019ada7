//! The functions of `zookeeper.h` that wait for the answer; in the library with threads only.
//!
//! What the caller gave is written when the result is `ZOK`, and left alone otherwise.

use std::ffi::{c_char, c_int, c_void};

use zk_wire::{Op, Reader};

use super::abi::*;
use super::api::{alive, code};
use super::calls::{self, parsed};
use super::request::{self, Create, Made, Removal, default_watcher, watcher};
use super::zoo::Zoo;
use super::{memory, multi};
use crate::session::WatchWish;

/// Sends what `make` makes, waits, and hands the record to `take`.
fn wait(
    zh: *const Zoo,
    make: impl FnOnce(&Zoo) -> Made,
    take: impl FnOnce(&Zoo, &mut Reader<'_>) -> Option<()>,
) -> c_int {
    code((|| {
        let zoo = alive(zh)?;
        let (rc, body) = make(&zoo)?.wait(&zoo);
        parsed(rc, || take(&zoo, &mut Reader::new(&body))).map(|()| rc::OK)
    })())
}

fn nothing(_: &Zoo, _: &mut Reader<'_>) -> Option<()> {
    Some(())
}

fn create(zh: *const Zoo, create: &Create, buffer: (*mut c_char, c_int), stat: *mut Stat) -> c_int {
    wait(
        zh,
        |zoo| request::create(zoo, create),
        |zoo, reader| {
            let path = calls::path(zoo.chroot(), reader)?;
            if create.stat {
                memory::put(stat, memory::stat(reader)?);
            }
            memory::put_text(buffer.0, buffer.1, path.as_bytes());
            Some(())
        },
    )
}

/// Puts data and stat where the caller wants them.
fn take_data(
    reader: &mut Reader<'_>,
    buffer: *mut c_char,
    length: *mut c_int,
    stat: *mut Stat,
) -> Option<()> {
    let (value, value_stat) = calls::data_stat(reader)?;
    let room = memory::get(length).unwrap_or(0);
    let count = value.map_or(-1, |value| memory::put_bytes(buffer, room, value) as c_int);
    memory::put(length, count);
    memory::put(stat, value_stat);
    Some(())
}

fn get(
    zh: *const Zoo,
    buffer: *mut c_char,
    length: *mut c_int,
    stat: *mut Stat,
    make: impl FnOnce(&Zoo) -> Made,
) -> c_int {
    if length.is_null() {
        return rc::BAD_ARGUMENTS;
    }
    wait(zh, make, |_, reader| take_data(reader, buffer, length, stat))
}

fn children(
    zh: *const Zoo,
    strings: *mut StringVector,
    stat: Option<*mut Stat>,
    make: impl FnOnce(&Zoo) -> Made,
) -> c_int {
    wait(zh, make, |_, reader| {
        let mut found = memory::string_vector(reader)?;
        if let Some(to) = stat {
            let Some(stat) = memory::stat(reader) else {
                memory::free_strings(&mut found);
                return None;
            };
            memory::put(to, stat);
        }
        match strings.is_null() {
            true => memory::free_strings(&mut found),
            false => memory::put(strings, found),
        }
        Some(())
    })
}

fn remove(zh: *const Zoo, removal: &Removal) -> c_int {
    code((|| {
        let zoo = alive(zh)?;
        match request::remove(&zoo, removal)? {
            Some(request) => Ok(request.wait(&zoo).0),
            None => Ok(rc::OK),
        }
    })())
}

export! {
    /// Creates a znode.
    fn zoo_create(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        buffer: *mut c_char,
        size: c_int,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let wanted = Create { path, value, acl, mode, ttl: -1, stat: false };
        create(zh, &wanted, (buffer, size), std::ptr::null_mut())
    }

    /// Creates a znode, with a time to live.
    fn zoo_create_ttl(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        ttl: i64,
        buffer: *mut c_char,
        size: c_int,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let wanted = Create { path, value, acl, mode, ttl, stat: false };
        create(zh, &wanted, (buffer, size), std::ptr::null_mut())
    }

    /// Creates a znode; tells its stat.
    fn zoo_create2(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        buffer: *mut c_char,
        size: c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let wanted = Create { path, value, acl, mode, ttl: -1, stat: true };
        create(zh, &wanted, (buffer, size), stat)
    }

    /// Creates a znode, with a time to live; tells its stat.
    fn zoo_create2_ttl(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        acl: *const AclVector,
        mode: c_int,
        ttl: i64,
        buffer: *mut c_char,
        size: c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let value = (value, length);
        let wanted = Create { path, value, acl, mode, ttl, stat: true };
        create(zh, &wanted, (buffer, size), stat)
    }

    /// Deletes a znode.
    fn zoo_delete(
        zh: *const Zoo,
        path: *const c_char,
        version: c_int,
    ) -> c_int [rc::SYSTEM_ERROR] {
        wait(zh, |zoo| request::of_path_int(zoo, Op::DELETE, path, version), nothing)
    }

    /// Looks whether a znode is there.
    fn zoo_exists(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        wait(
            zh,
            |zoo| {
                let watcher = default_watcher(zoo, watch);
                request::read(zoo, Op::EXISTS, WatchWish::DataOrExist, path, watcher)
            },
            |_, reader| {
                memory::put(stat, memory::stat(reader)?);
                Some(())
            },
        )
    }

    /// Reads data.
    fn zoo_get(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        buffer: *mut c_char,
        length: *mut c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        get(zh, buffer, length, stat, |zoo| {
            let watcher = default_watcher(zoo, watch);
            request::read(zoo, Op::GET_DATA, WatchWish::Data, path, watcher)
        })
    }

    /// Reads the configuration of the ensemble.
    fn zoo_getconfig(
        zh: *const Zoo,
        watch: c_int,
        buffer: *mut c_char,
        length: *mut c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        get(zh, buffer, length, stat, |zoo| request::config(default_watcher(zoo, watch)))
    }

    /// Lists children.
    fn zoo_get_children(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        strings: *mut StringVector,
    ) -> c_int [rc::SYSTEM_ERROR] {
        children(zh, strings, None, |zoo| {
            let watcher = default_watcher(zoo, watch);
            request::read(zoo, Op::GET_CHILDREN, WatchWish::Children, path, watcher)
        })
    }

    /// Lists children, with the stat of their parent.
    fn zoo_get_children2(
        zh: *const Zoo,
        path: *const c_char,
        watch: c_int,
        strings: *mut StringVector,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        children(zh, strings, Some(stat), |zoo| {
            let watcher = default_watcher(zoo, watch);
            request::read(zoo, Op::GET_CHILDREN2, WatchWish::Children, path, watcher)
        })
    }

    /// Looks whether a znode is there; leaves a watch.
    fn zoo_wexists(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        wait(
            zh,
            |zoo| {
                let watcher = watcher(function, context);
                request::read(zoo, Op::EXISTS, WatchWish::DataOrExist, path, watcher)
            },
            |_, reader| {
                memory::put(stat, memory::stat(reader)?);
                Some(())
            },
        )
    }

    /// Reads data; leaves a watch.
    fn zoo_wget(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        buffer: *mut c_char,
        length: *mut c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        get(zh, buffer, length, stat, |zoo| {
            let watcher = watcher(function, context);
            request::read(zoo, Op::GET_DATA, WatchWish::Data, path, watcher)
        })
    }

    /// Reads the configuration of the ensemble; leaves a watch.
    fn zoo_wgetconfig(
        zh: *const Zoo,
        function: Option<WatcherFn>,
        context: *mut c_void,
        buffer: *mut c_char,
        length: *mut c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        get(zh, buffer, length, stat, |_| request::config(watcher(function, context)))
    }

    /// Lists children; leaves a watch.
    fn zoo_wget_children(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        strings: *mut StringVector,
    ) -> c_int [rc::SYSTEM_ERROR] {
        children(zh, strings, None, |zoo| {
            let watcher = watcher(function, context);
            request::read(zoo, Op::GET_CHILDREN, WatchWish::Children, path, watcher)
        })
    }

    /// Lists children, with the stat of their parent; leaves a watch.
    fn zoo_wget_children2(
        zh: *const Zoo,
        path: *const c_char,
        function: Option<WatcherFn>,
        context: *mut c_void,
        strings: *mut StringVector,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        children(zh, strings, Some(stat), |zoo| {
            let watcher = watcher(function, context);
            request::read(zoo, Op::GET_CHILDREN2, WatchWish::Children, path, watcher)
        })
    }

    /// Changes the ensemble; tells its new configuration.
    fn zoo_reconfig(
        zh: *const Zoo,
        joining: *const c_char,
        leaving: *const c_char,
        members: *const c_char,
        version: i64,
        buffer: *mut c_char,
        length: *mut c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        get(zh, buffer, length, stat, |_| {
            request::reconfig(joining, leaving, members, version)
        })
    }

    /// Writes data.
    fn zoo_set(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        version: c_int,
    ) -> c_int [rc::SYSTEM_ERROR] {
        wait(zh, |zoo| request::set(zoo, path, (value, length), version), nothing)
    }

    /// Writes data; tells the stat.
    fn zoo_set2(
        zh: *const Zoo,
        path: *const c_char,
        value: *const c_char,
        length: c_int,
        version: c_int,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        wait(
            zh,
            |zoo| request::set(zoo, path, (value, length), version),
            |_, reader| {
                memory::put(stat, memory::stat(reader)?);
                Some(())
            },
        )
    }

    /// Reads an ACL.
    fn zoo_get_acl(
        zh: *const Zoo,
        path: *const c_char,
        acl: *mut AclVector,
        stat: *mut Stat,
    ) -> c_int [rc::SYSTEM_ERROR] {
        wait(
            zh,
            |zoo| request::of_path(zoo, Op::GET_ACL, path),
            |_, reader| {
                let mut found = memory::acl_vector(reader)?;
                let Some(found_stat) = memory::stat(reader) else {
                    memory::free_acl(&mut found);
                    return None;
                };
                memory::put(stat, found_stat);
                match acl.is_null() {
                    true => memory::free_acl(&mut found),
                    false => memory::put(acl, found),
                }
                Some(())
            },
        )
    }

    /// Writes an ACL.
    fn zoo_set_acl(
        zh: *const Zoo,
        path: *const c_char,
        version: c_int,
        acl: *const AclVector,
    ) -> c_int [rc::SYSTEM_ERROR] {
        wait(zh, |zoo| request::set_acl(zoo, path, version, acl), nothing)
    }

    /// Carries operations out all or none.
    fn zoo_multi(
        zh: *const Zoo,
        count: c_int,
        ops: *const ZooOp,
        results: *mut ZooOpResult,
    ) -> c_int [rc::SYSTEM_ERROR] {
        code((|| {
            let zoo = alive(zh)?;
            let (request, targets) = request::multi(&zoo, count, ops, results)?;
            let (rc, body) = request.wait(&zoo);
            Ok(multi::finish(&targets, zoo.chroot(), rc, &body))
        })())
    }

    /// Removes a watch.
    fn zoo_remove_watches(
        zh: *const Zoo,
        path: *const c_char,
        kind: c_int,
        function: Option<WatcherFn>,
        context: *mut c_void,
        local: c_int,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let watcher = watcher(function, context);
        remove(zh, &Removal { path, kind, watcher, all: false, local: local != 0 })
    }

    /// Removes all watches of a path.
    fn zoo_remove_all_watches(
        zh: *const Zoo,
        path: *const c_char,
        kind: c_int,
        local: c_int,
    ) -> c_int [rc::SYSTEM_ERROR] {
        remove(zh, &Removal { path, kind, watcher: None, all: true, local: local != 0 })
    }
}
