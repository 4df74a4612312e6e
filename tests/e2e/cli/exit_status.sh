#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command's exit status is runsc's; what cannot start has a status and a message.
. "${0%/*}/lib.bash"
for s in 0 1 42 126 255; do
    $RUNSC do sh -c "exit $s"; check "exit $s" "$s" "$?"
done
$RUNSC do sh -c 'kill -9 $$'; check "SIGKILL as first process" 0 "$(($? != 0 && $? != 137))"
$RUNSC do sh -c 'sh -c "kill -TERM \$\$"; exit $?'; check "SIGTERM below" 143 "$?"
$RUNSC do "$GUEST/ids" >/dev/null; check "program" 0 "$?"
out=$($RUNSC do /nonexistent/program 2>&1); rc=$?
[ $rc -ne 0 ] || bad "a missing program has status 0"
[ -n "$out" ] || bad "a missing program gives no message"
$RUNSC do /etc/passwd 2>/dev/null; [ $? -ne 0 ] || bad "a file that is no program has status 0"
$RUNSC no-such-command 2>/dev/null; [ $? -ne 0 ] || bad "an unknown command has status 0"
$RUNSC --no-such-flag do true 2>/dev/null; [ $? -ne 0 ] || bad "an unknown flag has status 0"
finish
