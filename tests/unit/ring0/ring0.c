// SPDX-License-Identifier: Apache-2.0
//
// Runs the ring 0 machine's test guest on the real VMM (needs a fit /dev/kvm). `ring0 [MODE]`:
// without a mode the whole test; "overflow" and "fault" end with a bug that the Sentry has to
// report. Exit status 0, 77 when there is no usable KVM.

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sentry/machine/ptrace/hosted.h"
#include "vmm/sandbox.h"

#define PASS     42
#define PANICKED 134

void sentry_hosted_prepare(void) {}

int sentry_hosted_zygote(void)
{
    return 0;
}

int sentry_hosted_main(const void *fdt)
{
    return 1;
}

int main(int argc, char **argv)
{
    const char *args[] = {argc > 1 ? argv[1] : "all", NULL};
    static const struct sandbox_mount root = {.destination = "/", .type = "tmpfs", .conn = -1};
    struct sandbox_config cfg = {.id = "ring0",
                                 .cpus = 2,
                                 .ram_bytes = 1ULL << 30,
                                 .process.argv = args,
                                 .process.envp = args + 1,
                                 .process.cwd = "/",
                                 .hostname = "ring0",
                                 .release = "4.4.0",
                                 .version = "test",
                                 .mounts = &root,
                                 .nmounts = 1,
                                 .stdio = {-1, -1, -1},
                                 .namespaces = {NAMESPACE_NEW, NAMESPACE_NEW, NAMESPACE_NEW},
                                 .start = true,
                                 .control_fd = -1,
                                 .control_listen_fd = -1,
                                 .sync_fd = -1,
                                 .log_fd = 2,
                                 .debug = 1};
    int status, want = argc > 1 ? PANICKED : PASS;
    char why[200];

    if (platform_choose(PLATFORM_KVM, &cfg.platform, &cfg.kvm_fd, why, sizeof(why)) != 0) {
        fprintf(stderr, "%s\n", why);
        return 77;
    }
    if (fork() == 0)
        sandbox_run(&cfg);
    wait(&status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == want)
        return 0;
    fprintf(stderr, "ring 0 test guest: wait status %#x, step %d\n", status, WEXITSTATUS(status));
    return 1;
}
