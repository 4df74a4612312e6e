/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that can be mapped, for tests of mm/.
 */
#pragma once

#include "fake.h"

#define FAKE_FILE_PAGES 64

struct fake_file {
    struct vfs_file file;
    struct inode inode;
    struct mount mnt;
    unsigned npages, faults;
    struct page *pages[FAKE_FILE_PAGES];
};

void fake_file_init(struct fake_file *ff, unsigned npages);
/* Drop pages from npages on and unmap them everywhere. */
void fake_file_truncate(struct fake_file *ff, unsigned npages);
