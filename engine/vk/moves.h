// SPDX-License-Identifier: MIT
// Tensors on their way between the host and the memory of states, between runs, by way of staging memory. Allocates nothing.
#pragma once
#include "vk/upload.h"

enum { WEFT_VK_MOVE_PIECE = 4 << 20 }; // as much of a large tensor as staging memory should hold at least

typedef struct weft_vk_moves {
    weft_vk_queue *queue;
    const weft_vk_block *up, *down; // staging memory
    VkCommandBuffer cmd;
    size_t used;    // of `up`
    bool recording; // cmd holds copies that were not submitted
} weft_vk_moves;

// The queue and the staging memory must outlive it; what they are used for otherwise must be over at each call.
weft_result weft_vk_moves_create(weft_vk_queue *q, const weft_vk_block *up, const weft_vk_block *down, weft_vk_moves *out);
// Row-major f32 or i32 from `data`; NULL: from `init`; NULL too: zeros. Gathered until weft_vk_moves_end, which waits.
weft_result weft_vk_move_in(weft_vk_moves *m, const weft_vk_place *to, const weft_weight *init, const void *data);
weft_result weft_vk_moves_end(weft_vk_moves *m);
weft_result weft_vk_move_out(weft_vk_moves *m, const weft_vk_place *from, void *data);
