/* SPDX-License-Identifier: Apache-2.0
 *
 * Switch between the kernel stacks of two tasks, the first steps of a new one, and the halt of a
 * CPU that has none.
 */
    .text

/* void switch_stacks(u64 *prev_ksp, u64 next_ksp) */
    .globl  switch_stacks
    .type   switch_stacks, @function
    .balign 16
switch_stacks:
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    ret
    .size switch_stacks, . - switch_stacks

/* Return address on the stack of a thread that has not run yet; RBX = its task. */
    .globl  thread_start
    .type   thread_start, @function
thread_start:
    xorl    %ebp, %ebp
    movq    %rbx, %rdi
    call    sched_finish
    ud2
    .size thread_start, . - thread_start

/*
 * void cpu_halt(void): wait for an interrupt, take it, return with interrupts off. STI lets none in
 * before HLT is reached, except where a hypervisor loses that state over an exit (emulated SVM
 * does): a wake-up taken there would be slept over, so trap.c skips a HLT that it came before.
 */
    .globl  cpu_halt, cpu_halt_insn, cpu_halt_end
    .type   cpu_halt, @function
    .balign 16
cpu_halt:
    sti
cpu_halt_insn:
    hlt
cpu_halt_end:
    cli
    ret
    .size cpu_halt, . - cpu_halt

    .section .note.GNU-stack, "", @progbits
