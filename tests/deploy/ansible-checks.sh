# ansible-checks.sh - what the scripts ansible*.sh have in common: three hosts with systemd as PID 1 in an
# inventory, plays on them, a client that writes meanwhile. To be sourced by bash scripts; needs root,
# and Debian's packages ansible, docker.io and debootstrap, which it installs.
#
#   one PATTERN               the newest file that fits
#   need PACKAGE..            installs what is missing here
#   hosts_three [LINE..]      boots zk1 to zk3 and writes the inventory, LINEs among its variables; sets
#                             net and servers. With ADDRESSES_FOUND=1 it says no addresses
#   same_settings             fails unless all have the same, with their addresses
#   play NAME BOOK ARGUMENT.. runs packaging/ansible/BOOK; its output is NAME.log
#   unchanged NAME            fails when that play has changed something
#   started HOST              what changes when its server is started
#   one_by_one WHEN           fails unless each server was back before the next one was stopped
#   writer_starts ZNODE       a client creates znode after znode below it and writes down each answer,
#   writer_ends               until here
#   writes_are_there ZNODE    fails unless each host has all of them, and nobody waited too long
#
#   BINARIES   folder of zkctl for the client (target/release)
#   GAP_MS     longest wait between two answers (10000)
#   ANSIBLE_SPENT=1  says what each task took
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")
zkctl=$(realpath -m "${BINARIES:-$target/release}")/zkctl
name=$(basename "$0" .sh)
work=$(mktemp -d)
export HOSTS_DIR=$work/docker
. "$top/tests/systemd/hosts.sh"
export ANSIBLE_CONFIG=$top/packaging/ansible/ansible.cfg
[ -z "${ANSIBLE_SPENT:-}" ] || export ANSIBLE_CALLBACKS_ENABLED=ansible.posix.profile_tasks

say() { echo "$name: $*"; }
fail() {
    local n
    echo "$name: FAILED: $*" >&2
    for n in 1 2 3; do
        host_exec zk$n journalctl -n 15 --no-pager -u zk-agent -u zookeeper >&2 || true
    done
    exit 1
}
writer= holder=
cleanup() {
    local client
    for client in $writer $holder; do kill "$client" 2> /dev/null || true; done
    hosts_down || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'echo "$name: FAILED in line $LINENO: $BASH_COMMAND" >&2' ERR

one() {
    local found
    found=$(ls -t $1 2> /dev/null | head -n 1)
    [ -n "$found" ] || fail "no $1; make the packages by cargo xtask deb and rpm, or set DEBS and RPMS"
    echo "$found"
}

need() {
    local missing=() package
    for package in "$@"; do dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package"); done
    [ ${#missing[@]} -eq 0 ] && return
    apt-get update -q > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" > /dev/null
}

hosts_three() {
    local n line started=()
    [ -x "$zkctl" ] || fail "no $zkctl; build it, or set BINARIES"
    hosts_up
    net=$(host_network zk)
    servers=$net.11:2181,$net.12:2181,$net.13:2181
    {
        printf '%s\n' "zk_agent:" "  vars:"
        for line in "ansible_connection: community.docker.docker" "ansible_become: false" \
            "ansible_python_interpreter: /usr/bin/python3" "$@"; do echo "    $line"; done
        echo "  hosts:"
    } > "$work/inventory.yml"
    for n in 1 2 3; do
        echo "    zk$n: {$([ -n "${ADDRESSES_FOUND:-}" ] || echo "zk_agent_address: $net.1$n")}" >> "$work/inventory.yml"
        host_start zk$n zk "$net.1$n" &
        started+=($!)
    done
    for n in "${started[@]}"; do wait "$n" || fail "a host does not start"; done
    # Their disks go with them.
    for n in 1 2 3; do host_exec zk$n sh -c 'echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/test'; done
}

play() {
    local name=$1 book=$top/packaging/ansible/$2
    shift 2
    timeout 300 ansible-playbook -i "$work/inventory.yml" "$@" "$book" > "$work/$name.log" 2>&1 ||
        { tail -n 40 "$work/$name.log" >&2 && return 1; }
    [ -z "${ANSIBLE_SPENT:-}" ] || sed -n '/^====/,$p' "$work/$name.log"
}

unchanged() {
    [ "$(grep -c 'changed=0 ' "$work/$1.log")" = 3 ] ||
        fail "$1 changed something: $(grep -B 20 '^changed:' "$work/$1.log" | tail -n 40)"
}

same_settings() {
    local n
    for n in 1 2 3; do
        host_exec zk$n cat /etc/zk-agent/zoo.cfg > "$work/settings.$n"
        cmp "$work/settings.1" "$work/settings.$n" || fail "zk1 and zk$n have other settings"
        grep -q "^server.$n=$net.1$n:" "$work/settings.$n" || fail "$net.1$n is not server $n: $(cat "$work/settings.$n")"
    done
}

started() { host_exec "$1" systemctl show -p NRestarts -p ActiveEnterTimestampMonotonic zk-agent; }

one_by_one() {
    local n
    for n in 1 2 3; do
        # All hosts have the clock of this machine: when it was stopped, and when it was back.
        host_exec zk$n systemctl show -p ActiveExitTimestampMonotonic -p ActiveEnterTimestampMonotonic zk-agent |
            sort -r | cut -d= -f2 | xargs
    done | sort -n > "$work/away"
    awk '$1 < back { exit 1 } { back = $2 }' "$work/away" || fail "$1 two were away at once: $(cat "$work/away")"
}

writer_starts() {
    cat > "$work/writer" << 'END'
#!/bin/bash
# Each line: ms since 1970 of the answer, the znode.
until "$1" -s "$2" --timeout 20 create "$4" > /dev/null 2>> "$3.errors" || [ $? = 4 ]; do sleep 0.1; done
n=0
while :; do
    n=$((n + 1))
    # Asked again, one that was there already is there.
    until "$1" -s "$2" --timeout 20 create "$4/$n" > /dev/null 2>> "$3.errors"; do
        [ $? = 4 ] && break
    done
    echo "$(date +%s%3N) $n" >> "$3"
    # It is there to be missed, not to measure what the servers can do.
    sleep 0.05
done
END
    bash "$work/writer" "$zkctl" "$servers" "$work/written$1" "/$1" &
    writer=$!
    wait_for 20 test -s "$work/written$1"
}

writer_ends() {
    kill "$writer" && wait "$writer" 2> /dev/null || true
    writer=
}

writes_are_there() {
    local n count lost gap written=$work/written$1
    count=$(wc -l < "$written")
    cut -d' ' -f2 "$written" | sort > "$work/answered"
    for n in 1 2 3; do
        "$zkctl" -s "$net.1$n:2181" sync "/$1"
        "$zkctl" -s "$net.1$n:2181" ls "/$1" | sort > "$work/there"
        lost=$(comm -23 "$work/answered" "$work/there" | wc -l)
        [ "$lost" = 0 ] || fail "zk$n has lost $lost of $count acknowledged writes"
    done
    gap=$(awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }' "$written")
    [ "$gap" -le "${GAP_MS:-10000}" ] || fail "the client waited $gap ms: $(tail -n 3 "$written.errors")"
    say "$count writes were acknowledged and are all there; the longest wait was $gap ms"
}
