/* SPDX-License-Identifier: Apache-2.0
 *
 * The physical address space of the sandbox: one reservation of host virtual memory in which
 * host address = base + guest-physical address, on both machines. memory_translate() is the only
 * place where a guest address becomes a host pointer.
 */
#pragma once

#include "vmm/abi/layout.h"
#include "vmm/abi/types.h"

enum memory_kind {
    MEMORY_PRIVATE, /* KVM: anonymous, huge pages wanted */
    MEMORY_SHARED,  /* hosted: a memfd, so that stub processes can map pages of it */
};

/* Reserve everything and back [RAM_GPA, RAM_GPA + ram_bytes). 0 or -errno. Once per process. */
int memory_init(enum memory_kind kind, u64 ram_bytes);

u64 memory_ram_size(void);

/* RAM the host could give without running out itself (at most RAM_MAX), whole 2 MiB. */
u64 memory_host_ram(void);

/* Host address of physical address 0; only RAM, the image and mapped window chunks are there. */
void *memory_base(void);

/* The memfd behind RAM at offset pa - RAM_GPA (MEMORY_SHARED), else -1. Borrowed. */
int memory_ram_fd(void);

/*
 * Host pointer to [gpa, gpa + len), or NULL unless all of it is RAM (and len > 0). What it points
 * at may be changed by the guest at any time: read once, then check.
 */
void *memory_translate(gpa_t gpa, u64 len);

/*
 * Adds [gpa, gpa + size) of the reservation to the guest's memory slots; set by kvm.c, NULL when
 * hosted. KVM's bookkeeping of a slot costs memory and time by its size, so slots are added as they
 * are needed.
 */
extern int (*memory_add_slot)(u64 gpa, u64 size);

/* End of the RAM that the guest can use now. */
u64 memory_plugged(void);

/* Make RAM below `end` usable, and some more. 0 or -errno. */
int memory_plug(u64 end);

/* Give whole pages back to the host; they read as zero afterwards. 0 or -errno. */
int memory_release(gpa_t gpa, u64 len);
