//! Multi: operations into a request, and its answer into the caller's results.
//!
//! The caller's buffers are written when the answer is told and not before, as the interface says.

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

use zk_wire::{Reader, Writer};

use super::abi::*;
use super::calls;
use super::memory;
use super::paths;

const CREATE: c_int = 1;
const DELETE: c_int = 2;
const SET_DATA: c_int = 5;
const CHECK: c_int = 13;
const CREATE_CONTAINER: c_int = 19;

/// Where the result of one operation goes.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// A created path: the caller's buffer and its size.
    Path(*mut c_char, c_int),
    /// A stat.
    Stat(*mut Stat),
    /// Nowhere.
    Nothing,
}

/// Where the results of a multi go.
#[derive(Debug)]
pub struct Multi {
    targets: Vec<Target>,
    results: *mut ZooOpResult,
}

/// Writes the request behind `out`. The error is what the call answers.
pub fn encode(
    chroot: &[u8],
    ops: &[ZooOp],
    results: *mut ZooOpResult,
    out: &mut Vec<u8>,
) -> Result<Multi, c_int> {
    if !ops.is_empty() && results.is_null() {
        return Err(rc::BAD_ARGUMENTS);
    }
    let mut targets = Vec::with_capacity(ops.len());
    for op in ops {
        out.put_int(op.kind);
        out.put_boolean(false);
        out.put_int(-1);
        targets.push(operation(chroot, op, out)?);
    }
    out.put_int(-1);
    out.put_boolean(true);
    out.put_int(-1);
    Ok(Multi { targets, results })
}

fn operation(chroot: &[u8], op: &ZooOp, out: &mut Vec<u8>) -> Result<Target, c_int> {
    match op.kind {
        CREATE | CREATE_CONTAINER => {
            // SAFETY: the type names the branch; each bit pattern of it is valid.
            let op = unsafe { op.branch.create };
            let path = paths::full(chroot, memory::text(op.path), is_sequential(op.flags))?;
            out.put_buffer(Some(&path));
            out.put_buffer(memory::bytes(op.data, op.datalen));
            memory::encode_acl(op.acl, out);
            out.put_int(op.flags);
            Ok(Target::Path(op.buf, op.buflen))
        }
        DELETE | CHECK => {
            // SAFETY: as above.
            let op = unsafe { op.branch.version };
            out.put_buffer(Some(&paths::full(chroot, memory::text(op.path), false)?));
            out.put_int(op.version);
            Ok(Target::Nothing)
        }
        SET_DATA => {
            // SAFETY: as above.
            let op = unsafe { op.branch.set };
            out.put_buffer(Some(&paths::full(chroot, memory::text(op.path), false)?));
            out.put_buffer(memory::bytes(op.data, op.datalen));
            out.put_int(op.version);
            Ok(Target::Stat(op.stat))
        }
        _ => Err(rc::UNIMPLEMENTED),
    }
}

/// Whether a mode makes the server add a number to the path.
pub fn is_sequential(mode: c_int) -> bool {
    matches!(mode, 2 | 3 | 6)
}

/// Writes the results; returns that of the whole.
pub fn finish(multi: &Multi, chroot: &[u8], rc: c_int, body: &[u8]) -> c_int {
    let filled = match rc {
        rc::OK => fill(multi, chroot, body),
        rc => Some(rc),
    };
    let filled = filled.unwrap_or(rc::MARSHALLING_ERROR);
    // Without an answer, all of them share the fate of the whole.
    if rc != rc::OK || filled == rc::MARSHALLING_ERROR {
        for at in 0..multi.targets.len() {
            refuse(multi, at, filled);
        }
    }
    filled
}

fn refuse(multi: &Multi, at: usize, err: c_int) {
    let result = ZooOpResult { err, value: null_mut(), valuelen: 0, stat: null_mut() };
    memory::put(multi.results.wrapping_add(at), result);
}

/// The first error that says why, or `ZOK`; `None` when the answer does not decode.
fn fill(multi: &Multi, chroot: &[u8], body: &[u8]) -> Option<c_int> {
    let mut reader = Reader::new(body);
    let mut first = rc::OK;
    for (at, target) in multi.targets.iter().enumerate() {
        let kind = reader.int("type").ok()?;
        let _done = reader.boolean("done").ok()?;
        let _err = reader.int("err").ok()?;
        if kind == -1 {
            let err = reader.int("error").ok()?;
            refuse(multi, at, err);
            if first == rc::OK && err != rc::OK && err != rc::RUNTIME_INCONSISTENCY {
                first = err;
            }
            continue;
        }
        let mut result =
            ZooOpResult { err: rc::OK, value: null_mut(), valuelen: 0, stat: null_mut() };
        match (kind, target) {
            (CREATE | CREATE_CONTAINER, Target::Path(buffer, size)) => {
                let path = calls::path(chroot, &mut reader)?;
                memory::put_text(*buffer, *size, path.as_bytes());
                (result.value, result.valuelen) = (*buffer, *size);
            }
            // Servers answer a container as a create2.
            (15, Target::Path(buffer, size)) => {
                let path = calls::path(chroot, &mut reader)?;
                memory::stat(&mut reader)?;
                memory::put_text(*buffer, *size, path.as_bytes());
                (result.value, result.valuelen) = (*buffer, *size);
            }
            (SET_DATA, Target::Stat(stat)) => {
                memory::put(*stat, memory::stat(&mut reader)?);
                result.stat = *stat;
            }
            (DELETE | CHECK, Target::Nothing) => {}
            _ => return None,
        }
        memory::put(multi.results.wrapping_add(at), result);
    }
    Some(first)
}
