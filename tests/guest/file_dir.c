// SPDX-License-Identifier: Apache-2.0
//
// Directories: make, remove, list, rename into and over, positions while listing.

#include "t.h"
#include <dirent.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *dir)
{
    char *names[64];
    int n = 0;
    DIR *d = opendir(dir);
    struct dirent *e;

    must(d);
    while ((e = readdir(d)) && n < 64) {
        char t = e->d_type == DT_DIR   ? '/'
                 : e->d_type == DT_LNK ? '@'
                 : e->d_type == DT_REG ? ' '
                                       : '?';
        must(asprintf(&names[n++], "%s%c", e->d_name, t) > 0);
    }
    closedir(d);
    qsort(names, n, sizeof(*names), by_name);
    for (int i = 0; i < n; i++)
        t_say("  %s: %s", dir, names[i]);
}

static void make_remove(void)
{
    struct stat st;

    ok(mkdir("d", 0750) == 0, "mkdir");
    ok(stat("d", &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0750, "mode");
    fails(mkdir("d", 0755), EEXIST);
    fails(mkdir("x/y", 0755), ENOENT);
    fails(rmdir("none"), ENOENT);
    t_write_file("d/f", "1", 1, 0644);
    fails(rmdir("d"), ENOTEMPTY);
    fails(rmdir("d/f"), ENOTDIR);
    fails(unlink("d"), EISDIR);
    fails(rmdir("d/."), EINVAL);
    fails(mkdir("d/f/g", 0755), ENOTDIR);
    must(mkdir("d/sub", 0755) == 0);
    must(symlink("f", "d/link") == 0);
    list("d");
    ok(stat("d", &st) == 0 && st.st_nlink >= 1, "link count");
    ok(unlink("d/f") == 0 && unlink("d/link") == 0 && rmdir("d/sub") == 0, "empty it");
    ok(rmdir("d") == 0, "rmdir");
    fails(stat("d", &st), ENOENT);
}

static void renames(void)
{
    struct stat a, b;
    char buf[8] = "";

    t_write_file("f", "one", 3, 0644);
    t_write_file("g", "two", 3, 0644);
    must(mkdir("p", 0755) == 0 && mkdir("q", 0755) == 0 && mkdir("q/r", 0755) == 0);
    must(stat("f", &a) == 0);
    int fd = open("g", O_RDONLY);
    ok(rename("f", "g") == 0, "rename over a file");
    ok(stat("g", &b) == 0 && a.st_ino == b.st_ino, "it is the same inode");
    ok(read(fd, buf, 8) == 3 && !memcmp(buf, "two", 3), "the replaced file lives on while open");
    ok(fstat(fd, &b) == 0 && b.st_nlink == 0, "without a name");
    close(fd);
    fails(rename("f", "h"), ENOENT);
    fails(rename("g", "p"), EISDIR);
    fails(rename("p", "g"), ENOTDIR);
    fails(rename("p", "q"), ENOTEMPTY);
    fails(rename("q", "q/r/s"), EINVAL);
    ok(rename("p", "q/r") == 0, "directory over an empty directory");
    ok(rename("g", "q/r/g") == 0 && access("q/r/g", F_OK) == 0, "into another directory");
    ok(rename("q", "z") == 0 && access("z/r/g", F_OK) == 0, "a full directory");
    ok(rename("z/r/g", "z/r/g") == 0, "onto itself");
    t_write_file("m", "M", 1, 0644);
    t_write_file("n", "N", 1, 0644);
    fails(renameat2(AT_FDCWD, "m", AT_FDCWD, "n", RENAME_NOREPLACE), EEXIST);
    ok(renameat2(AT_FDCWD, "m", AT_FDCWD, "o", RENAME_NOREPLACE) == 0, "RENAME_NOREPLACE");
    list("z");
}

static void many(void)
{
    int n = 0, wrong = 0;
    bool seen[1000] = {};
    struct dirent *e;

    must(mkdir("many", 0755) == 0);
    for (int i = 0; i < 1000; i++) {
        char name[32];
        sprintf(name, "many/file%04d", i);
        t_write_file(name, "", 0, 0600);
    }
    DIR *d = opendir("many");
    while ((e = readdir(d))) {
        int i;
        if (e->d_name[0] == '.')
            continue;
        if (sscanf(e->d_name, "file%d", &i) != 1 || i < 0 || i > 999 || seen[i])
            wrong++;
        else
            seen[i] = true;
        n++;
    }
    ok(n == 1000 && !wrong, "1000 entries, each once");
    rewinddir(d);
    n = 0;
    while ((e = readdir(d)))
        n++;
    ok(n == 1002, "again after rewinddir");
    rewinddir(d);
    n = 0;
    while ((e = readdir(d)))
        n += e->d_name[0] != '.' && unlinkat(dirfd(d), e->d_name, 0) == 0;
    closedir(d);
    ok(n == 1000, "removed while listing");
    ok(rmdir("many") == 0, "and the directory is empty");
}

static void errors(void)
{
    char buf[64];
    int fd = open(".", O_RDONLY | O_DIRECTORY);

    fails(syscall(SYS_getdents64, fd, buf, 4), EINVAL);
    fails(syscall(SYS_getdents64, -1, buf, sizeof(buf)), EBADF);
    fails(read(fd, buf, 1), EISDIR);
    close(fd);
    t_write_file("plain", "", 0, 0644);
    fd = open("plain", O_RDONLY);
    fails(syscall(SYS_getdents64, fd, buf, sizeof(buf)), ENOTDIR);
    close(fd);
    must(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    fails(open("new", O_CREAT | O_WRONLY, 0644), ENOENT);
    fails((long)getcwd(buf, sizeof(buf)) ? 0 : -1, ENOENT);
    must(chdir(t_dir) == 0);
}

int main(void)
{
    t_scratch();
    umask(022);
    make_remove();
    renames();
    many();
    errors();
    return t_done();
}
