// SPDX-License-Identifier: Apache-2.0
//
// proc: the fd and fdinfo directories of a process.

#include "sentry/fs/internal.h"
#include "sentry/fs/locks.h"
#include "sentry/fs/proc/proc.h"

static const struct proc_entry fd_entry, fdinfo_entry;

/* The file behind descriptor fd of t, with a reference, or NULL. */
static struct vfs_file *file_of(struct task *t, int fd)
{
    struct files *files = task_files_get(t);
    struct vfs_file *f = NULL;

    if (files && files_next(files, fd, &f) != fd) {
        file_put(f);
        f = NULL;
    }
    files_put(files);
    return f;
}

static int lookup(const struct proc_ctx *c, const char *name, size_t len, int *fd)
{
    *fd = proc_number(name, len);
    if (*fd < 0)
        return -ENOENT;
    int err = proc_may_access(c->t);
    if (err)
        return err;
    struct vfs_file *f = file_of(c->t, *fd);
    file_put(f);
    return f ? 0 : -ENOENT;
}

static int fd_lookup(const struct proc_ctx *c, const char *name, size_t len,
                     const struct proc_entry **e, int *tid, int *fd)
{
    (void)tid;
    *e = &fd_entry;
    return lookup(c, name, len, fd);
}

static int fdinfo_lookup(const struct proc_ctx *c, const char *name, size_t len,
                         const struct proc_entry **e, int *tid, int *fd)
{
    (void)tid;
    *e = &fdinfo_entry;
    return lookup(c, name, len, fd);
}

static bool next_fd(const struct proc_ctx *c, int *n)
{
    struct files *files = proc_may_access(c->t) ? NULL : task_files_get(c->t);
    struct vfs_file *f = NULL;

    *n = files ? files_next(files, *n, &f) : -1;
    file_put(f);
    files_put(files);
    return *n >= 0;
}

static bool fd_next(const struct proc_ctx *c, int *n, const struct proc_entry **e)
{
    *e = &fd_entry;
    return next_fd(c, n);
}

static bool fdinfo_next(const struct proc_ctx *c, int *n, const struct proc_entry **e)
{
    *e = &fdinfo_entry;
    return next_fd(c, n);
}

const struct proc_dir proc_fd_dir = {fd_lookup, fd_next, NULL};
const struct proc_dir proc_fdinfo_dir = {fdinfo_lookup, fdinfo_next, NULL};

static int fd_follow(const struct proc_ctx *c, struct path *out)
{
    struct vfs_file *f = file_of(c->t, c->fd);

    if (!f)
        return -ENOENT;
    *out = f->path;
    path_get(out);
    file_put(f);
    return 0;
}

/* The permission bits of the link say how the file is open. */
static u32 fd_mode(const struct proc_ctx *c)
{
    struct vfs_file *f = file_of(c->t, c->fd);
    u32 mode = 0;

    if (f) {
        mode = (f->mode & FMODE_READ ? 0500 : 0) | (f->mode & FMODE_WRITE ? 0300 : 0);
        file_put(f);
    }
    return mode;
}

static int fdinfo_show(struct seq *s, const struct proc_ctx *c)
{
    struct vfs_file *f = file_of(c->t, c->fd);
    struct files *files;
    char line[128];

    if (!f)
        return -ENOENT;
    files = task_files_get(c->t);
    bool cloexec = files && files_is_cloexec(files, c->fd);
    files_put(files);
    seq_printf(s, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%lu\n", f->pos,
               f->flags | (cloexec ? O_CLOEXEC : 0), f->path.mnt->id, f->inode->attr.ino);
    for (unsigned n = 0; locks_show(f->inode, n, line, sizeof(line)); n++)
        seq_printf(s, "lock:\t%s\n", line);
    if (f->ops->show_fdinfo) {
        char *more = kmalloc(PAGE_SIZE);
        s64 len = more ? f->ops->show_fdinfo(f, more, PAGE_SIZE) : -ENOMEM;
        if (len > 0)
            seq_write(s, more, (size_t)MIN(len, (s64)PAGE_SIZE));
        kfree(more);
    }
    file_put(f);
    return 0;
}

static const struct proc_entry fd_entry = {
    .name = "fd",
    .mode = S_IFLNK | 0700,
    .flags = PROC_PTRACE,
    .follow = fd_follow,
    .link_mode = fd_mode,
};

static const struct proc_entry fdinfo_entry = {
    .name = "fdinfo",
    .mode = S_IFREG | 0444,
    .flags = PROC_PTRACE,
    .show = fdinfo_show,
};
