/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ring 0 machine's test runs in user mode. Position independent; copied to a user page.
 * A routine ends with SYSCALL; number EXIT_NR says that it is done, RDI whether it found all well.
 */
#define EXIT_NR 1000

    .section .rodata.user, "a"
    .globl  user_code, user_code_end
    .globl  user_count, user_regs, user_fpu, user_spin, user_touch, user_ud, user_iret
    .balign 16
user_code:

/* RDI system calls, number 7. */
user_count:
    movq    %rdi, %rbx
1:  movl    $7, %eax
    syscall
    decq    %rbx
    jnz     1b
    xorl    %edi, %edi
    movl    $EXIT_NR, %eax
    syscall

/* Every register but RCX, R11 and RAX survives a system call; RAX is the result. */
user_regs:
    movq    $0x101, %rbx
    movq    $0x102, %rbp
    movq    $0x103, %rsi
    movq    $0x104, %rdx
    movq    $0x105, %r8
    movq    $0x106, %r9
    movq    $0x107, %r10
    movq    $0x108, %r12
    movq    $0x109, %r13
    movq    $0x10a, %r14
    movq    $0x10b, %r15
    movq    $0x10c, %rdi
    movl    $8, %eax
    syscall
    subq    $8, %rax
    xorq    $0x101, %rbx
    orq     %rbx, %rax
    xorq    $0x102, %rbp
    orq     %rbp, %rax
    xorq    $0x103, %rsi
    orq     %rsi, %rax
    xorq    $0x104, %rdx
    orq     %rdx, %rax
    xorq    $0x105, %r8
    orq     %r8, %rax
    xorq    $0x106, %r9
    orq     %r9, %rax
    xorq    $0x107, %r10
    orq     %r10, %rax
    xorq    $0x108, %r12
    orq     %r12, %rax
    xorq    $0x109, %r13
    orq     %r13, %rax
    xorq    $0x10a, %r14
    orq     %r14, %rax
    xorq    $0x10b, %r15
    orq     %r15, %rax
    xorq    $0x10c, %rdi
    orq     %rdi, %rax
    movq    %rax, %rdi
    movl    $EXIT_NR, %eax
    syscall

/*
 * RSI rounds: x87, SSE and (RDX != 0) AVX registers hold what depends on RDI, and RCX and R11 hold
 * something while interrupts come.
 */
user_fpu:
    movq    %rdi, %rbx
    movq    %rsi, %rbp
    movq    %rdx, %r15
    movq    %rbx, %xmm0
    movq    %rbx, %xmm15
    testq   %r15, %r15
    jz      1f
    vmovq   %rbx, %xmm7
    vinsertf128 $1, %xmm7, %ymm7, %ymm7
1:  pushq   %rbx
    fildq   (%rsp)
    addq    $8, %rsp
    leaq    (%rbx, %rbx), %rcx
    leaq    1(%rbx), %r11
2:  movl    $2000, %r12d
3:  movq    %xmm0, %rax
    cmpq    %rax, %rbx
    jne     9f
    movq    %xmm15, %rax
    cmpq    %rax, %rbx
    jne     9f
    leaq    (%rbx, %rbx), %rax
    cmpq    %rax, %rcx
    jne     9f
    leaq    1(%rbx), %rax
    cmpq    %rax, %r11
    jne     9f
    decl    %r12d
    jnz     3b
    testq   %r15, %r15
    jz      4f
    vextractf128 $1, %ymm7, %xmm8
    vmovq   %xmm8, %rax
    cmpq    %rax, %rbx
    jne     9f
4:  decq    %rbp
    jnz     2b
    subq    $8, %rsp
    fistpq  (%rsp)
    popq    %rax
    cmpq    %rax, %rbx
    jne     9f
    xorl    %edi, %edi
    movl    $EXIT_NR, %eax
    syscall
9:  movl    $1, %edi
    movl    $EXIT_NR, %eax
    syscall

/* Until the word at RDI is not zero. */
user_spin:
1:  movl    (%rdi), %eax
    testl   %eax, %eax
    jz      1b
    xorl    %edi, %edi
    movl    $EXIT_NR, %eax
    syscall

/* Add 1 to the words at RDI, RDI + 4096, ... RSI of them. */
user_touch:
1:  incl    (%rdi)
    addq    $4096, %rdi
    decq    %rsi
    jnz     1b
    xorl    %edi, %edi
    movl    $EXIT_NR, %eax
    syscall

user_ud:
    ud2
    movl    $EXIT_NR, %eax
    syscall

/* Entered by IRETQ with RCX = 0x1111, R11 = 0x2222. */
user_iret:
    movl    $1, %edi
    cmpq    $0x1111, %rcx
    jne     1f
    cmpq    $0x2222, %r11
    jne     1f
    xorl    %edi, %edi
1:  movl    $EXIT_NR, %eax
    syscall
user_code_end:

    .section .note.GNU-stack, "", @progbits
