#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# only: ptrace
# doc/compatibility.md is what the table of system calls says; the other formats parse.
. "${0%/*}/lib.bash"
runsc=${RUNSC%% *}
$runsc help syscalls -format markdown >"$TMP/md"
cmp -s "$TMP/md" "$ROOT/doc/compatibility.md" ||
    bad "doc/compatibility.md is out of date: run runsc help syscalls -format markdown >doc/compatibility.md"
$runsc help syscalls -format json | /usr/bin/python3 -c '
import json, sys
calls = json.load(sys.stdin)["linux"]["amd64"]["syscalls"]
assert calls["0"]["name"] == "read" and len(calls) > 350, len(calls)' || bad "json"
check "lines of csv" "$($runsc help syscalls | wc -l)" "$($runsc help syscalls -format csv | wc -l)"
$runsc help syscalls -format yaml >"$TMP/out" 2>&1 && bad "an unknown format is taken"
finish
