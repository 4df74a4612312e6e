/* SPDX-License-Identifier: Apache-2.0
 *
 * Switch between the kernel stacks of two tasks, and the first steps of a new one.
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

    .section .note.GNU-stack, "", @progbits
