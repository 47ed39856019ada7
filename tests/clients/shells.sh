#!/usr/bin/env bash
# shells.sh [--write] - Debian's Java shell (zkCli.sh), C shell (cli_mt) and load_gen against the
# empty server at ZK_ADDRESS. What the shells print must be what they print on a genuine server:
# zkcli.expected and cli_mt.expected, which --write makes anew.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
address=${ZK_ADDRESS:?host:port of an empty server}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for tool in /usr/share/zookeeper/bin/zkCli.sh /usr/lib/zookeeper/bin/cli_mt /usr/lib/zookeeper/bin/load_gen; do
    if [ ! -x "$tool" ]; then
        echo "shells.sh: $tool is missing (packages zookeeper, zookeeper-bin)" >&2
        exit 1
    fi
done

# The shells end with the code of their last failure; what they print is what counts.
# Watch events come from a thread of their own: they are put behind the rest, in their order. Those
# of deleteall come in the order of a set.
/usr/share/zookeeper/bin/zkCli.sh -server "$address" < "$here/zkcli.txt" > "$out/zkcli.raw" 2>&1 || true
sed -E -e 's/^((c|m)time = ).*/\1T/' -e "s/$address/ADDRESS/" "$out/zkcli.raw" |
    grep -vE '^SLF4J|^WATCHER::|^WatchedEvent|^$' > "$out/zkcli"
grep -E '^WatchedEvent' "$out/zkcli.raw" | head -n 3 >> "$out/zkcli"
grep -E '^WatchedEvent' "$out/zkcli.raw" | tail -n +4 | sort >> "$out/zkcli"

# The answers of the C shell come while it prints the next commands: the lines are sorted.
{
    sleep 1
    while read -r line; do
        echo "$line"
        sleep 0.1
    done < "$here/cli_mt.txt"
} | /usr/lib/zookeeper/bin/cli_mt -h "$address" > "$out/cli_mt.raw" 2>&1 || true
sed -E -e 's/[0-9]+ msec/N msec/' -e 's/(c|m)time *=.*/\1time T/' -e 's/0x[0-9a-f]{10,}/SESSION/' \
    -e "s/$address/ADDRESS/" "$out/cli_mt.raw" | grep -vE 'ZOO_INFO|ZOO_WARN|ZOO_DEBUG' | sort > "$out/cli_mt"

failed=0
for shell in zkcli cli_mt; do
    if [ "${1-}" = --write ]; then
        cp "$out/$shell" "$here/$shell.expected"
    elif diff -u "$here/$shell.expected" "$out/$shell"; then
        echo "shells.sh: $shell prints what it should"
    else
        echo "shells.sh: $shell prints something else" >&2
        failed=1
    fi
done

# The script of the package asks by srvr and looks for the mode.
status=$(/usr/share/zookeeper/bin/zkServer.sh status "${ZK_CONFIG:?file of settings of the server}" 2>&1 || true)
if grep -q '^Mode: standalone$' <<< "$status"; then
    echo "shells.sh: zkServer.sh finds the server"
else
    echo "shells.sh: zkServer.sh does not find the server:" >&2
    echo "$status" >&2
    failed=1
fi

# load_gen makes, sets, reads and removes children round after round until it is ended.
timeout 5 /usr/lib/zookeeper/bin/load_gen "$address" /load 200 > "$out/load" 2>&1 || true
rounds=$(grep -c 'Starting the delete cycle' "$out/load" || true)
errors=$(grep -c 'ZOO_ERROR' "$out/load" || true)
timeout 60 /usr/lib/zookeeper/bin/load_gen "$address" /load clean > "$out/clean" 2>&1 || true
if [ "$rounds" -ge 2 ] && [ "$errors" = 0 ] && grep -q 'Successfully deleted a subtree' "$out/clean"; then
    echo "shells.sh: load_gen went $rounds rounds and cleaned up"
else
    tail -n 20 "$out/load" "$out/clean" >&2
    echo "shells.sh: load_gen went $rounds rounds with $errors errors" >&2
    failed=1
fi
exit $failed
