/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of the host by way of the gofer, and what overlays need of them: everything by inode,
 * without dentries and open files.
 */
#pragma once

#include "sentry/fs/vfs.h"

/* Register the file system types "gofer" and "overlay"; both take a struct boot_mount as data. */
void gofer_fs_init(void);
void overlay_fs_init(void);

/* HOST_EVENT_WINDOW: the file behind this part of the window was truncated on the host. May sleep.
 */
void gofer_window_lost(pa_t pa, u64 len);
/* Machine check: the same for every part of the window that the host has not reported yet. */
void gofer_windows_check(void);

/* ---- for overlays. All may sleep, none with a spinlock held ---- */

/* The inode of a name in a directory: *out with a reference, NULL when there is no such name. */
int gofer_lookup(struct inode *dir, const char *name, size_t len, struct inode **out);

/* Receives the entries of a directory: i is the entry's inode (borrowed), or NULL when not known.
 */
struct gofer_lister {
    int (*entry)(struct gofer_lister *l, const char *name, size_t len, u64 ino, u8 type,
                 struct inode *i);
};
int gofer_list(struct inode *dir, struct gofer_lister *l);

/* Have i's data at hand, for reading or for both; 0 or -errno. One put for each successful get. */
int gofer_file_get(struct inode *i, bool write);
void gofer_file_put(struct inode *i);
/* Up to n bytes from pos, within the file; bytes moved or -errno. Between get and put. */
s64 gofer_file_read(struct inode *i, struct uio *to, u64 pos, u64 n);
/* As vma_ops.fault, for a mapping that writes nothing. Between get and put, with a vma counted. */
int gofer_file_fault(struct inode *i, u64 index, struct fault_page *out);
void gofer_vma_count(struct inode *i, s32 delta);
/* Mappings of i are to be found at `now` (borrowed; NULL: not any more) instead of `was`. */
void gofer_set_top(struct inode *i, struct inode *was, struct inode *now);
