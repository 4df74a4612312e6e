#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the sandbox writes never reaches the host.
. "${0%/*}/lib.bash"
echo host >"$TMP/file"; mkdir "$TMP/dir"; echo kept >"$TMP/dir/f"
check "sees it" "host" "$($RUNSC do cat "$TMP/file")"
check "writes" "sandbox" "$($RUNSC do sh -c "echo sandbox >$TMP/file; cat $TMP/file")"
$RUNSC do sh -c "rm -r $TMP/dir; echo new >$TMP/new; mkdir $TMP/newdir; chmod 000 $TMP/file; mv $TMP/file $TMP/moved"
check "unchanged" "host" "$(cat "$TMP/file")"
check "mode" "644" "$(stat -c %a "$TMP/file")"
check "list" "dir file" "$(ls "$TMP" | tr '\n' ' ' | sed 's/ $//')"
check "not removed" "kept" "$(cat "$TMP/dir/f")"
mkdir "$TMP/root"; mkdir -p "$TMP/root/bin"; cp "$GUEST/exec_target-static" "$TMP/root/bin/prog"
$RUNSC do --root "$TMP/root" /bin/prog >"$TMP/out"; check "--root" 40 "$?"
check "--cwd" "/usr" "$($RUNSC do --cwd /usr pwd)"
finish
