#!/usr/bin/env bash
# rpm.sh - the packages of rpm, with rpm's own tools: checked by rpmlint; installed into a root of their own with
# a database of its own, where their scripts run; verified, upgraded, run, refused, erased.
# The root is a minimal Debian, whose systemd and C library a package of this script stands for, so that
# dependencies are checked as on a host of rpm. Needs root and cargo; installs what else it needs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
. "$packages_top/tests/systemd/hosts.sh"
began=$SECONDS
work=$(mktemp -d)
root=$work/root
finish() {
    rm -rf --one-file-system "$work" "$packages_said" "$packages_before"
}
trap finish EXIT

rpm_() { rpm --root "$root" --dbpath /var/lib/rpm-of-its-own "$@"; }
in_root() { unshare --net --mount --pid --fork --kill-child chroot "$root" "$@"; }

# What the base has, as a package: every library with its versions, a shell, systemd.
base_package() {
    local spec=$work/base.spec
    {
        printf '%s\n' 'Name: base' 'Version: 1' 'Release: 1' 'Summary: what the root has' \
            'License: none' 'BuildArch: x86_64' 'Provides: /bin/sh' 'Provides: systemd' 'Provides: /sbin/ldconfig' \
            'Provides: /usr/bin/pkg-config'
        find "$root"/usr/lib/x86_64-linux-gnu -maxdepth 1 -name 'lib*.so*' -o -maxdepth 1 -name 'ld-*' |
            /usr/lib/rpm/find-provides | sort -u | sed 's/^/Provides: /'
        printf '%s\n' 'Provides: rtld(GNU_HASH)' '%description' 'what the root has' '%files'
    } > "$spec"
    rpmbuild -bb --quiet --define "_topdir $work/base" --define "_rpmdir $work" \
        --define '_rpmfilename base.rpm' "$spec"
}

is_linted() {
    check "rpmlint says nothing" rpmlint --strict -c "$packages_top/packaging/rpm/rpmlint.toml" "$first"/*.rpm
    rpmlint -c "$packages_top/packaging/rpm/rpmlint.toml" "$first"/*.rpm | tail -3 || true
}

is_installed() {
    check "rpm -i, with all dependencies and scripts" rpm_ -i "$first"/*.rpm
    check "rpm -V finds everything as packed" rpm_ -V zk-agent zkctl libzkclient1 libzkclient-devel libzkclient-compat
    check "the user is there" grep -q '^zk-agent:' "$root/etc/passwd"
    check "it is not enabled" sh -c "! find '$root/etc/systemd' -name 'zk-agent*' | grep ."
    check "the file of settings is the administrator's" says zoo.cfg rpm_ -qc zk-agent
    check "nobody gets the drop-in by its SONAME" sh -c \
        "! rpm --root '$root' --dbpath /var/lib/rpm-of-its-own -q --provides libzkclient-compat | grep zookeeper_"
}

owners() { rpm_ -qp --qf '[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]' "$first"/*.rpm | sort -u; }

runs() {
    # A minimal root knows no names, not even its own.
    echo '127.0.0.1 localhost' > "$root/etc/hosts"
    check "the server and its shell run" in_root sh -c 'ip link set lo up
        mkdir -p /srv/data; zk-agent -DdataDir=/srv/data > /tmp/log 2>&1 & server=$!
        for i in 1 2 3 4 5 6 7 8 9 10; do zkctl --timeout 2 create /x here && break; sleep 0.2; done
        [ "$(zkctl get /x)" = here ]; said=$?; kill $server; wait $server; exit $said'
    check "the units are good" in_root sh -c 'systemd-analyze verify --man=no zk-agent.service zk-agent.socket 2>&1 |
        grep zk-agent; [ $? = 1 ]'
    check "the library is found" in_root sh -c 'ldconfig -p | grep -q libzkclient.so.1 ||
        ls /usr/lib64/libzkclient.so.1'
}

is_upgraded() {
    echo 'maxClientCnxns=7' >> "$root/etc/zk-agent/zoo.cfg"
    check "rpm -U" rpm_ -U "$next"/*.rpm
    check "... is the new version" is 0.1.0-2 rpm_ -q --qf '%{VERSION}-%{RELEASE}' zk-agent
    check "... and keeps what was set" grep -q maxClientCnxns=7 "$root/etc/zk-agent/zoo.cfg"
    mkdir -p "$root/var/lib/zk-agent/zk-agent"
    printf 'zk-agent identity\nformat=9\n' > "$root/var/lib/zk-agent/zk-agent/identity"
    refuses "a version that cannot read the data is refused" rpm_ -U --oldpackage "$first"/*.rpm
    check "... with the reason" grep -q 'format 9, which a newer version has written' "$packages_before"
    rm -r "$root/var/lib/zk-agent/zk-agent"
    # The others are the older ones already: rpm goes on where one package is refused.
    check "rpm -U --oldpackage, to the version before" rpm_ -U --oldpackage --replacepkgs "$first"/*.rpm
    mkdir -p "$root/var/lib/zk-agent/zk-agent"
}

is_erased() {
    check "rpm -e" rpm_ -e zk-agent zkctl libzkclient1 libzkclient-devel libzkclient-compat zk-agent-debuginfo
    check "... keeps changed settings" test -e "$root/etc/zk-agent/zoo.cfg.rpmsave"
    check "... and data" test -d "$root/var/lib/zk-agent/zk-agent"
    check "... and leaves nothing else" sh -c "! find '$root/usr' -name '*zk-agent*' -o -name '*zkc*' | grep ."
}

need rpm rpmlint debugedit elfutils debootstrap
build_two rpm
root_of_hosts "$root"
base_package
rpm_ --initdb
rpm_ -i --nosignature "$work/base.rpm"
is_linted
is_installed
check "all files are root's" is root:root owners
runs
is_upgraded
is_erased
echo "rpm: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
