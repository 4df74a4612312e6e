#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# needs: busybox
# Pipelines, substitutions, here-documents, functions.
seq 1 1000 | sort -r | head -5 | tr '\n' ' '; echo
echo "three words here" | wc -w
cat <<END | sed 's/world/there/' | tr a-z A-Z
hello world
$(echo nested $(echo deeper))
END
f() { local x=$1; [ "$x" -le 0 ] && return 7; echo "f $x"; f $((x - 1)); }
f 3; echo "returned $?"
yes | head -100000 | wc -l
seq 1 5 | while read n; do echo "n=$n"; done
false | true; echo "pipe status $?"
! true; echo "not $?"
(exit 5); echo "subshell $?"
x=$(printf 'a\nb\n'); echo "$x"
for i in 1 2 3; do for j in a b; do echo $i$j; done; done | paste -d, - - 2>/dev/null || echo "no paste"
case abc in a*) echo matched ;; *) echo not ;; esac
echo done | cat | cat | cat | cat | cat | cat | cat | cat
