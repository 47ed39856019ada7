#!/usr/bin/env bash
# Debian's zookeeper becomes zk-agent on a host with systemd as PID 1, and zookeeper again.
#
# Goal: what `zkctl migrate` says it will do it does: the settings of zoo.cfg and of JAVA_OPTS, the data
# and the way back, and a step that fails leaves everything as it was.
# Method: Debian's packages zookeeper and zookeeperd (an init script) in a container, with the data under
# /tmp as they are by default; znodes are written on each side and looked for on the other.
#   DEBS       folder of zk-agent_*.deb and zkctl_*.deb (target/deb; made by cargo xtask deb)
# Needs root; installs docker.io and debootstrap.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")
debs=$(realpath -m "${DEBS:-$target/deb}")
work=$(mktemp -d)
export HOSTS_DIR=$work/docker
# What Debian's zookeeper runs on, without the desktop that default-jre brings.
export HOSTS_PACKAGES=systemd,systemd-sysv,dbus,iproute2,python3,adduser,lsb-base,ca-certificates-java,openjdk-17-jre-headless,libzookeeper-java
. "$top/tests/systemd/hosts.sh"

say() { echo "migrate: $*"; }
fail() {
    echo "migrate: FAILED: $*" >&2
    host_exec old journalctl -n 20 --no-pager -u zk-agent -u zookeeper >&2 || true
    exit 1
}
cleanup() {
    hosts_down || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
one() { # one PATTERN: the newest file that fits
    local found
    found=$(ls -t $1 2> /dev/null | head -n 1)
    [ -n "$found" ] || fail "no $1; make the packages by cargo xtask deb, or set DEBS"
    echo "$found"
}
agent=$(one "$debs/zk-agent_*.deb") ctl=$(one "$debs/zkctl_*.deb")
hosts_up
mkdir "$work/apache"
chmod 777 "$work/apache"
(cd "$work/apache" && apt-get update -q > /dev/null && apt-get download -q zookeeper zookeeperd > /dev/null 2>&1) ||
    fail "apt gives no zookeeper"
host_start old
on() { host_exec old "$@"; }
host_copy "$work"/apache/*.deb "$agent" "$ctl" old:/srv
# Settings of JAVA_OPTS, of which one must not be lost, and a limit that is not the default.
on sh -c 'dpkg -i --force-depends /srv/zookeeper_*.deb /srv/zookeeperd_*.deb > /dev/null 2>&1; true'
on sh -c 'echo maxClientCnxns=77 >> /etc/zookeeper/conf/zoo.cfg
    sed -i "s/^JAVA_OPTS=.*/JAVA_OPTS=\"-Xmx256m -Dzookeeper.4lw.commands.whitelist=* -Djute.maxbuffer=2000000\"/" /etc/zookeeper/conf/environment
    systemctl restart zookeeper'
# The package of ours is installed beside it; it must leave the one that runs alone.
on ln -s /dev/null /run/systemd/system/zk-agent.service
on dpkg -i "/srv/$(basename "$ctl")" "/srv/$(basename "$agent")" > "$work/install" 2>&1 || fail "$(cat "$work/install")"
on rm /run/systemd/system/zk-agent.service
on systemctl daemon-reload
wait_for 60 on zkctl health || fail "Debian's server does not serve: $(on zkctl health)"
on zkctl srvr | grep -q '^Zookeeper version: 3.8' || fail "it is not Debian's: $(on zkctl srvr)"
on zkctl create /before x > /dev/null
on zkctl create /before/many-0 y > /dev/null
nodes() { on zkctl -o json srvr | sed 's/.*"Node count":"\([0-9]*\)".*/\1/'; }
before=$(nodes)

# --- looking changes nothing
on zkctl -o plain migrate from-zookeeper --dry-run > "$work/dry" 2> "$work/remarks" || fail "$(cat "$work/dry" "$work/remarks")"
for row in $'maxClientCnxns\t77\tkept' $'dataDir\t/tmp/zookeeper\trenamed\t/var/lib/zk-agent' \
    $'-Djute.maxbuffer\t2000000\trenamed' $'-Xmx256m\t-\tignored'; do
    grep -qF -- "$row" "$work/dry" || fail "no row $row in: $(cat "$work/dry")"
done
grep -q '/tmp/zookeeper: a reboot or a cleaner may empty it' "$work/remarks" || fail "$(cat "$work/remarks")"
on zkctl srvr | grep -q '^Zookeeper version: 3.8' || fail "a dry run has stopped it"

# --- a step that fails is undone
on sh -c 'mv /usr/bin/zk-agent /usr/bin/zk-agent.good; printf "#!/bin/sh\n[ \$1 != verify ] && exec /usr/bin/zk-agent.good \"\$@\"\necho broken >&2; exit 1\n" > /usr/bin/zk-agent; chmod +x /usr/bin/zk-agent'
! on zkctl migrate from-zookeeper --yes > "$work/failed" 2>&1 || fail "a copy that is no good was taken"
grep -q 'everything is as it was before' "$work/failed" || fail "$(cat "$work/failed")"
on mv /usr/bin/zk-agent.good /usr/bin/zk-agent
wait_for 60 on zkctl health || fail "Debian's server did not come back"
[ "$(on zkctl get /before)" = x ] && on zkctl srvr | grep -q '^Zookeeper version: 3.8' || fail "it is another one"
say "a failed step was undone"

# --- forth
began=$(date +%s%N)
on zkctl migrate from-zookeeper --yes > "$work/forth" 2>&1 || fail "$(cat "$work/forth")"
say "forth after $((($(date +%s%N) - began) / 1000000)) ms"
on zkctl srvr | grep -q 'zk-agent' || fail "$(on zkctl srvr)"
[ "$(nodes)" = "$before" ] || fail "$(nodes) znodes of $before"
[ "$(on systemctl is-active zk-agent)" = active ] && [ "$(on systemctl is-active zookeeper)" = inactive ] || fail "units"
on grep -qx jute.maxbuffer=2000000 /etc/zk-agent/zoo.cfg || fail "$(on cat /etc/zk-agent/zoo.cfg)"
[ "$(on stat -c %U /var/lib/zk-agent/version-2)" = zk-agent ] || fail "the data are not the server's"
on zkctl word mntr | grep -q zk_server_state || fail "the whitelist of JAVA_OPTS is lost"
on zkctl create /since z > /dev/null
# What was switched on comes up after a boot.
on systemctl is-enabled zk-agent > /dev/null || fail "zk-agent is not enabled"

# --- back
began=$(date +%s%N)
on zkctl migrate back-to-zookeeper --yes > "$work/back" 2>&1 || fail "$(cat "$work/back")"
say "back after $((($(date +%s%N) - began) / 1000000)) ms"
on zkctl srvr | grep -q '^Zookeeper version: 3.8' || fail "$(on zkctl srvr)"
[ "$(on zkctl get /before)$(on zkctl get /since)" = xz ] || fail "a znode is missing"
[ "$(nodes)" = $((before + 1)) ] || fail "$(nodes) znodes of $((before + 1))"
[ "$(on systemctl is-active zk-agent)" = inactive ] || fail "zk-agent runs still"

# --- and forth again, over what the first time has left
on zkctl migrate from-zookeeper --yes > "$work/again" 2>&1 || fail "$(cat "$work/again")"
[ "$(on zkctl get /since)" = z ] || fail "a znode is missing the second time"
say "both ways, and forth again: nothing is missing"
