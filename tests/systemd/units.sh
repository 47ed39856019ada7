#!/usr/bin/env bash
# units.sh - the files of systemd/ as systemd reads them: no warning, no service more exposed than 1.2, and a
# catalog that compiles. Changes nothing outside of a folder of its own.
set -euo pipefail
units=$(cd "$(dirname "$0")/../../systemd" && pwd)
most=${EXPOSURE_MAX:-1.2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
bad() {
    echo "units: FAILED: $*" >&2
    failures=$((failures + 1))
}

if ! command -v systemd-analyze > /dev/null; then
    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends systemd
fi

# A root with nothing but the units, what they name, and the targets of systemd.
root=$work/root
mkdir -p "$root"/usr/{bin,lib/systemd/{system,catalog},lib/sysusers.d} "$root"/etc/systemd/system \
    "$root"/var/lib/systemd/catalog
ln -s usr/lib "$root/lib"
cp /lib/systemd/system/{basic,sysinit,network,time-sync,multi-user,shutdown,sockets,timers,umount,local-fs}.target \
    "$root/usr/lib/systemd/system"
cp "$units"/*.{service,socket,target,slice,timer} "$root/usr/lib/systemd/system"
for program in zk-agent zkctl; do
    printf '#!/bin/sh\n' > "$root/usr/bin/$program"
    chmod +x "$root/usr/bin/$program"
done
names=()
for file in "$units"/*.{service,socket,target,slice,timer}; do
    names+=("$(basename "$file" | sed 's/@\./@1./')")
done
if said=$(systemd-analyze verify --man=no --root="$root" "${names[@]}" 2>&1) && [ -z "$said" ]; then
    echo "units: verify: ${#names[@]} units, not a word"
else
    bad "systemd-analyze verify: $said"
fi

# Only where systemd knows its keys does the drop-in go.
version=$(systemd-analyze --version | awk 'NR == 1 { print $2 }')
if [ "$version" -ge 254 ]; then
    mkdir "$root/etc/systemd/system/zk-agent.service.d"
    cp "$units/10-systemd-254.conf" "$root/etc/systemd/system/zk-agent.service.d"
    said=$(systemd-analyze verify --man=no --root="$root" zk-agent.service 2>&1) || true
    [ -z "$said" ] || bad "10-systemd-254.conf: $said"
fi

for file in "$units"/*.service; do
    if said=$(systemd-analyze security --no-pager --offline=true --threshold="${most/./}" "$file" 2>&1); then
        echo "units: $(basename "$file"): $(tail -1 <<< "$said" | sed 's/.*: //')"
    else
        bad "$(basename "$file") is more exposed than $most: $(tail -1 <<< "$said")"
    fi
done

# The template is the service with the instance in its paths, and nothing else.
plain() { # plain FILE: the lines that say something, from [Service] on
    sed -n '/^\[Service\]/,/^\[Install\]/p' "$1" | grep -v '^#' | grep -v '^$' | grep -v '^\['
}
if ! diff <(plain "$units/zk-agent.service") \
    <(plain "$units/zk-agent@.service" |
        sed 's,%i\.cfg,zoo.cfg,; s,%i\.env,zoo.env,; s,Directory=zk-agent/%i,Directory=zk-agent,') >&2; then
    bad "zk-agent@.service is not zk-agent.service"
fi

# A comment behind a value is part of the value.
if grep -nE '^[A-Za-z]+=.*[[:space:]]#' "$units"/*.{service,socket,target,slice,timer,conf} >&2; then
    bad "a comment behind a value"
fi

cp "$units"/*.catalog "$root/usr/lib/systemd/catalog"
if said=$(journalctl --root="$root" --update-catalog 2>&1) && [ -z "$said" ]; then
    echo "units: catalog: $(journalctl --root="$root" --list-catalog | wc -l) events"
else
    bad "journalctl --update-catalog: $said"
fi
if [ "$(journalctl --root="$root" --list-catalog | wc -l)" != "$(grep -c '^-- ' "$units/zk-agent.catalog")" ]; then
    bad "events are missing in the compiled catalog"
fi

cp "$units/zk-agent.sysusers" "$root/usr/lib/sysusers.d/zk-agent.conf"
if systemd-sysusers --root="$root" 2> "$work/users" && grep -q '^zk-agent:' "$root/etc/passwd"; then
    echo "units: sysusers: $(grep '^zk-agent:' "$root/etc/passwd")"
else
    bad "systemd-sysusers: $(cat "$work/users")"
fi
[ "$failures" = 0 ]
