/* SPDX-License-Identifier: Apache-2.0
 *
 * Seccomp allow-lists as tables: every entry says why it is there. Everything else kills the
 * process.
 */
#pragma once

#include <stddef.h>

#include "vmm/abi/types.h"

/* Condition on one argument of the call. */
enum seccomp_test {
    SECCOMP_ANY,       /* no condition */
    SECCOMP_ARG_EQ,    /* the low 32 bits of args[arg] are value */
    SECCOMP_ARG_CLEAR, /* the bits of value are clear in the low half of args[arg] */
    SECCOMP_ARG_SET,   /* the bits of value are set in the low half of args[arg] */
    SECCOMP_REFUSE,    /* not allowed, but answered: fails with errno `value` */
};

/*
 * One rule. Several rules for one call are alternatives; they must be neighbours in the table.
 * Calls that matter for speed come first.
 */
struct seccomp_rule {
    int nr;
    enum seccomp_test test;
    unsigned arg;
    u32 value;
    u32 platforms; /* bits of the caller's choosing; a rule is used when it shares one with the mask
                    */
    const char *why;
};

/*
 * Install the rules that share a bit with `platforms` for all threads of this process. Needs
 * no_new_privs. 0 or -errno.
 */
int seccomp_install(const struct seccomp_rule *rules, size_t n, u32 platforms);
