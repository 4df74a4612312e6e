#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# embed.sh VDSO.SO OUT.S OUT.STRIPPED: write the assembly file that puts the vDSO, stripped, into the
# Sentry's constant data.
set -eu
objcopy --strip-all --keep-section=.dynsym "$1" "$3"
cat >"$2" <<END
    .section .rodata, "a", @progbits
    .balign 16
    .globl vdso_image, vdso_image_end
vdso_image:
    .incbin "$(realpath "$3")"
vdso_image_end:
    .section .note.GNU-stack, "", @progbits
END
