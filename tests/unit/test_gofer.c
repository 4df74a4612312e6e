// SPDX-License-Identifier: Apache-2.0
/*
 * The gofer as a process: a child serves a temporary tree, the test speaks the protocol to it,
 * first as the Sentry does and then as an attacker would. Each test runs against a gofer that is
 * confined as in real life (as root, or in a user namespace otherwise).
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "gofer/server.h"

static char dir[64], secret[96];
static int sock = -1, donated = -1;
static pid_t child;
static u8 request[GOFER_MSG_MAX], reply[GOFER_MSG_MAX];
static struct gofer_msg msg;
static struct gofer_writer w;

enum { RO, RW, ONE_FILE };

static void make_file(const char *name, const char *text)
{
    char path[160];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void make_dir(const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void make_link(const char *name, const char *target)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    ck_assert_int_eq(symlink(target, path), 0);
}

static void start(void)
{
    struct gofer_mount mounts[3];
    char ro[128], rw[128], one[128];
    struct gofer_config cfg = {
        .log_fd = getenv("GOFER_TEST_LOG") ? 2 : -1,
        .mounts = mounts,
        .nmounts = 3,
        .user_namespace = geteuid() != 0,
        .uid = geteuid(),
        .gid = getegid(),
        .die_with_parent = true,
    };
    char path[160];
    int pair[2];

    strcpy(dir, "/tmp/gofer-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make_dir("ro");
    make_dir("ro/d");
    make_dir("ro/d/e");
    make_dir("rw");
    make_file("ro/file", "hello");
    make_file("ro/d/e/deep", "deep");
    make_file("secret", "secret");
    snprintf(secret, sizeof(secret), "%s/secret", dir);
    make_link("ro/abs", secret);
    make_link("ro/rel", "../secret");
    make_link("ro/up", "..");
    make_link("ro/in", "d");
    make_link("ro/d/loop", "loop");
    snprintf(path, sizeof(path), "%s/ro/fifo", dir);
    ck_assert_int_eq(mkfifo(path, 0644), 0);
    snprintf(ro, sizeof(ro), "%s/ro", dir);
    snprintf(rw, sizeof(rw), "%s/rw", dir);
    snprintf(one, sizeof(one), "%s/ro/file", dir);
    mounts[RO] = (struct gofer_mount){ro, true};
    mounts[RW] = (struct gofer_mount){rw, false};
    mounts[ONE_FILE] = (struct gofer_mount){one, true};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        cfg.sock = pair[1];
        close(pair[0]);
        _exit(gofer_main(&cfg));
    }
    close(pair[1]);
    sock = pair[0];
}

static int wait_child(void)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void stop(void)
{
    char cmd[128];

    close(sock);
    ck_assert_int_eq(wait_child(), 0);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    ck_assert_int_eq(system(cmd), 0);
}

/* Send the message in `request`, receive the answer; its error. */
static int transact(int len)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = {reply, sizeof(reply)};
    struct msghdr mh = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    struct gofer_hdr hdr;
    ssize_t n;

    if (donated >= 0)
        close(donated);
    donated = -1;
    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(send(sock, request, len, 0), len);
    n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
    ck_assert_int_ge(n, (int)sizeof(hdr));
    if (mh.msg_controllen >= CMSG_LEN(sizeof(int)))
        memcpy(&donated, CMSG_DATA(CMSG_FIRSTHDR(&mh)), sizeof(int));
    memcpy(&hdr, request, sizeof(hdr));
    memcpy(&hdr.err, reply + offsetof(struct gofer_hdr, err), sizeof(hdr.err));
    if (hdr.err)
        return hdr.err;
    ck_assert_int_eq(gofer_decode_reply(&msg, hdr.type, hdr.tag, reply, n), 0);
    return 0;
}

#define BEGIN(TYPE, req) \
    (gofer_begin(&w, request, sizeof(request), TYPE, 77, 0), gofer_put(&w, &(req), sizeof(req)))
#define STR(s) gofer_put_str(&w, s, strlen(s))
#define CALL() transact(gofer_end(&w))

static int attach(u32 mount, u32 fid)
{
    struct gofer_attach_req req = {GOFER_PROTO_VERSION, mount, fid};
    BEGIN(GOFER_ATTACH, req);
    return CALL();
}

/* path: components separated by '/'; "//" gives an empty one. */
static int walk(u32 fid, u32 newfid, u32 flags, const char *path)
{
    struct gofer_walk_req req = {fid, newfid, flags, O_RDONLY, 1};

    for (const char *p = path; *p; p++)
        req.count += *p == '/';
    BEGIN(GOFER_WALK, req);
    STR("");
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, "/");
        gofer_put_str(&w, p, n);
        p += n;
        if (!*p)
            break;
    }
    return CALL();
}

static int open_file(u32 fid, u32 newfid, u32 flags, const char *name)
{
    struct gofer_open_req req = {fid, newfid, flags};
    BEGIN(GOFER_OPEN, req);
    STR(name);
    return CALL();
}

static void check_donated(const char *text)
{
    char buf[64] = "";
    ck_assert_int_ge(donated, 0);
    ck_assert_int_eq(pread(donated, buf, sizeof(buf) - 1, 0), strlen(text));
    ck_assert_str_eq(buf, text);
}

START_TEST(walking)
{
    ck_assert_int_eq(attach(RO, 1), 0);
    ck_assert_uint_eq(msg.body.attach_rep.flags, GOFER_ATTACH_RDONLY);
    ck_assert(S_ISDIR(msg.body.attach_rep.attr.mode));
    ck_assert_int_eq(walk(1, 2, 0, "d/e"), 0);
    ck_assert_int_eq(msg.body.walk_rep.stop, 0);
    ck_assert_uint_eq(msg.count, 2);
    ck_assert_int_eq(walk(2, GOFER_NOFID, GOFER_WALK_OPEN, "deep"), 0);
    ck_assert_uint_eq(gofer_msg_attr(&msg, 0).size, 4);
    check_donated("deep");
    ck_assert_int_eq(walk(1, 3, 0, "d/nothing/x"), 0);
    ck_assert_int_eq(msg.body.walk_rep.stop, -ENOENT);
    ck_assert_uint_eq(msg.count, 1);
    ck_assert_int_eq(walk(1, 3, 0, "file/x"), 0);
    ck_assert_int_eq(msg.body.walk_rep.stop, -ENOTDIR);
    /* 3 is still free, 2 is not. */
    ck_assert_int_eq(walk(1, 3, 0, "d"), 0);
    ck_assert_int_eq(walk(1, 2, 0, "d"), -EBUSY);
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "file"), 0);
    check_donated("hello");
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "d"), -EISDIR);
}
END_TEST

/* The same places by path, from the root's fid alone. */
START_TEST(paths)
{
    struct gofer_walk_req wr = {1, GOFER_NOFID, GOFER_WALK_OPEN, O_RDONLY, 1};
    struct gofer_readdir_req rd = {.fid = 1, .size = 65536};
    struct gofer_getattr_req ga = {1};
    struct gofer_readfile_req rf = {1, 4};

    ck_assert_int_eq(attach(RO, 1), 0);
    BEGIN(GOFER_WALK, wr);
    STR("d/e");
    STR("deep");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.count, 1);
    check_donated("deep");
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "d/e/deep"), 0);
    check_donated("deep");
    BEGIN(GOFER_READDIR, rd);
    STR("d/e");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.count, 1);
    ck_assert_uint_eq(msg.body.readdir_rep.eof, 1);
    BEGIN(GOFER_GETATTR, ga);
    STR("d/e/deep");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.body.getattr_rep.attr.size, 4);
    BEGIN(GOFER_READFILE, rf);
    STR("d/e/deep");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.body.readfile_rep.len, 4);
    ck_assert_mem_eq(msg.tail, "deep", 4);
    ck_assert_int_eq(donated, -1);
    rf.max = 3;
    BEGIN(GOFER_READFILE, rf);
    STR("d/e/deep");
    ck_assert_int_eq(CALL(), -EFBIG);
    rf.max = ~0u;
    BEGIN(GOFER_READFILE, rf);
    STR("fifo");
    ck_assert_int_eq(CALL(), -EACCES);
    BEGIN(GOFER_READFILE, rf);
    STR("abs");
    ck_assert_int_eq(CALL(), -ELOOP);
    /* Not through links, whether they lead out or stay inside. */
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "up/secret"), -ENOTDIR);
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "up/ro/file"), -ELOOP);
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "in/e/deep"), -ELOOP);
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "in/../file"), -EBADMSG);
}
END_TEST

START_TEST(links)
{
    ck_assert_int_eq(attach(RO, 0), 0);
    ck_assert_int_eq(walk(0, GOFER_NOFID, 0, "abs"), 0);
    ck_assert_int_eq(msg.body.walk_rep.stop, 0);
    ck_assert(S_ISLNK(gofer_msg_attr(&msg, 0).mode));
    ck_assert_uint_eq(msg.str[0].len, strlen(secret));
    ck_assert_mem_eq(msg.str[0].p, secret, strlen(secret));
    ck_assert_int_eq(walk(0, GOFER_NOFID, GOFER_WALK_OPEN, "abs"), 0);
    ck_assert_int_eq(donated, -1);
    ck_assert_int_eq(walk(0, 1, 0, "up/secret"), 0);
    ck_assert_int_eq(msg.body.walk_rep.stop, -ELOOP);
    ck_assert_uint_eq(msg.count, 1);
    ck_assert_uint_eq(msg.str[0].len, 2);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_RDONLY, "abs"), -ELOOP);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_RDONLY, "rel"), -ELOOP);
}
END_TEST

START_TEST(escapes)
{
    static const char *const names[] = {"..", ".", "", "d/..", "../secret", "/etc/passwd"};
    struct gofer_readdir_req rd = {0};

    ck_assert_int_eq(attach(RO, 0), 0);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct gofer_walk_req req = {0, GOFER_NOFID, 0, 0, 1};
        BEGIN(GOFER_WALK, req);
        STR("");
        STR(names[i]);
        ck_assert_int_eq(CALL(), -EBADMSG);
        if (names[i][0])
            ck_assert_int_eq(open_file(0, GOFER_NOFID, O_RDONLY, names[i]), -EBADMSG);
    }
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_RDONLY, ""), -EISDIR);
    /* Flags that would make or truncate, or open a directory or a path only. */
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_CREAT, "file"), -EINVAL);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_PATH, "file"), -EINVAL);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_DIRECTORY, "d"), -EINVAL);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_ACCMODE, "file"), -EINVAL);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_RDWR, "file"), -EROFS);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_TRUNC, "file"), -EROFS);
    ck_assert_int_eq(open_file(0, GOFER_NOFID, O_RDONLY, "fifo"), -EACCES);
    /* Fids that are not ours, numbers that are none. */
    ck_assert_int_eq(open_file(1, GOFER_NOFID, O_RDONLY, "file"), -EBADF);
    ck_assert_int_eq(open_file(GOFER_NOFID, GOFER_NOFID, O_RDONLY, "file"), -EBADF);
    ck_assert_int_eq(open_file(0, 0x7fffffff, O_RDONLY, "file"), -EBADF);
    ck_assert_int_eq(walk(0x80000000, 1, 0, "d"), -EBADF);
    ck_assert_int_eq(walk(0, 65536, 0, "d"), -EBADF);
    ck_assert_int_eq(attach(3, 5), -EINVAL);
    ck_assert_int_eq(attach(RO, GOFER_NOFID), -EINVAL);
    rd.fid = 9;
    BEGIN(GOFER_READDIR, rd);
    STR("");
    ck_assert_int_eq(CALL(), -EBADF);
    rd = (struct gofer_readdir_req){.fid = 0, .size = 16};
    BEGIN(GOFER_READDIR, rd);
    STR("");
    ck_assert_int_eq(CALL(), -EINVAL);
    rd = (struct gofer_readdir_req){.fid = 0, .size = 65536, .cookie = ~0ull};
    BEGIN(GOFER_READDIR, rd);
    STR("");
    ck_assert_int_eq(CALL(), -EINVAL);
}
END_TEST

START_TEST(garbage)
{
    ck_assert_int_eq(attach(RO, 0), 0);
    memset(request, 0xff, sizeof(request));
    for (int n = 1; n < 200; n++)
        ck_assert_int_eq(transact(n), -EBADMSG);
    ck_assert_int_eq(transact(sizeof(request)), -EBADMSG);
    ck_assert_int_eq(walk(0, 1, 0, "d"), 0);
}
END_TEST

START_TEST(sent_descriptors_are_dropped)
{
    struct gofer_attach_req req = {GOFER_PROTO_VERSION, RO, 0};
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec iov;
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control)};
    int p[2];

    ck_assert_int_eq(pipe(p), 0);
    BEGIN(GOFER_ATTACH, req);
    iov = (struct iovec){request, gofer_end(&w)};
    CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
    CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
    CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), &p[1], sizeof(int));
    ck_assert_int_gt(sendmsg(sock, &mh, 0), 0);
    ck_assert_int_gt(recv(sock, reply, sizeof(reply), 0), 0);
    close(p[1]);
    ck_assert_int_eq(read(p[0], request, 1), 0); /* end of file: nobody else has it */
    close(p[0]);
}
END_TEST

START_TEST(directories)
{
    struct gofer_readdir_req req = {.fid = 1, .size = 4096, .flags = GOFER_READDIR_ATTR};
    bool seen[1000] = {0};
    unsigned total = 0;
    char name[64];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "rw/%0*d", i % 50 + 4, i);
        make_file(name, "x");
    }
    ck_assert_int_eq(attach(RW, 1), 0);
    do {
        struct gofer_dirent ent;
        struct gofer_attr attr;
        struct gofer_str n;
        u32 pos = 0;

        BEGIN(GOFER_READDIR, req);
        STR("");
        ck_assert_int_eq(CALL(), 0);
        ck_assert_uint_le(msg.hdr.len, 4096);
        while (gofer_msg_dirent(&msg, &pos, &ent, &attr, &n)) {
            snprintf(name, sizeof(name), "%.*s", (int)n.len, n.p);
            ck_assert(ent.flags & GOFER_DIRENT_ATTR);
            ck_assert_uint_eq(attr.size, 1);
            if (n.len < sizeof(name)) {
                ck_assert(!seen[atoi(name)]);
                seen[atoi(name)] = true;
            }
            req.cookie = ent.cookie;
            total++;
        }
    } while (!msg.body.readdir_rep.eof);
    ck_assert_uint_eq(total, 1000);
    /* Again from the start, and from the end. */
    BEGIN(GOFER_READDIR, req);
    STR("");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.count, 0);
    ck_assert_uint_eq(msg.body.readdir_rep.eof, 1);
    req.cookie = 0;
    BEGIN(GOFER_READDIR, req);
    STR("");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_gt(msg.count, 10);
}
END_TEST

static int create(u32 fid, u32 newfid, const char *name, u32 mode)
{
    struct gofer_create_req req = {fid, newfid, O_RDWR, mode, geteuid(), getegid()};
    BEGIN(GOFER_CREATE, req);
    STR(name);
    return CALL();
}

static int unlink_name(u32 fid, u32 flags, const char *name)
{
    struct gofer_unlink_req req = {fid, flags};
    BEGIN(GOFER_UNLINK, req);
    STR(name);
    return CALL();
}

static int setattr(struct gofer_setattr_req req, const char *name)
{
    BEGIN(GOFER_SETATTR, req);
    STR(name);
    return CALL();
}

static int rename_name(u32 from, const char *old, u32 to, const char *new)
{
    struct gofer_rename_req req = {from, to, 0};
    BEGIN(GOFER_RENAME, req);
    STR(old);
    STR(new);
    return CALL();
}

START_TEST(writing)
{
    struct gofer_mkdir_req mk = {1, 01777, geteuid(), getegid()};
    struct gofer_symlink_req sl = {1, geteuid(), getegid()};
    struct gofer_link_req ln = {1, 2};
    struct gofer_mknod_req nod = {1, S_IFIFO | 0640, geteuid(), getegid()};

    ck_assert_int_eq(attach(RW, 1), 0);
    ck_assert_uint_eq(msg.body.attach_rep.flags, 0);
    ck_assert_int_eq(create(1, 7, "new", 04664), 0);
    ck_assert_uint_eq(msg.body.create_rep.attr.mode, S_IFREG | 04664);
    ck_assert_int_eq(pwrite(donated, "abc", 3, 0), 3);
    ck_assert_int_eq(create(1, 8, "new", 0600), -EEXIST);
    BEGIN(GOFER_MKDIR, mk);
    STR("dir");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.body.mkdir_rep.attr.mode, S_IFDIR | 01777);
    ck_assert_int_eq(walk(1, 2, 0, "dir"), 0);
    BEGIN(GOFER_SYMLINK, sl);
    STR("sym");
    STR("/anything/../at all");
    ck_assert_int_eq(CALL(), 0);
    BEGIN(GOFER_LINK, ln);
    STR("new");
    STR("again");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.body.link_rep.attr.nlink, 2);
    BEGIN(GOFER_MKNOD, nod);
    STR("pipe");
    ck_assert_int_eq(CALL(), 0);
    ck_assert_uint_eq(msg.body.mknod_rep.attr.mode, S_IFIFO | 0640);
    nod.mode = S_IFCHR | 0666;
    BEGIN(GOFER_MKNOD, nod);
    STR("null");
    ck_assert_int_eq(CALL(), -EPERM);
    ck_assert_int_eq(rename_name(1, "new", 2, "moved"), 0);
    ck_assert_int_eq(unlink_name(2, 0, "again"), 0);
    ck_assert_int_eq(unlink_name(1, 0, "dir"), -EISDIR);
    ck_assert_int_eq(unlink_name(1, GOFER_UNLINK_DIR, "dir"), -ENOTEMPTY);
    ck_assert_int_eq(unlink_name(2, 0, "moved"), 0);
    /* Fid 7 is the open file, which has no name any more. */
    ck_assert_int_eq(setattr((struct gofer_setattr_req){.fid = 7,
                                                        .mask = GOFER_SET_SIZE | GOFER_SET_MODE |
                                                                GOFER_SET_MTIME,
                                                        .mode = 0600,
                                                        .size = 2,
                                                        .mtime = {1234567, 89}},
                             ""),
                     0);
    ck_assert_uint_eq(msg.body.setattr_rep.attr.size, 2);
    ck_assert_uint_eq(msg.body.setattr_rep.attr.nlink, 0);
    ck_assert_uint_eq(msg.body.setattr_rep.attr.mtime.sec, 1234567);
    ck_assert_int_eq(open_file(7, GOFER_NOFID, O_RDWR, ""), 0);
    check_donated("ab");
    ck_assert_int_eq(setattr((struct gofer_setattr_req){.fid = 1, .mask = GOFER_SET_MODE}, "sym"),
                     -EOPNOTSUPP);
    ck_assert_int_eq(setattr((struct gofer_setattr_req){.fid = 1, .mask = 64}, "sym"), -EINVAL);
    ck_assert_int_eq(unlink_name(1, GOFER_UNLINK_DIR, "dir"), 0);
}
END_TEST

START_TEST(read_only)
{
    struct gofer_mkdir_req mk = {0, 0755, 0, 0};

    ck_assert_int_eq(attach(RO, 0), 0);
    ck_assert_int_eq(attach(RW, 1), 0);
    ck_assert_int_eq(create(0, GOFER_NOFID, "x", 0600), -EROFS);
    BEGIN(GOFER_MKDIR, mk);
    STR("x");
    ck_assert_int_eq(CALL(), -EROFS);
    ck_assert_int_eq(unlink_name(0, 0, "file"), -EROFS);
    ck_assert_int_eq(rename_name(0, "file", 1, "file"), -EROFS);
    ck_assert_int_eq(create(1, GOFER_NOFID, "x", 0600), 0);
    ck_assert_int_eq(rename_name(1, "x", 0, "x"), -EROFS);
    ck_assert_int_eq(setattr((struct gofer_setattr_req){.fid = 0, .mask = GOFER_SET_MODE}, "file"),
                     -EROFS);
}
END_TEST

START_TEST(file_as_mount)
{
    ck_assert_int_eq(attach(ONE_FILE, 4), 0);
    ck_assert(S_ISREG(msg.body.attach_rep.attr.mode));
    ck_assert_int_eq(open_file(4, GOFER_NOFID, O_RDONLY, ""), 0);
    check_donated("hello");
    ck_assert_int_eq(open_file(4, GOFER_NOFID, O_RDONLY, "x"), -ENOTDIR);
    ck_assert_int_eq(walk(4, 5, 0, "x"), -ENOTDIR);
}
END_TEST

START_TEST(clunking)
{
    struct gofer_clunk_req req = {2};
    u32 fids[2] = {1, 60000};

    ck_assert_int_eq(attach(RO, 0), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(walk(0, 1, 0, "d"), 0);
        BEGIN(GOFER_CLUNK, req);
        gofer_put(&w, fids, sizeof(fids));
        ck_assert_int_eq(CALL(), 0);
    }
    ck_assert_int_eq(walk(1, 2, 0, "e"), -EBADF);
}
END_TEST

static __attribute__((unused)) int anonymous_kib(void)
{
    char path[64], line[128];
    int kib = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", child);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "Pss_Anon: %d kB", &kib);
    if (f)
        fclose(f);
    return kib;
}

/* What the process looks like from outside. */
START_TEST(confined)
{
    char path[64], link[64] = "", line[256];
    unsigned long long caps = ~0ull;
    int nnp = 0, seccomp = 0;
    FILE *f;

    ck_assert_int_eq(attach(RO, 0), 0);
    snprintf(path, sizeof(path), "/proc/%d/status", child);
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f)) {
        sscanf(line, "CapEff: %llx", &caps);
        sscanf(line, "NoNewPrivs: %d", &nnp);
        sscanf(line, "Seccomp: %d", &seccomp);
    }
    fclose(f);
    ck_assert_uint_eq(caps & ~0x1full, 0);
    ck_assert_int_eq(nnp, 1);
    ck_assert_int_eq(seccomp, 2);
    snprintf(path, sizeof(path), "/proc/%d/root", child);
    if (geteuid() == 0 && readlink(path, link, sizeof(link) - 1) > 0) {
        snprintf(path, sizeof(path), "/proc/%d/root/etc", child);
        ck_assert_int_ne(access(path, F_OK), 0);
        snprintf(path, sizeof(path), "/proc/%d/root/0/file", child);
        ck_assert_int_eq(access(path, F_OK), 0);
    }
#ifndef __SANITIZE_ADDRESS__
    ck_assert_int_lt(anonymous_kib(), 1024);
#endif
}
END_TEST

/* The root of the host, as for `runsc do`: the host's kernel file systems are not in it. */
START_TEST(host_root)
{
    static const char *const gone[] = {"proc/self", "proc/version", "sys/kernel", "dev/null"};
    struct gofer_mount mount = {"/", true};
    struct gofer_config cfg = {
        .log_fd = getenv("GOFER_TEST_LOG") ? 2 : -1,
        .mounts = &mount,
        .nmounts = 1,
        .user_namespace = geteuid() != 0,
        .uid = geteuid(),
        .gid = getegid(),
    };
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        cfg.sock = pair[1];
        _exit(gofer_main(&cfg));
    }
    close(pair[1]);
    sock = pair[0];
    ck_assert_int_eq(attach(0, 0), 0);
    ck_assert_int_eq(walk(0, GOFER_NOFID, 0, "usr/bin"), 0);
    ck_assert_int_eq(msg.body.walk_rep.stop, 0);
    for (unsigned i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        ck_assert_int_eq(walk(0, GOFER_NOFID, 0, gone[i]), 0);
        ck_assert_int_eq(msg.body.walk_rep.stop, -ENOENT);
    }
    close(sock);
    ck_assert_int_eq(wait_child(), 0);
}
END_TEST

START_TEST(filter_kills)
{
    for (int writable = 0; writable < 2; writable++) {
        int status;

        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            if (confine_seccomp(writable) == 0)
                socket(AF_INET, SOCK_STREAM, 0);
            _exit(0);
        }
        status = wait_child();
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gofer");
    TCase *tc = tcase_create("gofer");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(tc, start, stop);
    tcase_add_test(tc, walking);
    tcase_add_test(tc, paths);
    tcase_add_test(tc, links);
    tcase_add_test(tc, escapes);
    tcase_add_test(tc, garbage);
    tcase_add_test(tc, sent_descriptors_are_dropped);
    tcase_add_test(tc, directories);
    tcase_add_test(tc, writing);
    tcase_add_test(tc, read_only);
    tcase_add_test(tc, file_as_mount);
    tcase_add_test(tc, clunking);
    tcase_add_test(tc, confined);
    suite_add_tcase(s, tc);
    tc = tcase_create("process");
    tcase_add_test(tc, host_root);
    tcase_add_test(tc, filter_kills);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
