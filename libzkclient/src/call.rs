//! An operation as a value, and how paths get and lose their chroot.

use std::borrow::Cow;

use zk_wire::Op;

use crate::error::Result;
use crate::session::WatchWish;

/// What writes a record: buffer, path as the server knows it, chroot.
pub trait Encode: FnOnce(&mut Vec<u8>, &str, &str) {}

impl<E: FnOnce(&mut Vec<u8>, &str, &str)> Encode for E {}

/// An operation with its arguments, for `Client::run` and `Client::start`. `E` writes the
/// record: it gets the path as the server knows it, and the chroot.
pub struct Call<'a, R, E> {
    pub(crate) op: Op,
    pub(crate) path: Option<&'a str>,
    /// Whether the server puts a number behind the path.
    pub(crate) sequential: bool,
    /// Whether the path stands outside any chroot.
    pub(crate) absolute: bool,
    pub(crate) encode: E,
    pub(crate) decode: fn(&[u8], &str) -> Result<R>,
    pub(crate) wish: Option<WatchWish>,
    /// Whether the request asks for a watch.
    pub(crate) watches: bool,
}

/// A path behind the chroot: what the server knows.
pub fn join<'a>(chroot: &str, path: &'a str) -> Cow<'a, str> {
    match (chroot, path) {
        ("", path) => Cow::Borrowed(path),
        (chroot, "/") => Cow::Owned(chroot.to_owned()),
        (chroot, path) => Cow::Owned(format!("{chroot}{path}")),
    }
}

/// A path without the chroot: what the user knows.
pub fn strip(chroot: &str, path: String) -> String {
    if chroot.is_empty() {
        return path;
    }
    match path.strip_prefix(chroot) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        // Outside the chroot, as the paths of /zookeeper/config are.
        _ => path,
    }
}
