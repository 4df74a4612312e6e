# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Helpers of the cli tests: $RUNSC is the command with its platform, $TMP a directory of the test's own.

failures=0
TMP=$(mktemp -d /var/tmp/rf-cli.XXXXXX)
chmod 755 "$TMP"
trap 'rm -rf "$TMP"' EXIT
umask 022

bad() {
    echo "$*"
    failures=$((failures + 1))
}

# check WHAT WANTED GOT
check() {
    [ "$2" = "$3" ] || bad "$1: wanted '$2', got '$3'"
}

# wait_for FILE TEXT: until TEXT is in FILE, at most 20 s.
wait_for() {
    local i
    for i in $(seq 1 400); do
        grep -q "$2" "$1" 2>/dev/null && return 0
        sleep 0.05
    done
    return 1
}

# tree_of PID: PID and all its descendants.
tree_of() {
    local c
    echo "$1"
    for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        tree_of "$c"
    done
}

finish() {
    [ $failures = 0 ]
    exit
}
