// SPDX-License-Identifier: Apache-2.0
//
// Calls relative to a directory's descriptor, the working directory, fchdir.

#include "t.h"

int main(void)
{
    char cwd[256], want[256];
    struct stat st;

    t_scratch();
    must(mkdir("d", 0755) == 0);
    int d = open("d", O_RDONLY | O_DIRECTORY), f;
    must(d >= 0);
    f = openat(d, "f", O_CREAT | O_WRONLY, 0644);
    ok(f >= 0 && access("d/f", F_OK) == 0, "openat");
    ok(mkdirat(d, "sub", 0755) == 0 && access("d/sub", F_OK) == 0, "mkdirat");
    ok(symlinkat("f", d, "s") == 0 && fstatat(d, "s", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(st.st_mode),
       "symlinkat");
    ok(linkat(d, "f", d, "h", 0) == 0, "linkat");
    ok(renameat(d, "h", AT_FDCWD, "h") == 0 && access("h", F_OK) == 0, "renameat");
    ok(faccessat(d, "f", R_OK, 0) == 0, "faccessat");
    ok(fchmodat(d, "f", 0600, 0) == 0 && !stat("d/f", &st) && (st.st_mode & 0777) == 0600,
       "fchmodat");
    ok(unlinkat(d, "s", 0) == 0 && unlinkat(d, "sub", AT_REMOVEDIR) == 0, "unlinkat");
    fails(unlinkat(d, "none", 0), ENOENT);
    fails(openat(f, "x", O_RDONLY), ENOTDIR);
    fails(openat(-1, "x", O_RDONLY), EBADF);
    ok(openat(-1, "/dev/null", O_RDONLY) >= 0, "an absolute path needs no descriptor");

    snprintf(want, sizeof(want), "%s/d", t_dir);
    ok(chdir("d") == 0 && getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, want), "chdir and getcwd");
    ok(chdir("..") == 0 && getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, t_dir), "chdir ..");
    ok(fchdir(d) == 0 && getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, want), "fchdir");
    fails(fchdir(f), ENOTDIR);
    fails(chdir("f"), ENOTDIR);
    fails(chdir("none"), ENOENT);
    ok(rename("../d", "../e") == 0, "rename the working directory");
    snprintf(want, sizeof(want), "%s/e", t_dir);
    ok(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, want), "getcwd follows");
    fails(syscall(SYS_getcwd, cwd, 2), ERANGE);
    ok(chdir("/") == 0 && getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"), "the root");
    ok(chdir("/..") == 0 && getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"),
       "above the root is the root");
    pid_t pid = fork();
    if (pid == 0) {
        must(chdir("/tmp") == 0);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    ok(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"), "a child's chdir is its own");
    return t_done();
}
