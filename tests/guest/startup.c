// SPDX-License-Identifier: Apache-2.0
//
// What the kernel puts on a new program's stack: argc, argv, environment and the auxiliary vector,
// and where.

#include "t.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

static const Elf64_auxv_t *find_auxv(void)
{
    char **p = environ;

    while (*p)
        p++;
    return (const Elf64_auxv_t *)(p + 1);
}

static void check_vdso(void)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);

    if (!ok(eh != NULL, "AT_SYSINFO_EHDR"))
        return;
    ok(!memcmp(eh->e_ident, ELFMAG, SELFMAG), "the vDSO is an ELF image");
    ok(eh->e_type == ET_DYN && eh->e_machine == EM_X86_64, "the vDSO is a shared object");
    const Elf64_Phdr *ph = (const Elf64_Phdr *)((const char *)eh + eh->e_phoff);
    bool dynamic = false;
    for (int i = 0; i < eh->e_phnum; i++)
        dynamic |= ph[i].p_type == PT_DYNAMIC;
    ok(dynamic, "the vDSO has a dynamic section");
}

int main(int argc, char **argv)
{
    uintptr_t first = (uintptr_t)argv - 8;
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    bool any = false;

    ok(argc == 1 && argv[0] && !argv[1], "argc and argv");
    ok(*(long *)first == argc, "argc lies below argv");
    ok(first % 16 == 0, "stack is aligned to 16");
    ok(environ == argv + argc + 1, "the environment follows argv");
    ok(getauxval(AT_PAGESZ) == 4096, "AT_PAGESZ");
    ok(getauxval(AT_CLKTCK) == 100, "AT_CLKTCK");
    ok(getauxval(AT_PHENT) == sizeof(Elf64_Phdr), "AT_PHENT");
    ok(getauxval(AT_PHNUM) > 2, "AT_PHNUM");
    ok(getauxval(AT_PHDR) != 0, "AT_PHDR");
    ok(getauxval(AT_ENTRY) != 0, "AT_ENTRY");
    ok(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid(), "AT_UID");
    ok(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid(), "AT_GID");
    ok(getauxval(AT_SECURE) == 0, "AT_SECURE");
    ok(!strcmp((char *)getauxval(AT_PLATFORM), "x86_64"), "AT_PLATFORM");
    const char *execfn = (const char *)getauxval(AT_EXECFN);
    ok(execfn && strstr(execfn, "startup"), "AT_EXECFN");
    for (int i = 0; random && i < 16; i++)
        any |= random[i] != 0;
    ok(any, "AT_RANDOM has random bytes");
    const Elf64_auxv_t *a = find_auxv();
    while (a->a_type != AT_NULL)
        a++;
    ok(true, "the vector ends with AT_NULL");
    check_vdso();
    return t_done();
}
