#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 8 MB of output, then a status.
seq 1 1200000
echo "to stderr" >&2
exit 1
