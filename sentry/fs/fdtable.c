// SPDX-License-Identifier: Apache-2.0
//
// Descriptor tables and the file system context (root, working directory, umask) of processes.

#include "sentry/fs/internal.h"
#include "sentry/fs/locks.h"

#define FD_FIRST 64
#define FD_LIMIT (1024 * 1024) /* fs.nr_open */

/*
 * Shared by CLONE_FILES. lock guards everything; slots of descriptors that are reserved but not yet
 * installed are NULL with their bit in `used` set. Arrays only grow.
 */
struct files {
    refcount_t refs;
    struct spinlock lock;
    unsigned max;  /* slots; multiple of 64 */
    unsigned hint; /* all below it are in use */
    struct vfs_file **slot;
    u64 *used, *cloexec;
};

/* n, or 0 when a mispredicted check let an n >= size through: no speculation past the array. */
static unsigned index_nospec(unsigned n, unsigned size)
{
    u64 mask;

    __asm__ volatile("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "r"((u64)size), "r"((u64)n) : "cc");
    return n & (unsigned)mask;
}

static bool bit(const u64 *map, unsigned n)
{
    return map[n / 64] >> (n % 64) & 1;
}

static void bit_put(u64 *map, unsigned n, bool on)
{
    if (on)
        map[n / 64] |= 1ULL << (n % 64);
    else
        map[n / 64] &= ~(1ULL << (n % 64));
}

static struct files *files_alloc(unsigned max)
{
    struct files *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    ref_init(&t->refs, 1);
    t->max = max;
    t->slot = kzalloc(max * sizeof(*t->slot));
    t->used = kzalloc(max / 8);
    t->cloexec = kzalloc(max / 8);
    if (!t->slot || !t->used || !t->cloexec) {
        kfree(t->slot);
        kfree(t->used);
        kfree(t->cloexec);
        kfree(t);
        return NULL;
    }
    return t;
}

struct files *files_new(void)
{
    return files_alloc(FD_FIRST);
}

struct files *files_copy(struct files *old)
{
    struct files *t = NULL;

    for (;;) {
        unsigned max = __atomic_load_n(&old->max, __ATOMIC_ACQUIRE);
        t = files_alloc(max);
        if (!t)
            return NULL;
        spin_lock(&old->lock);
        if (old->max == max)
            break;
        spin_unlock(&old->lock);
        files_put(t);
    }
    for (unsigned i = 0; i < t->max; i++) {
        if (!old->slot[i])
            continue;
        t->slot[i] = old->slot[i];
        file_get(t->slot[i]);
        bit_put(t->used, i, true);
    }
    memcpy(t->cloexec, old->cloexec, t->max / 8);
    spin_unlock(&old->lock);
    return t;
}

bool files_shared(struct files *f)
{
    return ref_read(&f->refs) > 1;
}

void files_get(struct files *t)
{
    ref_get(&t->refs);
}

static void close_file(struct vfs_file *f, struct files *owner)
{
    if (f->inode->locks)
        locks_release_posix(f, owner);
    if (f->ops->flush)
        f->ops->flush(f);
    file_put(f);
}

void files_put(struct files *t)
{
    if (!t || !ref_put(&t->refs))
        return;
    for (unsigned i = 0; i < t->max; i++)
        if (t->slot[i])
            close_file(t->slot[i], t);
    kfree(t->slot);
    kfree(t->used);
    kfree(t->cloexec);
    kfree(t);
}

struct vfs_file *fd_get_any(int fd)
{
    struct files *t = current->files;
    struct vfs_file *f = NULL;

    spin_lock(&t->lock);
    if ((unsigned)fd < t->max) {
        f = t->slot[index_nospec((unsigned)fd, t->max)];
        if (f)
            file_get(f);
    }
    spin_unlock(&t->lock);
    return f;
}

struct vfs_file *fd_get(int fd)
{
    struct vfs_file *f = fd_get_any(fd);

    if (f && unlikely(f->mode & FMODE_PATH)) {
        file_put(f);
        return NULL;
    }
    return f;
}

/* Room for descriptor n. Takes and drops the lock; 0 or -ENOMEM. */
static int grow(struct files *t, unsigned n)
{
    unsigned max = t->max;

    while (max <= n)
        max *= 2;
    struct files *bigger = files_alloc(max);
    if (!bigger)
        return -ENOMEM;
    spin_lock(&t->lock);
    if (t->max < max) {
        struct files old = *t;
        memcpy(bigger->slot, t->slot, t->max * sizeof(*t->slot));
        memcpy(bigger->used, t->used, t->max / 8);
        memcpy(bigger->cloexec, t->cloexec, t->max / 8);
        t->slot = bigger->slot;
        t->used = bigger->used;
        t->cloexec = bigger->cloexec;
        __atomic_store_n(&t->max, max, __ATOMIC_RELEASE);
        bigger->slot = old.slot;
        bigger->used = old.used;
        bigger->cloexec = old.cloexec;
    }
    spin_unlock(&t->lock);
    kfree(bigger->slot);
    kfree(bigger->used);
    kfree(bigger->cloexec);
    kfree(bigger);
    return 0;
}

static unsigned lowest_free(const struct files *t, unsigned from)
{
    for (unsigned w = from / 64; w < t->max / 64; w++) {
        u64 free = ~t->used[w];
        if (w == from / 64)
            free &= ~0ULL << (from % 64);
        if (free)
            return w * 64 + (unsigned)__builtin_ctzll(free);
    }
    return MAX(t->max, from);
}

static unsigned fd_limit(void)
{
    return (unsigned)MIN(rlimit(RLIMIT_NOFILE), (u64)FD_LIMIT);
}

int fd_alloc(int from, bool cloexec)
{
    struct files *t = current->files;
    unsigned limit = fd_limit();

    for (;;) {
        spin_lock(&t->lock);
        unsigned n = lowest_free(t, MAX((unsigned)from, t->hint));
        if (n >= limit) {
            spin_unlock(&t->lock);
            return -EMFILE;
        }
        if (n < t->max) {
            bit_put(t->used, n, true);
            bit_put(t->cloexec, n, cloexec);
            if ((unsigned)from <= t->hint)
                t->hint = n + 1;
            spin_unlock(&t->lock);
            return (int)n;
        }
        spin_unlock(&t->lock);
        if (grow(t, n))
            return -ENOMEM;
    }
}

void fd_install(int fd, struct vfs_file *f)
{
    struct files *t = current->files;

    spin_lock(&t->lock);
    BUG_ON((unsigned)fd >= t->max || t->slot[fd]);
    t->slot[fd] = f;
    spin_unlock(&t->lock);
}

/* Empty the slot; lock held. */
static struct vfs_file *take(struct files *t, unsigned fd)
{
    struct vfs_file *f = t->slot[fd];

    t->slot[fd] = NULL;
    bit_put(t->used, fd, false);
    bit_put(t->cloexec, fd, false);
    if (fd < t->hint)
        t->hint = fd;
    return f;
}

void fd_unreserve(int fd)
{
    struct files *t = current->files;

    spin_lock(&t->lock);
    take(t, (unsigned)fd);
    spin_unlock(&t->lock);
}

int fd_install_new(struct vfs_file *f, bool cloexec)
{
    int fd = fd_alloc(0, cloexec);

    if (fd < 0)
        file_put(f);
    else
        fd_install(fd, f);
    return fd;
}

int fd_close(int fd)
{
    struct files *t = current->files;
    struct vfs_file *f = NULL;

    spin_lock(&t->lock);
    if ((unsigned)fd < t->max && t->slot[fd])
        f = take(t, (unsigned)fd);
    spin_unlock(&t->lock);
    if (!f)
        return -EBADF;
    close_file(f, t);
    return 0;
}

int fd_replace(int fd, struct vfs_file *f, bool cloexec)
{
    struct files *t = current->files;
    struct vfs_file *old;

    if (fd < 0 || (unsigned)fd >= fd_limit())
        return -EBADF;
    if ((unsigned)fd >= t->max && grow(t, (unsigned)fd))
        return -ENOMEM;
    spin_lock(&t->lock);
    old = t->slot[fd];
    if (!old && bit(t->used, (unsigned)fd)) {
        spin_unlock(&t->lock); /* another thread is just opening this one */
        return -EBUSY;
    }
    file_get(f);
    t->slot[fd] = f;
    bit_put(t->used, (unsigned)fd, true);
    bit_put(t->cloexec, (unsigned)fd, cloexec);
    spin_unlock(&t->lock);
    if (old)
        close_file(old, t);
    return fd;
}

int fd_cloexec(int fd, int set)
{
    struct files *t = current->files;
    int ret = -EBADF;

    spin_lock(&t->lock);
    if ((unsigned)fd < t->max && t->slot[fd]) {
        ret = bit(t->cloexec, (unsigned)fd);
        if (set >= 0)
            bit_put(t->cloexec, (unsigned)fd, set);
    }
    spin_unlock(&t->lock);
    return ret;
}

void fd_close_range(unsigned first, unsigned last, bool only_mark)
{
    struct files *t = current->files;

    for (unsigned fd = first; fd <= last; fd++) {
        struct vfs_file *f = NULL;
        spin_lock(&t->lock);
        if (fd >= t->max) {
            spin_unlock(&t->lock);
            return;
        }
        if (t->slot[fd] && only_mark)
            bit_put(t->cloexec, fd, true);
        else if (t->slot[fd])
            f = take(t, fd);
        spin_unlock(&t->lock);
        if (f)
            close_file(f, t);
    }
}

void files_close_on_exec(struct files *t)
{
    for (unsigned w = 0; w < t->max / 64; w++) {
        while (t->cloexec[w]) {
            unsigned fd = w * 64 + (unsigned)__builtin_ctzll(t->cloexec[w]);
            spin_lock(&t->lock);
            struct vfs_file *f = take(t, fd);
            spin_unlock(&t->lock);
            if (f)
                close_file(f, t);
        }
    }
}

int files_next(struct files *t, int from, struct vfs_file **f)
{
    int found = -1;

    spin_lock(&t->lock);
    for (unsigned i = (unsigned)from; i < t->max; i++) {
        if (t->slot[i]) {
            *f = t->slot[i];
            file_get(*f);
            found = (int)i;
            break;
        }
    }
    spin_unlock(&t->lock);
    return found;
}

bool files_is_cloexec(struct files *t, int fd)
{
    bool on = false;

    spin_lock(&t->lock);
    if ((unsigned)fd < t->max)
        on = bit(t->cloexec, (unsigned)fd);
    spin_unlock(&t->lock);
    return on;
}

unsigned files_max(struct files *t)
{
    return __atomic_load_n(&t->max, __ATOMIC_RELAXED);
}

/* ---- root, working directory, umask ---- */

struct fs_context *fs_context_initial(void)
{
    struct fs_context *fs = kzalloc(sizeof(*fs));

    if (!fs)
        return NULL;
    ref_init(&fs->refs, 1);
    fs->root = fs->cwd = (struct path){root_mount, root_mount->root};
    path_get(&fs->root);
    path_get(&fs->cwd);
    fs->umask = 022;
    return fs;
}

struct fs_context *fs_context_copy(struct fs_context *old)
{
    struct fs_context *fs = kzalloc(sizeof(*fs));

    if (!fs)
        return NULL;
    ref_init(&fs->refs, 1);
    spin_lock(&old->lock);
    fs->root = old->root;
    fs->cwd = old->cwd;
    path_get(&fs->root);
    path_get(&fs->cwd);
    fs->umask = old->umask;
    spin_unlock(&old->lock);
    return fs;
}

void fs_context_get(struct fs_context *fs)
{
    ref_get(&fs->refs);
}

void fs_context_put(struct fs_context *fs)
{
    if (!fs || !ref_put(&fs->refs))
        return;
    path_put(&fs->root);
    path_put(&fs->cwd);
    kfree(fs);
}

void fs_context_set(struct fs_context *fs, const struct path *cwd, const struct path *root)
{
    struct path old_cwd = {NULL, NULL}, old_root = {NULL, NULL};

    spin_lock(&fs->lock);
    if (cwd) {
        old_cwd = fs->cwd;
        fs->cwd = *cwd;
    }
    if (root) {
        old_root = fs->root;
        fs->root = *root;
    }
    spin_unlock(&fs->lock);
    path_put(&old_cwd);
    path_put(&old_root);
}
