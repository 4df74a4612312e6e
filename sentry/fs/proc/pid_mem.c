// SPDX-License-Identifier: Apache-2.0
//
// proc: what is in a process' address space: maps, smaps, mem, cmdline, environ, auxv.

#include "sentry/fs/internal.h"
#include "sentry/fs/proc/proc.h"

#define NAME_COLUMN 73
#define CMDLINE_MAX (128 * 1024)

/* ---- maps ---- */

static void put_name(struct seq *s, size_t start, struct vma *v, char *buf)
{
    const char *name = vma_name(v);

    if (!name && v->file) {
        char *path = path_to_string(&v->file->path, buf, PATH_MAX);
        name = IS_ERR(path) ? "?" : path;
    }
    if (name) {
        seq_pad(s, start, NAME_COLUMN);
        seq_escaped(s, name, "\n");
    }
    seq_putc(s, '\n');
}

static void put_vma(struct seq *s, struct vma *v, char *buf)
{
    const struct inode *i = v->file ? v->file->inode : NULL;
    u64 dev = i ? i->sb->dev : 0;
    size_t start = s->len;

    seq_printf(s, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
               v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
               v->prot & PROT_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p',
               i ? v->pgoff << PAGE_SHIFT : 0, dev_major(dev), dev_minor(dev), i ? i->attr.ino : 0);
    put_name(s, start, v, buf);
}

/* Pages of one vma by kind. */
struct usage {
    u64 size, rss, anon, clean, dirty;
};

static void count_usage(struct vma *v, struct usage *u)
{
    int level;

    u->size += v->end - v->start;
    spin_lock(&v->mm->pt_lock);
    for (uva_t a = v->start; a < v->end;) {
        pte_t *e = pt_walk(v->mm, a, 0, &level);
        u64 step = e && level == 2 ? HUGE_SIZE - (a & (HUGE_SIZE - 1)) : PAGE_SIZE;
        if (!e) /* no table: on to where the next one would begin */
            step = HUGE_SIZE - (a & (HUGE_SIZE - 1));
        step = MIN(step, v->end - a);
        if (e && (*e & PTE_P)) {
            u->rss += step;
            if (!(*e & PTE_FILE))
                u->anon += step;
            if (*e & (PTE_D | PTE_W))
                u->dirty += step;
            else
                u->clean += step;
        }
        a += step;
    }
    spin_unlock(&v->mm->pt_lock);
}

static void put_usage(struct seq *s, const struct usage *u, bool shared)
{
    seq_printf(s, "Rss:            %8lu kB\nPss:            %8lu kB\n", u->rss >> 10, u->rss >> 10);
    seq_printf(s, "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\n", shared ? u->clean >> 10 : 0,
               shared ? u->dirty >> 10 : 0);
    seq_printf(s, "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n", shared ? 0 : u->clean >> 10,
               shared ? 0 : u->dirty >> 10);
    seq_printf(s, "Referenced:     %8lu kB\nAnonymous:      %8lu kB\n", u->rss >> 10,
               u->anon >> 10);
    seq_puts(s, "AnonHugePages:         0 kB\nShared_Hugetlb:        0 kB\n"
                "Private_Hugetlb:       0 kB\nSwap:                  0 kB\n"
                "SwapPss:               0 kB\nLocked:                0 kB\n");
}

static void put_smap(struct seq *s, struct vma *v, char *buf)
{
    struct usage u = {0};

    put_vma(s, v, buf);
    count_usage(v, &u);
    seq_printf(
        s, "Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
        u.size >> 10);
    put_usage(s, &u, v->flags & VMA_SHARED);
    seq_printf(s, "VmFlags:%s%s%s%s mr mw me%s\n", v->prot & PROT_READ ? " rd" : "",
               v->prot & PROT_WRITE ? " wr" : "", v->prot & PROT_EXEC ? " ex" : "",
               v->flags & VMA_SHARED ? " sh" : "", v->flags & VMA_GROWSDOWN ? " gd" : "");
}

static int each_vma(struct seq *s, const struct proc_ctx *c,
                    void (*put)(struct seq *s, struct vma *v, char *buf))
{
    struct mm *mm = task_mm_get(c->t);
    char *buf = kmalloc(PATH_MAX);
    struct vma *v;

    if (mm && buf) {
        down_read(&mm->lock);
        list_for_each (v, &mm->vmas, link) {
            put(s, v, buf);
        }
        up_read(&mm->lock);
    }
    if (mm)
        mm_put(mm);
    kfree(buf);
    return buf ? 0 : -ENOMEM;
}

int proc_show_maps(struct seq *s, const struct proc_ctx *c)
{
    return each_vma(s, c, put_vma);
}

int proc_show_smaps(struct seq *s, const struct proc_ctx *c)
{
    return each_vma(s, c, put_smap);
}

int proc_show_smaps_rollup(struct seq *s, const struct proc_ctx *c)
{
    struct mm *mm = task_mm_get(c->t);
    struct usage u = {0};
    uva_t first = 0, last = 0;
    struct vma *v;

    if (!mm)
        return -ESRCH;
    down_read(&mm->lock);
    list_for_each (v, &mm->vmas, link) {
        first = first ? first : v->start;
        last = v->end;
        count_usage(v, &u);
    }
    up_read(&mm->lock);
    mm_put(mm);
    seq_printf(s, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n", first,
               last);
    put_usage(s, &u, false);
    return 0;
}

/* ---- strings of the program ---- */

/* Append [start, end) of the task's memory, as far as it is readable. */
static int put_range(struct seq *s, struct mm *mm, uva_t start, uva_t end)
{
    char *buf = kmalloc(PAGE_SIZE);
    u64 left = end > start ? MIN(end - start, (u64)CMDLINE_MAX) : 0;

    if (!buf)
        return -ENOMEM;
    while (left) {
        s64 n = mm_access(mm, start, buf, MIN(left, PAGE_SIZE), false, true);
        if (n <= 0)
            break;
        seq_write(s, buf, (size_t)n);
        start += (u64)n;
        left -= (u64)n;
    }
    kfree(buf);
    return 0;
}

int proc_show_cmdline(struct seq *s, const struct proc_ctx *c)
{
    struct mm *mm = task_mm_get(c->t);

    if (!mm)
        return 0; /* zombies and threads of the Sentry have none */
    int err = put_range(s, mm, mm->arg_start, mm->arg_end);
    /* setproctitle(3): the arguments were overwritten and go on into the environment. */
    if (!err && s->len && s->buf[s->len - 1]) {
        err = put_range(s, mm, mm->env_start, mm->env_end);
        size_t n = strnlen(s->buf, s->len);
        s->len = MIN(n + 1, s->len);
    }
    mm_put(mm);
    return err;
}

int proc_show_environ(struct seq *s, const struct proc_ctx *c)
{
    struct mm *mm = task_mm_get(c->t);

    if (!mm)
        return 0;
    int err = put_range(s, mm, mm->env_start, mm->env_end);
    mm_put(mm);
    return err;
}

int proc_show_auxv(struct seq *s, const struct proc_ctx *c)
{
    struct mm *mm = task_mm_get(c->t);

    if (!mm)
        return 0;
    seq_write(s, mm->auxv, MIN((size_t)mm->auxv_len, sizeof(mm->auxv)));
    mm_put(mm);
    return 0;
}

/* ---- mem ---- */

static s64 mem_move(struct vfs_file *f, struct uio *u, u64 *pos, bool write)
{
    struct task *t = proc_task(f->inode->private);
    struct mm *mm = t && !proc_may_access(t) ? task_mm_get(t) : NULL;
    char *buf = kmalloc(PAGE_SIZE);
    s64 done = 0, n = 0;

    if (t)
        task_put(t);
    while (mm && buf && u->left) {
        u64 part = MIN(u->left, PAGE_SIZE - (*pos & ~PAGE_MASK));
        if (write && copy_from_uio(buf, u, part) < part)
            n = -EFAULT;
        else
            n = mm_access(mm, *pos, buf, part, write, true);
        if (n <= 0) {
            n = -EIO;
            break;
        }
        if (!write && copy_to_uio(u, buf, (u64)n) < (u64)n) {
            n = -EFAULT;
            break;
        }
        done += n;
        *pos += (u64)n;
    }
    if (mm)
        mm_put(mm);
    kfree(buf);
    return done ? done : buf ? n : -ENOMEM;
}

static s64 mem_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    return mem_move(f, to, pos, false);
}

static s64 mem_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    return mem_move(f, from, pos, true);
}

static s64 mem_lseek(struct vfs_file *f, s64 off, int whence)
{
    if (whence == SEEK_CUR)
        off += (s64)f->pos;
    else if (whence != SEEK_SET)
        return -EINVAL;
    f->pos = (u64)off;
    return off;
}

const struct file_ops proc_mem_fops = {
    .read = mem_read,
    .write = mem_write,
    .lseek = mem_lseek,
};
