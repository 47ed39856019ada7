#!/usr/bin/env bash
# The image and the compose file, with a dockerd of our own.
#
# Goal: the image is what it says (small, not root, nothing to write to but its volumes, reproducible),
# mistakes name the variable, and three servers by compose go on when the leader dies.
# Method: packed twice from the same binaries; started by docker-compose; a write is answered before
# and after SIGKILL of the leader, and through a rolling restart that asks safe-to-stop.
#   BINARIES   folder of zk-agent and zkctl (target/release)
# Needs root and Debian's packages docker.io and docker-compose, which it installs.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")
binaries=${BINARIES:-$target/release}
work=$(mktemp -d)
export HOSTS_DIR=$work/docker HOSTS_CACHE=$work
. "$top/tests/systemd/hosts.sh"
cd "$top"

say() { echo "containers: $*"; }
fail() {
    echo "containers: FAILED: $*" >&2
    for name in zk1 zk2 zk3; do docker logs --tail 15 $name >&2 || true; done
    exit 1
}
compose() { docker-compose -f "$top/packaging/oci/compose.yaml" -p zk "$@"; }
cleanup() {
    compose down -v -t 1 > /dev/null 2>&1 || true
    hosts_down || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT

for tool in docker-compose; do
    command -v $tool > /dev/null || {
        apt-get update -q > /dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $tool > /dev/null
    }
done
hosts_install && hosts_daemon

# --- the image
for i in 1 2; do
    cargo run --quiet -p xtask -- oci --binaries "$binaries" --out "$work/$i/zk-agent.tar" > "$work/log.$i" 2>&1 ||
        fail "$(cat "$work/log.$i")"
done
cmp "$work/1/zk-agent.tar" "$work/2/zk-agent.tar" || fail "two images of the same binaries differ"
image=$(docker load -q -i "$work/1/zk-agent.tar" | sed -n 's/^Loaded image: //p')
export ZK_IMAGE=$image
facts=$(docker image inspect -f '{{.Config.User}} {{.Config.StopSignal}} {{.Config.Healthcheck.Test}} {{.Size}}' "$image")
case $facts in
    "1000:1000 SIGTERM [CMD /usr/bin/zkctl health --timeout 4] "*) ;;
    *) fail "$facts" ;;
esac
bytes=${facts##* }
[ "$bytes" -le 15000000 ] || fail "$bytes bytes"
say "$image: $facts"

# --- mistakes
refused() { # refused PATTERN VARIABLE=VALUE..
    local pattern=$1 code=0 told
    shift
    told=$(docker run --rm --network none --read-only --tmpfs /data:uid=1000 --tmpfs /datalog:uid=1000 \
        "${@/#/--env=}" "$image" 2>&1) || code=$?
    [ $code = 78 ] && [[ $told == *"$pattern"* ]] || fail "$*: exit $code: $told"
}
# shellcheck disable=SC2016
{
    refused '$ZOO_TICK_TIME: tickTime=soon: ' ZOO_TICK_TIME=soon
    refused '$ZOO_MY_ID: not given, and no server in $ZOO_SERVERS is ' ZOO_SERVERS='server.1=a:1:2;3 server.2=b:1:2;3'
    refused '$ZOO_MY_ID=9x: ' ZOO_MY_ID=9x
}
told=$(docker run --rm --network none --read-only --tmpfs /data:uid=0,mode=700 "$image" 2>&1) && fail "it wrote as root"
[[ $told == *'$ZOO_DATA_DIR: /data/conf: '*'mount a volume'* ]] || fail "$told"
say "mistakes name their variable"

# --- three of them
began=$(date +%s%N)
export ZK1_PORT=0 ZK2_PORT=0 ZK3_PORT=0
compose up -d > "$work/compose.log" 2>&1 || fail "$(cat "$work/compose.log")"
on() { docker exec "zk$1" zkctl "${@:2}"; }
mode() { on "$1" srvr 2> /dev/null | sed -n 's/^Mode: //p'; }
leader() {
    local n
    for n in 1 2 3; do [ "$(mode $n)" = leader ] && echo $n && return; done
    return 1
}
wait_for 60 leader || fail "nobody leads"
say "three servers lead and follow after $((($(date +%s%N) - began) / 1000000)) ms"
for n in 1 2 3; do
    wait_for 60 on $n health || fail "zk$n is not well"
    [ "$(on $n members -o plain | wc -l)" = 3 ] || fail "zk$n has not three members"
    docker exec zk$n /usr/bin/zk-agent --version > /dev/null
    wait_for 40 sh -c "docker inspect -f '{{.State.Health.Status}}' zk$n | grep -qx healthy" ||
        fail "zk$n is not healthy: $(docker inspect -f '{{json .State.Health}}' zk$n)"
done
[ -n "$(docker port zk1 2181)" ] || fail "no port is published"
on 1 create /count 0 > /dev/null

# --- the leader dies
dead=$(leader)
others=$(echo 1 2 3 | tr -d "$dead")
pid=$(docker inspect -f '{{.State.Pid}}' "zk$dead")
began=$(date +%s%N)
kill -9 "$pid"
set -- $others
until on "$1" set /count 1 > /dev/null 2>&1; do
    [ $((($(date +%s%N) - began) / 1000000000)) -lt 60 ] || fail "no write after the leader died"
done
say "leader killed: the next write was answered after $((($(date +%s%N) - began) / 1000000)) ms"
wait_for 60 on "$dead" health || fail "zk$dead was not restarted"
[ "$(on "$dead" get /count)" = 1 ] || fail "zk$dead has not what it missed"

# --- all restarted, one by one
count=1
for n in 1 2 3; do
    on $n safe-to-stop --wait 60 > /dev/null || fail "zk$n may not be stopped"
    docker restart -t 60 zk$n > /dev/null
    [ "$(docker inspect -f '{{.State.ExitCode}}' zk$n)" = 0 ] || fail "zk$n did not end well"
    wait_for 60 on $n health || fail "zk$n does not come back"
    count=$((count + 1))
    on $n set /count $count > /dev/null
done
[ "$(on 1 get /count)" = $count ] || fail "a write is missing"
# Anew from the volumes, with nothing of the containers left.
compose down -t 60 > /dev/null 2>&1
compose up -d > "$work/compose.log" 2>&1
wait_for 60 on 2 health || fail "nothing comes back from the volumes"
on 2 sync / && [ "$(on 2 get /count)" = $count ] || fail "a write is missing on the volumes"
say "rolling restart, and a start from the volumes: nothing is missing"
