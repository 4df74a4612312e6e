// SPDX-License-Identifier: Apache-2.0
/*
 * What the first exec of a process needs, see program.h.
 */
#include "sentry/kernel/program.h"
#include "sentry/fs/vfs.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PASSWD_MAX   MIB(1)

const char *error_text(int err)
{
    static const struct {
        int err;
        const char *text;
    } known[] = {
        {-ENOENT, "no such file or directory"},
        {-EACCES, "permission denied"},
        {-EPERM, "operation not permitted"},
        {-ENOEXEC, "exec format error"},
        {-ENOTDIR, "not a directory"},
        {-EISDIR, "is a directory"},
        {-ELOOP, "too many levels of symbolic links"},
        {-ENAMETOOLONG, "file name too long"},
        {-ENOMEM, "cannot allocate memory"},
        {-EIO, "input/output error"},
        {-EINVAL, "invalid argument"},
        {-E2BIG, "argument list too long"},
        {-ETXTBSY, "text file busy"},
        {-EAGAIN, "resource temporarily unavailable"},
        {-EROFS, "read-only file system"},
        {-ELIBBAD, "accessing a corrupted shared library"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i].err == err)
            return known[i].text;
    return "unexpected error";
}

/* ---- lists ---- */

/* NUL-separated list to a NULL-terminated array of copies with room for one more; NULL: no memory.
 */
static char **list_to_array(const char *list, size_t len, int *count)
{
    char **array, *copy;
    int n = 0, i = 0;

    for (size_t at = 0; at < len; at++)
        n += !list[at];
    array = kzalloc(((size_t)n + 2) * sizeof(*array));
    copy = kmalloc(len + 1);
    if (!array || !copy) {
        kfree(array);
        kfree(copy);
        return NULL;
    }
    memcpy(copy, list, len);
    array[0] = copy; /* also of an empty list, so that array_free() finds it */
    for (size_t at = 0; at < len && i < n; at += strlen(copy + at) + 1)
        array[i++] = copy + at;
    if (!n) {
        kfree(copy);
        array[0] = NULL;
    }
    *count = n;
    return array;
}

static void array_free(char **array, int count)
{
    if (array && count)
        kfree(array[0]);
    kfree(array);
}

static const char *find_env(char **envp, const char *name)
{
    size_t len = strlen(name);

    for (; *envp; envp++)
        if (!strncmp(*envp, name, len) && (*envp)[len] == '=')
            return *envp + len + 1;
    return NULL;
}

/* ---- HOME ---- */

/* Field n of a line of passwd(5), cut off; NULL when there are fewer. */
static char *passwd_field(char *line, int n)
{
    char *end;

    while (n-- && line) {
        line = strchr(line, ':');
        if (line)
            line++;
    }
    end = line ? strchr(line, ':') : NULL;
    if (end)
        *end = 0;
    return line;
}

static bool is_number(const char *s, u32 number)
{
    u64 n = 0;

    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || n > 0xffffffff)
            return false;
        n = n * 10 + (u64)(*s - '0');
    }
    return n == number;
}

/* Home directory of a user in the text of /etc/passwd; a pointer into it, or NULL. */
static const char *home_in(char *text, u32 uid)
{
    for (char *line = text, *next; line && *line; line = next) {
        char *end = strchr(line, '\n'), *home, *id;

        next = end ? end + 1 : NULL;
        if (end)
            *end = 0;
        home = passwd_field(line, 5); /* from behind: each cut hides what follows */
        id = passwd_field(line, 2);
        if (home && id && is_number(id, uid))
            return *home == '/' ? home : NULL;
    }
    return NULL;
}

/* "HOME=..." of the user from the container's /etc/passwd, "/" by default; NULL: no memory. */
static char *make_home(u32 uid)
{
    struct vfs_file *f = vfs_open(AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
    char *text = NULL, *env;
    const char *home = NULL;
    s64 n = 0;

    if (!IS_ERR(f)) {
        text = S_ISREG(f->inode->attr.mode) ? kmalloc(PASSWD_MAX + 1) : NULL;
        if (text)
            n = kernel_read(f, text, PASSWD_MAX, 0);
        file_put(f);
    }
    if (text && n > 0) {
        text[n] = 0;
        home = home_in(text, uid);
    }
    if (!home)
        home = "/";
    env = kmalloc(strlen(home) + 6);
    if (env)
        snprintf_(env, strlen(home) + 6, "HOME=%s", home);
    kfree(text);
    return env;
}

/* As runc and gVisor: a process that is not told its home looks it up. */
static int add_home(struct exec_args *a, u32 uid)
{
    if (find_env(a->envp, "HOME"))
        return 0;
    a->home = make_home(uid);
    if (!a->home)
        return -ENOMEM;
    a->envp[a->envc++] = a->home;
    return 0;
}

/* ---- the executable ---- */

/* May current run what is there? */
static int check_executable(const char *path)
{
    struct vfs_file *f = vfs_open_exec(AT_FDCWD, path, 0);

    if (IS_ERR(f))
        return (int)PTR_ERR(f);
    file_put(f);
    return 0;
}

static int search_path(struct exec_args *a, const char *name)
{
    const char *dir = find_env(a->envp, "PATH");

    for (dir = dir ? dir : DEFAULT_PATH; *dir;) {
        size_t len = 0;

        while (dir[len] && dir[len] != ':')
            len++;
        if (len + strlen(name) + 2 <= PATH_MAX) {
            snprintf_(a->path, PATH_MAX, "%.*s%s%s", (int)len, dir, len ? "/" : "", name);
            if (!check_executable(a->path))
                return 0;
        }
        dir += len;
        if (*dir)
            dir++;
    }
    return -ENOENT;
}

static int find_executable(struct exec_args *a, char *why, size_t size)
{
    const char *name = a->argc ? a->argv[0] : "";
    int err;

    if (!strchr(name, '/')) {
        err = *name ? search_path(a, name) : -ENOENT;
        if (err)
            snprintf_(why, size, "exec: \"%s\": executable file not found in $PATH", name);
        return err;
    }
    err = strlen(name) < PATH_MAX ? 0 : -ENAMETOOLONG;
    if (!err) {
        snprintf_(a->path, PATH_MAX, "%s", name);
        err = check_executable(name);
    }
    if (err == -EACCES)
        snprintf_(why, size, "exec: \"%s\": permission denied", name);
    else if (err)
        snprintf_(why, size, "exec: \"%s\": stat %s: %s", name, name, error_text(err));
    return err;
}

/* ---- the working directory ---- */

/* As runc: who may not enter it starts there all the same. */
static int enter_cwd(const char *cwd)
{
    struct fs_context *fs = current->fs;
    struct cred *root = cred_initial(), *mine;
    struct path p, old;
    int err;

    if (!root)
        return -ENOMEM;
    mine = cred_swap(root);
    err = path_lookup(AT_FDCWD, *cwd ? cwd : "/", LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
    cred_put(cred_swap(mine));
    if (err)
        return err;
    spin_lock(&fs->lock);
    old = fs->cwd;
    fs->cwd = p;
    spin_unlock(&fs->lock);
    path_put(&old);
    return 0;
}

/* ---- all of it ---- */

void program_free(struct exec_args *a)
{
    int given = a->envc - (a->home ? 1 : 0);

    kfree(a->path);
    array_free(a->argv, a->argc);
    array_free(a->envp, given);
    kfree(a->home);
}

int program_prepare(const struct process_info *info, struct exec_args *a, char *why, size_t size)
{
    int err = enter_cwd(info->cwd);

    *a = (struct exec_args){.dirfd = AT_FDCWD};
    *why = 0;
    if (err) {
        snprintf_(why, size, "chdir to cwd (\"%s\") set in config.json failed: %s", info->cwd,
                  error_text(err));
        return err;
    }
    a->argv = list_to_array(info->argv, info->argv_len, &a->argc);
    a->envp = list_to_array(info->envp, info->envp_len, &a->envc);
    a->path = kmalloc(PATH_MAX);
    err = a->argv && a->envp && a->path ? add_home(a, info->uid) : -ENOMEM;
    if (err)
        snprintf_(why, size, "%s", error_text(err));
    else
        err = find_executable(a, why, size);
    return err;
}
