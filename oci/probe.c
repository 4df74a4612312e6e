// SPDX-License-Identifier: Apache-2.0
/*
 * runsc debug-probe: what the platform probe finds, and how fast its bare guest goes round.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "oci/oci.h"

int command_probe(int argc, char **argv)
{
    enum platform chosen;
    char why[256];
    int kvm_fd = -1;
    long ns;

    platform_choose(PLATFORM_AUTO, &chosen, &kvm_fd, why, sizeof(why));
    if (kvm_fd >= 0)
        close(kvm_fd);
    printf("platform: %s\nreason: %s\n", chosen == PLATFORM_KVM ? "kvm" : "ptrace", why);
    if (chosen != PLATFORM_KVM)
        return 1;
    ns = platform_probe_benchmark();
    if (ns < 0)
        return fail("the probe guest did not run: %s", strerror((int)-ns));
    printf("syscall-roundtrip-ns: %ld\n", ns);
    return 0;
}
