// SPDX-License-Identifier: Apache-2.0
/*
 * Start-up of the ring 0 machine: the boot CPU, then each further CPU when there is work for it.
 */
#include "sentry/kernel/kernel.h"
#include "sentry/machine/ring0/percpu.h"

unsigned machine_ncpus = 1;
u32 cpu_features;
struct percpu *percpus[MAX_CPUS];
extern bool machine_smap;

static struct percpu boot_cpu;
static struct task boot_task; /* current until the first real one runs */

void *boot_ptr(u64 gpa)
{
    return (void *)((gpa >= RAM_GPA ? DIRECT_MAP_VA : IMAGE_VA) + gpa);
}

/* What bios_cpu_load() wants to know. */
static void percpu_init(struct percpu *c, u32 cpu)
{
    struct bios_cpu *b = &c->bios;

    c->self = c;
    c->cpu = cpu;
    percpus[cpu] = c;
    b->cpu = cpu;
    b->gs_base = (u64)c;
    b->syscall_entry = (u64)syscall_entry;
    b->tss.rsp[0] = (u64)(c->entry_stack + ENTRY_STACK_SIZE);
    idt_use(b);
    sched_init_cpu(c);
}

/*
 * Stacks for NMI, machine check and double fault, from one kernel stack with its guard. entry.S
 * finds the struct percpu at the top of each.
 */
static bool ist_init(struct percpu *c)
{
    static const struct {
        u32 ist, top;
    } parts[] = {{1, PAGE_SIZE}, {3, 2 * PAGE_SIZE}, {2, 4 * PAGE_SIZE}};
    u64 stack = stack_alloc();

    if (!stack)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        u64 top = stack + parts[i].top - 16;
        *(struct percpu **)top = c;
        c->bios.tss.ist[parts[i].ist - 1] = top;
    }
    return true;
}

static struct task *idle_task_new(u32 cpu)
{
    struct task *t = kzalloc(sizeof(*t));

    if (t)
        snprintf_(t->comm, sizeof(t->comm), "idle/%u", cpu);
    return t;
}

static void sentry_thread(void *arg)
{
    sentry_main();
}

static void idle_entry(struct task *t)
{
    idle_loop();
}

static void memory_init(void)
{
    page_init(boot.ram_base, boot.ram_size);
    slab_init();
    mm_init();
    panic_init();
    paging_init();
    for (u32 i = 1; i < machine_ncpus; i++) {
        struct percpu *c = kzalloc(sizeof(*c));
        if (!c)
            machine_panic("no memory for per-CPU data");
        percpu_init(c, i);
        c->hostcall = (void *)((u8 *)boot_cpu.hostcall + i * HOSTCALL_BLOCK_STRIDE);
    }
}

void sentry_boot(u64 fdt)
{
    struct percpu *c = &boot_cpu;
    struct task *idle;

    percpu_init(c, 0);
    c->task = &boot_task;
    c->state = CPU_BUSY;
    idt_init();
    bios_cpu_load(&c->bios);
    cpu_features = c->bios.features;
    machine_smap = cpu_features & BIOS_SMAP;
    fpu_setup(&c->bios);
    if (bootinfo_parse(boot_ptr(fdt)))
        machine_panic("bad device tree");
    machine_ncpus = boot.ncpus;
    c->hostcall = boot_ptr(boot.hostcall_gpa);
    memory_init();
    clock_init();
    ring_init();
    apic_init_cpu(c);
    idle = idle_task_new(0);
    if (!idle || !ist_init(c) || machine_thread_create(idle, idle_entry) ||
        !kthread_start("sentry", sentry_thread, NULL))
        machine_panic("no memory to start");
    c->idle = idle;
    sched_switch(c, idle);
    machine_panic("the boot thread was scheduled");
}

bool cpu_start(u32 cpu)
{
    struct percpu *c = percpus[cpu];
    u32 state = CPU_OFFLINE;

    if (!__atomic_compare_exchange_n(&c->state, &state, CPU_STARTING, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return true;
    if (!c->idle)
        c->idle = idle_task_new(cpu);
    if (c->idle && !c->idle->mthread.stack)
        c->idle->mthread.stack = stack_alloc();
    if (!c->idle || !c->idle->mthread.stack || (!c->bios.tss.ist[0] && !ist_init(c)))
        goto fail;
    c->task = c->idle;
    c->idle->mthread.cpu = cpu;
    c->bios.stack = c->idle->mthread.stack + KERNEL_STACK_SIZE - 16;
    __atomic_store_n(&bios_cpus[cpu], &c->bios, __ATOMIC_RELEASE);
    if (HOSTCALL(HC_CPU_START, cpu) == 0)
        return true;
fail:
    log_warn("CPU %u cannot be started", cpu);
    __atomic_store_n(&c->state, CPU_OFFLINE, __ATOMIC_SEQ_CST);
    return false;
}

void sentry_boot_secondary(u32 cpu)
{
    apic_init_cpu(this_cpu());
    idle_loop();
}
