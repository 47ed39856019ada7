//! The audit log in an ensemble: each change is told by the server whose client asked for it.

use std::collections::BTreeMap;

use zk_tests::ensemble::Ensemble;
use zk_tests::fixture::Conn;
use zk_tests::server::Kind;
use zk_tests::tools::Release;
use zk_tests::{record, tools};
use zk_wire::Op;
use zk_wire::request::flags;

/// The operations, paths and results that each server has told.
fn told(ensemble: &Ensemble) -> Vec<BTreeMap<String, u64>> {
    let of = |output: String| {
        let mut found = BTreeMap::new();
        for line in output.lines().filter(|line| line.contains("session=0x")) {
            let Some((_, what)) = line.split_once("\toperation=") else { continue };
            *found.entry(what.to_owned()).or_default() += 1;
        }
        found
    };
    ensemble.servers.iter().map(|server| of(server.output())).collect()
}

fn change(conn: &mut Conn, name: &str) {
    conn.create(name, flags::PERSISTENT);
    conn.code(Op::CREATE, &record::create(name, b"", flags::EPHEMERAL));
    conn.create(&format!("{name}-e"), flags::EPHEMERAL);
    conn.ok(Op::SET_DATA, &record::set_data(name, Some(b"x"), -1));
    conn.ok(Op::MULTI, &record::multi(&[(Op::DELETE, record::path_int(name, -1))]));
    conn.code(Op::DELETE, &record::path_int(name, -1));
}

/// What the server tells that the client of these changes is connected to.
fn lines(name: &str) -> [String; 6] {
    [
        format!("create\tznode={name}\tznode_type=persistent\tresult=success"),
        format!("create\tznode={name}\tznode_type=ephemeral\tresult=failure"),
        format!("create\tznode={name}-e\tznode_type=ephemeral\tresult=success"),
        format!("setData\tznode={name}\tresult=success"),
        format!("delete\tznode={name}\tresult=success"),
        format!("delete\tznode={name}\tresult=failure"),
    ]
}

/// Goal: changes that a follower or an observer hands to the leader are told by the former, once, and
/// by nobody else; the ephemerals of a session that ends by every server. Genuine servers do the
/// same in this test.
#[test]
fn each_server_tells_the_changes_of_its_own_clients() {
    for kind in [Kind::Ours, Kind::Apache(Release::Apache39)] {
        let servers = [(kind, "participant"), (kind, "participant"), (kind, "observer")];
        let mut properties = vec![("zookeeper.audit.enable", "true")];
        if kind.is_apache() {
            properties.push(("org.apache.logging.log4j.level", "INFO"));
        }
        let started = Ensemble::start_with(&servers, &[], &properties);
        let Some(mut ensemble) = tools::need(started) else { return };
        ensemble.wait_serving(3);
        for at in 0..3 {
            let mut conn = Conn::open(ensemble.address(at));
            change(&mut conn, &format!("/n{at}"));
            conn.ok(Op::CLOSE_SESSION, &[]);
        }
        let gone = |at: usize| {
            let operation = "ephemeralZNodeDeletionOnSessionCloseOrExpire";
            format!("{operation}\tznode=/n{at}-e\tresult=success")
        };
        let expected = |at: usize| -> BTreeMap<String, u64> {
            let own = lines(&format!("/n{at}"));
            own.into_iter().chain((0..3).map(gone)).map(|line| (line, 1)).collect()
        };
        let all = [0, 1, 2].map(expected);
        let whole = |all: &mut Ensemble, count: usize| {
            told(all).iter().all(|lines| lines.values().sum::<u64>() as usize >= count)
        };
        ensemble.wait_until("all lines", |ensemble| whole(ensemble, 9));
        assert_eq!(told(&ensemble), all, "{kind:?}");
    }
}
