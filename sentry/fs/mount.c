// SPDX-License-Identifier: Apache-2.0
//
// The tree of mounts. There is one mount namespace; its list is guarded by mount_lock (short,
// spinning) for readers and by namespace_mutex as well for those who change it.

#include "sentry/fs/internal.h"

struct mutex namespace_mutex;
u32 tree_generation;
struct mount *root_mount;

static struct spinlock mount_lock;
static struct mutex
    change_mutex; /* one bind, move or unmount at a time; outside of namespace_mutex */
static struct list mounts = LIST_INIT(mounts);
static int last_id = 20;

struct mount *mount_new(struct super *sb, u32 flags, const char *source)
{
    struct mount *m = kzalloc(sizeof(*m));

    if (!m)
        return NULL;
    ref_init(&m->refs, 1);
    m->sb = sb;
    ref_get(&sb->refs);
    m->root = sb->root;
    dentry_get(m->root);
    m->flags = flags;
    m->source = kstrdup(source && *source ? source : "none");
    m->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    list_init(&m->link);
    return m;
}

void mount_get(struct mount *m)
{
    ref_get(&m->refs);
}

void mount_put(struct mount *m)
{
    while (m && ref_put(&m->refs)) {
        struct mount *parent = m->parent;
        if (m->mountpoint)
            dentry_put(m->mountpoint);
        dentry_put(m->root);
        super_put(m->sb);
        kfree(m->source);
        kfree(m);
        m = parent;
    }
}

/* The mount on top of p; mount_lock held. */
static struct mount *mounted_at(const struct path *p)
{
    struct mount *m, *found = NULL;

    list_for_each (m, &mounts, link) {
        if (m->parent == p->mnt && m->mountpoint == p->dentry)
            found = m;
    }
    return found;
}

void mount_follow(struct path *p)
{
    while (unlikely(p->dentry->flags & DENTRY_MOUNTED)) {
        spin_lock(&mount_lock);
        struct mount *m = mounted_at(p);
        if (m)
            mount_get(m);
        spin_unlock(&mount_lock);
        if (!m)
            return;
        dentry_get(m->root);
        path_put(p);
        *p = (struct path){m, m->root};
    }
}

bool mount_up(struct path *p)
{
    struct path up = {NULL, NULL};

    spin_lock(&mount_lock);
    if (p->mnt->parent) {
        up = (struct path){p->mnt->parent, p->mnt->mountpoint};
        path_get(&up);
    }
    spin_unlock(&mount_lock);
    if (!up.mnt)
        return false;
    path_put(p);
    *p = up;
    return true;
}

struct mount *mount_nth(unsigned n)
{
    struct mount *m, *found = NULL;

    spin_lock(&mount_lock);
    list_for_each (m, &mounts, link) {
        if (!n--) {
            found = m;
            mount_get(m);
            break;
        }
    }
    spin_unlock(&mount_lock);
    return found;
}

/* Put m (reference consumed) on top of `at`; root may be a sub-directory (bind). */
static void attach(struct mount *m, const struct path *at)
{
    mutex_lock(&namespace_mutex);
    if (at) {
        struct path top = *at;
        path_get(&top);
        mount_follow(&top);
        m->parent = top.mnt; /* keeps the references of top */
        m->mountpoint = top.dentry;
    }
    spin_lock(&mount_lock);
    if (m->mountpoint)
        __atomic_or_fetch(&m->mountpoint->flags, DENTRY_MOUNTED, __ATOMIC_RELEASE);
    list_add_tail(&mounts, &m->link);
    if (!root_mount)
        root_mount = m;
    spin_unlock(&mount_lock);
    __atomic_add_fetch(&tree_generation, 1, __ATOMIC_RELEASE);
    mutex_unlock(&namespace_mutex);
}

int mount_attach(struct super *sb, const struct path *at, u32 flags, const char *source)
{
    struct mount *m = mount_new(sb, flags, source);

    if (!m)
        return -ENOMEM;
    attach(m, at);
    return 0;
}

static struct mount *mount_clone(const struct mount *old, struct dentry *root)
{
    struct mount *m = mount_new(old->sb, old->flags, old->source);

    if (m) {
        dentry_get(root);
        dentry_put(m->root);
        m->root = root;
    }
    return m;
}

/* The mount with the lowest id above `after` and below `limit`, with a reference; in order, parents
 * come first. */
static struct mount *next_mount(int after, int limit)
{
    struct mount *m, *best = NULL;

    spin_lock(&mount_lock);
    list_for_each (m, &mounts, link) {
        if (m->id > after && m->id < limit && (!best || m->id < best->id))
            best = m;
    }
    if (best)
        mount_get(best);
    spin_unlock(&mount_lock);
    return best;
}

static bool is_below(struct dentry *d, const struct dentry *top)
{
    bool below;

    dcache_lock_names();
    while (d != top && d != d->parent)
        d = d->parent;
    below = d == top;
    dcache_unlock_names();
    return below;
}

/* Copy what is mounted below `from` onto its copy. Serialised by bind_mutex, which guards the copy
 * fields. */
static void bind_children(const struct path *from, struct mount *copy)
{
    struct mount *m;

    from->mnt->copy = copy;
    for (int id = 0; (m = next_mount(id, copy->id)); mount_put(m)) {
        struct mount *parent = m->parent;
        id = m->id;
        if (!parent || !parent->copy)
            continue;
        if (parent == from->mnt && !is_below(m->mountpoint, from->dentry))
            continue;
        struct path at = {parent->copy, m->mountpoint};
        m->copy = mount_clone(m, m->root);
        if (m->copy)
            attach(m->copy, &at);
    }
    for (int id = 0; (m = next_mount(id, copy->id)); mount_put(m)) {
        id = m->id;
        m->copy = NULL;
    }
}

int mount_bind(const struct path *from, const struct path *at, bool recursive)
{
    struct mount *m = mount_clone(from->mnt, from->dentry);

    if (!m)
        return -ENOMEM;
    mutex_lock(&change_mutex);
    attach(m, at);
    if (recursive)
        bind_children(from, m);
    mutex_unlock(&change_mutex);
    return 0;
}

int mount_move(const struct path *from, const struct path *at)
{
    struct path top = *at;
    struct mount *m = from->mnt, *up;
    struct dentry *old;

    mutex_lock(&change_mutex);
    if (from->dentry != m->root || !m->parent) {
        mutex_unlock(&change_mutex);
        return -EINVAL;
    }
    mutex_lock(&namespace_mutex);
    path_get(&top);
    mount_follow(&top);
    for (up = top.mnt; up && up != m; up = up->parent)
        ;
    if (up) {
        mutex_unlock(&namespace_mutex);
        mutex_unlock(&change_mutex);
        path_put(&top);
        return -ELOOP;
    }
    spin_lock(&mount_lock);
    up = m->parent;
    old = m->mountpoint;
    m->parent = top.mnt;
    m->mountpoint = top.dentry;
    __atomic_or_fetch(&top.dentry->flags, DENTRY_MOUNTED, __ATOMIC_RELEASE);
    spin_unlock(&mount_lock);
    mutex_unlock(&namespace_mutex);
    mutex_unlock(&change_mutex);
    dentry_put(old);
    mount_put(up);
    return 0;
}

static void clear_mounted(struct dentry *d)
{
    struct mount *m;

    list_for_each (m, &mounts, link) {
        if (m->mountpoint == d)
            return;
    }
    __atomic_and_fetch(&d->flags, ~DENTRY_MOUNTED, __ATOMIC_RELEASE);
}

/* Take m out of the tree; references go to the caller through *victims. mount_lock held. */
static void detach_one(struct mount *m, struct list *victims)
{
    list_del(&m->link);
    list_add(victims, &m->link);
    if (m->mountpoint)
        clear_mounted(m->mountpoint);
}

static bool has_child_mounts(const struct mount *of)
{
    struct mount *m;

    list_for_each (m, &mounts, link) {
        if (m->parent == of)
            return true;
    }
    return false;
}

/* The mount and everything below it. */
static void detach_tree(struct mount *top, struct list *victims)
{
    struct mount *m;
    bool again = true;

    detach_one(top, victims);
    while (again) {
        again = false;
        list_for_each (m, &mounts, link) {
            struct mount *v;
            list_for_each (v, victims, link) {
                if (m->parent == v)
                    again = true;
            }
            if (again) {
                detach_one(m, victims);
                break;
            }
        }
    }
}

int mount_detach(const struct path *at, u32 flags)
{
    struct list victims = LIST_INIT(victims);
    struct mount *m = at->mnt;
    int err = 0;

    if (at->dentry != m->root)
        return -EINVAL;
    mutex_lock(&change_mutex);
    mutex_lock(&namespace_mutex);
    spin_lock(&mount_lock);
    if (!m->parent || list_empty(&m->link))
        err = -EINVAL;
    else if (flags & MNT_DETACH)
        detach_tree(m, &victims);
    else if (has_child_mounts(m) || ref_read(&m->refs) > 2) /* the list's and the caller's */
        err = -EBUSY;
    else
        detach_one(m, &victims);
    spin_unlock(&mount_lock);
    __atomic_add_fetch(&tree_generation, 1, __ATOMIC_RELEASE);
    mutex_unlock(&namespace_mutex);
    while (!list_empty(&victims)) {
        m = list_first(&victims, struct mount, link);
        list_del(&m->link);
        /* Walks that are still inside must not climb out at the old place. */
        spin_lock(&mount_lock);
        struct mount *parent = m->parent;
        struct dentry *place = m->mountpoint;
        m->parent = NULL;
        m->mountpoint = NULL;
        spin_unlock(&mount_lock);
        mount_put(m);
        dentry_put(place);
        mount_put(parent);
    }
    mutex_unlock(&change_mutex);
    return err;
}

int mount_remount(const struct path *at, u32 flags)
{
    if (at->dentry != at->mnt->root)
        return -EINVAL;
    __atomic_store_n(&at->mnt->flags, flags, __ATOMIC_RELEASE);
    return 0;
}

int path_writable(const struct path *p)
{
    if ((p->mnt->flags & MS_RDONLY) || (p->mnt->sb->flags & MS_RDONLY))
        return -EROFS;
    return 0;
}

/* Copy s in front of *pos within buf. */
static bool prepend(char *buf, char **pos, const char *s, size_t len)
{
    if ((size_t)(*pos - buf) < len)
        return false;
    *pos -= len;
    memcpy(*pos, s, len);
    return true;
}

char *path_text(const struct path *p, const struct path *root, char *buf, size_t size, int *what)
{
    struct mount *m = p->mnt;
    struct dentry *d = p->dentry;
    char *pos = buf + size;
    bool ok = size && prepend(buf, &pos, "", 1);

    *what = 0;
    dcache_lock_names();
    spin_lock(&mount_lock);
    if (d->flags & DENTRY_PSEUDO) {
        ok = ok && prepend(buf, &pos, d->name, d->name_len);
        goto out;
    }
    if (d->flags & DENTRY_UNHASHED)
        *what = PATH_DELETED;
    char *start = pos;
    while (ok && !(m == root->mnt && d == root->dentry)) {
        if (d == m->root || d->parent == d) {
            if (!m->parent) {
                *what |=
                    (root->mnt == m && root->dentry == d) || m == root_mount ? 0 : PATH_UNREACHABLE;
                break;
            }
            d = m->mountpoint;
            m = m->parent;
            continue;
        }
        ok = prepend(buf, &pos, d->name, d->name_len) && prepend(buf, &pos, "/", 1);
        d = d->parent;
    }
    if (ok && pos == start)
        ok = prepend(buf, &pos, "/", 1);
out:
    spin_unlock(&mount_lock);
    dcache_unlock_names();
    return ok ? pos : ERR_PTR(-ENAMETOOLONG);
}

char *path_to_string(const struct path *p, char *buf, size_t size)
{
    static const char deleted[] = " (deleted)";
    struct path root;
    int what;

    if (size < sizeof(deleted))
        return ERR_PTR(-ENAMETOOLONG);
    current_root(&root);
    char *s = path_text(p, &root, buf, size - sizeof(deleted) + 1, &what);
    path_put(&root);
    if (!IS_ERR(s) && (what & PATH_DELETED))
        memcpy(buf + size - sizeof(deleted), deleted, sizeof(deleted));
    return s;
}
