#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shell that is the first process: statuses, orphans, traps.
(sleep 0.1 &)
sh -c 'sh -c "sleep 0.1; echo orphan >/tmp/orphan.$PPID" & exit 0'
while ! cat /tmp/orphan.* 2>/dev/null | grep -q orphan; do sleep 0.05; done
wait
cat /tmp/orphan.* ; rm -f /tmp/orphan.*
kill -0 $$; echo "alive $?"
cat /proc/$$/comm
readlink /proc/self/exe | sed 's|.*/||'
ls /proc | grep -c '^[0-9]' >/dev/null; echo "proc $?"
exit 200
