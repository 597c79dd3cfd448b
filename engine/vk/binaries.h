// SPDX-License-Identifier: MIT
// Binaries of shader objects by what they were compiled from, kept in the cache file.
#pragma once
#include "vk/compile.h"

typedef struct weft_vk_binaries weft_vk_binaries;

weft_result weft_vk_binaries_create(weft_vk_device *dev, weft_vk_binaries **out); // with those of the file
void weft_vk_binaries_destroy(weft_vk_binaries *b); // writes the file if any came; NULL is fine

// A copy of the caller's, for weft_delete (the file's bytes lie anyhow, drivers want 16); *data NULL: there is none. Callable from any thread.
weft_result weft_vk_binaries_find(weft_vk_binaries *b, const weft_vk_key *key, void **data, size_t *bytes);
weft_result weft_vk_binaries_add(weft_vk_binaries *b, const weft_vk_key *key, void *data, size_t bytes); // takes `data`, also when it fails
