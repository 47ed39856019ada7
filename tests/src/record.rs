//! The records of requests as byte vectors, for tests that send them by hand.

use zk_wire::acl::Acl;
use zk_wire::multi::{encode_end, encode_header};
use zk_wire::request as wire;
use zk_wire::{Op, Writer};

fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// create and its kin, with the open ACL.
pub fn create(path: &str, data: &[u8], flags: i32) -> Vec<u8> {
    create_acl(path, Some(data), &Acl::open(), flags)
}

/// create and its kin.
pub fn create_acl(path: &str, data: Option<&[u8]>, acl: &[Acl], flags: i32) -> Vec<u8> {
    bytes(|out| wire::encode_create(out, path, data, acl, flags, None))
}

/// create with a null ACL vector.
pub fn create_null_acl(path: &str, flags: i32) -> Vec<u8> {
    bytes(|out| {
        out.put_string(path);
        out.put_buffer(Some(b""));
        out.put_int(-1);
        out.put_int(flags);
    })
}

/// createTTL, with the open ACL.
pub fn create_ttl(path: &str, flags: i32, ttl_ms: i64) -> Vec<u8> {
    bytes(|out| wire::encode_create(out, path, Some(b""), &Acl::open(), flags, Some(ttl_ms)))
}

/// sync, getACL, getEphemerals, getAllChildrenNumber, deleteContainer.
pub fn path(path: &str) -> Vec<u8> {
    bytes(|out| wire::encode_path(out, path))
}

/// delete, check, addWatch, checkWatches, removeWatches.
pub fn path_int(path: &str, number: i32) -> Vec<u8> {
    bytes(|out| wire::encode_path_int(out, path, number))
}

/// exists, getData, getChildren, getChildren2.
pub fn path_watch(path: &str, watch: bool) -> Vec<u8> {
    bytes(|out| wire::encode_path_watch(out, path, watch))
}

/// setData.
pub fn set_data(path: &str, data: Option<&[u8]>, version: i32) -> Vec<u8> {
    bytes(|out| wire::encode_set_data(out, path, data, version))
}

/// setACL.
pub fn set_acl(path: &str, acl: &[Acl], version: i32) -> Vec<u8> {
    bytes(|out| wire::encode_set_acl(out, path, acl, version))
}

/// auth.
pub fn auth(scheme: &str, auth: &[u8]) -> Vec<u8> {
    bytes(|out| wire::encode_auth(out, scheme, auth))
}

/// reconfig by what joins.
pub fn reconfig(joining: Option<&str>) -> Vec<u8> {
    reconfigure(joining, None, None, -1)
}

/// reconfig: what joins, what leaves, or the whole list; and the version it must have.
pub fn reconfigure(
    joining: Option<&str>,
    leaving: Option<&str>,
    members: Option<&str>,
    config_id: i64,
) -> Vec<u8> {
    bytes(|out| {
        wire::ReconfigRequest {
            joining: joining.map(|text| text.into()),
            leaving: leaving.map(|text| text.into()),
            members: members.map(|text| text.into()),
            config_id,
        }
        .encode(out)
    })
}

/// multi and multiRead, from operations and their records.
pub fn multi(subs: &[(Op, Vec<u8>)]) -> Vec<u8> {
    bytes(|out| {
        for (op, record) in subs {
            encode_header(out, op.0, false, -1);
            out.extend_from_slice(record);
        }
        encode_end(out);
    })
}

/// setWatches (three lists) and setWatches2 (five lists).
pub fn set_watches(relative_zxid: i64, lists: &[&[&str]]) -> Vec<u8> {
    bytes(|out| {
        out.put_long(relative_zxid);
        for list in lists {
            out.put_strings(list);
        }
    })
}
