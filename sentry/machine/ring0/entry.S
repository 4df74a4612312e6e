/* SPDX-License-Identifier: Apache-2.0
 *
 * The border between the application and the Sentry. User mode is called like a function:
 * user_enter() leaves the kernel stack as it is and loads the application's registers; an exception
 * or interrupt stores them into the task and returns from user_enter() with the vector. A system
 * call is run on top of that frame by task_syscall(), and user mode goes on from there unless there is
 * something else to do; so the CPU's predictions of return addresses stay right.
 *
 * Registers are pushed into and popped from struct uregs itself, the start of struct task, with RSP
 * pointing there: interrupts are off and the vectors that cannot be masked have stacks of their own.
 */
#include "sentry/machine/ring0/offsets.h"

#define MSR_GS_BASE 0xc0000101
#define USER_CS     0x33
#define USER_DS     0x2b
#define VECTOR_SYSCALL 256

    .text

/* struct user_event user_enter(struct task *t): RAX = vector, RDX = error code */
    .globl  user_enter
    .type   user_enter, @function
    .balign 64
user_enter:
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    subq    $8, %rsp
user_resume:
    movq    %rsp, %gs:PC_KSP
    movq    %rdi, %rsp

    /*
     * SYSRET loads RIP from RCX and RFLAGS from R11, so it serves where the application expects
     * just that, as after a system call. RIP lies in the user half (user_ready()): a non-canonical
     * one would make SYSRET fault in ring 0 on Intel CPUs.
     */
    movq    UR_RIP(%rdi), %rcx
    cmpq    %rcx, UR_RCX(%rdi)
    jne     user_iret
    movq    UR_EFLAGS(%rdi), %r11
    cmpq    %r11, UR_R11(%rdi)
    jne     user_iret
    movl    %r11d, %eax
    andl    $~(EFLAGS_SYSRET | 2), %eax
    cmpl    $0x200, %eax
    jne     user_iret

    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbp
    popq    %rbx
    addq    $8, %rsp
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rax
    addq    $8, %rsp
    popq    %rdx
    popq    %rsi
    popq    %rdi
    movq    UR_RSP - UR_ORIG_RAX(%rsp), %rsp
    swapgs
    sysretq

/* Any registers: IRETQ. CS, SS and the flags are made such that it cannot fault. */
user_iret:
    movq    UR_EFLAGS(%rdi), %rax
    andl    $EFLAGS_USER, %eax
    orl     $0x202, %eax
    movq    %rax, UR_EFLAGS(%rdi)
    movq    $USER_CS, UR_CS(%rdi)
    movq    $USER_DS, UR_SS(%rdi)
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbp
    popq    %rbx
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rax
    popq    %rcx
    popq    %rdx
    popq    %rsi
    popq    %rdi
    addq    $8, %rsp
    swapgs
    iretq
    .size user_enter, . - user_enter

/*
 * LSTAR. RCX = user RIP, R11 = user RFLAGS; SFMASK has cleared IF, DF, TF, NT and AC. The call may sleep
 * and come back on another CPU, so PC_KSP is not to be looked at after it.
 */
    .globl  syscall_entry
    .type   syscall_entry, @function
    .balign 64
syscall_entry:
    swapgs
    movq    %rsp, %gs:PC_SCRATCH
    movq    %gs:PC_REGS_TOP, %rsp
    pushq   %gs:PC_SCRATCH
    pushq   %r11
    pushq   $USER_CS
    pushq   %rcx
    pushq   %rax
    pushq   %rdi
    pushq   %rsi
    pushq   %rdx
    pushq   %rcx
    pushq   %rax
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    pushq   %rbx
    pushq   %rbp
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    movq    %gs:PC_KSP, %rsp
    xorl    %ebp, %ebp
    call    task_syscall

    /* user_ready() in user.c, by hand */
    movq    %gs:PC_CURRENT, %rdi
    movl    TASK_WORK(%rdi), %eax
    orl     %gs:PC_WORK, %eax
    jnz     1f
    cmpq    %rdi, %gs:PC_USER
    jne     1f
    movq    UR_FS_BASE(%rdi), %rax
    cmpq    %rax, %gs:PC_FS_BASE
    jne     1f
    movq    UR_GS_BASE(%rdi), %rax
    cmpq    %rax, %gs:PC_GS_BASE
    jne     1f
    movq    UR_RIP(%rdi), %rax
    shrq    $47, %rax
    jz      user_resume
1:  movl    $VECTOR_SYSCALL, %eax
    jmp     user_return
    .size syscall_entry, . - syscall_entry

/* RAX, RDX = result of user_enter(): back to its caller. */
user_leave:
    movq    %gs:PC_KSP, %rsp
user_return:
    addq    $8, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    ret

/* One stub of 16 bytes for each vector; all leave {vector, error} below the CPU's frame. */
    .globl  exception_stubs
    .type   exception_stubs, @function
    .balign 16
exception_stubs:
    .set    vec, 0
    .rept   256
    .balign 16
    /* 8 DF, 10 TS, 11 NP, 12 SS, 13 GP, 14 PF, 17 AC, 21 CP, 29 VC, 30 SX push an error code */
    .if !(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30)
    pushq   $0
    .endif
    pushq   $vec
    .if vec == 2 || vec == 8
    jmp     fatal_common
    .else
    jmp     exception_common
    .endif
    .set    vec, vec + 1
    .endr
    .size exception_stubs, . - exception_stubs

    .type   exception_common, @function
exception_common:
    cld
    testb   $3, 24(%rsp)
    jz      from_kernel

    /* From user mode, on the CPU's entry stack: vector, error, rip, cs, rflags, rsp, ss. */
    swapgs
    pushq   %rax
    movq    %gs:PC_CURRENT, %rax
    movq    %r15, UR_R15(%rax)
    movq    %r14, 8(%rax)
    movq    %r13, 16(%rax)
    movq    %r12, 24(%rax)
    movq    %rbp, 32(%rax)
    movq    %rbx, UR_RBX(%rax)
    movq    %r11, UR_R11(%rax)
    movq    %r10, 56(%rax)
    movq    %r9, 64(%rax)
    movq    %r8, 72(%rax)
    popq    UR_RAX(%rax)
    movq    %rcx, UR_RCX(%rax)
    movq    %rdx, UR_RDX(%rax)
    movq    %rsi, UR_RSI(%rax)
    movq    %rdi, UR_RDI(%rax)
    movq    $-1, UR_ORIG_RAX(%rax)
    movq    %rax, %rdi
    popq    %rax
    popq    %rdx
    popq    UR_RIP(%rdi)
    popq    UR_CS(%rdi)
    popq    UR_EFLAGS(%rdi)
    popq    UR_RSP(%rdi)
    popq    UR_SS(%rdi)
    /* AC of the application would switch SMAP off */
    cmpb    $0, machine_smap(%rip)
    je      user_leave
    clac
    jmp     user_leave

/*
 * An interrupt that comes while interrupts are off is none: emulated SVM (QEMU) at times delivers the one
 * it has just injected once more, before the first instruction of its handler, with GS still the
 * application's. Go on as if it had not been.
 */
interrupt_again:
    addq    $16, %rsp
    iretq

/* In the Sentry, on the stack that it was using: struct kframe. */
from_kernel:
    cmpq    $32, (%rsp) /* EXC_COUNT */
    jb      1f
    testl   $0x200, 32(%rsp) /* IF */
    jz      interrupt_again
1:  pushq   %rdi
    pushq   %rsi
    pushq   %rdx
    pushq   %rcx
    pushq   %rax
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    pushq   %rbx
    pushq   %rbp
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    cmpb    $0, machine_smap(%rip)
    je      1f
    clac
1:  movq    %rsp, %rdi
    call    trap_kernel
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbp
    popq    %rbx
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rax
    popq    %rcx
    popq    %rdx
    popq    %rsi
    popq    %rdi
    addq    $16, %rsp
    iretq
    .size exception_common, . - exception_common

/*
 * NMI and double fault: at any instruction, GS may be the application's. The stack is the vector's
 * own and the CPU's struct percpu is written at its top. (A machine check has a stack of its own too,
 * but the VMM raises it only for an access to the file window: see trap.c.)
 */
    .type   fatal_common, @function
fatal_common:
    cld
    pushq   %rdi
    pushq   %rsi
    pushq   %rdx
    pushq   %rcx
    pushq   %rax
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    pushq   %rbx
    pushq   %rbp
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    movl    $MSR_GS_BASE, %ecx
    movl    176(%rsp), %eax
    movl    180(%rsp), %edx
    wrmsr
    movq    %rsp, %rdi
    call    trap_fatal
    ud2
    .size fatal_common, . - fatal_common

    .section .note.GNU-stack, "", @progbits
