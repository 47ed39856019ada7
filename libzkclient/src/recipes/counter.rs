//! A number that many count up.

use zk_wire::Code;

use super::place::make_path;
use crate::calls::Mode;
use crate::client::Client;
use crate::error::{Error, Result};

/// A counter in a znode, as decimal text: what other clients' counters read and write as well.
///
/// Each change is done on the value that was read and refused when somebody was quicker, so that
/// none is lost. When the connection is lost with the answer, `add` fails with an error that says
/// whether the change may have been made: a counter cannot tell its own change from another's.
#[derive(Clone, Debug)]
pub struct Counter {
    client: Client,
    path: String,
}

impl Counter {
    /// A counter at a path; it is 0 until it is changed.
    pub fn new(client: &Client, path: &str) -> Counter {
        Counter { client: client.clone(), path: path.to_owned() }
    }

    /// Value and version; the version is -1 when nothing was ever counted.
    fn read(&self) -> Result<(i64, i32)> {
        let (data, stat) = match self.client.get(&self.path, false) {
            Err(Error::Server(Code::NO_NODE)) => return Ok((0, -1)),
            result => result?,
        };
        let data = data.unwrap_or_default();
        let text = String::from_utf8_lossy(&data);
        if text.trim().is_empty() {
            return Ok((0, stat.version));
        }
        let value = text.trim().parse().map_err(|_| {
            Error::argument("path", format!("{:?} holds something other than a number", self.path))
        })?;
        Ok((value, stat.version))
    }

    /// The value.
    pub fn get(&self) -> Result<i64> {
        Ok(self.read()?.0)
    }

    /// Adds `difference` and returns the new value. An overflow is an error.
    pub fn add(&self, difference: i64) -> Result<i64> {
        loop {
            let (value, version) = self.read()?;
            let sum = value.checked_add(difference).ok_or_else(|| {
                Error::argument("difference", format!("{value} + {difference} has no room"))
            })?;
            if self.replace(sum, version)? {
                return Ok(sum);
            }
        }
    }

    /// Sets the value to `new` if it is `old`; false when it is another.
    pub fn compare_and_set(&self, old: i64, new: i64) -> Result<bool> {
        loop {
            let (value, version) = self.read()?;
            if value != old {
                return Ok(false);
            }
            if self.replace(new, version)? {
                return Ok(true);
            }
        }
    }

    /// False when somebody was quicker.
    fn replace(&self, value: i64, version: i32) -> Result<bool> {
        let text = value.to_string();
        if version >= 0 {
            return match self.client.set(&self.path, Some(text.as_bytes()), version) {
                Ok(_) => Ok(true),
                Err(Error::Server(Code::BAD_VERSION | Code::NO_NODE)) => Ok(false),
                Err(error) => Err(error),
            };
        }
        match self.client.create(&self.path, text.as_bytes(), Mode::Persistent) {
            Ok(_) => Ok(true),
            Err(Error::Server(Code::NODE_EXISTS)) => Ok(false),
            Err(Error::Server(Code::NO_NODE)) => {
                let parent = zk_wire::path::parent(&self.path).unwrap_or_default();
                make_path(&self.client, parent)?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
