#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# needs: busybox
# Background jobs, wait, traps, signals between processes.
sleep 0.2 & a=$!
(exit 3) & b=$!
wait $b; echo "b: $?"
wait $a; echo "a: $?"
trap 'echo got USR1' USR1
kill -USR1 $$
echo after
trap 'echo got TERM' TERM
(sleep 0.1; kill -TERM $$) &
wait $!
sleep 0.2
trap - TERM
sh -c 'kill -9 $$'; echo "killed: $?"
sh -c 'kill -TERM $$'; echo "terminated: $?"
sleep 10 & kill $!; wait $!; echo "waited: $?"
(trap '' INT; kill -INT $(sh -c 'echo $PPID'); echo "ignored INT")
for i in 1 2 3 4 5 6 7 8; do (sleep 0.0$i; echo "job $i" >>/tmp/jobs.$$) & done
wait
sort /tmp/jobs.$$ && rm /tmp/jobs.$$
trap 'echo bye; exit 9' EXIT
exit 4
