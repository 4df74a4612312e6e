#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# embed.sh ELF OUT.S OUT.STRIPPED: strip debug information from the guest image (symbols stay, for
# back traces) and write the assembly file that puts it, page aligned, into runsc.
set -eu
objcopy --strip-debug "$1" "$3"
cat >"$2" <<END
    .section .guest_image, "a", @progbits
    .balign 4096
    .globl guest_image, guest_image_end
guest_image:
    .incbin "$(realpath "$3")"
guest_image_end:
    .balign 4096
    .section .note.GNU-stack, "", @progbits
END
