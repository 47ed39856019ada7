//! Group J: identities and how a connection gets them.

use zk_tests::diff::value::SUPER_DIGEST;
use zk_tests::fixture::Conn;
use zk_tests::record;
use zk_wire::acl::perms;
use zk_wire::{Acl, Code, Op, Reader, Writer, Zxid};

use crate::server;

const ANN: &str = "ann:RYbu6l5aZwqon8VWmkcGvezdzfc=";
const BOB: &str = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=";

fn auth(conn: &mut Conn, who: &str) {
    conn.ok(Op::AUTH, &record::auth("digest", who.as_bytes()));
}

fn create(conn: &mut Conn, path: &str, acl: &[Acl]) -> Code {
    conn.code(Op::CREATE, &record::create_acl(path, Some(b""), acl, 0))
}

fn get_acl(conn: &mut Conn, path: &str) -> Vec<Acl> {
    let body = conn.ok(Op::GET_ACL, &record::path(path));
    Acl::decode_list(&mut Reader::new(&body)).expect("an ACL").expect("not null")
}

fn readable(conn: &mut Conn, path: &str) -> bool {
    match conn.code(Op::GET_DATA, &record::path_watch(path, false)) {
        Code::OK => true,
        Code::NO_AUTH => false,
        other => panic!("{path}: {other}"),
    }
}

/// J1: world:anyone is everybody.
#[test]
fn world_is_everybody() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let world = [Acl::new(perms::READ, "world", "anyone")];
    assert_eq!(create(&mut conn, "/a", &world), Code::OK);
    assert!(readable(&mut conn, "/a"));
    assert_eq!(get_acl(&mut conn, "/a"), world);
}

/// J2: digest identities are name and base64 of the SHA-1 of name and password, as every shell
/// writes them.
#[test]
fn digest_identities_are_interoperable() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let acl = [Acl::new(perms::ALL, "digest", ANN)];
    assert_eq!(create(&mut conn, "/a", &acl), Code::OK);
    assert!(!readable(&mut conn, "/a"));
    auth(&mut conn, "ann:wrong");
    assert!(!readable(&mut conn, "/a"), "a wrong password is an identity that matches nothing");
    auth(&mut conn, "ann:pw");
    assert!(readable(&mut conn, "/a"));
}

/// J3: other hashes by setting.
#[test]
fn the_hash_is_a_setting() {
    let server = server!(|options| options.line("DigestAuthenticationProvider.digestAlg=SHA-256"));
    let mut conn = Conn::open(server.address());
    auth(&mut conn, "ann:pw");
    assert_eq!(create(&mut conn, "/a", &[Acl::new(perms::ALL, "auth", "")]), Code::OK);
    let id = get_acl(&mut conn, "/a")[0].id.clone();
    assert_eq!(id.id(), "ann:lh/UWcNZdWum7ZlLKb8d+B5iAz+4cYtt89t5HkHobpM=");
}

/// J4: the super user may do everything, by whatever name.
#[test]
fn the_super_user_passes() {
    let line = format!("DigestAuthenticationProvider.superDigest={SUPER_DIGEST}");
    let server = server!(|options| options.line(&line));
    let mut conn = Conn::open(server.address());
    let acl = [Acl::new(perms::READ, "digest", ANN)];
    assert_eq!(create(&mut conn, "/a", &acl), Code::OK);
    auth(&mut conn, "super:wrong");
    assert!(!readable(&mut conn, "/a"));
    auth(&mut conn, "super:secret");
    assert!(readable(&mut conn, "/a"));
    conn.ok(Op::SET_DATA, &record::set_data("/zookeeper/config", Some(b"x"), -1));
    conn.ok(Op::SET_ACL, &record::set_acl("/a", &Acl::open(), -1));
    let body = conn.ok(Op::WHO_AM_I, &[]);
    let mut reader = Reader::new(&body);
    assert_eq!(reader.count("list").unwrap(), Some(4), "ip, two digests and super");
}

/// J5: without the digest scheme nobody has such an identity.
#[test]
fn digest_can_be_switched_off() {
    let server = server!(|options| options.line("DigestAuthenticationProvider.enabled=false"));
    let mut conn = Conn::open(server.address());
    assert_eq!(create(&mut conn, "/a", &[Acl::new(31, "digest", ANN)]), Code::INVALID_ACL);
    let reply = conn.call(Op::AUTH, &record::auth("digest", b"ann:pw"));
    assert_eq!(reply.header.code, Code::AUTH_FAILED);
    conn.raw.assert_closed();
}

/// J6: identities add up.
#[test]
fn identities_add_up() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for (path, id) in [("/ann", ANN), ("/bob", BOB)] {
        assert_eq!(create(&mut conn, path, &[Acl::new(perms::ALL, "digest", id)]), Code::OK);
    }
    auth(&mut conn, "ann:pw");
    assert!(readable(&mut conn, "/ann") && !readable(&mut conn, "/bob"));
    auth(&mut conn, "bob:pw");
    assert!(readable(&mut conn, "/ann") && readable(&mut conn, "/bob"));
}

/// J7: a scheme that is none here ends the connection, after the answer.
#[test]
fn unknown_schemes_end_the_connection() {
    let server = server!();
    for scheme in ["unknown", "world", "auth", "super", "sasl", "x509", "ensemble", ""] {
        let mut conn = Conn::open(server.address());
        let reply = conn.call(Op::AUTH, &record::auth(scheme, b"x"));
        assert_eq!(
            (reply.header.zxid, reply.header.code),
            (Zxid(0), Code::AUTH_FAILED),
            "{scheme}"
        );
        conn.raw.assert_closed();
    }
    // The session lives on.
    let mut conn = Conn::open(server.address());
    conn.call(Op::AUTH, &record::auth("unknown", b"x"));
    let again = Conn::reattach(server.address(), &conn.session, 30_000).expect("an answer");
    assert_eq!(again.session.session_id, conn.session.session_id);
}

/// J7: an auth packet that does not decode ends the connection.
#[test]
fn malformed_auth_packets_end_the_connection() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.send(Op::AUTH, &[0, 0]);
    conn.raw.assert_closed();
}

/// J8, J9, J11: `auth` stands for the identities of the connection, the address not among them; the
/// same entry twice is once.
#[test]
fn auth_stands_for_ones_identities() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let acl = [Acl::new(perms::ALL, "auth", "whatever")];
    assert_eq!(create(&mut conn, "/none", &acl), Code::INVALID_ACL);
    auth(&mut conn, "ann:pw");
    assert_eq!(create(&mut conn, "/one", &acl), Code::OK);
    let ann = Acl::new(perms::ALL, "digest", ANN);
    assert_eq!(get_acl(&mut conn, "/one"), std::slice::from_ref(&ann));
    auth(&mut conn, "bob:pw");
    let world = Acl::new(perms::READ, "world", "anyone");
    let twice = [world.clone(), acl[0].clone(), world.clone(), acl[0].clone()];
    assert_eq!(create(&mut conn, "/two", &twice), Code::OK);
    let mut stored = get_acl(&mut conn, "/two");
    stored.sort();
    let mut expected = vec![world, ann, Acl::new(perms::ALL, "digest", BOB)];
    expected.sort();
    assert_eq!(stored, expected);
}

/// J10: a list that is null, empty or malformed is no ACL.
#[test]
fn malformed_acls_are_refused() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    assert_eq!(create(&mut conn, "/a", &[]), Code::INVALID_ACL);
    assert_eq!(conn.code(Op::CREATE, &record::create_null_acl("/a", 0)), Code::INVALID_ACL);
    for (scheme, id) in [
        ("world", "other"),
        ("super", ""),
        ("unknown", "x"),
        ("sasl", "ann"),
        ("digest", "a"),
        ("digest", "a:"),
        ("digest", "a:b:c"),
    ] {
        let acl = [Acl::new(perms::ALL, scheme, id)];
        assert_eq!(create(&mut conn, "/a", &acl), Code::INVALID_ACL, "{scheme}:{id}");
    }
    for (scheme, id) in [("digest", "a:b"), ("digest", "a:b:")] {
        let acl = [Acl::new(perms::ALL, scheme, id)];
        assert_eq!(create(&mut conn, &format!("/{id}"), &acl), Code::OK, "{scheme}:{id}");
    }
    let mut null_scheme = Vec::new();
    null_scheme.put_string("/a");
    null_scheme.put_int(-1);
    null_scheme.put_int(1);
    null_scheme.put_int(31);
    null_scheme.put_int(-1);
    null_scheme.put_int(-1);
    null_scheme.put_int(0);
    assert_eq!(conn.code(Op::CREATE, &null_scheme), Code::INVALID_ACL);
}

/// J12, J13: addresses with and without a mask, of both families.
#[test]
fn addresses_match_under_their_mask() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for (at, (id, may)) in [
        ("127.0.0.1", true),
        ("127.0.0.1/32", true),
        ("127.255.0.0/8", true),
        ("1.2.3.4/0", true),
        ("127.0.0.2", false),
        ("10.0.0.0/8", false),
        ("::1", false),
        ("fe80::/10", false),
        ("1:2:3:4:5:6:7:8/128", false),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/ip{at}");
        let acl = [Acl::new(perms::READ, "ip", id)];
        assert_eq!(create(&mut conn, &path, &acl), Code::OK, "{id}");
        assert_eq!(readable(&mut conn, &path), may, "{id}");
    }
    for id in
        ["", "x", "127.0.0", "256.0.0.1", "127.0.0.1/33", "127.0.0.1/-1", "::1/129", "1::2::3"]
    {
        let acl = [Acl::new(perms::READ, "ip", id)];
        assert_eq!(create(&mut conn, "/bad", &acl), Code::INVALID_ACL, "{id}");
    }
}

/// J21: without SASL a token is answered with a null token, and the client goes on.
#[test]
fn sasl_without_sasl() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let mut token = Vec::new();
    token.put_buffer(Some(b"token"));
    for _ in 0..2 {
        let reply = conn.call(Op::SASL, &token);
        assert_eq!((reply.header.code, reply.record), (Code::OK, vec![0xff; 4]));
    }
    conn.stat("/");
}

/// J22: the name of the ensemble, where one is asked for.
#[test]
fn the_ensemble_has_a_name() {
    let server = server!(|options| {
        options
            .line("authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider")
            .line("ensembleAuthName=ours, other")
    });
    let mut conn = Conn::open(server.address());
    for name in ["ours", "other", ""] {
        conn.ok(Op::AUTH, &record::auth("ensemble", name.as_bytes()));
    }
    conn.stat("/");
    conn.send(Op::AUTH, &record::auth("ensemble", b"theirs"));
    while let Some(reply) = conn.receive_or_end() {
        assert_ne!(reply.header.code, Code::OK);
    }
}

/// J23: with skipACL nothing is asked, but lists must still be lists.
#[test]
fn acls_can_be_skipped() {
    let server = server!(|options| options.line("skipACL=yes"));
    let mut conn = Conn::open(server.address());
    let nobody = [Acl::new(perms::READ, "digest", ANN)];
    assert_eq!(create(&mut conn, "/a", &nobody), Code::OK);
    conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"x"), -1));
    assert_eq!(create(&mut conn, "/a/b", &Acl::open()), Code::OK);
    assert_eq!(create(&mut conn, "/b", &[]), Code::INVALID_ACL);
}

/// J25: identities stay with the connection.
#[test]
fn identities_do_not_follow_the_session() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    auth(&mut conn, "ann:pw");
    assert_eq!(create(&mut conn, "/a", &[Acl::new(perms::ALL, "auth", "")]), Code::OK);
    let mut again = Conn::reattach(server.address(), &conn.session, 30_000).expect("an answer");
    assert!(!readable(&mut again, "/a"));
    auth(&mut again, "ann:pw");
    assert!(readable(&mut again, "/a"));
}
