#!/usr/bin/env bash
# The Ansible role with packages of rpm, through dnf, against three hosts with systemd as PID 1.
#
# Goal: what ansible.sh shows for .deb holds for .rpm: dnf installs them with their dependencies, the
# service runs and is enabled, run again nothing changes, a raised release rolls through while a client
# writes, a lower one rolls back, and the packages' own scripts restart what runs.
# Method: Debian hosts with Debian's dnf and rpm, and without apt and dpkg; they say of themselves that
# they are Fedora, so that the facts are those of one. rpm's database knows a package `base` alone, which
# provides what the host's C library does. Nothing of this is a Fedora host: not its systemd, not its
# SELinux, not its repositories.
#   RPMS       folder of zk-agent-*.rpm and zkctl-*.rpm (target/packages/rpm; made by cargo xtask rpm)
#   BINARIES, GAP_MS, ANSIBLE_SPENT    as in ansible-checks.sh
# Needs root.
set -euo pipefail
export HOSTS_PACKAGES=systemd,systemd-sysv,dbus,iproute2,python3,rpm,dnf,python3-dnf
. "$(dirname "$0")/ansible-checks.sh"
rpms=$(realpath -m "${RPMS:-$target/packages/rpm}")
agent=$(one "$rpms/zk-agent-[0-9]*.rpm") ctl=$(one "$rpms/zkctl-[0-9]*.rpm")
need ansible rpm cpio
mkdir "$work/first" "$work/next" "$work/build"

build() { # build SPEC DIR [ROOT]: a package of the files in ROOT
    rpmbuild -bb --quiet --define "_topdir $work/build" --define "_rpmdir $2" --define 'debug_package %{nil}' \
        --define '__os_install_post %{nil}' --define '_build_id_links none' --define '_binary_payload w1.gzdio' \
        --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' ${3:+--define "from $3"} "$1"
}
of() { rpm -qp --qf "$2" "$1"; } # of RPM FORMAT

# The same package with a raised release: its files, dependencies and scripts out of the package itself.
raise() { # raise RPM
    local spec=$work/raise.spec tree=$work/raise script
    rm -rf "$tree" && mkdir "$tree" && (cd "$tree" && rpm2cpio "$1" | cpio -idm --quiet)
    {
        of "$1" 'Name: %{NAME}\nVersion: %{VERSION}\nRelease: %{RELEASE}.next\nSummary: %{SUMMARY}\nLicense: none\n'
        printf '%s\n' 'AutoReqProv: no' 'Requires(pre): /bin/sh'
        of "$1" '[Requires: %{REQUIRENAME} %{REQUIREFLAGS:depflags} %{REQUIREVERSION}\n]' |
            sed -E '/rpmlib\(|config\(/d; s/(zkctl = .*)/\1.next/'
        printf '%s\n' '%description' 'raised' '%install' 'cp -a %{from}/. %{buildroot}/'
        for script in pre:PREIN post:POSTIN preun:PREUN postun:POSTUN posttrans:POSTTRANS; do
            [ "$(of "$1" "%{${script#*:}}")" != '(none)' ] || continue
            printf '%%%s\n' "${script%:*}"
            of "$1" "%{${script#*:}}" | sed 's/%/%%/g'
            echo
        done
        echo '%files'
        of "$1" '[%{FILEMODES:perms} %{FILEFLAGS:fflags} %{FILENAMES}\n]' |
            sed -E 's/^d\S+ +[a-z]* *(\/.*)/%dir \1/; s/^-\S+ c[a-z]* (.*)/%config(noreplace) \1/; s/^[-l]\S+ +[a-z]* *(\/.*)/\1/'
    } > "$spec"
    build "$spec" "$work/next" "$tree"
}

# Their addresses are among the facts.
ADDRESSES_FOUND=1 hosts_three "zk_agent_rpms: ['$agent', '$ctl']"

mkdir "$work/libraries"
host_exec zk1 sh -c 'tar -C /usr/lib/x86_64-linux-gnu -ch libc.so.6 libm.so.6' | tar -C "$work/libraries" -x
{
    printf '%s\n' 'Name: base' 'Version: 1' 'Release: 1' 'Summary: what the host has' 'License: none' \
        'Provides: /bin/sh' 'Provides: systemd' 'Provides: rtld(GNU_HASH)' \
        'Provides: system-release(releasever) = 38'
    find "$work/libraries" -type f | /usr/lib/rpm/find-provides | sort -u | sed 's/^/Provides: /'
    printf '%s\n' '%description' 'what the host has' '%files'
} > "$work/base.spec"
build "$work/base.spec" "$work"
as_fedora() { # as_fedora HOST
    host_copy "$work"/base-1-1.*.rpm "$1:/srv" &&
        host_exec "$1" sh -e -c '
            printf "%s\n" NAME=Fedora ID=fedora VERSION_ID=38 > /etc/os-release
            echo "Fedora release 38 (Thirty Eight)" > /etc/fedora-release
            ln -sf fedora-release /etc/redhat-release
            rm -f /etc/debian_version /usr/bin/apt* /usr/bin/dpkg*
            mkdir -p /etc/rpm /var/lib/rpm
            echo "%_dbpath /var/lib/rpm" > /etc/rpm/macros
            rpm --initdb
            rpm --force-debian -i --nosignature /srv/base-*.rpm'
}
for n in 1 2 3; do as_fedora zk$n; done
facts=$(ansible -i "$work/inventory.yml" zk1 -m setup -a 'gather_subset=!all,pkg_mgr filter=ansible_os_family,ansible_pkg_mgr')
case $facts in *'"RedHat"'*'"dnf"'*) ;; *) fail "the facts are not those of Fedora: $facts" ;; esac

is_at() { # is_at VERSION-RELEASE: installed as packed, and runs
    local n
    for n in 1 2 3; do
        [ "$(host_exec zk$n rpm -q --qf '%{VERSION}-%{RELEASE} ' zk-agent zkctl)" = "$1 $1 " ] ||
            fail "zk$n has $(host_exec zk$n rpm -q zk-agent zkctl)"
        # The settings are the role's.
        [ "$(host_exec zk$n rpm -V zk-agent zkctl | grep -v ' c /etc/zk-agent/zoo.cfg$' | wc -l)" = 0 ] ||
            fail "zk$n is not as packed: $(host_exec zk$n rpm -V zk-agent zkctl)"
        [ "$(host_exec zk$n systemctl is-active zk-agent)$(host_exec zk$n systemctl is-enabled zk-agent)" = activeenabled ] ||
            fail "zk$n does not run"
        host_exec zk$n test ! -e /run/zk-agent-restart-required || fail "zk$n waits for a restart"
    done
}

began=$SECONDS
play make site.yml || fail "it was not made"
"$zkctl" -s "$servers" --timeout 30 health > "$work/health" || fail "$(cat "$work/health")"
is_at "$(of "$agent" '%{VERSION}-%{RELEASE}')"
same_settings
# dnf has written down what it did.
host_exec zk1 dnf -q history info last | grep -q 'Install  *zk-agent-' || fail "dnf knows nothing of it: $(host_exec zk1 dnf history info last)"
say "three hosts are an ensemble after $((SECONDS - began)) s"
for n in 1 2 3; do started zk$n > "$work/before.$n"; done
play again site.yml || fail "it did not run again"
unchanged again
for n in 1 2 3; do started zk$n | cmp -s - "$work/before.$n" || fail "a run without a change has restarted zk$n"; done

raise "$agent"
raise "$ctl"
writer_starts w
began=$SECONDS
next="{\"zk_agent_rpms\": [\"$(one "$work/next/zk-agent-*.rpm")\", \"$(one "$work/next/zkctl-*.rpm")\"]}"
play upgrade site.yml -e "$next" || fail "it was not upgraded"
is_at "$(of "$agent" '%{VERSION}-%{RELEASE}').next"
for n in 1 2 3; do
    ! started zk$n | cmp -s - "$work/before.$n" || fail "zk$n runs the old program still"
    started zk$n > "$work/before.$n"
done
one_by_one upgrade:
say "upgraded after $((SECONDS - began)) s"
began=$SECONDS
play downgrade site.yml || fail "it was not brought back"
is_at "$(of "$agent" '%{VERSION}-%{RELEASE}')"
for n in 1 2 3; do ! started zk$n | cmp -s - "$work/before.$n" || fail "zk$n runs the newer program still"; done
one_by_one downgrade:
say "and the version before after $((SECONDS - began)) s"
writer_ends
writes_are_there w
