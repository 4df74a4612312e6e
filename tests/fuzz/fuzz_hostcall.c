// SPDX-License-Identifier: Apache-2.0
//
// Fuzzes the host stub: the input is a sequence of requests, as a Sentry that has been taken over
// would make them. With -DFUZZ_LIBFUZZER a libFuzzer target, else a program that replays files.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/hostcall/fd.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/memory.h"
#include "vmm/window.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void setup(void)
{
    int pair[2];

    if (memory_init(MEMORY_SHARED, MIB(16)) || hostcall_init(-1, -1) || window_catch_sigbus() ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) ||
        hostcall_set_gofers(pair, 1))
        abort();
}

/* The same descriptors for every input: a file, a pipe's two ends. */
static void refill(void)
{
    int p[2];

    for (u64 i = 0; i < 8; i++)
        hfile_close(i);
    if (pipe(p) != 0 || hfile_install(memfd_create("f", 0)) < 0 || hfile_install(p[0]) < 0 ||
        hfile_install(p[1]) < 0)
        abort();
}

static bool skip(const struct hostcall *hc)
{
    switch (hc->nr) {
    case HC_EXIT: /* end the process, or wait */
    case HC_PANIC:
    case HC_EVENT_WAIT:
    case HC_LOG:
        return true;
    case HC_PWRITE: /* would fill the machine's memory */
        return hc->arg[3] > MIB(16);
    case HC_FTRUNCATE:
        return hc->arg[1] > MIB(16);
    case HC_FALLOCATE:
        return hc->arg[2] > MIB(16) || hc->arg[3] > MIB(16);
    default:
        return false;
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static bool ready;
    struct {
        u8 nr, base[HOSTCALL_NARGS];
        u8 pad;
        u64 arg[HOSTCALL_NARGS];
    } in;
    const u64 bases[] = {0, RAM_GPA, WINDOW_GPA, IMAGE_GPA, RAM_GPA + MIB(16), PHYS_END};

    if (!ready)
        setup();
    ready = true;
    refill();
    for (; size >= sizeof(in); data += sizeof(in), size -= sizeof(in)) {
        struct hostcall hc = {0};

        memcpy(&in, data, sizeof(in));
        hc.nr = in.nr % (HC_COUNT + 1);
        for (unsigned i = 0; i < HOSTCALL_NARGS; i++)
            hc.arg[i] = bases[in.base[i] % (sizeof(bases) / sizeof(bases[0]))] + in.arg[i];
        if (!skip(&hc))
            hostcall_dispatch(&hc);
    }
    return 0;
}

#ifndef FUZZ_LIBFUZZER
static void replay(FILE *f)
{
    static u8 all[1 << 16];
    size_t n = fread(all, 1, sizeof(all), f);

    LLVMFuzzerTestOneInput(all, n);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        replay(stdin);
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");

        if (!f) {
            perror(argv[i]);
            return 1;
        }
        replay(f);
        fclose(f);
    }
    return 0;
}
#endif
