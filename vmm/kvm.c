// SPDX-License-Identifier: Apache-2.0
//
// Creates the virtual machine. Local APICs live in the kernel (split irqchip: no IOAPIC, no PIC, no
// PIT), so that idle CPUs sleep in the kernel, and IPIs and timers never come here. The one
// interrupt of ours is the ring's completion: GSI 0, an MSI to CPU 0.

#include "vmm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "vmm/memory.h"

#define RING_GSI    0
#define MSI_ADDRESS 0xfee00000 /* physical destination, APIC id 0 */

static int vm_fd = -1;
static u32 next_slot; /* atomic */

static const struct {
    int cap;
    const char *name;
} needed[] = {
    {KVM_CAP_USER_MEMORY, "user memory"},
    {KVM_CAP_READONLY_MEM, "read-only memory"},
    {KVM_CAP_SPLIT_IRQCHIP, "split irqchip"},
    {KVM_CAP_IOEVENTFD, "ioeventfd"},
    {KVM_CAP_IRQFD, "irqfd"},
    {KVM_CAP_TSC_DEADLINE_TIMER, "TSC-deadline timer"},
    {KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
    {KVM_CAP_EXT_CPUID, "CPUID"},
    {KVM_CAP_VCPU_EVENTS, "CPU events"},
};

int kvm_check(int dev, const char **what)
{
    *what = "API version";
    if (ioctl(dev, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return -ENODEV;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        *what = needed[i].name;
        if (ioctl(dev, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
            return -ENODEV;
    }
    return 0;
}

static int create_irqchip(struct kvm *k)
{
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {1}};
    struct {
        struct kvm_irq_routing head;
        struct kvm_irq_routing_entry entry;
    } routing = {
        .head.nr = 1,
        .entry = {.gsi = RING_GSI,
                  .type = KVM_IRQ_ROUTING_MSI,
                  .u.msi = {.address_lo = MSI_ADDRESS, .data = VECTOR_RING}},
    };
    struct kvm_irqfd irqfd = {.gsi = RING_GSI};
    struct kvm_ioeventfd ioev = {
        .addr = HOSTCALL_DOORBELL, .len = 4, .flags = KVM_IOEVENTFD_FLAG_PIO};

    k->completion = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    k->doorbell = eventfd(0, EFD_CLOEXEC);
    if (k->completion < 0 || k->doorbell < 0)
        return -errno;
    irqfd.fd = (u32)k->completion;
    ioev.fd = k->doorbell;
    if (ioctl(k->vm, KVM_ENABLE_CAP, &split) != 0 ||
        ioctl(k->vm, KVM_SET_GSI_ROUTING, &routing) != 0 || ioctl(k->vm, KVM_IRQFD, &irqfd) != 0 ||
        ioctl(k->vm, KVM_IOEVENTFD, &ioev) != 0)
        return -errno;
    return 0;
}

int kvm_create(struct kvm *k, int dev)
{
    int n;

    k->dev = dev;
    k->vm = ioctl(dev, KVM_CREATE_VM, 0);
    if (k->vm < 0)
        return -errno;
    n = ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (n < (int)sizeof(struct kvm_run))
        return -EINVAL;
    k->run_size = (size_t)n;
    /* three pages of the VMX code need a place below 4 GiB that the guest does not use */
    if (ioctl(k->vm, KVM_SET_TSS_ADDR, 0xfffbd000UL) != 0)
        return -errno;
    n = cpuid_init(k);
    return n ? n : create_irqchip(k);
}

static int add_slot(u64 gpa, u64 size, void *p, bool readonly)
{
    struct kvm_userspace_memory_region r = {
        .slot = __atomic_fetch_add(&next_slot, 1, __ATOMIC_RELAXED),
        .flags = readonly ? KVM_MEM_READONLY : 0,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = (u64)p,
    };

    return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &r) == 0 ? 0 : -errno;
}

/* memory_add_slot of this machine. */
static int add_reserved(u64 gpa, u64 size)
{
    return add_slot(gpa, size, (char *)memory_base() + gpa, false);
}

int kvm_add_memory(struct kvm *k, const struct image *img)
{
    /* the Sentry's page array takes 1/128 of RAM at its start; leave it something to start with */
    u64 first = memory_ram_size() / 128 + MIB(512);
    int r = 0;

    vm_fd = k->vm;
    memory_add_slot = add_reserved;
    for (unsigned i = 0; i < img->nslots && !r; i++) {
        const struct image_slot *s = &img->slots[i];

        r = add_slot(s->gpa, s->size, s->host, s->readonly);
    }
    if (first > memory_ram_size())
        first = memory_ram_size();
    return r ? r : memory_plug(RAM_GPA + first);
}
