// SPDX-License-Identifier: MIT
// Copies between the host and tensors: weights on their way in, single values on their way out.
#pragma once
#include "graph/graph.h"
#include "vk/memory.h"
#include "vk/submit.h"

typedef struct weft_vk_place { // where a tensor lies
    VkBuffer buffer;
    int block; // distinguishes buffers; -1: constant, never written
    size_t offset, bytes;
} weft_vk_place;

// Uploads a constant in the layout and storage its value asks for, through `staging`, piece by piece.
weft_result weft_vk_upload_weight(weft_vk_queue *q, weft_vk_block *staging, VkCommandBuffer cmd, const weft_value_def *v, const weft_vk_place *to);

// Reads a tensor back as row-major f32 (I32 converted).
weft_result weft_vk_fetch(weft_vk_queue *q, const weft_value_def *v, const weft_vk_place *from, float *out);
