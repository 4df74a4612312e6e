#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# needs: find
# Walking a given tree: counts, types, sizes, contents, all reading through the gofer.
t=$2/tree
find "$t" -xdev | wc -l
find "$t" -type f | wc -l; find "$t" -type d | wc -l; find "$t" -type l | wc -l
find "$t" -type f -size +1k | wc -l
find "$t" -name 'file3*' -newermt 2020-01-01 | sed "s|$2||" | sort | head -3
find "$t" -type f -printf '%s\n' | awk '{ s += $1 } END { print s }'
grep -r "line 7 " "$t" | wc -l
cat "$t"/*/*/*.txt | cksum
ls -lR --time-style=+%s "$t/dir03" | sed -e "s|$2||" -e 's/^total.*/total/' | awk '{ print $1, $5, $6, $7, $8, $9 }' | cksum
du -s --apparent-size "$t/dir01" >/dev/null; echo "du $?"
find "$t" -type f -exec md5sum {} + | sed "s|$2||" | sort | md5sum
stat -c '%n %F %s %Y %a %h' "$t"/dir00/sub0/* | sed "s|$2||"
readlink "$t/dir00/sub0/link"
