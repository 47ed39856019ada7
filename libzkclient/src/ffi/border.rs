//! What every function of the C API does first: catch panics, look at pointers.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::codes::ZKC_SYSTEM_ERROR;
use crate::error::{Error, Result};

/// Runs the inside of a function. A panic is a bug of ours: it is told in the log and to the
/// caller, and the program goes on.
pub(super) fn border(inside: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(inside)).unwrap_or_else(|_| {
        log::error!("c api: a call has panicked; this is a bug of the library");
        ZKC_SYSTEM_ERROR
    })
}

/// A C string that must be there and be UTF-8.
///
/// # Safety
/// `text` is NULL or ends with a NUL and lives for `'a`.
pub(super) unsafe fn text<'a>(name: &'static str, text: *const c_char) -> Result<&'a str> {
    // SAFETY: as promised above.
    match unsafe { text_or_none(name, text) }? {
        Some(text) => Ok(text),
        None => Err(Error::argument(name, "NULL")),
    }
}

/// A C string that may be NULL.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn text_or_none<'a>(
    name: &'static str,
    text: *const c_char,
) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and as promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| Error::argument(name, "not UTF-8"))
}

/// Bytes; NULL is null data, and then the length must be 0.
///
/// # Safety
/// `data` is NULL or points to `length` bytes that live for `'a`.
pub(super) unsafe fn bytes<'a>(
    name: &'static str,
    data: *const c_void,
    length: usize,
) -> Result<Option<&'a [u8]>> {
    if data.is_null() {
        return match length {
            0 => Ok(None),
            length => Err(Error::argument(name, format!("NULL with a length of {length}"))),
        };
    }
    if length > i32::MAX as usize {
        return Err(Error::argument(name, format!("{length} bytes; the protocol ends at 2 GiB")));
    }
    // SAFETY: not NULL, of a length that a slice may have, and as promised by the caller.
    Ok(Some(unsafe { std::slice::from_raw_parts(data.cast(), length) }))
}

/// An array of `count` things; NULL only when there is none.
///
/// # Safety
/// `list` is NULL or points to `count` initialised things that live for `'a`.
pub(super) unsafe fn list<'a, T>(
    name: &'static str,
    list: *const T,
    count: usize,
) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if list.is_null() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::argument(name, format!("NULL or too long, with a count of {count}")));
    }
    // SAFETY: not NULL, of a length that a slice may have, and as promised by the caller.
    Ok(unsafe { std::slice::from_raw_parts(list, count) })
}

/// A struct that begins with its own size, as older callers filled it: what they did not know is
/// as in `default`.
///
/// # Safety
/// `given` is NULL or points to as many bytes as its first member says.
pub(super) unsafe fn sized<T: Copy>(name: &'static str, given: *const T, default: T) -> Result<T> {
    if given.is_null() {
        return Ok(default);
    }
    // SAFETY: every such struct begins with its size, which the caller has filled in.
    let size = unsafe { given.cast::<usize>().read() };
    if size < size_of::<usize>() || size > 4096 {
        let why = format!("a size of {size}; fill it with the init function");
        return Err(Error::argument(name, why));
    }
    let mut value = default;
    let known = size.min(size_of::<T>());
    // SAFETY: both are at least `known` bytes, and `T` is plain C data.
    unsafe {
        let to = (&raw mut value).cast::<u8>();
        std::ptr::copy_nonoverlapping(given.cast::<u8>(), to, known);
    }
    Ok(value)
}

/// Data of the caller's that is handed back in callbacks, and dropped once by the caller's own
/// function when no callback can need it any more.
pub(super) struct UserData {
    data: *mut c_void,
    drop: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the header says that callbacks and the drop function run on another thread, and that the
// data must bear that.
unsafe impl Send for UserData {}
// SAFETY: as above; callbacks of one handle run one at a time.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn new(
        data: *mut c_void,
        drop: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> UserData {
        UserData { data, drop }
    }

    pub(super) fn get(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: the caller's function for exactly this pointer, called once.
            unsafe { drop(self.data) };
        }
    }
}
