// SPDX-License-Identifier: Apache-2.0
/*
 * Page tables and what faults, fork and truncation do to them. The fake machine stops the test
 * when something sleeps or flushes under a spinlock.
 */
#include "fake/fake_file.h"
#include "sentry/mm/internal.h"

#include <check.h>
#include <stdlib.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define AT   0x40000000UL

static struct mm *mm;
static struct fake_file ff;

static void setup(void)
{
    fake_start(FAKE_RAM);
    mm = mm_new();
    current->mm = mm;
    fake_file_init(&ff, 16);
}

static void teardown(void)
{
    if (current->mm)
        mm_put(current->mm);
    fake_stop();
}

static pte_t entry(struct mm *m, uva_t va, int *level)
{
    pte_t *e = pt_walk(m, va, 0, level);

    return e ? *e : 0;
}

static void map(uva_t at, u64 len, u32 prot, u32 flags)
{
    ck_assert_int_eq(mm_mmap(mm, at, len, prot, flags | MAP_FIXED, NULL, 0), (s64)at);
}

static void poke(struct mm *m, uva_t at, u8 b)
{
    ck_assert_int_eq(mm_access(m, at, &b, 1, true, false), 1);
}

static u8 peek(struct mm *m, uva_t at)
{
    u8 b = 0;

    ck_assert_int_eq(mm_access(m, at, &b, 1, false, false), 1);
    return b;
}

static struct fault_result fault(uva_t at, u32 access)
{
    return mm_fault(mm, at, access);
}

START_TEST(walk_and_split)
{
    int level;

    ck_assert_ptr_null(pt_walk(mm, AT, 0, &level));
    spin_lock(&mm->pt_lock);
    pte_t *pd = pt_walk(mm, AT, 2, &level);
    spin_unlock(&mm->pt_lock);
    ck_assert_int_eq(level, 2);
    ck_assert_uint_eq(*pd, 0);
    struct page *p = page_alloc(9, PAGE_ALLOC_ZERO);
    pte_set(pd, page_to_phys(p) | PTE_PS | pte_prot(RW, true));
    rss_add(mm, 512, 0);
    for (u64 i = 0; i < 512; i += 100) {
        ck_assert_ptr_eq(pt_walk(mm, AT + i * PAGE_SIZE, 0, &level), pd);
        ck_assert_int_eq(level, 2);
    }
    spin_lock(&mm->pt_lock);
    ck_assert_int_eq(pt_split_huge(mm, AT), 0);
    spin_unlock(&mm->pt_lock);
    for (u64 i = 0; i < 512; i++) {
        pte_t e = entry(mm, AT + i * PAGE_SIZE, &level);
        ck_assert_int_eq(level, 1);
        ck_assert_uint_eq(e & PTE_ADDR, page_to_phys(p) + i * PAGE_SIZE);
        ck_assert_uint_eq(e & (PTE_P | PTE_W | PTE_U | PTE_NX | PTE_PS),
                          PTE_P | PTE_W | PTE_U | PTE_NX);
    }
    ck_assert_uint_eq(page_of(*pd & PTE_ADDR)->count, 512);
}
END_TEST

START_TEST(bits)
{
    ck_assert_uint_eq(pte_prot(PROT_NONE, true) & (PTE_P | PTE_W), 0);
    ck_assert_uint_ne(pte_prot(PROT_NONE, true), 0);
    ck_assert_uint_eq(pte_prot(PROT_READ, true) & (PTE_P | PTE_W | PTE_NX), PTE_P | PTE_NX);
    ck_assert_uint_eq(pte_prot(PROT_WRITE, true) & (PTE_P | PTE_W), PTE_P | PTE_W);
    ck_assert_uint_eq(pte_prot(RW, false) & PTE_W, 0);
    ck_assert_uint_eq(pte_prot(PROT_EXEC, false) & (PTE_P | PTE_NX), PTE_P);
}
END_TEST

START_TEST(fault_codes)
{
    map(AT, 4 * PAGE_SIZE, PROT_READ, ANON);
    ck_assert_int_eq(fault(AT - 1, 0).sig, SIGSEGV);
    ck_assert_int_eq(fault(AT - 1, 0).code, SEGV_MAPERR);
    ck_assert_int_eq(fault(AT, FAULT_WRITE).code, SEGV_ACCERR);
    ck_assert_int_eq(fault(AT, FAULT_EXEC).code, SEGV_ACCERR);
    ck_assert_int_eq(fault(AT, 0).sig, 0);
    ck_assert_int_eq(fault(USER_END, 0).sig, SIGSEGV);
    ck_assert_int_eq(fault(U64_MAX, 0).sig, SIGSEGV);
    map(AT, PAGE_SIZE, PROT_NONE, ANON);
    ck_assert_int_eq(fault(AT, 0).code, SEGV_ACCERR);
    ck_assert_int_eq(
        mm_mmap(mm, AT, 32 * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED, &ff.file, 0), AT);
    ck_assert_int_eq(fault(AT + 16 * PAGE_SIZE, 0).sig, SIGBUS);
    ck_assert_int_eq(fault(AT + 16 * PAGE_SIZE, 0).code, BUS_ADRERR);
}
END_TEST

/* Reading does not cost a page; the first store does. */
START_TEST(zero_page)
{
    int level;

    map(AT, 8 * PAGE_SIZE, RW, ANON);
    ck_assert_uint_eq(peek(mm, AT), 0);
    ck_assert_uint_eq(entry(mm, AT, &level) & PTE_ADDR, zero_pa);
    ck_assert_int_eq(mm->rss_anon, 0);
    poke(mm, AT, 5);
    ck_assert_uint_ne(entry(mm, AT, &level) & PTE_ADDR, zero_pa);
    ck_assert_int_eq(mm->rss_anon, 1);
    ck_assert_uint_gt(mm->mspace.flushes, 0);
    ck_assert_uint_eq(peek(mm, AT), 5);
    ck_assert_uint_eq(*(u8 *)phys_to_virt(zero_pa), 0);
}
END_TEST

START_TEST(big_page)
{
    int level;

    fake_huge_pages = true;
    map(AT, 2 * HUGE_SIZE, RW, ANON);
    poke(mm, AT + 12345, 1);
    ck_assert(entry(mm, AT, &level) & PTE_PS);
    ck_assert_int_eq(mm->rss_anon, 512);
    /* Part of it loses a right, then is unmapped: the rest keeps its contents. */
    poke(mm, AT + 0x100000, 2);
    ck_assert_int_eq(mm_mprotect(mm, AT + 0x100000, PAGE_SIZE, PROT_READ), 0);
    ck_assert_int_eq(entry(mm, AT, &level) & PTE_PS, 0);
    ck_assert_uint_eq(peek(mm, AT + 12345), 1);
    ck_assert_uint_eq(peek(mm, AT + 0x100000), 2);
    ck_assert_int_eq(fault(AT + 0x100000, FAULT_WRITE).code, SEGV_ACCERR);
    ck_assert_int_eq(mm_munmap(mm, AT + PAGE_SIZE, PAGE_SIZE), 0);
    ck_assert_int_eq(mm->rss_anon, 511);
    ck_assert_int_eq(mm_madvise(mm, AT + HUGE_SIZE, HUGE_SIZE, MADV_NOHUGEPAGE), 0);
    poke(mm, AT + HUGE_SIZE, 1);
    ck_assert_int_eq(entry(mm, AT + HUGE_SIZE, &level) & PTE_PS, 0);
    fake_huge_pages = false;
}
END_TEST

static void fork_keeps_sides_apart(u64 len)
{
    struct mm *child;
    u64 before;

    map(AT, len, RW, ANON);
    for (u64 i = 0; i < len; i += PAGE_SIZE)
        poke(mm, AT + i, (u8)(i >> 12));
    before = pages_free();
    child = mm_fork(mm);
    ck_assert_ptr_nonnull(child);
    ck_assert_int_eq(child->rss_anon, mm->rss_anon);
    ck_assert_uint_le(mm->mspace.flush_start, AT);
    ck_assert_uint_ge(mm->mspace.flush_end, AT + len);
    ck_assert_uint_ge(pages_free() + 16, before); /* only tables were copied */
    poke(child, AT, 0xc0);
    poke(mm, AT + PAGE_SIZE, 0xaa);
    for (u64 i = 0; i < len; i += PAGE_SIZE) {
        ck_assert_uint_eq(peek(mm, AT + i), i == PAGE_SIZE ? 0xaa : (u8)(i >> 12));
        ck_assert_uint_eq(peek(child, AT + i), i == 0 ? 0xc0 : (u8)(i >> 12));
    }
    mm_put(child);
    /* Alone again: stores need no copy. */
    u64 pages = pages_free();
    poke(mm, AT + 7 * PAGE_SIZE, 1);
    ck_assert_uint_le(pages - pages_free(), 1);
    ck_assert_int_eq(mm_munmap(mm, AT, len), 0);
    ck_assert_int_eq(mm->rss_anon, 0);
}

START_TEST(fork_small)
{
    fork_keeps_sides_apart(100 * PAGE_SIZE);
}
END_TEST

START_TEST(fork_big)
{
    fake_huge_pages = true;
    fork_keeps_sides_apart(3 * HUGE_SIZE);
    fake_huge_pages = false;
}
END_TEST

START_TEST(fork_flags)
{
    map(AT, PAGE_SIZE, RW, ANON);
    map(AT + 2 * PAGE_SIZE, PAGE_SIZE, RW, ANON);
    map(AT + 4 * PAGE_SIZE, PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS);
    for (u64 i = 0; i < 6; i += 2)
        poke(mm, AT + i * PAGE_SIZE, 7);
    ck_assert_int_eq(mm_madvise(mm, AT, PAGE_SIZE, MADV_DONTFORK), 0);
    ck_assert_int_eq(mm_madvise(mm, AT + 2 * PAGE_SIZE, PAGE_SIZE, MADV_WIPEONFORK), 0);
    ck_assert_int_eq(mm_madvise(mm, AT + 4 * PAGE_SIZE, PAGE_SIZE, MADV_WIPEONFORK), -EINVAL);
    struct mm *child = mm_fork(mm);
    ck_assert_ptr_null(vma_find_exact(child, AT));
    ck_assert_uint_eq(peek(child, AT + 2 * PAGE_SIZE), 0);
    ck_assert_uint_eq(peek(child, AT + 4 * PAGE_SIZE), 7);
    poke(child, AT + 4 * PAGE_SIZE, 8);
    ck_assert_uint_eq(peek(mm, AT + 4 * PAGE_SIZE), 8);
    ck_assert_uint_eq(peek(mm, AT + 2 * PAGE_SIZE), 7);
    mm_put(child);
}
END_TEST

START_TEST(private_file)
{
    s64 at = mm_mmap(mm, 0, 16 * PAGE_SIZE, RW, MAP_PRIVATE, &ff.file, 0);

    ck_assert_int_gt(at, 0);
    for (u64 i = 0; i < 16; i++)
        ck_assert_uint_eq(peek(mm, (uva_t)at + i * PAGE_SIZE), i + 1);
    ck_assert_int_eq(mm->rss_file, 16);
    poke(mm, (uva_t)at, 99);
    poke(mm, (uva_t)at + 8 * PAGE_SIZE, 98);
    ck_assert_int_eq(mm->rss_file, 14);
    ck_assert_int_eq(mm->rss_anon, 2);
    ck_assert_uint_eq(*(u8 *)page_virt(ff.pages[0]), 1);
    struct mm *child = mm_fork(mm);
    ck_assert_uint_eq(peek(child, (uva_t)at), 99);
    ck_assert_uint_eq(peek(child, (uva_t)at + PAGE_SIZE), 2);
    /* The cache takes pages back: private copies stay. Truncation takes everything. */
    mapping_evict_range(&ff.inode.mapping, 0, 15);
    ck_assert_int_eq(mm->rss_file, 0);
    ck_assert_uint_eq(peek(mm, (uva_t)at), 99);
    fake_file_truncate(&ff, 8);
    ck_assert_int_eq(fault((uva_t)at + 8 * PAGE_SIZE, 0).sig, SIGBUS);
    ck_assert_int_eq(mm_fault(child, (uva_t)at + 8 * PAGE_SIZE, 0).sig, SIGBUS);
    ck_assert_uint_eq(peek(child, (uva_t)at), 99);
    mm_put(child);
    ck_assert_int_eq(mm_munmap(mm, (uva_t)at, 16 * PAGE_SIZE), 0);
    ck_assert_uint_eq(ref_read(&ff.file.refs), 1);
    ck_assert(list_empty(&ff.inode.mapping.vmas));
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(ref_read(&ff.pages[i]->refs), 1);
}
END_TEST

START_TEST(shared_file)
{
    s64 at = mm_mmap(mm, 0, 16 * PAGE_SIZE, RW, MAP_SHARED, &ff.file, 0);
    s64 other = mm_mmap(mm, 0, 4 * PAGE_SIZE, PROT_READ, MAP_SHARED, &ff.file, 4 * PAGE_SIZE);

    ck_assert_uint_eq(peek(mm, (uva_t)at + 4 * PAGE_SIZE), 5);
    poke(mm, (uva_t)at + 4 * PAGE_SIZE, 77);
    ck_assert_uint_eq(*(u8 *)page_virt(ff.pages[4]), 77);
    ck_assert_uint_eq(peek(mm, (uva_t)other), 77);
    ck_assert_int_eq(mm->rss_anon, 0);
    ff.file.mode = FMODE_READ;
    ck_assert_int_eq(mm_mmap(mm, 0, PAGE_SIZE, RW, MAP_SHARED, &ff.file, 0), -EACCES);
    other = mm_mmap(mm, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, &ff.file, 0);
    ck_assert_int_eq(mm_mprotect(mm, (uva_t)other, PAGE_SIZE, RW), -EACCES);
    ck_assert_int_gt(mm_mmap(mm, 0, PAGE_SIZE, RW, MAP_PRIVATE, &ff.file, 0), 0);
    ff.file.mode = FMODE_WRITE;
    ck_assert_int_eq(mm_mmap(mm, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, &ff.file, 0), -EACCES);
    ff.mnt.flags = MS_NOEXEC;
    ff.file.mode = FMODE_READ;
    ck_assert_int_eq(mm_mmap(mm, 0, PAGE_SIZE, PROT_EXEC, MAP_PRIVATE, &ff.file, 0), -EPERM);
}
END_TEST

/* A debugger reads and writes what the program itself may not. */
START_TEST(forced_access)
{
    u8 b = 0x55;
    s64 at = mm_mmap(mm, 0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, &ff.file, 0);

    ck_assert_int_eq(mm_access(mm, (uva_t)at, &b, 1, true, false), -EFAULT);
    ck_assert_int_eq(mm_access(mm, (uva_t)at, &b, 1, true, true), 1);
    ck_assert_uint_eq(peek(mm, (uva_t)at), 0x55);
    ck_assert_uint_eq(*(u8 *)page_virt(ff.pages[0]), 1);
    ck_assert_int_eq(fault((uva_t)at, FAULT_WRITE).code, SEGV_ACCERR);
    map(AT, PAGE_SIZE, RW, ANON);
    poke(mm, AT, 3);
    ck_assert_int_eq(mm_mprotect(mm, AT, PAGE_SIZE, PROT_NONE), 0);
    ck_assert_int_eq(mm_access(mm, AT, &b, 1, false, false), -EFAULT);
    ck_assert_int_eq(mm_access(mm, AT, &b, 1, false, true), 1);
    ck_assert_uint_eq(b, 3);
    ck_assert_int_eq(mm_mprotect(mm, AT, PAGE_SIZE, RW), 0);
    ck_assert_uint_eq(peek(mm, AT), 3);
}
END_TEST

START_TEST(stack_growth)
{
    uva_t top = 0x700000000000UL;

    map(top - 4 * PAGE_SIZE, 4 * PAGE_SIZE, RW, ANON | MAP_GROWSDOWN);
    poke(mm, top - 100 * PAGE_SIZE, 1);
    ck_assert_uint_eq(vma_find(mm, top - 1)->start, top - 100 * PAGE_SIZE);
    fake_limits[RLIMIT_STACK] = 200 * PAGE_SIZE;
    ck_assert_int_eq(fault(top - 201 * PAGE_SIZE, FAULT_WRITE).code, SEGV_MAPERR);
    fake_limits[RLIMIT_STACK] = RLIM64_INFINITY;
    map(top - 1000 * PAGE_SIZE, PAGE_SIZE, RW, ANON);
    ck_assert_int_eq(fault(top - 800 * PAGE_SIZE, FAULT_WRITE).code, SEGV_MAPERR);
    ck_assert_int_eq(fault(top - 700 * PAGE_SIZE, FAULT_WRITE).sig, 0);
}
END_TEST

/* Tables of memory that is gone are freed, also where only a little lay in each. */
START_TEST(tables_come_back)
{
    u64 before = pages_free();

    for (u64 i = 0; i < 200; i++) {
        map(AT + i * GIB(1), PAGE_SIZE, RW, ANON);
        poke(mm, AT + i * GIB(1), 1);
    }
    ck_assert_uint_ge(before - pages_free(), 600);
    ck_assert_int_eq(mm_munmap(mm, AT, 200 * GIB(1)), 0);
    ck_assert_uint_le(before - pages_free(), 4);
}
END_TEST

START_TEST(out_of_memory)
{
    struct process *p = current->process;

    list_init(&p->threads);
    list_add(&p->threads, &current->thread_link);
    list_add(&all_processes, &p->all_link);
    map(AT, 2 * FAKE_RAM, RW, ANON | MAP_NORESERVE);
    struct fault_result r = {0};
    u64 i;
    for (i = 0; i < 2 * FAKE_RAM && !r.sig; i += PAGE_SIZE)
        r = fault(AT + i, FAULT_WRITE);
    ck_assert_int_eq(r.sig, SIGKILL);
    ck_assert(mm->oom_killed);
    ck_assert_uint_eq(fake_kills, 1);
    ck_assert_uint_gt(i, FAKE_RAM / 2);
    ck_assert_uint_gt(pages_free(), 100); /* the Sentry itself goes on */
}
END_TEST

START_TEST(destroy_frees_everything)
{
    u64 before = pages_free();
    struct mm *m = mm_new();

    for (u64 i = 0; i < 50; i++) {
        mm_mmap(m, AT + i * 37 * HUGE_SIZE, 3 * PAGE_SIZE, RW, ANON | MAP_FIXED, NULL, 0);
        poke(m, AT + i * 37 * HUGE_SIZE, 1);
    }
    mm_mmap(m, 0, 16 * PAGE_SIZE, RW, MAP_SHARED, &ff.file, 0);
    mm_mmap(m, 0, 4000 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, NULL, 0);
    struct mm *child = mm_fork(m);
    mm_put(m);
    mm_put(child);
    ck_assert_uint_le(before - pages_free(), 8); /* what slabs keep */
    ck_assert_uint_eq(ref_read(&ff.file.refs), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pgtable");
    TCase *tc = tcase_create("pgtable");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, walk_and_split);
    tcase_add_test(tc, bits);
    tcase_add_test(tc, fault_codes);
    tcase_add_test(tc, zero_page);
    tcase_add_test(tc, big_page);
    tcase_add_test(tc, fork_small);
    tcase_add_test(tc, fork_big);
    tcase_add_test(tc, fork_flags);
    tcase_add_test(tc, private_file);
    tcase_add_test(tc, shared_file);
    tcase_add_test(tc, forced_access);
    tcase_add_test(tc, stack_growth);
    tcase_add_test(tc, tables_come_back);
    tcase_add_test(tc, out_of_memory);
    tcase_add_test(tc, destroy_frees_everything);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
