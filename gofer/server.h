/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of the gofer: the table of fids, and what the files of this directory offer each other.
 */
#pragma once

#include <stdarg.h>
#include <sys/types.h>
#include "gofer/codec.h"
#include "gofer/gofer.h"

#define GOFER_FIDS 65536 /* fid numbers there are; the descriptor limit may allow fewer */

enum fid_kind {
    FID_FREE, /* zero: the table starts as untouched memory */
    FID_DIR,  /* fd: O_PATH of a directory; readfd: the open directory while it is being read, or -1
               */
    FID_FILE, /* fd: an open regular file */
    FID_ROOT, /* a mount's root that is no directory: server.mounts[mount] knows it */
};

/* One fid. Owned by the server's table. */
struct fid {
    u8 kind;
    u8 accmode; /* FID_FILE: O_ACCMODE of fd */
    u16 mount;
    s32 fd;
    s32 readfd;
    u64 cookie; /* position of readfd */
};

/* A root that ATTACH may bind: (dirfd, name), opened before the gofer was confined. */
struct root {
    int fd; /* O_PATH */
    int dirfd;
    char name[GOFER_NAME_MAX + 1];
    bool readonly;
};

/* The gofer. There is one, it has one thread, it lives as long as the process. */
struct server {
    const struct gofer_config *cfg;
    struct root *roots; /* cfg->nmounts */
    struct fid *fids;   /* GOFER_FIDS, pages appear when used */
    u32 bound, bound_max;
    u32 complaints; /* messages logged, bounded */
    u8 *request, *reply;
};

/*
 * A file named by a request, as the *at() system calls want it. For a directory itself name is
 * ".", for an open file it is "" (with AT_EMPTY_PATH). Lives for one request; place_put() ends it.
 */
struct place {
    int dirfd;
    bool close_dirfd; /* it was opened on the way */
    bool open_file;
    const struct fid *fid;
    char name[GOFER_NAME_MAX + 1];
};

/* What a handler gives besides the bytes it wrote: a descriptor to donate; owned by the caller. */
struct answer {
    struct gofer_writer w;
    int fd; /* -1: none */
};

/* ---- fid.c ---- */

/* NULL when the number is not bound. */
struct fid *fid_get(struct server *s, u32 nr);
/* May this number be bound now? 0, -EBADF, -EBUSY or -EMFILE. GOFER_NOFID: 0. */
int fid_check_new(struct server *s, u32 nr);
/* Bind nr, which was checked, to fd; takes fd over. */
void fid_bind(struct server *s, u32 nr, enum fid_kind kind, int fd, u16 mount);
void fid_clunk(struct server *s, u32 nr);
/* Bind a second descriptor of the open file fd to nr, which was checked; GOFER_NOFID: nothing. */
int bind_open(struct server *s, u32 nr, int fd, u32 flags, u16 mount);
/*
 * Resolve fid + path up to the last component. 0 or -errno: -EBADF, -EROFS (write on a read-only
 * mount), or what opening the directory gave.
 */
int place_get(struct server *s, u32 nr, const struct gofer_str *str, bool write, struct place *p);
void place_put(struct place *p);
int place_stat(const struct place *p, struct gofer_attr *attr);
/* Attributes of a name below a descriptor; "" is the descriptor itself. */
int stat_below(int dirfd, const char *name, struct gofer_attr *attr);

/* ---- path.c: every open of the gofer ---- */

/* Open a path below dirfd, never following a link; descriptor or -errno. */
int open_below(int dirfd, const char *path, u64 flags, u32 mode);
/* The same, a regular file or an error, whatever happens to the name meanwhile. */
int open_regular(int dirfd, const char *name, u32 flags);
/* The directory that p names, for reading; descriptor or -errno. readdir.c */
int open_directory(const struct place *p);
/* Are these flags ones that OPEN takes? */
bool open_flags_ok(u32 flags);

/* ---- serve.c ---- */

void complain(struct server *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Answer one request of len bytes in s->request; returns the length of s->reply, *fd to donate. */
int serve_one(struct server *s, size_t len, int *fd);

/* ---- read.c, readdir.c, write.c: one handler for each message; 0 or -errno ---- */

#define GOFER_HANDLER(nr, NAME, name, req, rep, flags) \
    int handle_##name(struct server *s, const struct gofer_msg *m, struct answer *a);
GOFER_OPS(GOFER_HANDLER)
#undef GOFER_HANDLER

/* ---- confine.c, mounts.c, seccomp.c: 0 or -errno, after a message ---- */

/* Close what is not ours, leave the session, raise the descriptor limit (result in *nofile). */
int gofer_confine(struct server *s, u32 *nofile);
/* Own namespaces, and in them nothing but the mounts; fills s->roots. */
int confine_mounts(struct server *s);
/* Capabilities, no_new_privs, seccomp. Nothing but serving works after this. */
int confine_rights(struct server *s);
int confine_seccomp(bool writable);
