// SPDX-License-Identifier: Apache-2.0
//
// Character devices: from device numbers to drivers, and the names in /dev.

#include "sentry/fs/dev/dev.h"
#include "sentry/fs/internal.h"
#include "sentry/kernel/kernel.h"

#define MAX_DRIVERS 32
#define MAX_NODES   32

/* Filled at init, constant afterwards. */
static const struct chrdev *drivers[MAX_DRIVERS];
static unsigned ndrivers;
static struct dev_node {
    const char *name;
    u32 mode;
    u64 rdev;
} nodes[MAX_NODES] = {
    {"null", 0666, 0x103},   {"zero", 0666, 0x105},    {"full", 0666, 0x107},
    {"random", 0666, 0x108}, {"urandom", 0666, 0x109}, {"tty", 0666, 0x500},
};
static unsigned nnodes = 6;

void chrdev_register(const struct chrdev *c)
{
    BUG_ON(ndrivers == MAX_DRIVERS);
    drivers[ndrivers++] = c;
}

const struct chrdev *chrdev_nth(unsigned n)
{
    return n < ndrivers ? drivers[n] : NULL;
}

static const struct chrdev *find(u64 rdev)
{
    u32 major = dev_major(rdev), minor = dev_minor(rdev);

    for (unsigned i = 0; i < ndrivers; i++)
        if (drivers[i]->major == major && minor - drivers[i]->minor < drivers[i]->nminors)
            return drivers[i];
    return NULL;
}

bool chrdev_exists(u64 rdev)
{
    return find(rdev);
}

int chrdev_open(struct inode *ino, struct vfs_file *f)
{
    const struct chrdev *c = find(ino->attr.rdev);

    if (!c)
        return -ENXIO;
    f->ops = c->fops;
    return c->open ? c->open(ino, f) : 0;
}

int dev_make_node(const char *name, u32 mode, u64 rdev)
{
    if (nnodes == MAX_NODES)
        return -ENOSPC;
    nodes[nnodes++] = (struct dev_node){name, mode, rdev};
    return 0;
}

static int make_dirs(char *path)
{
    for (char *p = strchr(path + 5, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        int err = vfs_mkdir(AT_FDCWD, path, 0755);
        *p = '/';
        if (err && err != -EEXIST)
            return err;
    }
    return 0;
}

int dev_populate(void)
{
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
        {"pts/ptmx", "/dev/ptmx"},
    };
    static const char *const dirs[] = {"/dev/pts", "/dev/shm"};
    char path[64];

    for (unsigned i = 0; i < nnodes; i++) {
        snprintf_(path, sizeof(path), "/dev/%s", nodes[i].name);
        int err = make_dirs(path);
        if (!err)
            err = vfs_mknod(AT_FDCWD, path, S_IFCHR | nodes[i].mode, nodes[i].rdev, NULL);
        if (err && err != -EEXIST)
            return err;
    }
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        int err = vfs_symlink(links[i][0], AT_FDCWD, links[i][1]);
        if (err && err != -EEXIST)
            return err;
    }
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        int err = vfs_mkdir(AT_FDCWD, dirs[i], i ? 01777 : 0755);
        if (err && err != -EEXIST)
            return err;
    }
    return 0;
}
