/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest image in memory: the embedded ELF by segment, and behind its bss what the VMM hands
 * over: boot page tables, device tree, ring, hostcall blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "vmm/abi/bootinfo.h"
#include "vmm/abi/hostcall.h"
#include "vmm/abi/layout.h"
#include "vmm/abi/ring.h"

/* The embedded image (image.S, or noimage.S: empty). */
extern const char guest_image[], guest_image_end[];

/* One KVM memory slot of the image. */
struct image_slot {
    u64 gpa, size;
    void *host;
    bool readonly;
};

#define IMAGE_SLOTS 8

/*
 * A loaded image; filled by image_load(), read-only afterwards. Host pointers lie in the
 * reservation of memory.c (writable part) or in the embedded file (read-only part) and live as long
 * as the process.
 */
struct image {
    u64 entry; /* virtual */
    u64 cr3;   /* gpa of the boot page tables */
    u64 fdt_gpa, ring_gpa, hostcall_gpa;
    size_t fdt_size;
    void *fdt;
    struct ring *ring;
    struct hostcall *blocks; /* HOSTCALL_BLOCK_STRIDE apart; use image_block() */
    struct image_slot slots[IMAGE_SLOTS];
    unsigned nslots;
};

/*
 * Load the ELF image [elf, elf + size), set aside room for a device tree of fdt_size bytes and
 * for ncpus hostcall blocks, and build the boot page tables. 0 or -errno (-ENOEXEC: not an
 * image that we would load, or none embedded).
 */
int image_load(struct image *img, const void *elf, size_t size, size_t fdt_size, unsigned ncpus,
               bool gib_pages);

/* Name of the function at a guest text address, "" when unknown. */
const char *image_symbol(u64 addr, u64 *offset);

static inline struct hostcall *image_block(const struct image *img, unsigned cpu)
{
    return (struct hostcall *)((char *)img->blocks + (size_t)cpu * HOSTCALL_BLOCK_STRIDE);
}
