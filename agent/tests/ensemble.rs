//! Files of ensembles: what they make, and what is refused and how.

use std::fs;
use std::path::PathBuf;

use zk_agent::settings::{Settings, Source, load};
use zk_core::LocalSessions;

/// A data directory with a `myid` and a file beside it, gone at the end of the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, myid: Option<&str>) -> Place {
        let path = std::env::temp_dir().join(format!("zk-agent-{}-e-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        if let Some(myid) = myid {
            fs::write(path.join("myid"), myid).unwrap();
        }
        Place(path)
    }

    /// A file with these lines behind dataDir, which is the first one.
    fn source(&self, lines: &str) -> Source {
        let file = self.0.join("zoo.cfg");
        fs::write(&file, format!("dataDir={}\n{lines}\n", self.0.display())).unwrap();
        Source { file: Some(file), ..Source::default() }
    }

    /// Reads such a file.
    fn load(&self, lines: &str) -> Result<Settings, String> {
        load(&self.source(lines))
            .map_err(|refusal| refusal.to_string().replace(&format!("{}/", self.0.display()), ""))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LIMITS: &str = "clientPort=2181\ninitLimit=10\nsyncLimit=5\n";
const THREE: &str = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888";

#[test]
fn an_ordinary_file_makes_an_ensemble() {
    let place = Place::new("ordinary", Some("2\n"));
    let settings = place.load(&format!("{LIMITS}{THREE}\nserver.4=d:2888:3888:observer")).unwrap();
    let ensemble = settings.core.ensemble.as_ref().unwrap();
    assert_eq!((ensemble.me, ensemble.init_ticks, ensemble.sync_ticks), (2, 10, 5));
    assert_eq!(settings.core.session_tag, 2);
    assert_eq!(ensemble.members.voters().collect::<Vec<_>>(), [1, 2, 3]);
    assert!(ensemble.members.servers[&4].observer);
    assert_eq!(
        ensemble.members.text,
        "server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\n\
         server.3=c:2888:3888:participant\nserver.4=d:2888:3888:observer\nversion=0"
    );
    let peers = settings.peers.as_ref().unwrap();
    assert_eq!(peers.quorum, [("b".to_owned(), 2888)]);
    assert_eq!(peers.election, [("b".to_owned(), 3888)]);
    assert_eq!((peers.bind_attempts, peers.connect_timeout_ms), (Some(3), 5000));
    assert!(!peers.listen_on_all);
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn what_is_printed_can_be_read() {
    let place = Place::new("printed", Some("3"));
    let lines = "server.1=a:1:2;2181\nserver.2=[::1]:1:2;2181\nserver.3=c:1:2|d:3:4:participant;\
                 2181\nserver.7=e:1:2:observer\ngroup.1=1\ngroup.2=2\ngroup.3=3\nweight.1=2";
    let settings = place.load(&format!("{LIMITS}quorumListenOnAllIPs=true\n{lines}")).unwrap();
    assert_eq!(settings.client_address.to_string(), "[::]:2181");
    let text = settings.to_string();
    assert!(text.contains("# server 3, a voter, of 3 voters and 1 observers\n"), "{text}");
    assert!(text.contains("server.2=[0:0:0:0:0:0:0:1]:1:2:participant;0.0.0.0:2181\n"), "{text}");
    assert!(text.contains("group.3=3\nweight.1=2\nweight.2=1\nweight.3=1\n"), "{text}");
    let again = place.load(&text).unwrap();
    assert_eq!(again.to_string(), text);
    let members = |settings: Settings| settings.core.ensemble.unwrap().members.text;
    assert_eq!(members(again), members(settings));
}

#[test]
fn one_voter_alone_stands_alone_unless_told_not_to() {
    let place = Place::new("one", Some("1"));
    let settings = place.load(&format!("{LIMITS}server.1=a:2888:3888")).unwrap();
    assert!(settings.core.ensemble.is_none() && settings.peers.is_none());
    assert_eq!(settings.core.session_tag, 1);
    let settings = place.load(&format!("{LIMITS}standaloneEnabled=false\nserver.1=a:2888:3888"));
    assert_eq!(settings.unwrap().core.ensemble.unwrap().members.servers.len(), 1);
}

#[test]
fn local_sessions_and_read_only_mode_are_for_ensembles() {
    let place = Place::new("local", Some("1"));
    let both = "localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true";
    let readers = "readonlymode.enabled=true";
    for (lines, sessions, after_ms) in [
        ("", LocalSessions::Off, None),
        ("localSessionsUpgradingEnabled=true", LocalSessions::Off, None),
        ("localSessionsEnabled=true\nreadonlymode.enabled=false", LocalSessions::On, None),
        (both, LocalSessions::Upgraded, None),
        (readers, LocalSessions::Off, Some(3_000)),
        ("tickTime=500\nreadonlymode.enabled=true", LocalSessions::Off, Some(2_000)),
    ] {
        let settings = place.load(&format!("{LIMITS}{THREE}\n{lines}")).unwrap();
        let core = &settings.core;
        assert_eq!((core.local_sessions, core.read_only_after_ms), (sessions, after_ms), "{lines}");
        let again = place.load(&settings.to_string()).unwrap();
        assert_eq!(again.core.local_sessions, sessions, "{lines}");
        assert_eq!(again.core.read_only_after_ms, after_ms, "{lines}");
    }
    let weights = "connection_throttle_weight_enabled=true";
    let weight = |lines: &str| place.load(lines).unwrap().throttle.new_weight;
    assert_eq!(weight(&format!("{LIMITS}{THREE}\n{weights}")), 3);
    assert_eq!(weight(&format!("{LIMITS}{THREE}\n{weights}\n{both}")), 1);
    let alone = place.load(&format!("clientPort=2181\n{weights}\n{both}\n{readers}")).unwrap();
    assert_eq!(alone.core.local_sessions, LocalSessions::Off);
    assert_eq!((alone.core.read_only_after_ms, alone.throttle.new_weight), (None, 3));
}

#[test]
fn what_an_operator_should_know_is_said() {
    let place = Place::new("warned", Some("4"));
    let more = "server.4=d:2888:3888\npeerType=observer\nreconfigEnabled=true\ncnxTimeout=5\n\
                localSessionsUpgradingEnabled=true\nobserverMasterPort=2191\n\
                enableEagerACLCheck=true";
    let settings = place.load(&format!("{LIMITS}{THREE}\n{more}")).unwrap();
    let mut warnings: Vec<String> = settings.warnings.iter().map(|w| w.key.clone()).collect();
    warnings.sort();
    assert_eq!(
        warnings,
        [
            "cnxTimeout",
            "enableEagerACLCheck",
            "localSessionsUpgradingEnabled",
            "observerMasterPort",
            "peerType",
            "server.4"
        ]
    );
    let even = settings.warnings.iter().find(|w| w.key == "server.4").unwrap().to_string();
    assert!(even.contains("4 voters survive no more failures than 3"), "{even}");
}

/// Lines behind dataDir, and what is said about them by server 1.
const REFUSED: &[(&str, &str)] = &[
    (
        "clientPort=2181\nsyncLimit=5\nserver.1=a:1:2\nserver.2=b:1:2",
        "zoo.cfg: initLimit: an ensemble needs it; add initLimit=10, in ticks",
    ),
    (
        "clientPort=2181\ninitLimit=5\nsyncLimit=0\nserver.1=a:1:2\nserver.2=b:1:2",
        "zoo.cfg:4: syncLimit=0: an ensemble needs it; add syncLimit=5, in ticks",
    ),
    (
        "clientPort=2181\nserver.1=a:1:2\nserver.2=b:1:2:observer",
        "zoo.cfg:4: server.2=b:1:2:observer: one voter stands alone and has no observers; add \
         voters, or standaloneEnabled=false",
    ),
    (
        "clientPort=2181\nserver.2=b:1:2:observer",
        "zoo.cfg:3: server.2=b:1:2:observer: observers need voters; add a server line without \
         :observer",
    ),
    (
        "clientPort=2181\nstandaloneEnabled=false",
        "zoo.cfg:3: standaloneEnabled=false: there are no server lines; add server lines, or leave \
         it out",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=a:2:3",
        "zoo.cfg:6: server.2=a:2:3: a:2 is server 1's too; give each server ports of its own",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:1\nserver.2=b:2:3",
        "zoo.cfg:5: server.1=a:1:1: has the same port for quorum and election; correct the line",
    ),
    (
        "initLimit=1\nsyncLimit=1\nserver.1=a:1:2;2\nserver.2=b:2:3;4",
        "zoo.cfg:4: server.1=a:1:2;2: the client port is one of the ports for servers; give it \
         another number",
    ),
    (
        "clientPort=2\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2",
        "zoo.cfg:2: clientPort=2: it is one of this server's ports for servers; give it another \
         number",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2;8\nserver.2=b:1:2",
        "zoo.cfg:2: clientPort=9: this server's line in the list says 0.0.0.0:8; leave it out here, \
         or in the line",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.2=a:1:2\nserver.3=b:1:2",
        "myid: myid=1: the server list has only 2, 3; correct it, or add a server line",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\ngroup.1=1",
        "zoo.cfg:6: server.2=b:1:2: votes and is in no group; correct the groups, or leave out \
         groups and weights",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\nsslQuorum=true",
        "zoo.cfg:7: sslQuorum=true: TLS between servers comes later; leave it out, and keep the \
         servers on a network of their own",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\n\
         quorum.auth.serverRequireSasl=true",
        "zoo.cfg:7: quorum.auth.serverRequireSasl=true: SASL between servers comes later; leave it \
         out, and keep the servers on a network of their own",
    ),
    (
        "clientPort=9\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\noraclePath=/o",
        "zoo.cfg:7: oraclePath=/o: an oracle lets two servers go on without a quorum, and loses \
         writes; run three servers, or one",
    ),
    (
        "clientPort=9\nelectionAlg=1",
        "zoo.cfg:3: electionAlg=1: there is only one, number 3; leave it out",
    ),
    ("clientPort=9\npeerType=king", {
        "zoo.cfg:3: peerType=king: no such role; give participant or observer"
    }),
];

#[test]
fn each_refusal_names_line_value_and_remedy() {
    let place = Place::new("refused", Some("1\n"));
    for (lines, expected) in REFUSED {
        assert_eq!(&place.load(lines).expect_err(lines), expected);
    }
}

/// Goal: without `myid` a server is the one with an address of its host, and says so; `myid` wins.
#[test]
fn without_myid_the_address_says_who_this_is() {
    let host = || vec!["127.0.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap()];
    let list = "server.1=10.9.0.1:2888:3888\nserver.2=10.9.0.2:2888:3888\n\
                server.3=10.9.0.3:2888:3888\n";
    let load = |place: &Place, lines: &str| {
        let source = Source { own_addresses: Some(host), ..place.source(lines) };
        load(&source).map_err(|refusal| refusal.to_string())
    };
    let place = Place::new("itself", None);
    let settings = load(&place, &format!("{LIMITS}{list}")).unwrap();
    assert_eq!(settings.core.ensemble.unwrap().me, 2);
    let said: Vec<String> = settings.warnings.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|line| line.contains("server 2, by its address 10.9.0.2")), "{said:?}");
    let elsewhere = list.replace("10.9.0.2", "10.9.0.4");
    let refusal = load(&place, &format!("{LIMITS}{elsewhere}")).unwrap_err();
    assert!(refusal.contains("(10.9.0.2): server.1 10.9.0.1, server.2 10.9.0.4"), "{refusal}");
    let loopback = list.replace("10.9.0.", "127.0.0.");
    let refusal = load(&place, &format!("{LIMITS}{loopback}")).unwrap_err();
    assert!(refusal.contains("server.1 127.0.0.1, server.2 127.0.0.2"), "{refusal}");
    let told = Place::new("told", Some("3"));
    assert_eq!(load(&told, &format!("{LIMITS}{list}")).unwrap().core.ensemble.unwrap().me, 3);
}

#[test]
fn myid_must_say_who_this_is() {
    const REMEDY: &str = "write this server's number from the server list into it";
    let lines = format!("{LIMITS}{THREE}");
    let missing = Place::new("missing", None).load(&lines).unwrap_err();
    assert_eq!(missing, format!("myid: myid: No such file or directory (os error 2); {REMEDY}"));
    // What Debian's package puts there.
    let text = "replace this text with the cluster-unique zookeeper's instance id (1-255)\n";
    let nonsense = Place::new("nonsense", Some(text)).load(&lines).unwrap_err();
    assert!(nonsense.starts_with("myid: myid=\"replace this text"), "{nonsense}");
    assert!(nonsense.ends_with(&format!("not a whole number; {REMEDY}")), "{nonsense}");
    let empty = Place::new("empty", Some("")).load(&lines).unwrap_err();
    assert!(empty.starts_with("myid: myid=\"\": not a whole number"), "{empty}");
    let reserved = Place::new("reserved", Some("255"));
    let refusal = reserved.load(&format!("{lines}\nserver.255=z:1:2")).unwrap_err();
    assert!(refusal.contains("would look like times to live"), "{refusal}");
}
