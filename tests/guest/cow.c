// SPDX-License-Identifier: Apache-2.0
//
// Memory after fork: private pages part on the first write of either side, shared ones never, and
// chains of forks keep every generation's contents.

#include "t.h"

enum { PAGES = 600, SIZE = PAGES * 4096 };

static char data[8] = "before";
static unsigned char *priv, *shared;

static void child(void *arg)
{
    struct t_gate *g = arg;
    int wrong = 0;

    t_gate_pass(g);
    for (int i = 0; i < PAGES; i++)
        wrong += priv[i * 4096] != (unsigned char)i;
    ok(!wrong, "the child keeps what was there at fork");
    ok(!strcmp(data, "before"), "also in .data");
    for (int i = 0; i < PAGES; i++)
        priv[i * 4096] = 0xee;
    memset(shared, 0xdd, 4096);
    strcpy(data, "child");
}

static int chain(int depth)
{
    int st;

    priv[0] = depth;
    if (depth == 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(chain(depth - 1));
    waitpid(pid, &st, 0);
    if (priv[0] != depth)
        return 1;
    return WEXITSTATUS(st);
}

int main(void)
{
    struct t_gate g;
    int wrong = 0, st, fd;
    char c;

    priv = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(priv != MAP_FAILED && shared != MAP_FAILED);
    for (int i = 0; i < PAGES; i++)
        priv[i * 4096] = i;
    t_gate_init(&g);
    pid_t pid = fork();
    if (pid == 0) {
        child(&g);
        _exit(t_failed);
    }
    for (int i = 0; i < PAGES; i++)
        priv[i * 4096] = 0x11;
    strcpy(data, "parent");
    t_gate_open(&g);
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0), "child");
    for (int i = 0; i < PAGES; i++)
        wrong += priv[i * 4096] != 0x11;
    ok(!wrong && !strcmp(data, "parent"), "the parent keeps its own");
    ok(shared[0] == 0xdd && shared[4095] == 0xdd, "shared memory is shared");
    ok(chain(12) == 0, "twelve generations");

    /* The kernel itself writes into a page that is still shared with a child. */
    priv[4096] = 'p';
    must((fd = open("/dev/zero", O_RDONLY)) >= 0);
    pid = fork();
    if (pid == 0) {
        t_gate_pass(&g);
        _exit(priv[4096] == 'p' ? 0 : 1);
    }
    ok(read(fd, priv + 4096, 1) == 1 && priv[4096] == 0, "read() into a copy-on-write page");
    t_gate_open(&g);
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0), "does not reach the child");
    pid = fork();
    if (pid == 0) {
        c = priv[8192];
        _exit(c == 0x11 && munmap(priv, SIZE) == 0 ? 0 : 1);
    }
    waitpid(pid, &st, 0);
    ok(t_exited(st, 0) && priv[8192] == 0x11, "a child's munmap is its own");
    return t_done();
}
