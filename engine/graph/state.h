// SPDX-License-Identifier: MIT
// How the states of a graph get from one run to the next: written where they lie, or copied after the run.
#pragma once
#include "graph/graph.h"

typedef enum weft_state_way {
    WEFT_STATE_STAYS,    // nothing changes it
    WEFT_STATE_IN_PLACE, // `from` is made in the state's own memory: all that read the old value come before
    WEFT_STATE_COPY,     // when the run is over, `from` is copied to the state
    WEFT_STATE_VIA,      // so, but `from` is a state that changes too: first of all it is copied to memory set aside
} weft_state_way;

typedef struct weft_state_update {
    weft_state_way way;
    weft_value from; // whose memory holds what the state becomes: its `next`; IN_PLACE: the root of that (weft_lower_root)
    int maker;       // IN_PLACE: the node that writes it
} weft_state_update;

// out[i] of state i. in_place false: the old values must last to the end of the run, so nothing is written in place.
// What is IN_PLACE takes no memory of its own. After the run: every VIA to its memory set aside, then these and every COPY to
// their states, in any order.
weft_result weft_state_plan(const weft_graph *g, bool in_place, weft_arena *arena, weft_state_update *out);

size_t weft_state_bytes(const weft_graph *g); // of all states
