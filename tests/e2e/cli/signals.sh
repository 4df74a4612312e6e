#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Signals to runsc reach the command; killing runsc leaves nothing behind.
. "${0%/*}/lib.bash"
for s in TERM INT HUP USR1; do
    $RUNSC do sh -c "trap 'echo got $s; exit 5' $s; echo ready; while :; do sleep 0.05; done" >"$TMP/$s" &
    wait_for "$TMP/$s" ready || bad "$s: not started"
    kill -$s $!
    wait $!
    check "$s: status" 5 "$?"
    check "$s: output" "got $s" "$(tail -1 "$TMP/$s")"
done
$RUNSC do sh -c 'echo ready; exec sleep 987' >"$TMP/out" &
pid=$!
wait_for "$TMP/out" ready || bad "not started"
kill -KILL $pid
wait $pid 2>/dev/null
for i in $(seq 1 50); do
    pgrep -f 'sleep 987' >/dev/null || break
    sleep 0.1
done
pgrep -f 'sleep 987' >/dev/null && bad "SIGKILL of runsc left processes behind"
finish
