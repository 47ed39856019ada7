//! Targets of the shell: the stream of a client port, and the file of settings.

use zk_agent::net::client_port::{Framing, Item};
use zk_agent::settings::properties::parse_properties;
use zk_agent::settings::{Source, load};

use crate::scratch::Scratch;

/// A client port sees the same items however the stream is cut, and takes no more than there is.
pub fn client_stream(bytes: &[u8]) {
    let whole = items(bytes, bytes.len().max(1));
    assert_eq!(items(bytes, 7), whole);
}

/// What comes out when `step` bytes arrive at a time.
fn items(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
    const MAX: usize = 1 << 16;
    let mut framing = Framing::default();
    let (mut out, mut kept, mut given) = (Vec::new(), Vec::new(), 0);
    loop {
        let (item, taken) = framing.next(&kept, MAX);
        assert!(taken <= kept.len(), "more taken than there is");
        match item {
            Item::Frame(body) => out.push(body.to_vec()),
            Item::Oversized(head) => out.push(head[..8].to_vec()),
            // How much of the stream stands behind the word depends on the cut.
            Item::Word(word, _) => {
                out.push(word.text().as_bytes().to_vec());
                return out;
            }
            Item::Refused(bad) => {
                out.push(bad.length.to_be_bytes().to_vec());
                return out;
            }
            Item::Wait(missing) => {
                assert!(missing > 0);
                kept.drain(..taken);
                if given == bytes.len() {
                    return out;
                }
                let to = (given + step).min(bytes.len());
                kept.extend_from_slice(&bytes[given..to]);
                given = to;
                continue;
            }
        }
        kept.drain(..taken);
    }
}

/// A file of settings is read or refused, by line.
pub fn zoo_cfg(bytes: &[u8]) {
    let lines = bytes.split(|b| matches!(b, b'\n' | b'\r')).count();
    if let Ok(entries) = parse_properties(bytes) {
        assert!(entries.iter().all(|entry| (1..=lines).contains(&entry.line)));
    }
    let home = Scratch::new("cfg");
    let file = home.path().join("zoo.cfg");
    std::fs::write(&file, bytes).expect("a file");
    let source = Source { file: Some(file), ..Source::default() };
    if let Err(refusal) = load(&source) {
        assert!(!refusal.to_string().contains('\n'), "a refusal is one line");
    }
}
