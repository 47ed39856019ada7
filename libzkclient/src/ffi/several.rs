//! Several operations in one call.

use std::ffi::{c_char, c_void};

use zk_wire::Acl;

use super::border::{bytes, list, text};
use super::call::{make, zkc_call_t};
use super::data::mode_of;
use super::registry::zkc_client_t;
use super::result::zkc_result_t;
use super::types::{acl_of, zkc_acl_t};
use crate::error::{Error, Result};
use crate::multi::{Read, Write, check_reads, check_writes, multi, multi_read};

/// Creates: `path`, `data`, `length`, `acl`, `acl_count`, `mode`, `ttl_ms`.
pub const ZKC_OP_CREATE: i32 = 1;
/// Deletes: `path`, `version`.
pub const ZKC_OP_DELETE: i32 = 2;
/// Sets: `path`, `data`, `length`, `version`.
pub const ZKC_OP_SET: i32 = 5;
/// Fails unless the znode is there in this version: `path`, `version`.
pub const ZKC_OP_CHECK: i32 = 13;
/// Data and stat, in `zkc_multi_read`: `path`.
pub const ZKC_OP_GET: i32 = 4;
/// Names of the children, in `zkc_multi_read`: `path`.
pub const ZKC_OP_CHILDREN: i32 = 8;

/// One operation. Set it to zero first; what an operation does not name is not looked at. Borrowed
/// for the call only.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct zkc_op_t {
    /// `ZKC_OP_*`.
    pub op: i32,
    /// The version that the znode must have; -1 takes any.
    pub version: i32,
    /// The znode.
    pub path: *const c_char,
    /// The data; NULL with a length of 0 is null data.
    pub data: *const c_void,
    /// Bytes of the data.
    pub length: usize,
    /// The ACL; NULL with a count of 0 is the open one.
    pub acl: *const zkc_acl_t,
    /// Entries of the ACL.
    pub acl_count: usize,
    /// `ZKC_PERSISTENT` or another.
    pub mode: i32,
    /// Always 0.
    pub reserved: i32,
    /// 1 or more for a TTL mode, else 0.
    pub ttl_ms: i64,
}

/// # Safety
/// The pointers in `op` are as the header says.
unsafe fn write_of<'a>(op: &zkc_op_t, acl: &'a [Acl]) -> Result<Write<'a>> {
    // SAFETY: as promised by the caller.
    let path = unsafe { text("op.path", op.path) }?;
    // SAFETY: as promised by the caller.
    let data = || unsafe { bytes("op.data", op.data, op.length) };
    Ok(match op.op {
        ZKC_OP_CREATE => {
            Write::Create { path, data: data()?, acl, mode: mode_of(op.mode, op.ttl_ms)? }
        }
        ZKC_OP_DELETE => Write::Delete(path, op.version),
        ZKC_OP_SET => Write::Set(path, data()?, op.version),
        ZKC_OP_CHECK => Write::Check(path, op.version),
        other => return Err(Error::argument("op.op", format!("{other} is none of a multi"))),
    })
}

/// Does all operations or none. The code is that of the operation that failed; each has a result of
/// its own (`zkc_result_item`): `ZKC_OK` before the one that failed, `ZKC_RUNTIME_INCONSISTENCY`
/// behind it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_multi(
    client: *mut zkc_client_t,
    ops: *const zkc_op_t,
    count: usize,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    let (mut acls, mut writes) = (Vec::new(), Vec::new());
    let (acls, writes): (&mut Vec<Vec<Acl>>, &mut Vec<Write<'_>>) = (&mut acls, &mut writes);
    // SAFETY: the header's promise; both lists outlive the call, which writes its record at once.
    unsafe {
        make(
            client,
            call,
            out,
            |entry, _| {
                let ops = list("ops", ops, count)?;
                for op in ops {
                    let create = op.op == ZKC_OP_CREATE;
                    acls.push(if create { acl_of(op.acl, op.acl_count)? } else { Vec::new() });
                }
                for (op, acl) in ops.iter().zip(acls.iter()) {
                    writes.push(write_of(op, acl)?);
                }
                check_writes(&entry.client, writes)?;
                Ok(multi(writes))
            },
            zkc_result_t::with_outcomes,
        )
    }
}

/// Reads several znodes as they stand at one moment; each has a result of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_multi_read(
    client: *mut zkc_client_t,
    ops: *const zkc_op_t,
    count: usize,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    let mut reads = Vec::new();
    let reads: &mut Vec<Read<'_>> = &mut reads;
    // SAFETY: the header's promise; the list outlives the call, which writes its record at once.
    unsafe {
        make(
            client,
            call,
            out,
            |entry, _| {
                for op in list("ops", ops, count)? {
                    let path = text("op.path", op.path)?;
                    reads.push(match op.op {
                        ZKC_OP_GET => Read::Get(path),
                        ZKC_OP_CHILDREN => Read::Children(path),
                        other => {
                            let why = format!("{other} is none of a multi_read");
                            return Err(Error::argument("op.op", why));
                        }
                    });
                }
                check_reads(&entry.client, reads)?;
                Ok(multi_read(reads))
            },
            zkc_result_t::with_outcomes,
        )
    }
}
