// SPDX-License-Identifier: Apache-2.0
//
// Descriptor table and what can be asked of a descriptor without moving data.

#include "vmm/hostcall/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/hostcall/event.h"
#include "vmm/hostcall/fd.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hfile *table[HOST_FDS_MAX]; /* guarded by lock */
static unsigned lowest_free;              /* no free entry below; guarded by lock */

static struct hfile *hfile_new(int fd, int net_family)
{
    struct hfile *f;
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &st) != 0)
        return NULL;
    f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->fd = fd;
    f->refs = 1;
    f->net_family = net_family;
    f->mode = st.st_mode;
    f->access = flags & O_ACCMODE;
    f->nonblock = flags & O_NONBLOCK;
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    return f;
}

int hfile_install(int fd)
{
    return hfile_install_net(fd, 0);
}

int hfile_install_net(int fd, int family)
{
    struct hfile *f = hfile_new(fd, family);
    unsigned i;

    if (!f) {
        int err = errno ? errno : ENOMEM;

        close(fd);
        return -err;
    }
    pthread_mutex_lock(&lock);
    for (i = lowest_free; i < HOST_FDS_MAX && table[i]; i++)
        ;
    if (i < HOST_FDS_MAX) {
        table[i] = f;
        lowest_free = i + 1;
    }
    pthread_mutex_unlock(&lock);
    if (i == HOST_FDS_MAX) {
        hfile_put(f);
        return -ENFILE;
    }
    return (int)i;
}

struct hfile *hfile_ref(struct hfile *f)
{
    __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
    return f;
}

struct hfile *hfile_get(u64 index)
{
    struct hfile *f = NULL;

    if (index >= HOST_FDS_MAX)
        return NULL;
    pthread_mutex_lock(&lock);
    if (table[index])
        f = hfile_ref(table[index]);
    pthread_mutex_unlock(&lock);
    return f;
}

void hfile_put(struct hfile *f)
{
    if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    close(f->fd);
    free(f);
}

int hfile_close(u64 index)
{
    struct hfile *f = NULL;

    if (index >= HOST_FDS_MAX)
        return -EBADF;
    pthread_mutex_lock(&lock);
    f = table[index];
    table[index] = NULL;
    if (f && index < lowest_free)
        lowest_free = (unsigned)index;
    pthread_mutex_unlock(&lock);
    if (!f)
        return -EBADF;
    event_forget(f);
    hfile_put(f);
    return 0;
}

s64 hc_FD_CLOSE(struct hostcall *hc)
{
    return hfile_close(hc->arg[0]);
}

static s64 to_ns(struct timespec t)
{
    return (s64)t.tv_sec * 1000000000 + t.tv_nsec;
}

s64 hc_FD_STAT(struct hostcall *hc)
{
    struct hfile *f = hfile_get(hc->arg[0]);
    struct host_stat out;
    struct stat st;
    int r;

    if (!f)
        return -EBADF;
    r = fstat(f->fd, &st) == 0 ? 0 : -errno;
    hfile_put(f);
    if (r)
        return r;
    out = (struct host_stat){
        .ino = st.st_ino,
        .size = (u64)st.st_size,
        .blocks = (u64)st.st_blocks,
        .dev = st.st_dev,
        .mode = st.st_mode,
        .nlink = (u32)st.st_nlink,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .atime_ns = to_ns(st.st_atim),
        .mtime_ns = to_ns(st.st_mtim),
        .ctime_ns = to_ns(st.st_ctim),
        .blksize = (u32)st.st_blksize,
        .rdev = (u32)st.st_rdev,
    };
    return stub_copy_out(hc->arg[1], &out, sizeof(out));
}

static s64 fd_call(u64 index, int (*call)(int fd, const u64 *arg), const u64 *arg)
{
    struct hfile *f = hfile_get(index);
    s64 r;

    if (!f)
        return -EBADF;
    r = call(f->fd, arg);
    if (r < 0)
        r = -errno;
    hfile_put(f);
    return r;
}

static int do_ftruncate(int fd, const u64 *arg)
{
    return ftruncate(fd, (off_t)arg[1]);
}

s64 hc_FTRUNCATE(struct hostcall *hc)
{
    if ((s64)hc->arg[1] < 0)
        return -EINVAL;
    return fd_call(hc->arg[0], do_ftruncate, hc->arg);
}

static int do_fallocate(int fd, const u64 *arg)
{
    return fallocate(fd, (int)arg[1], (off_t)arg[2], (off_t)arg[3]);
}

s64 hc_FALLOCATE(struct hostcall *hc)
{
    const u64 known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
                      FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE;

    if (hc->arg[1] & ~known)
        return -EOPNOTSUPP;
    if ((s64)hc->arg[2] < 0 || (s64)hc->arg[3] <= 0)
        return -EINVAL;
    return fd_call(hc->arg[0], do_fallocate, hc->arg);
}

static int do_fsync(int fd, const u64 *arg)
{
    return arg[1] ? fdatasync(fd) : fsync(fd);
}

s64 hc_FSYNC(struct hostcall *hc)
{
    return fd_call(hc->arg[0], do_fsync, hc->arg);
}
