#!/usr/bin/env bash
# dev.sh - what a C programmer gets: the libraries' packages on a clean root, with a compiler and nothing of this
# tree. Programs are built by pkg-config, by the static library and as C++, and run against the packaged server;
# Debian's own command line for C runs on the drop-in.
# Needs root and the packages of deb.sh; installs what else it needs.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
. "$packages_top/tests/systemd/hosts.sh"
began=$SECONDS
work=$(mktemp -d)
root=$work/root
server=
finish() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    rm -rf --one-file-system "$work" "$packages_said" "$packages_before"
}
trap finish EXIT
in_root() { DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
address=127.0.0.1:$port

serve() { # the packaged server; its unit is deb.sh's matter
    mkdir "$root/srv/data"
    dpkg-deb -x "$first"/zk-agent_*.deb "$work/agent"
    "$work/agent/usr/bin/zk-agent" "-DdataDir=$root/srv/data" "-DclientPort=$port" \
        -DclientPortAddress=127.0.0.1 > "$work/log" 2>&1 &
    server=$!
}

is_installed() {
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    cp "$first"/libzkclient{1,-dev,-compat}_*.deb "$root/srv"
    cp -r "$packages_top/examples" "$root/srv/examples"
    check "a compiler, pkg-config and Debian's shell for C" in_root sh -c 'apt-get update -q &&
        apt-get install -q -y --no-install-recommends gcc g++ libc6-dev pkg-config zookeeper-bin'
    check "apt install of the libraries" in_root sh -c 'apt-get install -q -y /srv/libzkclient*.deb'
}

programs_are_built() {
    local name
    for name in lock queue election config registry; do
        check "$name.c by pkg-config" in_root sh -c "cd /srv && cc -std=c99 -Wall -Wextra -Werror \
            \$(pkg-config --cflags zkclient) examples/c/$name.c \$(pkg-config --libs zkclient) -o $name"
        check "... runs" says '^done$' in_root /srv/$name "$address"
        check "$name.cpp" in_root sh -c "cd /srv && c++ -std=c++17 -Wall -Wextra -Werror \
            examples/cpp/$name.cpp \$(pkg-config --cflags --libs zkclient) -o $name-cpp"
        check "... runs" says '^done$' in_root /srv/$name-cpp "$address"
    done
    check "lock.c with the static library" in_root sh -c 'cd /srv && cc -std=c99 examples/c/lock.c \
        -l:libzkclient.a $(pkg-config --static --libs-only-other zkclient) -lpthread -ldl -lm -o lock-static'
    check "... runs" says '^done$' in_root /srv/lock-static "$address"
}

the_drop_in_drops_in() {
    local folder
    folder=$(in_root sh -c 'dirname $(dpkg -L libzkclient-compat | grep libzookeeper_mt.so.2$)')
    check "nothing changes by its installation" sh -c \
        "! chroot '$root' ldd /usr/lib/zookeeper/bin/cli_mt | grep zkclient-compat"
    check "Debian's cli_mt takes it where it is told to" sh -c "LD_LIBRARY_PATH=$folder chroot '$root' \
        ldd /usr/lib/zookeeper/bin/cli_mt | grep -q $folder/libzookeeper_mt.so.2"
    check "... and runs" in_root sh -c "(sleep 1; echo create /cli; sleep 1; echo ls /; sleep 1; echo quit) |
        LD_LIBRARY_PATH=$folder /usr/lib/zookeeper/bin/cli_mt $address > /srv/cli 2>&1; grep -qw cli /srv/cli"
}

need debootstrap docker.io python3
build_two deb
root_of_hosts "$root"
is_installed
serve
programs_are_built
the_drop_in_drops_in
echo "dev: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
