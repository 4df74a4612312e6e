#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Even as root of the sandbox: the host's processes, kernel and devices are out of reach.
. "${0%/*}/lib.bash"
sleep 876 & host=$!
out=$($RUNSC do sh -c "ls -d /proc/$host 2>/dev/null; kill -0 $host 2>/dev/null && echo alive; pgrep -f 'sleep 876'")
# The sandbox may by chance have a process of that number, but never that command.
$RUNSC do sh -c "cat /proc/$host/cmdline 2>/dev/null" | tr '\0' ' ' | grep -q 'sleep 876' && bad "sees a host process"
kill -0 $host || bad "the host process is gone"
$RUNSC do sh -c "kill -9 $host" 2>/dev/null
kill -0 $host || bad "the sandbox killed a host process"
$RUNSC do sh -c 'kill -9 -1' 2>/dev/null
kill -0 $host || bad "kill -1 reached the host"
kill $host
$RUNSC do test -e /dev/kvm && bad "/dev/kvm"
$RUNSC do test -e /dev/mem && bad "/dev/mem"
$RUNSC do sh -c 'echo x >/proc/sys/kernel/core_pattern' 2>/dev/null && bad "core_pattern"
$RUNSC do sh -c 'cat /proc/kcore' >/dev/null 2>&1 && bad "kcore"
check "own pid name space" "1" "$($RUNSC do sh -c 'echo $$')"
finish
