#!/usr/bin/env bash
# java.sh ours|apache [PROGRAM..] - Apache's Java client and Curator against our server, or against a
# genuine one, which tells whether a failure is ours. Programs are the classes in java/ with a main:
# PlainClient and Curator, which is all of them.
#   ZK_AGENT_BIN  our server (ours)       ZKPEER  directory above zk39/, whose jars are the clients too
#   CLIENTS_OUT   where the classes go    ONLY    runs the steps with this in their name
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?ours or apache}
shift
[ $# -gt 0 ] || set -- PlainClient Curator
export JARS="${ZKPEER:-/opt/zkpeer}/zk39/*"
CLASSES=$(realpath -m "${CLIENTS_OUT:-$here/../../target/clients}")/java
export CLASSES
mkdir -p "$CLASSES"
# The jars name annotations that they do not carry: no reason for a word.
javac -nowarn -XDrawDiagnostics -Xlint:-classfile -cp "$JARS" -d "$CLASSES" "$here"/java/*.java
# Short ticks, so that sessions end in a second and containers go at once.
export SERVER_LINES=$'tickTime=500\nminSessionTimeout=1000'
export SERVER_FLAGS=-Dznode.container.checkIntervalMs=300
for program in "$@"; do
    # shellcheck disable=SC2016
    timeout 180 "$here/with-server.sh" "$target" bash -c '
        java -Xmx256m -XX:TieredStopAtLevel=1 -Djute.maxbuffer=4194304 \
            -Dlog4j2.level=OFF -cp "$CLASSES:$JARS" "$0"' "$program"
done
