# A directory of the host that a container may write to: what the sandbox does to it is done on the host, and is what a
# native run does. With a read-only one the same program changes nothing.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/sandbox" "$dir/native" "$dir/rootfs"
list() {
    (cd "$1" && find . -printf '%p %y %m %n %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
config() {
    caps='["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_CHOWN"]'
    cat >"$dir/config.json" <<END
{"ociVersion": "1.0.2", "hostname": "test",
 "process": {"args": [$1], "cwd": "/", "env": ["PATH=/usr/bin:/bin"], "user": {"uid": 0, "gid": 0},
  "capabilities": {"bounding": $caps, "effective": $caps, "permitted": $caps, "inheritable": $caps}},
 "root": {"path": "/", "readonly": true},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/mnt", "type": "bind", "source": "$dir/sandbox", "options": ["rbind", "$2"]}],
 "linux": {}}
END
}
"$GUEST/file_random" "$dir/native" >"$dir/expected"
config "\"$GUEST/file_random\", \"/mnt\"" rw
$RUNSC run --bundle "$dir" "test-$$" >"$dir/output"
diff "$dir/expected" "$dir/output"
list "$dir/native" >"$dir/native.list"
list "$dir/sandbox" >"$dir/sandbox.list"
diff "$dir/native.list" "$dir/sandbox.list"
config '"/bin/sh", "-c", "touch /mnt/x; mkdir /mnt/d; rm -rf /mnt/n0; echo > /mnt/n1; exit 0"' ro
$RUNSC run --bundle "$dir" "test-$$" 2>"$dir/errors"
grep -q 'Read-only file system' "$dir/errors"
list "$dir/sandbox" >"$dir/after.list"
diff "$dir/sandbox.list" "$dir/after.list"
