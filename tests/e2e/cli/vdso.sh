#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clock_gettime makes no system call: a hundred thousand of them leave no trace.
. "${0%/*}/lib.bash"
$RUNSC --strace --debug --debug-log="$TMP/log" do "$BUILD/tests/bench/bench" count clock_gettime 100000 || bad "did not run"
grep -q 'exit_group' "$TMP/log" || bad "no trace"
n=$(grep -c 'clock_gettime' "$TMP/log")
[ "$n" -lt 10 ] || bad "$n calls of clock_gettime reached the kernel"
finish
