// SPDX-License-Identifier: Apache-2.0
/*
 * The debug log: one line per message, handed to the host with HC_LOG.
 */
#include "sentry/lib/lock.h"
#include "sentry/mm/mm.h"

#define LOG_LINE 1024

int log_level = LOG_WARN;

/* The line under construction; a page of RAM because the host takes buffers only from there. */
static struct spinlock log_lock = SPINLOCK_INIT;
static char *log_line;

static void log_flush(enum log_level level, size_t len)
{
    HOSTCALL(HC_LOG, level, virt_to_phys(log_line), len);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    int n;

    if ((int)level > log_level && level != LOG_WARN)
        return;
    spin_lock(&log_lock);
    if (!log_line) {
        struct page *p = page_alloc(0, 0);
        if (!p)
            goto out;
        log_line = page_virt(p);
    }
    va_start(ap, fmt);
    n = vsnprintf_(log_line, LOG_LINE, fmt, ap);
    va_end(ap);
    n = MIN(n, LOG_LINE - 2);
    log_line[n++] = '\n';
    log_flush(level, (size_t)n);
out:
    spin_unlock(&log_lock);
}

void panic(const char *fmt, ...)
{
    char msg[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf_(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    machine_panic(msg);
}
