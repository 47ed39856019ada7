#!/usr/bin/env bash
# packaging/oci/zk-agent.container on a host with podman's Quadlet and systemd as PID 1.
#
# Goal: the lines at its beginning make a service of the image: quadlet understands every key, the service
# is what is meant (not root, read-only, no capability), podman finds it healthy, systemd is told its status,
# and data outlive stops, crashes and containers.
# Method: Debian trixie, because bookworm's podman is too old for its keys; podman 5 in a container of dockerd.
#   BINARIES   folder of zk-agent and zkctl (that of ZK_AGENT_BIN, or target/release)
# Needs root and cargo; installs what else it needs. HOSTS_* as in tests/systemd/hosts.sh.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
HOSTS_SUITE=trixie
. "$top/tests/packages/checks.sh"
. "$top/tests/systemd/hosts.sh"
binaries=${BINARIES:-$(dirname "${ZK_AGENT_BIN:-$packages_target/release/zk-agent}")}
unit=/etc/containers/systemd/zk-agent.container
began=$SECONDS
work=$(mktemp -d)
finish() {
    rm -rf "$work" "$packages_said" "$packages_before"
    [ -n "${KEEP:-}" ] || hosts_down
}
trap finish EXIT

on() { host_exec h1 "$@"; }
sh_on() { host_exec h1 sh -c "$1"; }
property() { on systemctl show -P "$1" "${2:-zk-agent}"; }
journal() { on journalctl -u zk-agent --no-pager -o cat; }
zkctl() { on podman exec systemd-zk-agent zkctl --timeout 2 "$@"; }
fact() { on podman inspect -f "{{$1}}" systemd-zk-agent; }
health() { fact .State.Health.Status; }
dry_run() { sh_on "QUADLET_UNIT_DIRS=$1 /usr/libexec/podman/quadlet -dryrun"; }
serves_as_another() { [ "$(on pidof zk-agent)" != "$1" ] && zkctl ls /; } # serves_as_another PID

is_understood() {
    local word
    host_copy "$top/packaging/oci/zk-agent.container" h1:/srv
    sh_on "mkdir -p ${unit%/*} && install -m 644 /srv/zk-agent.container $unit"
    check "quadlet makes a unit of it" dry_run "${unit%/*}"
    cp "$packages_said" "$work/unit"
    refuses "... without a word of warning" \
        says '^quadlet-generator.*(arn|nsupported|nknown|rror|not fully|eprecated)' cat "$work/unit"
    for word in '--read-only ' '--cap-drop all' '--security-opt=no-new-privileges' '--network host' \
        '--sdnotify=container' '-v zk-agent-data:/data:U' '-v zk-agent-log:/datalog:U' '--stop-timeout 60' \
        'localhost/zk-agent:0\.1\.0$'; do
        check "... that says $word" says "^ExecStart=/usr/bin/podman run .*$word" cat "$work/unit"
    done
    sh_on "mkdir -p /srv/wrong && sed s/ReadOnly=/ReadOnlyFiles=/ $unit > /srv/wrong/zk-agent.container"
    refuses "... and refuses a key that it does not know" dry_run /srv/wrong
    check "systemd-analyze verify says nothing" sh_on 'systemctl daemon-reload
        said=$(systemd-analyze verify --man=no --generators=yes zk-agent.service 2>&1 | grep zk-agent)
        printf %s "$said"; [ -z "$said" ]'
}

is_loaded() {
    cargo run --quiet -p xtask -- oci --binaries "$binaries" --out "$work/zk-agent.tar" > "$work/oci" 2>&1 || {
        cat "$work/oci" >&2
        return 1
    }
    host_copy "$work/zk-agent.tar" h1:/srv
    check "podman takes the image" sh_on \
        'podman load -i /srv/zk-agent.tar && podman tag zk-agent:0.1.0 localhost/zk-agent:0.1.0'
}

is_run() {
    local pid
    check "systemctl start" on systemctl start zk-agent
    check "... and it serves" wait_for 10 zkctl ls /
    check "systemd is told the status" says 'Standalone, zxid' property StatusText
    check "podman finds it healthy" wait_for 30 is healthy health
    check "it is the image's user" is 1000:1000 fact .Config.User
    pid=$(on pidof zk-agent)
    check "... in fact" is 1000 on stat -c %u "/proc/$pid"
    check "... without a capability" says '^CapBnd:\s+0+$' on cat "/proc/$pid/status"
    check "... that can gain none" says '^NoNewPrivs:\s+1$' on cat "/proc/$pid/status"
    check "its root is read-only" says ' / ro,' on grep ' / / \|overlay' "/proc/$pid/mountinfo"
    check "it serves on the host's network" on python3 -c \
        'import socket; socket.create_connection(("127.0.0.1", 2181), 5)'
    check "a write" zkctl create /kept here
    check "a read" is here zkctl get /kept
}

ends_and_comes_back() {
    local pid
    check "systemctl stop" on systemctl stop zk-agent
    check "... is a success" is success property Result
    check "... with all on disk" says 'start: stopped' journal
    check "... leaves no container" is "" on podman ps -aq
    check "systemctl start" on systemctl start zk-agent
    check "... has the data" is here zkctl get /kept
    pid=$(on pidof zk-agent)
    sh_on "kill -9 $pid"
    check "after SIGKILL another one serves" wait_for 30 serves_as_another "$pid"
    check "... with the data" is here zkctl get /kept
    check "... however often" is 0 property StartLimitIntervalUSec
}

# What the comments of the file lead to.
is_set_up() {
    sh_on "sed -i '/^Image=/i Environment=ZOO_CFG_EXTRA=clientPortAddress=127.0.0.1' $unit && systemctl daemon-reload"
    check "for this host only" on systemctl restart zk-agent
    check "... it listens there only" sh_on "ss -Hltn | grep -q 127.0.0.1:2181 && ! ss -Hltn | grep -v 127.0.0 | grep :2181"
    sh_on "sed -i '/^Environment=/d; s/^#Environment/Environment/; s/=zk1:/=127.0.0.1:/' $unit && systemctl daemon-reload"
    check "as one of three" on systemctl restart zk-agent
    check "... it looks for the others" wait_for 20 says 'NO QUORUM.*server 2.*server 3' property StatusText
    sh_on "sed -i '/^Environment=/d; /^Image=/i Environment=ZOO_TICK_TIME=soon' $unit && systemctl daemon-reload"
    refuses "a wrong setting" on systemctl restart zk-agent
    check "... ends with 78" is 78 property ExecMainStatus
    sleep 2
    check "... and is not tried again" is failed property ActiveState
    check "... and names its variable" says 'ZOO_TICK_TIME' journal
}

hosts_up
hosts_add trixie podman crun
HOSTS_OPTIONS=(-v /var/lib/containers)
host_start h1
on podman --version
is_understood
is_loaded
is_run
ends_and_comes_back
is_set_up
echo "quadlet: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
