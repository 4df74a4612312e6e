/* SPDX-License-Identifier: Apache-2.0
 *
 * ELF images: checked when they are opened, mapped into a fresh address space afterwards.
 */
#pragma once

#include <linux/elf.h>
#include "sentry/fs/vfs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

#define EXEC_HEAD 256 /* bytes of a file that decide what it is */

/* An executable or interpreter that was found good. Owned by one exec; file is held. */
struct elf_image {
    struct vfs_file *file;
    Elf64_Ehdr eh;
    Elf64_Phdr *ph; /* eh.e_phnum, kmalloc'ed */
    bool exec_stack;
};

/* Where an image went. */
struct elf_place {
    u64 bias; /* added to the addresses of the file */
    uva_t entry, phdr;
    uva_t start_code, end_code, start_data, end_data, brk;
};

/*
 * Check header and read the program headers of f, whose first bytes are in head (zero-filled).
 * Takes over the reference to f on success. 0, -ENOEXEC, or -ENOMEM.
 */
int elf_open(struct elf_image *img, struct vfs_file *f, const void *head);
/* Path of the interpreter: kmalloc'ed, NULL when the image wants none, or ERR_PTR. */
char *elf_interpreter(const struct elf_image *img);
void elf_close(struct elf_image *img);

enum elf_role {
    ELF_STATIC,      /* program without interpreter */
    ELF_DYNAMIC,     /* program that an interpreter starts */
    ELF_INTERPRETER, /* that one */
};
/*
 * Map the image into mm, which nobody else uses yet. An error here means that Linux would have
 * killed the process: it looks at these things after the point of no return.
 */
int elf_map(struct mm *mm, const struct elf_image *img, enum elf_role role, struct elf_place *out);

/* ---- exec_stack.c ---- */

/* What goes on a new stack. The strings are borrowed. */
struct exec_stack {
    const char *prefix[16]; /* in front of argv: what "#!" lines put there */
    int nprefix;
    char **argv, **envp; /* argc, envc of them */
    int argc, envc;
    const char *filename; /* AT_EXECFN */
    u64 (*auxv)[2];       /* without AT_RANDOM, AT_PLATFORM, AT_EXECFN, AT_NULL; room for these */
    unsigned nauxv;
    bool exec;
};
#define EXEC_AUXV_MAX 28
/* Bytes of strings and pointers against the limits. 0 or -E2BIG. */
int exec_stack_check(struct exec_stack *s);
/* Map the stack of mm below `top` and fill it. 0 and *sp, or -errno. */
int exec_stack_build(struct mm *mm, struct exec_stack *s, uva_t top, uva_t *sp);

static inline bool exec_randomizes(void)
{
    return !(current->personality & 0x0040000); /* ADDR_NO_RANDOMIZE */
}
/* A random number of whole pages below `pages`; 0 without randomisation. In bytes. */
u64 exec_random_offset(u64 pages);
