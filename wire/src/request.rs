//! The records of requests, in the order of `zookeeper.jute`. All of them borrow from the frame.

use std::borrow::Cow;

use crate::acl::Acl;
use crate::jute::{Reader, Result, Writer};

/// An ACL list that was checked for its form but not taken apart: most lists repeat, and who keeps
/// a table of them looks the bytes up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclList<'a>(&'a [u8]);

impl<'a> AclList<'a> {
    /// Walks over a list; the bytes are those of the whole vector, count included.
    pub fn scan(reader: &mut Reader<'a>) -> Result<AclList<'a>> {
        let start = reader.rest();
        let before = reader.position();
        for _ in 0..reader.count("vector<ACL>")?.unwrap_or(0) {
            reader.int("ACL.perms")?;
            reader.buffer("Id.scheme")?;
            reader.buffer("Id.id")?;
        }
        Ok(AclList(&start[..reader.position() - before]))
    }

    /// The bytes as they came.
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// True when the vector was null, which is not the empty list.
    pub fn is_null(&self) -> bool {
        self.0 == [0xff; 4]
    }

    /// The entries; none when null.
    pub fn decode(&self) -> Vec<Acl> {
        let list = Acl::decode_list(&mut Reader::new(self.0)).expect("checked by scan");
        list.unwrap_or_default()
    }
}

/// create, create2, createContainer; with `ttl_ms` also createTTL.
#[derive(Clone, Debug)]
pub struct CreateRequest<'a> {
    /// Path of the znode, or its beginning for sequential ones. Null is told apart because it is
    /// refused later, and otherwise than an invalid path.
    pub path: Option<Cow<'a, str>>,
    /// First data.
    pub data: Option<&'a [u8]>,
    /// The ACL as asked for.
    pub acl: AclList<'a>,
    /// See [`flags`].
    pub flags: i32,
    /// Life of a TTL znode in ms; -1 where the record has no such field.
    pub ttl_ms: i64,
}

/// The flags of the create family (`CreateMode`).
pub mod flags {
    /// Stays until deleted.
    pub const PERSISTENT: i32 = 0;
    /// Goes with its session.
    pub const EPHEMERAL: i32 = 1;
    /// Persistent, with a number behind the name.
    pub const PERSISTENT_SEQUENTIAL: i32 = 2;
    /// Ephemeral, with a number behind the name.
    pub const EPHEMERAL_SEQUENTIAL: i32 = 3;
    /// Goes when its last child is deleted.
    pub const CONTAINER: i32 = 4;
    /// Goes when it was not changed for its TTL and has no children.
    pub const PERSISTENT_TTL: i32 = 5;
    /// The same, with a number behind the name.
    pub const PERSISTENT_SEQUENTIAL_TTL: i32 = 6;
}

impl<'a> CreateRequest<'a> {
    /// Reads a CreateRequest.
    pub fn decode(reader: &mut Reader<'a>) -> Result<CreateRequest<'a>> {
        Ok(CreateRequest {
            path: reader.ustring("CreateRequest.path")?,
            data: reader.buffer("CreateRequest.data")?,
            acl: AclList::scan(reader)?,
            flags: reader.int("CreateRequest.flags")?,
            ttl_ms: -1,
        })
    }

    /// Reads a CreateTTLRequest.
    pub fn decode_ttl(reader: &mut Reader<'a>) -> Result<CreateRequest<'a>> {
        let mut request = CreateRequest::decode(reader)?;
        request.ttl_ms = reader.long("CreateTTLRequest.ttl")?;
        Ok(request)
    }
}

/// Writes a CreateRequest, and with `ttl_ms` a CreateTTLRequest.
pub fn encode_create(
    out: &mut Vec<u8>,
    path: &str,
    data: Option<&[u8]>,
    acl: &[Acl],
    flags: i32,
    ttl_ms: Option<i64>,
) {
    out.put_string(path);
    out.put_buffer(data);
    Acl::encode_list(acl, out);
    out.put_int(flags);
    if let Some(ttl_ms) = ttl_ms {
        out.put_long(ttl_ms);
    }
}

/// delete, and the check of a multi: a path and the version it must have.
#[derive(Clone, Debug)]
pub struct PathVersionRequest<'a> {
    /// Path of the znode; null is told apart because it is refused later.
    pub path: Option<Cow<'a, str>>,
    /// The version that it must have; -1 takes any.
    pub version: i32,
}

impl<'a> PathVersionRequest<'a> {
    /// Reads a DeleteRequest or CheckVersionRequest.
    pub fn decode(reader: &mut Reader<'a>) -> Result<PathVersionRequest<'a>> {
        Ok(PathVersionRequest {
            path: reader.ustring("DeleteRequest.path")?,
            version: reader.int("DeleteRequest.version")?,
        })
    }
}

/// exists, getData, getChildren, getChildren2.
#[derive(Clone, Debug)]
pub struct PathWatchRequest<'a> {
    /// Path of the znode; null is told apart because some operations refuse it later.
    pub path: Option<Cow<'a, str>>,
    /// Whether to leave a one-shot watch.
    pub watch: bool,
}

impl<'a> PathWatchRequest<'a> {
    /// Reads an ExistsRequest, GetDataRequest, GetChildrenRequest or GetChildren2Request.
    #[inline]
    pub fn decode(reader: &mut Reader<'a>) -> Result<PathWatchRequest<'a>> {
        Ok(PathWatchRequest {
            path: reader.ustring("GetDataRequest.path")?,
            watch: reader.boolean("GetDataRequest.watch")?,
        })
    }
}

/// setData.
#[derive(Clone, Debug)]
pub struct SetDataRequest<'a> {
    /// Path of the znode; null is told apart because it is refused later.
    pub path: Option<Cow<'a, str>>,
    /// The new data; null and empty are two things.
    pub data: Option<&'a [u8]>,
    /// The version that the znode must have; -1 takes any.
    pub version: i32,
}

impl<'a> SetDataRequest<'a> {
    /// Reads the record.
    #[inline]
    pub fn decode(reader: &mut Reader<'a>) -> Result<SetDataRequest<'a>> {
        Ok(SetDataRequest {
            path: reader.ustring("SetDataRequest.path")?,
            data: reader.buffer("SetDataRequest.data")?,
            version: reader.int("SetDataRequest.version")?,
        })
    }
}

/// setACL.
#[derive(Clone, Debug)]
pub struct SetAclRequest<'a> {
    /// Path of the znode; null reads as empty, which is as invalid.
    pub path: Cow<'a, str>,
    /// The new list as asked for.
    pub acl: AclList<'a>,
    /// The ACL version that the znode must have; -1 takes any.
    pub version: i32,
}

impl<'a> SetAclRequest<'a> {
    /// Reads the record.
    pub fn decode(reader: &mut Reader<'a>) -> Result<SetAclRequest<'a>> {
        Ok(SetAclRequest {
            path: reader.ustring("SetACLRequest.path")?.unwrap_or(Cow::Borrowed("")),
            acl: AclList::scan(reader)?,
            version: reader.int("SetACLRequest.version")?,
        })
    }
}

/// getACL, sync, getAllChildrenNumber, getEphemerals, deleteContainer: a path and nothing else.
pub fn decode_path<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>> {
    reader.ustring("path")
}

/// checkWatches, removeWatches, addWatch: a path and a number.
#[derive(Clone, Debug)]
pub struct PathIntRequest<'a> {
    /// Path of the watch. Null is a name of its own, which no znode can have: U+0000.
    pub path: Cow<'a, str>,
    /// Watcher type, or mode of addWatch.
    pub number: i32,
}

impl<'a> PathIntRequest<'a> {
    /// Reads a CheckWatchesRequest, RemoveWatchesRequest or AddWatchRequest.
    pub fn decode(reader: &mut Reader<'a>) -> Result<PathIntRequest<'a>> {
        Ok(PathIntRequest {
            path: reader.ustring("AddWatchRequest.path")?.unwrap_or(Cow::Borrowed("\0")),
            number: reader.int("AddWatchRequest.mode")?,
        })
    }
}

/// setWatches and setWatches2: which watches a client held when it last saw `relative_zxid`.
///
/// Null lists and paths are told apart: they are errors, but what stands before them has been done
/// by then.
#[derive(Clone, Debug, Default)]
pub struct SetWatchesRequest<'a> {
    /// The newest zxid that the client has seen.
    pub relative_zxid: i64,
    /// Watches left by getData, by exists on missing znodes, by getChildren, persistent ones and
    /// persistent recursive ones. The last two are empty in setWatches.
    pub lists: [Option<Vec<Option<Cow<'a, str>>>>; 5],
}

impl<'a> SetWatchesRequest<'a> {
    /// Reads the record; `two` for setWatches2.
    pub fn decode(reader: &mut Reader<'a>, two: bool) -> Result<SetWatchesRequest<'a>> {
        let relative_zxid = reader.long("SetWatches.relativeZxid")?;
        let mut lists = [None, None, None, Some(Vec::new()), Some(Vec::new())];
        for list in lists.iter_mut().take(if two { 5 } else { 3 }) {
            *list = reader.ustrings("SetWatches.watches")?;
        }
        Ok(SetWatchesRequest { relative_zxid, lists })
    }
}

/// auth. The scheme and the bytes may be null.
#[derive(Clone, Debug)]
pub struct AuthPacket<'a> {
    /// Nobody looks.
    pub kind: i32,
    /// Name of the scheme.
    pub scheme: Option<Cow<'a, str>>,
    /// What the scheme wants to see, for `digest` `user:password`.
    pub auth: Option<&'a [u8]>,
}

impl<'a> AuthPacket<'a> {
    /// Reads the record.
    pub fn decode(reader: &mut Reader<'a>) -> Result<AuthPacket<'a>> {
        Ok(AuthPacket {
            kind: reader.int("AuthPacket.type")?,
            scheme: reader.ustring("AuthPacket.scheme")?,
            auth: reader.buffer("AuthPacket.auth")?,
        })
    }
}

/// reconfig. A null string means that this part was not asked for.
#[derive(Clone, Debug)]
pub struct ReconfigRequest<'a> {
    /// `server.N=...` lines to add, separated by commas.
    pub joining: Option<Cow<'a, str>>,
    /// Ids to remove, separated by commas.
    pub leaving: Option<Cow<'a, str>>,
    /// A whole new member list.
    pub members: Option<Cow<'a, str>>,
    /// The version that the configuration must have; -1 takes any.
    pub config_id: i64,
}

impl<'a> ReconfigRequest<'a> {
    /// Reads the record.
    pub fn decode(reader: &mut Reader<'a>) -> Result<ReconfigRequest<'a>> {
        Ok(ReconfigRequest {
            joining: reader.ustring("ReconfigRequest.joiningServers")?,
            leaving: reader.ustring("ReconfigRequest.leavingServers")?,
            members: reader.ustring("ReconfigRequest.newMembers")?,
            config_id: reader.long("ReconfigRequest.curConfigId")?,
        })
    }
}

/// Writes the record of the operations that take a path and nothing else.
pub fn encode_path(out: &mut Vec<u8>, path: &str) {
    out.put_string(path);
}

/// Writes a DeleteRequest or CheckVersionRequest, an AddWatchRequest, CheckWatchesRequest or
/// RemoveWatchesRequest: a path and a number.
pub fn encode_path_int(out: &mut Vec<u8>, path: &str, number: i32) {
    out.put_string(path);
    out.put_int(number);
}

/// Writes an ExistsRequest, GetDataRequest, GetChildrenRequest or GetChildren2Request.
pub fn encode_path_watch(out: &mut Vec<u8>, path: &str, watch: bool) {
    out.put_string(path);
    out.put_boolean(watch);
}

/// Writes a SetDataRequest.
pub fn encode_set_data(out: &mut Vec<u8>, path: &str, data: Option<&[u8]>, version: i32) {
    out.put_string(path);
    out.put_buffer(data);
    out.put_int(version);
}

/// Writes a SetACLRequest.
pub fn encode_set_acl(out: &mut Vec<u8>, path: &str, acl: &[Acl], version: i32) {
    out.put_string(path);
    Acl::encode_list(acl, out);
    out.put_int(version);
}

/// Writes an AuthPacket.
pub fn encode_auth(out: &mut Vec<u8>, scheme: &str, auth: &[u8]) {
    out.put_int(0);
    out.put_string(scheme);
    out.put_buffer(Some(auth));
}

impl SetWatchesRequest<'_> {
    /// Writes a SetWatches, or with `two` a SetWatches2.
    pub fn encode(&self, out: &mut Vec<u8>, two: bool) {
        out.put_long(self.relative_zxid);
        for list in self.lists.iter().take(if two { 5 } else { 3 }) {
            match list {
                None => out.put_int(-1),
                Some(list) => {
                    out.put_int(list.len() as i32);
                    list.iter().for_each(|path| out.put_ustring(path.as_deref()));
                }
            }
        }
    }
}

impl ReconfigRequest<'_> {
    /// Writes the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_ustring(self.joining.as_deref());
        out.put_ustring(self.leaving.as_deref());
        out.put_ustring(self.members.as_deref());
        out.put_long(self.config_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_go_out_as_they_came_in() {
        let request = SetWatchesRequest {
            relative_zxid: 7,
            lists: [
                Some(vec![Some("/a".into()), None]),
                None,
                Some(vec![]),
                Some(vec![]),
                Some(vec![Some("/b".into()), Some("/c".into())]),
            ],
        };
        let mut out = Vec::new();
        request.encode(&mut out, true);
        let back = SetWatchesRequest::decode(&mut Reader::new(&out), true).unwrap();
        assert_eq!(back.relative_zxid, 7);
        assert_eq!(back.lists, request.lists);
        assert!(SetWatchesRequest::decode(&mut Reader::new(&out[..out.len() - 1]), true).is_err());
    }

    #[test]
    fn an_acl_list_is_walked_and_then_read() {
        let mut out = Vec::new();
        Acl::encode_list(&Acl::open(), &mut out);
        out.push(9);
        let mut reader = Reader::new(&out);
        let list = AclList::scan(&mut reader).unwrap();
        assert_eq!(reader.rest(), [9]);
        assert_eq!(list.decode(), Acl::open());
        let null = [0xff; 4];
        assert!(AclList::scan(&mut Reader::new(&null)).unwrap().is_null());
        let huge = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1];
        assert!(AclList::scan(&mut Reader::new(&huge)).is_err());
    }

    #[test]
    fn the_ttl_follows_the_flags() {
        let mut out = Vec::new();
        encode_create(&mut out, "/a", None, &Acl::open(), flags::PERSISTENT_TTL, Some(50));
        let request = CreateRequest::decode_ttl(&mut Reader::new(&out)).unwrap();
        assert_eq!((request.flags, request.ttl_ms, request.data), (5, 50, None));
    }
}
