//! Manual pages: the tables of `docs/SETTINGS.md` in the language of man, and what each page is told
//! when it is packaged.

use std::fmt::Write as _;

/// A page with its version, its day, and the keys of the settings in their places.
pub fn filled(page: &str, settings: &str, date: &str) -> Result<String, String> {
    let mut page = page.replace("@VERSION@", env!("CARGO_PKG_VERSION")).replace("@DATE@", date);
    if page.contains("@KEYS@") {
        let rows = rows(settings)?;
        let named = |kind: &str| -> Vec<String> {
            let rows = rows.iter().filter(|row| row.here.starts_with(kind));
            rows.map(|row| escaped(row.key)).collect()
        };
        page = page.replace("@VAIN@", &named("no effect").join(",\n"));
        page = page.replace("@LATER@", &named("later").join(",\n"));
        page = page.replace("@KEYS@", honoured(&rows).trim_end());
    }
    Ok(page)
}

struct Row<'a> {
    key: &'a str,
    default: &'a str,
    does: &'a str,
    here: &'a str,
}

/// The rows of the table of keys: those with four columns.
fn rows(settings: &str) -> Result<Vec<Row<'_>>, String> {
    let mut rows = Vec::new();
    for line in settings.lines() {
        let Some(line) = line.strip_prefix("| `").and_then(|line| line.strip_suffix(" |")) else {
            continue;
        };
        let columns: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let (key, default, does, here) = match columns[..] {
            [key, default, does, here] => (key, default, does, here),
            // Two empty columns share their separator.
            [key, "|", here] => (key, "", "", here),
            _ => continue,
        };
        rows.push(Row { key: key.trim_end_matches('`'), default, does, here });
    }
    let count = |kind: &str| rows.iter().filter(|row| row.here.starts_with(kind)).count();
    for kind in ["honoured", "no effect", "later"] {
        if count(kind) < 10 {
            return Err(format!("docs/SETTINGS.md has {} keys that are {kind:?}", count(kind)));
        }
    }
    Ok(rows)
}

fn honoured(rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows.iter().filter(|row| row.here.starts_with("honoured")) {
        let _ = write!(text, ".TP\n.B {}\n{}", escaped(row.key), escaped(row.does));
        if !row.default.is_empty() {
            let _ = write!(text, " (default: {})", escaped(row.default));
        }
        text.push_str(".\n");
    }
    text
}

/// A cell of a table as man wants it: no Markdown, and nothing that is taken for a command.
fn escaped(cell: &str) -> String {
    let mut text = String::new();
    let mut rest = cell;
    // A link keeps its words.
    while let Some((before, after)) = rest.split_once('[') {
        let words = after
            .split_once("](")
            .and_then(|(words, after)| after.split_once(')').map(|(_, after)| (words, after)));
        let Some((words, after)) = words else { break };
        text.push_str(before);
        text.push_str(words);
        rest = after;
    }
    text.push_str(rest);
    let text = text.replace('`', "").replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_lose_their_markdown() {
        assert_eq!(escaped("as `-1` in [ZAB](ZAB.md), 5"), "as \\-1 in ZAB, 5");
        assert_eq!(escaped(".x"), "\\&.x");
        assert_eq!(escaped("a [b"), "a [b");
    }

    #[test]
    fn keys_stand_where_they_belong() {
        let mut table = String::new();
        for i in 0..10 {
            let _ = writeln!(table, "| `h{i}` | {i} | does {i} | honoured |");
            let _ = writeln!(table, "| `v{i}` | | | no effect: {i} |");
            let _ = writeln!(table, "| `l{i}` |  |  | later: {i} |");
        }
        let page = filled("@DATE@ @KEYS@ @VAIN@ @LATER@", &table, "2026").unwrap();
        assert!(page.contains(".TP\n.B h3\ndoes 3 (default: 3).\n"), "{page}");
        assert!(page.contains("v0,\nv1,") && page.contains("l8,\nl9"), "{page}");
        assert!(filled("@KEYS@", "| `a` | b | c | honoured |", "").is_err());
    }
}
