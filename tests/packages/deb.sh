#!/usr/bin/env bash
# deb.sh - Debian's packages on hosts with systemd as PID 1: one host through the life of a package, from
# its installation to its purge; three hosts as an ensemble that is upgraded under load.
# Needs root and cargo; installs what else it needs. HOSTS_* as in tests/systemd/hosts.sh; KEEP=1 leaves
# the hosts. Shorter beside a release build: cargo xtask release.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
. "$packages_top/tests/systemd/hosts.sh"
. "$here/deb-ensemble.sh"
began=$SECONDS
finish() {
    rm -f "$packages_said" "$packages_before"
    [ -n "${KEEP:-}" ] || hosts_down
}
trap finish EXIT

on() { host_exec "$@"; }
sh_on() { host_exec "$1" sh -c "$2"; } # sh_on NAME SCRIPT
property() { on "$1" systemctl show -P "$2" "${3:-zk-agent}"; }
journal() { on "$1" journalctl -u zk-agent --no-pager -o cat "${@:2}"; }
serves() { on "$1" zkctl --timeout 2 ls /; } # serves NAME

apt_on() { # apt_on NAME FOLDER: both packages out of a folder of the host
    sh_on "$1" "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --allow-downgrades \
        /srv/$2/zk-agent_*.deb /srv/$2/zkctl_*.deb 2>&1"
}
give() { # give NAME: the packages of both versions
    host_copy "$first"/zk-agent_*.deb "$first"/zkctl_*.deb "$1:/srv/first"
    host_copy "$next"/zk-agent_*.deb "$next"/zkctl_*.deb "$1:/srv/next"
}
version_on() { on "$1" dpkg-query -W -f '${Version}' zk-agent; }

is_installed() {
    check "apt install" apt_on h1 first
    local us
    us=$(($(property h1 ActiveEnterTimestampMonotonic) - $(property h1 InactiveExitTimestampMonotonic)))
    check "it serves when apt returns" says '^zookeeper$' serves h1
    check "${us} us after its start, within a second" test "$us" -lt 1000000
    check "it is enabled" is enabled on h1 systemctl is-enabled zk-agent
    check "timers and socket are the administrator's" sh_on h1 '! systemctl is-enabled -q zk-agent.socket &&
        ! systemctl is-enabled -q zk-agent-backup.timer'
    check "it listens on loopback only" sh_on h1 'ss -Hltn | grep -q 127.0.0.1:2181 &&
        ! ss -Hltnp | grep zk-agent | grep -v 127.0.0.1:2181'
    check "as its own user" is zk-agent on h1 stat -c %U /var/lib/zk-agent/zk-agent
    check "files are as they were packed" sh_on h1 '[ -z "$(dpkg -V zk-agent zkctl)" ]'
    check "the manuals are there" sh_on h1 'for f in man8/zk-agent.8 man5/zk-agent.cfg.5 man1/zkctl.1; do
        zcat /usr/share/man/$f.gz | head -1 | grep -q . || exit 1; done'
    check "the conffile is one" says 'conffile|/etc/zk-agent/zoo.cfg' \
        on h1 dpkg-query -W -f '${Conffiles}' zk-agent
    on h1 zkctl create /kept here > /dev/null
}

is_run() {
    local pid
    pid=$(property h1 MainPID)
    check "systemctl reload" on h1 systemctl reload zk-agent
    check "... is the same process" is "$pid" property h1 MainPID
    check "systemctl restart" on h1 systemctl restart zk-agent
    check "... keeps the data" is here on h1 zkctl get /kept
    check "systemctl stop" on h1 systemctl stop zk-agent
    refuses "... serves nobody" serves h1
    check "systemctl start" on h1 systemctl start zk-agent
}

is_stopped_by_the_watchdog() {
    sh_on h1 'mkdir -p /run/systemd/system/zk-agent.service.d &&
        printf "[Service]\nWatchdogSec=2s\n" > /run/systemd/system/zk-agent.service.d/w.conf &&
        systemctl daemon-reload && systemctl restart zk-agent'
    sh_on h1 'kill -STOP $(systemctl show -P MainPID zk-agent)'
    check "a process that stands still is killed" wait_for 20 says 'atchdog timeout' journal h1
    check "... and the next one serves" wait_for 20 serves h1
    sh_on h1 'rm -r /run/systemd/system/zk-agent.service.d; systemctl daemon-reload; systemctl restart zk-agent'
}

# A file system of its own that a stranger fills: writes are refused (a new session is one), and it recovers.
has_a_full_disk() {
    sh_on h1 'systemctl stop zk-agent && mkdir /srv/aside && cp -a /var/lib/zk-agent/. /srv/aside &&
        mount -t tmpfs -o size=48m none /var/lib/zk-agent && cp -a /srv/aside/. /var/lib/zk-agent &&
        chown zk-agent: /var/lib/zk-agent && systemctl start zk-agent'
    sh_on h1 'head -c 100m /dev/zero > /var/lib/zk-agent/stranger 2> /dev/null; head -c 500k /dev/zero > /tmp/big
        i=0; while [ $i -lt 100 ] && zkctl --timeout 5 create /full-$i -f /tmp/big > /dev/null 2>&1; do
            i=$((i + 1)); done; echo "$i writes" > /tmp/full'
    check "a full disk refuses writes, after $(on h1 cat /tmp/full)" says '^[0-9]{1,2} writes' on h1 cat /tmp/full
    check "... the server is alive" is imok on h1 bash -c \
        'exec 3<> /dev/tcp/127.0.0.1/2181; printf ruok >&3; cat <&3'
    on h1 rm /var/lib/zk-agent/stranger
    check "... and with room it writes again" wait_for 20 on h1 zkctl --timeout 2 set /kept here
    sh_on h1 'systemctl stop zk-agent && umount /var/lib/zk-agent && systemctl start zk-agent'
}

has_bad_settings() {
    sh_on h1 'cp /etc/zk-agent/zoo.cfg /srv/good.cfg; echo tickTime=soon >> /etc/zk-agent/zoo.cfg'
    refuses "a bad file fails the reload" on h1 systemctl reload zk-agent
    check "... and the server goes on" serves h1
    on h1 systemctl restart zk-agent > /dev/null 2>&1 || true
    check "a start with it ends with 78" wait_for 10 is 78 property h1 ExecMainStatus
    check "an upgrade of a server that has failed succeeds" apt_on h1 next
    check "... and keeps the file" sh_on h1 'grep -q tickTime=soon /etc/zk-agent/zoo.cfg'
    sh_on h1 'cat /srv/good.cfg > /etc/zk-agent/zoo.cfg; systemctl reset-failed zk-agent'
    check "... it starts when the file is good" on h1 systemctl start zk-agent
    check "downgrade by one version" apt_on h1 first
}

# Whatever was acknowledged while packages change is there afterwards.
load_on() { # load_on NAME SERVERS: begins
    sh_on "$1" "touch /tmp/load; : > /tmp/acked; zkctl -s $2 create /load > /dev/null 2>&1 || true"
    docker exec -d "$1" sh -c "i=0; while [ -e /tmp/load ]; do i=\$((i + 1))
        zkctl -s $2 --timeout 10 create /load/\$\$-\$i x > /dev/null 2>&1 && echo \$\$-\$i >> /tmp/acked; done"
    wait_for 20 sh_on "$1" 'grep -q . /tmp/acked'
}
acked_is_there() { # acked_is_there NAME SERVERS: ends it, and looks
    sh_on "$1" 'rm /tmp/load'
    sleep 0.5
    sh_on "$1" "zkctl -s $2 -o plain ls /load | sort > /tmp/there; sort /tmp/acked > /tmp/wanted
        [ -s /tmp/wanted ] && [ -z \"\$(comm -23 /tmp/wanted /tmp/there)\" ]"
}

is_upgraded() {
    local log before starts
    sh_on h1 'rm -f /tmp/cursor; journalctl -u zk-agent -n 1 --cursor-file=/tmp/cursor' > /dev/null
    before=$(property h1 MainPID)
    load_on h1 127.0.0.1:2181
    host_copy "$packages_top/tests/systemd/connects.py" h1:/srv
    docker exec -d h1 sh -c 'echo $$ > /tmp/connects.pid; exec python3 /srv/connects.py 127.0.0.1 2181 /tmp/connects'
    wait_for 10 on h1 grep -q connected /tmp/connects
    check "upgrade under load" apt_on h1 next
    check "... it is the new version" is 0.1.0-2 version_on h1
    starts=$(sh_on h1 'journalctl -u zk-agent --cursor-file=/tmp/cursor -o cat | grep -c "^Started zk-agent"')
    check "... restarted once: $starts" test "$starts" = 1
    refuses "... another process" is "$before" property h1 MainPID
    check "... serves" wait_for 10 serves h1
    sh_on h1 'kill -TERM $(cat /tmp/connects.pid)'
    wait_for 5 on h1 grep refused /tmp/connects
    log=$(on h1 tail -1 /tmp/connects)
    check "... refused nobody: $log" says 'refused=0 answered=[1-9]' echo "$log"
    check "... and lost nothing of $(on h1 sh -c 'wc -l < /tmp/acked') writes" acked_is_there h1 127.0.0.1:2181
    check "downgrade under load" apt_on h1 first
    check "... keeps the data" is here on h1 zkctl get /kept
    on h1 systemctl stop zk-agent
    check "upgrade of a stopped server" apt_on h1 next
    check "... leaves it stopped" is inactive property h1 ActiveState
    on h1 systemctl start zk-agent
    # As the next format will look to this version.
    sh_on h1 'mkdir -p /srv/zk/zk-agent; echo dataDir=/srv/zk > /etc/zk-agent/two.cfg
        printf "zk-agent identity\nformat=9\n" > /srv/zk/zk-agent/identity'
    refuses "a version that cannot read the data is refused" apt_on h1 first
    check "... with the reason" grep -q 'has format 9, which a newer version has written' "$packages_before"
    check "... the newer one goes on" serves h1
    on h1 rm -r /srv/zk /etc/zk-agent/two.cfg
    # apt has put the command line back already, and wants to be told which of the two stays.
    check "... and is whole again by the newer files" sh_on h1 'dpkg -i /srv/next/zk-agent_*.deb /srv/next/zkctl_*.deb'
    check "... as apt sees it" on h1 apt-get check
}

lives_beside_zookeeper() {
    sh_on h1 'printf "[Service]\nExecStart=/bin/sleep 1000\n" > /run/systemd/system/zookeeper.service
        systemctl daemon-reload; systemctl start zookeeper'
    check "starting zookeeper stops zk-agent" wait_for 20 is inactive property h1 ActiveState
    on h1 systemctl start zk-agent
    check "... and the other way round" wait_for 20 is inactive property h1 ActiveState zookeeper
    sh_on h1 'rm /run/systemd/system/zookeeper.service; systemctl daemon-reload'
}

is_removed() {
    check "apt remove" on h1 apt-get remove -q -y zk-agent
    refuses "... stops it" on h1 pidof zk-agent
    check "... keeps settings and data" sh_on h1 'test -e /etc/zk-agent/zoo.cfg && test -e /var/lib/zk-agent/zk-agent'
    check "and it comes back" apt_on h1 first
    check "... with its data" wait_for 10 is here on h1 zkctl get /kept
    check "apt purge" sh_on h1 'apt-get purge -q -y zk-agent > /tmp/purge 2>&1; ! test -e /etc/zk-agent'
    check "... keeps data, and says so" sh_on h1 'test -e /var/lib/zk-agent/zk-agent &&
        grep -q "/var/lib/zk-agent is kept" /tmp/purge'
    check "... leaves no unit" sh_on h1 '! find /etc/systemd /lib/systemd -name "zk-agent*" | grep .'
    sh_on h1 'printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d'
    check "apt install where the host's policy says no" apt_on h1 first
    check "... enables it and does not start it" sh_on h1 'systemctl is-enabled -q zk-agent &&
        ! systemctl is-active -q zk-agent'
    check "purge with ZK_AGENT_PURGE_DATA=1 takes the data" \
        sh_on h1 'ZK_AGENT_PURGE_DATA=1 apt-get purge -q -y zk-agent && ! test -e /var/lib/zk-agent'
    on h1 rm /usr/sbin/policy-rc.d
}

comes_beside_zookeeper() {
    sh_on h1 'printf "[Service]\nExecStart=/bin/sleep 1000\n" > /run/systemd/system/zookeeper.service
        systemctl daemon-reload; systemctl start zookeeper'
    check "apt install beside a zookeeper that runs" apt_on h1 first
    check "... says how to take its place" grep -q 'zkctl migrate from-zookeeper' "$packages_before"
    check "... leaves it alone" is active property h1 ActiveState zookeeper
    check "... neither starts nor is enabled" sh_on h1 '! systemctl is-active -q zk-agent &&
        ! systemctl is-enabled -q zk-agent'
    check "... not by an upgrade either" apt_on h1 next
    check "... which leaves both as they are" sh_on h1 'systemctl is-active -q zookeeper &&
        ! systemctl is-active -q zk-agent && ! systemctl is-enabled -q zk-agent'
    sh_on h1 'systemctl stop zookeeper; rm /run/systemd/system/zookeeper.service; systemctl daemon-reload'
    check "it is enabled and started by hand" on h1 systemctl enable --now zk-agent
    check "... and serves" serves h1
    sh_on h1 'ZK_AGENT_PURGE_DATA=1 apt-get purge -q -y zk-agent' > /dev/null
}

need dpkg-dev debhelper docker.io debootstrap iproute2 lintian
build_two deb
check "lintian finds no error and nothing to warn of" lintian --fail-on error,warning "$first"/*.deb
check "zk-agent takes at most 8 MB" test "$(dpkg-deb -f "$first"/zk-agent_*.deb Installed-Size)" -le 8192
for package in zk-agent zkctl; do
    check "$package needs the C library only" sh -c "dpkg-deb --fsys-tarfile '$first'/${package}_*.deb |
        tar -xO ./usr/bin/$package > '$packages_said.bin' && readelf -d '$packages_said.bin' | grep -q libc.so.6 &&
        ! readelf -d '$packages_said.bin' | grep NEEDED | grep -vE 'lib[cm][.]so[.]6|ld-linux'; said=\$?
        rm '$packages_said.bin'; exit \$said"
done
hosts_up
network=$(host_network zk)
host_start h1 zk "$network.11"
give h1
is_installed
is_run
is_stopped_by_the_watchdog
has_a_full_disk
has_bad_settings
is_upgraded
lives_beside_zookeeper
is_removed
comes_beside_zookeeper
ensemble_is_upgraded "$network"
ensemble_by_one_line "$network"
ensemble_is_restored
echo "deb: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
