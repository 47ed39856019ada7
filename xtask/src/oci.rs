//! `cargo xtask oci`: the image of a container as a tar, without a registry and without docker.
//!
//! The same binaries as in the packages, the C library's files that they load, and the folders they
//! write to; nothing else, so no shell. The archive is an OCI layout with docker's `manifest.json`
//! beside it: `docker load`, `podman load` and `skopeo copy oci-archive:` take it. The same binaries
//! and C library give the same bytes.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const USAGE: &str = "\
usage: cargo xtask oci [--out FILE] [--binaries DIR] [--name NAME]

Packs zk-agent and zkctl as an image for containers, target/oci/zk-agent.tar.
  --binaries DIR  takes them from there, and builds nothing
  --name NAME     the image's name and tag (zk-agent:VERSION)
";

/// User and group of the server, those of the official ZooKeeper image: its volumes fit.
const USER: u32 = 1000;

/// Largest image, in bytes.
const IMAGE_BYTES_MAX: u64 = 15_000_000;

/// What is there besides binaries and libraries.
const FILES: &[(&str, &str)] = &[
    ("etc/passwd", "root:x:0:0::/:/sbin/nologin\nzookeeper:x:1000:1000::/data:/sbin/nologin\n"),
    ("etc/group", "root:x:0:\nzookeeper:x:1000:\n"),
    ("etc/nsswitch.conf", "hosts: files dns\n"),
];

/// Folders of the server's user.
const FOLDERS: &[&str] = &["conf", "data", "datalog"];

/// What docker and podman run, as both know it. The probe asks the port that `ZKCTL_SERVERS` names.
const CONFIG: &str = r#"{"User":"1000:1000","Env":["PATH=/usr/bin"],"WorkingDir":"/data",
"Entrypoint":["/usr/bin/zk-agent","container"],"StopSignal":"SIGTERM",
"ExposedPorts":{"2181/tcp":{},"2888/tcp":{},"3888/tcp":{}},
"Volumes":{"/data":{},"/datalog":{}},
"Healthcheck":{"Test":["CMD","/usr/bin/zkctl","health","--timeout","4"],
"Interval":10000000000,"Timeout":5000000000,"StartPeriod":30000000000,"Retries":3},
"Labels":{"org.opencontainers.image.title":"zk-agent",
"org.opencontainers.image.description":"ZooKeeper-compatible coordination server",
"org.opencontainers.image.licenses":"Apache-2.0",
"org.opencontainers.image.version":"@VERSION@","org.opencontainers.image.revision":"@REVISION@",
"org.opencontainers.image.created":"@CREATED@"}}"#;

struct Call {
    out: PathBuf,
    binaries: Option<PathBuf>,
    name: String,
}

fn parse(mut words: impl Iterator<Item = String>, target: &Path) -> Result<Option<Call>, String> {
    let mut call = Call {
        out: target.join("oci/zk-agent.tar"),
        binaries: None,
        name: format!("zk-agent:{}", env!("CARGO_PKG_VERSION")),
    };
    while let Some(word) = words.next() {
        if word == "--help" {
            return Ok(None);
        }
        let value = words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"))?;
        match word.as_str() {
            "--out" => call.out = PathBuf::from(value),
            "--binaries" => call.binaries = Some(PathBuf::from(value)),
            "--name" if value.contains(':') => call.name = value,
            "--name" => return Err(format!("--name {value}: no tag; give NAME:TAG")),
            _ => return Err(format!("{word} is no option\n{USAGE}")),
        }
    }
    Ok(Some(call))
}

/// Packs the image.
pub fn run(
    arguments: impl Iterator<Item = String>,
    root: &Path,
    target: &Path,
) -> Result<(), String> {
    let Some(call) = parse(arguments, target)? else {
        print!("{USAGE}");
        return Ok(());
    };
    let binaries = match call.binaries {
        Some(folder) => folder,
        None => crate::release(root, target)?,
    };
    let folder = call.out.parent().ok_or("--out needs a file in a folder")?;
    let work = folder.join("oci.work");
    // What a broken run has left.
    let _ = std::fs::remove_dir_all(&work);
    let image = work.join("root");
    lay_out(&image, &binaries)?;
    let time = Moment::of(root)?;
    let layer = work.join("layer.tar");
    pack_layer(&image, &layer, &time)?;
    let bytes = size(&layer)?;
    if bytes > IMAGE_BYTES_MAX {
        return Err(format!("the image has {bytes} bytes, more than {IMAGE_BYTES_MAX}"));
    }
    let archive = work.join("archive");
    describe(&archive, &layer, &call.name, &time)?;
    let mut names = vec!["blobs", "index.json", "manifest.json", "oci-layout"];
    tar(&archive, &call.out, &time, 0, &mut names, false)?;
    std::fs::remove_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    println!("{}", call.out.display());
    eprintln!("{} of {bytes} bytes", call.name);
    Ok(())
}

/// The time and the revision that are written into the image: those of the commit.
struct Moment {
    seconds: String,
    created: String,
    revision: String,
}

impl Moment {
    fn of(root: &Path) -> Result<Moment, String> {
        let git = |words: &[&str]| {
            let text = crate::output(Command::new("git").args(words).current_dir(root))?;
            Ok::<String, String>(text.trim().to_owned())
        };
        let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(seconds) => seconds,
            Err(_) => git(&["log", "-1", "--format=%ct"])?,
        };
        let date = format!("@{seconds}");
        let created = crate::output(Command::new("date").args([
            "--utc",
            "--date",
            &date,
            "+%Y-%m-%dT%H:%M:%SZ",
        ]))?;
        let revision = git(&["rev-parse", "HEAD"])?;
        Ok(Moment { seconds, created: created.trim().to_owned(), revision })
    }
}

/// The image's tree, with modes; owners come when it is packed.
fn lay_out(image: &Path, binaries: &Path) -> Result<(), String> {
    let bin = image.join("usr/bin");
    crate::folder(&bin)?;
    let mut libraries = BTreeSet::new();
    for name in ["zk-agent", "zkctl"] {
        let (from, to) = (binaries.join(name), bin.join(name));
        let strip = ["--strip-unneeded", "--remove-section=.comment", "-o"];
        crate::run(Command::new("strip").args(strip).arg(&to).arg(&from))?;
        mode(&to, 0o755)?;
        libraries.extend(needed(&from)?);
    }
    let link = bin.join("zkCli.sh");
    symlink("zkctl", &link).map_err(|error| format!("{}: {error}", link.display()))?;
    for library in libraries {
        let inside = library.strip_prefix("/").map_err(|_| format!("{}", library.display()))?;
        let to = image.join(inside);
        crate::folder(to.parent().ok_or("a library stands in a folder")?)?;
        crate::copy(&library, &to)?;
        mode(&to, 0o755)?;
    }
    for (name, text) in FILES {
        let path = image.join(name);
        crate::folder(path.parent().ok_or("a file stands in a folder")?)?;
        crate::write(&path, text)?;
        mode(&path, 0o644)?;
    }
    FOLDERS.iter().try_for_each(|name| crate::folder(&image.join(name)))
}

fn mode(path: &Path, mode: u32) -> Result<(), String> {
    let set = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    set.map_err(|error| format!("{}: {error}", path.display()))
}

/// The files that a program is loaded with, the loader among them, where it looks for them.
fn needed(program: &Path) -> Result<Vec<PathBuf>, String> {
    let text = crate::output(Command::new("ldd").arg(program))?;
    let files = text.lines().filter_map(|line| {
        let path = line.split_whitespace().find(|word| word.starts_with('/'))?;
        Some(PathBuf::from(path))
    });
    let files: Vec<PathBuf> = files.collect();
    match files.is_empty() {
        true => Err(format!("{}: ldd names no file: {text:?}", program.display())),
        false => Ok(files),
    }
}

/// Packs names of a folder, in order, with the same times, owners and modes anywhere.
fn tar(
    folder: &Path,
    out: &Path,
    time: &Moment,
    owner: u32,
    names: &mut [&str],
    append: bool,
) -> Result<(), String> {
    names.sort_unstable();
    let how = if append { "--append" } else { "--create" };
    crate::run(
        Command::new("tar")
            .args([how, "--format=ustar", "--sort=name", "--numeric-owner", "--mode=go-w"])
            .arg(format!("--mtime=@{}", time.seconds))
            .args([format!("--owner={owner}"), format!("--group={owner}")])
            .arg("--file")
            .arg(out)
            .arg("--directory")
            .arg(folder)
            .args(names),
    )
}

fn pack_layer(image: &Path, layer: &Path, time: &Moment) -> Result<(), String> {
    let entries = std::fs::read_dir(image).map_err(|e| format!("{}: {e}", image.display()))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names.filter(|name| !FOLDERS.contains(&name.as_str())).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    tar(image, layer, time, 0, &mut names, false)?;
    tar(image, layer, time, USER, &mut FOLDERS.to_vec(), true)
}

fn size(path: &Path) -> Result<u64, String> {
    let found = std::fs::metadata(path).map(|meta| meta.len());
    found.map_err(|error| format!("{}: {error}", path.display()))
}

/// A blob's name: its sum.
fn sum(path: &Path) -> Result<String, String> {
    let text = crate::output(Command::new("sha256sum").arg(path))?;
    text.split_whitespace().next().map(str::to_owned).ok_or_else(|| "sha256sum: no sum".to_owned())
}

/// Moves a file among the blobs; gives its sum and its bytes.
fn blob(blobs: &Path, path: &Path) -> Result<(String, u64), String> {
    let (sum, bytes) = (sum(path)?, size(path)?);
    let to = blobs.join(&sum);
    std::fs::rename(path, &to).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok((sum, bytes))
}

/// The JSON files around the layer.
fn describe(archive: &Path, layer: &Path, name: &str, time: &Moment) -> Result<(), String> {
    let blobs = archive.join("blobs/sha256");
    crate::folder(&blobs)?;
    let (layer_sum, layer_bytes) = blob(&blobs, layer)?;
    let run = CONFIG
        .replace('\n', "")
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@REVISION@", &time.revision)
        .replace("@CREATED@", &time.created);
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let created = &time.created;
    let config = format!(
        r#"{{"created":"{created}","architecture":"{architecture}","os":"linux","config":{run},"#
    ) + &format!(
        r#""rootfs":{{"type":"layers","diff_ids":["sha256:{layer_sum}"]}},"history":[{{"created":"{created}","created_by":"cargo xtask oci"}}]}}"#
    );
    let path = archive.join("config");
    crate::write(&path, &config)?;
    let (config_sum, config_bytes) = blob(&blobs, &path)?;
    let described = |kind: &str, sum: &str, bytes: u64| {
        let kind = format!("application/vnd.oci.image.{kind}");
        format!(r#"{{"mediaType":"{kind}","digest":"sha256:{sum}","size":{bytes}}}"#)
    };
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        described("config.v1+json", &config_sum, config_bytes),
        described("layer.v1.tar", &layer_sum, layer_bytes)
    );
    let path = archive.join("manifest");
    crate::write(&path, &manifest)?;
    let (manifest_sum, manifest_bytes) = blob(&blobs, &path)?;
    let tag = name.rsplit(':').next().unwrap_or_default();
    let index = described("manifest.v1+json", &manifest_sum, manifest_bytes);
    let index = index.trim_end_matches('}');
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{index},"annotations":{{"io.containerd.image.name":"docker.io/library/{name}","org.opencontainers.image.ref.name":"{tag}"}}}}]}}"#
    );
    crate::write(&archive.join("index.json"), &index)?;
    crate::write(&archive.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let docker = format!(
        r#"[{{"Config":"blobs/sha256/{config_sum}","RepoTags":["{name}"],"Layers":["blobs/sha256/{layer_sum}"]}}]"#
    );
    crate::write(&archive.join("manifest.json"), &docker)
}
