//! `docs/COMPATIBILITY.md` says what is there: every row of the checklist names tests that exist, and
//! the table of differences is the one that is tested.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zk_tests::diff::known;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/COMPATIBILITY.md")).expect("the page")
}

/// The tests of the checklist and those beside them, as `module::name`.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let list = |dir: &str| std::fs::read_dir(root().join(dir)).expect("the checklist");
    let dirs = ["tests/tests/server", "tests/tests", "tests/tests/schedules", "agent/tests"];
    for entry in dirs.into_iter().flat_map(list) {
        let path = entry.expect("an entry").path();
        if !path.is_file() {
            continue;
        }
        let module = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a file");
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if line == "#[test]"
                && let Some(name) = lines.peek().and_then(|line| line.strip_prefix("fn "))
            {
                found.insert(format!("{module}::{}", name.trim_end_matches("() {")));
            }
        }
    }
    assert!(found.len() > 100, "the tests of the checklist were not found");
    found
}

/// The rows of the checklist: number and what shows it.
fn rows(page: &str) -> Vec<(String, String)> {
    page.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split(" | ").map(|c| c.trim_matches(['|', ' '])).collect();
            let [number, _, shown] = cells[..] else { return None };
            let (group, count) = number.split_at_checked(1)?;
            let known = "ABCDEFGHIJKLO".contains(group) && count.parse::<u32>().is_ok();
            known.then(|| (number.to_owned(), shown.to_owned()))
        })
        .collect()
}

#[test]
fn every_row_is_shown_or_comes_later() {
    let (page, tests) = (page(), tests());
    let rows = rows(&page);
    // Groups A to L and O of the checklist have so many rows.
    assert_eq!(rows.len(), 229);
    for (number, shown) in &rows {
        if let Some(why) = shown.strip_prefix("later: ") {
            let allowed = ["ensemble", "TLS", "SASL", "admin server", "metrics"];
            assert!(allowed.contains(&why), "{number}: {why} is no reason to come later");
            continue;
        }
        if shown.starts_with("difference: ") {
            continue;
        }
        for name in shown.split(", ") {
            let name = name.trim_matches('`');
            let exists = tests.contains(name) || root().join("tests/clients").join(name).is_file();
            assert!(exists, "{number}: there is no test {name:?}");
        }
    }
}

#[test]
fn the_differences_are_those_that_are_tested() {
    let page = page();
    for known in known::TABLE {
        let row = format!("| {} | ", known.name);
        assert!(page.contains(&row), "{} is not in docs/COMPATIBILITY.md", known.name);
    }
}

#[test]
fn tests_named_anywhere_on_the_page_exist() {
    let (page, tests) = (page(), tests());
    for name in page.split('`').skip(1).step_by(2).filter(|text| text.contains("::")) {
        assert!(tests.contains(name), "there is no test {name}");
    }
}
