# hosts.sh - hosts with systemd as PID 1, in containers of a dockerd of our own. To be sourced by
# bash scripts; needs root. Nothing outlives hosts_down but the image, which the next run reuses.
#
#   hosts_up                      installs what is missing, starts dockerd, makes or reuses the image
#   hosts_add SUITE PACKAGE..     has the hosts that are started from then on have more packages
#   host_network NAME             a network of its own for several hosts; says its first three bytes
#   host_start NAME [NETWORK [ADDRESS]]
#                                 boots a host; without a network it has loopback only. Returns
#                                 once systemd is up; fails when a unit of the image has failed
#   host_exec NAME COMMAND..      runs a command there as root, with its exit code; stdin is passed
#   host_copy FILE.. NAME:DIR     copies into it, keeping modes
#   host_address NAME             its IPv4 address on its network
#   host_stop NAME                powers it off and removes it with all it holds
#   hosts_down                    removes all hosts and networks and ends dockerd
#   wait_for SECONDS COMMAND..    runs the command until it succeeds
#
#   HOSTS_DIR       dockerd's folder, one for each script that runs at the same time
#                   (CARGO_TARGET_DIR or target, then hosts/docker)
#   HOSTS_CACHE     where the tar of the root file system is kept (the same, hosts)
#   HOSTS_PACKAGES  what is in it besides a minimal Debian
#   HOSTS_SUITE     which Debian (bookworm)
#   HOSTS_OPTIONS   more options for docker run, an array
#   HOSTS_IMAGE     an image to boot instead
hosts_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HOSTS_CACHE=${HOSTS_CACHE:-${CARGO_TARGET_DIR:-$hosts_top/target}/hosts}
HOSTS_DIR=${HOSTS_DIR:-$HOSTS_CACHE/docker}
HOSTS_PACKAGES=${HOSTS_PACKAGES:-systemd,systemd-sysv,dbus,iproute2,python3,locales}
HOSTS_SUITE=${HOSTS_SUITE:-bookworm}
[ -v HOSTS_OPTIONS ] || HOSTS_OPTIONS=()
HOSTS_MIRROR=${HOSTS_MIRROR:-http://deb.debian.org/debian}
export DOCKER_HOST=unix://$HOSTS_DIR/docker.sock

wait_for() { # wait_for SECONDS COMMAND..
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            echo "hosts: gave up waiting for: $*" >&2
            return 1
        fi
        sleep 0.1
    done
}

hosts_install() {
    local missing=() package
    for package in docker.io debootstrap iproute2; do
        dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    # The package's own daemon must not start.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' > $policy
        chmod +x $policy
        made=1
    fi
    apt-get update -q &&
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
    local done=$?
    [ -n "$made" ] && rm -f $policy
    return $done
}

hosts_daemon() {
    mkdir -p "$HOSTS_DIR"
    # What a killed script has left: its hosts are known to dockerd and go below.
    docker info > /dev/null 2>&1 && return
    rm -f "$HOSTS_DIR/pid" "$HOSTS_DIR/docker.sock"
    dockerd --data-root "$HOSTS_DIR/data" --exec-root "$HOSTS_DIR/exec" -H "$DOCKER_HOST" \
        --pidfile "$HOSTS_DIR/pid" --iptables=false --ip6tables=false --bridge=none \
        > "$HOSTS_DIR/log" 2>&1 &
    if ! wait_for 60 docker info; then
        tail -20 "$HOSTS_DIR/log" >&2
        return 1
    fi
}

# The name of the image is what it was made from: other packages make another image.
hosts_image() {
    local made_from tar
    made_from=$(printf '%s' "$HOSTS_SUITE $HOSTS_PACKAGES" | sha256sum | cut -c1-12)
    HOSTS_IMAGE=zk-host:$made_from
    docker image inspect "$HOSTS_IMAGE" > /dev/null 2>&1 && return
    tar=$HOSTS_CACHE/root-$made_from.tar
    if [ ! -e "$tar" ]; then
        local root
        root=$(mktemp -d "$HOSTS_CACHE/root.XXXXXX") &&
            debootstrap --variant=minbase --include="$HOSTS_PACKAGES" "$HOSTS_SUITE" "$root" \
                "$HOSTS_MIRROR" > "$HOSTS_CACHE/debootstrap.log" 2>&1 &&
            rm -rf "$root"/var/cache/apt/archives/*.deb &&
            : > "$root/etc/machine-id" &&
            tar -C "$root" -cf "$tar.new" . && mv "$tar.new" "$tar" || {
            tail -20 "$HOSTS_CACHE/debootstrap.log" >&2
            return 1
        }
        rm -rf --one-file-system "$root"
    fi
    docker import "$tar" "$HOSTS_IMAGE" > /dev/null
}

# As an image that is kept beside the one it is made from. dockerd has no network but that of this machine.
hosts_add() { # hosts_add SUITE PACKAGE..
    local suite=$1 to
    to=$HOSTS_IMAGE-$(printf '%s' "$*" | sha256sum | cut -c1-12)
    shift
    if ! docker image inspect "$to" > /dev/null 2>&1; then
        docker run --name hosts-add --network host "$HOSTS_IMAGE" sh -c "
            echo 'deb $HOSTS_MIRROR $suite main' > /etc/apt/sources.list.d/more.list &&
            apt-get update -q && DEBIAN_FRONTEND=noninteractive \
                apt-get install -q -y --no-install-recommends -t $suite $* &&
            apt-get clean && rm -r /var/lib/apt/lists/* && : > /etc/machine-id" \
            > "$HOSTS_CACHE/apt.log" 2>&1 &&
            docker commit hosts-add "$to" > /dev/null && docker rm hosts-add > /dev/null || {
            tail -20 "$HOSTS_CACHE/apt.log" >&2
            return 1
        }
    fi
    HOSTS_IMAGE=$to
}

hosts_clear() {
    local all
    all=$(docker ps -aq) && [ -z "$all" ] || docker rm -f -v $all > /dev/null
    docker network prune -f > /dev/null
}

hosts_up() {
    hosts_install && hosts_daemon && hosts_clear && { [ -n "${HOSTS_IMAGE:-}" ] || hosts_image; }
}

# Others on this machine make such networks too, at the same time perhaps, and may have left a bridge
# behind: one that nobody else has an address of is taken.
host_network() {
    local try i
    for try in $(seq 50); do
        i=$((RANDOM % 256))
        [ "$(hosts_having "10.213.$i.1/")" = 0 ] || continue
        docker network create --subnet "10.213.$i.0/24" "$1" > /dev/null 2>&1 || continue
        if [ "$(hosts_having "10.213.$i.1/")" = 1 ]; then
            echo "10.213.$i"
            return
        fi
        docker network rm "$1" > /dev/null
    done
    echo "hosts: no network is free" >&2
    return 1
}

hosts_having() { ip -o -4 address | grep -cF " $1" || true; }

# The word behind systemd is for 256 and newer, which boot with version 1 of control groups only when told to;
# older ones know it not and do not mind.
host_start() { # host_start NAME [NETWORK [ADDRESS]]
    local name=$1 network=${2:-none} address=${3:-}
    docker run -d --name "$name" --hostname "$name" --network "$network" ${address:+--ip "$address"} \
        --cap-add ALL --cap-drop SYS_RESOURCE --cap-drop SYS_MODULE \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
        --tmpfs /run --tmpfs /run/lock --tmpfs /tmp \
        -v /sys/fs/cgroup:/sys/fs/cgroup:rw --stop-signal SIGRTMIN+3 "${HOSTS_OPTIONS[@]}" \
        "$HOSTS_IMAGE" /lib/systemd/systemd SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 > /dev/null || return 1
    local state
    wait_for 60 host_is_up "$name"
    state=$(docker exec "$name" systemctl is-system-running)
    if [ "$state" != running ]; then
        echo "hosts: $name is $state" >&2
        docker exec "$name" systemctl --failed --no-legend >&2
        return 1
    fi
}

host_is_up() {
    case $(docker exec "$1" systemctl is-system-running 2> /dev/null) in
        running | degraded) ;;
        *) return 1 ;;
    esac
}

host_exec() {
    local name=$1
    shift
    docker exec -i "$name" "$@"
}

# As a tar and not by docker cp, which keeps our user's numbers and follows no link.
host_copy() { # host_copy FILE.. NAME:DIR
    local to=${*: -1} file
    for file in "${@:1:$#-1}"; do
        tar -C "$(dirname "$file")" --owner=0 --group=0 -ch "$(basename "$file")" |
            docker exec -i "${to%%:*}" sh -c "mkdir -p '${to#*:}' && tar -C '${to#*:}' -x" || return 1
    done
}

host_address() {
    docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"
}

host_stop() {
    docker stop -t 30 "$1" > /dev/null
    docker rm -f -v "$1" > /dev/null
}

hosts_down() {
    [ -e "$HOSTS_DIR/pid" ] || return 0
    hosts_clear
    local pid
    pid=$(cat "$HOSTS_DIR/pid")
    kill "$pid" 2> /dev/null
    wait_for 30 sh -c "! kill -0 $pid"
}
