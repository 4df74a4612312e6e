// SPDX-License-Identifier: Apache-2.0
/*
 * A fault in the hosted Sentry: registers and a back trace with names go to the log, and the
 * sandbox ends with a non-zero status. Runs on the thread's alternate stack, allocates nothing.
 */
#include "sentry/machine/ptrace/host.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "sentry/machine/machine.h"
#include "vmm/log.h"

#define STATUS_PANIC (128 + SIGABRT)
#define MAX_FRAMES   32
#define MAX_STACK    (1UL << 20)

extern const char __ehdr_start[]; /* where this program is loaded */

/* The program's own symbol table, mapped from its file; set once. */
static const Elf64_Sym *symbols;
static size_t nsymbols;
static const char *names;

void crash_prepare(void)
{
    const Elf64_Ehdr *eh;
    const Elf64_Shdr *sh;
    struct stat st;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0) {
        eh = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (eh != MAP_FAILED) {
            sh = (const void *)((const char *)eh + eh->e_shoff);
            for (int i = 0; i < eh->e_shnum; i++) {
                if (sh[i].sh_type != SHT_SYMTAB)
                    continue;
                symbols = (const void *)((const char *)eh + sh[i].sh_offset);
                nsymbols = sh[i].sh_size / sizeof(*symbols);
                names = (const char *)eh + sh[sh[i].sh_link].sh_offset;
            }
        }
    }
    close(fd);
}

static void print_frame(int n, u64 addr)
{
    u64 at = addr - (u64)__ehdr_start;
    const Elf64_Sym *best = NULL;

    for (size_t i = 0; i < nsymbols; i++) {
        const Elf64_Sym *s = &symbols[i];

        if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_value <= at &&
            at - s->st_value < s->st_size)
            best = s;
    }
    if (best)
        log_line(LOG_WARN, "  #%d %#lx %s+%#lx", n, at, names + best->st_name, at - best->st_value);
    else
        log_line(LOG_WARN, "  #%d %#lx", n, at);
}

/* Follow the frame pointers; each frame must be further up the same stack. */
static void back_trace(u64 rip, u64 rbp)
{
    int n = 0;

    print_frame(n++, rip);
    while (n < MAX_FRAMES && rbp && rbp % 8 == 0) {
        const u64 *frame = (const u64 *)rbp;

        if (!frame[1])
            break;
        print_frame(n++, frame[1] - 1);
        if (frame[0] <= rbp || frame[0] - rbp > MAX_STACK)
            break;
        rbp = frame[0];
    }
}

static _Noreturn void die(void)
{
    _exit(STATUS_PANIC);
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
    const ucontext_t *uc = context;
    const greg_t *g = uc->uc_mcontext.gregs;
    struct sigaction dfl = {.sa_handler = SIG_DFL};

    sigaction(sig, &dfl, NULL); /* a second fault ends it at once */
    log_line(LOG_WARN, "fault in the Sentry: signal %d code %d address %p", sig, si->si_code,
             si->si_addr);
    log_line(LOG_WARN, "  rip %016llx rsp %016llx rbp %016llx flags %llx", g[REG_RIP], g[REG_RSP],
             g[REG_RBP], g[REG_EFL]);
    log_line(LOG_WARN, "  rax %016llx rbx %016llx rcx %016llx rdx %016llx", g[REG_RAX], g[REG_RBX],
             g[REG_RCX], g[REG_RDX]);
    log_line(LOG_WARN, "  rsi %016llx rdi %016llx r8  %016llx r9  %016llx", g[REG_RSI], g[REG_RDI],
             g[REG_R8], g[REG_R9]);
    log_line(LOG_WARN, "  r10 %016llx r11 %016llx r12 %016llx r13 %016llx", g[REG_R10], g[REG_R11],
             g[REG_R12], g[REG_R13]);
    log_line(LOG_WARN, "  r14 %016llx r15 %016llx", g[REG_R14], g[REG_R15]);
    back_trace((u64)g[REG_RIP], (u64)g[REG_RBP]);
    die();
}

/* Of the file window, when it was truncated: vmm/window.c puts zero pages there. */
static struct sigaction window_action;

static void on_bus_error(int sig, siginfo_t *si, void *context)
{
    u64 at = (u64)si->si_addr - phys_base;

    if (at >= WINDOW_GPA && at < PHYS_END && window_action.sa_flags & SA_SIGINFO)
        window_action.sa_sigaction(sig, si, context);
    else
        on_fault(sig, si, context);
}

void crash_catch(void)
{
    static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction bus = {.sa_sigaction = on_bus_error,
                            .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigaction(SIGBUS, &bus, &window_action);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &sa, NULL);
}

void machine_panic(const char *msg)
{
    log_line(LOG_WARN, "panic: %s", msg);
    back_trace((u64)__builtin_return_address(0), (u64)__builtin_frame_address(0));
    die();
}
