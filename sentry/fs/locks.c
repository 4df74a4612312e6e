// SPDX-License-Identifier: Apache-2.0
//
// Record locks of fcntl(2) and whole-file locks of flock(2). One spinlock guards all lists: locks
// are rare and lists short. Waiting is a loop of attempts on the inode's wait queue; the graph of
// who waits for whom among record lock owners is searched for a cycle before each sleep.

#include "sentry/fs/internal.h"
#include "sentry/fs/locks.h"

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };

/* A lock held, or wanted (then on its waiter's stack). In flock_list.held; locks_lock. */
struct file_lock {
    struct list link;
    enum lock_kind kind;
    short type;     /* F_RDLCK, F_WRLCK, F_UNLCK */
    u64 start, end; /* inclusive */
    void *owner;    /* struct files, or struct vfs_file */
    int pid;
};

/* Per inode; made at the first lock, freed with the inode. */
struct flock_list {
    struct list held;
    struct waitq wait;
};

/* One blocked record lock request; on the sleeper's stack, in `blocked`. */
struct blocked {
    struct list link;
    const void *owner, *by;
};

static struct spinlock locks_lock;
static struct list blocked_list = LIST_INIT(blocked_list);

void flock_list_free(struct inode *i)
{
    kfree(i->locks);
}

static struct flock_list *list_of(struct inode *i)
{
    if (i->locks)
        return i->locks;
    struct flock_list *fl = kzalloc(sizeof(*fl));
    if (!fl)
        return NULL;
    list_init(&fl->held);
    waitq_init(&fl->wait);
    spin_lock(&locks_lock);
    if (!i->locks) {
        i->locks = fl;
        fl = NULL;
    }
    spin_unlock(&locks_lock);
    kfree(fl);
    return i->locks;
}

static bool same_owner(const struct file_lock *a, const struct file_lock *b)
{
    return a->owner == b->owner && a->kind == b->kind;
}

static struct file_lock *conflict(struct flock_list *fl, const struct file_lock *want)
{
    struct file_lock *l;

    if (want->type == F_UNLCK)
        return NULL;
    list_for_each (l, &fl->held, link) {
        if ((l->kind == LOCK_FLOCK) != (want->kind == LOCK_FLOCK) || same_owner(l, want))
            continue;
        if (l->end < want->start || l->start > want->end)
            continue;
        if (l->type == F_WRLCK || want->type == F_WRLCK)
            return l;
    }
    return NULL;
}

/* Cut [start, end] out of l, which overlaps it; a split takes *spare. Returns whether l went. */
static bool cut(struct file_lock *l, u64 start, u64 end, struct file_lock **spare)
{
    if (l->start < start && l->end > end) {
        struct file_lock *right = *spare;
        *spare = NULL;
        struct list link = right->link;
        *right = *l;
        right->link = link;
        right->start = end + 1;
        l->end = start - 1;
        list_add(&l->link, &right->link);
    } else if (l->start < start) {
        l->end = start - 1;
    } else if (l->end > end) {
        l->start = end + 1;
    } else {
        return true;
    }
    return false;
}

/* Make `want` the state of its range; spare: two fresh locks, what is used is set to NULL. Locked.
 */
static void apply(struct flock_list *fl, const struct file_lock *want, struct file_lock **spare,
                  struct list *gone)
{
    struct file_lock *l, *tmp;

    list_for_each_safe (l, tmp, &fl->held, link) {
        if (same_owner(l, want) && l->end >= want->start && l->start <= want->end &&
            cut(l, want->start, want->end, &spare[0])) {
            list_del(&l->link);
            list_add(gone, &l->link);
        }
    }
    if (want->type == F_UNLCK)
        return;
    struct file_lock *n = spare[1];
    spare[1] = NULL;
    *n = *want;
    list_for_each_safe (l, tmp, &fl->held, link) {
        if (!same_owner(l, n) || l->type != n->type)
            continue;
        bool before = n->start && l->end == n->start - 1,
             after = l->start && n->end == l->start - 1;
        if (!before && !after)
            continue;
        n->start = MIN(n->start, l->start);
        n->end = MAX(n->end, l->end);
        list_del(&l->link);
        list_add(gone, &l->link);
    }
    /* In order of their beginnings, which is the order in which F_GETLK finds them. */
    list_for_each (l, &fl->held, link) {
        if (l->start > n->start)
            break;
    }
    list_add_tail(&l->link, &n->link);
}

/* Would waiting for `by` end in waiting for ourselves? Locked. */
static bool deadlock(const void *self, const void *by)
{
    struct blocked *b;

    for (int depth = 0; depth < 32; depth++) {
        const void *next = NULL;
        if (by == self)
            return true;
        list_for_each (b, &blocked_list, link) {
            if (b->owner == by)
                next = b->by;
        }
        if (!next)
            return false;
        by = next;
    }
    return false;
}

/* One attempt: 0, -EAGAIN (and *me is queued as blocked when me != NULL), -EDEADLK, -ENOLCK. */
static int try_lock(struct flock_list *fl, const struct file_lock *want, struct blocked *me)
{
    struct list gone = LIST_INIT(gone);
    struct file_lock *spare[2] = {kzalloc(sizeof(struct file_lock)),
                                  kzalloc(sizeof(struct file_lock))};
    int err = spare[0] && spare[1] ? 0 : -ENOLCK;

    spin_lock(&locks_lock);
    if (me)
        list_del(&me->link);
    struct file_lock *other = err ? NULL : conflict(fl, want);
    if (other) {
        err = -EAGAIN;
        if (me && want->kind == LOCK_POSIX && other->kind == LOCK_POSIX) {
            if (deadlock(want->owner, other->owner))
                err = -EDEADLK;
            me->by = other->owner;
            if (err == -EAGAIN)
                list_add(&blocked_list, &me->link);
        }
    } else if (!err) {
        apply(fl, want, spare, &gone);
    }
    spin_unlock(&locks_lock);
    kfree(spare[0]);
    kfree(spare[1]);
    while (!list_empty(&gone)) {
        struct file_lock *l = list_first(&gone, struct file_lock, link);
        list_del(&l->link);
        kfree(l);
    }
    if (!err && want->type != F_WRLCK)
        wake_all(&fl->wait);
    return err;
}

static int set_lock(struct inode *i, const struct file_lock *want, bool wait)
{
    struct flock_list *fl = list_of(i);
    struct blocked me = {.owner = want->owner};
    int err, got = 0;

    if (!fl)
        return -ENOLCK;
    if (!wait)
        return try_lock(fl, want, NULL);
    list_init(&me.link);
    err = wait_event(&fl->wait, (got = try_lock(fl, want, &me)) != -EAGAIN);
    spin_lock(&locks_lock);
    list_del(&me.link);
    spin_unlock(&locks_lock);
    return err ? err : got;
}

/* ---- fcntl ---- */

static int range_of(struct vfs_file *f, const struct flock *fl, u64 *start, u64 *end)
{
    s64 base = 0, s;

    if (fl->l_whence == SEEK_CUR) {
        base = (s64)f->pos;
    } else if (fl->l_whence == SEEK_END) {
        struct attr a;
        int err = inode_getattr(f->inode, &a);
        if (err)
            return err;
        base = (s64)a.size;
    } else if (fl->l_whence != SEEK_SET) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, fl->l_start, &s))
        return -EOVERFLOW;
    if (s < 0)
        return -EINVAL;
    if (fl->l_len > 0) {
        s64 e;
        if (__builtin_add_overflow(s, fl->l_len - 1, &e))
            return -EOVERFLOW;
        *end = (u64)e;
    } else if (fl->l_len < 0) {
        if (s + fl->l_len < 0)
            return -EINVAL;
        *end = (u64)s - 1;
        s += fl->l_len;
    } else {
        *end = INT64_MAX;
    }
    *start = (u64)s;
    return 0;
}

static s64 get_lock(struct inode *i, const struct file_lock *want, struct flock *fl, uva_t arg)
{
    spin_lock(&locks_lock);
    struct file_lock *l = i->locks ? conflict(i->locks, want) : NULL;
    if (l) {
        fl->l_type = l->type;
        fl->l_whence = SEEK_SET;
        fl->l_start = (s64)l->start;
        fl->l_len = l->end == INT64_MAX ? 0 : (s64)(l->end - l->start + 1);
        fl->l_pid = l->kind == LOCK_OFD ? -1 : l->pid;
    } else {
        fl->l_type = F_UNLCK;
    }
    spin_unlock(&locks_lock);
    return copy_to_user(arg, fl, sizeof(*fl));
}

s64 fcntl_lock(struct vfs_file *f, u32 cmd, uva_t arg)
{
    bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
    bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
    bool wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
    struct flock fl;

    if (copy_from_user(&fl, arg, sizeof(fl)))
        return -EFAULT;
    if (ofd && fl.l_pid)
        return -EINVAL;
    if (fl.l_type != F_RDLCK && fl.l_type != F_WRLCK && (get || fl.l_type != F_UNLCK))
        return -EINVAL;
    struct file_lock want = {
        .kind = ofd ? LOCK_OFD : LOCK_POSIX,
        .type = fl.l_type,
        .owner = ofd ? (void *)f : (void *)current->files,
        .pid = current->process->pid,
    };
    int err = range_of(f, &fl, &want.start, &want.end);
    if (err)
        return err;
    if (get)
        return get_lock(f->inode, &want, &fl, arg);
    if ((want.type == F_RDLCK && !(f->mode & FMODE_READ)) ||
        (want.type == F_WRLCK && !(f->mode & FMODE_WRITE)))
        return -EBADF;
    return set_lock(f->inode, &want, wait);
}

/* ---- flock ---- */

int file_flock(struct vfs_file *f, int op)
{
    static const short types[] = {[1] = F_RDLCK, [2] = F_WRLCK, [8] = F_UNLCK};
    int what = op & ~4;

    if (what != 1 && what != 2 && what != 8) /* LOCK_SH, LOCK_EX, LOCK_UN; 4 is LOCK_NB */
        return -EINVAL;
    struct file_lock want = {.kind = LOCK_FLOCK,
                             .type = types[what],
                             .end = INT64_MAX,
                             .owner = f,
                             .pid = current->process->pid};
    return set_lock(f->inode, &want, !(op & 4));
}

/* ---- release ---- */

static void release_owner(struct inode *i, const void *owner)
{
    struct list gone = LIST_INIT(gone);
    struct file_lock *l, *tmp;

    spin_lock(&locks_lock);
    list_for_each_safe (l, tmp, &i->locks->held, link) {
        if (l->owner == owner) {
            list_del(&l->link);
            list_add(&gone, &l->link);
        }
    }
    spin_unlock(&locks_lock);
    if (list_empty(&gone))
        return;
    wake_all(&i->locks->wait);
    while (!list_empty(&gone)) {
        l = list_first(&gone, struct file_lock, link);
        list_del(&l->link);
        kfree(l);
    }
}

void locks_release_posix(struct vfs_file *f, struct files *owner)
{
    if (f->inode->locks)
        release_owner(f->inode, owner);
}

void locks_release_file(struct vfs_file *f)
{
    if (f->inode->locks)
        release_owner(f->inode, f);
}

bool locks_show(struct inode *i, unsigned n, char *buf, size_t size)
{
    static const char *const kinds[] = {"POSIX ", "OFDLCK", "FLOCK "};
    struct file_lock *l, *found = NULL;
    char end[24] = "EOF";
    unsigned k = n;

    if (!i->locks)
        return false;
    spin_lock(&locks_lock);
    list_for_each (l, &i->locks->held, link) {
        if (!k--) {
            found = l;
            break;
        }
    }
    if (found) {
        if (found->end != INT64_MAX)
            snprintf_(end, sizeof(end), "%lu", found->end);
        snprintf_(buf, size, "%u: %s ADVISORY  %s %d %02x:%02x:%lu %lu %s", n + 1,
                  kinds[found->kind], found->type == F_WRLCK ? "WRITE" : "READ ", found->pid,
                  dev_major(i->sb->dev), dev_minor(i->sb->dev), i->attr.ino, found->start, end);
    }
    spin_unlock(&locks_lock);
    return found != NULL;
}
