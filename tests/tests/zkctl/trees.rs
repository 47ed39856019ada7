//! Many znodes: ls, tree, find, du, ephemerals, export, import, cp, mv, diff.

use zk_tests::scratch::Scratch;
use zk_tests::server::{Kind, Server};
use zk_tests::tools::Release;

use crate::{bad, good, good_fed, server, zkctl};

pub fn check(server: &Server) {
    good(server, &["create", "/t", "root"]);
    good(server, &["create", "-p", "/t/a/b", "12345"]);
    good(server, &["create", "/t/c", "-b", "/w=="]);
    lists(server);
    archives(server);
    copies(server);
    assert_eq!(good(server, &["rm", "-R", "-y", "/t"]), "");
}

fn lists(server: &Server) {
    assert_eq!(good(server, &["ls", "/t"]), "a\nc\n");
    assert_eq!(good(server, &["ls", "/t", "-o", "json"]), "[\"a\",\"c\"]\n");
    assert_eq!(good(server, &["ls", "-R", "/t"]), "/t/a\n/t/a/b\n/t/c\n");
    let long = good(server, &["ls", "-l", "/t"]);
    assert!(long.starts_with("a\tpersistent\t0\t0\t1\t"), "{long}");
    let table = good(server, &["ls", "-l", "/t", "-o", "table"]);
    assert!(table.starts_with("NAME  KIND        BYTES  VERSION  CHILDREN  MODIFIED"), "{table}");
    assert!(good(server, &["ls", "-s", "/t"]).ends_with("numChildren\t2\n"));

    let tree = "/t\n├── a\n│   └── b\n└── c\n";
    assert_eq!(good(server, &["tree", "/t"]), tree);
    assert_eq!(good(server, &["tree", "/t", "-o", "table"]), format!("{tree}4 znodes\n"));
    assert_eq!(good(server, &["tree", "/t", "-d", "1"]), "/t\n├── a\n└── c\n");
    assert!(good(server, &["tree", "/t", "--data", "--sizes"]).contains("b (5 bytes) = 12345\n"));
    let json = good(server, &["tree", "/t", "-o", "json", "-d", "1"]);
    assert!(
        json.starts_with("{\"name\":\"t\",\"path\":\"/t\",\"bytes\":4,\"children\":["),
        "{json}"
    );

    assert_eq!(good(server, &["find", "/t", "-n", "?"]), "/t\n/t/a\n/t/a/b\n/t/c\n");
    assert_eq!(good(server, &["find", "/t", "--data", "234"]), "/t/a/b\n");
    assert_eq!(
        good(server, &["find", "/t", "--bytes", "4", "-o", "json"]),
        "[\"/t\",\"/t/a/b\"]\n"
    );
    assert_eq!(good(server, &["find", "/t", "--children", "2"]), "/t\n");
    assert_eq!(good(server, &["find", "/t", "-k", "ephemeral"]), "");

    assert_eq!(good(server, &["du", "/t"]), "5\t2\t/t/a\n1\t1\t/t/c\n10\t4\t/t\n");
    let json = good(server, &["du", "/t", "-l", "0", "-o", "json"]);
    assert_eq!(json, "[{\"bytes\":10,\"znodes\":4,\"path\":\"/t\"}]\n");

    good(server, &["create", "/t/secret", "x", "digest:nobody:x:r"]);
    let ran = zkctl(server.address(), &["find", "/t"]);
    // Since 3.9 who may not read gets no list of children; the rest is found all the same.
    assert!([0, 6].contains(&ran.exit) && ran.out.contains("/t/c\n"), "{ran:?}");
    good(server, &["delete", "/t/secret"]);

    let script = "create -e /t/mine\nephemerals /t\nephemerals /t -o json\n";
    let out = good_fed(server, &["shell"], script);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].starts_with("0x") && lines[1].ends_with("\t/t/mine"), "{out}");
    assert!(lines[2].starts_with("[{\"session\":\"0x") && lines[2].ends_with("\"/t/mine\"}]"));
    assert_eq!(good(server, &["ephemerals", "/t", "--session", "0x1"]), "");
    bad(server, 2, &["ephemerals", "/t", "--session", "x"]);
}

fn archives(server: &Server) {
    good(server, &["acl", "set", "/t/c", "world:anyone:cdra"]);
    let lines = good(server, &["export", "/t"]);
    assert_eq!(
        lines,
        "{\"path\":\"/t\",\"data\":\"root\",\"acl\":[\"world:anyone:cdrwa\"]}\n\
         {\"path\":\"/t/a\",\"data\":\"\",\"acl\":[\"world:anyone:cdrwa\"]}\n\
         {\"path\":\"/t/a/b\",\"data\":\"12345\",\"acl\":[\"world:anyone:cdrwa\"]}\n\
         {\"path\":\"/t/c\",\"data64\":\"/w==\",\"acl\":[\"world:anyone:cdra\"]}\n"
    );
    let home = Scratch::new("zkctl");
    let file = home.path().join("t.jsonl").display().to_string();
    assert_eq!(good(server, &["export", "/t", "-f", &file]), "");
    assert!(bad(server, 1, &["export", "/t", "-f", &file]).contains(&file));
    let out = good(server, &["import", "--to", "/t2/deep", &file]);
    assert_eq!(out, "written\t4\nskipped\t0\n");
    assert_eq!(good(server, &["diff", "/t", "/t2/deep", "--acl"]), "");
    assert!(zkctl(server.address(), &["import", "--to", "/t2/deep", &file]).exit == 4);
    let out = good(server, &["import", "--skip", "--to", "/t2/deep", &file, "-o", "json"]);
    assert_eq!(out, "{\"written\":0,\"skipped\":4}\n");
    // Lines of one's own, from standard input.
    let own = "{\"path\":\"/t2/own\",\"data\":\"x\",\"mode\":\"container\"}\n";
    assert_eq!(good_fed(server, &["import"], own), "written\t1\nskipped\t0\n");
    assert_eq!(good(server, &["get", "/t2/own"]), "x\n");
    let wrong = crate::fed(server.address(), &["import"], "{\"path\":\"/t2/x\"}\nno\n");
    assert!(wrong.exit == 2 && wrong.error.contains("line 2"), "{wrong:?}");
    good(server, &["rm", "-R", "/t2"]);
}

fn copies(server: &Server) {
    assert_eq!(good(server, &["cp", "/t", "/copy"]), "written\t4\nskipped\t0\n");
    assert_eq!(good(server, &["diff", "/t", "/copy", "-o", "json"]), "[]\n");
    assert!(bad(server, 2, &["cp", "/t", "/t/a/x"]).contains("copy itself"));
    bad(server, 4, &["cp", "/t", "/copy"]);
    bad(server, 3, &["cp", "/none", "/copy2"]);
    good(server, &["create", "/copy/new", "n"]);
    good(server, &["set", "/copy/a/b", "other"]);
    good(server, &["rm", "/copy/c"]);
    let ran = zkctl(server.address(), &["diff", "/t", "/copy"]);
    assert_eq!(ran.exit, 10, "{ran:?}");
    assert_eq!(
        ran.out,
        "data\ta/b\t12345\tother\nremoved\tc\t(1 bytes, no text)\t-\nadded\tnew\t-\tn\n"
    );
    assert_eq!(good(server, &["mv", "/copy", "/moved/here"]), "written\t4\nskipped\t0\n");
    bad(server, 3, &["stat", "/copy"]);
    assert_eq!(good(server, &["get", "/moved/here/new"]), "n\n");
    assert_eq!(
        good(server, &["cp", "--overwrite", "/t", "/moved/here", "-o", "json"]),
        "{\"written\":4,\"skipped\":0}\n"
    );
    good(server, &["rm", "-R", "/moved"]);
}

#[test]
fn subtrees_go_from_one_ensemble_to_another() {
    let (Some(ours), Some(apache)) = (server(Kind::Ours), server(Kind::Apache(Release::Apache39)))
    else {
        return;
    };
    let there = apache.address().to_string();
    good(&ours, &["create", "/a", "x"]);
    for at in 0..10 {
        let line = format!("create /a/{at:03} {at}\n");
        assert_eq!(good_fed(&ours, &["multi", "-"], &line), format!("create\t/a/{at:03}\t-\n"));
    }
    assert_eq!(
        good(&ours, &["cp", "/a", "/a", "--to-servers", &there]),
        "written\t11\nskipped\t0\n"
    );
    assert_eq!(good(&ours, &["diff", "/a", "/a", "--acl", "--to-servers", &there]), "");
    assert_eq!(good(&apache, &["get", "/a/007"]), "7\n");
    let back = ours.address().to_string();
    let out = good(&apache, &["mv", "/a", "/back", "--to-servers", &back]);
    assert_eq!(out, "written\t11\nskipped\t0\n");
    bad(&apache, 3, &["stat", "/a"]);
    assert_eq!(good(&ours, &["diff", "/a", "/back"]), "");
}

#[test]
fn a_large_subtree_is_deleted_only_when_confirmed() {
    let Some(server) = server(Kind::Ours) else { return };
    good(&server, &["create", "/big"]);
    let lines: String = (0..450).map(|at| format!("create /big/n{at}\n")).collect();
    good_fed(&server, &["multi", "-"], &lines);
    let error = bad(&server, 9, &["rm", "-R", "/big"]);
    assert!(error.contains("451 znodes") && error.contains("--yes"), "{error}");
    assert_eq!(good(&server, &["rm", "-R", "/big", "--yes", "-o", "json"]), "{\"deleted\":451}\n");
    assert_eq!(good(&server, &["ls", "/"]), "zookeeper\n");
}
