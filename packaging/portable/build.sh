#!/usr/bin/env bash
# Packs zk-agent as a portable service: a squashfs with the binaries, the C library and the unit.
#
#   build.sh BINARIES UNITS OUT     folder of zk-agent and zkctl, folder of the units, zk-agent_VERSION.raw
#
# How it is attached: docs/DEPLOY.md. The units are those of the packages; their sandbox is the one they
# have there, so the profile (trusted) adds none. The settings stay on the host, in /etc/zk-agent, and so do
# the data, in /var/lib/zk-agent. Needs squashfs-tools. The same binaries give the same bytes.
set -euo pipefail
binaries=$1 units=$2 out=$(realpath -m "$3")
command -v mksquashfs > /dev/null || { echo "portable: mksquashfs is not installed: apt-get install squashfs-tools" >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# The folders that systemd mounts something on, and the files it expects of an image.
chmod 755 "$root"
mkdir -p "$root"/{usr/bin,usr/lib/systemd/system,etc/zk-agent,proc,sys,dev,run,tmp,var/tmp} \
    "$root"/var/lib/{zk-agent,zk-agent-backup}
for file in resolv.conf machine-id hosts; do : > "$root/etc/$file"; done
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
# Names of units begin with the name of the image, or they are not taken from it. Not the template, whose
# folders an image that is read-only would have to hold, nor its target.
cp "$units"/zk-agent{,-quorum,-backup,-verify}.service "$units"/zk-agent.socket "$units"/zk-agent-quorum.target \
    "$units"/zk-agent-{backup,verify}.timer "$root/usr/lib/systemd/system/"
# Drop-ins are not taken, so what is said for an image alone stands at the end of each service: it knows the
# names that the host does, and those that only read the data see it.
for service in "$root"/usr/lib/systemd/system/*.service; do
    printf '\n# In a portable image.\n[Service]\nBindReadOnlyPaths=-/etc/hosts\n' >> "$service"
    case $service in
        *-backup.service | *-verify.service) printf 'BindReadOnlyPaths=/var/lib/zk-agent\n' >> "$service" ;;
    esac
done
# For the host, which has its own user and settings: how they are copied out stands in docs/DEPLOY.md.
mkdir -p "$root"/usr/lib/sysusers.d "$root/usr/share/zk-agent"
cp "$units/zk-agent.sysusers" "$root/usr/lib/sysusers.d/zk-agent.conf"
cp "$(dirname "$0")/../config/zoo.cfg" "$root/usr/share/zk-agent/"
mkdir -p "$(dirname "$out")"
rm -f "$out"
time=${SOURCE_DATE_EPOCH:-$(git -C "$(dirname "$0")" log -1 --format=%ct)}
env -u SOURCE_DATE_EPOCH mksquashfs "$root" "$out" -all-root -noappend -quiet -no-progress -comp gzip \
    -mkfs-time "$time" -all-time "$time" > /dev/null
echo "$out: $(stat -c %s "$out") bytes"
