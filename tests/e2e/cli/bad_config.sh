#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# only: ptrace
# What is wrong in config.json is refused with one line that names the field, and leaves nothing behind.
. "${0%/*}/lib.bash"
BASE='{"ociVersion":"1.0.2","process":{"args":["/prog"],"cwd":"/","user":{"uid":0,"gid":0}},"root":{"path":"rootfs"}}'
mkdir -p "$TMP/rootfs"
cp "$GUEST/exec_target-static" "$TMP/rootfs/prog"

run_it() { timeout 20 $RUNSC --root "$TMP/state" --ignore-cgroups run --bundle "$TMP" bad 2>&1; }

# refuses JQ-PROGRAM PATTERN
refuses() {
    local out
    jq -c "$1" <<<"$BASE" >"$TMP/config.json"
    out=$(run_it) && bad "$1: status 0"
    [[ $out =~ $2 ]] || bad "$1: said '$out'"
    [ "$(wc -l <<<"$out")" = 1 ] || bad "$1: more than a line: '$out'"
    [ -z "$(ls "$TMP/state" 2>/dev/null)" ] || bad "$1: left $(ls "$TMP/state")"
}

echo "$BASE" >"$TMP/config.json"
run_it >/dev/null; check "what all is made from" 40 $?

refuses '.ociVersion = "2.0.0"' 'ociVersion "2.0.0" is not supported'
refuses '.ociVersion = "x"' 'ociVersion "x" is no version'
refuses 'del(.ociVersion)' 'ociVersion is missing'
refuses '.ociVersion = 1' 'ociVersion must be a string'
refuses 'del(.process)' 'process is missing'
refuses '.process = []' 'process must be an object'
refuses '.process.args = []' 'process.args is missing or empty'
refuses '.process.args = [1]' 'process.args must hold strings'
refuses '.process.args = ["a\u0000b"]' 'process.args must hold strings without NUL'
refuses '.process.cwd = "tmp"' 'process.cwd must be an absolute path'
refuses '.process.env = "A=b"' 'process.env must be an array'
refuses '.process.user.uid = -1' 'process.user.uid is out of range'
refuses '.process.user.additionalGids = [-1]' 'process.user.additionalGids element 0'
refuses '.process.oomScoreAdj = 5000' 'process.oomScoreAdj is out of range'
refuses '.process.rlimits = [{"type":"RLIMIT_X","soft":1,"hard":1}]' 'process.rlimits element 0: unknown type RLIMIT_X'
refuses '.process.rlimits = [{"type":"RLIMIT_CPU","soft":2,"hard":1}]' 'RLIMIT_CPU: soft is above hard'
refuses '.process.rlimits = [{"type":"RLIMIT_CPU","soft":1,"hard":1},{"type":"RLIMIT_CPU","soft":1,"hard":1}]' 'given twice'
refuses '.process.scheduler = {"policy":"SCHED_FIFO"}' 'process.scheduler.policy SCHED_FIFO is not supported'
refuses '.process.capabilities = {"effective":"CAP_CHOWN"}' 'process.capabilities.effective must be an array'
refuses 'del(.root)' 'root.path is missing'
refuses '.root.path = "none"' 'root.path none: no such directory'
refuses '.root.path = "config.json"' 'root.path config.json: no such directory'
refuses '.mounts = [1]' 'mounts\[0\] must be an object'
refuses '.mounts = [{"destination":"x","type":"proc"}]' 'mounts\[0\].destination must be an absolute path'
refuses '.mounts = [{"destination":"/x","type":"ext4","source":"/dev/sda"}]' 'mounts\[0\].type "ext4" is not supported'
refuses '.mounts = [{"destination":"/x","type":"bind","source":"/no/such"}]' 'mounts\[0\].source /no/such: no such file or directory'
refuses '.mounts = [{"destination":"/x","type":"bind","source":"/tmp","options":["bind","idmap"]}]' 'uidMappings is not supported'
refuses '.hooks = {"prestart":[{"path":"bin/x"}]}' 'hooks.prestart\[0\].path must be an absolute path'
refuses '.hooks = {"poststop":[{"path":"/bin/x","timeout":0}]}' 'hooks.poststop\[0\].timeout must be a positive number'
refuses '.hooks = {"prestart":{}}' 'hooks.prestart must be an array'
refuses '.annotations = {"":"x"}' 'annotations must not have an empty key'
refuses '.annotations = {"dev.gvisor.flag.platform":"kvm"}' 'without --allow-flag-override'
refuses '.annotations = {"dev.gvisor.flag.root":"/x"}' 'may not set this flag'
refuses '.annotations = {"dev.gvisor.flag.overlay2":"root:dir=/x"}' 'only memory is supported'
refuses '.annotations = {"a":1}' 'annotations.a must be a string'
refuses '.linux = {"namespaces":[{"type":"net"}]}' 'linux.namespaces\[0\].type "net" is unknown'
refuses '.linux = {"namespaces":[{"type":"pid"},{"type":"pid"}]}' 'given twice'
refuses '.linux = {"namespaces":[{"type":"network","path":"x"}]}' 'path must be absolute'
refuses '.linux = {"personality":{"domain":"LINUX32"}}' 'personality.domain LINUX32 is not supported'
refuses '.linux = {"intelRdt":{}}' 'linux.intelRdt is not supported'
refuses '.linux = {"timeOffsets":{"boottime":{"secs":1}}}' 'linux.timeOffsets is not supported'
refuses '.linux = {"rootfsPropagation":"x"}' 'rootfsPropagation "x" is unknown'
refuses '.linux = {"sysctl":{"kernel.x":1}}' 'linux.sysctl.kernel.x must be a string'
refuses '.linux = {"devices":[{"path":"/dev/x","type":"z"}]}' 'linux.devices\[0\].type "z" is unknown'
refuses '.linux = {"resources":{"memory":{"limit":-5}}}' 'resources.memory.limit is out of range'
refuses '.linux = {"resources":{"cpu":[]}}' 'resources.cpu must be an object'
refuses '.linux = []' 'linux must be an object'

# no JSON at all
whole() {
    local out
    out=$(run_it) && bad "$1: status 0"
    [[ $out =~ $2 ]] || bad "$1: said '${out:0:300}'"
    [ -z "$(ls "$TMP/state" 2>/dev/null)" ] || bad "$1: left $(ls "$TMP/state")"
}
: >"$TMP/config.json"; whole empty 'config.json: '
echo '[]' >"$TMP/config.json"; whole array 'not a JSON object'
echo "${BASE%?}" >"$TMP/config.json"; whole cut 'config.json: '
head -c 3000 /dev/urandom >"$TMP/config.json"; whole noise 'config.json: '
head -c 5000000 /dev/zero | tr '\0' ' ' >"$TMP/config.json"; whole huge 'larger than'
python3 -c 'print("{\"a\":" * 100000)' >"$TMP/config.json"; whole deep 'nesting'
rm "$TMP/config.json"; whole missing 'cannot open'
mkdir "$TMP/config.json"; whole directory 'config.json'
finish
