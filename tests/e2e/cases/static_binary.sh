#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs linked in each way, one after the other and through a chain of execs.
for v in "" -static -static-pie -fixed; do
    "$1/exec_target$v"; echo "$v: $?"
done
exec env -i "$1/exec_target-static"
