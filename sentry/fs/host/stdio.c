// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors 0, 1 and 2 of the container's first process: host streams, or the console.
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

static int console_stdio(void)
{
    struct tty *console = console_create(boot.process.stdio[0], boot.process.stdio[1]);
    int err = 0;

    if (!console)
        return -ENOMEM;
    err = devpts_add(console);
    if (err)
        return err;
    host_events_set_console(console);
    for (int i = 0; i < 3 && !err; i++)
        err = install(i, vfs_open(AT_FDCWD, "/dev/pts/0", O_RDWR, 0));
    return err;
}

int stdio_init(struct files *files)
{
    u32 flags[3] = {O_RDONLY, O_WRONLY, O_WRONLY};
    int err = 0;

    if (boot.process.console)
        return console_stdio();
    for (int i = 0; i < 3 && !err; i++) {
        u32 fd = boot.process.stdio[i];
        err = install(i, fd == STDIO_CLOSED ? placeholder() : host_file_new(fd, flags[i]));
    }
    for (int i = 0; i < 3 && !err; i++)
        if (boot.process.stdio[i] == STDIO_CLOSED)
            err = fd_close(i);
    return err;
}
