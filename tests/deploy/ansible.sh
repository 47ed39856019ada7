#!/usr/bin/env bash
# The Ansible role against three hosts with systemd as PID 1, and the cloud-init example.
#
# Goal: one run of the playbook makes an ensemble of three bare hosts; run again it changes nothing; an
# upgrade of the packages and a change of a setting roll through while a client writes, which loses no
# acknowledged write and never waits longer than a failover takes. What stands alone and has data is not
# made a member beside others without.
# Method: hosts in containers, the packages of this tree, and for the upgrade the same ones with a
# higher version; a client on this machine creates a znode after the other and writes down each answer.
#   DEBS       folder of zk-agent_*.deb and zkctl_*.deb (target/deb; made by cargo xtask deb)
#   BINARIES, GAP_MS, ANSIBLE_SPENT    as in ansible-checks.sh
# Needs root; installs cloud-init besides.
set -euo pipefail
. "$(dirname "$0")/ansible-checks.sh"
debs=$(realpath -m "${DEBS:-$target/deb}")
agent=$(one "$debs/zk-agent_*.deb") ctl=$(one "$debs/zkctl_*.deb")
need ansible cloud-init

cloud-init schema --config-file "$top/packaging/cloud-init/user-data.yaml" > "$work/schema" 2>&1 || fail "$(cat "$work/schema")"
say "cloud-init: $(head -n 1 "$work/schema")"

# As the example has them: beside the inventory.
mkdir "$work/debs" "$work/next"
cp "$agent" "$ctl" "$work/debs/"
agent=$(basename "$agent") ctl=$(basename "$ctl")
hosts_three "zk_agent_debs: ['{{ inventory_dir }}/debs/$agent', '{{ inventory_dir }}/debs/$ctl']"

began=$SECONDS
play make site.yml || fail "it was not made"
"$zkctl" -s "$servers" --timeout 30 health > "$work/health" || fail "$(cat "$work/health")"
same_settings
say "three bare hosts are an ensemble after $((SECONDS - began)) s"
for n in 1 2 3; do started zk$n > "$work/before.$n"; done
began=$SECONDS
play again site.yml || fail "it did not run again"
unchanged again
for n in 1 2 3; do started zk$n | cmp -s - "$work/before.$n" || fail "a run without a change has restarted zk$n"; done
say "run again it changes nothing, $((SECONDS - began)) s"

writer_starts w
# --- the same packages with a higher version
raise() { # raise DEB
    local tree=$work/raise
    rm -rf "$tree"
    dpkg-deb -R "$1" "$tree"
    sed -i 's/^\(Version: .*\)/\1+next/; s/zkctl (= \([^)]*\))/zkctl (= \1+next)/' "$tree/DEBIAN/control"
    dpkg-deb -Zgzip -z1 --root-owner-group -b "$tree" "$work/next" > /dev/null
}
raise "$work/debs/$agent"
raise "$work/debs/$ctl"
next="{\"zk_agent_debs\": [\"$(one "$work/next/zk-agent_*.deb")\", \"$(one "$work/next/zkctl_*.deb")\"]}"
began=$SECONDS
play upgrade site.yml -e "$next" || fail "it was not upgraded"
for n in 1 2 3; do
    host_exec zk$n dpkg-query -W -f '${Version}\n' zk-agent | grep -q '+next$' || fail "zk$n was not upgraded"
    ! started zk$n | cmp -s - "$work/before.$n" || fail "zk$n runs the old program still"
    host_exec zk$n test ! -e /run/zk-agent-restart-required || fail "zk$n waits for a restart"
    started zk$n > "$work/before.$n"
done
one_by_one upgrade:
say "upgraded after $((SECONDS - began)) s"
began=$SECONDS
play change site.yml -e "$next" -e '{"zk_agent_config": {"snapCount": 7777}}' || fail "the settings were not changed"
for n in 1 2 3; do
    host_exec zk$n grep -qx snapCount=7777 /etc/zk-agent/zoo.cfg || fail "zk$n has the old settings"
    ! started zk$n | cmp -s - "$work/before.$n" || fail "zk$n runs with the old settings"
done
one_by_one change:
say "settings changed after $((SECONDS - began)) s"

writer_ends
writes_are_there w

# --- what would do harm
refuses() { # refuses REASON ARGUMENT..
    ! play refused site.yml -e "$next" "${@:2}" 2> /dev/null || fail "this was not refused: $1"
    grep -q "$1" "$work/refused.log" || fail "the reason is not said: $(tail -n 20 "$work/refused.log")"
}
refuses 'reconfigEnabled: a server would rewrite' -e '{"zk_agent_config": {"reconfigEnabled": true}}'
# A member that stands alone again, and what it has since is not thrown away.
sed '/^    zk[12]:/d' "$work/inventory.yml" > "$work/alone.yml"
ansible-playbook -i "$work/alone.yml" -e "$next" "$top/packaging/ansible/site.yml" > "$work/alone.log" 2>&1 ||
    fail "zk3 alone: $(tail -n 40 "$work/alone.log")"
"$zkctl" -s "$net.13:2181" srvr | grep -qx 'Mode: standalone' || fail "zk3 does not stand alone"
"$zkctl" -s "$net.13:2181" create /alone > /dev/null
refuses 'it stands alone and has data'
"$zkctl" -s "$net.13:2181" get /alone > /dev/null || fail "zk3 was changed"
say "what would do harm is refused"
