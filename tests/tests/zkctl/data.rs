//! One znode: get, set, create, stat, rm, acl, quota, multi, and zkCli's names for them.

use zk_tests::server::{Kind, Options, Server, free_address};
use zk_tests::tools;

use crate::{bad, fed, good, good_fed, zkctl};

pub fn check(server: &Server) {
    znodes(server);
    forms(server);
    modes(server);
    acls(server);
    quotas(server);
    multi(server);
    names_of_zkcli(server);
    exits(server);
}

fn znodes(server: &Server) {
    assert_eq!(good(server, &["create", "/d", "data"]), "/d\n");
    assert_eq!(good(server, &["create", "/d/json", "-o", "json"]), "[\"/d/json\"]\n");
    assert_eq!(good(server, &["get", "/d"]), "data\n");
    let json = good(server, &["-o", "json", "get", "/d"]);
    assert!(json.starts_with("{\"path\":\"/d\",\"data\":\"data\",\"stat\":{\"czxid\":"), "{json}");
    assert_eq!(good(server, &["set", "/d", "more", "-v", "0"]), "");
    let json = good(server, &["set", "/d", "again", "-v", "1", "-o", "json"]);
    assert!(json.contains("\"version\":2,") && json.contains("\"dataLength\":5,"), "{json}");
    let stat = good(server, &["stat", "/d"]);
    assert!(stat.contains("numChildren\t1\n") && stat.contains("version\t2\n"), "{stat}");
    let table = good(server, &["stat", "/d", "-o", "table"]);
    assert!(table.contains("ephemeralOwner  0x0\n"), "{table}");
    assert!(table.contains("kind            persistent\n"), "{table}");
    assert_eq!(good(server, &["create", "-p", "/d/x/y/z", "deep"]), "/d/x/y/z\n");
    assert_eq!(good(server, &["rm", "/d/json"]), "");
    assert_eq!(good(server, &["sync", "/d"]), "");
    assert_eq!(good(server, &["rm", "-n", "-R", "/d/x"]), "/d/x\n/d/x/y\n/d/x/y/z\n");
    assert_eq!(good(server, &["rm", "-R", "/d/x", "-o", "json"]), "{\"deleted\":3}\n");
}

fn forms(server: &Server) {
    good(server, &["create", "/d/bin", "--base64", "AAH//g=="]);
    let dump = "00000000  00 01 ff fe                                       |....|\n";
    assert_eq!(good(server, &["get", "/d/bin"]), dump);
    assert_eq!(good(server, &["get", "/d/bin", "--as", "base64"]), "AAH//g==\n");
    assert_eq!(good(server, &["get", "/d/bin", "--as", "text"]), "\0\u{1}\u{fffd}\u{fffd}\n");
    assert!(good(server, &["get", "/d/bin", "-o", "json"]).contains("\"data64\":\"AAH//g==\""));
    good_fed(server, &["set", "/d/bin", "--file", "-"], "{\"a\":[1]}");
    assert_eq!(good(server, &["get", "/d/bin", "--as", "raw"]), "{\"a\":[1]}");
    assert!(good(server, &["get", "/d/bin", "--as", "json"]).contains("  \"a\": [\n"));
    good(server, &["set", "/d/bin", "no json"]);
    assert!(bad(server, 1, &["get", "/d/bin", "--as", "json"]).contains("is no JSON"));
    assert!(bad(server, 2, &["set", "/d/bin", "-b", "%"]).contains("is no base64"));
    assert!(bad(server, 1, &["set", "/d/bin", "-f", "/no/such"]).contains("/no/such"));
}

fn modes(server: &Server) {
    assert_eq!(good(server, &["create", "/d/s-", "-s"]), "/d/s-0000000003\n");
    assert_eq!(good(server, &["create", "/d/s-", "-s", "-t", "60000"]), "/d/s-0000000004\n");
    good(server, &["create", "/d/ttl", "-t", "60000"]);
    good(server, &["create", "/d/con", "-c"]);
    // Gone with the session of the call that made it.
    assert_eq!(good(server, &["create", "/d/eph", "-e"]), "/d/eph\n");
    bad(server, 3, &["stat", "/d/eph"]);
    assert!(good(server, &["create", "/d/es-", "-e", "-s"]).starts_with("/d/es-00000000"));
    bad(server, 2, &["create", "/d/no", "-e", "-c"]);
}

fn acls(server: &Server) {
    good(server, &["create", "/d/acl", "x", "world:anyone:cdrwa"]);
    assert_eq!(good(server, &["acl", "get", "/d/acl"]), "world:anyone:cdrwa\n");
    assert_eq!(good(server, &["acl", "set", "/d/acl", "world:anyone:ra"]), "");
    let json = good(server, &["-o", "json", "acl", "get", "/d/acl"]);
    assert_eq!(json, "{\"path\":\"/d/acl\",\"acl\":[\"world:anyone:ra\"],\"aversion\":1}\n");
    assert!(bad(server, 6, &["set", "/d/acl", "y"]).contains("--auth"));
    bad(server, 5, &["acl", "set", "/d/acl", "world:anyone:r", "-v", "7"]);
    bad(server, 2, &["acl", "set", "/d/acl", "world:anyone:q"]);
    let auth = ["--auth", "digest:ann:secret"];
    good(server, &[&auth[..], &["create", "/d/own", "x", "auth::cdrwa"]].concat());
    assert!(bad(server, 6, &["get", "/d/own"]).contains("not permitted"));
    assert_eq!(good(server, &[&auth[..], &["get", "/d/own"]].concat()), "x\n");
    let tree = good(server, &[&auth[..], &["acl", "get", "-R", "/d/own"]].concat());
    assert!(tree.starts_with("/d/own\tdigest:ann:"), "{tree}");
    let who = good(server, &[&auth[..], &["whoami"]].concat());
    assert!(who.contains("digest\tann\n") && who.contains("ip\t127.0.0.1\n"), "{who}");
    let json = good(server, &[&auth[..], &["whoami", "-o", "json"]].concat());
    assert!(json.contains("{\"scheme\":\"digest\",\"user\":\"ann\"}"), "{json}");
    let json = good(server, &[&auth[..], &["acl", "get", "-R", "/d/own", "-o", "json"]].concat());
    assert!(json.starts_with("[{\"path\":\"/d/own\",\"acl\":[\"digest:ann:"), "{json}");
    let open = [&auth[..], &["acl", "set", "-R", "/d/own", "world:anyone:cdrwa"]].concat();
    assert_eq!(good(server, &open), "");
    assert!(bad(server, 2, &["--auth", "secret", "ls", "/"]).contains("scheme:auth"));
}

fn quotas(server: &Server) {
    good(server, &["create", "/q", "12345"]);
    good(server, &["create", "/q/a"]);
    assert_eq!(good(server, &["quota", "set", "-n", "10", "-B", "1000", "/q"]), "");
    assert_eq!(good(server, &["quota", "list", "/q"]), "/q\t2\t10\t-\t5\t-\t1000\n");
    let json = good(server, &["-o", "json", "quota", "list"]);
    assert!(
        json.contains("\"path\":\"/q\",\"znodes\":2,\"count\":10,\"hard_count\":null"),
        "{json}"
    );
    assert!(bad(server, 2, &["quota", "set", "-n", "1", "/q/a"]).contains("/q has one"));
    assert!(bad(server, 2, &["quota", "set", "/q"]).contains("no limit"));
    let warned = zkctl(server.address(), &["quota", "set", "-n", "1", "/q"]);
    assert_eq!(warned.exit, 0);
    assert!(warned.error.contains("holds 2 znodes already"), "{warned:?}");
    assert_eq!(good(server, &["quota", "del", "-n", "/q"]), "");
    assert_eq!(good(server, &["listquota", "/q"]), "/q\t2\t-\t-\t5\t-\t1000\n");
    assert_eq!(good(server, &["quota", "del", "/q"]), "");
    assert!(bad(server, 3, &["quota", "list", "/q"]).contains("it has none"));
    assert_eq!(good(server, &["quota", "list"]), "");
    assert_eq!(good(server, &["setquota", "-N", "5", "/q"]), "");
    assert_eq!(good(server, &["delquota", "/q"]), "");
    assert_eq!(good(server, &["rm", "-R", "/q"]), "");
}

fn multi(server: &Server) {
    let lines = "# made at once\ncreate /m 'two words'\nset /m more\ncheck /m -v 1\n\
        {\"op\":\"create\",\"path\":\"/m/b\",\"data64\":\"/w==\"}\n";
    let out = good_fed(server, &["multi", "-"], lines);
    assert_eq!(out, "create\t/m\t-\nset\t/m\t1\ncheck\t/m\t-\ncreate\t/m/b\t-\n");
    let ran = fed(server.address(), &["multi", "-"], "set /m x\ncheck /m -v 9\ndelete /m/b\n");
    assert_eq!(ran.exit, 5, "{ran:?}");
    assert!(ran.error.contains("nothing was done: operation 2: check /m"), "{ran:?}");
    assert_eq!(good(server, &["get", "/m"]), "more\n");
    let ran = fed(server.address(), &["multi", "-"], "fly /m\n");
    assert_eq!((ran.exit, ran.error.contains("line 1")), (2, true), "{ran:?}");
    let out = good_fed(server, &["-o", "json", "multi", "-"], "delete /m/b\ndelete /m -v 1\n");
    assert!(out.starts_with("[{\"op\":\"delete\",\"path\":\"/m/b\","), "{out}");
}

fn names_of_zkcli(server: &Server) {
    good(server, &["create", "/z"]);
    good(server, &["create", "/z/a"]);
    assert_eq!(good(server, &["getAllChildrenNumber", "/z"]), "1\n");
    assert_eq!(good(server, &["getAllChildrenNumber", "/z", "-o", "json"]), "[1]\n");
    assert_eq!(good(server, &["getEphemerals", "/z"]), "");
    assert_eq!(good(server, &["getEphemerals", "/z", "-o", "json"]), "[]\n");
    let acl = ["setAcl", "/z", "world:anyone:cdrwa", "-o", "json"];
    assert!(good(server, &acl).contains("\"aversion\":1,"));
    assert_eq!(good(server, &["getAcl", "/z"]), "world:anyone:cdrwa\n");
    assert_eq!(good(server, &["setAcl", "/z", "world:anyone:cdrwa"]), "");
    assert_eq!(good(server, &["addWatch", "/z"]), "");
    assert_eq!(good(server, &["addauth", "digest", "a:b"]), "");
    assert_eq!(good(server, &["close"]), "");
    bad(server, 11, &["delete", "/z"]);
    assert_eq!(good(server, &["delete", "/z/a"]), "");
    assert_eq!(good(server, &["deleteall", "/z"]), "");
    assert!(bad(server, 1, &["removewatches", "/z"]).contains("no such watch"));
    assert!(bad(server, 2, &["history"]).contains("zkctl shell"));
    assert_eq!(good(server, &["version"]), concat!(env!("CARGO_PKG_VERSION"), "\n"));
}

fn exits(server: &Server) {
    for (words, exit) in [
        (&["get", "/none"][..], 3),
        (&["create", "/d"], 4),
        (&["set", "/d", "x", "-v", "77"], 5),
        (&["set", "/zookeeper/config", "x"], 6),
        (&["get", "relative"], 2),
        (&["create", "/d//x"], 2),
        (&["fly", "/a"], 2),
        (&[], 2),
        (&["--timeout", "-1", "ls", "/"], 2),
        (&["rm", "/d"], 11),
        (&["rm", "-R", "/"], 2),
        (&["rm", "-R", "/d", "--limit", "2"], 9),
        (&["-s", ",", "ls", "/"], 2),
    ] {
        let error = bad(server, exit, words);
        assert!(error.starts_with("zkctl: ") || error.starts_with("error: "), "{error}");
    }
    assert_eq!(good(server, &["deleteall", "/d"]), "");
}

#[test]
fn nobody_there_is_told_at_once() {
    let began = std::time::Instant::now();
    for words in [&["ls", "/"][..], &["srvr"], &["sessions"], &["bench"]] {
        let ran = zkctl(free_address(), words);
        assert_eq!((ran.exit, ran.out.as_str()), (7, ""), "{words:?}: {ran:?}");
        assert!(ran.error.contains("-s"), "the remedy is named: {ran:?}");
    }
    assert!(began.elapsed().as_secs() < 30);
}

#[test]
fn the_first_server_that_serves_is_taken_and_a_chroot_stands_before_every_path() {
    let Some(server) = tools::need(Server::start(Options::new(Kind::Ours))) else { return };
    good(&server, &["create", "/base", "r"]);
    let list = format!("{},{}/base", free_address(), server.address());
    let run = |words: &[&str]| {
        let ran = crate::finish(crate::spawn(&list, words));
        assert_eq!(ran.exit, 0, "{words:?}: {ran:?}");
        ran.out
    };
    assert_eq!(run(&["create", "/a", "x"]), "/a\n");
    assert_eq!(run(&["get", "/"]), "r\n");
    assert_eq!(good(&server, &["get", "/base/a"]), "x\n");
    let bench = run(&["bench", "read", "-t", "0.2", "--warmup", "0", "-z", "10", "-o", "json"]);
    assert!(bench.contains("\"errors\":{}"), "{bench}");
    assert_eq!(run(&["ls", "/"]), "a\n");
}
