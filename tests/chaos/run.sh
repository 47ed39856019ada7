#!/usr/bin/env bash
# run.sh [--servers N] [--seconds S] [--seed N] - zk-chaos in namespaces of its own: what it makes,
# processes, namespaces, mounts and loop devices, is gone when it ends, however it ends.
#   ZK_AGENT_BIN  our server      ZK_CHAOS_BIN  the program that is run
#   KAZOO_VENV    an environment of Python with kazoo, for what applications do with it (optional)
# Needs root, nftables, iproute2, e2fsprogs, python3.
set -euo pipefail
ZK_AGENT_BIN=$(realpath "${ZK_AGENT_BIN:?the server to test}")
ZK_CHAOS_BIN=$(realpath "${ZK_CHAOS_BIN:?zk-chaos}")
export ZK_AGENT_BIN ZK_CHAOS_BIN
for tool in unshare nsenter ip nft mkfs.ext4 python3; do
    command -v "$tool" > /dev/null || { echo "run.sh: $tool is missing" >&2; exit 1; }
done
# shellcheck disable=SC2016
exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private bash -c '
    mkdir -p /run/netns && mount -t tmpfs none /run/netns
    TMPDIR=$(mktemp -d) && export TMPDIR
    status=0
    "$ZK_CHAOS_BIN" "$@" || status=$?
    [ -n "${ZK_TESTS_KEEP-}" ] || rm -rf "$TMPDIR"
    exit $status' chaos "$@"
