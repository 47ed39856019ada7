#!/usr/bin/env bash
# kazoo.sh ours|apache [pytest arguments] - kazoo's own test suite against our server, or against a
# genuine one, which tells whether a failure is ours.
#   ZK_AGENT_BIN  our server (ours)         ZKPEER  directory above zk39/ (apache), /opt/zkpeer
#   KAZOO_VENV    where the suite is or gets installed
#   KAZOO_SERVERS 1 (default) or 3: the ensemble that the suite is written for
# Tests that are left out stand in kazoo-left-out.txt (kazoo-left-out-3.txt), each with its reason.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?ours or apache}
shift
venv=$(realpath -m "${KAZOO_VENV:-$here/../../target/kazoo-venv}")
if ! "$venv/bin/python" -c 'import kazoo, pytest_rerunfailures' 2> /dev/null; then
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
servers=${KAZOO_SERVERS:-1}
list=$here/kazoo-left-out.txt
more=()
if [ "$servers" != 1 ]; then
    list=$here/kazoo-left-out-$servers.txt
    # Some tests write at one server and read at another at once, which may not have it yet.
    more=(--reruns 2)
fi
# The harness counts its ports up from one; it takes ten for each server.
port=$(python3 - "$servers" <<'PY'
import random, socket, sys

def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

while True:
    base = random.randrange(20000, 30000)
    if all(is_free(base + n) for n in range(10 * int(sys.argv[1]) + 10)):
        break
print(base)
PY
)
export ZOOKEEPER_VERSION=3.9.5 ZOOKEEPER_CLUSTER_SIZE=$servers ZOOKEEPER_PORT_OFFSET=$port
left_out=()
while read -r test _; do
    case $test in '' | '#'*) ;; *) left_out+=(--deselect "kazoo/tests/$test") ;; esac
done < "$list"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
site=$("$venv/bin/python" -c 'import kazoo, os; print(os.path.dirname(os.path.dirname(kazoo.__file__)))')
TMPDIR=$work "$venv/bin/pytest" --rootdir "$site" "$site/kazoo/tests" -p no:cacheprovider \
    --timeout 120 -q -ra "${more[@]}" "${left_out[@]}" "$@"
