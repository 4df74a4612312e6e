# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts of this directory share: messages, the installation of Debian packages that are missing, the build.
# Sourced, never run. Everything said here goes to standard error, so that a caller's output stays its own.

set -euo pipefail

RF_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RF_BUILD=${RF_BUILD:-$RF_ROOT/build}
RF_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ringfort

# What the build needs, what the tests need beside it, what the emulated KVM machine needs.
RF_PACKAGES_BUILD="gcc libc6-dev binutils meson ninja-build pkg-config libfdt-dev libjson-c-dev libseccomp-dev libxxhash-dev
    linux-libc-dev check"
RF_PACKAGES_TEST="python3 perl busybox|busybox-static bash coreutils findutils tar xz-utils diffutils procps jq"
RF_PACKAGES_BOX="qemu-system-x86 cpio gcc libc6-dev"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

# as_root CMD…: runs CMD as root, through sudo when needed.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "need root (or sudo) for: $*"
    fi
}

# quietly CMD…: shows the output of CMD only when it fails, and returns its status.
quietly() {
    local log rc=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    [ $rc = 0 ] || cat "$log" >&2
    rm -f "$log"
    return $rc
}

# missing_packages NAME…: prints those that are not installed.
missing_packages() {
    local have p alternative
    have=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' 2>/dev/null | tr -s ' ') "
    for p in "$@"; do
        for alternative in ${p//|/ }; do
            case $have in *"ii $alternative "*) continue 2 ;; esac
        done
        printf '%s\n' "${p%%|*}"
    done
}

# need_packages NAME…: installs the Debian packages that are not there; quick when all are. "A|B": one of them will do.
need_packages() {
    local missing
    command -v dpkg-query >/dev/null || return 0
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "missing packages: ${missing[*]}"
    say "installing ${missing[*]} ..."
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    quietly as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
        { quietly as_root "${apt[@]}" update &&
            quietly as_root "${apt[@]}" install --no-install-recommends "${missing[@]}"; } ||
        die "could not install: ${missing[*]}"
}

# build [TARGET]…: configures when new and compiles into $RF_BUILD, silently unless it fails. One build at a time.
build() {
    local rc=0
    mkdir -p "$RF_BUILD"
    exec 9>"$RF_BUILD/.lock"
    flock 9
    if [ ! -f "$RF_BUILD/build.ninja" ]; then
        quietly meson setup "$RF_BUILD" "$RF_ROOT" || die "meson setup failed"
    fi
    quietly ninja -C "$RF_BUILD" "$@" || rc=$?
    exec 9>&-
    [ $rc = 0 ] || die "the build failed"
}
