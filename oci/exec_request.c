// SPDX-License-Identifier: Apache-2.0
/*
 * One CONTROL_EXEC: the process as a device tree, its descriptors beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "oci/control.h"
#include "oci/exec.h"
#include "oci/oci.h"
#include "vmm/fdt.h"

int exec_request(int sock, const struct sandbox_process *p, const int stdio[3], int64_t *pid)
{
    size_t size = fdt_process_bound(p);
    autofree void *tree = malloc(size);
    struct control_message ask = {.kind = CONTROL_EXEC, .tag = 1}, reply;
    u32 index[3];
    int fds[3], err;
    char text[1024];
    size_t n = 0;

    for (int i = 0; i < 3; i++) {
        index[i] = stdio[i] >= 0 && fcntl(stdio[i], F_GETFD) >= 0 ? (u32)n : ~0U;
        if (index[i] != ~0U)
            fds[n++] = stdio[i];
    }
    err = tree ? fdt_build_process(p, index, tree, size) : -ENOMEM;
    if (err < 0)
        return fail("the process is too large: %s", strerror(-err));
    ask.length = (u32)err;
    err = control_send(sock, &ask, tree, fds, n);
    if (err == -E2BIG || err == -EMSGSIZE)
        return fail("exec: arguments and environment are too large");
    while (!err) {
        err = control_receive(sock, &reply, text, sizeof(text) - 1);
        if (!err && reply.kind == CONTROL_EXEC && reply.tag == ask.tag)
            break;
        if (!err && reply.kind == CONTROL_ENDED)
            err = -ECONNRESET;
    }
    if (err)
        return fail("container not running");
    *pid = reply.a;
    if (reply.a > 0)
        return 0;
    text[reply.length < sizeof(text) ? reply.length : sizeof(text) - 1] = 0;
    return fail("%s", *text ? printable(text) : strerror((int)-reply.a));
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int exec_wait(int sock, int64_t pid, int64_t ms)
{
    int64_t end = ms ? now_ms() + ms : 0;
    struct pollfd p = {sock, POLLIN, 0};
    struct control_message m;
    char text[256];

    for (;;) {
        int64_t left = end ? end - now_ms() : -1;

        if (end && left <= 0)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        if (control_receive(sock, &m, text, sizeof(text) - 1) || m.kind == CONTROL_ENDED)
            return -ECONNRESET;
        if (m.kind == CONTROL_EXITED && m.a == pid)
            return (int)m.b;
    }
}
