// SPDX-License-Identifier: Apache-2.0
//
// Proves that /dev/kvm runs a guest at all: a handful of real-mode instructions that add two
// numbers, send the result to a port and halt. Used to tell a broken test machine from a broken
// runsc.

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static const unsigned char code[] = {
    0xba, 0xf8, 0x03, /* mov $0x3f8, %dx */
    0x00, 0xd8,       /* add %bl, %al */
    0xee,             /* out %al, (%dx) */
    0xf4,             /* hlt */
};

int main(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        err(77, "/dev/kvm");
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0)
        err(1, "KVM_CREATE_VM");
    void *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memcpy(mem, code, sizeof(code));
    struct kvm_userspace_memory_region slot = {
        .guest_phys_addr = 0x1000, .memory_size = 4096, .userspace_addr = (unsigned long)mem};
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
        err(1, "KVM_SET_USER_MEMORY_REGION");

    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vcpu < 0 || size < 0)
        err(1, "KVM_CREATE_VCPU");
    struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    struct kvm_sregs sregs;
    ioctl(vcpu, KVM_GET_SREGS, &sregs);
    sregs.cs.base = sregs.cs.selector = 0;
    ioctl(vcpu, KVM_SET_SREGS, &sregs);
    struct kvm_regs regs = {.rip = 0x1000, .rax = 40, .rbx = 2, .rflags = 2};
    ioctl(vcpu, KVM_SET_REGS, &regs);

    for (;;) {
        if (ioctl(vcpu, KVM_RUN, 0) < 0)
            err(1, "KVM_RUN");
        if (run->exit_reason == KVM_EXIT_IO)
            printf("port %#x: %d\n", run->io.port, ((unsigned char *)run)[run->io.data_offset]);
        else if (run->exit_reason == KVM_EXIT_HLT)
            return 0;
        else
            errx(1, "exit reason %u", run->exit_reason);
    }
}
