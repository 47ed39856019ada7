//! Results: what a call has brought, behind accessors.

use std::ffi::{CString, c_char, c_void};

use zk_wire::{Acl, Stat};

use super::codes::{ZKC_OK, zkc_strerror};
use super::types::zkc_stat_t;
use crate::calls::Data;
use crate::error::{Error, Result};
use crate::multi::Outcome;

/// What a call has brought. From a blocking call it is the caller's, to be freed with
/// `zkc_result_free`; in a completion it is borrowed and ends with it. Everything that an accessor
/// returns lives as long as the result. Accessors take NULL, and then say nothing.
#[derive(Default)]
pub struct zkc_result_t {
    code: i32,
    message: Option<CString>,
    maybe_executed: bool,
    path: Option<CString>,
    data: Option<Vec<u8>>,
    stat: Option<zkc_stat_t>,
    strings: Vec<CString>,
    acl: Vec<(i32, CString, CString)>,
    number: i64,
    items: Vec<zkc_result_t>,
}

/// A C string; a NUL inside, which no server accepts in a path, ends it.
fn c_string(text: impl Into<Vec<u8>>) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let end = error.nul_position();
        let mut bytes = error.into_vec();
        bytes.truncate(end);
        CString::new(bytes).expect("it ends before the first NUL")
    })
}

impl zkc_result_t {
    pub(super) fn of<R>(result: Result<R>, fill: fn(R) -> zkc_result_t) -> zkc_result_t {
        match result {
            Ok(value) => fill(value),
            Err(error) => zkc_result_t::failed(&error),
        }
    }

    pub(super) fn failed(error: &Error) -> zkc_result_t {
        zkc_result_t {
            code: error.code().0,
            message: Some(c_string(error.to_string())),
            maybe_executed: error.maybe_executed(),
            ..zkc_result_t::default()
        }
    }

    pub(super) fn nothing(_: ()) -> zkc_result_t {
        zkc_result_t::default()
    }

    pub(super) fn with_stat(stat: Stat) -> zkc_result_t {
        zkc_result_t { stat: Some(stat.into()), ..zkc_result_t::default() }
    }

    pub(super) fn with_path((path, stat): (String, Stat)) -> zkc_result_t {
        zkc_result_t { path: Some(c_string(path)), ..zkc_result_t::with_stat(stat) }
    }

    pub(super) fn with_data((data, stat): Data) -> zkc_result_t {
        zkc_result_t { data, ..zkc_result_t::with_stat(stat) }
    }

    pub(super) fn with_bytes(data: Vec<u8>) -> zkc_result_t {
        zkc_result_t { data: Some(data), ..zkc_result_t::default() }
    }

    pub(super) fn and_number(self, number: i64) -> zkc_result_t {
        zkc_result_t { number, ..self }
    }

    pub(super) fn and_strings(self, list: Vec<String>) -> zkc_result_t {
        zkc_result_t { strings: list.into_iter().map(c_string).collect(), ..self }
    }

    pub(super) fn with_number(number: i64) -> zkc_result_t {
        zkc_result_t { number, ..zkc_result_t::default() }
    }

    pub(super) fn with_strings(list: Vec<String>) -> zkc_result_t {
        let strings = list.into_iter().map(c_string).collect();
        zkc_result_t { strings, ..zkc_result_t::default() }
    }

    pub(super) fn with_children((list, stat): (Vec<String>, Stat)) -> zkc_result_t {
        let strings = zkc_result_t::with_strings(list).strings;
        zkc_result_t { strings, ..zkc_result_t::with_stat(stat) }
    }

    pub(super) fn with_acl((acl, stat): (Vec<Acl>, Stat)) -> zkc_result_t {
        let entry = |acl: Acl| (acl.perms, c_string(acl.id.scheme()), c_string(acl.id.id()));
        let acl = acl.into_iter().map(entry).collect();
        zkc_result_t { acl, ..zkc_result_t::with_stat(stat) }
    }

    pub(super) fn with_ids(list: Vec<(String, String)>) -> zkc_result_t {
        let acl = list.into_iter().map(|(scheme, id)| (0, c_string(scheme), c_string(id)));
        zkc_result_t { acl: acl.collect(), ..zkc_result_t::default() }
    }

    /// Several in one: the code is that of the first that failed.
    pub(super) fn with_outcomes(list: Vec<Outcome>) -> zkc_result_t {
        let items: Vec<_> = list.into_iter().map(zkc_result_t::with_outcome).collect();
        let failed = items.iter().find(|item| {
            item.code != ZKC_OK && item.code != super::codes::ZKC_RUNTIME_INCONSISTENCY
        });
        zkc_result_t { code: failed.map_or(ZKC_OK, |item| item.code), items, ..Default::default() }
    }

    fn with_outcome(outcome: Outcome) -> zkc_result_t {
        match outcome {
            Outcome::Created(path, Some(stat)) => zkc_result_t::with_path((path, stat)),
            Outcome::Created(path, None) => {
                zkc_result_t { path: Some(c_string(path)), ..zkc_result_t::default() }
            }
            Outcome::Deleted | Outcome::Checked => zkc_result_t::default(),
            Outcome::Set(stat) => zkc_result_t::with_stat(stat),
            Outcome::Data(data, stat) => zkc_result_t::with_data((data, stat)),
            Outcome::Children(names) => zkc_result_t::with_strings(names),
            Outcome::Failed(code) => zkc_result_t { code: code.0, ..zkc_result_t::default() },
        }
    }

    /// Hands the result out, where the caller wants it, and returns its code.
    ///
    /// # Safety
    /// `out` is NULL or can be written.
    pub(super) unsafe fn hand_out(self, out: *mut *mut zkc_result_t) -> i32 {
        let code = self.code;
        if !out.is_null() {
            // SAFETY: not NULL, and as promised by the caller.
            unsafe { out.write(Box::into_raw(Box::new(self))) };
        }
        code
    }
}

/// Looks at a result.
///
/// # Safety
/// `result` is NULL or one of this library's that was not freed.
unsafe fn look<'a>(result: *const zkc_result_t) -> Option<&'a zkc_result_t> {
    // SAFETY: as promised by the caller.
    unsafe { result.as_ref() }
}

/// Frees a result of a blocking call. NULL is nothing to free. Not for results in a completion.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_free(result: *mut zkc_result_t) {
    if !result.is_null() {
        // SAFETY: the caller's own, made by `hand_out`, and freed once.
        drop(unsafe { Box::from_raw(result) });
    }
}

/// The code: `ZKC_OK`, or why the call failed. `ZKC_BAD_ARGUMENTS` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_code(result: *const zkc_result_t) -> i32 {
    // SAFETY: the header's promise.
    unsafe { look(result) }.map_or(super::codes::ZKC_BAD_ARGUMENTS, |result| result.code)
}

/// Words for what happened, with the values that matter; never NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_message(result: *const zkc_result_t) -> *const c_char {
    // SAFETY: the header's promise.
    match unsafe { look(result) } {
        Some(result) => match &result.message {
            Some(message) => message.as_ptr(),
            None => zkc_strerror(result.code),
        },
        None => c"no result".as_ptr(),
    }
}

/// Whether a call that failed may have been executed all the same: 1 or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_maybe_executed(result: *const zkc_result_t) -> i32 {
    // SAFETY: the header's promise.
    unsafe { look(result) }.map_or(0, |result| i32::from(result.maybe_executed))
}

/// The path that was created; NULL when nothing was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_path(result: *const zkc_result_t) -> *const c_char {
    // SAFETY: the header's promise.
    let path = unsafe { look(result) }.and_then(|result| result.path.as_ref());
    path.map_or(std::ptr::null(), |path| path.as_ptr())
}

/// The data, and into `length` (which may be NULL) how many bytes; no NUL stands behind them. NULL
/// when there is none: null data or another call; empty data are not NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_data(
    result: *const zkc_result_t,
    length: *mut usize,
) -> *const c_void {
    // SAFETY: the header's promise.
    let data = unsafe { look(result) }.and_then(|result| result.data.as_ref());
    if !length.is_null() {
        // SAFETY: not NULL, and the header's promise.
        unsafe { length.write(data.map_or(0, Vec::len)) };
    }
    data.map_or(std::ptr::null(), |data| data.as_ptr().cast())
}

/// The stat; NULL when the call brings none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_stat(result: *const zkc_result_t) -> *const zkc_stat_t {
    // SAFETY: the header's promise.
    let stat = unsafe { look(result) }.and_then(|result| result.stat.as_ref());
    stat.map_or(std::ptr::null(), std::ptr::from_ref)
}

/// How many strings, entries of an ACL, identities or results of a multi there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_count(result: *const zkc_result_t) -> usize {
    // SAFETY: the header's promise.
    unsafe { look(result) }
        .map_or(0, |result| result.strings.len().max(result.acl.len()).max(result.items.len()))
}

/// A string of a list: children, ephemerals. NULL behind the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_string(
    result: *const zkc_result_t,
    index: usize,
) -> *const c_char {
    // SAFETY: the header's promise.
    let text = unsafe { look(result) }.and_then(|result| result.strings.get(index));
    text.map_or(std::ptr::null(), |text| text.as_ptr())
}

/// An entry of an ACL, or an identity (whose perms are 0). `ZKC_BAD_ARGUMENTS` behind the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_acl(
    result: *const zkc_result_t,
    index: usize,
    out: *mut super::types::zkc_acl_t,
) -> i32 {
    // SAFETY: the header's promise.
    let entry = unsafe { look(result) }.and_then(|result| result.acl.get(index));
    match entry {
        Some((perms, scheme, id)) if !out.is_null() => {
            let entry =
                super::types::zkc_acl_t { perms: *perms, scheme: scheme.as_ptr(), id: id.as_ptr() };
            // SAFETY: not NULL, and the header's promise.
            unsafe { out.write(entry) };
            ZKC_OK
        }
        _ => super::codes::ZKC_BAD_ARGUMENTS,
    }
}

/// The number: of all children, the fencing token of a claim or lock, the value of a counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_number(result: *const zkc_result_t) -> i64 {
    // SAFETY: the header's promise.
    unsafe { look(result) }.map_or(0, |result| result.number)
}

/// The result of one operation of a multi, borrowed from the whole. NULL behind the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_result_item(
    result: *const zkc_result_t,
    index: usize,
) -> *const zkc_result_t {
    // SAFETY: the header's promise.
    let item = unsafe { look(result) }.and_then(|result| result.items.get(index));
    item.map_or(std::ptr::null(), std::ptr::from_ref)
}
