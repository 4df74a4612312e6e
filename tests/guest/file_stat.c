// SPDX-License-Identifier: Apache-2.0
//
// Attributes: stat family, modes, owners, times, sizes, access checks.

#include "t.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

static bool newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static void times(void)
{
    struct stat a, b;
    struct timespec ts[2] = {{1000000000, 123456789}, {1100000000, 987654321}};

    t_write_file("t", "x", 1, 0644);
    must(stat("t", &a) == 0);
    t_msleep(30);
    t_write_file("t", "y", 1, 0644);
    must(stat("t", &b) == 0);
    ok(newer(&b.st_mtim, &a.st_mtim), "writing moves mtime");
    ok(utimensat(AT_FDCWD, "t", ts, 0) == 0 && stat("t", &a) == 0, "utimensat");
    ok(a.st_atim.tv_sec == 1000000000 && a.st_mtim.tv_sec == 1100000000, "seconds kept");
    ok(a.st_mtim.tv_nsec == 987654321, "nanoseconds kept");
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_nsec = UTIME_NOW;
    ok(utimensat(AT_FDCWD, "t", ts, 0) == 0 && stat("t", &b) == 0, "UTIME_OMIT, UTIME_NOW");
    ok(b.st_atim.tv_sec == 1000000000 && b.st_mtim.tv_sec > 1500000000, "one kept, one set");
    ts[0].tv_nsec = 2000000000;
    fails(utimensat(AT_FDCWD, "t", ts, 0), EINVAL);
    t_msleep(30);
    must(chmod("t", 0600) == 0 && stat("t", &a) == 0);
    ok(newer(&a.st_ctim, &b.st_ctim) && !newer(&a.st_mtim, &b.st_mtim), "chmod moves ctime only");
}

static void modes(void)
{
    struct stat st;
    mode_t old = umask(027);
    int fd = open("m", O_CREAT | O_WRONLY, 0666);

    ok(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0640, "umask applies");
    ok(umask(old) == 027, "umask returns the old one");
    ok(fchmod(fd, 0751) == 0 && stat("m", &st) == 0 && (st.st_mode & 07777) == 0751, "fchmod");
    ok(st.st_uid == geteuid() && S_ISREG(st.st_mode) && st.st_nlink == 1, "owner and type");
    ok(fchown(fd, -1, -1) == 0, "fchown of nothing");
    close(fd);
    ok(access("m", R_OK | W_OK | X_OK) == 0, "access");
    fails(access("none", F_OK), ENOENT);
    fails(access("m", 99), EINVAL);
    fails(chmod("none", 0644), ENOENT);
    ok(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3),
       "/dev/null");
    ok(stat("/", &st) == 0 && S_ISDIR(st.st_mode), "/");
    fails(stat("m", (struct stat *)8), EFAULT);
    fails(fstat(-1, &st), EBADF);
    ok(fstatat(AT_FDCWD, "m", &st, 0) == 0 && st.st_size == 0, "fstatat");
    fails(fstatat(AT_FDCWD, "", &st, 0), ENOENT);
    fd = open("m", O_RDONLY);
    ok(fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode), "AT_EMPTY_PATH");
    fails(fstatat(fd, "x", &st, 0), ENOTDIR);
    close(fd);
}

static void sizes(void)
{
    struct stat st;
    char buf[16];
    int fd = open("z", O_RDWR | O_CREAT, 0644);

    ok(ftruncate(fd, 10000) == 0 && !fstat(fd, &st) && st.st_size == 10000, "grow");
    ok(pread(fd, buf, 4, 9996) == 4 && !memcmp(buf, "\0\0\0\0", 4), "new bytes are zero");
    ok(pwrite(fd, "abcdef", 6, 4094) == 6, "write over a page border");
    ok(truncate("z", 4097) == 0 && !fstat(fd, &st) && st.st_size == 4097, "shrink");
    ok(truncate("z", 8192) == 0 && pread(fd, buf, 6, 4094) == 6 && !memcmp(buf, "abc\0\0\0", 6),
       "what was cut is zero when it comes back");
    fails(ftruncate(fd, -1), EINVAL);
    fails(truncate(".", 0), EISDIR);
    fails(truncate("none", 0), ENOENT);
    close(fd);
    fd = open("z", O_RDONLY);
    fails(ftruncate(fd, 0), EINVAL);
    close(fd);
}

static void statx_call(void)
{
    struct statx sx;

    t_write_file("x", "12345", 5, 0604);
    ok(statx(AT_FDCWD, "x", 0, STATX_BASIC_STATS, &sx) == 0, "statx");
    ok(sx.stx_size == 5 && (sx.stx_mode & 0777) == 0604 && sx.stx_nlink == 1, "its values");
    fails(statx(AT_FDCWD, "none", 0, STATX_BASIC_STATS, &sx), ENOENT);
    struct statfs sf;
    ok(statfs(".", &sf) == 0 && sf.f_bsize > 0 && sf.f_namelen == 255, "statfs");
    fails(statfs("none", &sf), ENOENT);
}

int main(void)
{
    t_scratch();
    umask(022);
    times();
    modes();
    sizes();
    statx_call();
    return t_done();
}
