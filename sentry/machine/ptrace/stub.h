/* SPDX-License-Identifier: Apache-2.0
 *
 * Stub processes: what runs the application. A stub has nothing mapped but one page of code (and,
 * later, the application's pages); every system call in it stops it. It does something on the
 * host only when its tracer makes it run the `syscall` instruction in the code page.
 * This layer knows nothing of the Sentry.
 */
#pragma once

#include <stdbool.h>
#include "vmm/abi/layout.h"
#include "vmm/abi/types.h"

/* The stub's own pages lie behind the application's address range. */
#define STUB_BASE   USER_END
#define STUB_SHARED (STUB_BASE + 0x1000) /* in the zygote only: its request page */
#define STUB_END    (STUB_BASE + 0x2000)
#define STUB_TOP    0x7ffffffff000ULL

/* Entry points in the code page (stub.S). */
#define STUB_CALL   (STUB_BASE + 0)
#define STUB_CLONE  (STUB_BASE + 16)
#define STUB_ZYGOTE (STUB_BASE + 128)

/* The signal that makes a stub stop. */
#define STUB_KICK 23 /* SIGURG: ignored where nobody traces */

struct uregs;

/* The sandbox: parent of all stubs. Set by zygote_init(). */
extern int stub_parent;

/*
 * Make the zygote from which all stubs come. Called by the thread that will live as long as the
 * sandbox (the stubs die with it), after capabilities and namespaces are gone, before seccomp. 0 or
 * -errno.
 */
int zygote_init(void);

/* A fresh stub process with an empty address space, not seized. tid or -errno. Any thread. */
int zygote_spawn(void);

/* Become the tracer of `tid` and stop it. 0 or -errno (then it is dead). */
int stub_seize(int tid);

/*
 * Make a call in a stopped stub of this thread; entry is STUB_CALL or STUB_CLONE. The result, or
 * -ESRCH when the stub is gone. *kicked is set when a kick arrived meanwhile.
 */
long stub_call(int tid, u64 entry, long nr, const u64 arg[6], bool *kicked);

/* Another process in the stub's address space (share) or with a copy of it. tid or -errno. */
int stub_clone(int tid, bool share, bool *kicked);

/* End a stub that this thread traces (or nobody), and reap it. */
void stub_kill(int tid);
