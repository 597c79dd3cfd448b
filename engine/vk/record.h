// SPDX-License-Identifier: MIT
// A program as recorded command buffers: one, unless the work is so long that it is cut into chunks; and the copies around it.
#pragma once
#include "graph/program.h"
#include "vk/slice.h"
#include "vk/stamps.h"
#include "vk/submit.h"
#include "vk/upload.h"

typedef struct weft_vk_copy { // between staging memory and a port, or on to a state
    VkBuffer from, to;
    size_t from_offset, to_offset, bytes;
} weft_vk_copy;

typedef enum weft_vk_timing {
    WEFT_VK_NOT_TIMED,
    WEFT_VK_RUNS_TIMED,   // from the first dispatch to the end of the last
    WEFT_VK_PIECES_TIMED, // and each piece, which waits for the one before
} weft_vk_timing;

typedef struct weft_vk_job {
    const weft_program *program;
    const weft_vk_place *places; // of every buffer of the program
    const weft_vk_copy *in, *out;
    int in_count, out_count;
    const weft_vk_copy *aside, *on; // when the run is over: these, then those
    int aside_count, on_count;
    weft_vk_timing timing;
    int state_block; // places with this block number, and with higher ones, lie in the memory of states
} weft_vk_job;

typedef struct weft_vk_recording {
    VkDescriptorPool sets;
    weft_vk_chunk *chunks; // of the program; in the arena, as all of these
    int chunk_count, barriers;
    weft_vk_stamps stamps; // begin and end of the program, then of each piece
    const weft_vk_piece *pieces;
    int piece_count;
    weft_vk_chunk in;      // all inputs from staging memory
    weft_vk_chunk *out;    // each output to staging memory
    weft_vk_chunk commit;  // states get their next values; cmd NULL: nothing is copied to them
} weft_vk_recording;

// chunk_cost: see slice.h. A run submits in, chunks, the outs that are wanted, commit; all may be pending several times at once.
weft_result weft_vk_record(weft_vk_queue *q, const weft_vk_job *job, double chunk_cost, weft_arena *arena, weft_vk_recording *out);
void weft_vk_recording_destroy(weft_vk_device *dev, weft_vk_recording *r); // an empty one is fine
