#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --strace shows each system call with decoded arguments; --debug-log names a file.
. "${0%/*}/lib.bash"
$RUNSC --strace --debug --debug-log="$TMP/log" do sh -c 'cat /etc/hostname; true' >/dev/null 2>"$TMP/err"
cat "$TMP/log"* "$TMP/err" >"$TMP/all" 2>/dev/null
grep -q 'openat(.*"/etc/hostname"' "$TMP/all" || bad "no openat(\"/etc/hostname\") in the trace"
grep -q 'execve(' "$TMP/all" || bad "no execve in the trace"
grep -qE 'ENOENT|= -2' "$TMP/all" || bad "no errors in the trace"
finish
