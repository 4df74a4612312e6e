// SPDX-License-Identifier: Apache-2.0
//
// Loads the guest image. Text and rodata are not copied: their memory slots point at the pages of
// the runsc binary itself, read only, shared by every sandbox of the host. Data is copied to
// private memory; bss and what follows it are fresh pages. Boot page tables map each segment with
// its own rights, what follows bss and the direct map read-write and not executable.

#include "vmm/image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/log.h"
#include "vmm/memory.h"

#define PAGE       4096ULL
#define PAGE_UP(x) (((x) + PAGE - 1) & ~(PAGE - 1))

#define PTE_P    1ULL
#define PTE_W    2ULL
#define PTE_A    (1ULL << 5)
#define PTE_D    (1ULL << 6)
#define PTE_PS   (1ULL << 7)
#define PTE_G    (1ULL << 8)
#define PTE_NX   (1ULL << 63)
#define PTE_ADDR 0x000ffffffffff000ULL

static const Elf64_Sym *symbols;
static size_t nsymbols;
static const char *strings;
static size_t strings_size;

/* Where the next page behind the image goes: a bump allocator inside the writable slot. */
struct bump {
    u64 next, end; /* gpa */
    u64 pml4;
};

static u64 *host(u64 gpa)
{
    return (u64 *)((char *)memory_base() + gpa);
}

static u64 bump_alloc(struct bump *b, u64 size)
{
    u64 gpa = b->next;

    b->next += PAGE_UP(size);
    return b->next <= b->end ? gpa : 0;
}

/* Entry for va at `level` (0 = page table), tables made on the way; NULL when out of room. */
static u64 *walk(struct bump *b, u64 va, int level)
{
    u64 table = b->pml4;

    for (int l = 3; l > level; l--) {
        u64 *e = host(table) + (va >> (12 + 9 * l) & 511);

        if (!(*e & PTE_P)) {
            u64 page = bump_alloc(b, PAGE);

            if (!page)
                return NULL;
            *e = page | PTE_P | PTE_W | PTE_A;
        }
        table = *e & PTE_ADDR;
    }
    return host(table) + (va >> (12 + 9 * level) & 511);
}

/* Map [gpa, gpa + size) at va with pages of 4 KiB << 9 * level. */
static int map(struct bump *b, u64 va, u64 gpa, u64 size, int level, u64 flags)
{
    u64 step = PAGE << 9 * level;

    for (u64 off = 0; off < size; off += step) {
        u64 *e = walk(b, va + off, level);

        if (!e)
            return -ENOMEM;
        *e = (gpa + off) | flags | PTE_P | PTE_A | PTE_D | PTE_G | (level ? PTE_PS : 0);
    }
    return 0;
}

static int map_direct(struct bump *b, bool gib_pages)
{
    int level = gib_pages ? 2 : 1;
    u64 unit = PAGE << 9 * level;
    u64 ram = (memory_ram_size() + unit - 1) & ~(unit - 1);
    int r = map(b, DIRECT_MAP_VA + RAM_GPA, RAM_GPA, ram, level, PTE_W | PTE_NX);

    if (!r)
        r = map(b, DIRECT_MAP_VA + WINDOW_GPA, WINDOW_GPA, WINDOW_SIZE, level, PTE_W | PTE_NX);
    return r;
}

static int add_slot(struct image *img, u64 gpa, u64 size, void *p, bool readonly)
{
    if (img->nslots == IMAGE_SLOTS)
        return -ENOEXEC;
    img->slots[img->nslots++] =
        (struct image_slot){.gpa = gpa, .size = size, .host = p, .readonly = readonly};
    return 0;
}

/* Check one PT_LOAD against the file and the layout; its gpa goes to *gpa. */
static int check_segment(const Elf64_Phdr *ph, size_t size, u64 *gpa)
{
    if (ph->p_offset > size || ph->p_filesz > size - ph->p_offset || ph->p_filesz > ph->p_memsz)
        return -ENOEXEC;
    if (ph->p_vaddr < IMAGE_VA + IMAGE_GPA || ph->p_memsz > IMAGE_MAX)
        return -ENOEXEC;
    *gpa = ph->p_vaddr - IMAGE_VA;
    if (*gpa % PAGE || ph->p_offset % PAGE || *gpa - IMAGE_GPA > IMAGE_MAX - ph->p_memsz)
        return -ENOEXEC;
    if ((ph->p_flags & PF_W) && (ph->p_flags & PF_X))
        return -ENOEXEC;
    return 0;
}

/* Read-only segments are used where they lie. */
static int load_readonly(struct image *img, const char *elf, const Elf64_Phdr *ph, u64 gpa)
{
    char *p = (char *)elf + ph->p_offset;
    u64 len = PAGE_UP(ph->p_memsz);

    if ((u64)p % PAGE || ph->p_filesz != ph->p_memsz) {
        p = (char *)memory_base() + gpa;
        if (mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED)
            return -errno;
        memcpy(p, elf + ph->p_offset, ph->p_filesz);
        mprotect(p, len, PROT_READ);
    }
    return add_slot(img, gpa, len, p, true);
}

/* The writable segment is the last; its slot reaches to `end` and holds our additions too. */
static int load_writable(struct image *img, const char *elf, const Elf64_Phdr *ph, u64 gpa, u64 end)
{
    char *p = (char *)memory_base() + gpa;

    if (mmap(p, end - gpa, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
        return -errno;
    memcpy(p, elf + ph->p_offset, ph->p_filesz);
    return add_slot(img, gpa, end - gpa, p, false);
}

static void find_symbols(const char *elf, size_t size)
{
    const Elf64_Ehdr *eh = (const void *)elf;
    const Elf64_Shdr *sh;

    if (eh->e_shentsize != sizeof(*sh) || eh->e_shoff > size ||
        (size - eh->e_shoff) / sizeof(*sh) < eh->e_shnum)
        return;
    sh = (const void *)(elf + eh->e_shoff);
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        const Elf64_Shdr *str;

        if (sh[i].sh_type != SHT_SYMTAB || sh[i].sh_link >= eh->e_shnum)
            continue;
        str = &sh[sh[i].sh_link];
        if (sh[i].sh_offset > size || sh[i].sh_size > size - sh[i].sh_offset ||
            str->sh_offset > size || str->sh_size > size - str->sh_offset)
            return;
        symbols = (const void *)(elf + sh[i].sh_offset);
        nsymbols = sh[i].sh_size / sizeof(*symbols);
        strings = elf + str->sh_offset;
        strings_size = str->sh_size;
    }
}

const char *image_symbol(u64 addr, u64 *offset)
{
    const Elf64_Sym *best = NULL;

    for (size_t i = 0; i < nsymbols; i++) {
        const Elf64_Sym *s = &symbols[i];

        if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || s->st_value > addr)
            continue;
        if (!best || s->st_value > best->st_value)
            best = s;
    }
    if (!best || addr - best->st_value > MIB(1) || best->st_name >= strings_size)
        return "";
    *offset = addr - best->st_value;
    return strings + best->st_name;
}

/* Rooms behind bss, then the page tables, which need to know where everything is. */
static int build_boot_data(struct image *img, struct bump *b, size_t fdt_size, unsigned ncpus)
{
    img->hostcall_gpa = bump_alloc(b, (u64)ncpus * HOSTCALL_BLOCK_STRIDE);
    img->ring_gpa = bump_alloc(b, sizeof(struct ring));
    img->fdt_gpa = bump_alloc(b, fdt_size);
    b->pml4 = bump_alloc(b, PAGE);
    if (!img->hostcall_gpa || !img->ring_gpa || !img->fdt_gpa || !b->pml4)
        return -ENOMEM;
    img->blocks = (void *)host(img->hostcall_gpa);
    img->ring = (void *)host(img->ring_gpa);
    img->fdt = host(img->fdt_gpa);
    img->fdt_size = fdt_size;
    img->cr3 = b->pml4;
    return 0;
}

static int map_segments(struct bump *b, const Elf64_Ehdr *eh, u64 data_end)
{
    const Elf64_Phdr *ph = (const void *)((const char *)eh + eh->e_phoff);
    int r = 0;

    for (unsigned i = 0; i < eh->e_phnum && !r; i++) {
        u64 gpa = ph[i].p_vaddr - IMAGE_VA, end = PAGE_UP(gpa + ph[i].p_memsz);
        u64 flags = ph[i].p_flags & PF_X ? 0 : PTE_NX;

        if (ph[i].p_type != PT_LOAD || ph[i].p_memsz == 0)
            continue;
        if (ph[i].p_flags & PF_W) {
            flags |= PTE_W;
            end = data_end;
        }
        r = map(b, IMAGE_VA + gpa, gpa, end - gpa, 0, flags);
    }
    return r;
}

int image_load(struct image *img, const void *elf, size_t size, size_t fdt_size, unsigned ncpus,
               bool gib_pages)
{
    const Elf64_Ehdr *eh = elf;
    const Elf64_Phdr *ph;
    struct bump b = {.end = IMAGE_GPA + IMAGE_MAX};
    int r = 0;

    memset(img, 0, sizeof(*img));
    if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_type != ET_EXEC ||
        eh->e_machine != EM_X86_64 || eh->e_phentsize != sizeof(*ph) || eh->e_phoff > size ||
        (size - eh->e_phoff) / sizeof(*ph) < eh->e_phnum)
        return -ENOEXEC;
    ph = (const void *)((const char *)elf + eh->e_phoff);
    for (unsigned i = 0; i < eh->e_phnum && !r; i++) {
        u64 gpa;

        if (ph[i].p_type != PT_LOAD || ph[i].p_memsz == 0)
            continue;
        r = check_segment(&ph[i], size, &gpa);
        if (r || b.next)
            return -ENOEXEC; /* the writable segment must be the last one */
        if (ph[i].p_flags & PF_W) {
            r = load_writable(img, elf, &ph[i], gpa, b.end);
            b.next = PAGE_UP(gpa + ph[i].p_memsz);
        } else {
            r = load_readonly(img, elf, &ph[i], gpa);
        }
    }
    if (r || !b.next)
        return r ? r : -ENOEXEC;
    img->entry = eh->e_entry;
    find_symbols(elf, size);
    r = build_boot_data(img, &b, fdt_size, ncpus);
    if (!r)
        r = map_direct(&b, gib_pages);
    /* the tables that map_segments() still needs are within the 16 that it maps in addition */
    if (!r)
        r = map_segments(&b, eh, b.next + 16 * PAGE);
    log_line(LOG_DEBUG, "image: %u slots, boot data ends at %#llx", img->nslots,
             (unsigned long long)b.next);
    return r;
}
