#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Standard input comes from a file and is shared by the commands that read it.
read -r first; echo "first: $first"
head -c 6 >/dev/null
wc -l
