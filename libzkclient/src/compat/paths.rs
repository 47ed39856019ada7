//! Paths and connection strings by the rules of Apache's C client, as bytes.
//!
//! They differ from those of the protocol: the client lets pass what its server refuses.

use super::abi::rc;

/// A path as the server knows it: behind the chroot, and checked. `sequential` lets it end with `/`.
pub fn full(chroot: &[u8], path: Option<&[u8]>, sequential: bool) -> Result<Vec<u8>, i32> {
    let path = path.ok_or(rc::BAD_ARGUMENTS)?;
    let mut full = Vec::with_capacity(chroot.len() + path.len() + 1);
    full.extend_from_slice(chroot);
    match (chroot.is_empty(), path) {
        (false, b"/" | b"") => {}
        (_, [b'/', ..]) => full.extend_from_slice(path),
        _ => return Err(rc::BAD_ARGUMENTS),
    }
    let valid = if sequential {
        full.push(b'1');
        let valid = is_valid(&full);
        full.pop();
        valid
    } else {
        is_valid(&full)
    };
    if valid { Ok(full) } else { Err(rc::BAD_ARGUMENTS) }
}

/// Whether the C client takes a path.
pub fn is_valid(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(b"/") else { return false };
    let named = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    let clean = |byte: &u8| !(0x01..=0x1e).contains(byte);
    rest.is_empty() || (rest.split(|byte| *byte == b'/').all(named) && rest.iter().all(clean))
}

/// A path of the server as the program knows it: without the chroot.
pub fn strip<'a>(chroot: &[u8], path: &'a [u8]) -> &'a [u8] {
    match path.strip_prefix(chroot) {
        _ if chroot.is_empty() => path,
        Some(b"") => b"/",
        Some(rest) if rest[0] == b'/' => rest,
        _ => path,
    }
}

/// A connection string, taken apart: name and port of each server, and the chroot.
pub type Servers = (Vec<(String, u16)>, Vec<u8>);

/// Takes `host:port[,host:port...][/chroot]` apart. The port stands behind the last colon and must
/// be there; empty elements do not count.
pub fn servers(text: &[u8]) -> Option<Servers> {
    if text.is_empty() {
        return None;
    }
    let slash = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
    let (list, chroot) = text.split_at(slash);
    let chroot = if chroot == b"/" { b"" } else { chroot };
    if !chroot.is_empty() && !is_valid(chroot) {
        return None;
    }
    let mut found = Vec::new();
    for element in list.split(|byte| *byte == b',') {
        let element = std::str::from_utf8(element).ok()?.trim_start();
        if element.is_empty() {
            continue;
        }
        let (host, port) = element.rsplit_once(':')?;
        if host.is_empty() || host.ends_with(char::is_whitespace) {
            return None;
        }
        found.push((host.to_owned(), port_of(port)?));
    }
    Some((found, chroot.to_owned()))
}

/// A port: decimal, or octal when it begins with 0, as strtol reads it with base 0.
fn port_of(text: &str) -> Option<u16> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let port = match text.strip_prefix('0') {
        Some(octal) => u16::from_str_radix(octal, 8).ok()?,
        None => text.parse().ok()?,
    };
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_are_taken_apart_as_by_apache() {
        let hosts = |text: &str| servers(text.as_bytes()).map(|(hosts, _)| hosts);
        let one = |host: &str, port| (host.to_owned(), port);
        assert_eq!(hosts("a:1,b:2"), Some(vec![one("a", 1), one("b", 2)]));
        assert_eq!(hosts(" a:1,, b:2,"), Some(vec![one("a", 1), one("b", 2)]));
        assert_eq!(hosts("::1:2181"), Some(vec![one("::1", 2181)]));
        assert_eq!(hosts("/x"), Some(vec![]));
        for bad in ["", "a", "a:", "a:0", "a:x", "a:1x", "a :1", "a:1 ", "a:1/a/", "a:1//a"] {
            assert_eq!(hosts(bad), None, "{bad:?}");
        }
        assert_eq!(servers(b"a:1/x/y").unwrap().1, b"/x/y");
        assert_eq!(servers(b"a:1/").unwrap().1, b"");
        assert_eq!(servers(b"a:1/a/../b"), None);
    }

    #[test]
    fn paths_are_checked_as_by_apache() {
        for good in ["/", "/a", "/a/.b", "/a/..b", "/a/b.", "/\x1f", "/\u{7f}", "/ä"] {
            assert!(is_valid(good.as_bytes()), "{good:?}");
        }
        for bad in ["", "a", "//", "/a/", "/a//b", "/.", "/a/../b", "/\x01", "/a\x1e"] {
            assert!(!is_valid(bad.as_bytes()), "{bad:?}");
        }
        assert_eq!(full(b"", Some(b"/a/"), true), Ok(b"/a/".to_vec()));
        assert_eq!(full(b"", Some(b"/a/"), false), Err(rc::BAD_ARGUMENTS));
        assert_eq!(full(b"", None, false), Err(rc::BAD_ARGUMENTS));
    }

    #[test]
    fn a_chroot_goes_in_front_and_comes_off() {
        assert_eq!(full(b"/c", Some(b"/"), false), Ok(b"/c".to_vec()));
        assert_eq!(full(b"/c", Some(b"/a"), false), Ok(b"/c/a".to_vec()));
        assert_eq!(full(b"/c", Some(b"a"), false), Err(rc::BAD_ARGUMENTS));
        assert_eq!(strip(b"/c", b"/c"), b"/");
        assert_eq!(strip(b"/c", b"/c/a"), b"/a");
        assert_eq!(strip(b"/c", b"/cd"), b"/cd");
        assert_eq!(strip(b"", b"/a"), b"/a");
    }
}
