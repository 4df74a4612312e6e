/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtual machine: /dev/kvm, the VM with its in-kernel local APICs, memory slots, CPUID.
 */
#pragma once

#include <stdbool.h>
#include <linux/kvm.h>

#include "vmm/image.h"

/* Entries of KVM_GET_SUPPORTED_CPUID that we have room for. */
#define KVM_CPUID_MAX 160

/* struct kvm_cpuid2 with its entries; one copy in each CPU's set-up, on the stack. */
struct kvm_cpuid_list {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entries[KVM_CPUID_MAX];
};

/*
 * The virtual machine. One per process; filled by kvm_create(), read-only afterwards.
 */
struct kvm {
    int dev, vm;
    size_t run_size;
    bool gib_pages; /* the CPU has 1 GiB pages */
    int completion; /* eventfd: raises VECTOR_RING on CPU 0 */
    int doorbell;   /* eventfd: written by an `out` to HOSTCALL_DOORBELL */
    struct kvm_cpuid_list cpuid;
};

/* Whether the device has everything we use: 0, or -errno and what is missing in *what. */
int kvm_check(int dev, const char **what);

/* Create the VM on /dev/kvm. 0 or -errno. */
int kvm_create(struct kvm *k, int dev);

/* Give the guest the image's slots and the first RAM; more comes by memory_plug(). 0 or -errno. */
int kvm_add_memory(struct kvm *k, const struct image *img);

/* CPUID (cpuid.c): what KVM supports, without what the Sentry does not want applications to see. */
int cpuid_init(struct kvm *k);
/* The list for CPU `cpu` of `count`. */
void cpuid_for_cpu(const struct kvm *k, unsigned cpu, unsigned count, struct kvm_cpuid_list *out);
