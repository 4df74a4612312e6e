// SPDX-License-Identifier: Apache-2.0
/*
 * The ELF loader: 64-bit x86 executables and interpreters, static or position independent. Every
 * number of the file is hostile; sums are checked before they are formed.
 */
#include <linux/elf-em.h>
#include <linux/personality.h>
#include "sentry/kernel/elf.h"
#include "sentry/kernel/task.h"

#define PHDRS_MAX_BYTES 65536
/* Position-independent programs go here and above, away from mmap's region. */
#define DYN_BASE         (USER_END / 3 * 2 & PAGE_MASK)
#define DYN_RANDOM_PAGES (1UL << 28)
#define BRK_RANDOM_PAGES (1UL << 13)

#define page_down(x) ((x)&PAGE_MASK)

u64 exec_random_offset(u64 pages)
{
    u64 r;

    if (!exec_randomizes())
        return 0;
    random_bytes(&r, sizeof(r));
    return (r % pages) << PAGE_SHIFT;
}

/* ---- checks before the point of no return ---- */

int elf_open(struct elf_image *img, struct vfs_file *f, const void *head)
{
    Elf64_Ehdr *eh = &img->eh;
    u64 bytes;
    s64 n;

    memcpy(eh, head, sizeof(*eh));
    /* Linux does not look at the rest of e_ident; 32-bit images differ in e_machine. */
    if (memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_machine != EM_X86_64 ||
        (eh->e_type != ET_EXEC && eh->e_type != ET_DYN) || !f->ops->mmap)
        return -ENOEXEC;
    bytes = (u64)eh->e_phnum * sizeof(Elf64_Phdr);
    if (eh->e_phentsize != sizeof(Elf64_Phdr) || !bytes || bytes > PHDRS_MAX_BYTES ||
        eh->e_phoff > (u64)INT64_MAX - bytes)
        return -ENOEXEC;
    img->ph = kmalloc(bytes);
    if (!img->ph)
        return -ENOMEM;
    n = kernel_read(f, img->ph, bytes, eh->e_phoff);
    if (n != (s64)bytes) {
        kfree(img->ph);
        img->ph = NULL;
        return -ENOEXEC;
    }
    img->file = f;
    img->exec_stack = false; /* also where PT_GNU_STACK is missing, as Linux on x86-64 */
    for (unsigned i = 0; i < eh->e_phnum; i++)
        if (img->ph[i].p_type == PT_GNU_STACK)
            img->exec_stack = img->ph[i].p_flags & PF_X;
    return 0;
}

void elf_close(struct elf_image *img)
{
    kfree(img->ph);
    if (img->file)
        file_put(img->file);
    img->ph = NULL;
    img->file = NULL;
}

char *elf_interpreter(const struct elf_image *img)
{
    for (unsigned i = 0; i < img->eh.e_phnum; i++) {
        const Elf64_Phdr *ph = &img->ph[i];
        char *path;
        s64 n;

        if (ph->p_type != PT_INTERP)
            continue;
        if (ph->p_filesz > PATH_MAX || ph->p_filesz < 2)
            return ERR_PTR(-ENOEXEC);
        if (ph->p_offset > INT64_MAX - PATH_MAX)
            return ERR_PTR(-EINVAL);
        path = kmalloc(ph->p_filesz);
        if (!path)
            return ERR_PTR(-ENOMEM);
        n = kernel_read(img->file, path, ph->p_filesz, ph->p_offset);
        if (n == (s64)ph->p_filesz && !path[n - 1])
            return path;
        kfree(path);
        return ERR_PTR(n == (s64)ph->p_filesz ? -ENOEXEC : n < 0 ? n : -EIO);
    }
    return NULL;
}

/* ---- mapping ---- */

/* Lowest and highest address of the segments, in pages, and the largest alignment wanted. */
struct span {
    u64 low, high, align;
    unsigned n;
};

static int measure(const struct elf_image *img, struct span *s)
{
    *s = (struct span){.low = U64_MAX, .align = PAGE_SIZE};
    for (unsigned i = 0; i < img->eh.e_phnum; i++) {
        const Elf64_Phdr *ph = &img->ph[i];
        u64 align = ph->p_align;

        if (ph->p_type != PT_LOAD)
            continue;
        if (ph->p_filesz > ph->p_memsz || ph->p_memsz > USER_END ||
            ph->p_vaddr > USER_END - ph->p_memsz || ph->p_offset > INT64_MAX - ph->p_filesz ||
            ((ph->p_vaddr ^ ph->p_offset) & ~PAGE_MASK))
            return -EINVAL;
        s->low = MIN(s->low, page_down(ph->p_vaddr));
        s->high = MAX(s->high, PAGE_ALIGN(ph->p_vaddr + ph->p_memsz));
        if (align > s->align && align <= GIB(1) && !(align & (align - 1)))
            s->align = align;
        s->n++;
    }
    return 0;
}

/* A place for a position-independent image; what has to be added to its addresses. */
static int choose_bias(struct mm *mm, const struct span *s, enum elf_role role, u64 *bias)
{
    u64 len = s->high - s->low;
    s64 at;

    if (role == ELF_DYNAMIC) {
        at = (s64)((DYN_BASE + exec_random_offset(DYN_RANDOM_PAGES)) & ~(s->align - 1));
    } else {
        down_read(&mm->lock);
        at = mm_get_unmapped(mm, 0, len + s->align - PAGE_SIZE, 0);
        up_read(&mm->lock);
        if (at < 0)
            return (int)at;
        at = (s64)(((u64)at + s->align - 1) & ~(s->align - 1));
    }
    *bias = (u64)at - s->low;
    return 0;
}

static u32 segment_prot(const Elf64_Phdr *ph)
{
    return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
           (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

/* Zero what is behind the file's part of the last page of a segment. */
static int clear_tail(struct mm *mm, const Elf64_Phdr *ph, uva_t end)
{
    u64 n = PAGE_ALIGN(end) - end;
    struct page *page;
    pa_t pa;

    if (!n || ph->p_memsz == ph->p_filesz || !(ph->p_flags & PF_W))
        return 0;
    if (mm_pin(mm, end, true, &pa, &page))
        return -EFAULT;
    memset((u8 *)phys_to_virt(pa) + (end & ~PAGE_MASK), 0, n);
    if (page)
        page_put(page);
    return 0;
}

static int map_segment(struct mm *mm, struct vfs_file *f, const Elf64_Phdr *ph, u64 bias)
{
    uva_t start = ph->p_vaddr + bias, file_end = start + ph->p_filesz, end = start + ph->p_memsz;
    uva_t page = page_down(start), anon = ph->p_filesz ? PAGE_ALIGN(file_end) : page;
    u32 prot = segment_prot(ph);
    s64 at;
    int err = 0;

    if (ph->p_filesz) {
        at = mm_mmap(mm, page, file_end - page, prot, MAP_PRIVATE | MAP_FIXED, f,
                     page_down(ph->p_offset));
        if (at < 0)
            return (int)at;
        err = clear_tail(mm, ph, file_end);
    }
    if (!err && PAGE_ALIGN(end) > anon) {
        /* As Linux: always writable, so that an absurd size counts as what it is. */
        at = mm_mmap(mm, anon, PAGE_ALIGN(end) - anon, (prot & PROT_EXEC) | PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0);
        err = at < 0 ? (int)at : 0;
    }
    return err;
}

static void note_segment(struct elf_place *p, const Elf64_Ehdr *eh, const Elf64_Phdr *ph, u64 bias)
{
    uva_t start = ph->p_vaddr + bias, file_end = start + ph->p_filesz;

    if (ph->p_flags & PF_X) {
        p->start_code = p->start_code ? MIN(p->start_code, start) : start;
        p->end_code = MAX(p->end_code, file_end);
    }
    p->start_data = MAX(p->start_data, start);
    p->end_data = MAX(p->end_data, file_end);
    p->brk = MAX(p->brk, start + ph->p_memsz);
    if (eh->e_phoff >= ph->p_offset && eh->e_phoff - ph->p_offset < ph->p_filesz)
        p->phdr = eh->e_phoff - ph->p_offset + start;
}

int elf_map(struct mm *mm, const struct elf_image *img, enum elf_role role, struct elf_place *out)
{
    const Elf64_Ehdr *eh = &img->eh;
    struct span s;
    int err = measure(img, &s);

    *out = (struct elf_place){0};
    if (!err && eh->e_type == ET_DYN && s.n)
        err = choose_bias(mm, &s, role, &out->bias);
    out->phdr = out->bias; /* where no segment has them, as Linux */
    for (unsigned i = 0; i < eh->e_phnum && !err; i++) {
        if (img->ph[i].p_type != PT_LOAD)
            continue;
        err = map_segment(mm, img->file, &img->ph[i], out->bias);
        if (!err)
            note_segment(out, eh, &img->ph[i], out->bias);
    }
    out->entry = eh->e_entry + out->bias;
    if (!err && out->entry >= USER_END)
        err = -EINVAL;
    if (err || role == ELF_INTERPRETER)
        return err;
    mm->start_code = out->start_code;
    mm->end_code = out->end_code;
    mm->start_data = out->start_data;
    mm->end_data = out->end_data;
    /* A static position-independent program sits among the mappings: its heap gets room elsewhere.
     */
    if (eh->e_type == ET_DYN && role == ELF_STATIC)
        out->brk = DYN_BASE;
    mm->brk = mm->brk_start = PAGE_ALIGN(out->brk) + exec_random_offset(BRK_RANDOM_PAGES);
    return 0;
}
