/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands in for the guest image in a build without one (-Dimage=false): an empty image,
 * which vmm/image.c refuses to load.
 */
    .section .rodata
    .globl guest_image, guest_image_end
guest_image:
guest_image_end:
    .section .note.GNU-stack, "", @progbits
