#!/usr/bin/env bash
# node.sh ours|apache - the Node clients node-zookeeper-client (JavaScript) and zookeeper (Apache's C
# client) against our server, or against a genuine one.
#   ZK_AGENT_BIN  our server (ours)
#   ZKPEER        directory above zk39/ (apache) and node/node_modules, which peers.sh fills
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?ours or apache}
export NODE_PATH=${ZKPEER:-/opt/zkpeer}/node/node_modules
export SERVER_LINES=$'tickTime=500\nminSessionTimeout=1000'
for program in pure native; do
    echo "node.sh: $program"
    timeout 120 "$here/with-server.sh" "$target" node "$here/node/$program.js"
done
