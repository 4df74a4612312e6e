// SPDX-License-Identifier: Apache-2.0
/*
 * The VFS core over tmpfs: the cursor over user memory, the radix tree, path walking with links,
 * mounts and "..", names that come and go, descriptors, contents, and that nothing leaks.
 */
#include "fake/fake_kernel.h"
#include "sentry/fs/internal.h"
#include "sentry/fs/options.h"
#include "sentry/fs/seq.h"
#include "sentry/fs/tmpfs/tmpfs.h"

#include <check.h>
#include <stdlib.h>

static struct mm *mm;
static uva_t scratch; /* two mapped pages and an unmapped one behind them */

static void start(void)
{
    static bool once;

    fake_start(FAKE_RAM);
    mm = mm_new();
    current->mm = mm;
    scratch = (uva_t)mm_mmap(mm, 0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
    mm_munmap(mm, scratch + 2 * PAGE_SIZE, PAGE_SIZE);
    fake_kernel_start();
    ck_assert(!once); /* check(3) forks for every test */
    once = true;
    dcache_init();
    inode_init();
    file_init();
    pseudo_init();
    tmpfs_init();
    struct super *sb = tmpfs_new("tmpfs", "mode=0755");
    ck_assert(!IS_ERR(sb));
    ck_assert_int_eq(mount_attach(sb, NULL, 0, "root"), 0);
    super_put(sb);
    current->fs = fs_context_initial();
    current->fs->umask = 022;
}

static void stop(void)
{
    fake_kernel_stop();
    mm_put(mm);
    fake_stop();
}

/* ---- helpers ---- */

static int put(const char *path, const char *text)
{
    struct vfs_file *f = vfs_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    struct uio u;

    if (IS_ERR(f))
        return (int)PTR_ERR(f);
    uio_kernel(&u, (void *)text, strlen(text));
    s64 n = file_write(f, &u, NULL);
    file_put(f);
    return n < 0 ? (int)n : 0;
}

static const char *get(const char *path)
{
    static char buf[64];
    struct vfs_file *f = vfs_open(AT_FDCWD, path, O_RDONLY, 0);
    struct uio u;

    if (IS_ERR(f))
        return PTR_ERR(f) == -ENOENT ? "ENOENT" : PTR_ERR(f) == -ELOOP ? "ELOOP" : "error";
    uio_kernel(&u, buf, sizeof(buf) - 1);
    s64 n = file_read(f, &u, NULL);
    file_put(f);
    buf[n < 0 ? 0 : n] = 0;
    return buf;
}

static int lookup(const char *path, u32 flags)
{
    struct path p;
    int err = path_lookup(AT_FDCWD, path, flags, &p);

    if (!err)
        path_put(&p);
    return err;
}

static u32 nlink_of(const char *path)
{
    struct path p;
    u32 n;

    ck_assert_int_eq(path_lookup(AT_FDCWD, path, 0, &p), 0);
    n = p.dentry->inode->attr.nlink;
    path_put(&p);
    return n;
}

static uva_t user_string(const char *s, unsigned page)
{
    uva_t at = scratch + page * PAGE_SIZE;

    ck_assert_int_eq(copy_to_user(at, s, strlen(s) + 1), 0);
    return at;
}

#define CALL(name, ...)                                                                        \
    ({                                                                                         \
        s64 sys_##name(const struct uregs *r);                                                 \
        u64 a_[6] = {__VA_ARGS__};                                                             \
        struct uregs r_ = {                                                                    \
            .rdi = a_[0], .rsi = a_[1], .rdx = a_[2], .r10 = a_[3], .r8 = a_[4], .r9 = a_[5]}; \
        sys_##name(&r_);                                                                       \
    })
#define CALL1(name, p, ...) CALL(name, user_string(p, 0), ##__VA_ARGS__)
#define CALL2(name, p, q)   CALL(name, user_string(p, 0), user_string(q, 1))

/* ---- parts ---- */

START_TEST(uio_stops_at_a_bad_address)
{
    char buf[2 * PAGE_SIZE + 8];
    struct uio u;

    memset(buf, 'x', sizeof(buf));
    uio_user(&u, scratch + PAGE_SIZE - 10, 2 * PAGE_SIZE);
    ck_assert_uint_eq(copy_to_uio(&u, buf, 2 * PAGE_SIZE), PAGE_SIZE + 10);
    ck_assert_uint_eq(u.left, PAGE_SIZE - 10);
    uio_user(&u, scratch + 2 * PAGE_SIZE, 8);
    ck_assert_uint_eq(zero_uio(&u, 8), 0);
    struct uio_vec v[3] = {{scratch, 3}, {scratch + 100, 0}, {scratch + 200, 5}};
    uio_vecs(&u, v, 3);
    ck_assert_uint_eq(u.left, 8);
    ck_assert_uint_eq(copy_to_uio(&u, "abcdefgh", 6), 6);
    ck_assert_uint_eq(copy_to_uio(&u, "gh", 2), 2);
    ck_assert_uint_eq(u.left, 0);
    ck_assert_int_eq(copy_from_user(buf, scratch + 200, 5), 0);
    ck_assert_int_eq(memcmp(buf, "defgh", 5), 0);
}
END_TEST

START_TEST(radix_against_an_array)
{
    static const u64 base[3] = {0, 1000000, U64_MAX - 299};
    static void *model[900];
    struct radix r = {0};
    u64 before = pages_free();

    srandom(1);
    for (int round = 0; round < 20000; round++) {
        u64 k = (u64)random() % 900, index = base[k / 300] + k % 300;
        if (random() % 3) {
            ck_assert_int_eq(radix_set(&r, index, &model[k]), 0);
            model[k] = &model[k];
        } else {
            ck_assert_ptr_eq(radix_remove(&r, index), model[k]);
            model[k] = NULL;
        }
        ck_assert_ptr_eq(radix_get(&r, index), model[k]);
        u64 from = (u64)random() % 900, at = base[from / 300] + from % 300;
        while (from < 900 && !model[from])
            from++;
        ck_assert_ptr_eq(radix_next(&r, &at), from < 900 ? model[from] : NULL);
        if (from < 900)
            ck_assert_uint_eq(at, base[from / 300] + from % 300);
    }
    for (u64 at = 0; radix_next(&r, &at); at++)
        radix_remove(&r, at);
    ck_assert_ptr_null(r.root);
    ck_assert_uint_le(before - pages_free(), 64); /* slabs may keep some */
}
END_TEST

START_TEST(options)
{
    char rest[64];
    u32 flags = MS_NOEXEC;
    u64 n;

    options_generic("ro,size=1m,,exec,nosuid,mode=700", &flags, rest);
    ck_assert_uint_eq(flags, MS_RDONLY | MS_NOSUID);
    ck_assert_str_eq(rest, "size=1m,mode=700");
    ck_assert(option_number("777", 8, &n) && n == 0777);
    ck_assert(!option_number("778", 8, &n) && !option_number("", 10, &n));
    ck_assert(!option_number("18446744073709551616", 10, &n));
    ck_assert(IS_ERR(tmpfs_new("tmpfs", "size=lots")));
}
END_TEST

START_TEST(walking)
{
    char name[NAME_MAX + 2];

    ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/a", 0755), 0);
    ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/a/b/", 0755), 0);
    ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/a", 0755), -EEXIST);
    ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/", 0755), -EEXIST);
    ck_assert_int_eq(vfs_mkdir(AT_FDCWD, "/x/y", 0755), -ENOENT);
    ck_assert_int_eq(put("/a/f", "text"), 0);
    ck_assert_int_eq(lookup("", 0), -ENOENT);
    ck_assert_int_eq(lookup("", LOOKUP_EMPTY), 0);
    ck_assert_int_eq(lookup("/", 0), 0);
    ck_assert_int_eq(lookup("//a//./b/../f", 0), 0);
    ck_assert_int_eq(lookup("/../../a", 0), 0);
    ck_assert_int_eq(lookup("/a/f/", 0), -ENOTDIR);
    ck_assert_int_eq(lookup("/a/f/x", 0), -ENOTDIR);
    ck_assert_int_eq(lookup("/a/none", 0), -ENOENT);
    ck_assert_int_eq(lookup("/a/f", LOOKUP_DIRECTORY), -ENOTDIR);
    memset(name, 'n', sizeof(name));
    name[NAME_MAX + 1] = 0;
    ck_assert_int_eq(lookup(name, 0), -ENAMETOOLONG);
    name[NAME_MAX] = 0;
    ck_assert_int_eq(lookup(name, 0), -ENOENT);
    ck_assert_int_eq(vfs_symlink("b/../f", AT_FDCWD, "/a/l"), 0);
    ck_assert_int_eq(vfs_symlink("/a", AT_FDCWD, "/abs"), 0);
    ck_assert_int_eq(vfs_symlink("loop", AT_FDCWD, "/loop"), 0);
    ck_assert_int_eq(vfs_symlink("none", AT_FDCWD, "/dangling"), 0);
    ck_assert_str_eq(get("/abs/l"), "text");
    ck_assert_str_eq(get("/loop"), "ELOOP");
    ck_assert_int_eq(lookup("/loop", 0), 0);
    ck_assert_int_eq(lookup("/loop/", 0), -ELOOP);
    ck_assert_int_eq(lookup("/abs/", 0), 0);
    ck_assert_int_eq(lookup("/a/l/", 0), -ENOTDIR);
    ck_assert_int_eq(put("/dangling", "made"), 0);
    ck_assert_str_eq(get("/none"), "made");
    ck_assert_int_eq(lookup("/a/l", LOOKUP_FOLLOW | LOOKUP_NO_SYMLINKS), -ELOOP);
    struct vfs_file *f = vfs_open(AT_FDCWD, "/a/l", O_RDONLY | O_NOFOLLOW, 0);
    ck_assert_int_eq(PTR_ERR(f), -ELOOP);
    f = vfs_open(AT_FDCWD, "/a/l", O_PATH | O_NOFOLLOW, 0);
    ck_assert(!IS_ERR(f));
    file_put(f);
    f = vfs_open(AT_FDCWD, "/a/new/", O_CREAT | O_RDWR, 0644);
    ck_assert_int_eq(PTR_ERR(f), -EISDIR);
    f = vfs_open(AT_FDCWD, "/abs", O_CREAT | O_EXCL | O_RDWR, 0644);
    ck_assert_int_eq(PTR_ERR(f), -EEXIST);
    f = vfs_open(AT_FDCWD, "/a", O_RDWR, 0);
    ck_assert_int_eq(PTR_ERR(f), -EISDIR);
}
END_TEST

START_TEST(forty_links)
{
    char from[16] = "/a", to[16];

    ck_assert_int_eq(put("/a", "end"), 0);
    for (int i = 1; i <= 41; i++) {
        snprintf_(to, sizeof(to), "/l%d", i);
        ck_assert_int_eq(vfs_symlink(from, AT_FDCWD, to), 0);
        memcpy(from, to, sizeof(from));
    }
    ck_assert_str_eq(get("/l40"), "end");
    ck_assert_str_eq(get("/l41"), "ELOOP");
}
END_TEST

START_TEST(scoped)
{
    struct path p;

    vfs_mkdir(AT_FDCWD, "/jail", 0755);
    vfs_mkdir(AT_FDCWD, "/jail/d", 0755);
    put("/secret", "s");
    put("/jail/f", "j");
    vfs_symlink("/secret", AT_FDCWD, "/jail/abs");
    vfs_symlink("/f", AT_FDCWD, "/jail/rooted");
    vfs_symlink("../secret", AT_FDCWD, "/jail/up");
    struct vfs_file *f = vfs_open(AT_FDCWD, "/jail", O_PATH, 0);
    int fd = fd_install_new(f, false);
    ck_assert_int_ge(fd, 0);
    static const struct {
        const char *name;
        u32 flags;
        int err;
    } cases[] = {
        {"f", LOOKUP_BENEATH, 0},
        {"d/../f", LOOKUP_BENEATH, 0},
        {"../secret", LOOKUP_BENEATH, -EXDEV},
        {"/f", LOOKUP_BENEATH, -EXDEV},
        {"abs", LOOKUP_BENEATH, -EXDEV},
        {"up", LOOKUP_BENEATH, -EXDEV},
        {"../secret", LOOKUP_IN_ROOT, -ENOENT},
        {"../f", LOOKUP_IN_ROOT, 0},
        {"/f", LOOKUP_IN_ROOT, 0},
        {"abs", LOOKUP_IN_ROOT, -ENOENT},
        {"rooted", LOOKUP_IN_ROOT, 0},
        {"abs", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int err = path_lookup(fd, cases[i].name, cases[i].flags | LOOKUP_FOLLOW, &p);
        ck_assert_msg(err == cases[i].err, "%s: %d", cases[i].name, err);
        if (!err)
            path_put(&p);
    }
}
END_TEST

START_TEST(mounts)
{
    struct super *sb = tmpfs_new("tmpfs", "size=64k");
    struct path at;
    char buf[64];

    vfs_mkdir(AT_FDCWD, "/m", 0755);
    vfs_mkdir(AT_FDCWD, "/m/hidden", 0755);
    put("/top", "top");
    ck_assert_int_eq(path_lookup(AT_FDCWD, "/m", 0, &at), 0);
    ck_assert_int_eq(mount_attach(sb, &at, 0, "t"), 0);
    path_put(&at);
    super_put(sb);
    ck_assert_int_eq(lookup("/m/hidden", 0), -ENOENT);
    vfs_mkdir(AT_FDCWD, "/m/d", 0755);
    ck_assert_str_eq(get("/m/d/../../top"), "top");
    ck_assert_int_eq(lookup("/m", LOOKUP_NO_XDEV), -EXDEV);
    ck_assert_int_eq(CALL1(rmdir, "/m"), -EBUSY);
    ck_assert_int_eq(CALL2(rename, "/m/d", "/d"), -EXDEV);
    ck_assert_int_eq(path_lookup(AT_FDCWD, "/m/d", 0, &at), 0);
    ck_assert_str_eq(path_to_string(&at, buf, sizeof(buf)), "/m/d");
    ck_assert_int_eq(CALL1(umount2, "/m", 0), -EBUSY);
    path_put(&at);
    ck_assert_int_eq(put("/m/big", "x"), 0);
    ck_assert_int_eq(CALL1(truncate, "/m/big", 1 << 20), 0);
    struct vfs_file *f = vfs_open(AT_FDCWD, "/m/big", O_RDWR, 0);
    ck_assert_int_eq(f->ops->fallocate(f, 0, 0, 1 << 20), -ENOSPC);
    file_put(f);
    ck_assert_int_eq(CALL1(umount2, "/m", 0), 0);
    ck_assert_int_eq(lookup("/m/hidden", 0), 0);
    ck_assert_int_eq(CALL1(umount2, "/m", 0), -EINVAL);
}
END_TEST

START_TEST(names)
{
    vfs_mkdir(AT_FDCWD, "/d", 0755);
    vfs_mkdir(AT_FDCWD, "/d/e", 0755);
    vfs_mkdir(AT_FDCWD, "/d/full", 0755);
    put("/d/full/x", "x");
    put("/f", "f");
    ck_assert_uint_eq(nlink_of("/d"), 4);
    ck_assert_int_eq(CALL2(rename, "/d", "/d/e/in"), -EINVAL);
    ck_assert_int_eq(CALL2(rename, "/d/e", "/d"), -ENOTEMPTY);
    ck_assert_int_eq(CALL2(rename, "/f", "/d"), -EISDIR);
    ck_assert_int_eq(CALL2(rename, "/d", "/f"), -ENOTDIR);
    ck_assert_int_eq(CALL2(rename, "/f/", "/g"), -ENOTDIR);
    ck_assert_int_eq(CALL2(rename, "/d/e", "/d/full"), -ENOTEMPTY);
    ck_assert_int_eq(CALL2(rename, "/d/full", "/d/e"), 0);
    ck_assert_uint_eq(nlink_of("/d"), 3);
    ck_assert_str_eq(get("/d/e/x"), "x");
    ck_assert_str_eq(get("/d/full/x"), "ENOENT");
    ck_assert_int_eq(CALL2(rename, "/d/e", "/e"), 0);
    ck_assert_uint_eq(nlink_of("/d"), 2);
    ck_assert_uint_eq(nlink_of("/"), 4);
    ck_assert_int_eq(CALL2(link, "/f", "/g"), 0);
    ck_assert_uint_eq(nlink_of("/g"), 2);
    ck_assert_int_eq(CALL2(rename, "/f", "/g"), 0); /* the same file: nothing happens */
    ck_assert_str_eq(get("/f"), "f");
    ck_assert_int_eq(CALL2(link, "/d", "/dd"), -EPERM);
    put("/h", "h");
    ck_assert_int_eq(CALL(renameat2, (u64)AT_FDCWD, user_string("/h", 0), (u64)AT_FDCWD,
                          user_string("/e", 1), RENAME_EXCHANGE),
                     0);
    ck_assert_str_eq(get("/h/x"), "x");
    ck_assert_str_eq(get("/e"), "h");
    ck_assert_int_eq(CALL1(rmdir, "/h"), -ENOTEMPTY);
    ck_assert_int_eq(CALL1(rmdir, "/e"), -ENOTDIR);
    ck_assert_int_eq(CALL1(unlink, "/h"), -EISDIR);
    ck_assert_int_eq(CALL1(unlink, "/h/x"), 0);
    ck_assert_int_eq(CALL1(rmdir, "/h/."), -EINVAL);
    ck_assert_int_eq(CALL1(rmdir, "/h"), 0);
    ck_assert_int_eq(CALL1(rmdir, "/"), -EBUSY);
}
END_TEST

START_TEST(open_and_unlinked)
{
    struct vfs_file *f = vfs_open(AT_FDCWD, "/gone", O_CREAT | O_RDWR, 0600);
    char buf[64];
    struct uio u;
    struct attr a;

    ck_assert_int_eq(CALL1(unlink, "/gone"), 0);
    ck_assert_str_eq(path_to_string(&f->path, buf, sizeof(buf)), "/gone (deleted)");
    uio_kernel(&u, "data", 4);
    ck_assert_int_eq(file_write(f, &u, NULL), 4);
    ck_assert_int_eq(inode_getattr(f->inode, &a), 0);
    ck_assert_uint_eq(a.nlink, 0);
    ck_assert_uint_eq(a.size, 4);
    ck_assert_int_eq(put("/gone", "new"), 0);
    ck_assert_int_eq(kernel_read(f, buf, 4, 0), 4);
    ck_assert_int_eq(memcmp(buf, "data", 4), 0);
    ck_assert_str_eq(get("/gone"), "new");
    file_put(f);
    vfs_mkdir(AT_FDCWD, "/w", 0755);
    ck_assert_int_eq(CALL1(chdir, "/w"), 0);
    ck_assert_int_eq(CALL1(rmdir, "/w"), 0);
    ck_assert_int_eq(put("x", "x"), -ENOENT);
    ck_assert_int_eq(CALL(getcwd, scratch, 64), -ENOENT);
    ck_assert_int_eq(lookup("..", 0), 0);
}
END_TEST

START_TEST(permissions)
{
    vfs_mkdir(AT_FDCWD, "/pub", 0777);
    CALL1(chmod, "/pub", 01777);
    put("/pub/roots", "r");
    put("/private", "p");
    CALL1(chmod, "/private", 0600);
    vfs_mkdir(AT_FDCWD, "/closed", 0700);
    put("/closed/f", "f");
    fake_cred->fsuid = fake_cred->uid = fake_cred->euid = 1000;
    fake_cred->fsgid = fake_cred->gid = fake_cred->egid = 1000;
    fake_cred->cap_effective = 0;
    ck_assert_int_eq(put("/private", "x"), -EACCES);
    ck_assert_int_eq(put("/new", "x"), -EACCES);
    ck_assert_int_eq(lookup("/closed/f", 0), -EACCES);
    ck_assert_int_eq(lookup("/closed", 0), 0);
    ck_assert_int_eq(CALL1(unlink, "/pub/roots"), -EPERM); /* sticky */
    ck_assert_int_eq(put("/pub/mine", "m"), 0);
    ck_assert_int_eq(CALL1(chmod, "/private", 0666), -EPERM);
    ck_assert_int_eq(CALL1(chmod, "/pub/mine", 02755), 0);
    ck_assert_int_eq(CALL1(chown, "/pub/mine", 0, ~0u), -EPERM);
    ck_assert_int_eq(CALL1(unlink, "/pub/mine"), 0);
    fake_cred->cap_effective = ~0ULL;
}
END_TEST

START_TEST(contents)
{
    struct vfs_file *f = vfs_open(AT_FDCWD, "/f", O_CREAT | O_RDWR, 0644);
    static u8 model[200000], got[200000];
    u64 size = 0, before = pages_free();
    struct uio u;

    srandom(7);
    for (int round = 0; round < 2000; round++) {
        u64 off = (u64)random() % 150000, n = (u64)random() % 20000, pos = off;
        int what = (int)(random() % 10);
        if (what < 5) {
            memset(got, round, n);
            uio_kernel(&u, got, n);
            ck_assert_int_eq(file_write(f, &u, &pos), (s64)n);
            memset(model + off, round, n);
            size = n ? MAX(size, off + n) : size;
        } else if (what == 5) {
            ck_assert_int_eq(do_truncate(f->inode, off), 0);
            if (off < size)
                memset(model + off, 0, size - off);
            size = off;
        } else if (what == 6 && n) {
            ck_assert_int_eq(f->ops->fallocate(f, 3, off, n), 0); /* PUNCH_HOLE | KEEP_SIZE */
            memset(model + off, 0, n);
        } else {
            s64 want = off < size ? (s64)MIN(n, size - off) : 0;
            uio_kernel(&u, got, n);
            ck_assert_int_eq(file_read(f, &u, &pos), want);
            ck_assert_int_eq(memcmp(got, model + off, (size_t)want), 0);
        }
        ck_assert_uint_eq(f->inode->attr.size, size);
    }
    do_truncate(f->inode, 0);
    ck_assert_uint_eq(f->inode->attr.blocks, 0);
    file_put(f);
    CALL1(unlink, "/f");
    ck_assert_uint_le(before - pages_free(), 64);
}
END_TEST

START_TEST(descriptors)
{
    struct vfs_file *f = vfs_open(AT_FDCWD, "/", O_RDONLY, 0), *g;

    for (int i = 0; i < 200; i++) {
        file_get(f);
        ck_assert_int_eq(fd_install_new(f, i % 2), i);
    }
    ck_assert_int_eq(fd_close(7), 0);
    ck_assert_int_eq(fd_close(7), -EBADF);
    ck_assert_int_eq(fd_close(3), 0);
    ck_assert_int_eq(fd_alloc(0, false), 3);
    ck_assert_ptr_null(fd_get(3)); /* reserved, not open */
    ck_assert_int_eq(fd_replace(3, f, false), -EBUSY);
    fd_unreserve(3);
    ck_assert_int_eq(fd_alloc(5, false), 7);
    fd_unreserve(7);
    ck_assert_int_eq(fd_replace(1000, f, true), 1000);
    struct files *copy = files_copy(current->files);
    ck_assert_int_eq(files_next(copy, 200, &g), 1000);
    file_put(g);
    files_close_on_exec(current->files);
    ck_assert_int_eq(fd_close(1), -EBADF);
    ck_assert_int_eq(fd_close(1000), -EBADF);
    ck_assert_int_eq(files_next(copy, 1000, &g), 1000);
    file_put(g);
    files_put(copy);
    fd_close_range(0, ~0u, false);
    ck_assert_int_eq(files_next(current->files, 0, &g), -1);
    ck_assert_uint_eq(ref_read(&f->refs), 1);
    file_put(f);
    fake_limits[RLIMIT_NOFILE] = 4;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(fd_alloc(0, false), i);
    ck_assert_int_eq(fd_alloc(0, false), -EMFILE);
}
END_TEST

START_TEST(nothing_leaks)
{
    struct super *sb = tmpfs_new("tmpfs", "");
    char name[64];
    struct path at;

    vfs_mkdir(AT_FDCWD, "/m", 0755);
    u64 before = pages_free();
    path_lookup(AT_FDCWD, "/m", 0, &at);
    ck_assert_int_eq(mount_attach(sb, &at, 0, "t"), 0);
    path_put(&at);
    for (int i = 0; i < 20000; i++) {
        snprintf_(name, sizeof(name), "/m/a-rather-long-name-for-a-file-%d", i);
        ck_assert_int_eq(put(name, "x"), 0);
        snprintf_(name, sizeof(name), "/m/none%d", i);
        ck_assert_int_eq(lookup(name, 0), -ENOENT);
    }
    ck_assert_uint_gt(before - pages_free(), 20000);
    super_put(sb);
    ck_assert_int_eq(CALL1(umount2, "/m", 0), 0);
    ck_assert_uint_le(before - pages_free(), 256);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vfs");
    TCase *t = tcase_create("vfs");

    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, uio_stops_at_a_bad_address);
    tcase_add_test(t, radix_against_an_array);
    tcase_add_test(t, options);
    tcase_add_test(t, walking);
    tcase_add_test(t, forty_links);
    tcase_add_test(t, scoped);
    tcase_add_test(t, mounts);
    tcase_add_test(t, names);
    tcase_add_test(t, open_and_unlinked);
    tcase_add_test(t, permissions);
    tcase_add_test(t, contents);
    tcase_add_test(t, descriptors);
    tcase_add_test(t, nothing_leaks);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
