/* SPDX-License-Identifier: Apache-2.0
 *
 * The page of code in every stub process. It is mapped shared and never writable there, uses no
 * stack and keeps its state in registers, so that an application in the same address space cannot
 * interfere. Entry points are at the offsets that stub.h names.
 */
#include <asm/unistd.h>

        .section .rodata
        .balign 64
        .globl  stub_code, stub_code_end
stub_code:
/* STUB_CALL: one call for the tracer, then stop. */
        syscall
        int3

        .org    stub_code + 16
/* STUB_CLONE: the same when the call makes a new stub. */
        syscall
        test    %rax, %rax
        jz      stub_born
        int3

        .org    stub_code + 32
/*
 * A new stub: die with the thread that lives as long as the sandbox; wait to be seized. When that has
 * gone already (our parent is not rbp, the sandbox), the trap kills us.
 */
stub_born:
        mov     $__NR_prctl, %eax
        mov     $1, %edi                /* PR_SET_PDEATHSIG */
        mov     $9, %esi                /* SIGKILL */
        syscall
        mov     $__NR_getppid, %eax
        syscall
        cmp     %ebp, %eax
        je      1f
        int3
1:      mov     $__NR_pause, %eax
        syscall
        jmp     1b

        .org    stub_code + 128
/*
 * STUB_ZYGOTE: drop everything else, then make a stub for each request.
 * rbp = pid of the sandbox, r12 = struct zygote_page, r13 = STUB_BASE, r14 = STUB_END, r15 = STUB_TOP.
 */
        mov     $__NR_munmap, %eax
        xor     %edi, %edi
        mov     %r13, %rsi
        syscall
        mov     $__NR_munmap, %eax
        mov     %r14, %rdi
        mov     %r15, %rsi
        sub     %r14, %rsi
        syscall
        xor     %ebx, %ebx              /* requests served */
2:      mov     (%r12), %eax
        cmp     %ebx, %eax
        jne     3f
        mov     $__NR_futex, %eax
        mov     %r12, %rdi
        xor     %esi, %esi              /* FUTEX_WAIT */
        mov     %ebx, %edx
        xor     %r10d, %r10d
        syscall
        jmp     2b
3:      mov     %eax, %ebx
        mov     $__NR_clone, %eax
        mov     $0x8600, %edi           /* CLONE_PARENT | CLONE_FILES | CLONE_FS */
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        syscall
        test    %rax, %rax
        jz      stub_born
        mov     %eax, 8(%r12)
        mov     %ebx, 4(%r12)
        mov     $__NR_futex, %eax
        lea     4(%r12), %rdi
        mov     $1, %esi                /* FUTEX_WAKE */
        mov     $1, %edx
        syscall
        jmp     2b
stub_code_end:

        .section .note.GNU-stack, "", @progbits
