#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bash's own: arrays, process substitution, coproc, here-strings, job control, regexes, arithmetic.
a=(one two three); a+=(four)
echo "${#a[@]} ${a[-1]} ${a[*]:1:2}"
declare -A m=([x]=1 [y]=2); for k in $(printf '%s\n' "${!m[@]}" | sort); do echo "$k=${m[$k]}"; done
diff <(seq 1 5) <(seq 2 6)
echo "diff $?"
coproc CAT { cat; }
echo through >&"${CAT[1]}"; read -r line <&"${CAT[0]}"; echo "$line"
eval "exec ${CAT[1]}>&-"; wait $!; echo "coproc $?"
read -r x y <<<"first second third"; echo "$y"
[[ "2024-05-06" =~ ^([0-9]+)-([0-9]+) ]] && echo "${BASH_REMATCH[2]}"
echo $((2**40 + 7 % 3)) $((16#ff))
set -o pipefail; false | true; echo "pipefail $?"
mapfile -t lines < <(printf 'l1\nl2\n'); echo "${lines[1]}"
set -m; sleep 1 & jobs | sed 's/ *$//' ; fg >/dev/null; echo "fg $?"; set +m
trap 'echo exit trap' EXIT
( trap 'echo sub trap' EXIT; kill -INT $BASHPID ); echo "sub $?"
printf '%s|%5d|%-5s|%x\n' str 42 left 255
exec 5<>/tmp/bash.$$; echo data >&5; exec 5<&-; cat /tmp/bash.$$; rm /tmp/bash.$$
time_out=$(timeout 0.2 sleep 5; echo $?); echo "timeout $time_out"
ulimit -n 64; ulimit -n
umask 077; touch /tmp/u.$$; stat -c %a /tmp/u.$$; rm /tmp/u.$$
echo "${BASH_VERSINFO[0]}" | grep -q '^[45]$' && echo version
ls /nonexistent 2>/dev/null; echo "ls $?"
/nonexistent 2>/dev/null; echo "missing $?"
/etc/passwd 2>/dev/null; echo "not executable $?"
exit 42
