#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# only: ptrace
# Flags from files, what is wrong in them, and how errors are told to engines.
. "${0%/*}/lib.bash"

# says WHAT PATTERN CMD…: the command fails with one line that matches.
says() {
    local what=$1 pattern=$2 out
    shift 2
    out=$("$@" 2>&1) && bad "$what: status 0"
    [[ $out =~ $pattern ]] || bad "$what: said '$out'"
    [ "$(wc -l <<<"$out")" = 1 ] || bad "$what: more than a line: '$out'"
}

conf() { printf '%s\n' "$@" >"$TMP/c.toml"; }
with() { $RUNSC --config "$TMP/c.toml" "$@"; }

conf '# a comment' '[runsc_config]' 'kernel_release = "5.5.5"  # behind a value' "network = 'none'" 'cpus = 1' 'debug = false'
check "a value of the file" 5.5.5 "$(with do uname -r)"
check "cpus of the file" 1 "$(with do nproc)"
check "the command line wins" 6.6.6 "$(with --kernel-release=6.6.6 do uname -r)"
conf 'kernel-release = "5.5.5"' 'vfs2 = true' 'num-network-channels = 4' 'log_level = "x"' 'host-uds = "none"'
check "top level, legacy keys" 5.5.5 "$(with do uname -r)"
printf '{"runsc_config": {"kernel-release": "7.7", "cpus": 1, "debug": "false"}}' >"$TMP/c.toml"
check "JSON" 7.7 "$(with do uname -r)"
conf "log_dir = \"$TMP/logs\"" 'debug = true'
with do true
[ -n "$(ls "$TMP/logs/" 2>/dev/null)" ] || bad "log_dir: no log in it"

conf 'kernel_relese = "1"'; says "typing error" 'c.toml:1: key kernel-relese; did you mean kernel-release\?' with do true
conf 'platform = "kwm"'; says "bad value" 'invalid value "kwm" for .*c.toml:1: key platform' with do true
conf 'debug'; says "no value" '= is expected' with do true
conf 'debug = '; says "empty value" 'a value is expected' with do true
conf 'root = "x'; says "open string" 'not closed' with do true
conf 'root = "\q"'; says "escape" 'escape' with do true
conf 'debug = true true'; says "two values" 'more than one' with do true
conf '[other]'; says "table" 'unknown table \[other\]' with do true
conf '[runsc_config'; says "open table" 'ends with \]' with do true
conf 'debug = yes'; says "bare word" 'is no string' with do true
conf 'x = [1, 2'; says "open array" 'array|unknown' with do true
conf '{"debug": {}}'; says "JSON value" 'must be a string, boolean or integer' with do true
conf '{"debug": '; says "JSON syntax" 'c.toml: ' with do true
python3 -c 'print("{\"runsc_config\":" * 5000)' >"$TMP/c.toml"; says "deep JSON" 'nesting|depth' with do true
head -c 400000 /dev/zero | tr '\0' 'a' >"$TMP/c.toml"; says "huge" 'larger than' with do true
head -c 4000 /dev/urandom >"$TMP/c.toml"; with do true >"$TMP/out" 2>&1 && bad "garbage: status 0"
says "no file" 'No such file' $RUNSC --config "$TMP/none" do true
says "a directory" 'directory' $RUNSC --config "$TMP" do true

says "flag" 'unknown flag --platfrom; did you mean platform\?' $RUNSC --platfrom=ptrace do true
says "command" 'unknown command "delte"; did you mean delete\?' $RUNSC delte x
$RUNSC --log "$TMP/log" --log-format json state no-such 2>/dev/null && bad "an unknown container has a state"
check "log in JSON" 'error container "no-such" does not exist' "$(jq -r '.level + " " + .msg' "$TMP/log")"
rm "$TMP/log"; $RUNSC --log "$TMP/log" --log-format json-k8s state no-such 2>/dev/null
check "log for Kubernetes" 'container "no-such" does not exist' "$(jq -r .log "$TMP/log")"
rm "$TMP/log"; $RUNSC --log "$TMP/log" state no-such 2>/dev/null
grep -q 'level=error msg="container \\"no-such\\" does not exist"' "$TMP/log" || bad "log as text: $(cat "$TMP/log")"
for id in ../x . .. a/b '' "$(printf 'a\nb')" "$(head -c 2000 /dev/zero | tr '\0' a)"; do
    $RUNSC --root "$TMP/root" state "$id" 2>/dev/null && bad "id '$id' is taken"
    $RUNSC --root "$TMP/root" delete "$id" 2>/dev/null && bad "id '$id' is deleted"
done
check "delete --force of nothing" "" "$($RUNSC --root "$TMP/root" delete --force none 2>&1)"
check "list of nothing" "[]" "$($RUNSC --root "$TMP/root" list --format json 2>&1)"
finish
