#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bug in the Sentry: registers and a back trace with names in the log, the sandbox ends at once and not with 0.
. "${0%/*}/lib.bash"
for kind in fault stack panic; do
    log=$TMP/$kind.log
    start=$(date +%s%N)
    $RUNSC --debug-log="$log" --debug-crash=$kind do sleep 60 >/dev/null 2>"$TMP/err"
    status=$?
    took=$((($(date +%s%N) - start) / 1000000))
    [ $status = 134 ] || bad "$kind: status $status, not 134"
    [ $took -lt 20000 ] || bad "$kind: it took $took ms"
    grep -q "crash_$kind\|crash_thread" "$log" || bad "$kind: no back trace with names in the log: $(head -c 300 "$log")"
    [ $kind = panic ] || grep -qi 'rip.*[0-9a-f]\{16\}' "$log" || bad "$kind: no registers in the log"
done
finish
