#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many short processes and a few deep shells.
for i in $(seq 1 150); do /bin/true; done; echo "150 programs"
for i in $(seq 1 100); do (:); done; echo "100 subshells"
n=0; for i in $(seq 1 60); do n=$((n + $(echo 1))); done; echo "$n substitutions"
deep() { [ "$1" = 0 ] && echo bottom || bash -c "$(declare -f deep); deep $(($1 - 1))"; }
deep 12
