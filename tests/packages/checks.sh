# checks.sh - what the scripts of this folder have in common. To be sourced by bash scripts.
packages_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
packages_target=$(realpath -m "${CARGO_TARGET_DIR:-$packages_top/target}")
packages_name=$(basename "$0" .sh)
# What the command of a check says, and what the one of the check before said.
packages_said=$(mktemp)
packages_before=$packages_said.before
failures=0

ok() { echo "$packages_name: ok: $*"; }
bad() {
    echo "$packages_name: FAILED: $*" >&2
    failures=$((failures + 1))
}
check() { # check WHAT COMMAND..: one thing that must hold
    local what=$1
    shift
    cp "$packages_said" "$packages_before"
    if "$@" > "$packages_said" 2>&1; then ok "$what"; else
        bad "$what"
        tail -8 "$packages_said" >&2
    fi
}
refuses() { # refuses WHAT COMMAND..: one thing that must not succeed
    local what=$1
    shift
    cp "$packages_said" "$packages_before"
    if "$@" > "$packages_said" 2>&1; then bad "$what"; else ok "$what"; fi
}
is() { [ "$("${@:2}")" = "$1" ]; }           # is VALUE COMMAND..
# All of it is read: a command whose reader has gone away fails.
says() { "${@:2}" 2>&1 | grep -E -- "$1" > /dev/null; } # says PATTERN COMMAND..
now_ms() { date +%s%3N; }

need() { # need PACKAGE..: installs what is missing
    local missing=() package
    for package in "$@"; do
        dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    apt-get update -q &&
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Packages of a kind, of this version and of the next one, which differs by its number alone.
build_two() { # build_two deb|rpm
    local kind=$1
    first=$packages_target/packages/$kind next=$packages_target/packages/$kind-next
    (cd "$packages_top" && cargo xtask "$kind" --out "$first" &&
        cargo xtask "$kind" --version 0.1.0-2 --out "$next") > /dev/null
}

# The root file system that the hosts are made of, for who needs no host. After hosts.sh.
root_of_hosts() { # root_of_hosts DIR
    hosts_up && hosts_down &&
        mkdir -p "$1" && tar -C "$1" -xf "$HOSTS_CACHE/root-${HOSTS_IMAGE#zk-host:}.tar"
}
