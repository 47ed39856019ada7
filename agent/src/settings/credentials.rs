//! Secrets that the service manager hands over as files: they win over what the settings say.

use std::fs;
use std::path::Path;

use crate::settings::given::{Origin, Refusal};

/// Longest secret in bytes.
const BYTES_MAX: u64 = 64 << 10;

/// The credential `name` in the directory that systemd has made (`$CREDENTIALS_DIRECTORY`), without the
/// line's end; `None` when there is none.
///
/// # Errors
/// A refusal that never shows its content, when it is there and can't be read, is no text, or empty.
pub fn read(directory: Option<&Path>, name: &str) -> Result<Option<String>, Refusal> {
    let Some(path) = directory.map(|dir| dir.join(name)) else { return Ok(None) };
    let refuse = |reason: String| Refusal {
        origin: Origin::WholeFile(path.clone()),
        given: format!("credential {name}"),
        reason,
        remedy: "correct LoadCredential= of the unit, or the file it names".to_owned(),
    };
    let length = match fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error.to_string())),
    };
    if length > BYTES_MAX {
        return Err(refuse(format!("{length} bytes are too many")));
    }
    let text = fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(refuse("it is empty".to_owned())),
        text => Ok(Some(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_line() {
        let dir = std::env::temp_dir().join(format!("zk-credentials-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("superdigest"), "super:abc=\n").unwrap();
        fs::write(dir.join("empty"), "\n").unwrap();
        fs::write(dir.join("binary"), b"\xff\xfe").unwrap();
        let get = |name: &str| read(Some(&dir), name).map_err(|refusal| refusal.to_string());
        assert_eq!(get("superdigest"), Ok(Some("super:abc=".to_owned())));
        assert_eq!(get("other"), Ok(None));
        assert_eq!(read(None, "superdigest"), Ok(None));
        assert!(get("empty").unwrap_err().contains("it is empty"));
        assert!(get("binary").unwrap_err().contains("LoadCredential="));
        fs::remove_dir_all(&dir).unwrap();
    }
}
