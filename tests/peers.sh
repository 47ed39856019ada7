#!/usr/bin/env bash
# peers.sh - installs the genuine servers and clients that the tests hold ours against, by Debian's
# packages and by pip. Idempotent. Needs root.
#   Debian   ZooKeeper 3.8: server, Java shell (zookeeper), C shell and load_gen (zookeeper-bin);
#            Java and Go to build clients with, and a Go client; what C programs are built and
#            examined with; the shells that have completions
#   $ZKPEER  (/opt/zkpeer) zk39/*.jar: Apache ZooKeeper 3.9 and Curator, from the jars that pyspark
#            carries; node/: the Node clients of tests/clients/node/package.json; c-source/: what
#            Debian's source package of ZooKeeper has of the C client, and zkpython
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${ZKPEER:-/opt/zkpeer}
pyspark=${PYSPARK:-4.3.0}

missing=()
for package in zookeeper libzookeeper-java zookeeper-bin libzookeeper-mt-dev gcc e2fsprogs util-linux \
    mount nftables iproute2 python3 python3-dev python3-venv python3-pip golang-go golang-github-samuel-go-zookeeper-dev make g++ \
    binutils cmake pkg-config valgrind abigail-tools zsh fish; do
    dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
done
command -v javac > /dev/null || missing+=(openjdk-17-jdk-headless)
command -v node > /dev/null || missing+=(nodejs)
command -v npm > /dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -q
    # The packages' own daemons must not start.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod +x $policy
        trap 'rm -f $policy' EXIT
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

if ! compgen -G "$root/zk39/zookeeper-3.9.*.jar" > /dev/null ||
    ! compgen -G "$root/zk39/curator-recipes-*.jar" > /dev/null; then
    mkdir -p "$root/zk39"
    work=$(mktemp -d)
    pip download -q --no-deps --no-build-isolation -d "$work" "pyspark==$pyspark" ||
        pip download -q --no-deps -d "$work" "pyspark==$pyspark"
    python3 - "$work" "$root/zk39" <<'PY'
import glob, os, re, shutil, sys, tarfile, zipfile

# What QuorumPeerMain needs, without the admin server's, and Curator.
wanted = re.compile(
    r"/jars/((zookeeper|zookeeper-jute|curator-client|curator-framework|curator-recipes|"
    r"audience-annotations|slf4j-api|log4j-api|log4j-core|log4j-slf4j2-impl|metrics-core|snappy-java|commons-cli|commons-io|jackson-annotations|"
    r"jackson-core|jackson-databind|netty-(buffer|codec|codec-base|common|handler|resolver|transport|"
    r"transport-classes-epoll|transport-native-unix-common))-[0-9][^/]*\.jar)$"
)
work, target = sys.argv[1:]
(archive,) = glob.glob(os.path.join(work, "pyspark-*"))
if archive.endswith(".whl"):
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            found = wanted.search(name)
            if found:
                with packed.open(name) as jar, open(os.path.join(target, found[1]), "wb") as out:
                    shutil.copyfileobj(jar, out)
else:
    with tarfile.open(archive) as packed:
        for member in packed:
            found = wanted.search(member.name)
            if found:
                with packed.extractfile(member) as jar, open(os.path.join(target, found[1]), "wb") as out:
                    shutil.copyfileobj(jar, out)
PY
    rm -rf "$work"
fi

# One of the two is C++ on Apache's C client, and is built here.
if ! cmp -s "$here/clients/node/package.json" "$root/node/package.json"; then
    work=$(mktemp -d)
    cp "$here/clients/node/package.json" "$work"
    (cd "$work" && npm install --no-audit --no-fund --no-package-lock --loglevel=error)
    (cd "$work" && node -e 'require("zookeeper"), require("node-zookeeper-client")')
    rm -rf "$root/node"
    mv "$work" "$root/node"
    chmod 755 "$root/node"
fi
if [ ! -e "$root/c-source/zkpython" ]; then
    work=$(mktemp -d)
    echo 'deb-src http://deb.debian.org/debian bookworm main' > "$work/sources.list"
    mkdir -p "$work/lists/partial" "$work/c-source"
    source=(-q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$work/lists" -o APT::Sandbox::User=root)
    apt-get "${source[@]}" update
    (cd "$work" && apt-get "${source[@]}" --download-only source zookeeper)
    tar -C "$work" -xf "$work"/zookeeper_*.orig.tar.[gx]z
    mv "$work"/apache-zookeeper-*/zookeeper-client/zookeeper-client-c "$work/c-source/client"
    mv "$work"/apache-zookeeper-*/zookeeper-contrib/zookeeper-contrib-zkpython "$work/c-source/zkpython"
    chmod -R a+rX "$work/c-source"
    rm -rf "$root/c-source"
    mv "$work/c-source" "$root"
    rm -rf "$work"
fi
ls "$root"/zk39/zookeeper-3.9.*.jar /usr/share/java/zookeeper.jar
