#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# needs: busybox
# Files and directories with busybox's own tools.
set -e
d=/tmp/bb.$$
mkdir -p $d/a/b/c
cd $d
echo one >a/1; echo two >a/b/2; echo three >a/b/c/3
ln -s ../1 a/b/link; ln a/1 hard
find . | sort
cat a/b/link hard
chmod 640 a/1; stat -c '%A %h %s %n' hard
cp -r a copy; diff -r a copy && echo same
mv copy moved; ls moved
tar cf t.tar a; rm -r a; tar xf t.tar; cat a/b/c/3
gzip t.tar; gunzip t.tar.gz; tar tf t.tar | sort
dd if=/dev/zero of=big bs=1k count=300 2>/dev/null; wc -c <big
md5sum big | cut -d' ' -f1
rm -r moved a t.tar big hard; ls -A | wc -l
cd /; rmdir $d
df / >/dev/null; echo "df $?"
