#!/usr/bin/env bash
# completions.sh - the completions that the packages bring, loaded by bash, zsh and fish: words that are
# half typed are completed as somebody who types them would see it.
set -euo pipefail
completions=$(cd "$(dirname "$0")/../../packaging/completions" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

by_bash() { # by_bash PROGRAM WORD..: what the last word becomes
    bash --norc -c '
        source "$1/$2.bash"
        COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2)) COMPREPLY=()
        "$(complete -p "$2" | sed "s/.* -F \([^ ]*\) .*/\1/")" "$2" "${@: -1}" "${@: -2:1}"
        printf "%s\n" "${COMPREPLY[@]}"
    ' completions "$completions" "$@"
}

by_fish() {
    HOME=$work fish --no-config -c "source $completions/$1.fish; complete -C '$*'" | cut -f1
}

# A shell of its own on a terminal, and the key.
by_zsh() {
    ZDOTDIR=$work HOME=$work timeout 20 zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "PROMPT=; unsetopt beep; fpath=('"$completions"' \$fpath); autoload -U compinit; compinit -u -D; echo re\"\"ady"
        zpty -r shell text "*ready*"
        zpty -n -w shell "$*"$'"'\\t'"'
        zpty -r -m shell text "*'"$2"'*"
        print -r -- "$text"
        zpty -d shell
    ' completions "${@:3}" | tr -d '\r' | tail -1
}

expect() { # expect SHELL WHOLE PROGRAM WORD..
    local shell=$1 whole=$2 found
    if [ "$shell" = zsh ]; then
        found=$(by_zsh "$shell" "$whole" "${@:3}")
    else
        found=$("by_$shell" "${@:3}")
    fi
    if ! grep -qw -e "$whole" <<< "$found"; then
        echo "$shell: ${*:3} does not become $whole but: $found" >&2
        exit 1
    fi
    echo "$shell: ${*:3}: $whole"
}

for shell in bash fish zsh; do
    expect $shell safe-to-stop zkctl saf
    expect $shell create zkctl crea
    expect $shell --output zkctl ls --outp
    expect $shell check-config zk-agent check
done
