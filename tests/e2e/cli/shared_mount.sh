#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A directory of the host that others change while the container looks: it sees what they do, at the next look.
. "${0%/*}/lib.bash"
[ "$(id -u)" = 0 ] || exit 77
mkdir -p "$TMP/v/d" "$TMP/b"
cat >"$TMP/b/config.json" <<END
{"ociVersion": "1.0.2", "process": {"args": ["/bin/sh", "-c", "while read -r line; do eval \"\$line\"; echo .; done"], "cwd": "/",
  "env": ["PATH=/usr/bin:/bin"], "user": {"uid": 0, "gid": 0}, "capabilities": {"effective": ["CAP_DAC_OVERRIDE"],
  "permitted": ["CAP_DAC_OVERRIDE"], "bounding": ["CAP_DAC_OVERRIDE"]}},
 "root": {"path": "/", "readonly": true},
 "mounts": [{"destination": "/proc", "type": "proc"}, {"destination": "/mnt", "type": "bind", "source": "$TMP/v", "options": ["bind"]}]}
END
coproc BOX { $RUNSC --root "$TMP/state" --ignore-cgroups run --bundle "$TMP/b" shared-$$ 2>&1; }
pid=$BOX_PID
# inside COMMAND: what the container says to it
inside() {
    local line all=
    echo "$1" >&"${BOX[1]}"
    while read -r -t 20 line <&"${BOX[0]}" && [ "$line" != . ]; do all+=${all:+ }$line; done
    echo "$all"
}
check "not there" "no" "$(inside '[ -e /mnt/f ] || echo no')"
echo one >"$TMP/v/f"
check "made outside" "one" "$(inside 'cat /mnt/f')"
echo two >>"$TMP/v/f"
check "grown outside" "one two" "$(inside 'cat /mnt/f')"
echo 3 >"$TMP/v/f"
check "written anew outside" "3" "$(inside 'cat /mnt/f')"
echo other >"$TMP/v/g"; mv "$TMP/v/g" "$TMP/v/f"
check "replaced outside" "other" "$(inside 'cat /mnt/f')"
chmod 600 "$TMP/v/f"
check "attributes" "600" "$(inside 'stat -c %a /mnt/f')"
mv "$TMP/v/f" "$TMP/v/d/g"
check "moved away" "no other" "$(inside '[ -e /mnt/f ] || echo no; cat /mnt/d/g')"
rm -r "$TMP/v/d"
check "removed" "no" "$(inside '[ -e /mnt/d ] || echo no')"
ln -s nowhere "$TMP/v/l"
check "link" "nowhere" "$(inside 'readlink /mnt/l')"
ln -sfn elsewhere "$TMP/v/l"
check "another link" "elsewhere" "$(inside 'readlink /mnt/l')"
inside 'echo inner >/mnt/i; mkdir /mnt/id; mv /mnt/i /mnt/id/i' >/dev/null
check "made inside" "inner" "$(cat "$TMP/v/id/i")"
rm "$TMP/v/id/i"; echo outer >"$TMP/v/id/i"
check "made inside, replaced outside" "outer" "$(inside 'cat /mnt/id/i')"
mkdir "$TMP/v/many"; touch "$TMP/v/many/"{a,b,c}
check "listing" "a b c" "$(inside 'ls /mnt/many')"
rm "$TMP/v/many/b"
check "shorter listing" "a c" "$(inside 'ls /mnt/many')"
eval "exec ${BOX[1]}>&-"
wait "$pid"; check "its end" 0 $?
finish
