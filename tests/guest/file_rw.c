// SPDX-License-Identifier: Apache-2.0
//
// Regular files: open flags, read, write, positions, vectors, holes, append.

#include "t.h"
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void basic(void)
{
    char buf[64] = "";
    int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0644);

    must(fd >= 0);
    ok(write(fd, "hello world", 11) == 11, "write");
    ok(lseek(fd, 0, SEEK_CUR) == 11, "position after write");
    ok(lseek(fd, 6, SEEK_SET) == 6, "SEEK_SET");
    ok(read(fd, buf, 64) == 5 && !memcmp(buf, "world", 5), "short read at the end");
    ok(read(fd, buf, 64) == 0, "end of file");
    ok(pread(fd, buf, 5, 0) == 5 && !memcmp(buf, "hello", 5), "pread");
    ok(lseek(fd, 0, SEEK_CUR) == 11, "pread leaves the position");
    ok(pwrite(fd, "J", 1, 0) == 1 && pread(fd, buf, 5, 0) == 5 && buf[0] == 'J', "pwrite");
    ok(lseek(fd, -1, SEEK_END) == 10, "SEEK_END");
    fails(lseek(fd, -1, SEEK_SET), EINVAL);
    fails(lseek(fd, 0, 99), EINVAL);
    fails(pread(fd, buf, 1, -1), EINVAL);
    ok(read(fd, buf, 0) == 0, "read of nothing");
    fails(read(fd, (void *)8, 4), EFAULT);
    ok(close(fd) == 0, "close");
    fails(read(fd, buf, 1), EBADF);
    fails(close(fd), EBADF);
}

static void flags(void)
{
    char buf[16];
    int fd;

    fails(open("a", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
    fails(open("none", O_RDONLY), ENOENT);
    fails(open("none/x", O_RDONLY), ENOENT);
    fails(open("a/x", O_RDONLY), ENOTDIR);
    fails(open("a/", O_RDONLY), ENOTDIR);
    fails(open(".", O_WRONLY), EISDIR);
    fails(open("a", O_DIRECTORY), ENOTDIR);
    fails(open("", O_RDONLY), ENOENT);
    fails(open((char *)8, O_RDONLY), EFAULT);
    must((fd = open("a", O_RDONLY)) >= 0);
    fails(write(fd, "x", 1), EBADF);
    close(fd);
    must((fd = open("a", O_WRONLY)) >= 0);
    fails(read(fd, buf, 1), EBADF);
    close(fd);
    must((fd = open("a", O_WRONLY | O_APPEND)) >= 0);
    must(lseek(fd, 0, SEEK_SET) == 0);
    ok(write(fd, "!", 1) == 1 && lseek(fd, 0, SEEK_CUR) == 12, "O_APPEND writes at the end");
    close(fd);
    must((fd = open("a", O_WRONLY | O_TRUNC)) >= 0);
    struct stat st;
    ok(fstat(fd, &st) == 0 && st.st_size == 0, "O_TRUNC");
    close(fd);
    must((fd = open("a", O_PATH)) >= 0);
    fails(read(fd, buf, 1), EBADF);
    ok(fstat(fd, &st) == 0 && S_ISREG(st.st_mode), "fstat works with O_PATH");
    close(fd);
    char longname[300];
    memset(longname, 'n', 299);
    longname[299] = 0;
    fails(open(longname, O_RDONLY), ENAMETOOLONG);
    static char longpath[PATH_MAX + 10];
    memset(longpath, '/', sizeof(longpath) - 1);
    fails(open(longpath, O_RDONLY), ENAMETOOLONG);
}

static void vectors(void)
{
    char x[3], y[4] = "", z[10];
    struct iovec w[3] = {{"abc", 3}, {"", 0}, {"defg", 4}}, r[2] = {{x, 3}, {y, 4}};
    int fd = open("v", O_RDWR | O_CREAT, 0644);

    must(fd >= 0);
    ok(writev(fd, w, 3) == 7, "writev");
    lseek(fd, 0, SEEK_SET);
    ok(readv(fd, r, 2) == 7 && !memcmp(x, "abc", 3) && !memcmp(y, "defg", 4), "readv");
    ok(preadv(fd, r, 2, 1) == 6 && !memcmp(x, "bcd", 3), "preadv");
    ok(pwritev(fd, w, 1, 7) == 3 && pread(fd, z, 10, 0) == 10 && !memcmp(z, "abcdefgabc", 10),
       "pwritev");
    fails(readv(fd, r, -1), EINVAL);
    fails(readv(fd, (struct iovec *)8, 1), EFAULT);
    fails(readv(fd, r, 2000), EINVAL);
    r[1].iov_len = -1;
    fails(readv(fd, r, 2), EINVAL);
    ok(writev(fd, NULL, 0) == 0, "writev of nothing");
    int out = open("v2", O_RDWR | O_CREAT, 0644);
    off_t from = 3;
    ok(sendfile(out, fd, &from, 4) == 4 && from == 7, "sendfile");
    ok(pread(out, z, 10, 0) == 4 && !memcmp(z, "defg", 4), "sendfile copied the bytes");
    close(out);
    close(fd);
}

static void holes(void)
{
    struct stat st;
    static char buf[70000];
    int fd = open("h", O_RDWR | O_CREAT, 0644);
    bool zero = true;

    must(fd >= 0);
    ok(pwrite(fd, "x", 1, 65536) == 1, "write behind the end");
    ok(fstat(fd, &st) == 0 && st.st_size == 65537, "size");
    ok(read(fd, buf, sizeof(buf)) == 65537, "read it all");
    for (int i = 0; i < 65536; i++)
        zero &= buf[i] == 0;
    ok(zero && buf[65536] == 'x', "the hole is zero");
    ok(lseek(fd, 1LL << 40, SEEK_SET) == 1LL << 40, "position far behind the end");
    ok(read(fd, buf, 1) == 0, "nothing there");
    close(fd);
}

static void big(void)
{
    enum { SIZE = 3 << 20 };
    unsigned char *p = malloc(SIZE), *q = malloc(SIZE);
    int fd = open("big", O_RDWR | O_CREAT, 0644);

    for (int i = 0; i < SIZE; i++)
        p[i] = i * 2654435761u >> 13;
    ok(write(fd, p, SIZE) == SIZE, "write of 3 MiB");
    ok(pread(fd, q, SIZE, 0) == SIZE && !memcmp(p, q, SIZE), "reads back the same");
    ok(pread(fd, q, 10000, 12345) == 10000 && !memcmp(p + 12345, q, 10000), "unaligned part");
    close(fd);
    free(p);
    free(q);
}

int main(void)
{
    t_scratch();
    basic();
    flags();
    vectors();
    holes();
    big();
    return t_done();
}
