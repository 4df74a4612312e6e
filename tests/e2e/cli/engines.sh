#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# only: ptrace
# needs: dockerd podman
# timeout: 600
# A real dockerd and a real podman, on private paths: tests/e2e/engines. Takes minutes, so only when asked: scripts/test does.
[ "$(id -u)" = 0 ] && [ -n "${RF_ENGINES:-}" ] || exit 77
cd "$ROOT/tests/e2e/engines" || exit 1
# shellcheck disable=SC2086 # words on purpose
exec python3 engines.py $RUNSC --network=none
