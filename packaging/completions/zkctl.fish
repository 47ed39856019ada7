# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_zkctl_global_optspecs
    string join \n s/servers= o/output= timeout= session-timeout= auth= format= h/help V/version
end

function __fish_zkctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_zkctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_zkctl_using_subcommand
    set -l cmd (__fish_zkctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c zkctl -n "__fish_zkctl_needs_command" -s s -l servers -d 'The servers: host:port,...' -r
complete -c zkctl -n "__fish_zkctl_needs_command" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_needs_command" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_needs_command" -l session-timeout -d 'The session timeout to ask for' -r
complete -c zkctl -n "__fish_zkctl_needs_command" -l auth -d 'An identity, SCHEME:AUTH; for digest digest:user:password, or digest:@FILE to keep the password out of the list of processes' -r
complete -c zkctl -n "__fish_zkctl_needs_command" -l format -d 'zkcli: commands and output as those of Apache\'s zkCli.sh' -r -f -a "zkctl\t'Our own'
zkcli\t'That of Apache\'s zkCli.sh, to the byte; commands are then read as it reads them'"
complete -c zkctl -n "__fish_zkctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_needs_command" -s V -l version -d 'Print version'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "ls" -d 'List the children of a znode'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "tree" -d 'Show a subtree'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "find" -d 'Find znodes by name, data, kind or size'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "get" -d 'Print the data of a znode'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "set" -d 'Set the data of a znode'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "create" -d 'Create a znode'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "rm" -d 'Delete znodes, with -R everything below'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "stat" -d 'Print the stat of a znode'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "acl" -d 'Show and set ACLs'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "quota" -d 'Show and set quotas'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "watch" -d 'Follow changes below a znode'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "wait" -d 'Wait until a znode is as asked, or the servers have a quorum'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "multi" -d 'Do several writes from a file, all or none'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "export" -d 'Write a subtree as JSON lines'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "import" -d 'Create what an export has written'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "cp" -d 'Copy a subtree, also to other servers'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "mv" -d 'Move a subtree, also to other servers'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "diff" -d 'Compare two subtrees, also of other servers'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "du" -d 'Add up the znodes and bytes of subtrees'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "sessions" -d 'List connected sessions'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "ephemerals" -d 'List ephemerals and who owns them'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "lock" -d 'Run a command while holding a lock'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "elect" -d 'Run a command while leading'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "health" -d 'Ask each server whether it is well'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "safe-to-stop" -d 'Tell whether the ensemble keeps its quorum without a server'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "cluster" -d 'Set up an ensemble, add and remove its members'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "demo" -d 'Run an ensemble on this machine, to try things'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "migrate" -d 'Take over from Apache\'s server on this machine, and go back'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "members" -d 'List the members of the ensemble'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "reconfig" -d 'Change the members of the ensemble'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "config" -d 'Print the configuration of the ensemble'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "top" -d 'Show what the servers are doing, again and again'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "bench" -d 'Measure throughput and latency'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "word" -d 'Send a four-letter word'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "srvr" -d 'Print what the servers say of themselves: word srvr'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "sync" -d 'Wait until the server has what the leader has'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "whoami" -d 'Print the identities of the session'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "version" -d 'Print the version'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "man" -d 'Print the man page'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "shell" -d 'Start the interactive shell'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "delete" -d 'Delete a znode without children'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "deleteall" -d 'Delete a znode and everything below, without a question'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "getAcl" -d 'Print the ACL of a znode: acl get'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "setAcl" -d 'Set the ACL of a znode: acl set'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "setquota" -d 'Limit a subtree: quota set'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "listquota" -d 'Print limits and sums: quota list'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "delquota" -d 'Remove limits: quota del'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "getEphemerals" -d 'List this session\'s ephemerals'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "getAllChildrenNumber" -d 'Print how many znodes stand below one'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "addauth" -d 'Add an identity to the session'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "addWatch" -d 'Leave a watch that stays; the shell shows what it tells'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "removewatches" -d 'Remove watches of the session'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "close" -d 'End the session; the next command of the shell begins another'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "connect" -d 'Go to other servers (shell)'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "cd" -d 'Make another znode the one that relative paths begin at (shell)'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "pwd" -d 'Print that znode (shell)'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "history" -d 'Print the last lines (shell)'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "redo" -d 'Do a line of the history again (shell)'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "printwatches" -d 'Show watch events or not: on, off (shell)'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "quit" -d 'Leave the shell'
complete -c zkctl -n "__fish_zkctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand ls" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand ls" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand ls" -s R -l recursive -d 'All paths below'
complete -c zkctl -n "__fish_zkctl_using_subcommand ls" -s l -l long -d 'Kind, size, version, children and time of each'
complete -c zkctl -n "__fish_zkctl_using_subcommand ls" -s s -l stat -d 'Print the stat of the znode too'
complete -c zkctl -n "__fish_zkctl_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand tree" -s d -l depth -d 'So many levels only' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand tree" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand tree" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand tree" -l sizes -d 'Show how many bytes each holds'
complete -c zkctl -n "__fish_zkctl_using_subcommand tree" -l data -d 'Show the data of each, cut to a line'
complete -c zkctl -n "__fish_zkctl_using_subcommand tree" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -s n -l name -d 'The name, with * for any characters and ? for one' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -l data -d 'The data holds this text' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -s k -l kind -d 'persistent or ephemeral' -r -f -a "persistent\t''
ephemeral\t''"
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -l bytes -d 'At least so many bytes of data' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -l children -d 'At least so many children' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -s d -l depth -d 'So many levels only' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand find" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand get" -l as -d 'How to show the data' -r -f -a "auto\t'UTF-8 as it is; other data as a hex dump'
text\t'As text; what is no UTF-8 becomes U+FFFD'
raw\t'The bytes and nothing else, without a newline'
hex\t'A hex dump'
base64\t'Base64'
json\t'As JSON, indented; an error when the data is none'"
complete -c zkctl -n "__fish_zkctl_using_subcommand get" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand get" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand get" -s s -l stat -d 'Print the stat too'
complete -c zkctl -n "__fish_zkctl_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand set" -s f -l file -d 'Read it from a file; - is standard input' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand set" -s v -l version -d 'The version that it must have' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand set" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand set" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand set" -s b -l base64 -d 'The data is base64'
complete -c zkctl -n "__fish_zkctl_using_subcommand set" -s s -l stat -d 'Print the stat'
complete -c zkctl -n "__fish_zkctl_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s f -l file -d 'Read it from a file; - is standard input' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -l acl -d 'The same, where no data is given' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s t -l ttl -d 'Goes when it was not set for so many ms and has no children' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s b -l base64 -d 'The data is base64'
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s e -l ephemeral -d 'Ephemeral: gone when the session ends, outside the shell when zkctl does'
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s s -l sequential -d 'Sequential: with a number behind the name'
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s c -l container -d 'A container: goes when its last child is deleted'
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s p -l parents -d 'Create what is missing above it, persistent and without data'
complete -c zkctl -n "__fish_zkctl_using_subcommand create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -s v -l version -d 'The version that it must have' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -l limit -d 'Ask when there are more znodes than this' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -s R -l recursive -d 'With everything below'
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -s y -l yes -d 'Ask no questions'
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -s n -l dry-run -d 'Print what would be deleted, and delete nothing'
complete -c zkctl -n "__fish_zkctl_using_subcommand rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand stat" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand stat" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand stat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and not __fish_seen_subcommand_from get set help" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and not __fish_seen_subcommand_from get set help" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and not __fish_seen_subcommand_from get set help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and not __fish_seen_subcommand_from get set help" -f -a "get" -d 'Print the ACL of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and not __fish_seen_subcommand_from get set help" -f -a "set" -d 'Set the ACL of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and not __fish_seen_subcommand_from get set help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from get" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from get" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from get" -s R -l recursive -d 'Of everything below too'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from get" -s s -l stat -d 'Print the stat too'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from set" -s v -l version -d 'The version that the ACL must have' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from set" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from set" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from set" -s R -l recursive -d 'Of everything below too'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from set" -s s -l stat -d 'Print the stat'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from help" -f -a "get" -d 'Print the ACL of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from help" -f -a "set" -d 'Set the ACL of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand acl; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and not __fish_seen_subcommand_from set list del help" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and not __fish_seen_subcommand_from set list del help" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and not __fish_seen_subcommand_from set list del help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and not __fish_seen_subcommand_from set list del help" -f -a "set" -d 'Limit a subtree'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and not __fish_seen_subcommand_from set list del help" -f -a "list" -d 'Print limits and sums of a subtree, or of all that have a quota'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and not __fish_seen_subcommand_from set list del help" -f -a "del" -d 'Remove limits of a subtree'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and not __fish_seen_subcommand_from set list del help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from set" -s n -l count -d 'Znodes, the subtree\'s root included; more are only logged' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from set" -s b -l bytes -d 'Bytes; more are only logged' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from set" -s N -l hard-count -d 'Znodes; more are refused where the server has enforceQuota=true' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from set" -s B -l hard-bytes -d 'Bytes; more are refused where the server has enforceQuota=true' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from set" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from set" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from list" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from list" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from del" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from del" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from del" -s n -l count -d 'The soft limit of znodes'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from del" -s b -l bytes -d 'The soft limit of bytes'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from del" -s N -l hard-count -d 'The hard limit of znodes'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from del" -s B -l hard-bytes -d 'The hard limit of bytes'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from del" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from help" -f -a "set" -d 'Limit a subtree'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print limits and sums of a subtree, or of all that have a quota'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from help" -f -a "del" -d 'Remove limits of a subtree'
complete -c zkctl -n "__fish_zkctl_using_subcommand quota; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand watch" -s c -l count -d 'End after so many changes' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand watch" -l exec -d 'Run a shell command for each change; it finds ZKCTL_EVENT and ZKCTL_PATH' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand watch" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand watch" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand watch" -s 1 -l one -d 'The znode and its list of children only, not everything below'
complete -c zkctl -n "__fish_zkctl_using_subcommand watch" -s d -l data -d 'Show the data of what was created or changed'
complete -c zkctl -n "__fish_zkctl_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -l data -d 'Until its data is this' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -l children -d 'Until it has at least so many children' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -l quorum -d 'For no znode: until the servers of -s serve in a quorum'
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -l synced -d 'For no znode: until they have what the leader has, too'
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -l gone -d 'Until it is gone'
complete -c zkctl -n "__fish_zkctl_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand multi" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand multi" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand multi" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand export" -s f -l file -d 'Into a file; it must not exist' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand export" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand export" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand export" -l no-acl -d 'Without ACLs'
complete -c zkctl -n "__fish_zkctl_using_subcommand export" -l ephemerals -d 'With ephemerals'
complete -c zkctl -n "__fish_zkctl_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand import" -l to -d 'Put the first line\'s znode here, and the others below it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand import" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand import" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand import" -l overwrite -d 'Set what exists already'
complete -c zkctl -n "__fish_zkctl_using_subcommand import" -l skip -d 'Leave what exists already as it is'
complete -c zkctl -n "__fish_zkctl_using_subcommand import" -l no-acl -d 'Without ACLs: what is created is open'
complete -c zkctl -n "__fish_zkctl_using_subcommand import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cp" -l to-servers -d 'The copy is made on these servers' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cp" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand cp" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cp" -l overwrite -d 'Set what exists already'
complete -c zkctl -n "__fish_zkctl_using_subcommand cp" -l skip -d 'Leave what exists already as it is'
complete -c zkctl -n "__fish_zkctl_using_subcommand cp" -l no-acl -d 'Without ACLs: what is created is open'
complete -c zkctl -n "__fish_zkctl_using_subcommand cp" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand mv" -l to-servers -d 'The copy is made on these servers' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand mv" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand mv" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand mv" -l overwrite -d 'Set what exists already'
complete -c zkctl -n "__fish_zkctl_using_subcommand mv" -l skip -d 'Leave what exists already as it is'
complete -c zkctl -n "__fish_zkctl_using_subcommand mv" -l no-acl -d 'Without ACLs: what is created is open'
complete -c zkctl -n "__fish_zkctl_using_subcommand mv" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand diff" -l to-servers -d 'The other stands on these servers' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand diff" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand diff" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand diff" -l acl -d 'Compare ACLs too'
complete -c zkctl -n "__fish_zkctl_using_subcommand diff" -l ephemerals -d 'With ephemerals'
complete -c zkctl -n "__fish_zkctl_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand du" -s l -l limit -d 'So many lines only' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand du" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand du" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand du" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand sessions" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand sessions" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand sessions" -s a -l all -d 'Of all members of the ensemble'
complete -c zkctl -n "__fish_zkctl_using_subcommand sessions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand ephemerals" -l session -d 'Those of this session only, by its id (0x...)' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand ephemerals" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand ephemerals" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand ephemerals" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand lock" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand lock" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand lock" -l try-once -d 'Give up at once when somebody else holds it'
complete -c zkctl -n "__fish_zkctl_using_subcommand lock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand elect" -l value -d 'What others see of the leader; this host\'s name and process without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand elect" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand elect" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand elect" -l who -d 'Print who leads, and do not stand'
complete -c zkctl -n "__fish_zkctl_using_subcommand elect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand health" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand health" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand health" -s a -l all -d 'All members of the ensemble, not only the servers of -s'
complete -c zkctl -n "__fish_zkctl_using_subcommand health" -l synced -d 'Only well when it has what the leader has, too'
complete -c zkctl -n "__fish_zkctl_using_subcommand health" -l alive -d 'Well as soon as it answers, also without a quorum: for a probe that restarts what hangs'
complete -c zkctl -n "__fish_zkctl_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand safe-to-stop" -l id -d 'The server\'s id, where it cannot tell' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand safe-to-stop" -l wait -d 'Seconds to wait until it is safe' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand safe-to-stop" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand safe-to-stop" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand safe-to-stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -f -a "init" -d 'Make this host\'s server a member of a new ensemble; the same line on each host'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -f -a "join" -d 'Make this host\'s server a member of the ensemble of -s'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -f -a "remove" -d 'Take a member out of the ensemble of -s'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -f -a "status" -d 'Show the members, and whether each may be stopped'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and not __fish_seen_subcommand_from init join remove status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l id -d 'Which of them this one is, where its name and addresses do not tell' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l conf -d 'The server\'s settings' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l data-dir -d 'Its data, where the settings name none' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l client-port -d 'Its port for clients' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l ports -d 'Its ports for other servers: proposals and votes' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l start -d 'The command that starts it with new settings' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -l reconfig -d 'Let members be changed while the ensemble runs; the server then writes beside its settings, so in /etc/zk-agent they become the user\'s zk-agent'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -s n -l dry-run -d 'Only print the settings'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l id -d 'Its id; the next one without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l host -d 'Where others find it; its host name without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l conf -d 'The server\'s settings' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l data-dir -d 'Its data, where the settings name none' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l client-port -d 'Its port for clients' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l ports -d 'Its ports for other servers: proposals and votes' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l start -d 'The command that starts it with new settings' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -l observer -d 'Without a vote'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -s n -l dry-run -d 'Only print the settings'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from join" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from remove" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from remove" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from remove" -l force -d 'Even if no quorum of the others serves'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from status" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from status" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make this host\'s server a member of a new ensemble; the same line on each host'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "join" -d 'Make this host\'s server a member of the ensemble of -s'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Take a member out of the ensemble of -s'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the members, and whether each may be stopped'
complete -c zkctl -n "__fish_zkctl_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and not __fish_seen_subcommand_from up down status help" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and not __fish_seen_subcommand_from up down status help" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and not __fish_seen_subcommand_from up down status help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and not __fish_seen_subcommand_from up down status help" -f -a "up" -d 'Start the servers, and wait until they serve'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and not __fish_seen_subcommand_from up down status help" -f -a "down" -d 'Stop them'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and not __fish_seen_subcommand_from up down status help" -f -a "status" -d 'Show them'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and not __fish_seen_subcommand_from up down status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from up" -l dir -d 'Its folder; zk-agent/demo in $XDG_STATE_HOME or ~/.local/state' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from up" -l servers -d 'How many servers, the first time' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from up" -l port -d 'The first client port, the first time; others where it or a next one is taken' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from up" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from up" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from up" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from down" -l dir -d 'Its folder; zk-agent/demo in $XDG_STATE_HOME or ~/.local/state' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from down" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from down" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from down" -l purge -d 'Remove its data too'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from down" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from status" -l dir -d 'Its folder; zk-agent/demo in $XDG_STATE_HOME or ~/.local/state' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from status" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from status" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from help" -f -a "up" -d 'Start the servers, and wait until they serve'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from help" -f -a "down" -d 'Stop them'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show them'
complete -c zkctl -n "__fish_zkctl_using_subcommand demo; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and not __fish_seen_subcommand_from from-zookeeper back-to-zookeeper help" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and not __fish_seen_subcommand_from from-zookeeper back-to-zookeeper help" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and not __fish_seen_subcommand_from from-zookeeper back-to-zookeeper help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and not __fish_seen_subcommand_from from-zookeeper back-to-zookeeper help" -f -a "from-zookeeper" -d 'Take over settings and data of Apache\'s server, and serve in its place'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and not __fish_seen_subcommand_from from-zookeeper back-to-zookeeper help" -f -a "back-to-zookeeper" -d 'Give the data back to Apache\'s server, with all that was written since'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and not __fish_seen_subcommand_from from-zookeeper back-to-zookeeper help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -l conf -d 'The settings of Apache\'s server: its zoo.cfg, or the folder with it and `environment`' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -l to -d 'The settings of zk-agent' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -l data-dir -d 'Its data' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -l stop -d 'The command that stops the server that runs now, and returns when it has ended' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -l start -d 'The command that starts the other one' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -s n -l dry-run -d 'Only show what would be done'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -s y -l yes -d 'Ask nothing'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -l force -d 'Even if the ensemble loses its quorum meanwhile'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from from-zookeeper" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -l to -d 'The settings of zk-agent' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -l data-dir -d 'Its data' -r -F
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -l stop -d 'The command that stops the server that runs now, and returns when it has ended' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -l start -d 'The command that starts the other one' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -s n -l dry-run -d 'Only show what would be done'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -s y -l yes -d 'Ask nothing'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -l force -d 'Even if the ensemble loses its quorum meanwhile'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from back-to-zookeeper" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from help" -f -a "from-zookeeper" -d 'Take over settings and data of Apache\'s server, and serve in its place'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from help" -f -a "back-to-zookeeper" -d 'Give the data back to Apache\'s server, with all that was written since'
complete -c zkctl -n "__fish_zkctl_using_subcommand migrate; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand members" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand members" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand members" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -l add -d 'Servers to add or change: N=host:port:port:role;port,...' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -l remove -d 'Ids of servers to remove' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -l members -d 'The whole new membership, server.N=... between commas' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -l file -d 'The same from a file' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -s v -l version -d 'Only if the configuration has this version (hex)' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -s s -l stat -d 'Print the stat too'
complete -c zkctl -n "__fish_zkctl_using_subcommand reconfig" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand config" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand config" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand config" -s c -l clients -d 'Its version and the addresses for clients only'
complete -c zkctl -n "__fish_zkctl_using_subcommand config" -s s -l stat -d 'Print the stat too'
complete -c zkctl -n "__fish_zkctl_using_subcommand config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand top" -s i -l interval -d 'Seconds between two looks' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand top" -s c -l count -d 'End after so many looks' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand top" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand top" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand top" -s a -l all -d 'All members of the ensemble'
complete -c zkctl -n "__fish_zkctl_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s n -l connections -d 'Connections, each with a session, spread over the servers' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s d -l depth -d 'Requests under way on each connection; in an open loop at most so many (1000)' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s r -l rate -d 'Open loop: requests a second of all connections together' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s t -l seconds -d 'Seconds that are measured' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -l warmup -d 'Seconds before, which are not' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s b -l bytes -d 'Bytes of data of each znode' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s z -l znodes -d 'Znodes that are read and written' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -l reads -d 'Of 100 requests of mixed so many are reads' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -l threads -d 'Threads of the generator' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -l below -d 'The znode below which the run has its own' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand word" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand word" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand word" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand srvr" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand srvr" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand srvr" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand sync" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand sync" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand sync" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand whoami" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand whoami" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand whoami" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand version" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand version" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand completions" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand completions" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand man" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand man" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand shell" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand shell" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand shell" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand delete" -s v -d 'The version that it must have' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand delete" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand delete" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand deleteall" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand deleteall" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand deleteall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand getAcl" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand getAcl" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand getAcl" -s R -l recursive -d 'Of everything below too'
complete -c zkctl -n "__fish_zkctl_using_subcommand getAcl" -s s -l stat -d 'Print the stat too'
complete -c zkctl -n "__fish_zkctl_using_subcommand getAcl" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand setAcl" -s v -l version -d 'The version that the ACL must have' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand setAcl" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand setAcl" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand setAcl" -s R -l recursive -d 'Of everything below too'
complete -c zkctl -n "__fish_zkctl_using_subcommand setAcl" -s s -l stat -d 'Print the stat'
complete -c zkctl -n "__fish_zkctl_using_subcommand setAcl" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand setquota" -s n -l count -d 'Znodes, the subtree\'s root included; more are only logged' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand setquota" -s b -l bytes -d 'Bytes; more are only logged' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand setquota" -s N -l hard-count -d 'Znodes; more are refused where the server has enforceQuota=true' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand setquota" -s B -l hard-bytes -d 'Bytes; more are refused where the server has enforceQuota=true' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand setquota" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand setquota" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand setquota" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand listquota" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand listquota" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand listquota" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand delquota" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand delquota" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand delquota" -s n -l count -d 'The soft limit of znodes'
complete -c zkctl -n "__fish_zkctl_using_subcommand delquota" -s b -l bytes -d 'The soft limit of bytes'
complete -c zkctl -n "__fish_zkctl_using_subcommand delquota" -s N -l hard-count -d 'The hard limit of znodes'
complete -c zkctl -n "__fish_zkctl_using_subcommand delquota" -s B -l hard-bytes -d 'The hard limit of bytes'
complete -c zkctl -n "__fish_zkctl_using_subcommand delquota" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand getEphemerals" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand getEphemerals" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand getEphemerals" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand getAllChildrenNumber" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand getAllChildrenNumber" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand getAllChildrenNumber" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand addauth" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand addauth" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand addauth" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand addWatch" -s m -l mode -d 'PERSISTENT or PERSISTENT_RECURSIVE' -r -f -a "PERSISTENT\t''
PERSISTENT_RECURSIVE\t''"
complete -c zkctl -n "__fish_zkctl_using_subcommand addWatch" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand addWatch" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand addWatch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -s c -d 'Those of children'
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -s d -d 'Those of data'
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -s p -d 'Persistent ones'
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -s r -d 'Persistent recursive ones'
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -s a -d 'All'
complete -c zkctl -n "__fish_zkctl_using_subcommand removewatches" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand close" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand close" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand close" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand connect" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand connect" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand connect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand cd" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand cd" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand cd" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand pwd" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand pwd" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand pwd" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand history" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand history" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand redo" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand redo" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand redo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand printwatches" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand printwatches" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand printwatches" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand quit" -s o -l output -d 'How answers look; a table on a terminal, else plain' -r -f -a "table\t'Aligned columns with headings, for people'
json\t'One JSON value; one a line for what goes on'
plain\t'Fields between tabs, one record a line, for scripts'"
complete -c zkctl -n "__fish_zkctl_using_subcommand quit" -l timeout -d 'Seconds that the command may take; for watch, wait, lock and elect no limit without it' -r
complete -c zkctl -n "__fish_zkctl_using_subcommand quit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "ls" -d 'List the children of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "tree" -d 'Show a subtree'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "find" -d 'Find znodes by name, data, kind or size'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "get" -d 'Print the data of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "set" -d 'Set the data of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "create" -d 'Create a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "rm" -d 'Delete znodes, with -R everything below'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "stat" -d 'Print the stat of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "acl" -d 'Show and set ACLs'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "quota" -d 'Show and set quotas'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "watch" -d 'Follow changes below a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "wait" -d 'Wait until a znode is as asked, or the servers have a quorum'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "multi" -d 'Do several writes from a file, all or none'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "export" -d 'Write a subtree as JSON lines'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "import" -d 'Create what an export has written'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "cp" -d 'Copy a subtree, also to other servers'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "mv" -d 'Move a subtree, also to other servers'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "diff" -d 'Compare two subtrees, also of other servers'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "du" -d 'Add up the znodes and bytes of subtrees'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "sessions" -d 'List connected sessions'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "ephemerals" -d 'List ephemerals and who owns them'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "lock" -d 'Run a command while holding a lock'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "elect" -d 'Run a command while leading'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "health" -d 'Ask each server whether it is well'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "safe-to-stop" -d 'Tell whether the ensemble keeps its quorum without a server'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "cluster" -d 'Set up an ensemble, add and remove its members'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "demo" -d 'Run an ensemble on this machine, to try things'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "migrate" -d 'Take over from Apache\'s server on this machine, and go back'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "members" -d 'List the members of the ensemble'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "reconfig" -d 'Change the members of the ensemble'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "config" -d 'Print the configuration of the ensemble'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "top" -d 'Show what the servers are doing, again and again'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "bench" -d 'Measure throughput and latency'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "word" -d 'Send a four-letter word'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "srvr" -d 'Print what the servers say of themselves: word srvr'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "sync" -d 'Wait until the server has what the leader has'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "whoami" -d 'Print the identities of the session'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "version" -d 'Print the version'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "completions" -d 'Print completions for a shell'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "man" -d 'Print the man page'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "shell" -d 'Start the interactive shell'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "delete" -d 'Delete a znode without children'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "deleteall" -d 'Delete a znode and everything below, without a question'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "getAcl" -d 'Print the ACL of a znode: acl get'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "setAcl" -d 'Set the ACL of a znode: acl set'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "setquota" -d 'Limit a subtree: quota set'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "listquota" -d 'Print limits and sums: quota list'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "delquota" -d 'Remove limits: quota del'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "getEphemerals" -d 'List this session\'s ephemerals'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "getAllChildrenNumber" -d 'Print how many znodes stand below one'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "addauth" -d 'Add an identity to the session'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "addWatch" -d 'Leave a watch that stays; the shell shows what it tells'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "removewatches" -d 'Remove watches of the session'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "close" -d 'End the session; the next command of the shell begins another'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "connect" -d 'Go to other servers (shell)'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "cd" -d 'Make another znode the one that relative paths begin at (shell)'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "pwd" -d 'Print that znode (shell)'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "history" -d 'Print the last lines (shell)'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "redo" -d 'Do a line of the history again (shell)'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "printwatches" -d 'Show watch events or not: on, off (shell)'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "quit" -d 'Leave the shell'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and not __fish_seen_subcommand_from ls tree find get set create rm stat acl quota watch wait multi export import cp mv diff du sessions ephemerals lock elect health safe-to-stop cluster demo migrate members reconfig config top bench word srvr sync whoami version completions man shell delete deleteall getAcl setAcl setquota listquota delquota getEphemerals getAllChildrenNumber addauth addWatch removewatches close connect cd pwd history redo printwatches quit help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from acl" -f -a "get" -d 'Print the ACL of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from acl" -f -a "set" -d 'Set the ACL of a znode'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from quota" -f -a "set" -d 'Limit a subtree'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from quota" -f -a "list" -d 'Print limits and sums of a subtree, or of all that have a quota'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from quota" -f -a "del" -d 'Remove limits of a subtree'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "init" -d 'Make this host\'s server a member of a new ensemble; the same line on each host'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "join" -d 'Make this host\'s server a member of the ensemble of -s'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "remove" -d 'Take a member out of the ensemble of -s'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "status" -d 'Show the members, and whether each may be stopped'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from demo" -f -a "up" -d 'Start the servers, and wait until they serve'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from demo" -f -a "down" -d 'Stop them'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from demo" -f -a "status" -d 'Show them'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from migrate" -f -a "from-zookeeper" -d 'Take over settings and data of Apache\'s server, and serve in its place'
complete -c zkctl -n "__fish_zkctl_using_subcommand help; and __fish_seen_subcommand_from migrate" -f -a "back-to-zookeeper" -d 'Give the data back to Apache\'s server, with all that was written since'
