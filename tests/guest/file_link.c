// SPDX-License-Identifier: Apache-2.0
//
// Hard and symbolic links, unlinking of open files, paths that go through links.

#include "t.h"

int main(void)
{
    struct stat a, b;
    char buf[128];

    t_scratch();
    t_write_file("f", "data", 4, 0644);
    ok(link("f", "g") == 0, "link");
    ok(!stat("f", &a) && !stat("g", &b) && a.st_ino == b.st_ino && b.st_nlink == 2, "two names");
    fails(link("f", "g"), EEXIST);
    fails(link("none", "x"), ENOENT);
    must(mkdir("d", 0755) == 0);
    ok(link("d", "e") == -1 && errno == EPERM, "no hard link to a directory");
    ok(unlink("f") == 0 && !stat("g", &b) && b.st_nlink == 1, "unlink one of them");
    fails(unlink("f"), ENOENT);

    ok(symlink("g", "s") == 0, "symlink");
    ok(readlink("s", buf, sizeof(buf)) == 1 && buf[0] == 'g', "readlink");
    ok(lstat("s", &a) == 0 && S_ISLNK(a.st_mode) && a.st_size == 1, "lstat");
    ok(stat("s", &a) == 0 && S_ISREG(a.st_mode) && a.st_size == 4, "stat follows");
    fails(symlink("g", "s"), EEXIST);
    fails(readlink("g", buf, sizeof(buf)), EINVAL);
    fails(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
    ok(symlink("abcdefgh", "long") == 0 && readlink("long", buf, 4) == 4 && !memcmp(buf, "abcd", 4),
       "readlink cuts");
    fails(readlink("long", buf, 0), EINVAL);
    must(symlink("l2", "l1") == 0 && symlink("l1", "l2") == 0);
    fails(open("l1", O_RDONLY), ELOOP);
    must(symlink("nowhere", "dangling") == 0);
    fails(open("dangling", O_RDONLY), ENOENT);
    fails(open("dangling", O_RDONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    int fd = open("dangling", O_WRONLY | O_CREAT, 0644);
    ok(fd >= 0 && access("nowhere", F_OK) == 0, "O_CREAT goes through a dangling link");
    close(fd);

    must(mkdir("d/sub", 0755) == 0 && symlink("sub", "d/rel") == 0);
    t_write_file("d/sub/x", "x", 1, 0644);
    ok(stat("d/rel/x", &a) == 0 && a.st_size == 1, "relative link in the middle");
    snprintf(buf, sizeof(buf), "%s/d", t_dir);
    must(symlink(buf, "abs") == 0);
    ok(stat("abs/rel/../sub/x", &a) == 0, "absolute link and dot-dot");
    ok(rename("s", "s2") == 0 && lstat("s2", &a) == 0 && S_ISLNK(a.st_mode),
       "rename moves the link");
    ok(unlink("s2") == 0 && access("g", F_OK) == 0, "unlink removes the link");
    char chain[64] = "g";
    for (int i = 0; i < 45; i++) {
        char name[64];
        sprintf(name, "c%d", i);
        must(symlink(chain, name) == 0);
        strcpy(chain, name);
    }
    ok(stat("c39", &a) == 0, "40 links in a chain");
    fails(stat("c40", &a), ELOOP);

    fd = open("g", O_RDWR);
    must(fd >= 0 && unlink("g") == 0);
    ok(write(fd, "DATA", 4) == 4 && pread(fd, buf, 4, 0) == 4 && !memcmp(buf, "DATA", 4),
       "a file without a name still works");
    ok(fstat(fd, &a) == 0 && a.st_nlink == 0, "link count 0");
    close(fd);
    return t_done();
}
