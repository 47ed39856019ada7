//! zoo.cfg as operators write it: what is honoured, what is warned about, what is refused and how.

use std::fs;
use std::path::PathBuf;

use zk_agent::settings::keys::{Fate, KEYS};
use zk_agent::settings::{Settings, Source, Word, load};

/// A file that is gone at the end of the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("zk-agent-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const BASE: &str = "dataDir=/data\nclientPort=2181\n";

fn of(name: &str, more: &str) -> Result<Settings, String> {
    let file = File::new(name, &format!("{BASE}{more}"));
    let source = Source { file: Some(file.0.clone()), ..Source::default() };
    load(&source).map_err(|refusal| {
        let path = file.0.display().to_string();
        refusal.to_string().replace(&path, "zoo.cfg")
    })
}

fn warnings(settings: &Settings) -> Vec<String> {
    let text = |w: &zk_agent::settings::Warning| format!("{}: {}", w.key, w.text);
    settings.warnings.iter().map(text).collect()
}

#[test]
fn defaults_are_apaches() {
    let settings = of("defaults", "").unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/data"));
    assert_eq!(settings.log_dir, PathBuf::from("/data"));
    assert_eq!(settings.client_address.to_string(), "[::]:2181");
    assert_eq!(settings.limits.connections_per_ip_max, 60);
    assert_eq!(settings.core.tick_ms, 3000);
    assert_eq!(settings.core.session_timeout_min_ms, 6000);
    assert_eq!(settings.core.session_timeout_max_ms, 60_000);
    assert_eq!(settings.core.request_bytes_max, 0xf_ffff);
    assert_eq!(settings.disk.snapshots_kept, Some(3));
    assert!(settings.disk.sync);
    assert!(settings.whitelist.allows(Word::Srvr) && !settings.whitelist.allows(Word::Ruok));
    assert_eq!(settings.core.password_digest.unwrap()(b"super:test"), {
        "D/InIHSb7yEEbrWz8b9l71RjZJU="
    });
    assert_eq!(warnings(&settings), [""; 0]);
}

#[test]
fn without_a_file_it_is_a_server_on_loopback() {
    let source = Source { state_dir: Some("/state".into()), ..Source::default() };
    let settings = load(&source).unwrap();
    assert_eq!(settings.client_address.to_string(), "127.0.0.1:2181");
    assert_eq!(settings.data_dir, PathBuf::from("/state"));
    assert_eq!(settings.limits.connections_per_ip_max, 0);
}

/// A line behind `BASE`, and what is said about it.
const REFUSED: &[(&str, &str)] = &[
    ("tickTime=abc", "zoo.cfg:3: tickTime=abc: not a whole number; give digits only"),
    ("tickTime=0", "zoo.cfg:3: tickTime=0: out of range; give a number from 1 to 107374182"),
    ("\n# x\ntickTme=2000", "zoo.cfg:5: tickTme=2000: no such key; did you mean tickTime?"),
    (
        "clientPort=70000",
        "zoo.cfg:3: clientPort=70000: out of range; give a number from 0 to \
          65535",
    ),
    (
        "syncEnabled=yes",
        "zoo.cfg:3: syncEnabled=yes: neither true nor false; give true or \
          false",
    ),
    (
        "snapshotSizeFactor=big",
        "zoo.cfg:3: snapshotSizeFactor=big: not a number; give one \
          such as 0.33",
    ),
    (
        "minSessionTimeout=9\nmaxSessionTimeout=8",
        "zoo.cfg:3: minSessionTimeout=9: the least \
          timeout 9 is above the largest 8; give minSessionTimeout <= maxSessionTimeout",
    ),
    (
        "maxSessionTimeout=8",
        "zoo.cfg:3: maxSessionTimeout=8: the least timeout 6000 is above \
          the largest 8; give minSessionTimeout <= maxSessionTimeout",
    ),
    (
        "DigestAuthenticationProvider.digestAlg=ROT13",
        "zoo.cfg:3: \
          DigestAuthenticationProvider.digestAlg=ROT13: no such algorithm; give SHA1, MD5, \
          SHA-256, SHA-384, SHA-512 or SHA3-256",
    ),
    (
        "clientPortAddress=no.such.host.invalid",
        "zoo.cfg:3: \
          clientPortAddress=no.such.host.invalid: no such host; give an address of this machine, \
          or leave it out for all",
    ),
    (
        "autopurge.purgeInterval=often",
        "zoo.cfg:3: autopurge.purgeInterval=often: no duration; \
          give hours, or 30m, 12h, 1d",
    ),
    (
        "agent.logLevel=loud",
        "zoo.cfg:3: agent.logLevel=loud: no such level; give off, error, \
          warn, info, debug or trace",
    ),
    (
        "sessionRequireClientSASLAuth=true",
        "zoo.cfg:3: sessionRequireClientSASLAuth=true: SASL \
          comes later; leave it out, and protect znodes with digest ACLs until then",
    ),
    (
        "enforce.auth.enabled=true",
        "zoo.cfg:3: enforce.auth.enabled=true: no schemes are \
          given; name the schemes, such as enforce.auth.schemes=digest",
    ),
    (
        "enforce.auth.enabled=true\nenforce.auth.schemes=digest,sasl",
        "zoo.cfg:4: \
          enforce.auth.schemes=digest,sasl: the scheme sasl is not available; name digest, ip or \
          world",
    ),
    (
        "connection_throttle_drop_increase=2",
        "zoo.cfg:3: connection_throttle_drop_increase=2: \
          not a fraction; give a number from 0 to 1",
    ),
    (
        "server.1=a:2888",
        "zoo.cfg:3: server.1=a:2888: does not have the form host:port:port\
          [:role][;[host:]port]; correct the line",
    ),
    (
        "weight.1=heavy",
        "zoo.cfg:3: weight.1=heavy: has a weight that is no number from 0 to \
          4294967295; correct the line",
    ),
    (
        "x=\\u12",
        "zoo.cfg: config file: line 3: \\u wants four hexadecimal digits; write \\\\ \
          for a backslash",
    ),
    ("dataDir=", "zoo.cfg:3: dataDir=: not given; name the directory for snapshots and logs"),
];

#[test]
fn each_refusal_names_line_value_and_remedy() {
    for (at, (text, expected)) in REFUSED.iter().enumerate() {
        let refusal = of(&format!("refusal-{at}"), text).expect_err(text);
        assert_eq!(&refusal, expected);
    }
}

#[test]
fn a_missing_or_empty_file_is_refused() {
    let source = Source { file: Some("/no/such/zoo.cfg".into()), ..Source::default() };
    let refusal = load(&source).unwrap_err().to_string();
    assert!(refusal.starts_with("/no/such/zoo.cfg: config file: No such file"), "{refusal}");
    let file = File::new("empty", "dataDir=/data");
    let source = Source { file: Some(file.0.clone()), ..Source::default() };
    let refusal = load(&source).unwrap_err();
    assert_eq!(refusal.remedy, "add clientPort=2181");
    let file = File::new("no-data", "clientPort=2181");
    let source = Source { file: Some(file.0.clone()), ..Source::default() };
    let refusal = load(&source).unwrap_err();
    assert_eq!(refusal.given, "dataDir");
}

#[test]
fn keys_without_effect_are_named_with_the_reason() {
    let settings = of(
        "warned",
        "secureClientPort=2281\nserverCnxnFactory=x\naudit.enable=true\nagent.logLevel=warn\nadmin.enableServer=false\n\
         enableEagerACLCheck=true\nssl.keyStore.location=/k\nmetricsProvider.className=y\nfoo.bar=1\n\
         zookeeper.snapCount=5\nenforceQuota=yes\nforceSync=no\nskipACL=yes\n\
         4lw.commands.whitelist=ruok,nope\nauthProvider.1=org.example.Mine\n",
    );
    let expected = [
        "4lw.commands.whitelist: no such words: nope",
        "audit.enable: tells failures at most: agent.logLevel is below info",
        "authProvider.1: has no effect: this class is not known here",
        "enableEagerACLCheck: has no effect yet: permissions are checked by the leader",
        "enforceQuota: only true switches it on, so it is off",
        "foo.bar: has no effect: no such key is known",
        "forceSync: acknowledged writes are lost when the power goes",
        "metricsProvider.className: has no effect yet: metrics over HTTP come later",
        "secureClientPort: has no effect yet: TLS comes later",
        "serverCnxnFactory: has no effect: a matter of the Java virtual machine",
        "skipACL: no permission is checked: every client may do everything",
        "ssl.keyStore.location: has no effect yet: TLS comes later",
        "zookeeper.snapCount: has no effect; in a file write snapCount",
    ];
    let mut warnings = warnings(&settings.unwrap());
    warnings.sort();
    assert_eq!(warnings, expected);
}

#[test]
fn quirks_of_apaches_switches_are_kept() {
    let with = |text: &str| of("quirks", text).unwrap();
    assert!(with("skipACL=yes").core.skip_acl);
    assert!(!with("skipACL=true").core.skip_acl);
    assert!(!with("skipACL=Yes").core.skip_acl);
    assert!(!with("forceSync=no").disk.sync);
    assert!(with("forceSync=false").disk.sync);
    assert!(with("enforceQuota=TRUE").core.enforce_quota);
    assert!(!with("enforceQuota=1").core.enforce_quota);
    assert!(!with("digest.enabled=").core.digest_enabled);
    assert_eq!(with("snapCount=1").core.snapshot_txns, 2);
    assert_eq!(with("maxCnxns=-5").limits.connections_max, 0);
    assert_eq!(with("minSessionTimeout=-1").core.session_timeout_min_ms, 6000);
    assert_eq!(with("tickTime=2000\ntickTime=4000").core.tick_ms, 4000);
    assert_eq!(with("jute.maxbuffer=0x9fffff").core.request_bytes_max, 0x9f_ffff);
    assert_eq!(with("autopurge.snapRetainCount=1").disk.snapshots_kept, Some(3));
    assert_eq!(with("autopurge.purgeInterval=0").disk.snapshots_kept, None);
    assert_eq!(with("autopurge.purgeInterval=12h").disk.snapshots_kept, Some(3));
    let names = with(
        "authProvider.1=org.apache.EnsembleAuthenticationProvider\n\
                      ensembleAuthName=a, b",
    );
    assert_eq!(names.core.ensemble_names, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(with("ensembleAuthName=a").core.ensemble_names, None);
}

#[test]
fn one_server_line_is_standalone() {
    let file = File::new("one", "dataDir=/data\nserver.1=a:2888:3888;127.0.0.1:2182\n");
    let source = Source { file: Some(file.0.clone()), ..Source::default() };
    assert_eq!(load(&source).unwrap().client_address.to_string(), "127.0.0.1:2182");
}

#[test]
fn a_dynamic_file_is_read() {
    let list = File::new("dynamic", "server.1=a:2888:3888\nserver.2=b:2888:3888\n");
    let key = format!("dynamicConfigFile={}", list.0.display());
    let refusal = of("dynamic-main", &format!("{key}\ninitLimit=10\nsyncLimit=5")).unwrap_err();
    assert!(refusal.starts_with("/data/myid: myid: "), "the list makes an ensemble: {refusal}");
    let both = of("dynamic-both", &format!("{key}\nserver.1=a:2888:3888")).unwrap_err();
    assert!(both.contains("dynamicConfigFile is given too"), "{both}");
    let bad = File::new("dynamic-bad", "server.1=a:2888:3888\nclientPort=1\n");
    let refusal = of("dynamic-2", &format!("dynamicConfigFile={}", bad.0.display())).unwrap_err();
    assert!(refusal.contains(":2: clientPort=1: unexpected key in a dynamic file"), "{refusal}");
}

/// Goal: a secret of the service manager wins over the one in the file, which is told; without one the
/// file's holds.
#[test]
fn a_credential_wins_over_the_file() {
    const KEY: &str = "DigestAuthenticationProvider.superDigest";
    let file = File::new("secret", &format!("{BASE}{KEY}=super:file\n"));
    let secrets = file.0.with_extension("credentials");
    std::fs::create_dir_all(&secrets).unwrap();
    let load = || {
        let (path, credentials) = (Some(file.0.clone()), Some(secrets.clone()));
        load(&Source { file: path, credentials, ..Source::default() }).unwrap()
    };
    assert_eq!(load().core.super_digest.as_deref(), Some("super:file"));
    std::fs::write(secrets.join("superdigest"), "super:credential\n").unwrap();
    let settings = load();
    assert_eq!(settings.core.super_digest.as_deref(), Some("super:credential"));
    let warned = settings.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(warned.contains(KEY) && !warned.contains("super:"), "{warned}");
    std::fs::remove_dir_all(&secrets).unwrap();
}

#[test]
fn the_file_wins_over_the_command_line() {
    let file = File::new("both", &format!("{BASE}snapCount=10\n"));
    let overrides = [("zookeeper.snapCount", "20"), ("jute.maxbuffer", "4096")];
    let source = Source {
        file: Some(file.0.clone()),
        overrides: overrides.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
        ..Source::default()
    };
    let settings = load(&source).unwrap();
    assert_eq!(settings.core.snapshot_txns, 10);
    assert_eq!(settings.limits.request_bytes_max, 4096);
    let overrides = vec![("tickTime".to_owned(), "x".to_owned())];
    let source = Source { overrides, state_dir: Some("/x".into()), ..Source::default() };
    let refusal = load(&source).unwrap_err().to_string();
    assert_eq!(refusal, "command line: tickTime=x: not a whole number; give digits only");
}

/// Goal: the settings that `check-config` prints are a file that gives the same settings.
#[test]
fn what_is_printed_can_be_read() {
    let settings = of("printed", "tickTime=1234\nmaxClientCnxns=7\nforceSync=no").unwrap();
    let file = File::new("again", &settings.to_string());
    let again = load(&Source { file: Some(file.0.clone()), ..Source::default() }).unwrap();
    assert_eq!(again.to_string(), settings.to_string());
}

/// Goal: docs/SETTINGS.md says of every key what `keys` says.
#[test]
fn the_page_names_every_key() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SETTINGS.md");
    let page = fs::read_to_string(page).unwrap();
    for key in KEYS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name)));
        let row = row.unwrap_or_else(|| panic!("docs/SETTINGS.md lacks {}", key.name));
        let wanted = match key.fate {
            Fate::Honoured => "| honoured |".to_owned(),
            Fate::Moot(reason) => format!("| no effect: {reason} |"),
            Fate::Later(reason) => format!("| later: {reason} |"),
        };
        assert!(row.contains(&wanted), "docs/SETTINGS.md says of {}: {row}", key.name);
    }
}
