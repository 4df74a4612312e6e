// SPDX-License-Identifier: Apache-2.0
/*
 * Start-up, the same on both machines: bring up every room, then the container's first process.
 */
#include "sentry/fs/host/host.h"
#include "sentry/fs/vfs.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/control.h"
#include "sentry/kernel/start.h"
#include "sentry/kernel/sysctl.h"
#include "sentry/mm/mm.h"

/* The host ends us with this status when the sandbox could not even start (as runc does). */
#define STATUS_START_FAILED 128

static _Noreturn void give_up(int err, const char *why)
{
    log_warn("cannot create the container: %s (error %d)", why, -err);
    control_created(err, why);
    machine_exit(STATUS_START_FAILED);
}

void sentry_main(void)
{
    struct boot_failure why;
    int err;

    kernel_init();
    page_release_start();
    err = sysctl_boot(why.text, sizeof(why.text));
    if (!err)
        err = vfs_init(&why);
    if (err)
        give_up(err, why.text);
    host_events_start();
    start_first_process();
    if (boot.crash)
        crash_test_start(boot.crash);
}
