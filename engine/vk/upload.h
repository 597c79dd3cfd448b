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

// Uploads of constants, gathered in staging memory and submitted when that is full.
typedef struct weft_vk_upload {
    weft_vk_queue *queue;
    weft_vk_block staging;
    VkCommandBuffer cmd;
    size_t used;    // of the staging memory
    bool recording; // cmd holds copies that were not submitted
} weft_vk_upload;

weft_result weft_vk_upload_begin(weft_vk_queue *q, size_t staging_bytes, weft_vk_upload *out);
// A constant, in the layout and storage its value asks for. Large ones go piece by piece.
weft_result weft_vk_upload_weight(weft_vk_upload *u, const weft_value_def *v, const weft_vk_place *to);
// Submits what is left, waits, frees. After a failure, which it gives back, it only frees.
weft_result weft_vk_upload_end(weft_vk_upload *u, weft_result so_far);

// Reads a tensor back as row-major f32 (I32 converted).
weft_result weft_vk_fetch(weft_vk_queue *q, const weft_value_def *v, const weft_vk_place *from, float *out);
