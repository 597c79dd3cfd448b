// SPDX-License-Identifier: MIT
// Command buffers on their way to the queue, and the wait for them.
#pragma once
#include "vk/inside.h"

typedef struct weft_vk_chunk { // commands that are submitted together or not at all
    VkCommandBuffer cmd;
    double cost; // in flops, for planning
    bool changes; // it writes a state
} weft_vk_chunk;

typedef struct weft_vk_line { // what to run: these chunks in order, so many times
    const weft_vk_chunk *chunks;
    int count;
    int64_t times;
    bool whole; // never more than one submission for all the chunks of one time
    VkCommandBuffer *list; // room for a submission
    int most;              // command buffers that fit there; with `whole` at least `count`
} weft_vk_line;

typedef struct weft_vk_queue { // what one thread needs to submit and wait
    weft_vk_device *dev;
    VkCommandPool pool;
    VkFence fence[2];
    int submissions;    // of the last weft_vk_queue_run
    double submit_seconds; // by it: until the driver had them
    int64_t times_done; // by it: times that were run to their end
} weft_vk_queue;

weft_result weft_vk_queue_create(weft_vk_device *dev, weft_vk_queue *out);
void weft_vk_queue_destroy(weft_vk_queue *q); // what was submitted must be done; an empty one is fine

// The cost of a chunk, as slice.h has it, that should not hold this device for long.
double weft_vk_chunk_cost(const weft_vk_device *dev);

// Runs the line and waits for its end. Several chunks, of several times too, go into one submission as long as it should not hold
// the device for more than 50 ms; between submissions `progress` is asked. When it says stop, a time of which a chunk that changes
// states was submitted is run to its end first. On failure nothing of it is running any more.
weft_result weft_vk_queue_run(weft_vk_queue *q, const weft_vk_line *line, int (*progress)(void *user, double done), void *user);
// One command buffer.
weft_result weft_vk_queue_once(weft_vk_queue *q, VkCommandBuffer cmd);
weft_result weft_vk_queue_commands(weft_vk_queue *q, int count, VkCommandBuffer *out);
