# Completion of zk-agent for bash.
_zk_agent() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
    local names='check-config export log snapshot verify backup reload container' options=
    COMPREPLY=()
    case $before in
        --config | --to | --log-dir | --data-dir | check-config | --cut)
            COMPREPLY=($(compgen -f -- "$word"))
            return
            ;;
        --from | --keep) return ;;
    esac
    case $command in
        log) options='--json --data --from --to --cut --config' ;;
        snapshot) options='--tree --json --data --config' ;;
        verify) options='--log-dir --config' ;;
        export) options='--data-dir --log-dir --config' ;;
        backup) options='--config --to --keep' ;;
        reload) options='--config' ;;
        *) options='--config --version --help' ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    elif ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$names $options" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _zk_agent zk-agent
