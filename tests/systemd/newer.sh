#!/usr/bin/env bash
# newer.sh - Debian's packages on hosts whose systemd is newer than the one they are built for: those that
# 10-systemd-254.conf is for. The drop-in is found and understood there, and what it says takes effect; all
# that tests/packages/deb.sh asks of a server's life holds there too, in short.
#   newer.sh [SUITE..]   bookworm-backports, the oldest such systemd (254), and trixie (257): both
# Needs root, and cargo if DEBS (target/packages/deb) holds no packages; installs what else it needs.
# HOSTS_* as in hosts.sh; KEEP=1 leaves the host.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../packages/checks.sh"
. "$here/hosts.sh"
DEBS=${DEBS:-$packages_target/packages/deb}
began=$SECONDS
finish() {
    rm -f "$packages_said" "$packages_before"
    [ -n "${KEEP:-}" ] || hosts_down
}
trap finish EXIT

on() { host_exec h1 "$@"; }
sh_on() { host_exec h1 sh -c "$1"; }
property() { on systemctl show -P "$1" "${2:-zk-agent}"; }
journal() { on journalctl -u zk-agent --no-pager -o cat; }
serves() { on zkctl --timeout 2 ls /; }
serves_as_another() { [ "$(property MainPID)" != "$1" ] && serves; } # serves_as_another PID

boots() { # boots SUITE
    HOSTS_IMAGE= HOSTS_SUITE=${1%-backports}
    hosts_up
    [ "$1" = "$HOSTS_SUITE" ] || hosts_add "$1" systemd systemd-sysv
    host_start h1
    version=$(on systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    check "$1: systemd $version is PID 1, 254 or newer" test "$version" -ge 254
    host_copy "$DEBS"/zk-agent_*.deb "$DEBS"/zkctl_*.deb "$here/connects.py" h1:/srv
    check "apt install" sh_on 'DEBIAN_FRONTEND=noninteractive apt-get install -q -y /srv/*.deb'
    check "it serves when apt returns" says '^zookeeper$' serves
}

has_the_drop_in() {
    local unit key
    for unit in zk-agent zk-agent@two; do
        check "$unit has the drop-in" says '/10-systemd-254\.conf' property DropInPaths "$unit"
        for key in RestartSteps=5 RestartMaxDelayUSec=5s RestartMode=direct; do
            check "... $key" is "${key#*=}" property "${key%%=*}" "$unit"
        done
    done
    check "systemd-analyze verify says nothing of any unit" sh_on 'cd /lib/systemd/system
        said=$(systemd-analyze verify --man=no --generators=yes $(ls | grep zk | sed s/@[.]/@two./) 2>&1 |
            grep -iE "zk|10-systemd")
        printf %s "$said"; [ -z "$said" ]'
    refuses "the journal of systemd has no word about them" \
        says '(zk-agent|system-zk|10-systemd).*(nknown|gnor|ailed|nvalid|eprecated)' on journalctl -b _PID=1 -o cat
    sh_on 'mkdir -p /etc/systemd/system/zk-agent.service.d &&
        ln -s /dev/null /etc/systemd/system/zk-agent.service.d/10-systemd-254.conf && systemctl daemon-reload'
    check "the administrator can be without it" is 0 property RestartSteps
    sh_on 'rm -r /etc/systemd/system/zk-agent.service.d; systemctl daemon-reload'
    check "... and with it again" is 5 property RestartSteps
    # The same script where an older systemd is.
    check "systemd 252 does not get it" sh_on 'mkdir -p /srv/older /srv/made; PATH=/srv/older:$PATH
        printf "#!/bin/sh\necho \"systemd 252 (252.39-1~deb12u1)\"\n" > /srv/older/systemctl
        chmod +x /srv/older/systemctl
        /usr/lib/systemd/system-generators/zk-agent-generator /srv/made /srv/made /srv/made &&
        [ -z "$(ls /srv/made)" ]'
}

is_closed() {
    local unit
    for unit in zk-agent zk-agent@two zk-agent-backup zk-agent-verify zk-agent-quorum; do
        check "$unit is no more exposed than 1.2" on systemd-analyze security --no-pager --threshold=12 "$unit.service"
        tail -n 1 "$packages_said" | sed 's/^[^A-Za-z]*/newer:     /'
    done
}

is_run() {
    local pid
    pid=$(property MainPID)
    sh_on 'echo maxClientCnxns=777 >> /etc/zk-agent/zoo.cfg'
    check "systemctl reload" on systemctl reload zk-agent
    check "... is finished when it returns" says 'settings: reloaded maxClientCnxns=777' journal
    check "... and the state is running again" is running property SubState
    sh_on 'cp /etc/zk-agent/zoo.cfg /srv/good.cfg; echo tickTime=soon >> /etc/zk-agent/zoo.cfg'
    refuses "a bad file fails the reload" on systemctl reload zk-agent
    check "... and the server goes on" is "$pid" property MainPID
    on systemctl restart zk-agent > /dev/null 2>&1 || true
    check "a start with it ends with 78" wait_for 10 is 78 property ExecMainStatus
    check "... and is not tried again" wait_for 5 is failed property ActiveState
    sh_on 'cat /srv/good.cfg > /etc/zk-agent/zoo.cfg; systemctl reset-failed zk-agent; systemctl start zk-agent'
    check "good settings start" wait_for 10 serves
    check "the status is told" says 'Standalone, zxid' property StatusText
    on zkctl create /kept here > /dev/null
}

# Somebody connects all the time.
refuses_nobody() { # refuses_nobody WHAT SCRIPT: what makes another process of it
    local log pid
    sh_on 'rm -f /tmp/connects'
    docker exec -d h1 sh -c 'echo $$ > /tmp/connects.pid; exec python3 /srv/connects.py 127.0.0.1 2181 /tmp/connects'
    wait_for 10 on grep -q connected /tmp/connects
    pid=$(property MainPID)
    sh_on "$2"
    check "$1: another process serves" wait_for 20 serves_as_another "$pid"
    sh_on 'kill -TERM $(cat /tmp/connects.pid)'
    wait_for 5 on grep refused /tmp/connects
    log=$(on tail -n 1 /tmp/connects)
    check "... and refused nobody: $log" says 'refused=0 answered=[1-9]' echo "$log"
    check "... and has the data" is here on zkctl get /kept
}

keeps_its_sockets() {
    local bound
    check "systemd has the socket" says kept-client on systemd-analyze fdstore zk-agent.service
    check "... for restarts only" is restart property FileDescriptorStorePreserve
    refuses_nobody restart 'systemctl restart zk-agent'
    sh_on 'printf "[Unit]\nBindsTo=zk-agent.service\nAfter=zk-agent.service\n[Service]\nExecStart=sleep infinity\n" \
        > /run/systemd/system/bound.service; systemctl daemon-reload; systemctl start bound'
    bound=$(property MainPID bound)
    refuses_nobody SIGKILL 'kill -9 $(systemctl show -P MainPID zk-agent)'
    check "... and what is bound to it runs (RestartMode)" wait_for 5 is active property ActiveState bound
    [ "$version" -lt 257 ] || check "... as the same process" is "$bound" property MainPID bound
}

# Each failure is waited for a little longer than the one before, until somebody says that it is mended.
fails_again_and_again() {
    local pid
    check "one failure is counted" is 1 property NRestarts
    pid=$(property MainPID)
    sh_on "kill -9 $pid"
    wait_for 10 serves_as_another "$pid"
    check "after two the next one waits longer than 1 s" says '^1\.[0-9]+s$' property RestartUSecNext
    on systemctl reset-failed zk-agent
    check "reset-failed makes it 1 s again, of a server that runs" is 1s property RestartUSecNext
    check "... and it is the same process" serves
}

is_watched() {
    local pid
    sh_on 'mkdir -p /run/systemd/system/zk-agent.service.d &&
        printf "[Service]\nWatchdogSec=2s\n" > /run/systemd/system/zk-agent.service.d/w.conf &&
        systemctl daemon-reload && systemctl restart zk-agent'
    pid=$(property MainPID)
    sleep 3
    check "a server that turns is left alone by the watchdog" is "$pid" property MainPID
    sh_on "kill -STOP $pid"
    check "one that stands still is not" wait_for 20 serves_as_another "$pid"
    check "... by the watchdog" says 'atchdog timeout' journal
    sh_on 'rm -r /run/systemd/system/zk-agent.service.d; systemctl daemon-reload; systemctl restart zk-agent'
}

has_company() {
    sh_on 'printf "dataDir=/var/lib/zk-agent/two\nclientPort=2182\nclientPortAddress=127.0.0.1\n" > /etc/zk-agent/two.cfg
        echo ZKCTL_SERVERS=127.0.0.1:2182 > /etc/zk-agent/two.env'
    check "an instance starts" on systemctl start zk-agent@two
    check "... and serves" wait_for 10 on zkctl -s 127.0.0.1:2182 --timeout 2 ls /
    check "the quorum target comes up" on systemctl start zk-agent-quorum.target
    check "a backup" on systemctl start zk-agent-backup
    check "... holds the data" sh_on 'zk-agent snapshot --tree /var/lib/zk-agent-backup/*/version-2 | grep kept'
    check "the data is verified" on systemctl start zk-agent-verify
    on systemctl stop zk-agent@two
}

is_stopped() {
    check "systemctl stop" on systemctl stop zk-agent
    check "... is a success" is success property Result
    check "... with all on disk" says 'start: stopped' journal
    check "... and systemd keeps no socket" is 0 property NFileDescriptorStore
    refuses "... so that everybody is refused" on python3 -c 'import socket; socket.create_connection(("127.0.0.1", 2181))'
    check "systemctl start" on systemctl start zk-agent
    check "... has the data" wait_for 10 is here on zkctl get /kept
    check "no unit has failed" is "" on systemctl --failed --no-legend
    check "apt purge" sh_on 'DEBIAN_FRONTEND=noninteractive apt-get purge -q -y zk-agent'
    check "... leaves nothing of ours with systemd" sh_on \
        '! find /etc/systemd /usr/lib/systemd /run/systemd/generator /run/systemd/system -name "*zk-agent*" | grep .'
}

[ -e "$DEBS" ] || (cd "$packages_top" && cargo xtask deb --out "$DEBS") > /dev/null
[ $# -gt 0 ] || set -- bookworm-backports trixie
for suite in "$@"; do
    suite_began=$SECONDS
    boots "$suite"
    has_the_drop_in
    is_closed
    is_run
    keeps_its_sockets
    fails_again_and_again
    is_watched
    has_company
    is_stopped
    [ -n "${KEEP:-}" ] || host_stop h1
    echo "newer: $suite: $((SECONDS - suite_began)) s"
done
echo "newer: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
