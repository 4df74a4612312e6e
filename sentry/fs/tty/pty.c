// SPDX-License-Identifier: Apache-2.0
/*
 * Pseudo-terminals: pty(7). The slave is a struct tty; the master reads what the slave's side
 * writes and types into its line discipline. devpts shows the slaves.
 */
#include "sentry/fs/dev/dev.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/task.h"

#define PTY_MAX      1024
#define PTY_BUFFER   8192
#define DEVPTS_MAGIC 0x1cd1
#define PTMX_RDEV    ((5u << 8) | 2)

/* The master's half. Owned by the master's file; guarded by tty->lock. */
struct pty {
    struct tty *tty; /* reference */
    u8 out[PTY_BUFFER];
    u32 head, tail;
    struct waitq wait; /* readers of the master */
    bool master_open;
    refcount_t refs; /* master's file, tty */
};

/* Slaves by number; each entry is a reference. */
static struct spinlock slaves_lock = SPINLOCK_INIT;
static struct tty *slaves[PTY_MAX];
static struct super *devpts;

int devpts_add(struct tty *t)
{
    int i, first = t->index;

    spin_lock(&slaves_lock);
    for (i = first; i < PTY_MAX && slaves[i]; i++)
        ;
    if (i < PTY_MAX) {
        t->index = i;
        t->rdev = ((u64)PTS_MAJOR << 8) | ((u64)i & 0xff) | ((u64)i & ~0xffull) << 12;
        ref_get(&t->refs);
        slaves[i] = t;
    }
    spin_unlock(&slaves_lock);
    return i < PTY_MAX ? 0 : -ENOSPC;
}

void devpts_remove(struct tty *t)
{
    bool mine;

    spin_lock(&slaves_lock);
    mine = slaves[t->index] == t;
    if (mine)
        slaves[t->index] = NULL;
    spin_unlock(&slaves_lock);
    if (mine)
        tty_put(t);
}

static struct tty *slave_get(u32 index)
{
    struct tty *t;

    spin_lock(&slaves_lock);
    t = index < PTY_MAX ? slaves[index] : NULL;
    if (t)
        ref_get(&t->refs);
    spin_unlock(&slaves_lock);
    return t;
}

/* ---- the slave's device: its output is the master's input ---- */

static size_t pty_slave_write(struct tty *t, const char *buf, size_t n)
{
    struct pty *p = t->driver_data;
    size_t room = PTY_BUFFER - (p->tail - p->head), k = MIN(n, room);

    if (!buf)
        return k;
    if (!p->master_open)
        return n;
    if (n == 2 && k < 2)
        return 0; /* "\r\n" goes as a whole */
    for (size_t i = 0; i < k; i++)
        p->out[(p->tail + i) % PTY_BUFFER] = (u8)buf[i];
    p->tail += (u32)k;
    if (k)
        waitq_wake(&p->wait, POLLIN | POLLRDNORM, ~0u);
    return k;
}

static void pty_put(struct pty *p)
{
    if (ref_put(&p->refs))
        kfree(p);
}

static void pty_slave_destroy(struct tty *t)
{
    pty_put(t->driver_data);
}

static void packet_event(struct tty *t, u8 status)
{
    struct pty *p = t->driver_data;

    if (!t->packet)
        return;
    t->packet_status |= status;
    waitq_wake(&p->wait, POLLIN | POLLPRI, ~0u);
}

static void pty_termios(struct tty *t, const struct termios2 *old)
{
    bool was = (old->c_iflag & IXON) && old->c_cc[VSTOP] == 19 && old->c_cc[VSTART] == 17;
    bool is = (t->termios.c_iflag & IXON) && t->termios.c_cc[VSTOP] == 19 &&
              t->termios.c_cc[VSTART] == 17;

    if (was != is)
        packet_event(t, is ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
}

static void pty_slave_closed(struct tty *t)
{
    struct pty *p = t->driver_data;

    waitq_wake(&p->wait, POLLIN | POLLHUP, ~0u);
}

static const struct tty_driver pty_driver = {
    .write = pty_slave_write,
    .closed = pty_slave_closed,
    .termios_changed = pty_termios,
    .destroy = pty_slave_destroy,
};

/* ---- the master's file ---- */

/* The slave was opened and closed again: the master reads EIO until somebody opens it. */
static bool no_slave(const struct tty *t)
{
    return t->was_opened && !t->opens;
}

static bool master_readable(struct pty *p)
{
    struct tty *t = p->tty;

    return p->tail != p->head || (t->packet && t->packet_status) || no_slave(t);
}

static bool master_ready(struct pty *p)
{
    bool ready;

    mutex_lock(&p->tty->lock);
    ready = master_readable(p);
    mutex_unlock(&p->tty->lock);
    return ready;
}

/* The next bytes for the master into out. Lock held. */
static size_t master_take(struct pty *p, u8 *out, size_t n)
{
    struct tty *t = p->tty;
    size_t got = 0;

    if (t->packet) {
        out[got++] = t->packet_status;
        if (t->packet_status) {
            t->packet_status = 0;
            return got;
        }
    }
    while (got < n && p->head != p->tail)
        out[got++] = p->out[p->head++ % PTY_BUFFER];
    waitq_wake(&t->write_wait, POLLOUT | POLLWRNORM, ~0u);
    return got;
}

static s64 master_read(struct vfs_file *f, struct uio *to, u64 *pos)
{
    struct pty *p = f->private;
    struct tty *t = p->tty;
    u8 chunk[512];
    int err;

    if (!to->left)
        return 0;
    for (;;) {
        size_t n = 0;
        bool hung_up;

        mutex_lock(&t->lock);
        if (p->tail != p->head || (t->packet && t->packet_status))
            n = master_take(p, chunk, MIN(to->left, (u64)sizeof(chunk)));
        hung_up = no_slave(t);
        mutex_unlock(&t->lock);
        if (n)
            return copy_to_uio(to, chunk, n) == n ? (s64)n : -EFAULT;
        if (hung_up)
            return -EIO;
        if (to->nowait)
            return -EAGAIN;
        err = wait_event(&p->wait, master_ready(p));
        if (err)
            return err;
    }
}

static bool slave_takes_input(struct tty *t)
{
    return t->tail - t->head < TTY_INPUT_SIZE - 1;
}

static s64 master_write(struct vfs_file *f, struct uio *from, u64 *pos)
{
    struct pty *p = f->private;
    struct tty *t = p->tty;
    u8 chunk[512];
    s64 total = 0;
    int err = 0;

    while (!err && from->left) {
        size_t n = MIN(from->left, (u64)sizeof(chunk)), done = 0;

        if (copy_from_uio(chunk, from, n) != n) {
            err = -EFAULT;
            break;
        }
        while (!err && done < n) {
            size_t k;

            mutex_lock(&t->lock);
            k = tty_receive(t, chunk + done, n - done);
            mutex_unlock(&t->lock);
            done += k;
            if (done < n)
                err = from->nowait ? -EAGAIN : wait_event(&t->write_wait, slave_takes_input(t));
        }
        total += (s64)done;
    }
    return total ? total : err;
}

static u32 master_poll(struct vfs_file *f, struct poll_table *pt)
{
    struct pty *p = f->private;
    struct tty *t = p->tty;
    u32 mask = 0;

    poll_wait(pt, &p->wait);
    poll_wait(pt, &t->write_wait);
    mutex_lock(&t->lock);
    if (p->tail != p->head)
        mask |= POLLIN | POLLRDNORM;
    if (t->packet && t->packet_status)
        mask |= POLLIN | POLLRDNORM | POLLPRI;
    if (no_slave(t))
        mask |= POLLHUP;
    if (slave_takes_input(t))
        mask |= POLLOUT | POLLWRNORM;
    mutex_unlock(&t->lock);
    return mask;
}

static s64 open_peer(struct pty *p, u64 flags)
{
    char name[32];
    struct vfs_file *f;

    snprintf_(name, sizeof(name), "/dev/pts/%d", p->tty->index);
    f = vfs_open(AT_FDCWD, name, (u32)flags, 0);
    return IS_ERR(f) ? PTR_ERR(f) : fd_install_new(f, flags & O_CLOEXEC);
}

static s64 master_ioctl(struct vfs_file *f, u32 cmd, u64 arg)
{
    struct pty *p = f->private;
    struct tty *t = p->tty;
    int v, err;

    switch (cmd) {
    case TIOCGPTN:
        return put_user((u32)t->index, arg);
    case TIOCSPTLCK:
        err = get_user(v, arg);
        if (!err)
            t->locked = v != 0;
        return err;
    case TIOCGPTLCK:
        v = t->locked;
        return put_user(v, arg);
    case TIOCGPTPEER:
        return open_peer(p, arg);
    case TIOCPKT:
        err = get_user(v, arg);
        if (err)
            return err;
        mutex_lock(&t->lock);
        t->packet = v != 0;
        t->packet_status = 0;
        mutex_unlock(&t->lock);
        return 0;
    case TIOCGPKT:
        v = t->packet;
        return put_user(v, arg);
    case FIONREAD:
        v = (int)(p->tail - p->head);
        return put_user(v, arg);
    case TIOCSIG:
        if (arg < 1 || arg > NSIGNALS)
            return -EINVAL;
        tty_signal(t, (int)arg);
        return 0;
    case TIOCGPGRP:
        return put_user(t->pgrp, arg);
    case TIOCSCTTY:
    case TIOCNOTTY:
        return -ENOTTY;
    default:
        return tty_ioctl(t, cmd, arg);
    }
}

static void master_release(struct vfs_file *f)
{
    struct pty *p = f->private;
    struct tty *t = p->tty;

    mutex_lock(&t->lock);
    p->master_open = false;
    mutex_unlock(&t->lock);
    devpts_remove(t);
    tty_hangup(t);
    tty_put(t);
    pty_put(p);
}

static const struct file_ops master_ops = {
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .ioctl = master_ioctl,
    .release = master_release,
};

int ptmx_open(struct inode *ino, struct vfs_file *f)
{
    struct pty *p = kzalloc(sizeof(*p));
    int err = -ENOMEM;

    if (!p)
        return -ENOMEM;
    ref_init(&p->refs, 2);
    waitq_init(&p->wait);
    p->master_open = true;
    p->tty = tty_new(&pty_driver, p, 0, 0);
    if (!p->tty) {
        kfree(p);
        return -ENOMEM;
    }
    p->tty->locked = true;
    err = devpts_add(p->tty);
    if (err) {
        tty_put(p->tty);
        pty_put(p);
        return err;
    }
    f->private = p;
    f->ops = &master_ops;
    f->mode |= FMODE_STREAM;
    return 0;
}

/* ---- devpts ---- */

static int slave_open(struct inode *ino, struct vfs_file *f)
{
    struct tty *t = slave_get((u32)(u64)ino->private);
    int err = t ? tty_open(t, f) : -EIO;

    tty_put(t);
    return err;
}

static const struct inode_ops slave_inode_ops = {.open = slave_open};
static const struct inode_ops ptmx_inode_ops = {.open = ptmx_open};

static bool parse_index(const char *name, size_t len, u32 *out)
{
    u32 v = 0;

    if (!len || len > 4 || (name[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        v = v * 10 + (u32)(name[i] - '0');
    }
    *out = v;
    return v < PTY_MAX;
}

static int devpts_lookup(struct inode *dir, struct dentry *d)
{
    struct inode *ino;
    struct tty *t;
    u32 index;

    if (d->name_len == 4 && !memcmp(d->name, "ptmx", 4)) {
        ino = inode_new(dir->sb, &ptmx_inode_ops, NULL, S_IFCHR | 0666);
        if (!ino)
            return -ENOMEM;
        ino->attr.rdev = PTMX_RDEV;
        dentry_instantiate(d, ino);
        return 0;
    }
    if (!parse_index(d->name, d->name_len, &index))
        return 0;
    t = slave_get(index);
    if (!t)
        return 0;
    ino = inode_new(dir->sb, &slave_inode_ops, NULL, S_IFCHR | 0620);
    if (ino) {
        ino->private = (void *)(u64)index;
        ino->attr.rdev = t->rdev;
        ino->attr.ino = index + 3;
        ino->attr.gid = 5; /* tty */
        ino->attr.uid = current->cred ? current->cred->fsuid : 0;
        dentry_instantiate(d, ino);
    }
    tty_put(t);
    return ino ? 0 : -ENOMEM;
}

/* A slave's name is good while a slave of that number exists; a missing name is looked up anew. */
static bool devpts_revalidate(struct dentry *d)
{
    u32 index;
    bool there;

    if (d->name_len == 4 && !memcmp(d->name, "ptmx", 4))
        return true;
    if (!parse_index(d->name, d->name_len, &index))
        return true;
    spin_lock(&slaves_lock);
    there = slaves[index] != NULL;
    spin_unlock(&slaves_lock);
    return there == (d->inode != NULL);
}

static const struct inode_ops devpts_dir_ops = {
    .lookup = devpts_lookup,
    .revalidate = devpts_revalidate,
};

static int devpts_readdir(struct vfs_file *f, struct dir_emitter *e)
{
    char name[8];

    if (f->pos == 0 && !e->emit(e, ".", 1, 1, 4, ++f->pos))
        return 0;
    if (f->pos == 1 && !e->emit(e, "..", 2, 1, 4, ++f->pos))
        return 0;
    if (f->pos == 2 && !e->emit(e, "ptmx", 4, 2, 2, ++f->pos))
        return 0;
    while (f->pos - 3 < PTY_MAX) {
        u32 i = (u32)f->pos - 3;
        bool there;
        int n;

        spin_lock(&slaves_lock);
        there = slaves[i] != NULL;
        spin_unlock(&slaves_lock);
        f->pos++;
        if (!there)
            continue;
        n = snprintf_(name, sizeof(name), "%u", i);
        if (!e->emit(e, name, (size_t)n, i + 3, 2, f->pos)) {
            f->pos--;
            return 0;
        }
    }
    return 0;
}

static const struct file_ops devpts_dir_fops = {.readdir = devpts_readdir};

static int devpts_statfs(struct super *sb, struct statfs *st)
{
    *st = (struct statfs){.f_type = DEVPTS_MAGIC, .f_bsize = PAGE_SIZE, .f_namelen = NAME_MAX};
    return 0;
}

static const struct super_ops devpts_super_ops = {.statfs = devpts_statfs};

/* One instance: every mount of devpts shows the same slaves. */
static struct super *devpts_mount(const char *source, u32 flags, const void *data)
{
    struct inode *root;

    if (devpts) {
        ref_get(&devpts->refs);
        return devpts;
    }
    devpts = super_new("devpts", &devpts_super_ops, DEVPTS_MAGIC);
    if (!devpts)
        return ERR_PTR(-ENOMEM);
    root = inode_new(devpts, &devpts_dir_ops, &devpts_dir_fops, S_IFDIR | 0755);
    if (!root)
        return ERR_PTR(-ENOMEM);
    root->attr.nlink = 2;
    devpts->root = dentry_new_root(devpts, root);
    if (!devpts->root)
        return ERR_PTR(-ENOMEM);
    ref_get(&devpts->refs);
    return devpts;
}

struct vfs_file *devpts_open(struct tty *t, u32 flags)
{
    static struct mount *hidden; /* for containers without a /dev/pts; in no tree */
    struct super *sb = devpts_mount(NULL, 0, "");
    struct vfs_file *f;
    struct path at;
    char name[8];
    int n = snprintf_(name, sizeof(name), "%d", t->index);

    if (IS_ERR(sb))
        return ERR_PTR(PTR_ERR(sb));
    if (!hidden)
        hidden = mount_new(sb, 0, "devpts");
    super_put(sb);
    if (!hidden)
        return ERR_PTR(-ENOMEM);
    at = (struct path){hidden, dentry_child(hidden->root, name, (size_t)n)};
    if (IS_ERR(at.dentry))
        return ERR_PTR(PTR_ERR(at.dentry));
    f = at.dentry->inode ? vfs_open_path(&at, flags) : ERR_PTR(-ENOENT);
    dentry_put(at.dentry);
    return f;
}

/* /dev/tty: the caller's controlling terminal, whichever it is. */
static int dev_tty_open(struct inode *ino, struct vfs_file *f)
{
    struct tty *t = tty_current_get();
    int err = t ? tty_open(t, f) : -ENXIO;

    tty_put(t);
    return err;
}

static const struct chrdev dev_tty = {
    .name = "/dev/tty", .major = 5, .minor = 0, .nminors = 1, .open = dev_tty_open};
static const struct chrdev dev_ptmx = {
    .name = "/dev/ptmx", .major = 5, .minor = 2, .nminors = 1, .open = ptmx_open};

static const struct fs_type devpts_type = {.name = "devpts", .mount = devpts_mount};

void devpts_init(void)
{
    fs_register(&devpts_type);
    chrdev_register(&dev_tty);
    chrdev_register(&dev_ptmx);
}
