# deb-ensemble.sh - the part of deb.sh with three hosts: upgraded one after the other under load, and never
# by losing the quorum; then made anew by one line on each, and reconfigured.
ensemble_is_upgraded() { # ensemble_is_upgraded NETWORK
    local net=$1 name i lines= servers=$1.11:2181,$1.12:2181,$1.13:2181
    host_start h2 zk "$net.12"
    host_start h3 zk "$net.13"
    for i in 1 2 3; do lines+="server.$i=$net.1$i:2888:3888;2181\n"; done
    for name in h1 h2 h3; do
        give "$name"
        apt_on "$name" first > /dev/null
        # What the comments of the file lead to.
        sh_on "$name" "systemctl stop zk-agent
            sed -i '/^clientPort/d' /etc/zk-agent/zoo.cfg
            printf 'initLimit=10\nsyncLimit=5\n$lines' >> /etc/zk-agent/zoo.cfg
            rm -rf /var/lib/zk-agent/zk-agent; echo ${name#h} > /var/lib/zk-agent/myid"
    done
    for name in h1 h2 h3; do on "$name" systemctl start zk-agent; done
    check "three hosts are an ensemble" wait_for 30 on h1 zkctl -s "$servers" --timeout 2 create /three x
    for name in h1 h2 h3; do check "$name serves in it" wait_for 30 is x on "$name" zkctl get /three; done
    load_on h1 "$servers"
    for name in h1 h2 h3; do
        check "$name is upgraded under load" apt_on "$name" next
        check "... is the new version" is 0.1.0-2 version_on "$name"
        check "... and serves" wait_for 30 serves "$name"
    done
    check "nothing is lost of $(on h1 sh -c 'wc -l < /tmp/acked') writes" acked_is_there h1 "$servers"
    keeps_its_quorum
}

keeps_its_quorum() {
    local before
    before=$(property h2 MainPID)
    on h3 systemctl stop zk-agent
    check "two of three serve" wait_for 30 serves h2
    check "a downgrade of one of two" apt_on h2 first
    check "... says that it is not safe to stop" grep -q 'goes on with the old version, because it is not safe' \
        "$packages_before"
    check "... leaves the process" is "$before" property h2 MainPID
    check "... and a mark" says zk-agent.service on h2 cat /run/zk-agent-restart-required
    check "the two still serve" serves h2
    on h3 systemctl start zk-agent
    check "when the third is back it is safe" wait_for 30 on h2 zkctl safe-to-stop
    check "... and the restart is made by hand" on h2 systemctl restart zk-agent
    check "... and serves" wait_for 30 serves h2
}

# Bare packages, one line on each host; then a member goes, and comes back, while the others serve.
ensemble_by_one_line() { # ensemble_by_one_line NETWORK
    local net=$1 name before
    for name in h1 h2 h3; do
        sh_on "$name" 'ZK_AGENT_PURGE_DATA=1 apt-get purge -q -y zk-agent' > /dev/null
        apt_on "$name" next > /dev/null
        # Who may reconfigure is another matter, and tested elsewhere.
        sh_on "$name" 'echo skipACL=yes >> /etc/zk-agent/zoo.cfg'
        check "one line makes $name a member" on "$name" zkctl cluster init --reconfig "$net.11" "$net.12" "$net.13"
    done
    check "they have a quorum" on h1 zkctl wait --quorum --timeout 30
    check "all three serve" wait_for 30 on h1 zkctl -s "$net.12:2181" cluster status
    on h1 zkctl create /one line > /dev/null
    check "a member is taken out" on h1 zkctl cluster remove 3
    check "... which the others write down" sh_on h2 '
        file=$(sed -n "s/^dynamicConfigFile=//p" /etc/zk-agent/zoo.cfg)
        grep -q "^server.2=" "$file" && ! grep -q "^server.3=" "$file"'
    check "... and which outlives a restart" on h2 systemctl restart zk-agent
    check "... without it" wait_for 30 serves h2
    check "it joins again by one line" on h3 zkctl -s "$net.11" --timeout 30 cluster join --id 3 --host "$net.13"
    check "... and has the data" is line on h3 zkctl get /one
    check "... and is known to the others" wait_for 10 says 'server.3=' on h1 zkctl config
    before=$(property h1 MainPID)
    check "a reload leaves the members" on h1 systemctl reload zk-agent
    check "... and the process" is "$before" property h1 MainPID
}

# As docs/OPERATING.md has it: a backup of one member becomes what all of them have, and what was
# written after it is gone. Then a host loses its disk.
ensemble_is_restored() {
    local name
    check "a backup is made" on h1 systemctl start zk-agent-backup.service
    on h1 zkctl create /after the-backup > /dev/null
    for name in h1 h2 h3; do
        on "$name" systemctl stop zk-agent
        sh_on "$name" 'mv /var/lib/zk-agent /var/lib/zk-agent.old &&
            install -d -o zk-agent -g zk-agent -m 750 /var/lib/zk-agent &&
            cp /var/lib/zk-agent.old/myid /var/lib/zk-agent'
    done
    check "the newest backup is taken to an empty directory" sh_on h1 '
        newest=$(ls -d /var/lib/zk-agent-backup/*/ | tail -n 1)
        cp -r "$newest/version-2" /var/lib/zk-agent && chown -R zk-agent: /var/lib/zk-agent'
    for name in h1 h2 h3; do on "$name" systemctl start zk-agent; done
    for name in h1 h2 h3; do check "$name has what the backup has" wait_for 30 is line on "$name" zkctl get /one; done
    refuses "what came after it is gone" on h3 zkctl get /after
    check "writes go on" on h2 zkctl create /again x
    on h3 systemctl stop zk-agent
    sh_on h3 'cp /var/lib/zk-agent/myid /srv/; rm -rf /var/lib/zk-agent/*; cp /srv/myid /var/lib/zk-agent/'
    check "without its disk the others go on" on h1 zkctl create /meanwhile x
    on h3 systemctl start zk-agent
    check "a new disk gets everything" wait_for 30 is x on h3 zkctl get /meanwhile
    check "... and is a member as before" on h3 zkctl --timeout 30 wait --synced
}
