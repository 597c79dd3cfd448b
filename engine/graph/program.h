// SPDX-License-Identifier: MIT
// A program: the dispatches of a physical graph as plain data, before any device object exists.
#pragma once
#include "graph/graph.h"
#include "graph/way.h"

// A tensor or scratch buffer that some dispatch touches.
typedef struct weft_buffer {
    weft_value value; // -1: scratch
    int32_t same_as;  // alias of this buffer; -1: memory of its own
    size_t begin;     // of an alias: at which byte of that buffer it begins
    size_t bytes;
    bool kept;           // scratch that once wrote: alive throughout
    bool constant, port; // port: an input or output of the graph
    int first, last;     // dispatches in which it is alive
} weft_buffer;

typedef struct weft_step {
    const weft_node *node;
    weft_dispatch dispatch;   // bind[].index: of weft_program.buffers; binds are complete
    const char *variant;      // of the kernel, by storage: "f32", "f16", or "f32_f16" where input and output differ
    char way[WEFT_WAY_TEXT];  // that was taken; "" where the row has one alone
    double flops;
} weft_step;

typedef struct weft_program {
    weft_buffer *buffers; // buffer v is value v of the graph for v < graph->value_count, then scratch
    int buffer_count;
    weft_step *steps;
    int step_count;
    weft_step *once; // before the first run, on the same buffers
    int once_count;
} weft_program;

// The buffer whose memory this one is.
static inline int weft_program_root(const weft_program *p, int buffer)
{
    while (p->buffers[buffer].same_as >= 0) buffer = p->buffers[buffer].same_as;
    return buffer;
}

// And where in that memory it begins, in bytes.
static inline size_t weft_program_begin(const weft_program *p, int buffer)
{
    size_t begin = 0;
    for (; p->buffers[buffer].same_as >= 0; buffer = p->buffers[buffer].same_as) begin += p->buffers[buffer].begin;
    return begin;
}

// Who knows which way is best: gives an index into `ways`, of which there are at least two. `key` is weft_node_key's.
typedef struct weft_chooser {
    int (*choose)(void *user, const weft_node *n, const char *key, const weft_way *ways, int count);
    void *user;
} weft_chooser;

// Runs every row's emit. chooser NULL, or caps->force set: the first way of each, or the forced one.
// Errors: whatever a row refuses, with the node named.
weft_result weft_program_build(const weft_graph *physical, const weft_caps *caps, const weft_chooser *chooser, weft_arena *arena,
                               weft_program *out);
