//! The text of a configuration, as Apache's servers (3.8.0 and 3.10) read and write it.

use zk_wire::ensemble::{Ensemble, Fault, Rules};

const RULES: Rules = Rules { standalone: true, several_addresses: false, secure_clients: false };

fn parse(text: &str) -> Result<Ensemble, Fault> {
    Ensemble::parse(text, &RULES).map_err(|error| error.fault)
}

#[test]
fn the_normal_form_is_apaches() {
    let given = "server.1=127.0.0.1:2888:3888:participant\n\
        server.2=127.0.0.2:2888:3888:participant;127.0.0.2:2181\n\
        server.3=[::1]:2888:3888:observer;2181\n\
        server.10=127.0.0.4:2888:3888\n\
        version=100000003\n";
    let normal = "server.1=127.0.0.1:2888:3888:participant\n\
        server.2=127.0.0.2:2888:3888:participant;127.0.0.2:2181\n\
        server.3=[0:0:0:0:0:0:0:1]:2888:3888:observer;0.0.0.0:2181\n\
        server.10=127.0.0.4:2888:3888:participant\n\
        version=100000003";
    let ensemble = parse(given).expect("a good text");
    assert_eq!(ensemble.to_string(), normal);
    assert_eq!(ensemble.version, 0x1_0000_0003);
    assert_eq!(ensemble.voters().collect::<Vec<_>>(), [1, 2, 10]);
    assert_eq!(parse(normal), Ok(ensemble));
}

#[test]
fn groups_and_weights_follow_the_servers() {
    let servers = "server.1=h:1:2:participant\nserver.2=i:1:2:participant\n\
        server.3=j:1:2:participant\n";
    let given = format!("weight.2=0\ngroup.7=1:2\n{servers}group.1=3\n");
    let normal =
        format!("{servers}group.1=3\ngroup.7=1:2\nweight.1=1\nweight.2=0\nweight.3=1\nversion=0");
    assert_eq!(parse(&given).expect("a good text").to_string(), normal);
}

/// Hash order: the bucket of a key is its lowest bits, as many as the size of the table asks for.
#[test]
fn servers_stand_in_the_order_of_a_hash_map() {
    let line = |sid: i64| format!("server.{sid}=h{sid}:1:2:participant\n");
    let order = |sids: &[i64]| {
        let text: String = sids.iter().map(|sid| line(*sid)).collect();
        let text = parse(&text).expect("a good text").to_string();
        let ids = text.lines().filter_map(|l| l.strip_prefix("server.")?.split_once('='));
        ids.map(|(sid, _)| sid.parse().expect("an id")).collect::<Vec<i64>>()
    };
    assert_eq!(order(&[3, 18, 20, 1]), [1, 18, 3, 20]);
    let thirteen: Vec<i64> = (16..29).collect();
    assert_eq!(order(&thirteen), thirteen);
    assert_eq!(order(&[250, 65_536, 7]), [65_536, 7, 250]);
}

#[test]
fn hosts_are_printed_as_java_prints_them() {
    for (given, printed) in [
        ("zk-1.example", "zk-1.example"),
        ("ZK1", "ZK1"),
        ("127.1", "127.0.0.1"),
        ("010.0.0.1", "10.0.0.1"),
        ("[FE80::A:0]", "[fe80:0:0:0:0:0:a:0]"),
        ("[::ffff:10.0.0.9]", "10.0.0.9"),
        ("1.2.3.4.5", "1.2.3.4.5"),
        ("256.0.0.1", "256.0.0.1"),
    ] {
        let text = parse(&format!("server.1={given}:1:2")).expect("a good text").to_string();
        assert_eq!(text, format!("server.1={printed}:1:2:participant\nversion=0"));
    }
}

#[test]
fn several_addresses_are_sorted_and_named_once() {
    let rules = Rules { several_addresses: true, ..RULES };
    let text = "server.1=b:1:2|[::2]:3:4|a:5:6:observer\nserver.2=h:1:2";
    let read = Ensemble::parse(text, &Rules { standalone: false, ..rules }).expect("a good text");
    let normal = "server.1=[0:0:0:0:0:0:0:2]:3:4|a:5:6|b:1:2:observer\n\
        server.2=h:1:2:participant\nversion=0";
    assert_eq!(read.to_string(), normal);
    let fault = |text: &str| Ensemble::parse(text, &rules).unwrap_err().fault;
    assert_eq!(fault("server.1=a:1:2:observer|b:1:2:participant"), Fault::RolesDiffer);
    assert_eq!(fault("server.1=a:1:2|a:3:4"), Fault::SameHost);
    assert_eq!(parse("server.1=a:1:2|b:1:2"), Err(Fault::SeveralAddresses));
}

#[test]
fn secure_clients_are_of_3_10() {
    let rules = Rules { secure_clients: true, ..RULES };
    for (given, printed) in [
        (";;127.0.0.1:2281", ";;127.0.0.1:2281"),
        (";2181;2281", ";0.0.0.0:2181;0.0.0.0:2281"),
        (";;2281", ";;0.0.0.0:2281"),
        (";", ""),
    ] {
        let text = format!("server.1=h:1:2:participant{given}");
        let read = Ensemble::parse(&text, &rules).expect("a good text").to_string();
        assert_eq!(read, format!("server.1=h:1:2:participant{printed}\nversion=0"));
    }
    assert_eq!(parse("server.1=h:1:2;2181;2281"), Err(Fault::Form));
}

/// The verdicts of genuine servers: taken, logged, or the end of the thread that hears the others.
#[test]
fn the_verdicts_are_apaches() {
    #[derive(Debug, PartialEq)]
    enum Verdict {
        Taken,
        Logged,
        Stops,
    }
    use Verdict::*;
    let one = "server.1=h:1:2\n";
    let two = "server.1=h:1:2\nserver.2=i:1:2\n";
    let cases: Vec<(String, Verdict, Verdict)> = vec![
        ("".into(), Taken, Stops),
        ("version=0".into(), Taken, Stops),
        ("version=zz".into(), Stops, Stops),
        (one.into(), Taken, Taken),
        (format!("{one}server.2=i:1:2:observer"), Stops, Taken),
        ("server.1=h:1:2:observer".into(), Stops, Stops),
        (format!("{two}weight.1=q"), Stops, Stops),
        ("server.x=h:1:2".into(), Stops, Stops),
        ("group.1=1:2".into(), Stops, Stops),
        (format!("{two}group.1=1"), Logged, Logged),
        (format!("{two}group.1=1:2\ngroup.2=2"), Logged, Logged),
        ("server.1=garbage".into(), Logged, Logged),
        ("server.1=h:1".into(), Logged, Logged),
        ("server.1=h:1:2:king".into(), Logged, Logged),
        ("server.1=h:2:2".into(), Logged, Logged),
        ("server.1=h:1:2;port".into(), Logged, Logged),
        ("server.1=h:1:70000".into(), Stops, Stops),
        ("server.1=h:1:2|i:1:2".into(), Logged, Logged),
        (format!("{two}clientPort=2181"), Logged, Logged),
        (format!("{two}version=\\u00"), Stops, Stops),
        ("server.1=h:1:2:PARTICIPANT\nserver.2=i:1:2:Observer".into(), Stops, Taken),
        ("server.1=garbage\nserver.1=h:1:2".into(), Taken, Taken),
    ];
    for (text, standalone, ensemble) in cases {
        for (flag, wanted) in [(true, standalone), (false, ensemble)] {
            let verdict = match Ensemble::parse(&text, &Rules { standalone: flag, ..RULES }) {
                Ok(_) => Taken,
                Err(error) if error.fault.stops_elections() => Stops,
                Err(_) => Logged,
            };
            assert_eq!(verdict, wanted, "{text:?}, standaloneEnabled={flag}");
        }
    }
}

#[test]
fn what_could_stop_a_server_is_known_before_it_is_sent() {
    let free = Rules { standalone: false, ..RULES };
    let harmless = |text: &str| Ensemble::parse(text, &free).expect("a good text").is_harmless();
    assert!(harmless("server.1=h:1:2"));
    assert!(harmless("server.1=h:1:2\nserver.2=i:1:2\nserver.3=j:1:2:observer"));
    assert!(!harmless("server.1=h:1:2\nserver.2=i:1:2:observer"));
    assert!(!Ensemble::default().is_harmless());
}

#[test]
fn the_version_does_not_tell_members_apart() {
    let one = parse("server.1=h:1:2\nversion=1").expect("a good text");
    let other = parse("version=2\nserver.1=h:1:2:participant").expect("a good text");
    assert!(one != other && one.same_members(&other));
    assert!(!one.same_members(&parse("server.1=h:1:3").expect("a good text")));
}

#[test]
fn errors_name_the_key_in_bounds() {
    let key = "ü".repeat(100);
    let error = Ensemble::parse(&format!("{key}=1"), &RULES).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is no key of a dynamic configuration", &key[..64]));
    let long = "#".repeat(zk_wire::ensemble::TEXT_BYTES_MAX + 1);
    assert_eq!(parse(&long), Err(Fault::Length));
}
