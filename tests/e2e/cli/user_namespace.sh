#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: busybox jq setpriv
# Whose files the container's are on the host: with a user namespace in config.json, and for an ordinary user.
. "${0%/*}/lib.bash"
[ "$(id -u)" = 0 ] || exit 77
busybox=$(command -v busybox)
ldd "$busybox" >/dev/null 2>&1 && exit 77 # a static one is needed
# bundle NAME HOST-ID SIZE COMMAND
bundle() {
    mkdir -p "$TMP/$1/rootfs/bin"
    cp "$busybox" "$TMP/$1/rootfs/bin/busybox"
    for a in sh id mkdir touch chown stat; do ln -s busybox "$TMP/$1/rootfs/bin/$a"; done
    jq -n --arg c "$4" --argjson h "$2" --argjson n "$3" '{ociVersion: "1.0.2",
        process: {args: ["sh", "-c", $c], cwd: "/", env: ["PATH=/bin"], user: {uid: 0, gid: 0},
            capabilities: {effective: ["CAP_CHOWN"], permitted: ["CAP_CHOWN"], bounding: ["CAP_CHOWN"]}},
        root: {path: "rootfs"},
        linux: {namespaces: [{type: "user"}, {type: "network"}], resources: {memory: {limit: 100000000}},
            uidMappings: [{containerID: 0, hostID: $h, size: $n}], gidMappings: [{containerID: 0, hostID: $h, size: $n}]}}' >"$TMP/$1/config.json"
    chown -R "$2:$2" "$TMP/$1/rootfs"
}
bundle mapped 100000 65536 'mkdir /d; touch /d/x; chown 5:6 /d/x; id -u; stat -c "%u:%g" /d /d/x'
check "in the container" "0 0:0 5:6" "$($RUNSC --root "$TMP/state" --ignore-cgroups run --bundle "$TMP/mapped" m1 2>&1 | paste -sd' ')"
check "on the host" "100000:100000 100005:100006" "$(cd "$TMP/mapped/rootfs" && stat -c %u:%g d d/x | paste -sd' ')"
bundle rootless 1000 1 'touch /mine; id -u; stat -c "%u:%g" /mine'
chown -R 1000:1000 "$TMP/rootless"
as_user() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
case $RUNSC in *kvm*) device=/dev/kvm ;; *) device=/dev/null ;; esac
if as_user test -x "${RUNSC%% *}" && as_user test -w $device; then
    # shellcheck disable=SC2086
    check "rootless" "0 0:0" "$(as_user $RUNSC --rootless --root "$TMP/rootless/state" run --bundle "$TMP/rootless" r1 2>&1 | paste -sd' ')"
    check "whose file" 1000 "$(stat -c %u "$TMP/rootless/rootfs/mine")"
fi
jq 'del(.linux.uidMappings)' "$TMP/mapped/config.json" >"$TMP/c" && cp "$TMP/c" "$TMP/mapped/config.json"
$RUNSC --root "$TMP/state" --ignore-cgroups run --bundle "$TMP/mapped" m2 2>&1 | grep -q 'linux.uidMappings is missing' || bad "no mappings"
[ -z "$(ls "$TMP/state")" ] || bad "state left: $(ls "$TMP/state")"
finish
