// SPDX-License-Identifier: Apache-2.0
/*
 * Start of the hosted Sentry, and its way to the host: plain calls of the stub's functions.
 */
#include "sentry/machine/ptrace/host.h"
#include "sentry/machine/ptrace/hosted.h"
#include "sentry/machine/ptrace/internal.h"

#include "sentry/kernel/kernel.h"
#include "vmm/hostcall/hostcall.h"
#include "vmm/memory.h"

u64 phys_base;
u64 machine_tsc_khz;

s64 host_call(struct hostcall *r)
{
    hostcall_dispatch(r);
    return r->ret;
}

s64 host_call_wait(struct hostcall *r)
{
    struct mthread *mt = &current->mthread;

    balance_sleep(mt); /* perhaps for long */
    hostcall_dispatch(r);
    balance_run(mt);
    return r->ret;
}

void machine_exit(int status)
{
    balance_log_stats();
    HOSTCALL(HC_EXIT, (u64)status);
    panic("the host did not end the sandbox");
}

void sentry_hosted_prepare(void)
{
    crash_prepare();
}

int sentry_hosted_zygote(void)
{
    return zygote_init();
}

static void first_thread(void *arg)
{
    sentry_main();
}

int sentry_hosted_main(const void *fdt)
{
    int r;

    phys_base = (u64)memory_base();
    crash_catch();
    r = bootinfo_parse(fdt);
    if (r)
        return r;
    log_level = (int)boot.debug;
    machine_tsc_khz = boot.tsc_khz;
    host_clock_init();
    balance_init(boot.ncpus);
    fpu_init();
    page_init(boot.ram_base, boot.ram_size);
    slab_init();
    mm_init();
    if (!kthread_start("init", first_thread, NULL))
        return -ENOMEM;
    timer_thread();
}
