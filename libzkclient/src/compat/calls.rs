//! What a request leaves behind: how its caller is told, and what it does to the watches.
//!
//! A caller that waits is told on a [`Slot`] by whoever reads the socket; a completion becomes a
//! [`Job`] and is called by [`deliver`], on the thread of callbacks or in the caller's own loop.

use std::ffi::{CString, c_char, c_int, c_void};
use std::hash::{Hash, Hasher};
use std::ptr::{null, null_mut};
use std::sync::{Arc, PoisonError};

use zk_wire::Reader;

use super::abi::*;
use super::memory;
use super::multi::{self, Multi};
use super::paths;
use super::zoo::Zoo;
use crate::sync::{Condvar, Mutex};

/// Where a waiting caller finds its answer.
#[derive(Debug, Default)]
pub struct Slot {
    answer: Mutex<Option<(c_int, Vec<u8>)>>,
    ready: Condvar,
}

impl Slot {
    /// Gives the answer: the result and the record behind it.
    pub fn set(&self, rc: c_int, body: &[u8]) {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        *answer = Some((rc, body.to_vec()));
        self.ready.notify_one();
    }

    /// Waits for the answer and takes it.
    pub fn wait(&self) -> (c_int, Vec<u8>) {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match answer.take() {
                Some(answer) => return answer,
                None => {
                    answer = self.ready.wait(answer).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// A completion and the shape of its result.
#[derive(Debug)]
pub enum Shape {
    /// The result only.
    Void(VoidFn),
    /// A stat.
    Stat(StatFn),
    /// Data and a stat.
    Data(DataFn),
    /// Strings.
    Strings(StringsFn),
    /// Strings and a stat.
    StringsStat(StringsStatFn),
    /// A path.
    String(StringFn),
    /// A path and a stat.
    StringStat(StringStatFn),
    /// An ACL and a stat.
    Acl(AclFn),
    /// The results of a multi.
    Multi(VoidFn, Multi),
}

/// A completion with the pointer that it is given.
#[derive(Debug)]
pub struct Call {
    /// Whom to call.
    pub shape: Shape,
    /// The program's.
    pub data: *const c_void,
}

// SAFETY: the pointer is the program's; the library only hands it on, on the thread of callbacks.
unsafe impl Send for Call {}

/// How a caller is told.
#[derive(Debug)]
pub enum Completion {
    /// It waits.
    Sync(Arc<Slot>),
    /// It is called.
    Call(Call),
}

/// Watches that an answer takes away.
#[derive(Debug)]
pub struct Unwatch {
    /// `ZooWatcherType`.
    pub kind: c_int,
    /// The server's path.
    pub path: String,
    /// Whose; `None` for everybody's.
    pub watcher: Option<Watcher>,
}

/// What a request leaves behind.
#[derive(Debug)]
pub struct Done {
    /// How the caller is told.
    pub completion: Completion,
    /// What becomes of watches when the answer is good.
    pub unwatch: Option<Box<Unwatch>>,
}

/// A function with its context. The same function with the same context is the same watcher.
#[derive(Clone, Copy, Debug)]
pub struct Watcher {
    /// Who is told.
    pub function: WatcherFn,
    /// What it is given.
    pub context: *mut c_void,
}

// SAFETY: the context is the program's; the library only hands it on, on the thread of callbacks.
unsafe impl Send for Watcher {}

impl PartialEq for Watcher {
    fn eq(&self, other: &Watcher) -> bool {
        std::ptr::fn_addr_eq(self.function, other.function) && self.context == other.context
    }
}

impl Eq for Watcher {}

impl Hash for Watcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.function as usize).hash(state);
        self.context.hash(state);
    }
}

/// Something to be called.
#[derive(Debug)]
pub enum Job {
    /// A completion.
    Done {
        /// Whom to call.
        call: Call,
        /// The result.
        rc: c_int,
        /// The record of the reply; empty unless the result is `ZOK`, but for a multi.
        body: Vec<u8>,
    },
    /// Watchers.
    Event {
        /// The type of the event.
        kind: c_int,
        /// The state.
        state: c_int,
        /// The program's path; empty for an event of the session.
        path: CString,
        /// Who is told, in this order.
        watchers: Vec<Watcher>,
    },
}

/// Calls the program.
pub fn deliver(zoo: &Zoo, job: Job) {
    match job {
        Job::Event { kind, state, path, watchers } => {
            for watcher in watchers {
                (watcher.function)(zoo, kind, state, path.as_ptr(), watcher.context);
            }
        }
        Job::Done { call, rc, body } => {
            complete(zoo.chroot(), call, rc, &body);
        }
    }
}

fn complete(chroot: &[u8], call: Call, rc: c_int, body: &[u8]) {
    let data = call.data;
    let mut reader = Reader::new(body);
    match call.shape {
        Shape::Void(function) => function(rc, data),
        Shape::Multi(function, multi) => function(multi::finish(&multi, chroot, rc, body), data),
        Shape::Stat(function) => match parsed(rc, || memory::stat(&mut reader)) {
            Ok(stat) => function(rc, &stat, data),
            Err(rc) => function(rc, null(), data),
        },
        Shape::Data(function) => match parsed(rc, || data_stat(&mut reader)) {
            Ok((Some(value), stat)) => {
                let at = value.as_ptr().cast::<c_char>();
                function(rc, at, value.len() as c_int, &stat, data);
            }
            Ok((None, stat)) => function(rc, null(), -1, &stat, data),
            Err(rc) => function(rc, null(), 0, null(), data),
        },
        Shape::String(function) => match parsed(rc, || path(chroot, &mut reader)) {
            Ok(path) => function(rc, path.as_ptr(), data),
            Err(rc) => function(rc, null(), data),
        },
        Shape::StringStat(function) => {
            let both =
                parsed(rc, || Some((path(chroot, &mut reader)?, memory::stat(&mut reader)?)));
            match both {
                Ok((path, stat)) => function(rc, path.as_ptr(), &stat, data),
                Err(rc) => function(rc, null(), null(), data),
            }
        }
        Shape::Strings(_) | Shape::StringsStat(_) | Shape::Acl(_) => {
            complete_vector(call, rc, &mut reader);
        }
    }
}

/// Completions with vectors, which are released behind them.
fn complete_vector(call: Call, rc: c_int, reader: &mut Reader<'_>) {
    let data = call.data;
    match call.shape {
        Shape::Strings(function) => match parsed(rc, || memory::string_vector(reader)) {
            Ok(mut strings) => {
                function(rc, &strings, data);
                memory::free_strings(&mut strings);
            }
            Err(rc) => function(rc, null(), data),
        },
        Shape::StringsStat(function) => match parsed(rc, || memory::string_vector(reader)) {
            Ok(mut strings) => {
                match memory::stat(reader) {
                    Some(stat) => function(rc, &strings, &stat, data),
                    None => function(rc::MARSHALLING_ERROR, null(), null(), data),
                }
                memory::free_strings(&mut strings);
            }
            Err(rc) => function(rc, null(), null(), data),
        },
        Shape::Acl(function) => match parsed(rc, || memory::acl_vector(reader)) {
            Ok(mut acl) => {
                match memory::stat(reader) {
                    Some(mut stat) => function(rc, &mut acl, &mut stat, data),
                    None => function(rc::MARSHALLING_ERROR, null_mut(), null_mut(), data),
                }
                memory::free_acl(&mut acl);
            }
            Err(rc) => function(rc, null_mut(), null_mut(), data),
        },
        _ => {}
    }
}

/// What a reply holds when the result is `ZOK`; the result otherwise, or `ZMARSHALLINGERROR`.
pub fn parsed<T>(rc: c_int, read: impl FnOnce() -> Option<T>) -> Result<T, c_int> {
    match rc {
        rc::OK => read().ok_or(rc::MARSHALLING_ERROR),
        rc => Err(rc),
    }
}

/// The record of getData.
pub fn data_stat<'a>(reader: &mut Reader<'a>) -> Option<(Option<&'a [u8]>, Stat)> {
    Some((reader.buffer("data").ok()?, memory::stat(reader)?))
}

/// A path in a reply, as the program knows it.
pub fn path(chroot: &[u8], reader: &mut Reader<'_>) -> Option<CString> {
    let path = reader.buffer("path").ok()?.unwrap_or(b"");
    CString::new(paths::strip(chroot, path)).ok()
}
