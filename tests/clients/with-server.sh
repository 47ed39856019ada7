#!/usr/bin/env bash
# with-server.sh ours|apache COMMAND.. - starts an empty server on loopback, runs the command with
# its address in ZK_ADDRESS and its file of settings in ZK_CONFIG, and stops the server. The exit code
# is that of the command.
#   ZK_AGENT_BIN  our server (ours)         ZKPEER  directory above zk39/ (apache), /opt/zkpeer
#   SERVER_LINES  more lines of settings    SERVER_FLAGS  JVM properties, as -Dname=value
set -euo pipefail
target=${1:?ours or apache}
shift
work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap stop EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$work/zoo.cfg" <<CFG
tickTime=2000
dataDir=$work/data
clientPort=$port
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=*
extendedTypesEnabled=true
${SERVER_LINES-}
CFG
mkdir "$work/data"
case $target in
ours) JVMFLAGS=${SERVER_FLAGS-} "${ZK_AGENT_BIN:?the server to test}" --config "$work/zoo.cfg" > "$work/out" 2>&1 & ;;
apache)
    # shellcheck disable=SC2086  # one word for each property
    java -Xmx512m ${SERVER_FLAGS-} -cp "${ZKPEER:-/opt/zkpeer}/zk39/*" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$work/zoo.cfg" > "$work/out" 2>&1 &
    ;;
*) echo "with-server.sh: $target is neither ours nor apache" >&2; exit 2 ;;
esac
server=$!
serves() {
    timeout 2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port && printf srvr >&3 && grep -q '^Mode:' <&3" 2>/dev/null
}
for _ in $(seq 300); do
    if serves; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then
        echo "with-server.sh: the server ended:" >&2
        cat "$work/out" >&2
        exit 1
    fi
    sleep 0.1
done
ZK_ADDRESS=127.0.0.1:$port ZK_CONFIG=$work/zoo.cfg "$@"
