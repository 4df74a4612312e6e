// SPDX-License-Identifier: Apache-2.0
/*
 * execve: from a path to a process that runs something else. The new address space is built
 * completely beside the old one, so that nearly every error leaves the caller as it was.
 */
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/securebits.h>
#include "sentry/kernel/elf.h"
#include "sentry/kernel/task.h"

#define SCRIPT_DEPTH   5
#define STACK_RANDOM   (1UL << 22) /* pages: 16 GiB */
#define MMAP_RANDOM    (1UL << 28)
#define VDSO_RANDOM    512 /* pages */
#define STACK_ROOM_MIN MIB(128)
#define STACK_ROOM_MAX (USER_END / 6 * 5)
#define STACK_GUARD    MIB(1)
#define CLOCK_TICKS    100
#define SIGFRAME_BYTES 1024 /* of a signal frame besides the FPU state */
#define PER_CLEAR_SETID \
    (READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO)

/* One exec under way; kmalloc'ed, owned by task_exec(). */
struct exec {
    struct exec_args *args;
    char *filename; /* as the program sees it: the path, or /dev/fd/N */
    char *interp_path;
    struct elf_image prog, interp;
    struct elf_place at, interp_at;
    struct mm *mm;
    struct cred *cred;
    bool setid;
    int doomed; /* Linux finds this out too late: the process dies of it */
    uva_t sp;
    struct exec_stack stack;
    u64 auxv[EXEC_AUXV_MAX][2];
    int depth;
    u8 head[SCRIPT_DEPTH + 1][EXEC_HEAD]; /* scripts keep theirs: its strings are in use */
};

/* ---- finding what to run ---- */

/* Path for comm, AT_EXECFN and "#!": relative to a descriptor it goes by way of /dev/fd. */
static int make_filename(struct exec *e)
{
    const struct exec_args *a = e->args;
    size_t n = strlen(a->path) + 32;

    if (a->dirfd == AT_FDCWD || a->path[0] == '/') {
        e->filename = kstrdup(a->path);
    } else if ((e->filename = kmalloc(n))) {
        snprintf_(e->filename, n, a->path[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", a->dirfd, a->path);
    }
    return e->filename ? 0 : -ENOMEM;
}

static bool blank(u8 c)
{
    return c == ' ' || c == '\t';
}

/*
 * Take a "#!" line apart: interpreter and at most one argument, both made NUL-terminated in place.
 * 0 or -ENOEXEC.
 */
static int parse_script(u8 *head, char **interp, char **arg)
{
    u8 *end = memchr(head, '\n', EXEC_HEAD), *p = head + 2, *name;

    if (!end) { /* the path must end within what was read */
        end = head + EXEC_HEAD - 1;
        while (p < end && blank(*p))
            p++;
        while (p < end && *p && !blank(*p))
            p++;
        if (p == end)
            return -ENOEXEC;
        p = head + 2;
    }
    while (end > p && blank(end[-1]))
        end--;
    *end = 0;
    while (blank(*p))
        p++;
    if (!*p)
        return -ENOEXEC;
    name = p;
    while (*p && !blank(*p))
        p++;
    *arg = NULL;
    if (*p) {
        *p++ = 0;
        while (blank(*p))
            p++;
        if (*p)
            *arg = (char *)p;
    }
    *interp = (char *)name;
    return 0;
}

/* Put the strings of one "#!" line in front of the arguments. */
static void add_prefix(struct exec_stack *s, const char *interp, const char *arg,
                       const char *script)
{
    const char *front[3] = {interp, arg ? arg : script, script};
    int n = arg ? 3 : 2;

    if (s->nprefix) /* the inner script's name is there already, as its interpreter */
        n--;
    memmove(s->prefix + n, s->prefix, (size_t)s->nprefix * sizeof(s->prefix[0]));
    memcpy(s->prefix, front, (size_t)n * sizeof(front[0]));
    s->nprefix += n;
}

/* Open what is to run, through scripts to a binary. e->prog holds the file on success. */
static int find_program(struct exec *e)
{
    struct exec_args *a = e->args;
    struct vfs_file *f = vfs_open_exec(a->dirfd, a->path, (u32)a->flags);
    char *name = e->filename, *interp, *arg;
    int err;

    for (;; e->depth++) {
        if (IS_ERR(f))
            return (int)PTR_ERR(f);
        if (e->depth > SCRIPT_DEPTH) {
            err = -ELOOP;
            break;
        }
        u8 *head = e->head[e->depth];
        s64 n = kernel_read(f, head, EXEC_HEAD, 0);
        err = n < 0 ? (int)n : 0;
        if (err)
            break;
        if (head[0] != '#' || head[1] != '!') {
            err = elf_open(&e->prog, f, head);
            break;
        }
        err = parse_script(head, &interp, &arg);
        if (err)
            break;
        add_prefix(&e->stack, interp, arg, name);
        file_put(f);
        name = interp;
        f = vfs_open_exec(AT_FDCWD, interp, 0);
    }
    if (err)
        file_put(f);
    return err;
}

static int find_interpreter(struct exec *e)
{
    char *path = elf_interpreter(&e->prog);
    struct vfs_file *f;
    u8 head[sizeof(Elf64_Ehdr)];
    s64 n;
    int err;

    if (!path)
        return 0;
    if (IS_ERR(path))
        return (int)PTR_ERR(path);
    e->interp_path = path;
    if (!*path) /* Linux takes it for the working directory */
        return -EACCES;
    f = vfs_open_exec(AT_FDCWD, path, 0);
    if (IS_ERR(f))
        return (int)PTR_ERR(f);
    n = kernel_read(f, head, sizeof(head), 0);
    if (n != sizeof(head))
        err = n < 0 ? (int)n : -EIO;
    else if ((err = elf_open(&e->interp, f, head)) == -ENOEXEC)
        err = -ELIBBAD;
    if (err)
        file_put(f);
    return err;
}

/* ---- credentials ---- */

/* What the file's set-id bits change. */
static void apply_setid(struct exec *e)
{
    struct vfs_file *f = e->prog.file;
    const struct attr *a = &f->inode->attr;
    struct cred *c = e->cred;

    if ((f->path.mnt->flags & MS_NOSUID) || current->no_new_privs)
        return;
    if (a->mode & S_ISUID)
        c->euid = a->uid;
    if ((a->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        c->egid = a->gid;
    e->setid = c->euid != current->cred->uid || c->egid != current->cred->gid;
}

/* capabilities(7), "Transformation of capabilities during execve()"; files have none. */
static void apply_caps(struct exec *e)
{
    struct cred *c = e->cred;
    u64 old = c->cap_permitted;

    if (e->setid)
        c->cap_ambient = 0;
    c->cap_permitted = c->cap_effective = c->cap_ambient;
    if (!(c->securebits & SECBIT_NOROOT) && (!c->euid || !c->uid)) {
        c->cap_permitted = c->cap_bounding | c->cap_inheritable;
        if (current->no_new_privs)
            c->cap_permitted &= old;
        c->cap_effective = c->euid ? c->cap_ambient : c->cap_permitted;
    }
    c->securebits &= ~(u32)SECBIT_KEEP_CAPS;
}

static int prepare_cred(struct exec *e)
{
    struct cred *c = cred_copy(current->cred, current->cred->ngroups);

    if (!c)
        return -ENOMEM;
    e->cred = c;
    apply_setid(e);
    apply_caps(e);
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    return 0;
}

/* ---- the new address space ---- */

static uva_t choose_layout(struct mm *mm)
{
    u64 room = MIN(MAX(rlimit(RLIMIT_STACK), STACK_ROOM_MIN), STACK_ROOM_MAX);

    room += STACK_GUARD + (exec_randomizes() ? STACK_RANDOM << PAGE_SHIFT : 0);
    room = MIN(room, STACK_ROOM_MAX) + exec_random_offset(MMAP_RANDOM);
    mm->mmap_base = (USER_END - room) & PAGE_MASK;
    return USER_END - exec_random_offset(STACK_RANDOM);
}

static void add_aux(struct exec *e, u64 type, u64 value)
{
    e->auxv[e->stack.nauxv][0] = type;
    e->auxv[e->stack.nauxv++][1] = value;
}

/* CPU features as the processor reports them (CPUID leaf 1, EDX). */
static u32 hwcap(void)
{
    static u32 cached;
    u32 a = 1, b, c = 0, d = __atomic_load_n(&cached, __ATOMIC_RELAXED);

    if (!d) {
        __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        __atomic_store_n(&cached, d, __ATOMIC_RELAXED);
    }
    return d;
}

static void fill_auxv(struct exec *e)
{
    const struct cred *c = e->cred;

    if (e->mm->vdso)
        add_aux(e, AT_SYSINFO_EHDR, e->mm->vdso);
    add_aux(e, AT_MINSIGSTKSZ, SIGFRAME_BYTES + ROUND_UP(machine_fpu_size, 64));
    add_aux(e, AT_HWCAP, hwcap());
    add_aux(e, AT_PAGESZ, PAGE_SIZE);
    add_aux(e, AT_CLKTCK, CLOCK_TICKS);
    add_aux(e, AT_PHDR, e->at.phdr);
    add_aux(e, AT_PHENT, sizeof(Elf64_Phdr));
    add_aux(e, AT_PHNUM, e->prog.eh.e_phnum);
    add_aux(e, AT_BASE, e->interp_at.bias);
    add_aux(e, AT_FLAGS, 0);
    add_aux(e, AT_ENTRY, e->at.entry);
    add_aux(e, AT_UID, c->uid);
    add_aux(e, AT_EUID, c->euid);
    add_aux(e, AT_GID, c->gid);
    add_aux(e, AT_EGID, c->egid);
    add_aux(e, AT_SECURE, e->setid);
    add_aux(e, AT_HWCAP2, 0);
}

static int build(struct exec *e)
{
    bool dynamic = e->interp.file;
    struct mm *mm = mm_new();
    uva_t top;
    s64 vdso;
    int err;

    if (!mm)
        return -ENOMEM;
    e->mm = mm;
    top = choose_layout(mm);
    err = elf_map(mm, &e->prog, dynamic ? ELF_DYNAMIC : ELF_STATIC, &e->at);
    if (!err && dynamic)
        err = elf_map(mm, &e->interp, ELF_INTERPRETER, &e->interp_at);
    if (err) {
        e->doomed = err;
        return 0;
    }
    /* Above the stack, as on Linux, and away from what the program maps. */
    vdso = vdso_map(mm, top < USER_END ? top + exec_random_offset(VDSO_RANDOM) : 0);
    if (vdso < 0)
        return (int)vdso;
    mm->vdso = (uva_t)vdso;
    fill_auxv(e);
    e->stack.exec = e->prog.exec_stack;
    err = exec_stack_build(mm, &e->stack, top, &e->sp);
    mm->exe = e->prog.file;
    file_get(mm->exe);
    mm->dumpable = !e->setid;
    return err;
}

/* ---- the point of no return ---- */

static void set_registers(struct exec *e)
{
    struct task *t = current;

    t->regs = (struct uregs){
        .rip = e->interp.file ? e->interp_at.entry : e->at.entry,
        .rsp = e->sp,
        .cs = USER_CS,
        .ss = USER_DS,
        .eflags = 0x202, /* interrupts on */
        .orig_rax = U64_MAX,
    };
    machine_fpu_init(t->fpu);
    machine_fpu_write(t);
}

static void switch_mm(struct exec *e)
{
    struct task *t = current;
    struct process *p = t->process;
    struct mm *old = t->mm;
    struct vfs_file *old_exe;

    if (old)
        task_mm_release();
    file_get(e->prog.file);
    spin_lock(&tasklist_lock);
    t->mm = e->mm;
    old_exe = p->exe;
    p->exe = e->prog.file;
    spin_unlock(&tasklist_lock);
    e->mm = NULL;
    mspace_switch(t->mm);
    mm_put(old);
    if (old_exe)
        file_put(old_exe);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Descriptors become this process's own. */
static int own_files(void)
{
    struct task *t = current;
    struct files *old = t->files, *new = files_copy(old);

    if (!new)
        return -ENOMEM;
    spin_lock(&t->lock);
    t->files = new;
    spin_unlock(&t->lock);
    files_put(old);
    return 0;
}

static int commit(struct exec *e)
{
    struct task *t = current;
    int err = process_kill_other_threads();

    if (!err && files_shared(t->files))
        err = own_files();
    if (!err)
        err = sighand_reset_for_exec(t);
    if (err)
        return err;
    if (e->doomed) {
        log_info("exec of %s: image cannot be mapped: error %d", e->filename, -e->doomed);
        process_exit(SIGSEGV);
    }
    switch_mm(e);
    set_registers(e);
    if (e->setid) {
        t->personality &= ~(u32)PER_CLEAR_SETID;
        t->pdeath_signal = 0;
    }
    cred_commit(e->cred);
    e->cred = NULL;
    task_exec_reset(base_name(e->filename));
    if (e->setid)
        t->process->dumpable = false;
    files_close_on_exec(t->files);
    return 0;
}

static void release(struct exec *e)
{
    mm_put(e->mm);
    if (e->cred)
        cred_put(e->cred);
    elf_close(&e->interp);
    elf_close(&e->prog);
    kfree(e->interp_path);
    kfree(e->filename);
    kfree(e);
}

int task_exec(struct exec_args *a)
{
    static char *empty_argv[] = {"", NULL};
    struct exec *e = kzalloc(sizeof(*e));
    int err;

    if (!e)
        return -ENOMEM;
    e->args = a;
    e->stack.argv = a->argc ? a->argv : empty_argv;
    e->stack.argc = a->argc ? a->argc : 1;
    e->stack.envp = a->envp;
    e->stack.envc = a->envc;
    e->stack.auxv = e->auxv;
    err = make_filename(e);
    e->stack.filename = e->filename;
    if (!err)
        err = find_program(e);
    if (!err)
        err = exec_stack_check(&e->stack);
    if (!err)
        err = find_interpreter(e);
    if (!err)
        err = prepare_cred(e);
    if (!err)
        err = build(e);
    if (!err)
        err = commit(e);
    release(e);
    return err;
}
