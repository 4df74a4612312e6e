#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Writing next to and over files of the (given) tree. Natively a copy is used: the sandbox's writes must not reach the host,
# cli/overlay.sh looks at that.
set -e
t=/tmp/overlay.$$
cp -r "$2/tree/dir05" "$t"
cd "$t"
echo changed >sub0/file1.txt; cat sub0/file1.txt
echo appended >>sub1/file2.txt; tail -1 sub1/file2.txt; wc -l <sub1/file2.txt
rm sub2/file0.txt; ls sub2; cat sub2/link 2>/dev/null || echo "dangling"
mv sub3 sub9; ls; ls sub9 | head -2
mkdir sub3; touch sub3/new; ls sub3
chmod 600 sub4/file1.txt; stat -c '%a %s' sub4/file1.txt
rm -r sub4; mkdir sub4; ls -A sub4 | wc -l
sed -i 's/line/LINE/' sub9/file5.txt; grep -c LINE sub9/file5.txt
truncate -s 10 sub9/file4.txt; cat sub9/file4.txt; echo
ln sub9/file3.txt hard; stat -c %h hard
cd /; rm -r "$t"; ls -d "$t" 2>/dev/null || echo gone
d=/var/tmp/overlay.$$; mkdir $d; touch $d/f; rm -r $d; ls /usr/bin/env; echo "outside of /tmp too"
