// SPDX-License-Identifier: Apache-2.0
//
// Runs the toy guest on the real VMM (needs a fit /dev/kvm): sandbox_run() in a child, exactly as
// runsc does it. `toy [IMAGE-DEBUG-LEVEL]`; exit status 0, 77 when there is no usable KVM.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sentry/machine/ptrace/hosted.h"
#include "vmm/sandbox.h"

void sentry_hosted_prepare(void) {}

int sentry_hosted_zygote(void)
{
    return 0;
}

int sentry_hosted_main(const void *fdt)
{
    return 1;
}

static int test_file(void)
{
    char data[8192], path[] = "/tmp/ringfort-toy.XXXXXX";
    int fd = mkstemp(path);

    memset(data, 'A', sizeof(data));
    if (fd < 0 || write(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
        exit(1);
    unlink(path);
    return fd;
}

int main(int argc, char **argv)
{
    static const char *const args[] = {"toy", NULL};
    static const struct sandbox_mount root = {.destination = "/", .type = "tmpfs", .conn = -1};
    struct sandbox_config cfg = {.id = "toy",
                                 .cpus = 2,
                                 .ram_bytes = 3ULL << 30,
                                 .process.argv = args,
                                 .process.envp = args + 1,
                                 .mounts = &root,
                                 .nmounts = 1,
                                 .stdio = {-1, 1, 2},
                                 .namespaces = {NAMESPACE_NEW, NAMESPACE_NEW, NAMESPACE_NEW},
                                 .start = true,
                                 .control_fd = -1,
                                 .control_listen_fd = -1,
                                 .sync_fd = -1,
                                 .log_fd = 2,
                                 .debug = argc > 1 ? atoi(argv[1]) : 1};
    char why[200];
    int status;

    if (platform_choose(PLATFORM_KVM, &cfg.platform, &cfg.kvm_fd, why, sizeof(why)) != 0) {
        fprintf(stderr, "%s\n", why);
        return 77;
    }
    fprintf(stderr, "%s\n", why);
    cfg.stdio[0] = test_file();
    if (fork() == 0)
        sandbox_run(&cfg);
    wait(&status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 42)
        return 0;
    fprintf(stderr, "toy guest: wait status %#x, step %d\n", status, WEXITSTATUS(status));
    return 1;
}
