#!/usr/bin/env bash
# reproduce.sh - the same source gives the same bytes: everything is built a second time, in a copy of
# the source in another folder, into another target and with cargo's cache under another path, and all
# packages are compared with those of the first build.
# Needs root and cargo; installs what else it needs. Nothing is fetched: the cache is a copy.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
began=$SECONDS
scratch=$(mktemp -d)
trap 'rm -rf "$scratch" "$packages_said" "$packages_before"' EXIT
need dpkg-dev debhelper rpm debugedit elfutils

other=$scratch/a/longer/path/to/the/source
mkdir -p "$other" "$scratch/cargo/registry"
git -C "$packages_top" ls-files -z | tar -C "$packages_top" --null -T - -c | tar -C "$other" -x
home=${CARGO_HOME:-$HOME/.cargo}
for part in src index cache; do
    cp -al "$home/registry/$part" "$scratch/cargo/registry/" 2> /dev/null ||
        cp -a "$home/registry/$part" "$scratch/cargo/registry/"
done
if [ -e "$home/config.toml" ]; then cp "$home/config.toml" "$scratch/cargo/"; fi

# What the first build has from git.
ZK_AGENT_COMMIT=$(git -C "$packages_top" rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git -C "$packages_top" log -1 --format=%ct)
second() { # second KIND: into a folder beside the copy
    (cd "$other" && umask 027 && env -u DEB_BUILD_OPTIONS CARGO_HOME="$scratch/cargo" \
        CARGO_TARGET_DIR="$scratch/target" ZK_AGENT_COMMIT="$ZK_AGENT_COMMIT" \
        SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" LANG=de_DE.UTF-8 TZ=Asia/Shanghai \
        cargo xtask "$1" --out "$scratch/$1")
}
for kind in deb rpm; do
    (cd "$packages_top" && cargo xtask $kind --out "$packages_target/packages/$kind") > /dev/null
    second $kind > /dev/null
    for file in "$packages_target/packages/$kind"/*."$kind"; do
        name=$(basename "$file")
        check "$name is the same in both builds" cmp "$file" "$scratch/$kind/$name"
    done
    check "no $kind is in one of them only" diff <(ls "$packages_target/packages/$kind") <(ls "$scratch/$kind")
done
# The folders of this machine, in any of the files that are packed.
mkdir "$scratch/look"
for file in "$packages_target"/packages/deb/*.deb; do dpkg-deb -x "$file" "$scratch/look"; done
refuses "no path of this machine is packed" \
    grep -raE "$packages_top|$packages_target|$home/registry" "$scratch/look"
echo "reproduce: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
