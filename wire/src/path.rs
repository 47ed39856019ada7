//! The rules of paths (`PathUtils.validatePath`), and how a path is taken apart.

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// No characters at all.
    Empty,
    /// The first character is not `/`.
    Relative,
    /// The last character is `/`, and it is not the root.
    TrailingSlash,
    /// `//`.
    EmptyComponent,
    /// A component is `.` or `..`.
    RelativeComponent,
    /// A character that no path may hold.
    Character(char),
}

impl std::fmt::Display for PathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PathError::Empty => write!(f, "the path is empty"),
            PathError::Relative => write!(f, "the path does not start with /"),
            PathError::TrailingSlash => write!(f, "the path ends with /"),
            PathError::EmptyComponent => write!(f, "the path has an empty component"),
            PathError::RelativeComponent => write!(f, "the path has a component . or .."),
            PathError::Character(c) => write!(f, "the path holds U+{:04X}", u32::from(*c)),
        }
    }
}

impl std::error::Error for PathError {}

/// Characters that no path may hold. Whatever needs a surrogate pair in UTF-16 is among them.
fn forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}'
        | '\u{fff0}'..='\u{ffff}' | '\u{10000}'..)
}

/// The full check: what may be created, set or checked.
pub fn check(path: &str) -> Result<(), PathError> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(if path.is_empty() { PathError::Empty } else { PathError::Relative });
    };
    if rest.is_empty() {
        return Ok(());
    }
    if rest.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    for component in rest.split('/') {
        match component {
            "" => return Err(PathError::EmptyComponent),
            "." | ".." => return Err(PathError::RelativeComponent),
            _ => {}
        }
    }
    // Plain ASCII is nearly every path: one pass over bytes decides it.
    if rest.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Ok(());
    }
    match rest.chars().find(|c| forbidden(*c)) {
        Some(c) => Err(PathError::Character(c)),
        None => Ok(()),
    }
}

/// The parent of a path as ZooKeeper's tree names it: the parent of `/a` is the empty string.
/// `None` when there is no `/` at all.
#[inline]
pub fn parent(path: &str) -> Option<&str> {
    path.rfind('/').map(|at| &path[..at])
}

/// What stands behind the last `/`.
#[inline]
pub fn name(path: &str) -> &str {
    &path[path.rfind('/').map_or(0, |at| at + 1)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_may_be() {
        for good in ["/", "/a", "/a/b", "/...", "/.a", "/a.", "/a..b", "/ ", "/\u{200b}", "/ä"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        assert_eq!(check(""), Err(PathError::Empty));
        assert_eq!(check("a"), Err(PathError::Relative));
        assert_eq!(check("/a/"), Err(PathError::TrailingSlash));
        assert_eq!(check("//"), Err(PathError::TrailingSlash));
        assert_eq!(check("//a"), Err(PathError::EmptyComponent));
        assert_eq!(check("/a/../b"), Err(PathError::RelativeComponent));
        assert_eq!(check("/."), Err(PathError::RelativeComponent));
        for bad in ['\0', '\u{1}', '\u{1f}', '\u{7f}', '\u{9f}', '\u{e000}', '\u{f8ff}'] {
            assert_eq!(check(&format!("/a{bad}")), Err(PathError::Character(bad)));
        }
        for bad in ['\u{fff0}', '\u{fffd}', '\u{ffff}', '\u{1f600}'] {
            assert_eq!(check(&format!("/{bad}b")), Err(PathError::Character(bad)));
        }
        assert_eq!(check("/\u{f900}"), Ok(()));
        assert_eq!(check("/\u{ffef}"), Ok(()));
    }

    #[test]
    fn a_path_comes_apart() {
        assert_eq!(parent("/a"), Some(""));
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!(parent("a"), None);
        assert_eq!(name("/a/b"), "b");
        assert_eq!(name("/"), "");
    }
}
