//! Golden bytes of every record of the client protocol, written down by hand from `zookeeper.jute`:
//! what is encoded is exactly them, and decoding them gives every field back.

use zk_wire::acl::{Acl, perms};
use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::header::{ReplyHeader, RequestHeader};
use zk_wire::multi::{SubRequest, SubRequests, encode_end, encode_error, encode_header};
use zk_wire::request as r;
use zk_wire::watch::{WatcherEvent, encode_event, event};
use zk_wire::{Code, Op, Reader, Stat, StatPersisted, Writer, Zxid};

/// The open ACL list: one entry, all permissions, world, anyone.
const OPEN: &str = "00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65";

fn unhex(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
}

/// Encodes, compares with the golden bytes, and gives those back to be decoded.
fn golden(text: &str, encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    let wanted = unhex(text);
    assert_eq!(out, wanted);
    wanted
}

/// Each beginning of a record is none.
fn all_of_it<T>(bytes: &[u8], decode: impl Fn(&mut Reader<'_>) -> zk_wire::jute::Result<T>) {
    for count in 0..bytes.len() {
        assert!(decode(&mut Reader::new(&bytes[..count])).is_err(), "{count} bytes are enough");
    }
    let mut reader = Reader::new(bytes);
    assert!(decode(&mut reader).is_ok() && reader.is_empty(), "something is left");
}

#[test]
fn handshake() {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0x1_0000_0002,
        timeout_ms: 30_000,
        session_id: 0x0100_0000_0000_0001,
        password: Some(&[0xab; 3]),
        read_only: None,
    };
    let old = "00000000 0000000100000002 00007530 0100000000000001 00000003 ababab";
    let bytes = golden(old, |out| request.encode(out));
    assert_eq!(ConnectRequest::decode(&mut Reader::new(&bytes)), Ok(request.clone()));
    all_of_it(&bytes, |reader| ConnectRequest::decode(reader).map(drop));
    let newer = ConnectRequest { read_only: Some(true), password: None, ..request };
    let text = "00000000 0000000100000002 00007530 0100000000000001 ffffffff 01";
    let bytes = golden(text, |out| newer.encode(out));
    assert_eq!(ConnectRequest::decode(&mut Reader::new(&bytes)), Ok(newer));
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: 6_000,
        session_id: -1,
        password: vec![1, 2],
        read_only: Some(false),
    };
    let text = "00000000 00001770 ffffffffffffffff 00000002 0102 00";
    let bytes = golden(text, |out| response.encode(out));
    assert_eq!(ConnectResponse::decode(&mut Reader::new(&bytes)), Ok(response));
}

#[test]
fn headers() {
    let header = RequestHeader { xid: 7, op: Op::GET_DATA };
    let bytes = golden("00000007 00000004", |out| header.encode(out));
    assert_eq!(RequestHeader::decode(&mut Reader::new(&bytes)), Ok(header));
    let header = ReplyHeader { xid: -8, zxid: Zxid(0x2_0000_0001), code: Code::NO_NODE };
    let bytes = golden("fffffff8 0000000200000001 ffffff9b", |out| header.encode(out));
    assert_eq!(ReplyHeader::decode(&mut Reader::new(&bytes)), Ok(header));
    all_of_it(&bytes, |reader| ReplyHeader::decode(reader).map(drop));
}

#[test]
fn creates() {
    let text = format!("00000002 2f61 00000001 78 {OPEN} 00000003");
    let bytes = golden(&text, |out| r::encode_create(out, "/a", Some(b"x"), &Acl::open(), 3, None));
    let create = r::CreateRequest::decode(&mut Reader::new(&bytes)).expect("a CreateRequest");
    assert_eq!((create.path.as_deref(), create.data), (Some("/a"), Some(&b"x"[..])));
    assert_eq!((create.acl.decode(), create.flags, create.ttl_ms), (Acl::open(), 3, -1));
    all_of_it(&bytes, |reader| r::CreateRequest::decode(reader).map(drop));
    let text = "00000002 2f61 ffffffff 00000000 00000005 00000000000003e8";
    let bytes = golden(text, |out| r::encode_create(out, "/a", None, &[], 5, Some(1_000)));
    let create = r::CreateRequest::decode_ttl(&mut Reader::new(&bytes)).expect("with a TTL");
    assert_eq!((create.data, create.acl.is_null(), create.ttl_ms), (None, false, 1_000));
    all_of_it(&bytes, |reader| r::CreateRequest::decode_ttl(reader).map(drop));
}

#[test]
fn paths_with_little_else() {
    let bytes = golden("00000002 2f61", |out| r::encode_path(out, "/a"));
    assert_eq!(r::decode_path(&mut Reader::new(&bytes)).unwrap().as_deref(), Some("/a"));
    let bytes = golden("00000002 2f61 ffffffff", |out| r::encode_path_int(out, "/a", -1));
    let delete = r::PathVersionRequest::decode(&mut Reader::new(&bytes)).expect("a DeleteRequest");
    assert_eq!((delete.path.as_deref(), delete.version), (Some("/a"), -1));
    let add = r::PathIntRequest::decode(&mut Reader::new(&bytes)).expect("an AddWatchRequest");
    assert_eq!((&*add.path, add.number), ("/a", -1));
    all_of_it(&bytes, |reader| r::PathVersionRequest::decode(reader).map(drop));
    let bytes = golden("00000001 2f 01", |out| r::encode_path_watch(out, "/", true));
    let get = r::PathWatchRequest::decode(&mut Reader::new(&bytes)).expect("a GetDataRequest");
    assert_eq!((get.path.as_deref(), get.watch), (Some("/"), true));
    all_of_it(&bytes, |reader| r::PathWatchRequest::decode(reader).map(drop));
}

#[test]
fn changes_of_data_and_acl() {
    let text = "00000002 2f61 00000002 0102 00000005";
    let bytes = golden(text, |out| r::encode_set_data(out, "/a", Some(&[1, 2]), 5));
    let set = r::SetDataRequest::decode(&mut Reader::new(&bytes)).expect("a SetDataRequest");
    assert_eq!((set.path.as_deref(), set.data, set.version), (Some("/a"), Some(&[1, 2][..]), 5));
    all_of_it(&bytes, |reader| r::SetDataRequest::decode(reader).map(drop));
    let text = "00000002 2f61 00000001 00000003 00000006 646967657374 00000003 613a62 00000000";
    let acl = [Acl::new(perms::READ | perms::WRITE, "digest", "a:b")];
    let bytes = golden(text, |out| r::encode_set_acl(out, "/a", &acl, 0));
    let set = r::SetAclRequest::decode(&mut Reader::new(&bytes)).expect("a SetACLRequest");
    assert_eq!((&*set.path, set.acl.decode(), set.version), ("/a", acl.to_vec(), 0));
    all_of_it(&bytes, |reader| r::SetAclRequest::decode(reader).map(drop));
}

#[test]
fn auth_and_reconfig() {
    let text = "00000000 00000006 646967657374 00000003 613a62";
    let bytes = golden(text, |out| r::encode_auth(out, "digest", b"a:b"));
    let auth = r::AuthPacket::decode(&mut Reader::new(&bytes)).expect("an AuthPacket");
    assert_eq!((auth.scheme.as_deref(), auth.auth), (Some("digest"), Some(&b"a:b"[..])));
    all_of_it(&bytes, |reader| r::AuthPacket::decode(reader).map(drop));
    let reconfig = r::ReconfigRequest {
        joining: None,
        leaving: Some("3".into()),
        members: Some("".into()),
        config_id: -1,
    };
    let text = "ffffffff 00000001 33 00000000 ffffffffffffffff";
    let bytes = golden(text, |out| reconfig.encode(out));
    let back = r::ReconfigRequest::decode(&mut Reader::new(&bytes)).expect("a ReconfigRequest");
    assert_eq!((back.joining, back.leaving.as_deref()), (None, Some("3")));
    assert_eq!((back.members.as_deref(), back.config_id), (Some(""), -1));
}

#[test]
fn watches() {
    let three = "0000000000000007 00000001 00000002 2f61 00000000 00000002 00000001 2f ffffffff";
    let list = |paths: &[Option<&'static str>]| {
        Some(paths.iter().map(|path| path.map(Into::into)).collect())
    };
    let lists = [list(&[Some("/a")]), list(&[]), list(&[Some("/"), None]), None, list(&[])];
    let request = r::SetWatchesRequest { relative_zxid: 7, lists };
    let bytes = golden(three, |out| request.encode(out, false));
    let back = r::SetWatchesRequest::decode(&mut Reader::new(&bytes), false).expect("SetWatches");
    assert_eq!((back.relative_zxid, &back.lists[..3]), (7, &request.lists[..3]));
    let five = format!("{three} ffffffff 00000000");
    let bytes = golden(&five, |out| request.encode(out, true));
    let back = r::SetWatchesRequest::decode(&mut Reader::new(&bytes), true).expect("SetWatches2");
    assert_eq!(back.lists, request.lists);
    all_of_it(&bytes, |reader| r::SetWatchesRequest::decode(reader, true).map(drop));
    let bytes = golden("00000004 00000003 00000002 2f61", |out| {
        encode_event(event::CHILDREN_CHANGED, "/a", out);
    });
    let told = WatcherEvent::decode(&mut Reader::new(&bytes)).expect("a WatcherEvent");
    assert_eq!(told, WatcherEvent { kind: 4, state: 3, path: "/a".to_owned() });
}

#[test]
fn stats() {
    let stat = Stat {
        czxid: 1,
        mzxid: 2,
        ctime_ms: 3,
        mtime_ms: 4,
        version: 5,
        cversion: 6,
        aversion: 7,
        ephemeral_owner: 8,
        data_length: 9,
        num_children: 10,
        pzxid: 11,
    };
    let text = "0000000000000001 0000000000000002 0000000000000003 0000000000000004 00000005
        00000006 00000007 0000000000000008 00000009 0000000a 000000000000000b";
    let bytes = golden(text, |out| stat.encode(out));
    assert_eq!((bytes.len(), Stat::decode(&mut Reader::new(&bytes))), (Stat::BYTES, Ok(stat)));
    all_of_it(&bytes, |reader| Stat::decode(reader).map(drop));
    let stored = StatPersisted {
        czxid: 1,
        mzxid: 2,
        ctime_ms: 3,
        mtime_ms: 4,
        version: 5,
        cversion: 6,
        aversion: 7,
        ephemeral_owner: i64::MIN,
        pzxid: 9,
    };
    let text = "0000000000000001 0000000000000002 0000000000000003 0000000000000004 00000005
        00000006 00000007 8000000000000000 0000000000000009";
    let bytes = golden(text, |out| stored.encode(out));
    assert_eq!(StatPersisted::decode(&mut Reader::new(&bytes)), Ok(stored));
}

#[test]
fn multis() {
    let text = "00000002 00 ffffffff 00000002 2f61 00000003
        0000000d 00 ffffffff 00000002 2f62 ffffffff
        ffffffff 01 ffffffff";
    let bytes = golden(text, |out| {
        encode_header(out, Op::DELETE.0, false, -1);
        r::encode_path_int(out, "/a", 3);
        encode_header(out, Op::CHECK.0, false, -1);
        r::encode_path_int(out, "/b", -1);
        encode_end(out);
    });
    let mut subs = SubRequests::new(Reader::new(&bytes));
    let first = subs.read_next().expect("it decodes");
    assert!(matches!(first, Some(SubRequest::Delete(d)) if d.version == 3));
    let second = subs.read_next().expect("it decodes");
    assert!(matches!(second, Some(SubRequest::Check(c)) if c.path.as_deref() == Some("/b")));
    assert!(subs.read_next().expect("it decodes").is_none());
    golden("ffffffff 00 ffffff9b ffffff9b", |out| encode_error(out, Code::NO_NODE));
}

#[test]
fn lists_of_text() {
    golden("00000002 00000001 61 00000000", |out| out.put_strings(&["a", ""]));
    let bytes = golden("ffffffff", |out| out.put_ustring(None));
    assert_eq!(Reader::new(&bytes).ustrings("list"), Ok(None));
}
