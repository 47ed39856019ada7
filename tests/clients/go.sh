#!/usr/bin/env bash
# go.sh ours|apache - the Go client that Debian packages (samuel/go-zookeeper) against our server, or
# against a genuine one.
#   ZK_AGENT_BIN  our server (ours)         ZKPEER  directory above zk39/ (apache), /opt/zkpeer
#   CLIENTS_OUT   where the program goes
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?ours or apache}
out=$(realpath -m "${CLIENTS_OUT:-$here/../../target/clients}")
mkdir -p "$out"
# The packaged library has no module file: the old way of building finds it.
(cd "$here/go" && GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' GOCACHE="$out/go-cache" go build -o "$out/go-client" .)
export SERVER_LINES=$'tickTime=500\nminSessionTimeout=1000'
timeout 120 "$here/with-server.sh" "$target" "$out/go-client"
