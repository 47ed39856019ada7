//! Answers as text, for people and for programs.

use zk_wire::Stat;

/// A JSON string. Bytes that are no UTF-8 become U+FFFD.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A JSON list of strings.
pub fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quote(item.as_bytes())).collect();
    format!("[{}]", items.join(","))
}

fn fields(stat: &Stat) -> [(&'static str, i64); 11] {
    [
        ("czxid", stat.czxid),
        ("mzxid", stat.mzxid),
        ("pzxid", stat.pzxid),
        ("ctime", stat.ctime_ms),
        ("mtime", stat.mtime_ms),
        ("version", stat.version.into()),
        ("cversion", stat.cversion.into()),
        ("aversion", stat.aversion.into()),
        ("ephemeralOwner", stat.ephemeral_owner),
        ("dataLength", stat.data_length.into()),
        ("numChildren", stat.num_children.into()),
    ]
}

/// The fields of a stat, one a line.
pub fn stat_plain(stat: &Stat) -> String {
    fields(stat).iter().map(|(name, value)| format!("{name} {value}\n")).collect()
}

/// A stat as a JSON object. Times are ms since 1970.
pub fn stat_json(stat: &Stat) -> String {
    let fields: Vec<String> =
        fields(stat).iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quote(b"a\"b\\c\n\x01"), r#""a\"b\\c\n\u0001""#);
        assert_eq!(list(&["a".to_owned(), "b".to_owned()]), r#"["a","b"]"#);
        assert!(stat_json(&Stat::default()).starts_with("{\"czxid\":0,"));
    }
}
