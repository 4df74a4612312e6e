// SPDX-License-Identifier: Apache-2.0
//
// A long, repeatable sequence of random changes to a small tree of files, with the result of each
// one in a running hash, and a dump of the tree now and then. Without an argument the tree is made
// here; with one it is the directory named (an e2e test gives one that exists outside of the
// sandbox).
#include "t.h"
#include <dirent.h>

#define STEPS 6000
#define NAMES 9

static uint64_t seed = 88172645463325252ull, hash;
static char text[70000];

static unsigned rnd(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % n;
}

static void mix(uint64_t v)
{
    hash = (hash ^ v) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
}

/* A path of one to three components, each one of a few names. */
static const char *pick(void)
{
    static char ring[4][64];
    static unsigned next;
    char *p = ring[next++ % 4];
    unsigned depth = 1 + rnd(3);

    *p = 0;
    for (unsigned i = 0; i < depth; i++)
        sprintf(p + strlen(p), "%sn%u", i ? "/" : "", rnd(NAMES));
    return p;
}

static long result(long r)
{
    return r < 0 ? -errno : r;
}

static long do_write(const char *p)
{
    static const int how[] = {O_CREAT, O_TRUNC, O_APPEND, O_CREAT | O_EXCL, 0, 0};
    int fd = open(p, O_RDWR | O_NONBLOCK | how[rnd(6)], 0600 + rnd(64));
    unsigned len = rnd(5) ? rnd(9000) : rnd(sizeof(text)), from = rnd(100);
    off_t at = rnd(3) ? rnd(20000) : 0;

    if (fd < 0)
        return -errno;
    long r = result(pwrite(fd, text + from % (sizeof(text) - len + 1), len, at));
    close(fd);
    return r;
}

static long do_read(const char *p)
{
    static char buf[90000];
    int fd = open(p, O_RDONLY | O_NONBLOCK);
    long n;

    if (fd < 0)
        return -errno;
    n = result(read(fd, buf, sizeof(buf)));
    for (long i = 0; i < n; i++)
        mix((unsigned char)buf[i]);
    close(fd);
    return n;
}

/* Store through a shared mapping, and see it by read. */
static long do_map(const char *p)
{
    int fd = open(p, O_RDWR | O_NONBLOCK);
    struct stat st;
    long r = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        char *m = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        char *q = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (m != MAP_FAILED && q != MAP_FAILED) {
            off_t at = rnd((unsigned)st.st_size);
            char c = 0;
            r = q[at];
            m[at] = (char)('A' + rnd(26));
            if (pread(fd, &c, 1, at) != 1 || c != m[at] || q[at] != c)
                r = -1000;
            munmap(m, st.st_size);
            munmap(q, st.st_size);
        }
    }
    close(fd);
    return r;
}

/* An unlinked file goes on to exist for who has it open. */
static long do_orphan(const char *p)
{
    int fd = open(p, O_RDWR | O_NONBLOCK);
    struct stat st;
    char c = 'x';
    long r;

    if (fd < 0)
        return -errno;
    r = result(unlink(p));
    if (r == 0) {
        r = result(pwrite(fd, &c, 1, 5000)) + result(pread(fd, &c, 1, 0));
        if (fstat(fd, &st) == 0)
            r = r * 1000 + st.st_nlink * 100 + (st.st_size > 5000);
    }
    close(fd);
    return r;
}

static long count_entries(const char *p)
{
    DIR *d = opendir(p);
    long n = 0;

    if (!d)
        return -errno;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static long do_stat(const char *p)
{
    struct stat st;

    if (lstat(p, &st) < 0)
        return -errno;
    mix(st.st_mode);
    mix(st.st_nlink);
    if (!S_ISDIR(st.st_mode))
        mix(st.st_size);
    return 0;
}

static long step(void)
{
    const char *a = pick(), *b = pick();

    switch (rnd(18)) {
    case 0:
    case 1:
        return result(mkdir(a, 0700 + rnd(64)));
    case 2:
    case 3:
        return do_write(a);
    case 4:
        return do_read(a);
    case 5:
        return result(unlink(a));
    case 6:
        return result(rmdir(a));
    case 7:
    case 8:
        return result(rename(a, b));
    case 9:
        return result(link(a, b));
    case 10:
        return result(symlink(b, a));
    case 11:
        return result(truncate(a, rnd(3) ? rnd(30000) : 0));
    case 12:
        return result(chmod(a, 0600 + rnd(64)));
    case 13:
        return do_map(a);
    case 14:
        return do_orphan(a);
    case 15:
        return count_entries(a);
    case 16:
        return rnd(2) ? result(renameat2(AT_FDCWD, a, AT_FDCWD, b, 1 + rnd(2)))
                      : result(mknod(a, S_IFIFO | 0644, 0));
    default:
        return do_stat(a);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dump(const char *path)
{
    char *names[256], sub[600], link[300];
    struct stat st;
    unsigned n = 0;
    DIR *d;

    if (lstat(path, &st) < 0) {
        t_say("%s: errno %d", path, errno);
        return;
    }
    mix(st.st_mode);
    mix(st.st_nlink);
    for (const char *p = path; *p; p++)
        mix((unsigned char)*p);
    if (S_ISREG(st.st_mode)) {
        mix(st.st_size);
        do_read(path);
    } else if (S_ISLNK(st.st_mode)) {
        mix(readlink(path, link, sizeof(link)));
    } else if (S_ISDIR(st.st_mode)) {
        d = opendir(path);
        for (struct dirent *e; d && n < 256 && (e = readdir(d));) {
            if (e->d_name[0] != '.')
                names[n++] = strdup(e->d_name);
        }
        if (d)
            closedir(d);
        qsort(names, n, sizeof(names[0]), by_name);
        for (unsigned i = 0; i < n; i++) {
            snprintf(sub, sizeof(sub), "%s/%s", path, names[i]);
            dump(sub);
            free(names[i]);
        }
    }
}

int main(int argc, char **argv)
{
    bool verbose = argc > 2;

    umask(0);
    if (argc > 1) {
        if (chdir(argv[1]))
            return 1;
    } else {
        t_scratch();
    }
    chmod(".", 0755);
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + rnd(26));
    for (unsigned i = 0; i < STEPS; i++) {
        long r = step();
        mix((uint64_t)r);
        if (verbose)
            t_say("%u: %ld %016llx", i, r, (unsigned long long)hash);
        if (i % 500 == 499) {
            dump(".");
            t_say("after %u steps: %016llx", i + 1, (unsigned long long)hash);
        }
    }
    return 0;
}
