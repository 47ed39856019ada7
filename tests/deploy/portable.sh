#!/usr/bin/env bash
# The portable service: what systemd says of the image, and a host that it is attached to.
#
# Goal: the same binaries give the same image, its units are those of the packages and as closed there as
# anywhere, and the lines of docs/DEPLOY.md make a server of it on a host that has no package of ours: it
# serves, is backed up, is replaced by the next image without refusing anybody, and leaves its data behind.
# Method: packed twice; attached as a file through a loop device by portablectl in a container with systemd
# as PID 1; the host's /etc/hosts names the address it listens on; a client connects all the time.
#   BINARIES   folder of zk-agent and zkctl (that of ZK_AGENT_BIN, or target/release)
# Needs root and loop devices; installs what else it needs. HOSTS_* as in tests/systemd/hosts.sh.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/packages/checks.sh"
. "$top/tests/systemd/hosts.sh"
binaries=${BINARIES:-$(dirname "${ZK_AGENT_BIN:-$packages_target/release/zk-agent}")}
began=$SECONDS
work=$(mktemp -d)
image=$work/1/zk-agent_0.1.0.raw
finish() {
    rm -rf "$work" "$packages_said" "$packages_before"
    [ -n "${KEEP:-}" ] || hosts_down
}
trap finish EXIT

on() { host_exec h1 "$@"; }
sh_on() { host_exec h1 sh -c "$1"; }
property() { on systemctl show -P "$1" "${2:-zk-agent}"; }
# The image holds zkctl, and the host has it from there.
serves() { on zkctl -s here:2181 --timeout 2 ls /; }

is_packed() {
    local i program
    for i in 1 2; do
        "$top/packaging/portable/build.sh" "$binaries" "$top/systemd" "$work/$i/zk-agent_0.1.0.raw"
    done
    check "the same binaries are the same image" cmp "$image" "$work/2/zk-agent_0.1.0.raw"
    check "systemd takes it for a portable service" says '✓ portable service' systemd-dissect "$image"
    unsquashfs -q -n -d "$work/root" "$image" > /dev/null
    refuses "nothing is added to the unit but the host's names" sh -c "
        diff '$top/systemd/zk-agent.service' '$work/root/usr/lib/systemd/system/zk-agent.service' |
        grep '^[<>]' | grep -vE '^> *(|#.*|\[Service\]|BindReadOnlyPaths=-/etc/hosts)$'"
    for program in zk-agent zkctl; do
        check "$program runs with what the image holds" chroot "$work/root" /usr/bin/$program --version
    done
}

# As docs/DEPLOY.md says it.
is_attached() {
    HOSTS_OPTIONS=(--device /dev/loop-control --device-cgroup-rule 'b 7:* rwm' --add-host here:127.0.0.7)
    host_start h1
    # What udev does elsewhere.
    sh_on 'for i in $(seq 0 63); do [ -e /dev/loop$i ] || mknod -m 600 /dev/loop$i b 7 $i; done'
    host_copy "$image" "$top/tests/systemd/connects.py" h1:/srv
    check "the user is made" sh_on 'systemd-dissect --copy-from /srv/zk-agent_0.1.0.raw \
        /usr/lib/sysusers.d/zk-agent.conf - | systemd-sysusers - && getent passwd zk-agent'
    check "settings and zkctl are copied out" sh_on 'mkdir -p /etc/zk-agent
        systemd-dissect --copy-from /srv/zk-agent_0.1.0.raw /usr/share/zk-agent/zoo.cfg /etc/zk-agent/zoo.cfg &&
        systemd-dissect --copy-from /srv/zk-agent_0.1.0.raw /usr/bin/zkctl /usr/local/bin/zkctl'
    sh_on 'sed -i "s/^clientPortAddress=.*/clientPortAddress=here/" /etc/zk-agent/zoo.cfg
        echo ZKCTL_SERVERS=here:2181 > /etc/zk-agent/zoo.env'
    check "portablectl attach" on portablectl attach --profile=trusted /srv/zk-agent_0.1.0.raw
    check "systemctl enable --now" on systemctl enable --now zk-agent
    check "it serves where the host's /etc/hosts says" wait_for 10 serves
    check "out of the image" is /srv/zk-agent_0.1.0.raw property RootImage
    refuses "the host has no zk-agent" sh_on 'command -v zk-agent'
    check "it runs as its own user" is zk-agent on stat -c %U /var/lib/zk-agent/zk-agent
    check "systemd is told the status" says 'Standalone, zxid' property StatusText
    check "its log is in the journal" says 'start: serving' on journalctl -u zk-agent PORTABLE=zk-agent_0.1.0.raw
}

is_run() {
    local unit
    check "a write" on zkctl -s here:2181 create /kept here
    check "a read" is here on zkctl -s here:2181 get /kept
    for unit in zk-agent zk-agent-backup zk-agent-verify; do
        check "$unit is no more exposed than 1.2" on systemd-analyze security --no-pager --threshold=12 "$unit.service"
    done
    check "systemctl reload" on systemctl reload zk-agent
    check "a backup" on systemctl start zk-agent-backup
    check "... is on the host" sh_on 'ls /var/lib/zk-agent-backup/*/version-2/snapshot.*'
    check "the data is verified" on systemctl start zk-agent-verify
    check "the quorum target comes up" on systemctl start zk-agent-quorum.target
}

is_replaced() {
    local log
    sh_on 'cp /srv/zk-agent_0.1.0.raw /srv/zk-agent_0.1.1.raw'
    docker exec -d h1 sh -c 'echo $$ > /tmp/connects.pid; exec python3 /srv/connects.py here 2181 /tmp/connects'
    wait_for 10 on grep -q connected /tmp/connects
    check "the next image takes its place" on portablectl reattach --profile=trusted /srv/zk-agent_0.1.1.raw
    check "... a restart uses it" on systemctl restart zk-agent
    check "... and serves" wait_for 10 serves
    check "... out of it" is /srv/zk-agent_0.1.1.raw property RootImage
    sh_on 'kill -TERM $(cat /tmp/connects.pid)'
    wait_for 5 on grep refused /tmp/connects
    log=$(on tail -n 1 /tmp/connects)
    check "... and refused nobody: $log" says 'refused=0 answered=[1-9]' echo "$log"
    check "... and has the data" is here on zkctl -s here:2181 get /kept
}

is_detached() {
    check "it is one process" on pidof zk-agent
    check "systemctl disable --now" on systemctl disable --now zk-agent
    refuses "... stops it" on pidof zk-agent
    check "portablectl detach" on portablectl detach zk-agent_0.1.1
    refuses "... serves nobody" serves
    check "... leaves no unit" sh_on '! find /etc/systemd /run/systemd/system* -name "zk-agent*" | grep .'
    check "... and the data" test -n "$(on ls /var/lib/zk-agent/zk-agent)"
    check "attached again" on portablectl attach --profile=trusted /srv/zk-agent_0.1.0.raw
    check "... and started" on systemctl enable --now zk-agent
    check "... it has the data" wait_for 10 is here on zkctl -s here:2181 get /kept
    check "no unit has failed" is "" on systemctl --failed --no-legend
}

need squashfs-tools systemd-container binutils
is_packed
hosts_up
hosts_add "$HOSTS_SUITE" systemd-container
is_attached
is_run
is_replaced
is_detached
echo "portable: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
