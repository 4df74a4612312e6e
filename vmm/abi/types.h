/* SPDX-License-Identifier: Apache-2.0
 *
 * Types that both sides of the guest/host boundary share. A guest-physical address is a
 * structure so that the host side cannot dereference it or mix it up with a length: only
 * memory_translate() (vmm/memory.h) turns one into a host pointer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef struct {
    u64 addr;
} gpa_t;

#define GPA(a) ((gpa_t){(a)})
