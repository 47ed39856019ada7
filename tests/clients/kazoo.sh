#!/usr/bin/env bash
# kazoo.sh ours|apache [pytest arguments] - kazoo's own test suite against our server, or against a
# genuine one, which tells whether a failure is ours.
#   ZK_AGENT_BIN  our server (ours)         ZKPEER  directory above zk39/ (apache), /opt/zkpeer
#   KAZOO_VENV    where the suite is or gets installed
# Tests that are left out stand in kazoo-left-out.txt, each with its reason.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?ours or apache}
shift
venv=$(realpath -m "${KAZOO_VENV:-$here/../../target/kazoo-venv}")
if [ ! -x "$venv/bin/pytest" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r "$here/kazoo-requirements.txt"
fi
case $target in
ours)
    ZK_AGENT_BIN=$(realpath "${ZK_AGENT_BIN:?the server to test}")
    export ZK_AGENT_BIN PATH="$here/shim:$PATH" ZOOKEEPER_CLASSPATH=unused
    ;;
apache) export ZOOKEEPER_CLASSPATH="${ZKPEER:-/opt/zkpeer}/zk39/*" ;;
*) echo "kazoo.sh: $target is neither ours nor apache" >&2; exit 2 ;;
esac
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ZOOKEEPER_VERSION=3.9.5 ZOOKEEPER_CLUSTER_SIZE=1 ZOOKEEPER_PORT_OFFSET=$port
left_out=()
while read -r test _; do
    case $test in '' | '#'*) ;; *) left_out+=(--deselect "kazoo/tests/$test") ;; esac
done < "$here/kazoo-left-out.txt"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
site=$("$venv/bin/python" -c 'import kazoo, os; print(os.path.dirname(os.path.dirname(kazoo.__file__)))')
TMPDIR=$work "$venv/bin/pytest" --rootdir "$site" "$site/kazoo/tests" -p no:cacheprovider \
    --timeout 120 -q -ra "${left_out[@]}" "$@"
