/* SPDX-License-Identifier: Apache-2.0
 *
 * The file protocol between the Sentry and the gofer: 9P2000.L's model (fids, walk, open,
 * everything relative to a descriptor) in fixed-size, packed, little-endian messages. One message
 * is one datagram of a SOCK_SEQPACKET pair; a reply carries the type and tag of its request.
 *
 * A fid is a number that the client picks and the server binds to a host descriptor: an O_PATH
 * descriptor of a directory (or of a mount that is a single file), or the descriptor of an open
 * file. Requests name a file as "fid + path": components below the fid, none of which may be a
 * link. So a client whose tree does not change under its feet needs no fid but the root's; others
 * bind the directories that they care about.
 *
 * This header is freestanding; codec.h reads and writes what it describes.
 */
#pragma once

#include "vmm/abi/types.h"

#define GOFER_PROTO_VERSION 1

#define GOFER_MSG_MAX   65536 /* bytes in one message, header included */
#define GOFER_NAME_MAX  255   /* bytes in one path component */
#define GOFER_TEXT_MAX  4095  /* bytes in a symbolic link's target */
#define GOFER_WALK_MAX  32    /* components in one walk */
#define GOFER_CLUNK_MAX 1024
#define GOFER_NOFID     0xffffffffu

/*
 * Every message there is: X(number, NAME, name, request strings, reply tail, flags).
 *
 * A request is header + struct gofer_<name>_req + strings, a reply is header + struct
 * gofer_<name>_rep + tail; a failed reply (err < 0) is the header alone.
 * Strings are {u16 length, bytes}. Their grammar, one letter for each:
 *   n  path component: 1..255 bytes, no '/', no NUL, neither "." nor ".."
 *   p  path: components with one '/' between them, 1..4095 bytes
 *   o  the same or empty: the fid itself
 *   t  text: 1..4095 bytes, no NUL
 *   *  as many 'n' as the request's count field says
 *   f  an array of as many u32 fids as the count field says
 * Reply tails: a = count attributes, then a text that may be empty; t = text; e = count directory
 * entries; d = as many bytes as the len field says.
 */
#define GOFER_W 1 /* changes the tree: EROFS on a read-only mount */
#define GOFER_D 2 /* the reply may carry one descriptor (SCM_RIGHTS) */

#define GOFER_OPS(X)                                 \
    X(1, ATTACH, attach, "", "", 0)                  \
    X(2, WALK, walk, "o*", "a", GOFER_D)             \
    X(3, OPEN, open, "o", "", GOFER_D)               \
    X(4, READLINK, readlink, "o", "t", 0)            \
    X(5, READDIR, readdir, "o", "e", 0)              \
    X(6, GETATTR, getattr, "o", "", 0)               \
    X(7, STATFS, statfs, "", "", 0)                  \
    X(8, CLUNK, clunk, "f", "", 0)                   \
    X(9, CREATE, create, "p", "", GOFER_W | GOFER_D) \
    X(10, MKDIR, mkdir, "p", "", GOFER_W)            \
    X(11, SYMLINK, symlink, "pt", "", GOFER_W)       \
    X(12, LINK, link, "pp", "", GOFER_W)             \
    X(13, MKNOD, mknod, "p", "", GOFER_W)            \
    X(14, UNLINK, unlink, "p", "", GOFER_W)          \
    X(15, RENAME, rename, "pp", "", GOFER_W)         \
    X(16, SETATTR, setattr, "o", "", GOFER_W)        \
    X(17, FSYNC, fsync, "o", "", 0)                  \
    X(18, READFILE, readfile, "o", "d", 0)

enum gofer_op {
#define GOFER_OP_ENUM(nr, NAME, name, req, rep, flags) GOFER_##NAME = nr,
    GOFER_OPS(GOFER_OP_ENUM)
#undef GOFER_OP_ENUM
        GOFER_OP_END
};

#define GOFER_PACKED __attribute__((packed))

struct gofer_hdr {
    u32 len;  /* of the whole message */
    u16 type; /* enum gofer_op */
    u16 tag;  /* echoed */
    s32 err;  /* requests: 0; replies: 0 or a negative errno */
} GOFER_PACKED;

struct gofer_time {
    s64 sec;
    u32 nsec;
} GOFER_PACKED;

/* What stat says. (dev, ino) is the identity of a file on the host; dev is makedev(3)-encoded. */
struct gofer_attr {
    u64 dev;
    u64 ino;
    u64 rdev;
    u64 size;
    u64 blocks; /* of 512 bytes */
    u32 mode;
    u32 nlink;
    u32 uid;
    u32 gid;
    u32 blksize;
    struct gofer_time atime;
    struct gofer_time mtime;
    struct gofer_time ctime;
} GOFER_PACKED;

/* ATTACH: bind fid to the root of a mount of the container. */
struct gofer_attach_req {
    u32 version;
    u32 mount; /* index into the list that the gofer was started with */
    u32 fid;
} GOFER_PACKED;

#define GOFER_ATTACH_RDONLY 1

struct gofer_attach_rep {
    u32 flags;    /* GOFER_ATTACH_* */
    u32 fid_max;  /* fids must be below this number */
    u32 open_max; /* fids that may be bound at one time */
    struct gofer_attr attr;
} GOFER_PACKED;

/*
 * WALK: look up count components one below the other, starting at the directory (fid, path). The
 * reply has the attributes of each component reached. It stops early, with stop set and without an
 * error, at a component that cannot be found or entered (its errno), or at a symbolic link that is
 * not the last (ELOOP). If the last component reached is a symbolic link its target follows. A walk
 * that reached its end binds newfid if that end is a directory and, with GOFER_WALK_OPEN, opens it
 * if it is a regular file: as OPEN would, but an error of this open is reported in open_err.
 */
#define GOFER_WALK_OPEN 1

struct gofer_walk_req {
    u32 fid;
    u32 newfid;
    u32 flags;      /* GOFER_WALK_* */
    u32 open_flags; /* as in OPEN */
    u16 count;
} GOFER_PACKED;

struct gofer_walk_rep {
    s32 stop; /* 0: all components were reached; else a negative errno */
    s32 open_err;
    u16 count;
} GOFER_PACKED;

/*
 * OPEN: open a regular file and donate the descriptor. flags: O_ACCMODE, O_APPEND, O_TRUNC (Linux
 * x86-64 values). Other kinds of files are never opened on the host: EACCES. If newfid is
 * not GOFER_NOFID it is bound to the open file, for SETATTR and FSYNC after an unlink.
 */
struct gofer_open_req {
    u32 fid;
    u32 newfid;
    u32 flags;
} GOFER_PACKED;

struct gofer_open_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

struct gofer_readlink_req {
    u32 fid;
} GOFER_PACKED;

struct gofer_readlink_rep {
    u8 unused;
} GOFER_PACKED;

/*
 * READDIR: entries of the directory (fid, path) from position cookie on (0: the start; else the
 * cookie of the last entry seen). "." and ".." are left out. With GOFER_READDIR_ATTR each entry
 * carries its attributes, unless it vanished meanwhile. The reply is at most size bytes long.
 */
#define GOFER_READDIR_ATTR 1

struct gofer_readdir_req {
    u32 fid;
    u32 flags; /* GOFER_READDIR_* */
    u32 size;
    u64 cookie;
} GOFER_PACKED;

struct gofer_readdir_rep {
    u8 eof; /* nothing follows these entries */
    u16 count;
} GOFER_PACKED;

#define GOFER_DIRENT_ATTR 1

/* Followed by struct gofer_attr if GOFER_DIRENT_ATTR is set, and by the name. */
struct gofer_dirent {
    u64 cookie; /* position after this entry */
    u64 ino;
    u8 type; /* DT_* */
    u8 flags;
    u8 namelen;
} GOFER_PACKED;

struct gofer_getattr_req {
    u32 fid;
} GOFER_PACKED;

struct gofer_getattr_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

struct gofer_statfs_req {
    u32 fid;
} GOFER_PACKED;

struct gofer_statfs_rep {
    u64 type;
    u64 bsize;
    u64 blocks, bfree, bavail;
    u64 files, ffree;
    u64 namelen;
    u64 frsize;
    u64 flags; /* ST_* of statfs(2) */
} GOFER_PACKED;

/* CLUNK: forget fids. Unbound ones are skipped, so that a client may always let go. */
struct gofer_clunk_req {
    u16 count;
} GOFER_PACKED;

struct gofer_clunk_rep {
    u8 unused;
} GOFER_PACKED;

/* CREATE: make a regular file (it must not exist), open and donate it. newfid as in OPEN. */
struct gofer_create_req {
    u32 fid;
    u32 newfid;
    u32 flags; /* as in OPEN */
    u32 mode;  /* permission bits, set whatever the umask */
    u32 uid;
    u32 gid;
} GOFER_PACKED;

struct gofer_create_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

struct gofer_mkdir_req {
    u32 fid;
    u32 mode;
    u32 uid;
    u32 gid;
} GOFER_PACKED;

struct gofer_mkdir_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

/* SYMLINK: strings are the new file and the target. */
struct gofer_symlink_req {
    u32 fid;
    u32 uid;
    u32 gid;
} GOFER_PACKED;

struct gofer_symlink_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

/* LINK: the file (fid, first path) gets the additional name (newdir, second path). */
struct gofer_link_req {
    u32 fid;
    u32 newdir;
} GOFER_PACKED;

struct gofer_link_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

/* MKNOD: S_IFIFO and S_IFSOCK only. Device nodes are refused: EPERM. */
struct gofer_mknod_req {
    u32 fid;
    u32 mode;
    u32 uid;
    u32 gid;
} GOFER_PACKED;

struct gofer_mknod_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

#define GOFER_UNLINK_DIR 1

struct gofer_unlink_req {
    u32 fid;
    u32 flags; /* GOFER_UNLINK_* */
} GOFER_PACKED;

struct gofer_unlink_rep {
    u8 unused;
} GOFER_PACKED;

/* RENAME: (fid, first path) becomes (newdir, second path). flags: RENAME_NOREPLACE, _EXCHANGE. */
struct gofer_rename_req {
    u32 fid;
    u32 newdir;
    u32 flags;
} GOFER_PACKED;

struct gofer_rename_rep {
    u8 unused;
} GOFER_PACKED;

#define GOFER_SET_MODE  1
#define GOFER_SET_UID   2
#define GOFER_SET_GID   4
#define GOFER_SET_SIZE  8
#define GOFER_SET_ATIME 16
#define GOFER_SET_MTIME 32
#define GOFER_SET_ALL   63

/* SETATTR: what mask names is set, in the order owner, mode, size, times; stops at an error. */
struct gofer_setattr_req {
    u32 fid;
    u32 mask; /* GOFER_SET_* */
    u32 mode;
    u32 uid;
    u32 gid;
    u64 size;
    struct gofer_time atime;
    struct gofer_time mtime;
} GOFER_PACKED;

struct gofer_setattr_rep {
    struct gofer_attr attr;
} GOFER_PACKED;

struct gofer_fsync_req {
    u32 fid;
    u32 datasync;
} GOFER_PACKED;

struct gofer_fsync_rep {
    u8 unused;
} GOFER_PACKED;

/* READFILE: all of a regular file of at most max bytes (else EFBIG), for files not worth a
 * descriptor. */
struct gofer_readfile_req {
    u32 fid;
    u32 max;
} GOFER_PACKED;

struct gofer_readfile_rep {
    struct gofer_attr attr;
    u32 len;
} GOFER_PACKED;

/* The fixed part of any message. */
union gofer_body {
#define GOFER_OP_BODY(nr, NAME, name, req, rep, flags) \
    struct gofer_##name##_req name;                    \
    struct gofer_##name##_rep name##_rep;
    GOFER_OPS(GOFER_OP_BODY)
#undef GOFER_OP_BODY
} GOFER_PACKED;
