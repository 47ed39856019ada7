#!/usr/bin/env bash
# Packs zk-agent as a portable service: a squashfs with the binaries, the C library and the unit.
#
#   build.sh BINARIES UNITS OUT     folder of zk-agent and zkctl, folder of the units, zk-agent_VERSION.raw
#   portablectl attach --profile=trusted ./zk-agent_0.1.0.raw && systemctl enable --now zk-agent
#
# The unit is that of the packages; its sandbox is the one it has there, so the profile adds none. The
# settings stay on the host, in /etc/zk-agent, and so do the data, in /var/lib/zk-agent. Needs
# squashfs-tools. The same binaries give the same bytes.
set -euo pipefail
binaries=$1 units=$2 out=$(realpath -m "$3")
command -v mksquashfs > /dev/null || { echo "portable: mksquashfs is not installed: apt-get install squashfs-tools" >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# The folders that systemd mounts something on, and the files it expects of an image.
chmod 755 "$root"
mkdir -p "$root"/{usr/bin,usr/lib/systemd/system,etc/zk-agent,proc,sys,dev,run,tmp,var/tmp,var/lib/zk-agent}
: > "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
printf 'ID=zk-agent\nNAME="zk-agent"\nPORTABLE_PREFIXES=zk-agent\n' > "$root/usr/lib/os-release"
printf 'root:x:0:0::/:/sbin/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\n' > "$root/etc/group"
printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
ln -s ../usr/lib/os-release "$root/etc/os-release"
ln -s usr/lib "$root/lib"
for name in zk-agent zkctl; do
    strip --strip-unneeded -o "$root/usr/bin/$name" "$binaries/$name"
    chmod 755 "$root/usr/bin/$name"
done
ldd "$binaries/zk-agent" "$binaries/zkctl" | grep -o '/[^ ]*/lib[^ ]*\.so[^ ]*\|/lib64/[^ ]*' | sort -u | while read -r library; do
    # Below /usr, where the links of the root lead to.
    place=$root/usr/${library#/}
    [ "${library#/lib64/}" = "$library" ] || { mkdir -p "$root/usr/lib64" && ln -sfn usr/lib64 "$root/lib64"; }
    mkdir -p "$(dirname "$place")"
    cp --dereference "$library" "$place"
    chmod 755 "$place"
done
# Names of units begin with the name of the image, or they are not taken from it.
cp "$units/zk-agent.service" "$units/zk-agent.socket" "$root/usr/lib/systemd/system/"
# The user is the host's: sysusers makes it there.
mkdir -p "$root/usr/lib/sysusers.d"
cp "$units/zk-agent.sysusers" "$root/usr/lib/sysusers.d/zk-agent.conf"
mkdir -p "$(dirname "$out")"
rm -f "$out"
time=${SOURCE_DATE_EPOCH:-$(git -C "$(dirname "$0")" log -1 --format=%ct)}
env -u SOURCE_DATE_EPOCH mksquashfs "$root" "$out" -all-root -noappend -quiet -no-progress -comp gzip \
    -mkfs-time "$time" -all-time "$time" > /dev/null
echo "$out: $(stat -c %s "$out") bytes"
