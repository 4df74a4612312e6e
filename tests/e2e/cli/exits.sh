#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# only: kvm
# A million system calls leave the guest fewer than a thousand times.
. "${0%/*}/lib.bash"
exits() {
    $RUNSC --debug --debug-log="$TMP/log" do "$BUILD/tests/bench/bench" count getppid "$1" || bad "did not run"
    sed -n 's/.*exits: total=\([0-9]*\).*/\1/p' "$TMP/log" | tail -1
    rm -f "$TMP/log"
}
few=$(exits 1)
many=$(exits 1000000)
[ -n "$few" ] && [ -n "$many" ] || bad "no exit counters in the log"
[ $((many - few)) -lt 1000 ] || bad "$((many - few)) exits for a million calls"
finish
