// SPDX-License-Identifier: Apache-2.0
//
// proc: the mount tables of /proc/PID.

#include "sentry/fs/internal.h"
#include "sentry/fs/proc/proc.h"

#define SPECIAL " \t\n\\#"

static void put_flags(struct seq *s, u32 flags)
{
    seq_puts(s, flags & MS_RDONLY ? "ro" : "rw");
    if (flags & MS_NOSUID)
        seq_puts(s, ",nosuid");
    if (flags & MS_NODEV)
        seq_puts(s, ",nodev");
    if (flags & MS_NOEXEC)
        seq_puts(s, ",noexec");
    seq_puts(s, flags & MS_NOATIME ? ",noatime" : ",relatime");
}

/* Where m is, seen from root; NULL: outside. */
static char *place(struct mount *m, const struct path *root, char *buf, size_t size)
{
    struct path p = {m, m->root};
    int what;
    char *s = path_text(&p, root, buf, size, &what);

    return IS_ERR(s) || what ? NULL : s;
}

typedef void (*mount_line)(struct seq *s, struct mount *m, const char *where);

static int each_mount(struct seq *s, const struct proc_ctx *c, mount_line line)
{
    struct fs_context *fs = task_fs_get(c->t);
    char *buf = kmalloc(PATH_MAX);
    struct mount *m;

    if (!fs || !buf) {
        fs_context_put(fs);
        kfree(buf);
        return fs ? -ENOMEM : -EINVAL;
    }
    for (unsigned n = 0; (m = mount_nth(n)); n++) {
        char *where = place(m, &fs->root, buf, PATH_MAX);
        if (where)
            line(s, m, where);
        mount_put(m);
    }
    kfree(buf);
    fs_context_put(fs);
    return 0;
}

static void mounts_line(struct seq *s, struct mount *m, const char *where)
{
    seq_escaped(s, m->source, SPECIAL);
    seq_putc(s, ' ');
    seq_escaped(s, where, SPECIAL);
    seq_printf(s, " %s ", m->sb->type);
    put_flags(s, m->flags | (m->sb->flags & MS_RDONLY));
    seq_puts(s, " 0 0\n");
}

static void mountinfo_line(struct seq *s, struct mount *m, const char *where)
{
    char buf[256];
    struct mount top = {.sb = m->sb, .root = m->sb->root};
    struct path in_fs = {&top, m->root}, root = {&top, m->sb->root};
    int what;
    char *sub = path_text(&in_fs, &root, buf, sizeof(buf), &what);

    seq_printf(s, "%d %d %u:%u ", m->id, m->parent ? m->parent->id : m->id - 1,
               dev_major(m->sb->dev), dev_minor(m->sb->dev));
    seq_escaped(s, IS_ERR(sub) ? "/" : sub, SPECIAL);
    seq_putc(s, ' ');
    seq_escaped(s, where, SPECIAL);
    seq_putc(s, ' ');
    put_flags(s, m->flags);
    seq_printf(s, " - %s ", m->sb->type);
    seq_escaped(s, m->source, SPECIAL);
    seq_puts(s, m->sb->flags & MS_RDONLY ? " ro\n" : " rw\n");
}

static void mountstats_line(struct seq *s, struct mount *m, const char *where)
{
    seq_puts(s, "device ");
    seq_escaped(s, m->source, SPECIAL);
    seq_puts(s, " mounted on ");
    seq_escaped(s, where, SPECIAL);
    seq_printf(s, " with fstype %s\n", m->sb->type);
}

int proc_show_mounts(struct seq *s, const struct proc_ctx *c)
{
    return each_mount(s, c, mounts_line);
}

int proc_show_mountinfo(struct seq *s, const struct proc_ctx *c)
{
    return each_mount(s, c, mountinfo_line);
}

int proc_show_mountstats(struct seq *s, const struct proc_ctx *c)
{
    return each_mount(s, c, mountstats_line);
}
