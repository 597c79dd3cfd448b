// SPDX-License-Identifier: MIT
// Command buffers on their way to the queue, and the wait for them.
#pragma once
#include "vk/inside.h"

typedef struct weft_vk_chunk { // commands that are submitted together or not at all
    VkCommandBuffer cmd;
    double cost; // in flops, for planning
} weft_vk_chunk;

typedef struct weft_vk_queue { // what one thread needs to submit and wait
    weft_vk_device *dev;
    VkCommandPool pool;
    VkFence fence[2];
    int submissions; // of the last weft_vk_queue_run
} weft_vk_queue;

weft_result weft_vk_queue_create(weft_vk_device *dev, weft_vk_queue *out);
void weft_vk_queue_destroy(weft_vk_queue *q); // what was submitted must be done; an empty one is fine

// Runs the chunks in order and waits for the last. Several go into one submission as long as it should not hold the
// device for more than 50 ms; between submissions `progress` is asked. On failure nothing of it is running any more.
weft_result weft_vk_queue_run(weft_vk_queue *q, const weft_vk_chunk *chunks, int count, int (*progress)(void *user, double done), void *user);

weft_result weft_vk_queue_commands(weft_vk_queue *q, int count, VkCommandBuffer *out);
