#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: busybox jq
# timeout: 300
# create, start, exec, pause, kill, delete and what they leave, without an engine.
. "${0%/*}/lib.bash"
[ "$(id -u)" = 0 ] || exit 77
R="timeout 30 $RUNSC --root $TMP/state --ignore-cgroups"
mkdir -p "$TMP/b/rootfs/bin"
cp "$(command -v busybox)" "$TMP/b/rootfs/bin/busybox"
ldd "$TMP/b/rootfs/bin/busybox" >/dev/null 2>&1 && exit 77 # a static one is needed
for a in sh sleep echo cat id kill ps; do ln -s busybox "$TMP/b/rootfs/bin/$a"; done

# config JQ-PROGRAM: config.json from a plain one
config() {
    jq -n '{ociVersion: "1.0.2", process: {args: ["sleep", "1000"], cwd: "/", env: ["PATH=/bin", "A=a"], user: {uid: 0, gid: 0}},
        root: {path: "rootfs"}, mounts: [{destination: "/proc", type: "proc"}]} | '"$1" >"$TMP/b/config.json"
}
status_of() { $R state "$1" | jq -r .status; }
make() { $R create --bundle "$TMP/b" --pid-file "$TMP/pid" "$@" </dev/null >"$TMP/out" 2>"$TMP/err"; }
until_status() { local i; for i in $(seq 100); do [ "$(status_of "$1")" = "$2" ] && return; sleep 0.05; done; bad "$1 is never $2"; }
nothing_left() { [ -z "$(ls "$TMP/state")" ] || bad "$1: state left: $(ls "$TMP/state")"; }

config .
make c1 || bad "create: $(cat "$TMP/err")"
check "status" created "$(status_of c1)"
check "pid file" "$(cat "$TMP/pid")" "$($R state c1 | jq .pid)"
kill -0 "$(cat "$TMP/pid")" || bad "no process with the pid of the pid file"
make c1 && bad "the same id twice"
grep -q 'already exists' "$TMP/err" || bad "id twice: $(cat "$TMP/err")"
$R start c1 || bad "start"
check "status" running "$(status_of c1)"
$R start c1 2>/dev/null && bad "started twice"
$R delete c1 2>/dev/null && bad "a running container deleted"
check "exec" "a b 0" "$($R exec --env B=b c1 sh -c 'echo $A $B $(id -u)')"
$R exec c1 sh -c 'exit 9'; check "exec status" 9 $?
check "exec user" "1000 1001" "$($R exec --user 1000:1001 c1 sh -c 'echo $(id -u) $(id -g)')"
check "exec stdin" "hello" "$(echo hello | $R exec c1 cat)"
$R exec c1 /no/such 2>"$TMP/err" && bad "exec of nothing"
grep -q 'no such file or directory' "$TMP/err" || bad "exec of nothing: $(cat "$TMP/err")"
echo '{"args": ["sh", "-c", "sleep 0.3; exit 3"], "cwd": "/", "env": ["PATH=/bin"]}' >"$TMP/process.json"
$R exec --process "$TMP/process.json" c1; check "exec --process" 3 $?
$R exec --detach --pid-file "$TMP/epid" --internal-pid-file "$TMP/ipid" c1 sleep 500 </dev/null >/dev/null 2>&1 || bad "exec --detach"
kill -0 "$(cat "$TMP/epid")" || bad "nobody stands for the detached process"
check "ps of the host's" "[$(cat "$TMP/pid"),$(cat "$TMP/epid")]" "$($R ps --format json c1)"
$R ps c1 | grep -q sleep || bad "ps: no sleep in the table"
started=$($R ps c1 | awk '$2 == 1 {print $4}')
[ "$started" = "$(date +%H:%M)" ] || [ "$started" = "$(date -d '1 minute ago' +%H:%M)" ] || bad "ps: started at $started"
$R kill --pid "$(cat "$TMP/ipid")" c1 KILL || bad "kill --pid"
for i in $(seq 100); do kill -0 "$(cat "$TMP/epid")" 2>/dev/null || break; sleep 0.05; done
check "after the detached process" "[$(cat "$TMP/pid")]" "$($R ps --format json c1)"
$R pause c1 || bad pause
check "status" paused "$(status_of c1)"
$R exec c1 sh -c : 2>/dev/null && bad "exec in a paused container"
$R resume c1 || bad resume
$R resume c1 2>/dev/null && bad "resumed twice"
check "stats" '"c1"' "$($R events --stats c1 | jq .id)"
$R checkpoint --image-path "$TMP" c1 2>&1 | grep -q 'not supported yet' || bad "checkpoint"
$R kill c1 FOO 2>/dev/null && bad "an unknown signal"
$R kill c1 0 || bad "kill 0"; $R kill c1 KILL || bad kill
until_status c1 stopped
$R kill c1 2>&1 | grep -q 'container not running' || bad "kill of a stopped one"
$R delete c1 || bad delete
$R state c1 2>&1 | grep -q 'does not exist' || bad "state of a deleted one"
nothing_left "life"

config '.process.args = ["sh", "-c", "echo out; echo err >&2; exit 6"]'
check "run" out "$($R run --bundle "$TMP/b" r1 2>/dev/null)"
$R run --bundle "$TMP/b" r1 >/dev/null 2>&1; check "run's status" 6 $?
nothing_left run
config '.process.args = ["sh", "-c", "trap \"exit 7\" TERM; while :; do sleep 0.1; done"]'
$R run --bundle "$TMP/b" r2 & sleep 1; $R kill r2 TERM; wait $!; check "a signal to a run" 7 $?
$R run --detach --bundle "$TMP/b" r3 </dev/null >/dev/null 2>&1 || bad "run --detach"
$R wait r3 >"$TMP/waited" & sleep 0.5; $R kill r3 TERM; wait $!
check "wait" 7 "$(jq .exitStatus "$TMP/waited")"
$R delete --force r3; nothing_left "run --detach"

# what cannot be started is refused by create, in lower case, and nothing stays
for case in '/no/such|no such file or directory' 'nosuch|executable file not found in \$PATH' '/proc/version|permission denied'; do
    config ".process.args = [\"${case%%|*}\"]"
    make bad && bad "create of ${case%%|*}"
    grep -q "${case#*|}" "$TMP/err" || bad "${case%%|*}: $(cat "$TMP/err")"
    nothing_left "${case%%|*}"
done

# hooks: order, state on standard input, a failure ends all
hook='{path: "/bin/sh", args: ["sh", "-c", "jq -r \"\\\"KIND \\\" + .status + \\\" \\\" + .id\" >>'"$TMP"'/hooks; exit 0"], env: ["PATH=/usr/bin:/bin"]}'
config '(.hooks = (["prestart","createRuntime","createContainer","poststart","poststop"] | map({key: ., value: [(. as $k | '"$hook"' | .args[2] |= sub("KIND"; $k))]}) | from_entries)) |
    .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "cat >/from-hook"], env: ["PATH=/bin"]}]'
make h1 || bad "hooks: $(cat "$TMP/err")"
[ -e "$TMP/b/rootfs/from-hook" ] && bad "the startContainer hook runs before start"
$R start h1 || bad "start with hooks"; $R delete --force h1
check "hooks" "prestart creating h1,createRuntime creating h1,createContainer creating h1,poststart running h1,poststop stopped h1" \
    "$(paste -sd, "$TMP/hooks")"
check "startContainer" "created h1" "$(jq -r '.status + " " + .id' "$TMP/b/rootfs/from-hook")"
config '.process.args = ["cat", "/from-hook2"] | .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "echo hooked >/from-hook2"], env: ["PATH=/bin"]}]'
check "run with a startContainer hook" hooked "$($R run --bundle "$TMP/b" h4 2>&1)"
config '.hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "exit 5"], env: ["PATH=/bin"]}]'
make h5; $R start h5 2>"$TMP/err" && bad "a failing startContainer hook"
grep -q 'hooks.startContainer' "$TMP/err" || bad "failing startContainer: $(cat "$TMP/err")"
$R delete --force h5
config '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "echo no luck >&2; exit 4"]}]}'
make h2 && bad "a failing hook"
grep -q 'hooks.createRuntime\[0\] ended with exit status 4: no luck' "$TMP/err" || bad "failing hook: $(cat "$TMP/err")"
config '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "sleep 50"], timeout: 1}]}'
make h3 && bad "a slow hook"
grep -q 'took longer than 1 s' "$TMP/err" || bad "slow hook: $(cat "$TMP/err")"
nothing_left hooks

# the crash of any process leaves nothing that delete --force does not clear
config .
for victim in sandbox gofer; do
    make v1 || bad "create: $(cat "$TMP/err")"
    $R start v1
    kill -9 "$(jq .$victim.pid "$TMP/state/v1/state.json")"
    [ $victim = gofer ] || until_status v1 stopped
    $R delete --force v1 || bad "delete --force without its $victim"
    nothing_left "$victim killed"
done
for delay in 0.01 0.02 0.03 0.05 0.08; do
    timeout -s KILL $delay $RUNSC --root "$TMP/state" --ignore-cgroups create --bundle "$TMP/b" k1 </dev/null >/dev/null 2>&1 || true
    $R delete --force k1 || bad "delete --force after a killed create ($delay)"
    nothing_left "killed create ($delay)"
done
for i in $(seq 20); do
    make t$i && $R start t$i && $R delete --force t$i || bad "cycle $i: $(cat "$TMP/err")"
done
nothing_left cycles

# an exec ends with its container, and before it
config ".process.args = [\"sleep\", \"1\"]"
make e1 && $R start e1 || bad "create: $(cat "$TMP/err")"
$R exec e1 sleep 500; check "an exec that its container takes along" 137 $?
until_status e1 stopped
$R delete e1
nothing_left "exec and end"
sleep 0.5
left=$(pgrep -f "root $TMP/state" | wc -l); [ "$left" = 0 ] || bad "processes left: $(pgrep -af "root $TMP/state")"
finish
