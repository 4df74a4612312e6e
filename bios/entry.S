/* SPDX-License-Identifier: Apache-2.0
 *
 * First instruction of every guest CPU. The VMM has set 64-bit mode, flat segments and the boot page
 * tables; RDI = gpa of the device tree, RSI = index of this CPU. The boot CPU takes a static
 * stack; the others find theirs in the struct bios_cpu that the boot CPU left for them.
 */
    .section .text.entry, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    cld
    xorl    %ebp, %ebp
    testl   %esi, %esi
    jnz     1f
    leaq    boot_stack_top(%rip), %rsp
    movl    $0xc0000100, %ecx           /* FS base: bios_canary, see bios.h */
    leaq    bios_canary(%rip), %rax
    movq    %rax, %rdx
    shrq    $32, %rdx
    wrmsr
    call    sentry_boot
    ud2

1:  movl    %esi, %ebx
    leaq    bios_cpus(%rip), %rax
    movq    (%rax, %rbx, 8), %rdi
    movq    (%rdi), %rsp
    call    bios_cpu_load
    movl    %ebx, %edi
    call    sentry_boot_secondary
    ud2
    .size _start, . - _start

    .bss
    .balign 16
boot_stack:
    .skip   16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
