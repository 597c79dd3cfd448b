// SPDX-License-Identifier: MIT
// The file dev->cache_path: drivers' compiled kernels, kept between runs. One file serves several devices, each with what its driver
// gives out, in the form in which it was asked.
#pragma once
#include "base/file.h"
#include "vk/inside.h"

typedef enum weft_vk_form { WEFT_VK_PIPELINE_CACHE, WEFT_VK_BINARIES } weft_vk_form;

typedef struct weft_vk_kept {
    weft_mapping file;
    const void *data; // in the file
    size_t bytes;     // 0: nothing
} weft_vk_kept;

// What there is for this device; the log says why a file was not taken. The data are there until they are given back.
void weft_vk_cache_open(weft_vk_device *dev, weft_vk_form form, weft_vk_kept *out);
void weft_vk_cache_close(weft_vk_kept *kept);

void weft_vk_cache_refuse(weft_vk_device *dev, const char *why); // the line in the log

// Writes the file anew, atomically, with what it has for others as it is on disk by now. What goes wrong is a line in the log.
void weft_vk_cache_write(weft_vk_device *dev, weft_vk_form form, const void *data, size_t bytes);
