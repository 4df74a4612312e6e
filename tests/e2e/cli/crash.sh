#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A failing Sentry says where, with names, and ends the sandbox with a status that is not 0, at once.
. "${0%/*}/lib.bash"
for kind in fault stack panic; do
    rm -f "$TMP/log"
    start=$(date +%s%N)
    $RUNSC --debug-crash "$kind" --debug-log="$TMP/log" do sleep 20 2>/dev/null
    rc=$?
    ms=$((($(date +%s%N) - start) / 1000000))
    [ $rc -ne 0 ] || bad "$kind: status 0"
    # The sandbox's start counts too, and the emulated machine is slow.
    [ $ms -lt 6000 ] || bad "$kind: took $ms ms"
    grep -q 'crash_[a-z]*[.+]' "$TMP/log" || bad "$kind: no name in the back trace"
    [ $kind = panic ] || grep -qiE 'rip.*[0-9a-f]{16}' "$TMP/log" || bad "$kind: no registers"
done
finish
