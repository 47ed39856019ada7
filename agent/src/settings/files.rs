//! Files of settings as entries with their lines.

use std::fs;
use std::path::Path;

use crate::settings::given::{Origin, Refusal};
use crate::settings::properties::{Entry, parse_properties};

/// A file of settings above this size is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A refusal of a file as a whole.
fn refuse_file(path: &Path, what: &str, reason: String, remedy: &str) -> Refusal {
    let (given, remedy) = (what.to_owned(), remedy.to_owned());
    Refusal { origin: Origin::WholeFile(path.to_owned()), given, reason, remedy }
}

/// Cuts the bytes of a file into entries; `what` names it in a refusal.
pub fn parse(path: &Path, what: &str, bytes: &[u8]) -> Result<Vec<Entry>, Refusal> {
    let remedy = "write \\\\ for a backslash";
    parse_properties(bytes).map_err(|e| refuse_file(path, what, e.to_string(), remedy))
}

/// Reads a file; `what` names it in a refusal.
pub fn read_entries(path: &Path, what: &str) -> Result<Vec<Entry>, Refusal> {
    let refuse = |reason: String, remedy: &str| refuse_file(path, what, reason, remedy);
    let length = fs::metadata(path).map(|meta| meta.len());
    let length = length.map_err(|e| refuse(e.to_string(), "give a readable file"))?;
    if length > FILE_BYTES_MAX {
        return Err(refuse(format!("{length} bytes are too many"), "give a zoo.cfg"));
    }
    let bytes = fs::read(path).map_err(|e| refuse(e.to_string(), "give a readable file"))?;
    parse(path, what, &bytes)
}
