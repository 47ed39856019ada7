//! J27: one line for each change, in the words of a genuine server.

use std::process::Command;
use std::time::{Duration, Instant};

use zk_tests::fixture::Conn;
use zk_tests::record;
use zk_tests::server::{Options, Server};
use zk_wire::acl::perms;
use zk_wire::request::flags;
use zk_wire::{Acl, Op};

use crate::server;

/// What genuine servers of 3.9 write. `S`: the session, `A`: the address, `U`: who runs the server.
const LINES: &[&str] = &[
    "info user=U\top=serverStart\tresult=success",
    "info {A}create\tznode=/a\tznode_type=persistent\tresult=success",
    "info {A}create\tznode=/a/s-0000000000\tznode_type=ephemeral_sequential\tresult=success",
    "error {A}create\tznode=/a\tznode_type=ephemeral\tresult=failure",
    "info {A}create\tznode=/c\tznode_type=container\tresult=success",
    "info {A}create\tznode=/t\tznode_type=persistent_with_ttl\tresult=success",
    "info {A}create\tznode=/t0000000003\tznode_type=persistent_sequential_with_ttl\t\
     result=success",
    "info {A}setData\tznode=/a\tresult=success",
    "error {A}setData\tznode=/a\tresult=failure",
    "info {A}setAcl\tznode=/c\tacl=ip:A:raworld:anyone:cdrwa\tresult=success",
    "error {A}setAcl\tznode=/none\tacl=ip:A:raworld:anyone:cdrwa\tresult=failure",
    "info {A}delete\tznode=/c\tresult=success",
    "error {A}delete\tznode=/c\tresult=failure",
    "error {A}reconfig\tresult=failure",
    "info {A}create\tznode=/m\tznode_type=persistent\tresult=success",
    "info {A}create\tznode=/m/s-0000000000\tresult=success",
    "info {A}create\tznode=/m/t\tresult=success",
    "info {A}create\tznode=/m/c\tznode_type=container\tresult=success",
    "info {A}setData\tznode=/m\tresult=success",
    "info {A}delete\tznode=/m/c\tresult=success",
    "error {A}multiOperation\tresult=failure",
    "error {A}create\tznode=bad\tznode_type=persistent\tresult=failure",
    "error {A}create\tznode_type=persistent\tresult=failure",
    "info {B}delete\tznode=/m/t\tresult=success",
    "info {B}create\tznode=/e\tznode_type=ephemeral\tresult=success",
    "info {U}CLOSE\tznode=/a/s-0000000000\tresult=success",
    "info {U}CLOSE\tznode=/e\tresult=success",
    "info user=U\top=serverStop\tresult=invoked",
];

fn audited(options: Options) -> Options {
    let apache = options.kind.is_apache();
    let options = options.property("zookeeper.audit.enable", "true");
    match apache {
        true => options.property("org.apache.logging.log4j.level", "INFO"),
        false => options,
    }
}

/// The lines so far, as level and text, with what differs from run to run replaced. A genuine server
/// writes the names of a client in the order of a hash table.
fn lines(server: &Server, session: i64) -> Vec<String> {
    let session = format!("session=0x{session:x}\t");
    let output = server.output();
    let found = output.lines().filter_map(|line| {
        let start = line.find("session=0x").or_else(|| line.find("user="))?;
        if !line.contains("\tresult=") {
            return None;
        }
        let level = if line[..start].to_lowercase().contains("error") { "error" } else { "info" };
        let text = line[start..].replace(&session, "session=S\t");
        let text = text.replace("127.0.0.1", "A").replace("user=ann,A", "user=A,ann");
        Some(format!("{level} {text}"))
    });
    found.collect()
}

fn wait_lines(server: &Server, session: i64, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = lines(server, session);
        if found.len() >= count || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn change(conn: &mut Conn) {
    conn.create("/a", flags::PERSISTENT);
    conn.create("/a/s-", flags::EPHEMERAL_SEQUENTIAL);
    conn.code(Op::CREATE, &record::create("/a", b"", flags::EPHEMERAL));
    conn.ok(Op::CREATE_CONTAINER, &record::create("/c", b"", flags::CONTAINER));
    conn.ok(Op::CREATE_TTL, &record::create_ttl("/t", 5, 1_000_000));
    conn.ok(Op::CREATE_TTL, &record::create_ttl("/t", 6, 1_000_000));
    conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"x"), -1));
    conn.code(Op::SET_DATA, &record::set_data("/a", Some(b"x"), 77));
    let acl = [Acl::new(perms::READ | perms::ADMIN, "ip", "127.0.0.1"), Acl::open()[0].clone()];
    conn.ok(Op::SET_ACL, &record::set_acl("/c", &acl, -1));
    conn.code(Op::SET_ACL, &record::set_acl("/none", &acl, -1));
    conn.ok(Op::DELETE, &record::path_int("/c", -1));
    conn.code(Op::DELETE, &record::path_int("/c", -1));
    conn.code(Op::RECONFIG, &record::reconfig(None));
    conn.ok(
        Op::MULTI,
        &record::multi(&[
            (Op::CREATE, record::create("/m", b"", 0)),
            (Op::CREATE, record::create("/m/s-", b"", flags::PERSISTENT_SEQUENTIAL)),
            (Op::CHECK, record::path_int("/m", -1)),
            (Op::CREATE_TTL, record::create_ttl("/m/t", 5, 1_000_000)),
            (Op::CREATE_CONTAINER, record::create("/m/c", b"", 4)),
            (Op::SET_DATA, record::set_data("/m", Some(b"x"), -1)),
            (Op::DELETE, record::path_int("/m/c", -1)),
        ]),
    );
    let failing =
        [(Op::CREATE, record::create("/n", b"", 0)), (Op::DELETE, record::path_int("/none", -1))];
    conn.ok(Op::MULTI, &record::multi(&failing));
    conn.code(Op::CREATE, &record::create("bad", b"", 0));
    conn.code(Op::CREATE, &[0, 0, 0, 99]);
    conn.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    conn.ok(Op::DELETE, &record::path_int("/m/t", -1));
    conn.create("/e", flags::EPHEMERAL);
    conn.ok(Op::CLOSE_SESSION, &[]);
}

/// J27: the lines are those that a genuine server wrote in this test.
#[test]
fn changes_are_told_to_the_audit_log() {
    let mut server = server!(audited);
    let mut conn = Conn::open(server.address());
    change(&mut conn);
    let session = conn.session.session_id;
    wait_lines(&server, session, LINES.len() - 1);
    server.terminate(Duration::from_secs(20));
    let user = Command::new("id").arg("-un").output().expect("id is there").stdout;
    let user = String::from_utf8(user).expect("a name");
    let close = "ephemeralZNodeDeletionOnSessionCloseOrExpire";
    let whole = |line: &&str| {
        line.replace("{A}", "session=S\tuser=A\tip=A\toperation=")
            .replace("{B}", "session=S\tuser=A,ann\tip=A\toperation=")
            .replace("{U}", "session=S\tuser=U\toperation=")
            .replace("\top=", "\toperation=")
            .replace("CLOSE", close)
            .replace("user=U", &format!("user={}", user.trim()))
    };
    let expected: Vec<String> = LINES.iter().map(whole).collect();
    assert_eq!(lines(&server, session), expected);
}

/// J27: nothing is written unless it is asked for.
#[test]
fn the_audit_log_is_off_by_default() {
    let mut server = server!();
    let mut conn = Conn::open(server.address());
    change(&mut conn);
    let session = conn.session.session_id;
    server.terminate(Duration::from_secs(20));
    assert_eq!(lines(&server, session), [""; 0]);
}
