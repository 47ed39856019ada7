#!/usr/bin/env bash
# The failover drill of docs/DEPLOY.md, with measured times: a member is restarted, the leader is stopped
# in order, the leader is killed.
#
# Goal: after each of them the ensemble answers writes again within a second or so, has lost nothing, and
# is whole again when the member is back.
# Method: `zkctl demo`, three servers on this machine; a client creates a znode after the other through
# all of them, and the longest wait between two answers around each event is the measure.
#   BINARIES   folder of zk-agent and zkctl (target/release)
#   ROUNDS     how often each (5)      GAP_MS   longest wait that is accepted (5000)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
binaries=${BINARIES:-$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")/release}
zkctl=$binaries/zkctl rounds=${ROUNDS:-5}
fail() { echo "drill: FAILED: $*" >&2; exit 1; }
[ -x "$zkctl" ] && [ -x "$binaries/zk-agent" ] || fail "no zkctl and zk-agent in $binaries; set BINARIES"
work=$(mktemp -d)
writer=
cleanup() {
    [ -z "$writer" ] || kill "$writer" 2> /dev/null || true
    "$zkctl" demo down --dir "$work/demo" --purge || true
    rm -rf "$work"
}
trap cleanup EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

"$zkctl" -o plain demo up --dir "$work/demo" --port "$port" > "$work/up" 2> /dev/null || fail "demo up"
servers=$(cut -f2 "$work/up" | paste -sd,)
address() { sed -n "${1}p" "$work/up" | cut -f2; }
leader() { "$zkctl" -o plain demo status --dir "$work/demo" 2> /dev/null | awk -F'\t' '$3 == "leader" { print $1 }'; }
now() { date +%s%3N; }
wait_whole() {
    "$zkctl" -s "$servers" --timeout 60 wait --synced || fail "the ensemble is not whole again"
}

cat > "$work/writer" << 'END'
"$1" -s "$2" create /w > /dev/null
n=0
while :; do
    n=$((n + 1))
    until "$1" -s "$2" --timeout 20 create "/w/$n" > /dev/null 2>&1; do [ $? = 4 ] && break; done
    echo "$(date +%s%3N) $n" >> "$3"
done
END
bash "$work/writer" "$zkctl" "$servers" "$work/written" &
writer=$!
until [ -s "$work/written" ]; do sleep 0.05; done

gap() { # gap FROM TO: the longest wait between two answers in that time
    awk -v from="$1" -v to="$2" '$1 >= from - 500 && $1 <= to { if (last && $1 - last > most) most = $1 - last; last = $1 }
        END { print most + 0 }' "$work/written"
}
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)], all[NR] }'; }
drill() { # drill NAME WHO SIGNAL: WHO is leader or follower
    local round n pid began back
    : > "$work/gaps"
    : > "$work/backs"
    for round in $(seq "$rounds"); do
        n=$(leader)
        [ -n "$n" ] || fail "nobody leads"
        [ "$2" = leader ] || n=$((n % 3 + 1))
        pid=$(cut -d' ' -f1 "$work/demo/$n/pid")
        began=$(now)
        kill -"$3" "$pid"
        until [ ! -e "/proc/$pid/fd/1" ]; do sleep 0.01; done
        sleep 1
        back=$(now)
        "$zkctl" demo up --dir "$work/demo" > /dev/null 2>&1 || fail "server $n does not come back"
        wait_whole
        echo $(($(now) - back)) >> "$work/backs"
        gap "$began" "$(now)" >> "$work/gaps"
    done
    read -r usual most < <(median < "$work/gaps")
    read -r usual_back most_back < <(median < "$work/backs")
    echo "drill: $1: a client waits $usual ms (most $most); started again, the member has everything after $usual_back ms (most $most_back)"
    [ "$most" -le "${GAP_MS:-5000}" ] || fail "$1: a client waited $most ms"
}
drill "a follower is restarted" follower TERM
drill "the leader is stopped" leader TERM
drill "the leader is killed" leader KILL

kill "$writer" && wait "$writer" 2> /dev/null || true
writer=
cut -d' ' -f2 "$work/written" | sort > "$work/answered"
for n in 1 2 3; do
    "$zkctl" -s "$(address $n)" sync /w
    "$zkctl" -s "$(address $n)" ls /w | sort > "$work/there"
    lost=$(comm -23 "$work/answered" "$work/there" | wc -l)
    [ "$lost" = 0 ] || fail "server $n has lost $lost acknowledged writes"
done
echo "drill: $(wc -l < "$work/answered") writes were acknowledged, and all are there"
