// SPDX-License-Identifier: Apache-2.0
//
// Turns a table of rules into a seccomp filter program. Hand-made rather than by libseccomp: a few
// dozen instructions need no compiler, and start-up time counts.

#include "vmm/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAM_MAX 512
#define X32_BIT     0x40000000U

/* A filter being written; on the caller's stack. */
struct program {
    struct sock_filter insn[PROGRAM_MAX];
    unsigned short n;
    bool overflow;
};

static void emit(struct program *p, u16 code, u32 k, u8 jt, u8 jf)
{
    if (p->n == PROGRAM_MAX) {
        p->overflow = true;
        return;
    }
    p->insn[p->n++] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
}

static void load(struct program *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, (u32)offset, 0, 0);
}

static void ret(struct program *p, u32 action)
{
    emit(p, BPF_RET | BPF_K, action, 0, 0);
}

/* The accumulator holds the call's number before and after. */
static void emit_rule(struct program *p, const struct seccomp_rule *r)
{
    size_t arg = offsetof(struct seccomp_data, args) + 8 * r->arg; /* little-endian: low half */

    switch (r->test) {
    case SECCOMP_ANY:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (u32)r->nr, 0, 1);
        ret(p, SECCOMP_RET_ALLOW);
        return;
    case SECCOMP_REFUSE:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (u32)r->nr, 0, 1);
        ret(p, SECCOMP_RET_ERRNO | (r->value & SECCOMP_RET_DATA));
        return;
    case SECCOMP_ARG_EQ:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (u32)r->nr, 0, 4);
        load(p, arg);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1);
        break;
    case SECCOMP_ARG_CLEAR:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (u32)r->nr, 0, 4);
        load(p, arg);
        emit(p, BPF_JMP | BPF_JSET | BPF_K, r->value, 1, 0);
        break;
    case SECCOMP_ARG_SET:
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (u32)r->nr, 0, 5);
        load(p, arg);
        emit(p, BPF_ALU | BPF_AND | BPF_K, r->value, 0, 0);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1);
        break;
    }
    ret(p, SECCOMP_RET_ALLOW);
    load(p, offsetof(struct seccomp_data, nr));
}

int seccomp_install(const struct seccomp_rule *rules, size_t n, u32 platforms)
{
    struct program p = {.n = 0};
    struct sock_fprog prog = {.filter = p.insn};

    load(&p, offsetof(struct seccomp_data, arch));
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    ret(&p, SECCOMP_RET_KILL_PROCESS);
    load(&p, offsetof(struct seccomp_data, nr));
    emit(&p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    ret(&p, SECCOMP_RET_KILL_PROCESS);
    for (size_t i = 0; i < n; i++)
        if (rules[i].platforms & platforms)
            emit_rule(&p, &rules[i]);
    ret(&p, SECCOMP_RET_KILL_PROCESS);
    if (p.overflow)
        return -E2BIG;
    prog.len = p.n;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0)
        return -errno;
    return 0;
}
