//! The syntax of `zoo.cfg`: a Java properties file in ISO-8859-1, with the line of each key.
//!
//! Pure. Says what stands in the file, not what it means.

pub use zk_wire::properties::{BadEscape, Entry};

/// Reads a whole properties file. Keys and values are trimmed as Java's `trim` does it: everything
/// up to the blank goes, at both ends.
pub fn parse_properties(bytes: &[u8]) -> Result<Vec<Entry>, BadEscape> {
    let text: String = bytes.iter().copied().map(char::from).collect();
    let mut entries = zk_wire::properties::parse(&text)?;
    for Entry { key, value, .. } in &mut entries {
        *key = key.trim_matches(|c| c <= ' ').to_owned();
        *value = value.trim_matches(|c| c <= ' ').to_owned();
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_latin_1_and_ends_are_trimmed() {
        let entry = Entry { key: "a".into(), value: "\u{fc}".into(), line: 1 };
        assert_eq!(parse_properties(b"a\\ = \xfc \t"), Ok(vec![entry]));
    }
}
