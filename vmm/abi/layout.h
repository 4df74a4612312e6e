/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine as the guest sees it: guest-physical map, and the virtual map of ring 0.
 * The hosted build uses the same "physical" addresses inside one big reservation, so that
 * phys_to_virt(pa) is base + pa on both machines.
 */
#pragma once

#define KIB(n) ((n)*1024ULL)
#define MIB(n) ((n)*1024ULL * 1024)
#define GIB(n) ((n)*1024ULL * 1024 * 1024)

/* Image: text and rodata (read-only slot), then data, bss, boot page tables, device tree. */
#define IMAGE_GPA MIB(1)
#define IMAGE_MAX MIB(16)

/* RAM: one reservation, faulted in by use. */
#define RAM_GPA GIB(4)
#define RAM_MAX GIB(252)

/* File window: host files appear here, in chunks. */
#define WINDOW_GPA   GIB(256)
#define WINDOW_SIZE  GIB(64)
#define WINDOW_CHUNK MIB(2)

#define PHYS_END (WINDOW_GPA + WINDOW_SIZE)

/* Ring 0 virtual addresses. */
#define DIRECT_MAP_VA 0xffff888000000000ULL /* RAM and window: pa + this; NX, global */
#define STACKS_VA     0xffffc90000000000ULL /* kernel stacks, with guard pages */
#define IMAGE_VA      0xffffffff80000000ULL /* image: gpa + this */

/*
 * User virtual addresses: [USER_MIN, USER_END). The last 60 KiB of the lower half stay free: the
 * ptrace machine keeps the page there from which it makes calls in a stub process.
 */
#define USER_MIN 0x10000ULL
#define USER_END 0x7fffffff0000ULL

/* Interrupt vectors that the host side raises or that the guest CPUs send each other. */
#define VECTOR_TIMER    0xec
#define VECTOR_RESCHED  0xed
#define VECTOR_TLB      0xee
#define VECTOR_RING     0xef /* completions waiting in a ring (KVM_IRQFD, MSI route) */
#define VECTOR_SPURIOUS 0xff
