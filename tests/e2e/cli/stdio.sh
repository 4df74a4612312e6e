#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Standard streams: pipes, files, end of file, closed readers, both streams apart.
. "${0%/*}/lib.bash"
check "pipe through" "$(seq 1 10000 | cksum)" "$(seq 1 10000 | $RUNSC do cat | cksum)"
check "stderr apart" "err" "$($RUNSC do sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
check "opened again" "a b c" "$(echo c | $RUNSC do sh -c 'echo a; echo b >/dev/stdout; cat /dev/stdin' | tr '\n' ' ' | sed 's/ $//')"
check "empty input" "0" "$($RUNSC do wc -c </dev/null)"
$RUNSC do seq 1 1000 >"$TMP/f"; check "to a file" "$(seq 1 1000 | cksum)" "$(cksum <"$TMP/f")"
echo start >"$TMP/a"; $RUNSC do echo more >>"$TMP/a"; check "append" "start more" "$(tr '\n' ' ' <"$TMP/a" | sed 's/ $//')"
check "closed reader" "y" "$($RUNSC do yes | head -1)"
check "slow writer" "a b" "$( (echo a; sleep 0.3; echo b) | $RUNSC do cat | tr '\n' ' ' | sed 's/ $//')"
check "reads only its part" "1 2" "$(seq 1 2 | (read x; read y; echo "$x $y"))"
$RUNSC do cat <&- >/dev/null 2>&1; [ $? -lt 125 ] || bad "closed stdin"
finish
