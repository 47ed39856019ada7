//! The border between C's memory and ours: the only places where pointers of callers are followed.
//!
//! What goes out and is kept by the caller comes from libc's malloc, each string by itself, because
//! programs release it with `free`. Null pointers are answered, never followed.

use std::ffi::{CStr, c_char, c_int};

use zk_wire::{Reader, Writer, jute};

use super::abi::{Acl, AclVector, Id, Stat, StringVector};

/// A string of the caller; `None` for NULL. It must not outlive the call.
pub fn text<'a>(at: *const c_char) -> Option<&'a [u8]> {
    if at.is_null() {
        return None;
    }
    // SAFETY: not null, and the interface says that strings end with NUL and live during the call.
    Some(unsafe { CStr::from_ptr(at) }.to_bytes())
}

/// Bytes of the caller; `None` for NULL or a negative length, which both mean no data.
pub fn bytes<'a>(at: *const c_char, length: c_int) -> Option<&'a [u8]> {
    if at.is_null() || length < 0 {
        return None;
    }
    // SAFETY: not null, and the interface says that so many bytes live there during the call.
    Some(unsafe { std::slice::from_raw_parts(at.cast::<u8>(), length as usize) })
}

/// An array of the caller; `None` for NULL or a negative count, empty for a count of 0.
pub fn array<'a, T>(at: *const T, count: c_int) -> Option<&'a [T]> {
    match count {
        0 => Some(&[]),
        count if at.is_null() || count < 0 => None,
        // SAFETY: not null, and the interface says that so many elements live during the call.
        count => Some(unsafe { std::slice::from_raw_parts(at, count as usize) }),
    }
}

/// What a pointer of the caller points to; `None` for NULL.
pub fn get<T: Copy>(at: *const T) -> Option<T> {
    // SAFETY: not null, and the interface says that a T lives there.
    (!at.is_null()).then(|| unsafe { at.read() })
}

/// Writes where the caller wants it; NULL wants nothing.
pub fn put<T>(at: *mut T, value: T) {
    if !at.is_null() {
        // SAFETY: not null, and the interface says that there is room for a T.
        unsafe { at.write(value) };
    }
}

/// Copies as many bytes as fit to the caller. Returns how many.
pub fn put_bytes(to: *mut c_char, size: c_int, from: &[u8]) -> usize {
    if to.is_null() || size <= 0 {
        return 0;
    }
    let count = from.len().min(size as usize);
    // SAFETY: not null, and the interface says that there is room for `size` bytes, of which no
    // more are written; `from` is ours and does not overlap it.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.cast::<u8>(), count) };
    count
}

/// Copies a string to the caller: cut to `size` - 1 bytes, with its NUL.
pub fn put_text(to: *mut c_char, size: c_int, from: &[u8]) {
    if size > 0 {
        let count = put_bytes(to, size - 1, from);
        put_bytes(to.wrapping_add(count), 1, &[0]);
    }
}

/// Releases what this module allocated.
fn free<T>(at: *mut T) {
    // SAFETY: only called with pointers from malloc and calloc below, or NULL.
    unsafe { libc::free(at.cast()) };
}

/// A copy in libc's memory, with a NUL; NULL when there is no memory.
pub fn string(from: &[u8]) -> *mut c_char {
    // SAFETY: malloc may be called with any size.
    let to = unsafe { libc::malloc(from.len() + 1) }.cast::<c_char>();
    put_text(to, from.len().saturating_add(1).try_into().unwrap_or(0), from);
    to
}

/// Zeroed elements in libc's memory; never NULL for a count of 0 while there is memory.
fn zeroed<T>(count: usize) -> *mut T {
    // SAFETY: calloc may be called with any sizes; it checks their product.
    unsafe { libc::calloc(count, size_of::<T>()) }.cast()
}

/// The vector of strings that stands next in a reply, in libc's memory. `None` when it does not
/// decode or there is no memory.
pub fn string_vector(reader: &mut Reader<'_>) -> Option<StringVector> {
    let count = reader.count("strings").ok()?.unwrap_or(0);
    if count > reader.rest().len() / 4 {
        return None;
    }
    let data = zeroed::<*mut c_char>(count);
    let mut vector = StringVector { count: 0, data };
    for at in 0..count {
        let item = reader.buffer("string").ok().map(|text| string(text.unwrap_or(b"")));
        match item {
            Some(item) if !data.is_null() => put(data.wrapping_add(at), item),
            _ => {
                free_strings(&mut vector);
                return None;
            }
        }
        vector.count += 1;
    }
    Some(vector)
}

/// Releases a vector of [`string_vector`].
pub fn free_strings(vector: &mut StringVector) {
    for item in array(vector.data.cast_const(), vector.count).unwrap_or(&[]) {
        free(*item);
    }
    free(vector.data);
    vector.data = std::ptr::null_mut();
}

/// The ACL that stands next in a reply, in libc's memory.
pub fn acl_vector(reader: &mut Reader<'_>) -> Option<AclVector> {
    let count = reader.count("acl").ok()?.unwrap_or(0);
    if count > reader.rest().len() / 12 {
        return None;
    }
    let data = zeroed::<Acl>(count);
    let mut vector = AclVector { count: 0, data };
    for at in 0..count {
        match acl(reader) {
            Ok(entry) if !data.is_null() => put(data.wrapping_add(at), entry),
            _ => {
                free_acl(&mut vector);
                return None;
            }
        }
        vector.count += 1;
    }
    Some(vector)
}

fn acl(reader: &mut Reader<'_>) -> jute::Result<Acl> {
    let perms = reader.int("perms")?;
    let scheme = reader.buffer("scheme")?.unwrap_or(b"");
    let id = reader.buffer("id")?.unwrap_or(b"");
    Ok(Acl { perms, id: Id { scheme: string(scheme), id: string(id) } })
}

/// Releases a vector of [`acl_vector`].
pub fn free_acl(vector: &mut AclVector) {
    for entry in array(vector.data.cast_const(), vector.count).unwrap_or(&[]) {
        free(entry.id.scheme);
        free(entry.id.id);
    }
    free(vector.data);
    vector.data = std::ptr::null_mut();
}

/// Writes the caller's ACL as the protocol has it; NULL is an empty one, which servers refuse.
pub fn encode_acl(acl: *const AclVector, out: &mut Vec<u8>) {
    // SAFETY: not null when followed, and the interface says that an ACL lives there.
    let vector = unsafe { acl.as_ref() };
    let entries = vector.and_then(|v| array(v.data.cast_const(), v.count)).unwrap_or(&[]);
    out.put_int(entries.len() as i32);
    for entry in entries {
        out.put_int(entry.perms);
        out.put_buffer(text(entry.id.scheme));
        out.put_buffer(text(entry.id.id));
    }
}

/// The stat that stands next in a reply.
pub fn stat(reader: &mut Reader<'_>) -> Option<Stat> {
    zk_wire::Stat::decode(reader).ok().map(Stat::from)
}

/// Sets errno of this thread.
pub fn set_errno(code: c_int) {
    // SAFETY: glibc gives each thread its errno.
    unsafe { *libc::__errno_location() = code };
}
