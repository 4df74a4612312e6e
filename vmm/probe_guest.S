/* SPDX-License-Identifier: Apache-2.0
 *
 * The probe guest: ring 3 -> ring 0 -> ring 3 round trips with SYSCALL and SYSRET, nothing else.
 * Position independent, copied into the probe's memory by probe.c, which sets
 *   R13 = batches, R14 = round trips in a batch, R12 = all ones.
 * Counts every trip at PROGRESS_AT, so that a slow machine can be told from one that is stuck.
 * Ends with an `out`; R12 is then the shortest batch in TSC ticks. No stack is used.
 */
    .section .rodata
    .globl probe_guest, probe_guest_end
    .balign 16
probe_guest:
    movl    $0xc0000081, %ecx           /* STAR: user selectors from 0x23, kernel from 0x10 */
    xorl    %eax, %eax
    movl    $0x00230010, %edx
    wrmsr
    movl    $0xc0000082, %ecx           /* LSTAR */
    leaq    2f(%rip), %rax
    movq    %rax, %rdx
    shrq    $32, %rdx
    wrmsr
    movl    $0xc0000084, %ecx           /* SFMASK: IF */
    movl    $0x200, %eax
    xorl    %edx, %edx
    wrmsr

1:  movq    %r14, %rbx                  /* one batch */
    rdtsc
    shlq    $32, %rdx
    leaq    (%rax, %rdx), %r15
    leaq    3f(%rip), %rcx
    movl    $2, %r11d
    sysretq

2:  incq    0x4000                      /* ring 0: RCX and R11 are as SYSCALL left them */
    decq    %rbx
    jz      4f
    sysretq

3:  syscall                             /* ring 3 */
    jmp     3b

4:  rdtsc
    shlq    $32, %rdx
    addq    %rdx, %rax
    subq    %r15, %rax
    cmpq    %r12, %rax
    cmovbq  %rax, %r12
    decq    %r13
    jnz     1b
5:  movw    $0x510, %dx
    outb    %al, %dx
    jmp     5b
probe_guest_end:

    .section .note.GNU-stack, "", @progbits
