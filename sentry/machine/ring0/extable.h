/* SPDX-License-Identifier: Apache-2.0
 *
 * Exception table: instructions of the Sentry that may fault, and where to go on when they do.
 */
#pragma once

#define EX(fault, resume)                \
    ".pushsection __ex_table, \"a\"\n\t" \
    ".quad " #fault ", " #resume "\n\t"  \
    ".popsection\n\t"
