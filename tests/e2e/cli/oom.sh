#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/bin/python3
# timeout: 120
# Out of memory: a process of the application dies, the sandbox and the rest go on, the log says so.
. "${0%/*}/lib.bash"
$RUNSC --memory=192 --debug-log="$TMP/log" do sh -c '
    echo before >/tmp/kept
    /usr/bin/python3 -c "
blocks = []
while True:
    blocks.append(bytearray(b\"x\") * (8 << 20))
"
    echo status=$?
    cat /tmp/kept
    i=0; while [ $i -lt 20 ]; do sh -c "exit 3"; echo $?; i=$((i+1)); done | sort | uniq -c | tr -s " "' >"$TMP/out" 2>"$TMP/err"
check "status of the sandbox" 0 $?
check "what the shell saw" "status=137 before  20 3" "$(tr '\n' ' ' <"$TMP/out" | sed 's/ $//')"
grep -q "out of memory: killed process" "$TMP/log" || bad "no line in the log: $(head -c 300 "$TMP/log")"
finish
