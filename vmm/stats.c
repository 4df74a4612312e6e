// SPDX-License-Identifier: Apache-2.0
//
// Reads KVM's binary statistics: how often a CPU really left the guest, also when the host's kernel
// dealt with it and the run loop never saw it.

#include "vmm/stats.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAME_MAX_BYTES 128

int stats_open(int vcpu_fd)
{
#ifdef KVM_GET_STATS_FD
    return ioctl(vcpu_fd, KVM_GET_STATS_FD, 0);
#else
    return -1;
#endif
}

void stats_add(int fd, struct stats *st)
{
    struct kvm_stats_header h;
    _Alignas(8) char desc[sizeof(struct kvm_stats_desc) + NAME_MAX_BYTES];
    const struct kvm_stats_desc *d = (const void *)desc;
    const struct {
        const char *name;
        u64 *counter;
    } wanted[] = {
        {"exits", &st->exits}, {"halt_exits", &st->halt_exits}, {"irq_exits", &st->irq_exits}};

    if (fd < 0 || pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.name_size > NAME_MAX_BYTES)
        return;
    for (u32 i = 0; i < h.num_desc; i++) {
        size_t size = sizeof(*d) + h.name_size;
        u64 v;

        if (pread(fd, desc, size, (off_t)(h.desc_offset + i * size)) != (ssize_t)size)
            return;
        desc[size - 1] = 0;
        for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++)
            if (!strcmp(desc + sizeof(*d), wanted[w].name) &&
                pread(fd, &v, sizeof(v), (off_t)(h.data_offset + d->offset)) == (ssize_t)sizeof(v))
                *wanted[w].counter += v;
    }
}
