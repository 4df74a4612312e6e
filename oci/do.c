// SPDX-License-Identifier: Apache-2.0
/*
 * runsc do: run a command of the host in a sandbox. The host's files are there, read-only; what the
 * command writes goes to memory and is gone at its end.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "oci/launch.h"

#define MAX_GROUPS 64
#define ALL_CAPS   ((1ULL << 41) - 1)

extern char **environ;

static struct {
    const char *root, *cwd;
    bool quiet;
} args = {.root = "/"};

static const struct option options[] = {
    {"root", OPTION_STRING, &args.root, "directory to use as root (default /)", NULL},
    {"cwd", OPTION_STRING, &args.cwd, "working directory inside (default: the current one)", NULL},
    {"quiet", OPTION_BOOL, &args.quiet, "accepted for compatibility: do prints nothing of its own",
     NULL},
    {0},
};

static int resolve(char *root, char *cwd)
{
    struct stat st;

    if (!realpath(args.root, root))
        return fail("--root %s: %s", args.root, strerror(errno));
    if (stat(root, &st) || !S_ISDIR(st.st_mode))
        return fail("--root %s: not a directory", args.root);
    if (args.cwd)
        snprintf(cwd, PATH_MAX, "%s", args.cwd);
    else if (strcmp(root, "/"))
        snprintf(cwd, PATH_MAX, "/");
    else if (!getcwd(cwd, PATH_MAX))
        return fail("the current directory is gone; name one with --cwd");
    return 0;
}

int command_do(int argc, char **argv)
{
    static const struct launch_mount pseudo[] = {
        {.destination = "/proc", .type = "proc"},     {.destination = "/sys", .type = "sysfs"},
        {.destination = "/dev", .type = "dev"},       {.destination = "/dev/pts", .type = "devpts"},
        {.destination = "/dev/shm", .type = "tmpfs"},
    };
    struct launch_mount mounts[1 + sizeof(pseudo) / sizeof(pseudo[0])];
    char root[PATH_MAX], cwd[PATH_MAX], hostname[HOST_NAME_MAX + 1] = "runsc", id[32];
    gid_t groups[MAX_GROUPS];
    struct launch l;
    int first, n;

    first = flags_parse(argc, argv, options, "runsc do [flags] command [arguments]");
    if (first < 0)
        return first == -2 ? 0 : STATUS_FAILED;
    if (first >= argc)
        return fail("do: no command given; try: runsc do uname -sr");
    if (resolve(root, cwd))
        return STATUS_FAILED;
    launch_defaults(&l);
    snprintf(id, sizeof(id), "runsc-do-%d", getpid());
    gethostname(hostname, sizeof(hostname) - 1);
    n = getgroups(MAX_GROUPS, groups);
    l.sandbox.id = id;
    l.sandbox.process.argv = (const char *const *)(argv + first);
    l.sandbox.process.envp = (const char *const *)environ;
    l.sandbox.process.cwd = cwd;
    l.sandbox.hostname = hostname;
    l.sandbox.process.uid = geteuid();
    l.sandbox.process.gid = getegid();
    l.sandbox.process.groups = groups;
    l.sandbox.process.ngroups = n > 0 ? (size_t)n : 0;
    if (geteuid() == 0)
        l.sandbox.process.caps = (struct sandbox_caps){
            .bounding = ALL_CAPS, .effective = ALL_CAPS, .permitted = ALL_CAPS};
    l.sandbox.process.umask = umask(022);
    mounts[0] = (struct launch_mount){.destination = "/", .type = "overlay", .source = root};
    memcpy(mounts + 1, pseudo, sizeof(pseudo));
    l.sandbox.start = true;
    l.mounts = mounts;
    l.nmounts = sizeof(mounts) / sizeof(mounts[0]);
    return launch(&l);
}
