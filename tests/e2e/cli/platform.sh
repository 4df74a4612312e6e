#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: unshare
# only: ptrace
# Where /dev/kvm is absent: ptrace with one line in the log by default, a clear error within a second on request.
. "${0%/*}/lib.bash"
[ "$(id -u)" = 0 ] || { echo "needs root to hide /dev/kvm"; exit 77; }
bin=${RUNSC%% *}
without_kvm() {
    unshare -m bash -c 'mount -t tmpfs none "$0"; mkdir -p "$0/dev"; mount --rbind /dev "$0/dev"
        if [ -e /dev/kvm ]; then touch "$0/hide"; mount --bind "$0/hide" /dev/kvm; fi; exec "$@"' "$TMP" "$@"
}
check "falls back" "Linux 4.4.0" "$(without_kvm "$bin" do uname -sr)"
start=$(date +%s%N)
out=$(without_kvm "$bin" --platform=kvm do true 2>&1)
rc=$?
ms=$((($(date +%s%N) - start) / 1000000))
[ $rc -ne 0 ] || bad "--platform=kvm without KVM has status 0"
echo "$out" | grep -qi kvm || bad "and no clear error: $out"
[ $ms -lt 2000 ] || bad "and takes $ms ms"
without_kvm "$bin" --debug --debug-log=/dev/stderr do true 2>"$TMP.log" || bad "status of the fallback"
n=$(grep -c 'platform ptrace' "$TMP.log")
check "log lines about the platform" 1 "$n"
rm -f "$TMP.log"
"$bin" --platform=nonsense do true 2>/dev/null && bad "an unknown platform is accepted"
finish
