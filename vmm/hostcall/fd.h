/* SPDX-License-Identifier: Apache-2.0
 *
 * Table of the host descriptors that the guest may name. An index is all it ever sees.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "vmm/abi/types.h"

#define HOST_FDS_MAX 65536

/*
 * One open host file. Owned by the table entry and by everybody who holds a reference (a call in
 * progress, a window chunk); closed with the last one. Fields never change after hfile_install();
 * `polled` is guarded by the event module's lock.
 */
struct hfile {
    int fd;
    unsigned refs; /* atomic */
    mode_t mode;   /* st_mode: kind of file */
    int access;    /* O_RDONLY, O_WRONLY or O_RDWR */
    bool nonblock; /* our own open file description, O_NONBLOCK: never blocks */
    bool polled;
    int net_family; /* a socket of hostcall/socket.c; else 0 */
    dev_t dev;      /* identity: how window and restore know the file again */
    ino_t ino;
};

/* Take ownership of fd (also on failure); returns its index or -errno. */
int hfile_install(int fd);

/* The same for a socket of the host's network. */
int hfile_install_net(int fd, int family);

/* Reference to entry `index`, or NULL (EBADF). Any 64-bit value may be passed. */
struct hfile *hfile_get(u64 index);
struct hfile *hfile_ref(struct hfile *f);
void hfile_put(struct hfile *f);

/* Drop the entry. 0 or -EBADF. */
int hfile_close(u64 index);
