#!/usr/bin/env bash
# The portable service: what systemd itself says of the image, without attaching it.
#
# Goal: the same binaries give the same image, systemd takes it for a portable service, its unit is the
# one of the packages and as closed there as anywhere, and the programs find their libraries in it.
#   BINARIES   folder of zk-agent and zkctl (target/release)
# Needs root (a loop device) and Debian's packages squashfs-tools and systemd-container, which it installs.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
binaries=${BINARIES:-$(realpath -m "${CARGO_TARGET_DIR:-$top/target}")/release}
fail() { echo "portable: FAILED: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missing=()
for package in squashfs-tools systemd-container binutils; do
    dpkg -s $package > /dev/null 2>&1 || missing+=($package)
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -q > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" > /dev/null
fi
for i in 1 2; do
    "$top/packaging/portable/build.sh" "$binaries" "$top/systemd" "$work/$i/zk-agent_0.1.0.raw"
done
image=$work/1/zk-agent_0.1.0.raw
cmp "$image" "$work/2/zk-agent_0.1.0.raw" || fail "two images of the same binaries differ"
systemd-dissect "$image" > "$work/dissected" 2>&1 || fail "$(cat "$work/dissected")"
grep -q '✓ portable service' "$work/dissected" || fail "no portable service: $(cat "$work/dissected")"
unsquashfs -q -n -d "$work/root" "$image" > /dev/null
cmp "$top/systemd/zk-agent.service" "$work/root/usr/lib/systemd/system/zk-agent.service" || fail "another unit"
for program in zk-agent zkctl; do
    chroot "$work/root" /usr/bin/$program --version || fail "$program does not run in the image"
done
systemd-analyze security --offline=yes --threshold=12 --no-pager --image="$image" zk-agent.service \
    > "$work/exposure" || fail "$(tail -n 1 "$work/exposure")"
tail -n 1 "$work/exposure" | sed 's/^[^A-Za-z]*/portable: /'
