// SPDX-License-Identifier: Apache-2.0
/*
 * The gofer's view of the host: a read-only tmpfs with nothing in it but the container's mounts,
 * which are called 0, 1, 2, ... All mounts are nodev and nosuid, and read-only where the
 * configuration says so.
 *
 * Below the root of `runsc do` there are mounts of the host's kernel (proc, sysfs, device and
 * control group file systems). The Sentry has its own of these, and a gofer that has been taken
 * over should not find the host's: they are taken away or covered.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "gofer/server.h"

/* <sys/mount.h> and <linux/mount.h> do not go together in all C libraries. */
#define UMOUNT_DETACH    2
#define UMOUNT_NO_FOLLOW 8
int umount2(const char *target, int flags);

/* A name under which something of the host's kernel is mounted below a root. Freed when confined.
 */
struct hidden {
    struct hidden *next;
    size_t mount;
    char path[]; /* relative to the root */
};

static int fail(struct server *s, const char *what, const char *arg)
{
    int err = errno;
    complain(s, "gofer: %s %s: %s", what, arg, strerror(err));
    return -err;
}

/* ---- which mounts to hide ---- */

static bool is_kernel_fs(const char *type)
{
    static const char *const types[] = {
        "proc",      "sysfs",   "devtmpfs",    "devpts",     "cgroup", "cgroup2", "mqueue",
        "debugfs",   "tracefs", "configfs",    "securityfs", "bpf",    "pstore",  "efivarfs",
        "selinuxfs", "fusectl", "binfmt_misc", "hugetlbfs",  "nsfs",   "autofs",  "rpc_pipefs",
        "resctrl",   "nfsd",    "smackfs",     "apparmorfs",
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

/* Undo the octal escapes of mountinfo in place. */
static void unescape(char *s)
{
    char *out = s;

    for (; *s; s++) {
        unsigned c;
        if (s[0] == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
            *out++ = c;
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

/* The part of path below root (both absolute, without links), or NULL. */
static const char *below(const char *root, const char *path)
{
    size_t n = strlen(root);

    if (n == 1) /* "/" */
        return path[1] ? path + 1 : NULL;
    return strncmp(path, root, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static int hide_below(struct server *s, char **roots, const char *point, struct hidden **list)
{
    for (size_t i = 0; i < s->cfg->nmounts; i++) {
        const char *rel = below(roots[i], point);
        struct hidden *h;

        if (!rel)
            continue;
        h = malloc(sizeof(*h) + strlen(rel) + 1);
        if (!h)
            return -ENOMEM;
        h->mount = i;
        strcpy(h->path, rel);
        /* The newest first: what is mounted on top of another mount goes before it. */
        h->next = *list;
        *list = h;
    }
    return 0;
}

static int find_hidden(struct server *s, char **roots, struct hidden **list)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL, *point, *type;
    size_t size = 0;
    int err = 0;

    if (!f)
        return fail(s, "cannot read", "/proc/self/mountinfo");
    while (!err && getline(&line, &size, f) > 0) {
        /* id parent major:minor root POINT options ... - TYPE source options */
        type = strstr(line, " - ");
        point = line;
        for (int i = 0; i < 4 && point; i++)
            point = strchr(point + 1, ' ');
        if (!type || !point)
            continue;
        point++;
        point[strcspn(point, " ")] = '\0';
        type += 3;
        type[strcspn(type, " ")] = '\0';
        unescape(point);
        if (is_kernel_fs(type))
            err = hide_below(s, roots, point, list);
    }
    free(line);
    fclose(f);
    return err;
}

/* ---- building the view ---- */

static int write_text(int dirfd, const char *path, const char *text)
{
    int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int set_attributes(int dirfd, const char *path, unsigned flags, u64 attrs)
{
    struct mount_attr attr = {.attr_set = attrs, .propagation = 1ul << 18 /* MS_PRIVATE */};
    return syscall(SYS_mount_setattr, dirfd, path, flags, &attr, sizeof(attr));
}

static int enter_namespaces(struct server *s)
{
    const struct gofer_config *cfg = s->cfg;
    unsigned uid = geteuid(), gid = getegid();
    char map[64];

    if (cfg->user_namespace) {
        if (unshare(CLONE_NEWUSER) < 0)
            return fail(s, "cannot make", "a user namespace");
        snprintf(map, sizeof(map), "%u %u 1", cfg->uid, uid);
        if (write_text(AT_FDCWD, "/proc/self/uid_map", map) < 0)
            return fail(s, "cannot write", "uid_map");
        if (write_text(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
            return fail(s, "cannot write", "setgroups");
        snprintf(map, sizeof(map), "%u %u 1", cfg->gid, gid);
        if (write_text(AT_FDCWD, "/proc/self/gid_map", map) < 0)
            return fail(s, "cannot write", "gid_map");
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
        return fail(s, "cannot make", "namespaces");
    /* Nothing that is mounted or unmounted from here on is seen outside. */
    if (set_attributes(AT_FDCWD, "/", AT_RECURSIVE, 0) < 0)
        return fail(s, "cannot make private", "/");
    return 0;
}

/* A new tmpfs that is mounted nowhere; descriptor or -1. */
static int new_tmpfs(void)
{
    int fs = syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    int mnt = -1;

    if (fs < 0)
        return -1;
    if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0755", 0) == 0 &&
        syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
                      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    close(fs);
    return mnt;
}

static int move_to(int mnt, int dirfd, const char *path)
{
    return syscall(SYS_move_mount, mnt, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH);
}

/* Make mount i of the configuration appear as stage/<i>. */
static int stage_mount(struct server *s, int stage, size_t i, int tree)
{
    const struct gofer_mount *m = &s->cfg->mounts[i];
    struct root *r = &s->roots[i];
    u64 attrs = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | (m->readonly ? MOUNT_ATTR_RDONLY : 0);
    struct stat st;
    int err;

    if (fstat(tree, &st) < 0)
        return fail(s, "cannot look at", m->source);
    snprintf(r->name, sizeof(r->name), "%zu", i);
    err = S_ISDIR(st.st_mode) ? mkdirat(stage, r->name, 0700)
                              : mknodat(stage, r->name, S_IFREG | 0600, 0);
    if (err || set_attributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, attrs) < 0 ||
        move_to(tree, stage, r->name) < 0)
        return fail(s, "cannot mount", m->source);
    return 0;
}

/* Take h away; if it is locked (user namespaces) put something empty on top. */
static int hide(struct server *s, int stage, const struct hidden *h)
{
    char path[4200];
    struct stat was, is;
    int empty;

    snprintf(path, sizeof(path), "%zu/%s", h->mount, h->path);
    if (fstatat(stage, path, &was, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* below something that was hidden already */
    if (fchdir(stage) == 0 && umount2(path, UMOUNT_DETACH | UMOUNT_NO_FOLLOW) == 0)
        return 0;
    if (!S_ISDIR(was.st_mode)) {
        /* A single file of such a file system: cover it with an empty one, the stage's own. */
        empty = syscall(SYS_open_tree, stage, "empty", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    } else {
        empty = new_tmpfs();
        if (empty >= 0 && set_attributes(empty, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0)
            return fail(s, "cannot hide", h->path);
    }
    if (empty < 0 || move_to(empty, stage, path) < 0)
        return fail(s, "cannot hide", h->path);
    close(empty);
    if (fstatat(stage, path, &is, AT_SYMLINK_NOFOLLOW) < 0 || is.st_dev == was.st_dev)
        return fail(s, "cannot hide", h->path);
    return 0;
}

/* Make the stage the root of everything, and forget the rest. */
static int enter_stage(struct server *s, int stage)
{
    if (fchdir(stage) < 0)
        return fail(s, "cannot enter", "the new root");
    if (syscall(SYS_pivot_root, ".", ".") == 0)
        return umount2(".", UMOUNT_DETACH) < 0 ? fail(s, "cannot leave", "the old root") : 0;
    /* On an initial RAM disk there is nothing to pivot; a chroot is as good without rights. */
    if (errno != EINVAL || chroot(".") < 0)
        return fail(s, "cannot change", "the root");
    return 0;
}

static int open_roots(struct server *s, int dirfd)
{
    for (size_t i = 0; i < s->cfg->nmounts; i++) {
        struct root *r = &s->roots[i];

        r->dirfd = dirfd;
        r->readonly = s->cfg->mounts[i].readonly;
        r->fd = openat(dirfd, dirfd == AT_FDCWD ? s->cfg->mounts[i].source : r->name,
                       O_PATH | O_CLOEXEC);
        if (r->fd < 0)
            return fail(s, "cannot open", s->cfg->mounts[i].source);
    }
    return 0;
}

static int build(struct server *s, int *trees, char **paths, struct hidden **hidden)
{
    const size_t n = s->cfg->nmounts;
    int stage, err = 0;

    for (size_t i = 0; i < n; i++) {
        paths[i] = realpath(s->cfg->mounts[i].source, NULL);
        if (!paths[i])
            return fail(s, "cannot find", s->cfg->mounts[i].source);
        trees[i] = syscall(SYS_open_tree, AT_FDCWD, paths[i],
                           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (trees[i] < 0)
            return fail(s, "cannot copy the mounts below", paths[i]);
    }
    err = find_hidden(s, paths, hidden);
    if (err)
        return err;
    stage = new_tmpfs();
    if (stage < 0 || move_to(stage, AT_FDCWD, "/") < 0)
        return fail(s, "cannot mount", "tmpfs");
    if (mknodat(stage, "empty", S_IFREG | 0400, 0) < 0)
        return fail(s, "cannot make", "an empty file");
    for (size_t i = 0; i < n && !err; i++)
        err = stage_mount(s, stage, i, trees[i]);
    for (struct hidden *h = *hidden; h && !err; h = h->next)
        err = hide(s, stage, h);
    if (!err && set_attributes(stage, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) < 0)
        err = fail(s, "cannot make read-only", "the new root");
    if (!err)
        err = enter_stage(s, stage);
    if (!err)
        err = open_roots(s, stage);
    return err;
}

int confine_mounts(struct server *s)
{
    const size_t n = s->cfg->nmounts;
    struct hidden *hidden = NULL, *next;
    char **paths;
    int *trees, err;

    if (s->cfg->unconfined_for_test)
        return open_roots(s, AT_FDCWD);
    err = enter_namespaces(s);
    if (err)
        return err;
    paths = calloc(n, sizeof(*paths));
    trees = malloc(n * sizeof(*trees));
    if (paths && trees)
        memset(trees, -1, n * sizeof(*trees));
    err = paths && trees ? build(s, trees, paths, &hidden) : -ENOMEM;
    for (size_t i = 0; paths && trees && i < n; i++) {
        free(paths[i]);
        if (trees[i] >= 0)
            close(trees[i]);
    }
    free(paths);
    free(trees);
    for (; hidden; hidden = next) {
        next = hidden->next;
        free(hidden);
    }
    return err;
}
