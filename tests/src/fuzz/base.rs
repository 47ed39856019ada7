//! Where the targets begin: good inputs, which are also the corpus.

use zk_wire::connect::ConnectRequest;
use zk_wire::header::RequestHeader;
use zk_wire::{Acl, Code, Op, Writer};

use crate::raw::{framed, new_session, request};
use crate::record;

/// One request of each kind, good, as (operation, record).
pub fn requests() -> Vec<(Op, Vec<u8>)> {
    let create = || record::create("/a", b"data", 0);
    let subs = [
        (Op::CREATE, create()),
        (Op::CREATE2, record::create("/a/s-", b"", 3)),
        (Op::CREATE_TTL, record::create_ttl("/t", 5, 1000)),
        (Op::SET_DATA, record::set_data("/a", None, 0)),
        (Op::CHECK, record::path_int("/a", 1)),
        (Op::DELETE, record::path_int("/a", -1)),
    ];
    let reads = [
        (Op::GET_DATA, record::path_watch("/a", false)),
        (Op::GET_CHILDREN, record::path_watch("/", false)),
    ];
    vec![
        (Op::CREATE, create()),
        (Op::CREATE2, record::create("/a/s-", b"", 3)),
        (Op::CREATE_CONTAINER, record::create("/c", b"", 4)),
        (Op::CREATE_TTL, record::create_ttl("/t", 6, 1000)),
        (Op::DELETE, record::path_int("/a", -1)),
        (Op::EXISTS, record::path_watch("/a", true)),
        (Op::GET_DATA, record::path_watch("/a", true)),
        (Op::SET_DATA, record::set_data("/a", Some(b"more"), 0)),
        (Op::GET_ACL, record::path("/a")),
        (Op::SET_ACL, record::set_acl("/a", &[Acl::new(31, "auth", "")], -1)),
        (Op::GET_CHILDREN, record::path_watch("/", true)),
        (Op::GET_CHILDREN2, record::path_watch("/", true)),
        (Op::SYNC, record::path("/")),
        (Op::PING, Vec::new()),
        (Op::MULTI, record::multi(&subs)),
        (Op::MULTI_READ, record::multi(&reads)),
        (Op::CHECK_WATCHES, record::path_int("/a", 3)),
        (Op::REMOVE_WATCHES, record::path_int("/a", 2)),
        (Op::ADD_WATCH, record::path_int("/", 1)),
        (Op::SET_WATCHES, record::set_watches(3, &[&["/a"], &["/b"], &["/"]])),
        (Op::SET_WATCHES2, record::set_watches(3, &[&["/a"], &[], &["/"], &["/c"], &["/d"]])),
        (Op::AUTH, record::auth("digest", b"ann:pw")),
        (Op::SASL, vec![0, 0, 0, 1, 7]),
        (Op::RECONFIG, record::reconfig(Some("server.2=h:1:2;3"))),
        (Op::GET_EPHEMERALS, record::path("/")),
        (Op::GET_ALL_CHILDREN_NUMBER, record::path("/")),
        (Op::WHO_AM_I, Vec::new()),
        (Op::DELETE_CONTAINER, record::path("/c")),
        (Op::CLOSE_SESSION, Vec::new()),
        (Op(999), Vec::new()),
    ]
}

/// The body of a handshake.
pub fn handshake(read_only: Option<bool>) -> Vec<u8> {
    let mut body = Vec::new();
    ConnectRequest { read_only, ..new_session(30_000) }.encode(&mut body);
    body
}

/// A whole session as a client sends it: the handshake and a request of each kind.
pub fn session() -> Vec<u8> {
    let mut bytes = framed(&handshake(Some(false)));
    for (xid, (op, record)) in (1..).zip(requests()) {
        bytes.extend_from_slice(&framed(&request(xid, op, &record)));
    }
    bytes
}

fn replies() -> Vec<u8> {
    let mut bytes = framed(&{
        let mut body = Vec::new();
        body.put_int(0);
        body.put_int(30_000);
        body.put_long(7);
        body.put_buffer(Some(&[1; 16]));
        body.put_boolean(false);
        body
    });
    for (xid, code) in [(-1, Code::OK), (-2, Code::OK), (1, Code::OK), (2, Code::NO_NODE)] {
        let mut body = Vec::new();
        body.put_int(xid);
        body.put_long(9);
        body.put_int(code.0);
        body.put_int(3);
        body.put_int(3);
        body.put_string("/a");
        bytes.extend_from_slice(&framed(&body));
    }
    bytes
}

const ZOO_CFG: &str = "# sample\ntickTime=2000\ninitLimit=10\nsyncLimit : 5\ndataDir = /var/lib/zk\n\
    clientPort=2181\nclientPortAddress=::1\nmaxClientCnxns=60\n\
    4lw.commands.whitelist=srvr, ruok,\\\n  stat\nminSessionTimeout=4000\nskipACL=no\n\
    DigestAuthenticationProvider.digestAlg=SHA-256\nsnapCount=100000\nserver.1=h:2888:3888;2181\n\
    znode.container.checkIntervalMs=60000\nautopurge.purgeInterval=1\n";

const ENSEMBLES: &[&str] = &[
    "server.1=127.0.0.1:2888:3888:participant;127.0.0.1:2181\nserver.2=zk2:2888:3888\n\
     server.3=[::1]:2888:3888:observer;2181\nversion=100000003",
    "server.1=a:1:2\nserver.2=b:1:2\nserver.18=c:1:2\ngroup.1=1:2\ngroup.2=18\nweight.18=0\n",
    "server.1=a:1:2|[fe80::1]:3:4:Participant;a:5;b:6\n! none\nversion : \\\n  7f",
];

fn texts(list: &[&str]) -> Vec<Vec<u8>> {
    list.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// The corpus of a target.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let bodies = || -> Vec<Vec<u8>> {
        let list = requests().into_iter();
        list.map(|(op, record)| {
            let mut body = Vec::new();
            RequestHeader { xid: 1, op }.encode(&mut body);
            body.extend_from_slice(&record);
            body
        })
        .collect()
    };
    let of = |wanted: Op| -> Vec<Vec<u8>> {
        requests().into_iter().filter(|(op, _)| *op == wanted).map(|(_, record)| record).collect()
    };
    match target {
        "frame_cut" | "session_stream" | "client_stream" => {
            let mut list = vec![session()];
            list.extend(texts(&["ruok", "stmk\0\0\0\0\0\0\0\u{1}", "srvr\n"]));
            list
        }
        "peer_stream" => super::peer::corpus(),
        "request" => bodies(),
        "connect" => vec![handshake(None), handshake(Some(true))],
        "multi" => [of(Op::MULTI), of(Op::MULTI_READ)].concat(),
        "acl_list" => {
            let lists = [
                Acl::open(),
                Vec::new(),
                vec![Acl::new(1, "ip", "127.0.0.0/8"), Acl::new(31, "digest", "a:b")],
                vec![Acl::new(1, "ip", "fe80::/10"), Acl::new(31, "auth", "")],
            ];
            lists
                .iter()
                .map(|list| {
                    let mut out = Vec::new();
                    Acl::encode_list(list, &mut out);
                    out
                })
                .collect()
        }
        "path" => texts(&["/", "/a/b", "//", "/a/../b", "/\u{1}", "/\u{e000}", "/\u{1f600}", ""]),
        "reply" => vec![replies()],
        "ensemble" => texts(ENSEMBLES),
        "txn" => super::core::txns(),
        "zoo_cfg" => texts(&[ZOO_CFG, "clientPort=2181\n", "a\\u0041=\\\n"]),
        // Of these the input is a list of places to damage in a good file.
        _ => vec![Vec::new(), vec![0, 40, 1], vec![0x10, 0, 0x80, 0x10, 9, 0xff]],
    }
}
