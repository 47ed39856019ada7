//! Group L: four-letter words.

use std::time::{Duration, Instant};

use zk_tests::fixture::Conn;
use zk_tests::raw::{PATIENCE, Raw};
use zk_tests::record;
use zk_tests::words::{ask, field};
use zk_wire::Op;

use crate::server;

/// The text with every number replaced: hexadecimal ones by `0xH`, others by `N`.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("0x") {
            let digits = hex.chars().take_while(char::is_ascii_hexdigit).count();
            out.push_str("0xH");
            rest = &hex[digits..];
        } else if c.is_ascii_digit() {
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            out.push('N');
            rest = &rest[digits..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// L1, L2: only `srvr` is answered unless the list says more; the others say why not.
#[test]
fn words_must_be_on_the_list() {
    let refusal =
        |word: &str| format!("{word} is not executed because it is not in the whitelist.\n");
    let server = server!(|options| options.line("4lw.commands.whitelist=srvr, ruok"));
    assert_eq!(ask(server.address(), "ruok"), "imok");
    for word in [
        "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "stmk", "hash", "isro", "mntr",
        "srst", "stat", "wchs", "wchc", "wchp",
    ] {
        assert_eq!(ask(server.address(), word), refusal(word));
    }
    assert!(ask(server.address(), "srvr").contains("Mode: standalone"));
}

/// L1: four letters that are no word are a length, and much too large a one.
#[test]
fn other_letters_are_a_length() {
    let server = server!();
    let mut raw = Raw::open(server.address());
    raw.send(b"abcd");
    assert_eq!(raw.rest(), b"");
}

/// L3: answers without a line end.
#[test]
fn short_answers() {
    let server = server!();
    let address = server.address();
    assert_eq!(ask(address, "ruok"), "imok");
    assert_eq!(ask(address, "isro"), "rw");
    let mask = ask(address, "gtmk");
    assert!(mask.parse::<u64>().is_ok(), "{mask:?}");
    assert_eq!(ask(address, "stmk\0\0\0\0\0\0\x01\x02"), "258");
    assert_eq!(ask(address, "gtmk"), "258");
}

const SRVR: [&str; 9] = [
    "Latency min/avg/max: N/N.N/N",
    "Received: N",
    "Sent: N",
    "Connections: N",
    "Outstanding: N",
    "Zxid: 0xH",
    "Mode: standalone",
    "Node count: N",
    "",
];

/// L4: srvr, label by label.
#[test]
fn srvr_has_these_lines() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    let text = ask(server.address(), "srvr");
    let (version, rest) = text.split_once('\n').expect("lines");
    assert!(version.starts_with("Zookeeper version: 3.9."), "{version}");
    assert!(version.contains(", built on ") && version.ends_with(" UTC"), "{version}");
    let lines: Vec<String> = masked(rest).split('\n').map(str::to_owned).collect();
    assert_eq!(lines, SRVR);
    assert_eq!(field(&text, "Zxid"), Some("0x2"));
    assert_eq!(field(&text, "Node count"), Some("6"));
    assert_eq!(field(&text, "Connections"), Some("2"), "this one and the session's");
}

/// L5: stat is srvr with the clients behind the version.
#[test]
fn stat_lists_the_clients() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    let text = ask(server.address(), "stat");
    let text = masked(text.split_once('\n').expect("lines").1);
    let lines: Vec<&str> = text.split('\n').collect();
    let client = " /N.N.N.N:N[N](queued=N,recved=N,sent=N)";
    assert_eq!(lines[0], "Clients:");
    assert_eq!(lines[1..3], [client, client]);
    assert_eq!(lines[3], "");
    assert_eq!(lines[4..], SRVR);
}

/// L6: conf of a standalone server, line by line.
#[test]
fn conf_has_these_lines() {
    let server = server!();
    let text = ask(server.address(), "conf");
    let keys: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
    let expected = [
        "clientPort",
        "secureClientPort",
        "dataDir",
        "dataDirSize",
        "dataLogDir",
        "dataLogSize",
        "tickTime",
        "maxClientCnxns",
        "minSessionTimeout",
        "maxSessionTimeout",
        "clientPortListenBacklog",
        "serverId",
    ];
    assert_eq!(keys, expected);
    let port = server.address().port().to_string();
    let value = |key| field(&text, key).expect("a value");
    assert_eq!((value("clientPort"), value("secureClientPort")), (port.as_str(), "-1"));
    assert_eq!((value("tickTime"), value("maxClientCnxns"), value("serverId")), ("2000", "0", "0"));
    assert_eq!((value("minSessionTimeout"), value("maxSessionTimeout")), ("4000", "40000"));
    assert!(value("dataDir").ends_with("/data/version-2"), "{text}");
}

/// L7: cons, one line per connection, and crst.
#[test]
fn cons_describes_each_connection() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    let text = ask(server.address(), "cons");
    let id = format!("sid={:#x},", conn.session.session_id);
    let line = text.lines().find(|line| line.contains(&id)).expect("the line of the session");
    assert!(line.contains("lop=CREA,") && line.contains("to=30000,"), "{line}");
    assert_eq!(
        masked(line),
        " /N.N.N.N:N[N](queued=N,recved=N,sent=N,sid=0xH,lop=CREA,est=N,to=N,lcxid=0xH,lzxid=0xH,\
         lresp=N,llat=N,minlat=N,avglat=N,maxlat=N)"
    );
    assert!(text.ends_with("\n\n"), "an empty line ends the list");
    assert_eq!(ask(server.address(), "crst"), "Connection stats reset.\n");
    let text = ask(server.address(), "cons");
    let line = text.lines().find(|line| line.contains(&id)).expect("the line of the session");
    assert!(line.contains("lop=NA,") && line.contains("recved=0,"), "{line}");
    conn.ok(Op::GET_DATA, &record::path_watch("/a", false));
    assert!(ask(server.address(), "cons").contains("lop=GETD,"));
}

/// L8: mntr, tab between key and value; the keys that every exporter reads.
#[test]
fn mntr_has_these_keys() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    conn.create("/e", 1);
    conn.ok(Op::GET_DATA, &record::path_watch("/a", true));
    let text = ask(server.address(), "mntr");
    for line in text.lines() {
        let (key, value) = line.split_once('\t').expect("a tab");
        assert!(key.starts_with("zk_") && !value.is_empty(), "{line}");
    }
    assert!(text.starts_with("zk_version\t3.9."), "{text}");
    assert_eq!(text.lines().nth(1), Some("zk_server_state\tstandalone"));
    for (key, value) in [
        ("zk_znode_count", "7"),
        ("zk_ephemerals_count", "1"),
        ("zk_watch_count", "1"),
        ("zk_outstanding_requests", "0"),
    ] {
        assert_eq!(field(&text, key), Some(value), "{key}");
    }
    for key in [
        "zk_avg_latency",
        "zk_max_latency",
        "zk_min_latency",
        "zk_packets_received",
        "zk_packets_sent",
        "zk_num_alive_connections",
        "zk_approximate_data_size",
        "zk_open_file_descriptor_count",
        "zk_max_file_descriptor_count",
        "zk_global_sessions",
        "zk_uptime",
    ] {
        let value = field(&text, key).unwrap_or_else(|| panic!("{key} is missing"));
        assert!(value.parse::<f64>().is_ok(), "{key} {value}");
    }
}

/// L9: dump: sessions, ephemerals, connections.
#[test]
fn dump_shows_sessions_and_ephemerals() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/e", 1);
    let text = ask(server.address(), "dump");
    let id = format!("{:#x}", conn.session.session_id);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "SessionTracker dump:");
    assert_eq!(masked(lines[1]), "Session Sets (N)/(N):");
    assert!(text.contains(&format!("\n\t{id}\n")), "{text}");
    let ephemerals = format!("ephemeral nodes dump:\nSessions with Ephemerals (1):\n{id}:\n\t/e\n");
    assert!(text.contains(&ephemerals), "{text}");
    assert!(text.contains("Connections dump:\n"), "{text}");
    let expires = lines.iter().find(|line| line.contains(" expire at ")).expect("a set");
    assert!(masked(expires).starts_with("N expire at "), "{expires}");
}

/// L10: watches, counted, by session and by path; watches of children are not shown.
#[test]
fn watches_are_shown() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let mut other = Conn::open(server.address());
    conn.create("/a", 0);
    conn.ok(Op::GET_DATA, &record::path_watch("/a", true));
    conn.ok(Op::GET_DATA, &record::path_watch("/", true));
    conn.ok(Op::GET_CHILDREN, &record::path_watch("/a", true));
    other.ok(Op::EXISTS, &record::path_watch("/a", true));
    let address = server.address();
    assert_eq!(ask(address, "wchs"), "2 connections watching 2 paths\nTotal watches:3\n");
    let (first, second) = (conn.session.session_id, other.session.session_id);
    let by_session = ask(address, "wchc");
    assert!(by_session.contains(&format!("{second:#x}\n\t/a\n")), "{by_session}");
    let by_path = ask(address, "wchp");
    assert!(by_path.contains(&format!("/\n\t{first:#x}\n")), "{by_path}");
    for text in [by_session, by_path] {
        assert!(text.ends_with("\n\n"), "{text:?}");
    }
}

/// L11: environment, directories, hashes, counters.
#[test]
fn the_other_words() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    let address = server.address();
    let envi = ask(address, "envi");
    assert!(envi.starts_with("Environment:\n"), "{envi}");
    for key in ["zookeeper.version", "host.name", "os.name", "os.arch", "user.name", "user.dir"] {
        assert!(field(&envi, key).is_some(), "{key} in {envi}");
    }
    assert_eq!(masked(&ask(address, "dirs")), "datadir_size: N\nlogdir_size: N\n");
    assert_eq!(ask(address, "srst"), "Server stats reset.\n");
    let received = ask(address, "srvr");
    let received = field(&received, "Received").expect("a count").parse::<u32>().expect("a number");
    assert!(received <= 2, "{received}");
}

/// L11: hash lists the digest of the tree at every zxid that 128 divides.
#[test]
fn hash_lists_digests() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for at in 0..300 {
        conn.create(&format!("/n{at}"), 0);
    }
    // The digests are noted as the transactions are applied.
    let text = ask(server.address(), "hash");
    let zxids: Vec<&str> = text.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(zxids, ["80", "100"], "{text}");
    for line in text.lines() {
        let digest = line.split_once(": ").expect("a digest").1;
        assert!(digest.parse::<i64>().is_ok(), "{line}");
    }
}

/// L14: what stands behind the word does no harm, nor does an end of the client's sending.
#[test]
fn a_word_may_come_with_a_line_end() {
    let server = server!();
    let mut raw = Raw::open(server.address());
    raw.send(b"ruok\n");
    raw.half_close();
    assert_eq!(raw.rest(), b"imok");
    let started = Instant::now();
    let mut slow = Raw::open(server.address());
    for letter in b"srvr" {
        slow.send(&[*letter]);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(String::from_utf8(slow.rest()).expect("text").contains("Mode: standalone"));
    assert!(started.elapsed() < PATIENCE);
}
