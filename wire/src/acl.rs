//! Access control lists as they travel: permission bits, scheme and id.

use crate::jute::{DecodeError, Reader, Result, Writer};

/// The permission bits (`ZooDefs.Perms`).
pub mod perms {
    /// Read data and list children.
    pub const READ: i32 = 1;
    /// Set data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Set the ACL.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// An identity: a scheme and an id within it. Null strings survive a round trip.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// `world`, `auth`, `digest`, `ip`, `sasl`, `x509`, `super` or another scheme's name.
    pub scheme: Option<String>,
    /// The id, in the syntax of the scheme.
    pub id: Option<String>,
}

impl Id {
    /// An identity of two texts.
    pub fn new(scheme: &str, id: &str) -> Id {
        Id { scheme: Some(scheme.to_owned()), id: Some(id.to_owned()) }
    }

    /// The scheme, empty when null.
    pub fn scheme(&self) -> &str {
        self.scheme.as_deref().unwrap_or("")
    }

    /// The id, empty when null.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("")
    }

    /// Reads scheme and id.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Id> {
        Ok(Id {
            scheme: reader.ustring("Id.scheme")?.map(|s| s.into_owned()),
            id: reader.ustring("Id.id")?.map(|s| s.into_owned()),
        })
    }

    /// Writes scheme and id.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_ustring(self.scheme.as_deref());
        out.put_ustring(self.id.as_deref());
    }
}

/// One entry of an access control list. `perms` is stored as it came, without a range check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acl {
    /// Permission bits, see [`perms`].
    pub perms: i32,
    /// Whom they are given to.
    pub id: Id,
}

impl Acl {
    /// An entry from its parts.
    pub fn new(perms: i32, scheme: &str, id: &str) -> Acl {
        Acl { perms, id: Id::new(scheme, id) }
    }

    /// `world:anyone` with all permissions: ZooKeeper's OPEN_ACL_UNSAFE.
    pub fn open() -> Vec<Acl> {
        vec![Acl::new(perms::ALL, "world", "anyone")]
    }

    /// Reads one entry.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Acl> {
        Ok(Acl { perms: reader.int("ACL.perms")?, id: Id::decode(reader)? })
    }

    /// Writes one entry.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_int(self.perms);
        self.id.encode(out);
    }

    /// Reads a list; `None` when null.
    pub fn decode_list(reader: &mut Reader<'_>) -> Result<Option<Vec<Acl>>> {
        let Some(count) = reader.count("vector<ACL>")? else { return Ok(None) };
        // An entry is at least 12 bytes: perms and two lengths.
        let mut list = Vec::with_capacity(reader.capacity(count, 12));
        for _ in 0..count {
            list.push(Acl::decode(reader)?);
        }
        Ok(Some(list))
    }

    /// Reads a list that may not be null.
    pub fn decode_some(reader: &mut Reader<'_>) -> Result<Vec<Acl>> {
        Acl::decode_list(reader)?.ok_or(DecodeError::Null { field: "vector<ACL>" })
    }

    /// Writes a list.
    pub fn encode_list(list: &[Acl], out: &mut Vec<u8>) {
        out.put_int(i32::try_from(list.len()).expect("a list is below 2^31"));
        for acl in list {
            acl.encode(out);
        }
    }
}
