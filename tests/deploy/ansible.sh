#!/usr/bin/env bash
# The Ansible role against three hosts with systemd as PID 1, and the cloud-init example.
#
# Goal: one run of the playbook makes an ensemble of three bare hosts; run again it changes nothing; an
# upgrade of the packages and a change of a setting roll through while a client writes, which loses no
# acknowledged write and never waits longer than a failover takes.
# Method: hosts in containers, the packages of this tree, and for the upgrade the same ones with a
# higher version; a client on this machine creates a znode after the other and writes down each answer.
#   DEBS       folder of zk-agent_*.deb and zkctl_*.deb (target/deb; made by cargo xtask deb)
#   GAP_MS     longest wait between two answers (10000)
#   BINARIES   folder of zkctl for the client (target/release)
# Needs root and Debian's packages ansible, docker.io, debootstrap and cloud-init, which it installs.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")
debs=$(realpath -m "${DEBS:-$target/deb}") zkctl=$(realpath -m "${BINARIES:-$target/release}")/zkctl
work=$(mktemp -d)
export HOSTS_DIR=$work/docker
. "$top/tests/systemd/hosts.sh"

say() { echo "ansible: $*"; }
fail() {
    local n
    echo "ansible: FAILED: $*" >&2
    for n in 1 2 3; do
        host_exec zk$n journalctl -n 15 --no-pager -u zk-agent >&2 || true
    done
    exit 1
}
writer=
cleanup() {
    [ -z "$writer" ] || kill "$writer" 2> /dev/null || true
    hosts_down || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT

missing=()
for package in ansible cloud-init; do dpkg -s $package > /dev/null 2>&1 || missing+=($package); done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -q > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" > /dev/null
fi
one() { # one PATTERN: the newest file that fits
    local found
    found=$(ls -t $1 2> /dev/null | head -n 1)
    [ -n "$found" ] || fail "no $1; make the packages by cargo xtask deb, or set DEBS"
    echo "$found"
}
agent=$(one "$debs/zk-agent_*.deb") ctl=$(one "$debs/zkctl_*.deb")
[ -x "$zkctl" ] || fail "no $zkctl; build it, or set BINARIES"

cloud-init schema --config-file "$top/packaging/cloud-init/user-data.yaml" > "$work/schema" 2>&1 || fail "$(cat "$work/schema")"
say "cloud-init: $(head -n 1 "$work/schema")"

hosts_up
net=$(host_network zk)
mkdir "$work/debs"
cp "$agent" "$ctl" "$work/debs/"
{
    echo "zk_agent:"
    echo "  vars: {ansible_connection: community.docker.docker, ansible_become: false, ansible_python_interpreter: /usr/bin/python3}"
    echo "  hosts:"
} > "$work/inventory.yml"
for n in 1 2 3; do
    host_start zk$n zk "$net.1$n"
    echo "    zk$n: {zk_agent_address: $net.1$n}" >> "$work/inventory.yml"
done
for book in site migrate; do
    ANSIBLE_CONFIG=$top/packaging/ansible/ansible.cfg ansible-playbook --syntax-check -i "$work/inventory.yml" \
        "$top/packaging/ansible/$book.yml" > "$work/syntax" 2>&1 || fail "$(cat "$work/syntax")"
done
servers=$net.11:2181,$net.12:2181,$net.13:2181

play() { # play NAME DEB.. -- MORE..: runs the playbook with these packages
    local name=$1 list=
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do list+="\"$1\"," && shift; done
    shift
    ANSIBLE_CONFIG=$top/packaging/ansible/ansible.cfg timeout 300 ansible-playbook -i "$work/inventory.yml" \
        -e "{\"zk_agent_debs\": [${list%,}]}" "$@" "$top/packaging/ansible/site.yml" > "$work/$name.log" 2>&1 ||
        { tail -n 40 "$work/$name.log" >&2 && fail "$name"; }
    sed -n 's/^\(zk[0-9] .*\) skipped.*/\1/p' "$work/$name.log" | tr -s ' ' > "$work/$name.recap"
}

began=$SECONDS
play make "$work/debs/$(basename "$agent")" "$work/debs/$(basename "$ctl")" --
"$zkctl" -s "$servers" --timeout 30 health > "$work/health" || fail "$(cat "$work/health")"
say "three bare hosts are an ensemble after $((SECONDS - began)) s"
play again "$work/debs/$(basename "$agent")" "$work/debs/$(basename "$ctl")" --
! grep -v 'changed=0' "$work/again.recap" || fail "a second run changed something"
for n in 1 2 3; do
    host_exec zk$n systemctl show -p NRestarts -p ActiveEnterTimestampMonotonic zk-agent > "$work/before.$n"
done

# --- a client writes, znode after znode, and writes down what was answered and when
cat > "$work/writer" << 'END'
#!/bin/bash
# Each line: ms since 1970 of the answer, the znode.
"$1" -s "$2" create /w > /dev/null
n=0
while :; do
    n=$((n + 1))
    # Asked again, one that was there already is there.
    until "$1" -s "$2" --timeout 20 create "/w/$n" > /dev/null 2>> "$3.errors"; do
        [ $? = 4 ] && break
    done
    echo "$(date +%s%3N) $n" >> "$3"
    # It is there to be missed, not to measure what the servers can do.
    sleep 0.05
done
END
bash "$work/writer" "$zkctl" "$servers" "$work/written" &
writer=$!
wait_for 20 test -s "$work/written"

# --- the same packages with a higher version
raise() { # raise DEB
    local tree=$work/raise
    rm -rf "$tree"
    dpkg-deb -R "$1" "$tree"
    sed -i 's/^\(Version: .*\)/\1+next/; s/zkctl (= \([^)]*\))/zkctl (= \1+next)/' "$tree/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$tree" "$work/next" > /dev/null
}
mkdir "$work/next"
raise "$agent"
raise "$ctl"
began=$SECONDS
play upgrade "$(one "$work/next/zk-agent_*.deb")" "$(one "$work/next/zkctl_*.deb")" --
for n in 1 2 3; do
    host_exec zk$n dpkg-query -W -f '${Version}\n' zk-agent | grep -q '+next$' || fail "zk$n was not upgraded"
    host_exec zk$n systemctl show -p NRestarts -p ActiveEnterTimestampMonotonic zk-agent > "$work/after.$n"
    ! cmp -s "$work/before.$n" "$work/after.$n" || fail "zk$n runs the old program still"
    host_exec zk$n test ! -e /run/zk-agent-restart-required || fail "zk$n waits for a restart"
done
say "upgraded after $((SECONDS - began)) s"
play change "$(one "$work/next/zk-agent_*.deb")" "$(one "$work/next/zkctl_*.deb")" -- -e '{"zk_agent_config": {"snapCount": 7777}}'
for n in 1 2 3; do host_exec zk$n grep -qx snapCount=7777 /etc/zk-agent/zoo.cfg || fail "zk$n has the old settings"; done

kill "$writer" && wait "$writer" 2> /dev/null || true
writer=
count=$(wc -l < "$work/written")
for n in 1 2 3; do
    "$zkctl" -s "$net.1$n:2181" sync /w
    "$zkctl" -s "$net.1$n:2181" ls /w | sort -n > "$work/there"
    cut -d' ' -f2 "$work/written" | sort -n > "$work/answered"
    lost=$(comm -23 <(sort "$work/answered") <(sort "$work/there") | wc -l)
    [ "$lost" = 0 ] || fail "zk$n has lost $lost of $count acknowledged writes"
done
gap=$(awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }' "$work/written")
[ "$gap" -le "${GAP_MS:-10000}" ] || fail "the client waited $gap ms: $(tail -n 3 "$work/written.errors")"
say "$count writes were acknowledged and are all there; the longest wait was $gap ms"
