// SPDX-License-Identifier: MIT
// A program: the dispatches of a physical graph as plain data, before any device object exists.
#pragma once
#include "graph/graph.h"

// A tensor or scratch buffer that some dispatch touches.
typedef struct weft_buffer {
    weft_value value; // -1: scratch
    int32_t same_as;  // alias of this buffer; -1: memory of its own
    size_t bytes;
    bool constant, port; // port: an input or output of the graph
    int first, last;     // dispatches in which it is alive
} weft_buffer;

typedef struct weft_step {
    const weft_node *node;
    weft_dispatch dispatch;   // bind[].index: of weft_program.buffers; binds are complete
    const char *variant;      // of the kernel, by storage: "f32", "f16", or "f32_f16" where input and output differ
    double flops;
} weft_step;

typedef struct weft_program {
    weft_buffer *buffers; // buffer v is value v of the graph for v < graph->value_count, then scratch
    int buffer_count;
    weft_step *steps;
    int step_count;
} weft_program;

// Runs every row's emit. Errors: whatever a row refuses, with the node named.
weft_result weft_program_build(const weft_graph *physical, const weft_caps *caps, weft_arena *arena, weft_program *out);
