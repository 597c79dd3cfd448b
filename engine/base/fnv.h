// SPDX-License-Identifier: MIT
// FNV-1a, 64 bits: for a few bytes in files and names of our own, where any change must show. Not for data of models.
#pragma once
#include <stddef.h>
#include <stdint.h>

static const uint64_t WEFT_FNV_BEGIN = 0xcbf29ce484222325u;
static inline uint64_t weft_fnv(uint64_t h, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const uint8_t *) data)[i]) * 0x100000001b3u;
    return h;
}
