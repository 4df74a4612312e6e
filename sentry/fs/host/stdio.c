// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors 0, 1 and 2 of a process that runsc starts: host streams, or a console.
 */
#include "sentry/fs/host/host.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

#define STDIO_CLOSED (~0u)

static int install(int want, struct vfs_file *f)
{
    int fd;

    if (IS_ERR(f))
        return (int)PTR_ERR(f);
    fd = fd_install_new(f, false);
    if (fd < 0)
        return fd;
    BUG_ON(fd != want);
    return 0;
}

/* A closed descriptor of the caller: hold its place while the others are installed. */
static struct vfs_file *placeholder(void)
{
    return vfs_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
}

static void drop(u32 fd)
{
    if (fd != STDIO_CLOSED)
        HOSTCALL(HC_FD_CLOSE, fd);
}

/* The container's terminal is its /dev/console, too; a container without a /dev has none. */
static int bind_console(const struct path *terminal)
{
    struct cred *root = cred_initial(), *mine;
    struct path at;
    int err;

    if (!root)
        return -ENOMEM;
    mine = cred_swap(root);
    err = vfs_mknod(AT_FDCWD, "/dev/console", S_IFREG | 0600, 0, NULL);
    if (!err || err == -EEXIST)
        err = path_lookup(AT_FDCWD, "/dev/console", LOOKUP_FOLLOW, &at);
    if (!err) {
        err = mount_bind(terminal, &at, false);
        path_put(&at);
    }
    cred_put(cred_swap(mine));
    return err;
}

/* By its name, so that ttyname(3) finds it; where there is no /dev/pts, without. */
static struct vfs_file *open_console(struct tty *t)
{
    char name[24];
    struct vfs_file *f;

    snprintf_(name, sizeof(name), "/dev/pts/%d", t->index);
    f = vfs_open(AT_FDCWD, name, O_RDWR, 0);
    if (IS_ERR(f) || f->private == t)
        return IS_ERR(f) ? devpts_open(t, O_RDWR) : f;
    file_put(f); /* something else of that name */
    return devpts_open(t, O_RDWR);
}

static int console_stdio(const struct process_info *info, bool first, struct tty **console)
{
    struct tty *t = console_create(info->stdio[0], info->stdio[1], !first);
    int err = 0;

    drop(info->stdio[2]); /* the same terminal once more */
    if (!t) {
        drop(info->stdio[0]);
        drop(info->stdio[1]);
        return -ENOMEM;
    }
    *console = t;
    for (int i = 0; i < 3 && !err; i++) {
        struct vfs_file *f = open_console(t);

        if (!i && first && !IS_ERR(f) && bind_console(&f->path))
            log_info("no /dev/console");
        err = install(i, f);
    }
    return err;
}

int stdio_init(const struct process_info *info, bool first, struct tty **console)
{
    u32 flags[3] = {O_RDONLY, O_WRONLY, O_WRONLY};
    int err = 0;

    *console = NULL;
    if (info->console)
        return console_stdio(info, first, console);
    for (int i = 0; i < 3; i++) {
        u32 fd = info->stdio[i];
        struct vfs_file *f;

        if (err) {
            drop(fd);
            continue;
        }
        f = fd == STDIO_CLOSED ? placeholder() : host_file_new(fd, flags[i]);
        if (IS_ERR(f))
            drop(fd);
        else if (fd != STDIO_CLOSED)
            host_file_own(f, info->uid, info->gid);
        err = install(i, f);
    }
    for (int i = 0; i < 3 && !err; i++)
        if (info->stdio[i] == STDIO_CLOSED)
            err = fd_close(i);
    return err;
}
