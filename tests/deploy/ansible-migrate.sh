#!/usr/bin/env bash
# An ensemble of Debian's zookeeper becomes one of zk-agents by migrate.yml, and zookeeper's again.
#
# Goal: the playbook takes three servers over, the leader last, under a client that writes and another one
# that holds an ephemeral: no acknowledged write is lost, the session lives on, nobody waits longer than a
# failover takes. A setting that is not supported stops it before anything is changed on any host, also
# at the next boot; run again it changes nothing; `zkctl migrate back-to-zookeeper` leads back.
# Method: three hosts with systemd as PID 1 and Debian's packages zookeeper and zookeeperd, their settings
# where Debian has them; the packages of this tree; clients on this machine.
#   DEBS       folder of zk-agent_*.deb and zkctl_*.deb (target/deb; made by cargo xtask deb)
#   BINARIES, GAP_MS, ANSIBLE_SPENT    as in ansible-checks.sh
# Needs root.
set -euo pipefail
# The same as in migrate.sh, so that the root file system is made once.
export HOSTS_PACKAGES=systemd,systemd-sysv,dbus,iproute2,python3,adduser,lsb-base,ca-certificates-java,openjdk-17-jre-headless,libzookeeper-java
. "$(dirname "$0")/ansible-checks.sh"
debs=$(realpath -m "${DEBS:-$target/deb}")
agent=$(one "$debs/zk-agent_*.deb") ctl=$(one "$debs/zkctl_*.deb")
need ansible

mkdir "$work/apache"
chmod 777 "$work/apache"
(cd "$work/apache" && apt-get update -q > /dev/null && apt-get download -q zookeeper zookeeperd > /dev/null 2>&1) ||
    fail "apt gives no zookeeper"
# What zookeeper depends on is there, without the desktop that the real one brings.
mkdir -p "$work/jre/DEBIAN"
printf '%s\n' 'Package: default-jre' 'Version: 99' 'Architecture: all' 'Maintainer: nobody <nobody@localhost>' \
    'Description: stands for the Java that is there' > "$work/jre/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/jre" "$work/apache" > /dev/null

hosts_three "zk_agent_debs: ['$agent', '$ctl']"

# --- three servers of Debian's, as its README says: server lines in zoo.cfg, and myid
apache_on() { # apache_on N
    host_copy "$work"/apache/*.deb "zk$1:/srv" &&
        host_exec "zk$1" sh -e -c "
            dpkg -i /srv/*.deb > /dev/null 2>&1
            sed -i 's|^dataDir=.*|dataDir=/var/lib/zookeeper|' /etc/zookeeper/conf/zoo.cfg
            for n in 1 2 3; do echo server.\$n=$net.1\$n:2888:3888; done >> /etc/zookeeper/conf/zoo.cfg
            echo $1 > /etc/zookeeper/conf/myid
            rm -rf /var/lib/zookeeper/version-2
            systemctl restart zookeeper"
}
setting_up=()
for n in 1 2 3; do
    apache_on $n > "$work/apache.$n" 2>&1 &
    setting_up+=($!)
done
for n in "${setting_up[@]}"; do wait "$n" || fail "Debian's server is not there: $(cat "$work"/apache.[123])"; done
all_are() { # all_are VERSION: each host serves, with this program
    local n
    for n in 1 2 3; do "$zkctl" -s "$net.1$n:2181" srvr 2> /dev/null | grep -q "^Zookeeper version: $1" || return 1; done
}
wait_for 90 "$zkctl" -s "$servers" --timeout 5 wait --synced || fail "Debian's servers are no ensemble"
all_are 3.8.0 || fail "these are not Debian's servers"
is_leader() { "$zkctl" -s "$net.1$1:2181" srvr | grep -q '^Mode: leader'; }
leader() { local n; for n in 1 2 3; do ! is_leader $n || echo $n; done; }
# It shall not be the last of the list by chance; with equal histories the highest number wins.
last=$(leader)
[ "$last" != 3 ] || { host_exec zk3 systemctl restart zookeeper && wait_for 60 "$zkctl" -s "$servers" --timeout 5 wait --synced; }
wait_for 60 all_are 3.8.0 || fail "a server did not come back"
last=$(leader)
case $last in 1 | 2) ;; *) fail "the leader is '$last', so that the order shows nothing" ;; esac

# --- what must be there afterwards, and who uses it
"$zkctl" -s "$servers" create /before > /dev/null
for n in $(seq 50); do echo "create /before/$n data-$n"; done > "$work/data"
"$zkctl" -s "$servers" shell < "$work/data" > /dev/null
mkfifo "$work/says"
"$zkctl" -s "$servers" --session-timeout 20000 shell < "$work/says" > "$work/heard" 2>&1 &
holder=$!
exec 7> "$work/says"
echo 'create -e /alive here' >&7
wait_for 20 "$zkctl" -s "$servers" get /alive
owner() { "$zkctl" -s "$servers" -o json stat /alive | sed -n 's/.*"ephemeralOwner":\("\?[^,}]*\).*/\1/p'; }
held=$(owner)
[ -n "$held" ] || fail "/alive has no owner: $("$zkctl" -s "$servers" -o json stat /alive)"
is_held() { # is_held WHEN: by the same session, which goes on
    [ "$(owner)" = "$held" ] || fail "$1 the ephemeral is another one's"
    echo "create /alive-$1" >&7
    wait_for 20 "$zkctl" -s "$servers" stat "/alive-$1" || fail "$1 the session is gone: $(cat "$work/heard")"
}
same_on_all() { # same_on_all WHEN: every znode, its data and ACL, and what was there before
    local n
    for n in 1 2 3; do
        "$zkctl" -s "$net.1$n:2181" sync /
        "$zkctl" -s "$net.1$n:2181" export / | grep -v '"path":"/zookeeper' | sort > "$work/all.$n"
        "$zkctl" -s "$net.1$n:2181" ephemerals >> "$work/all.$n"
        cmp "$work/all.1" "$work/all.$n" || fail "$1 zk1 and zk$n differ"
    done
    [ "$(grep -c '"path":"/before/[0-9]*","data":"data-' "$work/all.1")" = 50 ] || fail "$1 znodes are missing"
}
units_are() { # units_are WHEN RUNS RESTS: the one is active and enabled, the other one neither
    local n is
    for n in 1 2 3; do
        # One at a time: init scripts come first, whatever the order of the words.
        is=$(host_exec zk$n sh -c "for unit in $2 $3; do systemctl is-active \$unit; systemctl is-enabled \$unit; done; true" 2> /dev/null | xargs)
        [ "$is" = "active enabled inactive disabled" ] || fail "$1 $2 and $3 are $is on zk$n"
    done
}

# --- a setting that is not supported, on one host of three
conf() { host_exec zk$1 sh -c 'cat /etc/zookeeper/conf/* /etc/zk-agent/* 2> /dev/null; ls /var/lib/zk-agent' | sha256sum; }
host_exec zk2 sh -c 'echo secureClientPort=2182 >> /etc/zookeeper/conf/zoo.cfg'
began=$SECONDS
! play refused migrate.yml 2> /dev/null || fail "secureClientPort was taken"
grep -q 'secureClientPort.*unsupported' "$work/refused.log" || fail "the reason is not said: $(tail -n 20 "$work/refused.log")"
! grep -q 'Take over' "$work/refused.log" || fail "it went on: $(cat "$work/refused.log")"
all_are 3.8.0 || fail "a host was changed although a setting is not supported"
units_are refused: zookeeper zk-agent
for n in 1 2 3; do
    ! host_exec zk$n test -e /etc/zk-agent/zoo.cfg.migrated-from || fail "zk$n has new settings"
    ! host_exec zk$n test -e /var/lib/zk-agent/version-2 || fail "zk$n has copied data"
done
host_exec zk2 sed -i '/^secureClientPort/d' /etc/zookeeper/conf/zoo.cfg
say "a setting that is not supported stopped it on all hosts, $((SECONDS - began)) s"

# --- one that was started beside the old server and took its place, without its data
# Its first try may find the port still taken.
host_exec zk3 systemctl start zk-agent 2> /dev/null || wait_for 30 host_exec zk3 systemctl is-active zk-agent
! play unasked migrate.yml 2> /dev/null || fail "an empty zk-agent was taken for one that is migrated"
grep -q 'nothing was migrated to it' "$work/unasked.log" || fail "the reason is not said: $(tail -n 20 "$work/unasked.log")"
host_exec zk3 systemctl stop zk-agent
host_exec zk3 systemctl start zookeeper
wait_for 60 "$zkctl" -s "$servers" --timeout 5 wait --synced || fail "zk3 did not come back"
all_are 3.8.0 || fail "a host was changed although zk-agent had taken its place by itself"
say "an empty zk-agent is not taken for one that is migrated"

# --- forth
writer_starts forth
began=$SECONDS
# One that had been done when a play stopped is left alone.
other=$((3 - last))
play first migrate.yml -l zk$other || fail "zk$other was not migrated"
started zk$other > "$work/before"
play forth migrate.yml || fail "it was not migrated"
started zk$other | cmp -s - "$work/before" || fail "zk$other was migrated twice"
say "three servers were taken over after $((SECONDS - began)) s, zk$last, which led, last"
order=$(sed -n '/safe to stop\|Take over\|zk-agent serves/,$s/^changed: \[zk\([0-9]\)\].*/\1/p' "$work/forth.log" | xargs)
[ "$order" = "3 $last" ] || fail "they were taken in the order $order"
all_are '.*zk-agent' || fail "a host has the old server still"
units_are afterwards: zk-agent zookeeper
is_held forth
began=$SECONDS
play again migrate.yml || fail "it did not run again"
unchanged again
say "run again it changes nothing, $((SECONDS - began)) s"
writer_ends
writes_are_there forth
same_on_all forth:

# --- back, host by host, who leads last
writer_starts back
began=$SECONDS
last=$(leader)
for n in $(printf '%s\n' 1 2 3 | grep -vx "$last") "$last"; do
    host_exec zk$n zkctl safe-to-stop --wait 60 > "$work/back" 2>&1 &&
        host_exec zk$n zkctl migrate back-to-zookeeper --yes >> "$work/back" 2>&1 &&
        host_exec zk$n zkctl --timeout 60 wait --synced >> "$work/back" 2>&1 || fail "zk$n: $(cat "$work/back")"
done
say "three servers went back after $((SECONDS - began)) s"
all_are 3.8.0 || fail "a host has zk-agent still"
units_are back: zookeeper zk-agent
is_held back
writer_ends
writes_are_there back
writes_are_there forth
same_on_all back:
exec 7>&-
wait "$holder" || fail "the session that held the ephemeral: $(cat "$work/heard")"
holder=
say "both ways: the ephemeral and its session are the same, and all three hosts hold the same"
