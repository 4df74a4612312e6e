/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of the host by way of the gofer, and the overlay that keeps writes away from them.
 */
#pragma once

#include "sentry/machine/machine.h"

/* Register the file system types "gofer" and "overlay"; both take a struct boot_mount as data. */
void gofer_fs_init(void);
void overlay_fs_init(void);

/* HOST_EVENT_WINDOW: the file behind this part of the window was truncated on the host. May sleep.
 */
void gofer_window_lost(pa_t pa, u64 len);
