#!/usr/bin/env bash
# migrate.sh to-zk-agent|to-apache CONFIG - one member of a ZooKeeper ensemble changes its program and
# keeps its id, its ports and its data. Run it on the member's machine, as a user who may read and
# write its data directory; one member at a time, the one that leads last. See docs/MIGRATION.md.
#
#   CONFIG    the member's zoo.cfg, for either program
#   STOP      command that stops the program that runs now, and waits for nothing
#   START     command that starts the other one, and returns
#   MEMBERS   client addresses of all members, host:port, separated by spaces, this one's first
#   ZK_AGENT  the zk-agent binary (zk-agent)
#   WAIT_S    how long a step may take (120)
#   FORCE=1   goes on although this member leads, or not all others serve
#
# Nothing is removed: what the program before leaves is moved aside, with the date in its name. The
# exit code is 0 when the member serves again with the other program, 2 when nothing was changed, and
# 1 when a step failed; then the last line says which.
set -euo pipefail
direction=${1-} config=${2-}
wait_s=${WAIT_S:-120}
agent=${ZK_AGENT:-zk-agent}
stamp=$(date +%Y%m%d-%H%M%S)

say() { echo "migrate: $*"; }
refuse() { echo "migrate: $*; nothing was changed" >&2; exit 2; }
fail() { echo "migrate: $*" >&2; exit 1; }

case $direction in to-zk-agent | to-apache) ;; *) refuse "say to-zk-agent or to-apache, then zoo.cfg" ;; esac
[ -r "$config" ] || refuse "$config cannot be read"
[ -n "${STOP-}" ] && [ -n "${START-}" ] && [ -n "${MEMBERS-}" ] || refuse "STOP, START and MEMBERS are needed"
command -v "$agent" > /dev/null || refuse "$agent is not there; set ZK_AGENT"

setting() { sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$config" | tail -n 1; }
data=$(setting dataDir)
log=$(setting dataLogDir)
log=${log:-$data}
[ -d "$data" ] || refuse "dataDir $data is not there"
read -r -a members <<< "$MEMBERS"
here=${members[0]}

# The answer to a four-letter word; nothing when nobody answers.
ask() { # ask HOST:PORT WORD
    timeout 3 bash -c 'exec 3<>"/dev/tcp/${0%:*}/${0##*:}" && printf %s "$1" >&3 && cat <&3' "$1" "$2" 2> /dev/null || true
}
mode() { ask "$1" srvr | sed -n 's/^Mode: //p'; }
zxid() { ask "$1" srvr | sed -n 's/^Zxid: 0x//p'; }

wait_for() { # wait_for WHAT COMMAND..
    local what=$1 deadline=$((SECONDS + wait_s))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || fail "$what: not within $wait_s s"
        sleep 0.1
    done
}
serves() { [ -n "$(mode "$1")" ]; }
is_down() { ! timeout 1 bash -c 'exec 3<>"/dev/tcp/${0%:*}/${0##*:}"' "$here" 2> /dev/null; }
# Apache's server closes its port before it has written everything; a lock says the same of ours.
is_free() { ! command -v fuser > /dev/null || ! fuser -s "$data/version-2"/log.* "$data/zk-agent/lock" 2> /dev/null; }

# --- before anything changes
leaders=0
for member in "${members[@]}"; do
    found=$(mode "$member")
    if [ -z "$found" ]; then
        [ "${FORCE-}" = 1 ] || refuse "$member doesn't serve: a second member must not be missing"
    fi
    [ "$found" != leader ] || leaders=$((leaders + 1))
done
[ $leaders = 1 ] || [ "${FORCE-}" = 1 ] || refuse "$leaders members lead: the ensemble is not settled"
if [ "$(mode "$here")" = leader ] && [ "${FORCE-}" != 1 ] && [ "${LEADER_LAST-}" != 1 ]; then
    refuse "this member leads: it comes last, with LEADER_LAST=1"
fi
if [ "$direction" = to-zk-agent ]; then
    "$agent" check-config "$config" || refuse "zk-agent doesn't take $config"
fi

# --- the program that runs
say "stops $here ($(mode "$here"))"
bash -c "$STOP" || fail "STOP failed"
wait_for "$here stopping" is_down
wait_for "the files being let go" is_free

# --- its data
aside() { # aside DIRECTORY..: moves what is there out of the way
    local path
    for path in "$@"; do
        if [ -e "$path" ]; then
            mv "$path" "$path.$stamp"
            say "moved $path to $path.$stamp"
        fi
    done
}
if [ "$direction" = to-zk-agent ]; then
    # Our files of a former migration are older than Apache's. Apache's are read in place.
    aside "$data/zk-agent"
    [ "$log" = "$data" ] || aside "$log/zk-agent"
else
    work=$(mktemp -d "$data/tmp-export.XXXXXX")
    "$agent" export --config "$config" "$work" || fail "the export failed; zk-agent can be started again"
    aside "$data/version-2"
    [ "$log" = "$data" ] || aside "$log/version-2"
    mv "$work/version-2" "$data/version-2"
    if [ "$log" != "$data" ]; then
        mkdir -p "$log/version-2"
        find "$data/version-2" -name 'log.*' -exec mv {} "$log/version-2/" \;
        chown -R --reference="$log" "$log/version-2"
    fi
    rm -rf "$work"
    chown -R --reference="$data" "$data/version-2"
fi

# --- the other one
bash -c "$START" || fail "START failed"
wait_for "$here serving" serves "$here"
# It is settled once it has what the others had when it began to serve.
newest=0
for member in "${members[@]}"; do
    theirs=$((16#$(zxid "$member" | grep . || echo 0)))
    [ $theirs -le $newest ] || newest=$theirs
done
caught_up() { [ $((16#$(zxid "$here" | grep . || echo 0))) -ge $newest ]; }
# A follower that was brought up without new txns tells the zxid before the epoch; the next write
# brings it there, and where nobody writes there is nothing to wait for.
if [ $((newest & 0xffffffff)) -ne 0 ]; then
    wait_for "$here catching up" caught_up
fi
say "$here serves ($(mode "$here"))"
