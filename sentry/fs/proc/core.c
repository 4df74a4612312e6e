// SPDX-License-Identifier: Apache-2.0
//
// proc: from the tables to directories, files and links.

#include <linux/capability.h>
#include "sentry/fs/internal.h"
#include "sentry/fs/proc/proc.h"

#define FIRST_DYNAMIC 256 /* readdir position of number 0 of a changing directory */
#define STORE_MAX     4096

static const struct inode_ops proc_dir_ops, proc_file_ops, proc_link_ops, proc_magic_ops;
static const struct file_ops proc_dir_fops, proc_file_fops;

/* ---- tasks ---- */

struct task *proc_task(const struct proc_inode *p)
{
    struct task *t = task_find_get(p->tid);

    if (t && t->start_time != p->start) {
        task_put(t);
        t = NULL;
    }
    return t;
}

/* Context of a call on an inode; 0, or -ESRCH when the task has gone. */
static int ctx_get(const struct inode *i, struct proc_ctx *c)
{
    const struct proc_inode *p = i->private;

    *c = (struct proc_ctx){.fd = p->fd};
    if (!p->tid)
        return 0;
    c->t = proc_task(p);
    return c->t ? 0 : -ESRCH;
}

static void ctx_put(struct proc_ctx *c)
{
    if (c->t)
        task_put(c->t);
}

int proc_may_access(struct task *t)
{
    const struct cred *me = current->cred;

    if (t->process == current->process || (me->cap_effective & (1ULL << CAP_SYS_PTRACE)))
        return 0;
    struct cred *c = task_cred_get(t);
    bool same = me->fsuid == c->uid && me->fsuid == c->euid && me->fsuid == c->suid &&
                me->fsgid == c->gid && me->fsgid == c->egid && me->fsgid == c->sgid;
    cred_put(c);
    return same && t->process && t->process->dumpable ? 0 : -EACCES;
}

struct mm *task_mm_get(struct task *t)
{
    struct mm *mm;

    spin_lock(&tasklist_lock);
    mm = t->mm;
    if (mm && !ref_get_unless_zero(&mm->users))
        mm = NULL;
    spin_unlock(&tasklist_lock);
    return mm;
}

struct files *task_files_get(struct task *t)
{
    struct files *f;

    spin_lock(&t->lock);
    f = t->files;
    if (f)
        files_get(f);
    spin_unlock(&t->lock);
    return f;
}

struct fs_context *task_fs_get(struct task *t)
{
    struct fs_context *fs;

    spin_lock(&t->lock);
    fs = t->fs;
    if (fs)
        fs_context_get(fs);
    spin_unlock(&t->lock);
    return fs;
}

int proc_number(const char *name, size_t len)
{
    int n = 0;

    if (!len || len > 9 || (name[0] == '0' && len > 1))
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        n = n * 10 + (name[i] - '0');
    }
    return n;
}

/* ---- inodes ---- */

/* The same name always has the same number, so that readdir and stat agree. */
static u64 ino_of(u64 parent, const char *name, size_t len)
{
    u64 h = 0xcbf29ce484222325ULL ^ parent;

    for (size_t k = 0; k < len; k++)
        h = (h ^ (u8)name[k]) * 0x100000001b3ULL;
    return (h ^ h >> 32) & 0x7fffffff;
}

/* A task's entries belong to its user; those of a process that must not be dumped to root. */
static void set_owner(struct inode *i, struct task *t)
{
    const struct proc_inode *p = i->private;

    if (!t)
        return;
    bool world = S_ISDIR(p->e->mode) && (p->e->mode & 0777) == 0555;
    i->attr.uid = i->attr.gid = 0;
    if (world || (t->process && t->process->dumpable)) {
        struct cred *c = task_cred_get(t);
        i->attr.uid = c->euid;
        i->attr.gid = c->egid;
        cred_put(c);
    }
}

static void evict(struct inode *i)
{
    kfree(i->private);
}

static struct inode *make_inode(struct super *sb, const struct proc_entry *e,
                                const struct proc_ctx *c, u64 ino)
{
    const struct inode_ops *ops = S_ISDIR(e->mode)    ? &proc_dir_ops
                                  : !S_ISLNK(e->mode) ? &proc_file_ops
                                  : e->follow         ? &proc_magic_ops
                                                      : &proc_link_ops;
    const struct file_ops *fops = e->fops            ? e->fops
                                  : S_ISDIR(e->mode) ? &proc_dir_fops
                                                     : &proc_file_fops;
    struct proc_inode *p = kzalloc(sizeof(*p));
    struct inode *i = p ? inode_new(sb, ops, fops, e->mode) : NULL;

    if (!i) {
        kfree(p);
        return NULL;
    }
    p->e = e;
    p->fd = c->fd;
    if (c->t) {
        p->tid = c->t->tid;
        p->start = c->t->start_time;
    }
    i->private = p;
    i->flags = INODE_IMMUTABLE;
    i->attr.ino = ino;
    i->attr.blksize = 1024;
    if (S_ISDIR(e->mode))
        i->attr.nlink = 2;
    if (e->link_mode)
        i->attr.mode = S_IFLNK | e->link_mode(c);
    set_owner(i, c->t);
    return i;
}

static bool hidden(const struct proc_entry *dir, const struct proc_entry *e)
{
    return ((e->flags & PROC_THREAD) && dir != &proc_tid_entry) ||
           ((e->flags & PROC_LEADER) && dir == &proc_tid_entry);
}

static const struct proc_entry *find_child(const struct proc_entry *dir, const char *name,
                                           size_t len)
{
    for (const struct proc_entry *e = dir->children; e && e->name; e++)
        if (strlen(e->name) == len && !memcmp(e->name, name, len) && !hidden(dir, e))
            return e;
    return NULL;
}

static int proc_lookup(struct inode *dir, struct dentry *d)
{
    const struct proc_inode *p = dir->private;
    const struct proc_entry *e = find_child(p->e, d->name, d->name_len);
    struct proc_ctx c;
    int tid = 0, fd = -1, err = ctx_get(dir, &c);

    if (err)
        return -ENOENT;
    if (!e && p->e->dir) {
        err = p->e->dir->lookup(&c, d->name, d->name_len, &e, &tid, &fd);
        if (!err && tid) {
            ctx_put(&c);
            c.t = task_find_get(tid);
            err = c.t ? 0 : -ENOENT;
        }
        c.fd = fd;
    }
    if (!err && e) {
        struct inode *i = make_inode(dir->sb, e, &c, ino_of(dir->attr.ino, d->name, d->name_len));
        if (i)
            dentry_instantiate(d, i);
        else
            err = -ENOMEM;
    }
    ctx_put(&c);
    return err == -ENOENT ? 0 : err;
}

static bool fd_still_open(struct task *t, int fd)
{
    struct files *files = task_files_get(t);
    struct vfs_file *f = NULL;
    bool open = files && files_next(files, fd, &f) == fd;

    file_put(f);
    files_put(files);
    return open;
}

static bool proc_revalidate(struct dentry *d)
{
    const struct proc_inode *p;

    if (!d->inode) {
        p = d->parent->inode ? d->parent->inode->private : NULL;
        return p && !p->e->dir;
    }
    p = d->inode->private;
    if (!p->tid)
        return true;
    struct task *t = proc_task(p);
    if (!t)
        return false;
    set_owner(d->inode, t);
    bool ok = p->fd < 0 || fd_still_open(t, p->fd);
    if (ok && p->e->link_mode) {
        struct proc_ctx c = {t, p->fd};
        d->inode->attr.mode = S_IFLNK | p->e->link_mode(&c);
    }
    task_put(t);
    return ok;
}

static bool emit_entry(struct vfs_file *f, struct dir_emitter *e, const struct proc_entry *entry,
                       const char *name, u64 next)
{
    size_t len = strlen(name);

    if (!e->emit(e, name, len, ino_of(f->inode->attr.ino, name, len), mode_to_dt(entry->mode),
                 next))
        return false;
    f->pos = next;
    return true;
}

static int proc_readdir(struct vfs_file *f, struct dir_emitter *e)
{
    const struct proc_inode *p = f->inode->private;
    const struct proc_entry *dir = p->e, *entry;
    struct proc_ctx c;
    u64 n = 2;

    if (!dir_emit_dots(f, e))
        return 0;
    for (entry = dir->children; entry && entry->name; entry++, n++)
        if (n >= f->pos && !hidden(dir, entry) && !emit_entry(f, e, entry, entry->name, n + 1))
            return 0;
    if (!dir->dir)
        return 0;
    if (ctx_get(f->inode, &c))
        return -ENOENT;
    if (f->pos < FIRST_DYNAMIC)
        f->pos = FIRST_DYNAMIC;
    for (int num = (int)(f->pos - FIRST_DYNAMIC); dir->dir->next(&c, &num, &entry); num++) {
        char name[24];
        snprintf_(name, sizeof(name), "%s%d", dir->dir->prefix ? dir->dir->prefix : "", num);
        if (!emit_entry(f, e, entry, name, FIRST_DYNAMIC + (u64)num + 1))
            break;
    }
    ctx_put(&c);
    return 0;
}

/* ---- links ---- */

static s64 proc_readlink(struct inode *i, char *buf, size_t size)
{
    const struct proc_inode *p = i->private;
    struct proc_ctx c;
    s64 ret = ctx_get(i, &c);

    if (ret)
        return -ENOENT;
    if (p->e->flags & PROC_PTRACE)
        ret = proc_may_access(c.t);
    if (!ret && p->e->readlink) {
        ret = p->e->readlink(&c, buf, size);
    } else if (!ret) {
        struct path at;
        ret = p->e->follow(&c, &at);
        if (!ret) {
            char *text = kmalloc(PATH_MAX);
            char *s = text ? path_to_string(&at, text, PATH_MAX) : ERR_PTR(-ENOMEM);
            ret = IS_ERR(s) ? PTR_ERR(s) : (s64)MIN(strlen(s), size);
            if (ret > 0)
                memcpy(buf, s, (size_t)ret);
            kfree(text);
            path_put(&at);
        }
    }
    ctx_put(&c);
    return ret;
}

static int proc_follow(struct inode *i, struct path *out)
{
    const struct proc_inode *p = i->private;
    struct proc_ctx c;
    int err = ctx_get(i, &c);

    if (err)
        return -ENOENT;
    if (p->e->flags & PROC_PTRACE)
        err = proc_may_access(c.t);
    if (!err)
        err = p->e->follow(&c, out);
    ctx_put(&c);
    return err;
}

/* ---- files ---- */

/* An open text; in file->private. lock guards the text, which is made when position 0 is read. */
struct proc_text {
    struct mutex lock;
    struct seq s;
    bool made;
};

static int proc_open(struct inode *i, struct vfs_file *f)
{
    const struct proc_inode *p = i->private;
    struct proc_ctx c;
    int err = ctx_get(i, &c);

    if (!err && c.t && (p->e->flags & PROC_PTRACE))
        err = proc_may_access(c.t);
    ctx_put(&c);
    if (err || p->e->fops)
        return err;
    struct proc_text *t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    mutex_init(&t->lock);
    f->private = t;
    return 0;
}

static void proc_release(struct vfs_file *f)
{
    struct proc_text *t = f->private;

    seq_free(&t->s);
    kfree(t);
}

static int make_text(struct vfs_file *f, struct proc_text *t)
{
    const struct proc_inode *p = f->inode->private;
    struct proc_ctx c;
    int err = p->e->show ? ctx_get(f->inode, &c) : -EINVAL;

    if (err)
        return err;
    seq_free(&t->s);
    err = p->e->show(&t->s, &c);
    ctx_put(&c);
    if (!err && t->s.failed)
        err = -ENOMEM;
    t->made = !err;
    return err;
}

static s64 proc_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct proc_text *t = f->private;
    s64 ret = 0;

    mutex_lock(&t->lock);
    if (*pos == 0 || !t->made)
        ret = make_text(f, t);
    if (!ret && *pos < t->s.len) {
        u64 n = MIN(to->left, t->s.len - *pos), moved = copy_to_uio(to, t->s.buf + *pos, n);
        ret = moved || !n ? (s64)moved : -EFAULT;
        *pos += moved;
    }
    mutex_unlock(&t->lock);
    return ret;
}

static s64 proc_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    const struct proc_inode *p = f->inode->private;
    u64 n = MIN(from->left, (u64)STORE_MAX);
    struct proc_ctx c;
    s64 ret;

    (void)pos;
    if (!p->e->store)
        return -EACCES;
    char *text = kmalloc(n + 1);
    if (!text)
        return -ENOMEM;
    ret = copy_from_uio(text, from, n) == n ? 0 : -EFAULT;
    text[n] = 0;
    if (!ret)
        ret = ctx_get(f->inode, &c);
    if (!ret) {
        ret = p->e->store(&c, text, n);
        ctx_put(&c);
    }
    kfree(text);
    return ret ? ret : (s64)n;
}

static const struct inode_ops proc_dir_ops = {
    .lookup = proc_lookup,
    .revalidate = proc_revalidate,
    .evict = evict,
};

static const struct inode_ops proc_link_ops = {
    .readlink = proc_readlink,
    .evict = evict,
};

static const struct inode_ops proc_magic_ops = {
    .readlink = proc_readlink,
    .follow = proc_follow,
    .evict = evict,
};

static const struct inode_ops proc_file_ops = {
    .open = proc_open,
    .evict = evict,
};

static const struct file_ops proc_dir_fops = {.readdir = proc_readdir};

static const struct file_ops proc_file_fops = {
    .read = proc_read,
    .write = proc_write,
    .release = proc_release,
};

/* ---- the file system ---- */

struct super *proc_tree(const char *type, u64 magic, const struct proc_entry *top)
{
    struct super *sb = super_new(type, NULL, magic);
    struct proc_ctx none = {.fd = -1};

    if (!sb)
        return ERR_PTR(-ENOMEM);
    struct inode *root = make_inode(sb, top, &none, 1);
    if (root)
        sb->root = dentry_new_root(sb, root);
    if (!sb->root) {
        super_put(sb);
        return ERR_PTR(-ENOMEM);
    }
    return sb;
}

static struct super *proc_mount(const char *source, u32 flags, const void *data)
{
    (void)source;
    (void)flags;
    (void)data;
    return proc_tree("proc", PROC_MAGIC, &proc_root);
}

void proc_init(void)
{
    static const struct fs_type type = {.name = "proc", .mount = proc_mount};

    fs_register(&type);
}
