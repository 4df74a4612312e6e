// SPDX-License-Identifier: Apache-2.0
/*
 * Start-up, the same on both machines: bring up every room, then the container's first process.
 */
#include "sentry/fs/host/host.h"
#include "sentry/fs/vfs.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/control.h"
#include "sentry/kernel/start.h"
#include "sentry/mm/mm.h"

/* The host ends us with this status when the sandbox could not even start (as runc does). */
#define STATUS_START_FAILED 128

void sentry_main(void)
{
    int err;

    kernel_init();
    page_release_start();
    err = vfs_init();
    if (err) {
        log_warn("cannot build the container's mount tree: error %d", -err);
        control_created(err, "the mounts of the container cannot be made");
        machine_exit(STATUS_START_FAILED);
    }
    host_events_start();
    start_first_process();
    if (boot.crash)
        crash_test_start(boot.crash);
}
