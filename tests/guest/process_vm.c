// SPDX-License-Identifier: Apache-2.0
//
// process_vm_readv and process_vm_writev between a parent and its child: vectors that do not match,
// bad addresses, limits.

#include "t.h"
#include <sys/uio.h>

static char page[3 * 4096] __attribute__((aligned(4096)));

int main(void)
{
    struct t_gate go, done;
    char a[5000], b[3000];
    struct iovec l[2] = {{a, sizeof(a)}, {b, sizeof(b)}}, r[2];
    int st;

    t_gate_init(&go);
    t_gate_init(&done);
    memset(page, 'p', sizeof(page));
    pid_t pid = fork();
    if (pid == 0) {
        memset(page, 'c', sizeof(page));
        must(mprotect(page + 8192, 4096, PROT_NONE) == 0);
        t_gate_open(&done);
        t_gate_pass(&go);
        _exit(page[10] == 'x' && page[4100] == 'y' ? 7 : 8);
    }
    t_gate_pass(&done);
    r[0] = (struct iovec){page + 1, 100};
    r[1] = (struct iovec){page + 200, 7800};
    memset(a, 0, sizeof(a));
    ok(process_vm_readv(pid, l, 2, r, 2, 0) == 7900, "read by vectors that differ");
    ok(a[0] == 'c' && a[4999] == 'c' && b[2899] == 'c', "what the child has");
    r[0] = (struct iovec){page + 8000, 4000};
    ok(process_vm_readv(pid, l, 2, r, 1, 0) == 192, "up to what may not be read");
    r[0] = (struct iovec){page + 8192, 10};
    fails(process_vm_readv(pid, l, 2, r, 1, 0), EFAULT);
    l[0] = (struct iovec){"xy", 2};
    r[0] = (struct iovec){page + 10, 1};
    r[1] = (struct iovec){page + 4100, 1};
    ok(process_vm_writev(pid, l, 1, r, 2, 0) == 2, "write");
    ok(process_vm_writev(pid, l, 0, r, 2, 0) == 0, "nothing here");
    ok(process_vm_writev(pid, l, 1, r, 0, 0) == 0, "nothing there");
    fails(process_vm_writev(pid, l, 1, r, 2, 1), EINVAL);
    fails(process_vm_writev(pid, l, 2000, r, 2, 0), EINVAL);
    fails(process_vm_readv(pid, (void *)8, 1, r, 2, 0), EFAULT);
    fails(process_vm_readv(99999999, l, 1, r, 2, 0), ESRCH);
    r[0].iov_len = -1;
    fails(process_vm_writev(pid, l, 1, r, 1, 0), EINVAL);
    t_gate_open(&go);
    waitpid(pid, &st, 0);
    ok(t_exited(st, 7), "the child saw it");
    return t_done();
}
