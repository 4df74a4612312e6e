#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The checks that guides tell readers to make: kernel name and version, dmesg.
set -u
. "${0%/*}/lib.bash"
check "uname" "Linux 4.4.0" "$($RUNSC do uname -sr)"
$RUNSC do dmesg | grep -q 'Starting gVisor' || bad "dmesg has no 'Starting gVisor...'"
$RUNSC --version | grep -qi version || bad "--version"
$RUNSC --help >/dev/null || bad "--help"
check "hello" "hello world" "$($RUNSC do echo hello world)"
finish
