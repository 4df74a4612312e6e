/* SPDX-License-Identifier: Apache-2.0
 *
 * /sys: processors and the directories that programs expect to be there.
 */
#pragma once

/* Register the type "sysfs". */
void sysfs_init(void);
