# Changes that the sandbox makes to files of the host: it sees them as they would be on the host, which keeps the files
# as they were. The tree that is changed was made by the same program, so all kinds of files are in it.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tree"
"$GUEST/file_random" "$dir/tree" >/dev/null
cp -a "$dir/tree" "$dir/copy"
list() {
    (cd "$1" && find . -printf '%p %y %m %n %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
list "$dir/tree" >"$dir/before"
"$GUEST/file_random" "$dir/copy" >"$dir/native"
$RUNSC do "$GUEST/file_random" "$dir/tree" >"$dir/sandbox"
diff "$dir/native" "$dir/sandbox"
list "$dir/tree" >"$dir/after"
diff "$dir/before" "$dir/after"
