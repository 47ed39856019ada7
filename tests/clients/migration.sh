#!/usr/bin/env bash
# migration.sh [zk39|zk38] - a rolling migration of a live ensemble and back, see migration.py.
#   ZK_AGENT_BIN  our server                     ZKPEER  directory above zk39/, /opt/zkpeer
#   KAZOO_VENV    where kazoo is or gets installed
#   CLIENTS_OUT   where the Java client goes
# Needs root: everything runs in a pid namespace, and ends with it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$(realpath -m "${KAZOO_VENV:-$here/../../target/kazoo-venv}")
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "$here/kazoo-requirements.txt"
fi
export ZKPEER=${ZKPEER:-/opt/zkpeer}
CLASSES=$(realpath -m "${CLIENTS_OUT:-$here/../../target/clients}")/java
export CLASSES
mkdir -p "$CLASSES"
javac -nowarn -XDrawDiagnostics -Xlint:-classfile -cp "$ZKPEER/zk39/*" -d "$CLASSES" "$here"/java/*.java
ZK_AGENT_BIN=$(realpath "${ZK_AGENT_BIN:?the server to test}")
export ZK_AGENT_BIN
exec timeout 500 unshare --pid --fork --kill-child --mount-proc \
    "$venv/bin/python" "$here/migration.py" "${1:-zk39}"
