#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: sort xargs tar
# coreutils, findutils, tar.
set -o pipefail
seq 1 20000 | shuf --random-source=<(yes) | sort -n | cksum
seq 1 200000 | sort -R --random-source=<(yes) | sort -n -S 1M | tail -1
seq 1 100 | xargs -P4 -n 7 sh -c 'echo "$#"' x | sort | uniq -c | awk '{ print $1, $2 }'
seq 1 16 | xargs -P4 -I{} sh -c 'echo $(({} * {}))' | sort -n | tail -1
seq 1 4 | xargs -P2 -I{} sh -c 'exit 1'; echo "xargs $?"
d=$(mktemp -d); cd "$d"
tar -C "$2" -czf t.tgz tree/dir02; tar tzf t.tgz | wc -l; mkdir x; tar -C x -xzf t.tgz; diff -r x/tree/dir02 "$2/tree/dir02" && echo "tar same"
head -c 3000000 /dev/zero | split -b 1000000; wc -c xa? | tail -1
cat xa? | sha256sum | cut -c1-16
printf 'b 2\na 1\nc 3\n' | sort >l; printf 'a x\nc z\n' >r; join l r
comm -12 <(seq 1 10) <(seq 5 15 | sort) | wc -l
tee t1 t2 <l | wc -l; cmp t1 t2 && echo "tee same"
tac l | cut -d' ' -f1 | tr -d '\n'; echo
fold -w 7 <<<"abcdefghijklmnopqrstuvwxyz"
od -An -tx1 -N4 /bin/true
base64 <<<"round trip" | base64 -d
install -D -m 750 l sub/dir/l; stat -c %a sub/dir/l
mkfifo ff; (echo fifo >ff &); cat ff
date -u -d @0 +%Y; expr 6 \* 7; factor 360; numfmt --to=iec 1048576
env -i A=1 env; echo $(($(nice -n 5 nice) - $(nice))); nohup true 2>/dev/null; echo "nohup $?"
timeout 0.1 sleep 5; echo "timeout $?"
cp --sparse=always <(head -c 100000 /dev/zero) sp 2>/dev/null; truncate -s 1M sp; wc -c <sp
test -t 0; echo "tty $?"
cd /; rm -r "$d"
