#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An idle sandbox uses no CPU: over 5 s, all its processes together less than 50 ms.
. "${0%/*}/lib.bash"
ticks() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v pids="$(tree_of "$1")" 'BEGIN { n = split(pids, p); for (i = 1; i <= n; i++) w[p[i]] = 1 }
    w[$1] { sub(/.*\) /, ""); split($0, f, " "); t += f[12] + f[13] } END { print t + 0 }'; }
$RUNSC do sh -c 'echo ready; exec sleep 60' >"$TMP/out" &
pid=$!
wait_for "$TMP/out" ready || bad "not started"
sleep 1
a=$(ticks $pid); sleep 5; b=$(ticks $pid)
kill $pid; wait $pid 2>/dev/null
[ $((b - a)) -le 5 ] || bad "an idle sandbox used $((b - a)) ticks of 10 ms in 5 s"
finish
