// SPDX-License-Identifier: MIT
// A program as recorded command buffers: one, unless the work is so long that it is cut into chunks.
#pragma once
#include "graph/program.h"
#include "vk/submit.h"
#include "vk/upload.h"

typedef struct weft_vk_copy { // between staging memory and a port
    VkBuffer from, to;
    size_t from_offset, to_offset, bytes;
} weft_vk_copy;

typedef struct weft_vk_job {
    const weft_program *program;
    const weft_vk_place *places; // of every buffer of the program
    const weft_vk_copy *in, *out;
    int in_count, out_count;
} weft_vk_job;

typedef struct weft_vk_recording {
    VkDescriptorPool sets;
    weft_vk_chunk *chunks; // in the arena
    int chunk_count, barriers;
} weft_vk_recording;

// chunk_cost: see slice.h.
weft_result weft_vk_record(weft_vk_queue *q, const weft_vk_job *job, double chunk_cost, weft_arena *arena, weft_vk_recording *out);
void weft_vk_recording_destroy(weft_vk_device *dev, weft_vk_recording *r); // an empty one is fine
