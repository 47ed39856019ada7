#!/usr/bin/env bash
# peers.sh - installs the genuine servers and clients that the tests hold ours against, by Debian's
# packages and by pip. Idempotent. Needs root.
#   Debian   ZooKeeper 3.8: server, Java shell (zookeeper), C shell and load_gen (zookeeper-bin)
#   $ZKPEER  (/opt/zkpeer) zk39/*.jar: Apache ZooKeeper 3.9, from the jars that pyspark carries
set -euo pipefail
root=${ZKPEER:-/opt/zkpeer}
pyspark=${PYSPARK:-4.3.0}

missing=()
for package in zookeeper libzookeeper-java zookeeper-bin libzookeeper-mt-dev gcc e2fsprogs util-linux \
    mount python3 python3-venv python3-pip; do
    dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
done
command -v java > /dev/null || missing+=(openjdk-17-jre-headless)
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

if ! compgen -G "$root/zk39/zookeeper-3.9.*.jar" > /dev/null; then
    mkdir -p "$root/zk39"
    work=$(mktemp -d)
    pip download -q --no-deps --no-build-isolation -d "$work" "pyspark==$pyspark" ||
        pip download -q --no-deps -d "$work" "pyspark==$pyspark"
    python3 - "$work" "$root/zk39" <<'PY'
import glob, os, re, shutil, sys, tarfile, zipfile

# What QuorumPeerMain needs, without the admin server's.
wanted = re.compile(
    r"/jars/((zookeeper|zookeeper-jute|audience-annotations|slf4j-api|log4j-api|log4j-core|"
    r"log4j-slf4j2-impl|metrics-core|snappy-java|commons-cli|commons-io|jackson-annotations|"
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
ls "$root"/zk39/zookeeper-3.9.*.jar /usr/share/java/zookeeper.jar
