// SPDX-License-Identifier: Apache-2.0
//
// Log lines of the Sentry, and the sandbox's end.

#include "vmm/hostcall/stub.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/log.h"

#define LOG_MAX        4096
#define PANIC_MAX      16384
#define PANIC_STATUS   (128 + 6) /* as if by SIGABRT */
#define ADDRESS_DIGITS 16

static _Noreturn void end(int status)
{
    if (hostcall_ops.exit)
        hostcall_ops.exit(status);
    log_die(status, "sandbox ended without an exit function");
}

s64 hc_EXIT(struct hostcall *hc)
{
    end((int)hc->arg[0] & 0xff);
}

s64 hc_LOG(struct hostcall *hc)
{
    const char *text = memory_translate(GPA(hc->arg[1]), hc->arg[2]);

    if (hc->arg[2] > LOG_MAX)
        return -EINVAL;
    if (!text)
        return -EFAULT;
    log_text(hc->arg[0] > LOG_DEBUG ? LOG_DEBUG : (int)hc->arg[0], text, hc->arg[2]);
    return 0;
}

/* The 16 hexadecimal digits at s as a number; false when they are not. */
static bool parse_address(const char *s, u64 *addr)
{
    *addr = 0;
    for (int i = 0; i < ADDRESS_DIGITS; i++) {
        if (!isxdigit((unsigned char)s[i]))
            return false;
        *addr = *addr << 4 | (u64)(s[i] <= '9' ? s[i] - '0' : (s[i] | 32) - 'a' + 10);
    }
    return true;
}

/* Log text, each address of the image's code followed by its name. */
static void log_symbolised(const char *text, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i + ADDRESS_DIGITS <= len; i++) {
        const char *name;
        char note[160];
        u64 addr, offset;
        int n;

        if (!hostcall_ops.symbol || !parse_address(text + i, &addr))
            continue;
        i += ADDRESS_DIGITS - 1;
        name = hostcall_ops.symbol(addr, &offset);
        if (!name || !*name)
            continue;
        log_text(LOG_WARN, text + from, i + 1 - from);
        from = i + 1;
        n = snprintf(note, sizeof(note), " <%.100s+0x%llx>", name, (unsigned long long)offset);
        log_text(LOG_WARN, note, (size_t)n);
    }
    log_text(LOG_WARN, text + from, len - from);
}

s64 hc_PANIC(struct hostcall *hc)
{
    static char copy[PANIC_MAX]; /* the guest may still be writing; the first panic wins */
    static int once;
    const char *text = memory_translate(GPA(hc->arg[0]), hc->arg[1]);

    if (__atomic_exchange_n(&once, 1, __ATOMIC_ACQ_REL))
        return -EALREADY;
    if (text && hc->arg[1] <= PANIC_MAX) {
        memcpy(copy, text, hc->arg[1]);
        log_symbolised(copy, hc->arg[1]);
    } else {
        log_line(LOG_WARN, "Sentry panic without a text");
    }
    end(PANIC_STATUS);
}
