/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtual file system: super blocks, inodes, dentries, mounts, open files, path walking.
 *
 * Life times: a dentry holds its inode, its parent and (through its super block) the file system;
 * an open file holds dentry and mount; a mount holds its root dentry and its parent mount.
 */
#pragma once

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/poll.h>
#include "sentry/kernel/wait.h"
#include "sentry/mm/mm.h"
#include "sentry/fs/uio.h"

struct inode;
struct dentry;
struct mount;
struct super;
struct vfs_file;
struct poll_table;
struct cred;
struct fs_context;
struct files;

/* (mount, dentry) pair; a holder of a struct path holds both unless it says "borrowed". */
struct path {
    struct mount *mnt;
    struct dentry *dentry;
};

/* Attributes of an inode, as stat(2) shows them. */
struct attr {
    u64 ino, size, blocks; /* blocks of 512 bytes */
    u32 mode, nlink, uid, gid;
    u64 rdev; /* new_encode_dev form */
    u64 dev;  /* st_dev; 0: the super block's */
    u32 blksize;
    s64 atime, mtime, ctime, btime; /* ns since the epoch */
};

/* Which fields of a setattr count. */
#define ATTR_MODE  1u
#define ATTR_UID   2u
#define ATTR_GID   4u
#define ATTR_SIZE  8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u

/*
 * Per-inode operations. Directory operations are called with dir->lock held for write, lookup for
 * read; `d` is a negative dentry that the operation instantiates (dentry_instantiate). NULL members
 * answer: lookup ENOTDIR, creating calls EPERM (EROFS on read-only mounts is the VFS's business),
 * readlink EINVAL. Errors are negative errno.
 */
/* After success the VFS itself hashes, renames or unhashes dentries: unlink, rmdir, rename touch
 * only the file system's own records. Permissions, mount flags, "exists" and "is a directory" were
 * checked. revalidate comes from the parent directory's ops (d may be negative). unlink, rmdir and
 * rename hold the lock of the inode that loses a name too, link that of the target. lookup, create
 * … of a directory that went (INODE_DEAD) are never called. inode_permission() looks at
 * inode->attr: keep its mode, uid and gid fresh. setattr runs with ino->lock held for write and
 * updates ino->attr (attr_apply); getattr without it. xattr operations: NULL means EOPNOTSUPP.
 */
struct inode_ops {
    /* Find d->name in dir: instantiate d, or leave it negative and return 0. */
    int (*lookup)(struct inode *dir, struct dentry *d);
    int (*create)(struct inode *dir, struct dentry *d, u32 mode);
    int (*mkdir)(struct inode *dir, struct dentry *d, u32 mode);
    int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
    int (*mknod)(struct inode *dir, struct dentry *d, u32 mode, u64 rdev);
    int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
    int (*unlink)(struct inode *dir, struct dentry *d);
    int (*rmdir)(struct inode *dir, struct dentry *d);
    int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                  u32 flags);
    /* Target of a symbolic link into buf; length or -errno. */
    s64 (*readlink)(struct inode *ino, char *buf, size_t size);
    /* Magic link (/proc/self/fd/N, exe, cwd): the object itself, with references. */
    int (*follow)(struct inode *ino, struct path *out);
    int (*getattr)(struct inode *ino, struct attr *a); /* NULL: ino->attr */
    int (*setattr)(struct inode *ino, const struct attr *a, u32 valid);
    int (*tmpfile)(struct inode *dir, u32 mode, struct inode **out);
    /* Open: set file->ops/private as needed. NULL: nothing to do. */
    int (*open)(struct inode *ino, struct vfs_file *f);
    /* Is the cached dentry still good? NULL: always. */
    bool (*revalidate)(struct dentry *d);
    void (*evict)(struct inode *ino); /* last reference goes: free ino->private */
    /* Value into buf (size 0: only its length); length or -errno (ENODATA, ERANGE). */
    s64 (*getxattr)(struct inode *ino, const char *name, void *buf, size_t size);
    /* value NULL: remove. flags: XATTR_CREATE, XATTR_REPLACE. ino->lock held for write. */
    int (*setxattr)(struct inode *ino, const char *name, const void *value, size_t size, u32 flags);
    /* NUL-terminated names one after the other; as getxattr. */
    s64 (*listxattr)(struct inode *ino, char *buf, size_t size);
};

/*
 * Emits one directory entry; false: the buffer is full, stop. next is the value of f->pos behind
 * this entry; readdir stores it there after each entry that was taken. "." and ".." come first
 * (dir_emit_dots).
 */
struct dir_emitter {
    bool (*emit)(struct dir_emitter *e, const char *name, size_t len, u64 ino, u32 dtype, u64 next);
};
/* Entries at f->pos 0 and 1; false: the buffer is full. Others start at 2. */
bool dir_emit_dots(struct vfs_file *f, struct dir_emitter *e);

/* Per-open-file operations; all may sleep. NULL: the errno in brackets. */
struct file_ops {
    s64 (*read)(struct vfs_file *f, struct uio *to, u64 *pos);    /* EINVAL */
    s64 (*write)(struct vfs_file *f, struct uio *from, u64 *pos); /* EINVAL */
    s64 (*lseek)(struct vfs_file *f, s64 off, int whence); /* generic_lseek; stream files: ESPIPE */
    u32 (*poll)(struct vfs_file *f, struct poll_table *pt);    /* always readable and writable */
    s64 (*ioctl)(struct vfs_file *f, u32 cmd, u64 arg);        /* ENOTTY */
    int (*readdir)(struct vfs_file *f, struct dir_emitter *e); /* ENOTDIR; starts at f->pos */
    int (*mmap)(struct vfs_file *f, struct vma *vma);          /* ENODEV; sets vma->ops */
    int (*fsync)(struct vfs_file *f, bool datasync);           /* EINVAL */
    int (*fallocate)(struct vfs_file *f, int mode, u64 off, u64 len); /* EOPNOTSUPP */
    int (*flush)(struct vfs_file *f);                                 /* each close(2) */
    void (*release)(struct vfs_file *f);                              /* last reference went */
    s64 (*show_fdinfo)(struct vfs_file *f, char *buf, size_t size);   /* extra lines */
};

struct super_ops {
    int (*statfs)(struct super *sb, struct statfs *st); /* NULL: type, block size and name length */
    void (*destroy)(struct super *sb); /* nothing uses it any more, all dentries are gone */
    int (*sync)(struct super *sb);
    void (*dentry_free)(struct dentry *d); /* drop d->private */
};

/* A mounted file system instance. */
struct super {
    refcount_t refs;
    const struct super_ops *ops;
    const char *type; /* "tmpfs" */
    u64 dev;          /* st_dev */
    u64 magic;
    struct dentry *root;
    void *private;
    u32 flags; /* ST_RDONLY … of the instance */
    u64 next_ino;
};

/*
 * An inode in memory. ops never change; attr is guarded by lock (write to change), except that
 * file systems which compute attributes use getattr. Freed by the last inode_put().
 */
struct inode {
    refcount_t refs;
    struct super *sb;
    const struct inode_ops *ops;
    const struct file_ops *fops; /* default for opened files */
    struct rwsem lock;
    struct attr attr;
    struct mapping mapping;
    void *private;
    struct pipe *pipe;        /* FIFOs: shared by all openers; lock */
    struct flock_list *locks; /* POSIX and flock locks */
    s32 writers;              /* >0 open for writing, <0 being executed (ETXTBSY); atomic */
    u32 flags;                /* INODE_*; lock */
    struct waitq *sock_wait;  /* bound AF_UNIX socket: see net/unix.c */
    void *sock;
};
#define INODE_DEAD      1u /* removed directory: nothing can be made in it */
#define INODE_LINKABLE  4u /* O_TMPFILE: may get a name although it has none */
#define INODE_IMMUTABLE 2u /* attributes cannot be changed (proc, sys) */

/*
 * A name in a directory, positive (inode != NULL) or negative. Hash chain, lru and children are
 * guarded by the dcache lock; d->inode changes under the parent's inode lock.
 */
struct dentry {
    refcount_t refs;
    u32 hash;
    struct inode *inode;
    struct dentry *parent; /* held; root: itself */
    struct super *sb;
    struct list hash_link, sibling, children, lru;
    u32 flags; /* DENTRY_* */
    u32 name_len;
    char *name; /* inline when short */
    char inline_name[32];
    void *private; /* the file system's */
};
#define DENTRY_MOUNTED  1u /* something is mounted here in some namespace */
#define DENTRY_UNHASHED 2u /* unlinked: shows "(deleted)" */
#define DENTRY_STANDIN \
    8u /* mountpoint that its file system could not make: exists in the cache only */
#define DENTRY_PSEUDO 4u /* has no place in a tree: its name is shown as it is ("pipe:[7]") */

/* Flags of a mount: MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME. */
struct mount {
    refcount_t refs;
    struct super *sb;
    struct dentry *root;       /* held */
    struct mount *parent;      /* held; NULL for the root mount */
    struct dentry *mountpoint; /* held; in parent */
    struct list link;          /* namespace's list, mount order */
    u32 flags;
    int id;
    char *source;
    struct mount *copy; /* during a recursive bind, see mount_bind() */
};

/* cwd, root, umask; shared by CLONE_FS. lock guards the paths. */
struct fs_context {
    refcount_t refs;
    struct spinlock lock;
    struct path root, cwd;
    u32 umask;
};

/* An open file description. f->pos_lock serialises read/write/seek on seekable files. */
struct vfs_file {
    refcount_t refs;
    u32 flags; /* O_*; access mode and status flags; fcntl changes it under lock */
    u32 mode;  /* FMODE_* */
    const struct file_ops *ops;
    struct path path;    /* anonymous files have a dentry of the anon super */
    struct inode *inode; /* of path.dentry; borrowed */
    u64 pos;
    struct mutex pos_lock;
    struct spinlock lock;
    void *private;
    struct list epoll_links;  /* epoll items that watch it */
    int owner_pid, owner_sig; /* F_SETOWN, F_SETSIG */
};
#define FMODE_READ   1u
#define FMODE_WRITE  2u
#define FMODE_STREAM 4u /* no position: pipes, sockets, ttys */
#define FMODE_PATH   8u /* O_PATH */
#define FMODE_EXEC   16u

/* ---- poll: a file's poll op calls poll_wait for each queue it may wake ---- */

struct poll_table {
    void (*queue)(struct poll_table *pt, struct waitq *wq);
    u32 events; /* interest */
};
static inline void poll_wait(struct poll_table *pt, struct waitq *wq)
{
    if (pt && pt->queue)
        pt->queue(pt, wq);
}
u32 vfs_poll(struct vfs_file *f, struct poll_table *pt);

/* ---- super blocks, inodes, dentries: super.c, inode.c, dcache.c ---- */

u64 super_anon_dev(void); /* a device number that nothing else has */
struct super *super_new(const char *type, const struct super_ops *ops, u64 magic);
void super_put(struct super *sb);
struct inode *inode_new(struct super *sb, const struct inode_ops *ops, const struct file_ops *fops,
                        u32 mode); /* one reference, times = now, new ino, nlink 1 */
void inode_get(struct inode *i);
void inode_put(struct inode *i);
int inode_getattr(struct inode *i, struct attr *a);
/* Change attributes after the permission checks of chmod, chown, utimes, truncate. Takes i->lock.
 */
int inode_setattr(struct inode *i, const struct attr *a, u32 valid);
/* Copy the valid fields into i->attr and set ctime (and mtime with ATTR_SIZE). i->lock held. */
void attr_apply(struct inode *i, const struct attr *a, u32 valid);
/* What was written: drop set-id bits, mtime and ctime = now. i->lock held. */
void inode_modified(struct inode *i);
/* Relative atime of what f reads. */
void file_accessed(struct vfs_file *f);
/* Owner and mode of something new in dir: current's fsuid/fsgid, set-group-id directories. */
void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode);
/* DT_* of a directory entry for a file mode. */
#define DT_UNKNOWN       0
#define DT_DIR           4
#define mode_to_dt(mode) (((mode) >> 12) & 15)
/* Permission bits against current's fsuid/fsgid and capabilities. want: MAY_*. */
#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u
int inode_permission(struct inode *i, u32 want);
int attr_permission(const struct attr *a, const struct cred *c, u32 want);

struct dentry *dentry_new_root(struct super *sb, struct inode *root); /* consumes the inode ref */
/* Cached or new (negative, not hashed until looked up) child; +reference. */
struct dentry *dentry_lookup_cached(struct dentry *dir, const char *name, size_t len);
struct dentry *dentry_alloc(struct dentry *dir, const char *name, size_t len);
void dentry_instantiate(struct dentry *d, struct inode *i); /* consumes the inode reference */
void dentry_make_negative(struct dentry *d);                /* after unlink; done by the VFS */
void dentry_add(struct dentry *d);                          /* hash a fresh one */
/* Have a child in the cache before it is asked for; the inode reference is consumed.
 * dir->inode->lock held. */
void dentry_prime(struct dentry *dir, const char *name, size_t len, struct inode *i);
void dentry_drop(struct dentry *d); /* unhash: the next lookup asks the file system */
/* Where d is at this moment: its parent, with a reference, and a copy of its name. */
struct dentry *dentry_place(struct dentry *d, char name[NAME_MAX + 1]);
/* Give `from` the place and name of `to` (which is unhashed, or takes from's with exchange). */
void dentry_move(struct dentry *from, struct dentry *to, bool exchange);
/* Dentry outside any tree, for sockets, pipes, memfds; consumes the inode reference. */
struct dentry *dentry_new_pseudo(const char *name, struct inode *i);
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* Child by name via cache, then inode_ops.lookup; +reference, may be negative. dir->inode lock NOT
 * held. */
struct dentry *dentry_child(struct dentry *dir, const char *name, size_t len);
/* The same with dir->inode->lock held (any mode). */
struct dentry *dentry_child_locked(struct dentry *dir, const char *name, size_t len);
void dentry_drop_children(struct dentry *dir); /* forget unused cached names below */

/* Free every dentry of a dead super block. */
void dentry_free_tree(struct dentry *root);
void dcache_init(void);
void dcache_shrink(unsigned n); /* forget up to n unused names */

void path_get(const struct path *p);
void path_put(const struct path *p);

/* ---- mounts: mount.c ---- */

/*
 * A file system type. data: options as mount(2) takes them ("size=1m,mode=700", never NULL), or,
 * with FS_BOOT, the struct boot_mount; such types cannot be mounted by the application.
 */
struct fs_type {
    const char *name;
    /* New instance; returns super with root set, or ERR_PTR. */
    struct super *(*mount)(const char *source, u32 flags, const void *data);
    u32 flags; /* FS_* */
};
#define FS_BOOT 1u                         /* data is a struct boot_mount */
void fs_register(const struct fs_type *t); /* at init */
const struct fs_type *fs_find(const char *name);
int mount_attach(struct super *sb, const struct path *at, u32 flags, const char *source);
int mount_detach(const struct path *at, u32 flags);
int mount_bind(const struct path *from, const struct path *at, bool recursive);
int mount_move(const struct path *from, const struct path *at);
int mount_remount(const struct path *at, u32 flags); /* new MS_* flags */
#ifndef MNT_DETACH /* flags of umount2(2), which no kernel header names */
#define MNT_FORCE       1
#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8
#endif
extern struct mount *root_mount;
/* Every mount, in the order in which they were made: the n-th with a reference, or NULL. */
struct mount *mount_nth(unsigned n);
void mount_get(struct mount *m);
void mount_put(struct mount *m);
/* A mount that is in no tree (anonymous files). */
struct mount *mount_new(struct super *sb, u32 flags, const char *source);
/* Cross from a mountpoint to what is mounted on it, repeatedly; consumes and replaces *p. */
void mount_follow(struct path *p);
/* From the root of a mount to the place it is mounted on; false at the top. Consumes and replaces
 * *p. */
bool mount_up(struct path *p);

/* ---- path walking: namei.c ---- */

#define LOOKUP_FOLLOW        1u /* follow a final symbolic link */
#define LOOKUP_DIRECTORY     2u
#define LOOKUP_EMPTY         4u /* AT_EMPTY_PATH */
#define LOOKUP_NO_SYMLINKS   8u
#define LOOKUP_BENEATH       16u
#define LOOKUP_IN_ROOT       32u
#define LOOKUP_NO_XDEV       64u
#define LOOKUP_NO_MAGICLINKS 128u
/* Resolve a path (kernel string) from dirfd (AT_FDCWD or descriptor). 0 and *out held, or -errno.
 */
int path_lookup(int dirfd, const char *name, u32 flags, struct path *out);
/* The same with a user string. */
int path_lookup_user(int dirfd, uva_t name, u32 flags, struct path *out);
/*
 * Resolve all but the last component: *parent held, last (NAME_MAX+1 bytes) filled; trailing
 * slashes set *is_dir. -EEXIST/-EBUSY style errors for "", ".", ".." are the caller's: *last may be
 * "." or "..".
 */
int path_lookup_parent(int dirfd, const char *name, struct path *parent, char *last, bool *is_dir);
/* Copy a path from user memory: kmalloc'ed, or ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOENT when empty
 * and !empty_ok). */
char *getname(uva_t name, bool empty_ok);
/* Open; returns file or ERR_PTR. */
struct vfs_file *vfs_open(int dirfd, const char *name, u32 flags, u32 mode);
struct vfs_file *vfs_open_path(const struct path *p, u32 flags);
/* Open for execve: regular file, execute permission, no writers while it is open. at_flags: AT_*.
 */
struct vfs_file *vfs_open_exec(int dirfd, const char *name, u32 at_flags);
/* As the system calls, with kernel strings: umask, permissions and all. 0 or -errno. */
int vfs_mkdir(int dirfd, const char *name, u32 mode);
/* out NULL, or what was made, held (AF_UNIX sockets bound to a path). */
int vfs_mknod(int dirfd, const char *name, u32 mode, u64 dev, struct path *out);
int vfs_symlink(const char *target, int dirfd, const char *name);
/* -EROFS when p's mount or super block is read-only. */
int path_writable(const struct path *p);
/* Path of p below current's root into buf (from the end); pointer into buf, or ERR_PTR. */
char *path_to_string(const struct path *p, char *buf, size_t size);

/* ---- open files: file.c ---- */

struct vfs_file *file_new(const struct path *p, const struct file_ops *ops, u32 flags);
/* File on an anonymous inode ("anon_inode:[eventfd]"); private belongs to ops->release. */
struct vfs_file *file_new_anon(const char *name, const struct file_ops *ops, void *private,
                               u32 flags);
/*
 * File on an inode of its own without a name: type is "pipe" or "socket" (shown as "pipe:[7]"),
 * mode has S_IFMT. One end more of the same object: file_new(&f->path, ops, flags).
 */
struct vfs_file *file_new_pseudo(const char *type, u32 mode, const struct file_ops *ops,
                                 void *private, u32 flags);
void file_get(struct vfs_file *f);
/* f goes: the epoll instances that watch it forget it (epoll.c). Only called when epoll_links is
 * not empty. */
void epoll_forget_file(struct vfs_file *f);
void file_put(struct vfs_file *f);
s64 file_read(struct vfs_file *f, struct uio *to, u64 *pos); /* checks mode; pos NULL: f->pos */
s64 file_write(struct vfs_file *f, struct uio *from, u64 *pos);
s64 generic_lseek(struct vfs_file *f, s64 off, int whence, u64 size);
/* Read from kernel code (exec). Bytes or -errno. */
s64 kernel_read(struct vfs_file *f, void *buf, size_t n, u64 pos);

/* ---- devices and FIFOs: what opening a special file does ---- */

/* A driver of character devices: nminors from `minor` on. open sets f->ops and f->private as
 * needed. */
struct chrdev {
    const char *name;
    u32 major, minor, nminors;
    const struct file_ops *fops;
    int (*open)(struct inode *ino, struct vfs_file *f); /* may be NULL */
};
void chrdev_register(const struct chrdev *c); /* at init; c stays */
const struct chrdev *chrdev_nth(unsigned n);  /* in order of registration; NULL at the end */
bool chrdev_exists(u64 rdev);
int chrdev_open(struct inode *ino, struct vfs_file *f);
int fifo_open(struct inode *ino, struct vfs_file *f); /* pipe.c */
/* F_SETPIPE_SZ, F_GETPIPE_SZ; -EBADF when f is no pipe. pipe.c */
s64 pipe_fcntl(struct vfs_file *f, u32 cmd, u64 arg);
/* F_ADD_SEALS, F_GET_SEALS; -EINVAL when f is not from memfd_create. tmpfs/memfd.c */
s64 memfd_fcntl(struct vfs_file *f, u32 cmd, u64 arg);
/* Nameless file in memory, for MAP_SHARED|MAP_ANONYMOUS ("/dev/zero") and System V segments:
 * O_RDWR, or ERR_PTR. */
struct vfs_file *shmem_file(const char *name, u64 size);
static inline u64 dev_make(u32 major, u32 minor)
{
    return (minor & 0xff) | (u64)major << 8 | (u64)(minor & ~0xffu) << 12;
}
static inline u32 dev_major(u64 dev)
{
    return (dev >> 8) & 0xfff;
}
static inline u32 dev_minor(u64 dev)
{
    return (dev & 0xff) | ((dev >> 12) & ~0xffu);
}
/* Name in /dev (devtmpfs-like); at init. "pts/ptmx" makes the directory too. */
int dev_make_node(const char *name, u32 mode, u64 rdev);

/* ---- descriptor tables: fdtable.c ---- */

struct files *files_new(void);
struct files *files_copy(struct files *f);
void files_get(struct files *f);
void files_put(struct files *f);
bool files_shared(struct files *f);   /* does anybody else use it? */
struct vfs_file *fd_get(int fd);      /* +reference of current's descriptor or NULL (no O_PATH) */
struct vfs_file *fd_get_any(int fd);  /* O_PATH too */
int fd_alloc(int from, bool cloexec); /* reserve the lowest; -EMFILE */
void fd_install(int fd, struct vfs_file *f); /* consumes the reference */
void fd_unreserve(int fd);
int fd_install_new(struct vfs_file *f, bool cloexec); /* alloc + install; drops f on failure */
int fd_close(int fd);
void files_close_on_exec(struct files *f);
/* Iterate: the first open descriptor >= from of t's table with a reference in *f, or -1. */
int files_next(struct files *t, int from, struct vfs_file **f);

struct fs_context *fs_context_copy(struct fs_context *fs);
void fs_context_get(struct fs_context *fs);
void fs_context_put(struct fs_context *fs);

/* Why the container cannot be made, for the user. */
struct boot_failure {
    char text[512];
};
/*
 * Build the mount tree of the container from the boot information; sets root_mount. 0, or -errno with
 * a reason. fs/init.c
 */
int vfs_init(struct boot_failure *why);
struct fs_context *fs_context_initial(void);
