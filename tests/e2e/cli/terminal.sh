#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: /usr/bin/python3
# timeout: 120
# An interactive shell on a terminal.
exec /usr/bin/python3 "$ROOT/tests/e2e/terminal.py" $RUNSC do
