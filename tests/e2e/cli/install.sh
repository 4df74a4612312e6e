#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# only: ptrace
# needs: jq
# runsc install writes Docker's configuration and keeps what is there; uninstall undoes exactly that. spec, features, help.
. "${0%/*}/lib.bash"
f=$TMP/docker/daemon.json
runsc=${RUNSC%% *}
i() { "$runsc" "$@" --config_file "$f"; }

i install >/dev/null || bad "install without a file"
check "path" "$(realpath "$runsc")" "$(jq -r .runtimes.runsc.path "$f")"
i uninstall >/dev/null || bad uninstall
[ -e "$f" ] && bad "the file that install made stays"
printf '{ "debug":true,\n\t"runtimes": {"other": {"path": "/bin/other"}} , "a/b": 1.50}' >"$f"
cp "$f" "$TMP/before"
"$runsc" install --config_file "$f" --runtime mine -- --platform=ptrace --network=host >/dev/null || bad install
check "arguments" "--platform=ptrace --network=host" "$(jq -r '.runtimes.mine.runtimeArgs | join(" ")' "$f")"
check "the others" "/bin/other true" "$(jq -r '.runtimes.other.path + " " + (.debug | tostring)' "$f")"
"$runsc" install --config_file "$f" --runtime mine -- --platform=kvm 2>/dev/null && bad "another entry is replaced unasked"
"$runsc" uninstall --config_file "$f" --runtime mine >/dev/null || bad "uninstall"
cmp "$f" "$TMP/before" || bad "not what it was"
i install >/dev/null
jq '.debug = false' "$f" >"$TMP/changed" && cp "$TMP/changed" "$f"
i uninstall >/dev/null || bad "uninstall of a changed file"
check "changed since" '{"debug":false,"other":"/bin/other","runsc":null}' \
    "$(jq -c '{debug: .debug, other: .runtimes.other.path, runsc: .runtimes.runsc}' "$f")"
i uninstall >/dev/null || bad "uninstalled twice"
for text in '[]' '{"runtimes": []}' '{"a": ' 'x'; do
    echo "$text" >"$f"
    i install >/dev/null 2>"$TMP/err" && bad "install into $text"
    check "left alone" "$text" "$(cat "$f")"
done

mkdir "$TMP/s"
"$runsc" spec --bundle "$TMP/s" -- echo hello || bad spec
check "spec" "echo hello" "$(jq -r '.process.args | join(" ")' "$TMP/s/config.json")"
"$runsc" spec --bundle "$TMP/s" 2>/dev/null && bad "spec writes over a config.json"
check "features" "1.2.0 true" "$("$runsc" features | jq -r '.ociVersionMax + " " + (.linux.cgroup.v1 | tostring)')"
for c in $("$runsc" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    [ "$c" = help ] || [ "$c" = flags ] && continue
    "$runsc" help "$c" | grep -q "^usage: runsc" || bad "help $c"
    "$runsc" "$c" --help | grep -q "^usage: runsc" || bad "$c --help"
done
"$runsc" --version | grep -q '^spec: 1.2.0' || bad "--version"
finish
