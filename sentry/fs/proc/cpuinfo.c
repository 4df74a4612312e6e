// SPDX-License-Identifier: Apache-2.0
//
// proc: /proc/cpuinfo, from the CPUID instruction as the application itself sees it.

#include "sentry/fs/proc/proc.h"

struct regs {
    u32 eax, ebx, ecx, edx;
};

static struct regs cpuid(u32 leaf, u32 sub)
{
    struct regs r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(sub));
    return r;
}

/* Names of feature bits, one string a register: bit 0 first, "-" for bits that have no name. */
static const char leaf1_edx[] = "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov "
                                "pat pse36 pn clflush - dts acpi "
                                "mmx fxsr sse sse2 ss ht tm ia64 pbe";
static const char leaf1_ecx[] =
    "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid "
    "dca "
    "sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor";
static const char ext_edx[] =
    "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm "
    "3dnowext 3dnow";
static const char ext_ecx[] =
    "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop "
    "skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc "
    "perfctr_llc mwaitx - -";
static const char leaf7_ebx[] =
    "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f "
    "avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd "
    "sha_ni avx512bw avx512vl";
static const char leaf7_ecx[] =
    "- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni "
    "avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - - cldemote - movdiri movdir64b "
    "enqcmd - -";

static void put_flags(struct seq *s, u32 bits, const char *names)
{
    for (u32 bit = 0; *names; bit++) {
        const char *end = strchr(names, ' ');
        size_t len = end ? (size_t)(end - names) : strlen(names);
        if ((bits >> bit & 1) && names[0] != '-') {
            seq_write(s, names, len);
            seq_putc(s, ' ');
        }
        names += len + (end != NULL);
    }
}

static void put_model_name(struct seq *s)
{
    char brand[49] = {0}, *p = brand;

    if (cpuid(0x80000000, 0).eax >= 0x80000004) {
        for (u32 i = 0; i < 3; i++) {
            struct regs r = cpuid(0x80000002 + i, 0);
            memcpy(brand + 16 * i, &r, 16);
        }
    }
    while (*p == ' ')
        p++;
    seq_printf(s, "model name\t: %s\n", *p ? p : "unknown");
}

static void put_flag_line(struct seq *s)
{
    struct regs one = cpuid(1, 0), ext = cpuid(0x80000001, 0), seven = {0};

    if (cpuid(0, 0).eax >= 7)
        seven = cpuid(7, 0);
    seq_puts(s, "flags\t\t: ");
    put_flags(s, one.edx, leaf1_edx);
    put_flags(s, ext.edx, ext_edx);
    put_flags(s, one.ecx, leaf1_ecx);
    put_flags(s, ext.ecx, ext_ecx);
    put_flags(s, seven.ebx, leaf7_ebx);
    put_flags(s, seven.ecx, leaf7_ecx);
    if (s->len && s->buf[s->len - 1] == ' ')
        s->len--;
    seq_putc(s, '\n');
}

static void put_cpu(struct seq *s, unsigned n)
{
    struct regs zero = cpuid(0, 0), one = cpuid(1, 0), sizes = cpuid(0x80000008, 0);
    u32 vendor[3] = {zero.ebx, zero.edx, zero.ecx};
    u32 family = one.eax >> 8 & 15, model = one.eax >> 4 & 15;

    if (family == 15)
        family += one.eax >> 20 & 255;
    if (family >= 6)
        model |= (one.eax >> 16 & 15) << 4;
    seq_printf(s, "processor\t: %u\nvendor_id\t: %.12s\ncpu family\t: %u\nmodel\t\t: %u\n", n,
               (const char *)vendor, family, model);
    put_model_name(s);
    seq_printf(s, "stepping\t: %u\nmicrocode\t: 0x1\n", one.eax & 15);
    seq_printf(s, "cpu MHz\t\t: %lu.%03lu\ncache size\t: 8192 KB\n", machine_tsc_khz / 1000,
               machine_tsc_khz % 1000);
    seq_printf(s, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
               machine_ncpus, n, machine_ncpus);
    seq_printf(s, "apicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n", n,
               n);
    seq_printf(s, "cpuid level\t: %u\nwp\t\t: yes\n", zero.eax);
    put_flag_line(s);
    seq_printf(s, "bugs\t\t:\nbogomips\t: %lu.%02lu\n", machine_tsc_khz / 500,
               machine_tsc_khz / 5 % 100);
    seq_printf(s, "clflush size\t: %u\ncache_alignment\t: 64\n", (one.ebx >> 8 & 255) * 8);
    seq_printf(s, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
               sizes.eax & 255, sizes.eax >> 8 & 255);
}

int proc_show_cpuinfo(struct seq *s, const struct proc_ctx *c)
{
    (void)c;
    for (unsigned n = 0; n < machine_ncpus; n++)
        put_cpu(s, n);
    return 0;
}
