# Completion of zk-agent for fish.
set -l commands check-config export log snapshot verify backup reload container
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a check-config -d 'print the settings that a file gives'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a export -d 'write an Apache snapshot'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a log -d 'print the transaction log'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a snapshot -d 'print a snapshot'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a verify -d 'check all files of the data directory'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a backup -d 'write a snapshot of a running server'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a reload -d 'let a running server read its settings again'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -a container -d 'serve with the settings of ZOO_*'
complete -c zk-agent -l config -r -F -d 'settings'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -l version -d 'print the version'
complete -c zk-agent -n "not __fish_seen_subcommand_from $commands" -l help -d 'print help'
complete -c zk-agent -n '__fish_seen_subcommand_from log snapshot' -l json -l data
complete -c zk-agent -n '__fish_seen_subcommand_from log' -l from -r
complete -c zk-agent -n '__fish_seen_subcommand_from log' -l to -r
complete -c zk-agent -n '__fish_seen_subcommand_from log' -l cut -r
complete -c zk-agent -n '__fish_seen_subcommand_from snapshot' -l tree
complete -c zk-agent -n '__fish_seen_subcommand_from backup' -l to -r -F
complete -c zk-agent -n '__fish_seen_subcommand_from backup' -l keep -r
