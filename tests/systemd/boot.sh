#!/usr/bin/env bash
# boot.sh - the daemon and its units under a real systemd: three hosts with systemd as PID 1 in containers.
# The binaries and the files of systemd/ are put in by hand; tests/packages does the same with packages.
# Needs root. ZK_AGENT_BIN and ZKCTL_BIN (target/release); HOSTS_* as in hosts.sh; KEEP=1 leaves the hosts.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/hosts.sh"
target=$(realpath -m "${CARGO_TARGET_DIR:-$hosts_top/target}")
ZK_AGENT_BIN=${ZK_AGENT_BIN:-$target/release/zk-agent}
ZKCTL_BIN=${ZKCTL_BIN:-$target/release/zkctl}
units=$hosts_top/systemd
failures=0

ok() { echo "boot: ok: $*"; }
bad() {
    echo "boot: FAILED: $*" >&2
    failures=$((failures + 1))
}
check() { # check WHAT COMMAND..: one thing that must hold
    local what=$1
    shift
    if "$@" > /tmp/boot.$$ 2>&1; then ok "$what"; else
        bad "$what"
        tail -5 /tmp/boot.$$ >&2
    fi
}
finish() {
    rm -f /tmp/boot.$$
    [ -n "${KEEP:-}" ] || hosts_down
}
trap finish EXIT

on() { host_exec "$@"; }
sh_on() { # sh_on NAME SCRIPT
    host_exec "$1" sh -c "$2"
}
property() { on "$1" systemctl show -P "$2" "${3:-zk-agent}"; }
is() { [ "$("${@:2}")" = "$1" ]; }           # is VALUE COMMAND..
# All of it is read: a command whose reader has gone away fails.
says() { "${@:2}" 2>&1 | grep -E -- "$1" > /dev/null; } # says PATTERN COMMAND..
journal() { on "$1" journalctl -u zk-agent --no-pager -o cat "${@:2}"; }
now_ms() { date +%s%3N; }

install_on() { # install_on NAME: what the packages do
    local name=$1 binaries
    binaries=$(mktemp -d)
    install -m 755 "$ZK_AGENT_BIN" "$binaries/zk-agent"
    install -m 755 "$ZKCTL_BIN" "$binaries/zkctl"
    # The debug information of a development build is not for three file systems in memory.
    strip "$binaries"/* 2> /dev/null || true
    host_copy "$binaries"/* "$name:/usr/bin"
    rm -rf "$binaries"
    host_copy "$units"/*.{service,socket,target,slice,timer} "$name:/lib/systemd/system"
    host_copy "$units"/*.catalog "$name:/usr/lib/systemd/catalog"
    host_copy "$units/zk-agent.sysusers" "$name:/tmp"
    sh_on "$name" 'mv /tmp/zk-agent.sysusers /usr/lib/sysusers.d/zk-agent.conf &&
        systemd-sysusers && journalctl --update-catalog && systemctl daemon-reload &&
        mkdir -p /etc/zk-agent' 2> /dev/null
}

# For journalctl to speak Chinese the host has to know the language.
learn_chinese() { sh_on h1 'localedef -i zh_CN -f UTF-8 zh_CN.UTF-8'; }

settings() { # settings NAME: zoo.cfg from stdin
    host_exec "$1" sh -c 'cat > /etc/zk-agent/zoo.cfg'
}

alone() {
    printf '%s\n' 'dataDir=/var/lib/zk-agent' 'clientPort=2181' '4lw.commands.whitelist=*' "$@" |
        settings h1
}

starts_fast() {
    alone
    check "zk-agent starts" on h1 systemctl start zk-agent
    local us
    us=$(($(property h1 ActiveEnterTimestampMonotonic) - $(property h1 InactiveExitTimestampMonotonic)))
    check "it is ready after ${us} us, within a second" test "$us" -lt 1000000
    check "it serves" says '^zookeeper$' on h1 zkctl ls /
    check "the status is a dashboard" \
        says 'Standalone, zxid 0x.*, [0-9]+ sessions, .* connections on' property h1 StatusText
    check "it runs as its own user" is zk-agent on h1 stat -c %U /var/lib/zk-agent/zk-agent
}

journal_has_fields() {
    learn_chinese
    check "the journal has fields" says 'MESSAGE_ID' on h1 journalctl -u zk-agent -o verbose
    check "and the place in the code" says 'CODE_FILE=' on h1 journalctl -u zk-agent -o verbose
    check "journalctl -x explains events" \
        says 'ports are open. In an ensemble' on h1 journalctl -x -u zk-agent --no-pager
    check "and in Chinese" says '数据已加载' on h1 env LC_ALL=zh_CN.UTF-8 LANG=zh_CN.UTF-8 \
        journalctl -x -u zk-agent --no-pager
}

reloads() {
    alone maxClientCnxns=777
    check "reload works" on h1 systemctl reload zk-agent
    check "and is finished when systemctl returns" says 'settings: reloaded maxClientCnxns=777' journal h1
    check "the status says what has changed" says 'Reloaded: maxClientCnxns=777' property h1 StatusText
    alone tickTime=soon
    if on h1 systemctl reload zk-agent > /dev/null 2>&1; then bad "a bad file must fail the reload"; else
        ok "a bad file fails the reload"
    fi
    check "with the reason" says 'tickTime=soon: ' journal h1
    check "and the server goes on" is active property h1 ActiveState
    alone
    check "a good file is taken again" on h1 systemctl reload zk-agent
}

# Somebody connects all the time, and is heard or at least not refused; from outside of the host.
restart_refuses_nobody() { # restart_refuses_nobody WHAT COMMAND..
    local what=$1 address log
    shift
    address=$(host_address h1)
    log=$(mktemp)
    python3 "$here/connects.py" "$address" 2181 "$log" &
    local client=$!
    wait_for 10 grep -q connected "$log"
    "$@"
    wait_for 20 on h1 zkctl --timeout 1 ls /
    kill -TERM $client
    wait $client || true
    check "$what refuses nobody: $(tail -1 "$log")" grep -q 'refused=0 ' "$log"
    check "... and somebody was there" grep -qE 'answered=[1-9]' "$log"
    rm -f "$log"
}

restarts_under_load() {
    restart_refuses_nobody "a restart (kept sockets)" on h1 systemctl restart zk-agent
    # The kept socket listens on another address of the same port.
    alone clientPortAddress=127.0.0.1
    on h1 systemctl restart zk-agent
    check "another address takes effect by a restart" sh_on h1 'ss -Hltn | grep -q "127.0.0.1:2181"'
    alone
    on h1 systemctl restart zk-agent
    check "... and back" sh_on h1 'ss -Hltn | grep -q "\*:2181"'
    restart_refuses_nobody "the end by SIGKILL" sh_on h1 'kill -9 $(systemctl show -P MainPID zk-agent)'
    sh_on h1 'systemctl stop zk-agent && mkdir -p /etc/systemd/system/zk-agent.socket.d &&
        printf "[Socket]\nListenStream=\nListenStream=2181\n" > /etc/systemd/system/zk-agent.socket.d/x.conf &&
        systemctl daemon-reload && systemctl start zk-agent.socket'
    check "the first client starts the server" on h1 zkctl ls /
    restart_refuses_nobody "a restart (zk-agent.socket)" on h1 systemctl restart zk-agent
    if journal h1 | grep -q 'sockets: differs'; then bad "the same port differs"; else ok "the same port"; fi
    alone clientPort=2182
    on h1 systemctl restart zk-agent
    check "another clientPort is warned about" says 'sockets: differs name=client' journal h1
    check "and the passed socket serves" on h1 zkctl ls /
    sh_on h1 'systemctl stop zk-agent.socket zk-agent; rm -r /etc/systemd/system/zk-agent.socket.d;
        systemctl daemon-reload'
    alone
    on h1 systemctl start zk-agent
}

a_stop_refuses() {
    on h1 systemctl stop zk-agent
    if timeout 5 bash -c "exec 3<> /dev/tcp/$(host_address h1)/2181" 2> /dev/null; then
        bad "a stopped server refuses"
    else
        ok "a stopped server refuses"
    fi
    check "a stop says that all is on disk" says 'start: stopped' journal h1
    on h1 systemctl start zk-agent
}

the_watchdog_bites() {
    sh_on h1 'mkdir -p /run/systemd/system/zk-agent.service.d &&
        printf "[Service]\nWatchdogSec=2s\n" > /run/systemd/system/zk-agent.service.d/w.conf &&
        systemctl daemon-reload && systemctl restart zk-agent'
    local before
    before=$(property h1 MainPID)
    sleep 3
    check "a server that turns is left alone" is "$before" property h1 MainPID
    sh_on h1 "kill -STOP $before"
    wait_for 20 sh -c "[ \$(docker exec h1 systemctl show -P MainPID zk-agent) != $before ] &&
        docker exec h1 zkctl --timeout 1 ls /"
    check "a stopped process is killed and started again" says 'atchdog timeout' journal h1
    sh_on h1 'rm /run/systemd/system/zk-agent.service.d/w.conf; systemctl daemon-reload'
}

bad_settings_stay_down() {
    alone tickTime=soon
    on h1 systemctl restart zk-agent > /dev/null 2>&1 || true
    wait_for 10 is failed property h1 ActiveState
    sleep 2
    check "settings that are refused exit 78" is 78 property h1 ExecMainStatus
    check "and are not tried again" is failed property h1 ActiveState
    check "the status says why" says 'tickTime=soon' property h1 StatusText
    check "the catalog says what to do" says 'check-config' on h1 journalctl -x -u zk-agent --no-pager
    alone
    on h1 systemctl reset-failed zk-agent
    check "good ones start" on h1 systemctl start zk-agent
}

backs_up() {
    sh_on h1 'zkctl create /saved here'
    check "a backup of a running server" on h1 systemctl start zk-agent-backup
    check "has a snapshot of Apache's" \
        sh_on h1 'ls /var/lib/zk-agent-backup/*/version-2/snapshot.*'
    check "that holds the data" \
        sh_on h1 'zk-agent snapshot --tree /var/lib/zk-agent-backup/*/version-2 | grep -q saved'
    check "the data of a running server is verified" on h1 systemctl start zk-agent-verify
}

instances() {
    sh_on h1 'for i in 1 2 3; do
        printf "%s\n" dataDir=/var/lib/zk-agent/$i clientPort=218$((i + 3)) initLimit=10 syncLimit=5 \
            server.1=127.0.0.1:2888:3888 server.2=127.0.0.1:2889:3889 server.3=127.0.0.1:2890:3890 \
            > /etc/zk-agent/$i.cfg
        mkdir -p /var/lib/zk-agent/$i; echo $i > /var/lib/zk-agent/$i/myid
        printf "ZKCTL_SERVERS=127.0.0.1:218$((i + 3))\n" > /etc/zk-agent/$i.env
    done; chown -R zk-agent: /var/lib/zk-agent
    systemctl enable -q zk-agent@1 zk-agent@2 zk-agent@3 && systemctl start zk-agent.target'
    check "three instances serve" wait_for 20 on h1 zkctl -s 127.0.0.1:2184,127.0.0.1:2185 ls /
    check "each says its role" says 'Server [123] (leading|following)' property h1 StatusText zk-agent@2
    check "the target stops them" sh_on h1 \
        'systemctl stop zk-agent.target && ! systemctl is-active -q zk-agent@1'
}

ensemble() {
    local net=$1 name list=
    for i in 1 2 3; do list+="server.$i=$net.1$i:2888:3888"$'\n'; done
    for name in h2 h3; do
        host_start "$name" zk "$net.1${name#h}"
        install_on "$name"
    done
    on h1 systemctl stop zk-agent
    sh_on h1 'rm -rf /var/lib/zk-agent/*'
    # One file for all of them, and no myid: each host knows its own address.
    for name in h1 h2 h3; do
        printf '%s\n' dataDir=/var/lib/zk-agent clientPort=2181 initLimit=10 syncLimit=5 "$list" |
            settings "$name"
    done
    check "the first of three is ready before there is a quorum" on h1 systemctl start zk-agent
    check "its status names who is away" wait_for 15 says \
        'NO QUORUM for .* s: server 2 \((refused|timeout|unreachable)\), server 3' property h1 StatusText
    on h2 systemctl start zk-agent
    on h3 systemctl start zk-agent
    check "the quorum target comes up" on h1 systemctl start zk-agent-quorum.target
    check "a server that follows or leads says so" \
        wait_for 20 says 'Server 1 (leading|following)' property h1 StatusText
    local leader
    leader=$(leader_of_three)
    check "there is a leader" test -n "$leader"
    check "its status counts followers" wait_for 15 says \
        'leading epoch [0-9]+, 2/2 followers synced' property "$leader" StatusText
    check "the journal knows servers and epochs" says '"ZK_EPOCH"' \
        on "$leader" journalctl -u zk-agent -o json
    check "the leader hands over when it stops" sh_on "$leader" \
        'systemctl stop zk-agent; journalctl -u zk-agent | grep -q "ensemble: handing over"'
    on "$leader" systemctl start zk-agent
}

hold_log() { # hold_log NAME LOG: the log's thread of a server stands still until the process in $held ends
    local pid
    pid=$(docker top "$1" -eo pid,comm | awk '$2 == "zk-agent" { print $1 }')
    python3 "$here/hang.py" "$pid" zk-log > "$2" 2>&1 &
    held=$!
    wait_for 5 grep -q held "$2"
}

# A disk that hangs ends nobody, and a leader lets others lead.
disks_hang() {
    local name leader follower before log servers
    log=$(mktemp)
    servers=$(host_address h1):2181,$(host_address h2):2181,$(host_address h3):2181
    for name in h1 h2 h3; do
        sh_on $name 'mkdir -p /run/systemd/system/zk-agent.service.d &&
            printf "[Service]\nWatchdogSec=4s\n" > /run/systemd/system/zk-agent.service.d/w.conf &&
            systemctl daemon-reload && systemctl restart zk-agent'
    done
    wait_for 20 on h1 zkctl -s "$servers" wait --quorum --timeout 10
    leader=$(leader_of_three)
    follower=h1
    [ "$leader" != h1 ] || follower=h2
    hold_log $follower "$log"
    before=$(property $follower MainPID)
    # Who is connected to it waits; all others do not notice.
    check "the others go on" \
        on h1 zkctl -s "$(host_address "$leader"):2181" create /while-one-hangs
    sleep 25
    check "a follower whose disk hangs for 25 s is left alone" is "$before" property $follower MainPID
    kill $held
    check "and catches up" wait_for 10 on $follower zkctl --timeout 2 get /while-one-hangs
    hold_log "$leader" "$log"
    before=$(property "$leader" MainPID)
    on h1 timeout 3 zkctl -s "$(host_address "$leader"):2181" --timeout 2 create /nobody-waits || true
    check "a leader whose disk hangs gives up" \
        wait_for 30 says 'waits for the disk of this server' journal "$leader"
    servers=${servers//$(host_address "$leader"):2181,/}
    servers=${servers/,$(host_address "$leader"):2181/}
    check "another one leads" on h1 zkctl -s "$servers" --timeout 30 create /after-it
    sleep 10
    check "and it is left alone" is "$before" property "$leader" MainPID
    kill $held
    check "and comes back when its disk does" \
        wait_for 20 on h1 zkctl -s "$(host_address "$leader"):2181" --timeout 2 get /after-it
    rm -f "$log"
}

leader_of_three() {
    local name
    for name in h1 h2 h3; do
        if wait_for 12 says 'Server . (leading|following)' property "$name" StatusText &&
            says leading property "$name" StatusText; then
            echo "$name"
            return
        fi
    done
}

hosts_up
net=$(host_network zk)
host_start h1 zk "$net.11"
install_on h1
began=$SECONDS
starts_fast
journal_has_fields
reloads
restarts_under_load
a_stop_refuses
the_watchdog_bites
bad_settings_stay_down
backs_up
instances
ensemble "$net"
disks_hang
echo "boot: $((SECONDS - began)) s, $failures failures"
[ "$failures" = 0 ]
