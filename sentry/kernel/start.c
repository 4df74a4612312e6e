// SPDX-License-Identifier: Apache-2.0
/*
 * The container's first process: made by hand from the boot information, then an exec.
 */
#include "sentry/fs/vfs.h"
#include "sentry/kernel/internal.h"
#include "sentry/kernel/kernel.h"
#include "sentry/mm/mm.h"

/* As a shell reports a command that it cannot start. */
#define STATUS_NOT_FOUND      127
#define STATUS_NOT_EXECUTABLE 126

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void kernel_init(void)
{
    time_init();
    futex_init();
    uts_init();
}

/* NUL-separated list to a NULL-terminated array of copies; NULL when out of memory. */
static char **list_to_array(const char *list, size_t len, int *count)
{
    char **array, *copy;
    int n = 0, i = 0;

    for (size_t at = 0; at < len; at++)
        n += !list[at];
    array = kzalloc((n + 1u) * sizeof(*array));
    copy = kmalloc(len + 1);
    if (!array || !copy)
        return NULL;
    memcpy(copy, list, len);
    for (size_t at = 0; at < len && i < n; at += strlen(copy + at) + 1)
        array[i++] = copy + at;
    *count = n;
    return array;
}

static const char *search_path(char **envp)
{
    for (; *envp; envp++) {
        if (!strncmp(*envp, "PATH=", 5))
            return *envp + 5;
    }
    return DEFAULT_PATH;
}

/* Try each directory of PATH, as execvp(3). */
static int exec_in_path(struct exec_args *a, const char *name)
{
    const char *dir = search_path(a->envp);
    int ret = -ENOENT;

    while (*dir) {
        size_t len = 0;
        int err;

        while (dir[len] && dir[len] != ':')
            len++;
        if (len + strlen(name) + 2 <= PATH_MAX) {
            snprintf_(a->path, PATH_MAX, "%.*s%s%s", (int)len, dir, len ? "/" : "", name);
            err = task_exec(a);
            if (!err)
                return 0;
            if (err == -EACCES)
                ret = err;
            else if (err != -ENOENT && err != -ENOTDIR)
                return err;
        }
        dir += len;
        if (*dir)
            dir++;
    }
    return ret;
}

/* Tell who started the sandbox, on the process' own standard error. */
static _Noreturn void give_up(const char *what, const char *name, int err)
{
    char line[256];
    struct vfs_file *f = fd_get(2);
    int n = snprintf_(line, sizeof(line), "runsc: %s %s: %s\n", what, name,
                      err == -ENOENT    ? "no such file or directory"
                      : err == -EACCES  ? "permission denied"
                      : err == -ENOEXEC ? "exec format error"
                      : err == -ENOMEM  ? "out of memory"
                                        : "cannot be started");
    struct uio u;

    log_warn("%s %s: error %d", what, name, -err);
    if (f) {
        uio_kernel(&u, line, (u64)MIN(n, (int)sizeof(line) - 1));
        if (file_write(f, &u, NULL) < 0)
            log_info("standard error cannot be written");
        file_put(f);
    }
    machine_exit(err == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

static void enter_cwd(void)
{
    struct fs_context *fs = current->fs;
    const char *cwd = boot.process.cwd && *boot.process.cwd ? boot.process.cwd : "/";
    struct path p, old;
    int err = path_lookup(AT_FDCWD, cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

    if (err)
        give_up("working directory", cwd, err);
    spin_lock(&fs->lock);
    old = fs->cwd;
    fs->cwd = p;
    spin_unlock(&fs->lock);
    path_put(&old);
}

static void first_entry(struct task *t)
{
    struct exec_args a = {.dirfd = AT_FDCWD};
    int err = stdio_init(t->files);
    const char *name;

    if (err)
        give_up("standard input and output", "", err);
    enter_cwd();
    a.argv = list_to_array(boot.process.argv, boot.process.argv_len, &a.argc);
    a.envp = list_to_array(boot.process.envp, boot.process.envp_len, &a.envc);
    a.path = kmalloc(PATH_MAX);
    if (!a.argv || !a.envp || !a.path)
        give_up("start", "", -ENOMEM);
    name = a.argc ? a.argv[0] : "";
    if (!*name || strlen(name) >= PATH_MAX)
        give_up("exec", name, -ENOENT);
    snprintf_(a.path, PATH_MAX, "%s", name);
    err = strchr(name, '/') ? task_exec(&a) : exec_in_path(&a, name);
    if (err)
        give_up("exec", name, err);
    kfree(a.path);
    kfree(a.argc ? a.argv[0] : NULL);
    kfree(a.argv);
    kfree(a.envc ? a.envp[0] : NULL);
    kfree(a.envp);
    task_loop();
}

/* Credentials as the process is described; NULL: no memory. */
static struct cred *info_cred(const struct process_info *info)
{
    struct cred *root = cred_initial(), *c = root ? cred_copy(root, info->ngroups) : NULL;

    if (root)
        cred_put(root);
    if (!c)
        return NULL;
    c->uid = c->euid = c->suid = c->fsuid = info->uid;
    c->gid = c->egid = c->sgid = c->fsgid = info->gid;
    for (u32 i = 0; i < info->ngroups; i++) {
        const u8 *g = info->groups + 4 * i;
        c->groups[i] = (u32)g[0] << 24 | (u32)g[1] << 16 | (u32)g[2] << 8 | g[3];
    }
    groups_sort(c->groups, c->ngroups);
    c->cap_bounding = info->caps.bounding & CAP_ALL;
    c->cap_permitted = info->caps.permitted & CAP_ALL;
    c->cap_inheritable = info->caps.inheritable & CAP_ALL;
    c->cap_effective = info->caps.effective & c->cap_permitted;
    c->cap_ambient = info->caps.ambient & c->cap_permitted & c->cap_inheritable;
    return c;
}

static struct process *boot_process(struct task *t)
{
    struct process *p = process_alloc();

    if (!p)
        return NULL;
    p->sighand = t->sighand;
    ref_get(&p->sighand->refs);
    p->leader = t;
    p->nthreads = p->nalive = 1;
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        p->rlimits[i].cur = boot.process.rlimits[i][0];
        p->rlimits[i].max = boot.process.rlimits[i][1];
    }
    return p;
}

void start_first_process(void)
{
    struct task *t = task_alloc();
    struct process *p;
    int pid = pid_reserve();

    if (!t || pid != 1)
        panic("cannot make the first process");
    t->cred = info_cred(&boot.process);
    t->sighand = sighand_new(NULL);
    t->files = files_new();
    t->fs = fs_context_initial();
    p = t->sighand ? boot_process(t) : NULL;
    if (!t->cred || !t->files || !t->fs || !p)
        panic("no memory for the first process");
    t->process = p;
    ref_get(&p->refs);
    t->tid = p->pid = pid;
    t->exit_signal = SIGCHLD;
    t->no_new_privs = boot.process.no_new_privs;
    t->fs->umask = boot.process.umask;
    t->timer_slack = t->default_timer_slack = 50000;
    snprintf_(t->comm, sizeof(t->comm), "init");
    if (machine_thread_create(t, first_entry))
        panic("no thread for the first process");
    spin_lock(&tasklist_lock);
    task_get(t);
    list_add_tail(&p->threads, &t->thread_link);
    list_add_tail(&all_processes, &p->all_link);
    process_set_group(p, pid);
    process_set_session(p, pid);
    pid_publish(pid, t);
    init_process = p;
    spin_unlock(&tasklist_lock);
    machine_thread_start(t);
}
