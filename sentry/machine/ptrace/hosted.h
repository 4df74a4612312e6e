/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sandbox process (vmm/) calls to run the Sentry inside itself.
 */
#pragma once

/* First, while the file system is there: keep our own symbols at hand for back traces. */
void sentry_hosted_prepare(void);

/*
 * Make the zygote of the stub processes. Called by the thread that will call sentry_hosted_main(),
 * when capabilities and namespaces are as they stay, but before the seccomp filter and before the
 * descriptors of the container come in (stubs share the table anyway). 0 or -errno.
 */
int sentry_hosted_zygote(void);

/*
 * Run the Sentry; memory_init(MEMORY_SHARED), hostcall_init() and the descriptors are done. Returns
 * only when it cannot start: -errno. The sandbox ends by HC_EXIT, for which hostcall_ops.exit must
 * be set.
 */
int sentry_hosted_main(const void *fdt);
