/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the VFS core share among themselves; file systems include vfs.h only.
 */
#pragma once

#include "sentry/fs/vfs.h"
#include "sentry/kernel/task.h"

/* Serialises renames and mounts: the shape of the tree. RANK_NAMESPACE. */
extern struct mutex namespace_mutex;
/* Changes with every rename of a directory and every mount: scoped walks (RESOLVE_BENEATH) notice.
 */
extern u32 tree_generation;

void inode_init(void);
void file_init(void);
void pseudo_init(void);
/* Hold names and parents of all dentries still for a moment (spinlock). dcache.c */
void dcache_lock_names(void);
void dcache_unlock_names(void);
/*
 * Go down from *at (whose reference moves along) through directories that are cached, may be
 * searched and have nothing mounted on them, under one lock. Returns what is left of the path, at
 * least its last component.
 */
const char *dcache_walk(struct dentry **at, const char *rest);
const struct fs_type *fs_nth(unsigned n);

/* ---- path walking ---- */

/* State of one walk; lives on the stack. walk_start ... walk_end. */
struct walk {
    struct path path; /* where we are; held */
    struct path root; /* "/" and the top of ".."; held once dentry is set */
    const char *rest; /* what is left of the string */
    char *buf;        /* string that rest points into, after a symbolic link */
    const char *last; /* last component, not NUL-terminated; len 0: there is none ("/") */
    u32 last_len;
    bool last_slash; /* "name/": must be a directory */
    u32 flags;       /* LOOKUP_* */
    u32 links;       /* symbolic links seen */
    u32 generation;
};
int walk_start(struct walk *w, int dirfd, const char *name, u32 flags);
/* To the directory that holds the last component. */
int walk_parent(struct walk *w);
/* Step into child d (reference consumed) of the current directory; 1: a link was put in front, go
 * on. */
int walk_into(struct walk *w, struct dentry *d, bool follow);
/* The last component, when it is not to be created: 0, 1 as above, or -errno. */
int walk_last(struct walk *w, bool follow);
void walk_end(struct walk *w);
static inline bool last_is_dots(const struct walk *w)
{
    return w->last_len <= 2 && w->last_len && w->last[0] == '.' &&
           (w->last_len == 1 || w->last[1] == '.');
}

/* A path from user memory: short ones stay on the stack. uname_put after a uname_get that gave 0.
 */
struct uname_buf {
    char *s;
    char small[240];
};
int uname_get(struct uname_buf *b, uva_t name, bool empty_ok);
void uname_put(struct uname_buf *b);

/* ---- opening ---- */

/* How to open: open(2) flags as the VFS wants them. */
struct open_how_k {
    u32 flags, mode, lookup;
};
struct vfs_file *vfs_open_how(int dirfd, const char *name, const struct open_how_k *how);
/* Creating calls: parent locked, negative child in *d, checked for permission. open_calls/dir_calls
 */
int dir_may_create(const struct path *dir);
int dir_may_delete(struct inode *dir, struct dentry *victim, bool isdir);

/* +1: a writer, -1: is being executed; -ETXTBSY when the other kind is there. File release undoes
 * it. */
int inode_claim(struct inode *i, int step);
s64 file_lseek(struct vfs_file *f, s64 off, int whence);
/* readv and writev in all their forms; at NULL: the file's position; rwf: RWF_*. rw_calls.c */
s64 rw_vector(int fd, uva_t iov, u64 n, const s64 *at, bool write, u32 rwf);
/* ---- descriptors ---- */

/* dup2: put f (own reference taken) at fd, closing what is there. fd or -errno. */
int fd_replace(int fd, struct vfs_file *f, bool cloexec);
/* Close-on-exec of fd before the call; set >= 0: change it. -EBADF. */
int fd_cloexec(int fd, int set);
void fd_close_range(unsigned first, unsigned last, bool only_mark);
/* Take over references of the new working directory and root (either may be NULL). */
void fs_context_set(struct fs_context *fs, const struct path *cwd, const struct path *root);
bool files_is_cloexec(struct files *t, int fd);
unsigned files_max(struct files *t); /* slots, for FDSize */

/* truncate(2) on an inode after all checks of the path. */
int do_truncate(struct inode *i, u64 size);
/* The whole path of p as text for the system call and for /proc; see path_to_string. */
#define PATH_UNREACHABLE 1
#define PATH_DELETED     2
char *path_text(const struct path *p, const struct path *root, char *buf, size_t size, int *what);
/* The umask of current; threads of the Sentry have none. */
static inline u32 current_umask(void)
{
    return current->fs ? current->fs->umask : 0;
}
/* Root of current, or of the container for threads of the Sentry; held. */
void current_root(struct path *out);
void current_cwd(struct path *out);
