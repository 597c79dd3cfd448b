// SPDX-License-Identifier: MIT
// What sdpa and its gradient share. `first`: where q is among the node's inputs, followed by k, v and, where there is one, the mask.
#pragma once
#include "graph/graph.h"
#include "params/sdpa.h"

typedef struct weft_sdpa_attrs { float scale; int32_t causal, heads, joint; } weft_sdpa_attrs;
enum { WEFT_SDPA_Q, WEFT_SDPA_K, WEFT_SDPA_V, WEFT_SDPA_MASK };

typedef struct weft_sdpa_sizes { int64_t batch, heads, l, s, d, e; double scale; } weft_sdpa_sizes; // batch: of all heads; heads: in a row
weft_sdpa_sizes weft_sdpa_sizes_of(const weft_node *n, int first);
int weft_sdpa_input(const weft_node *n, int first, int which); // the input that holds q, k or v
bool weft_sdpa_joint(const weft_node *n);
weft_shape weft_sdpa_scores(const weft_node *n, int first); // the shape of all scores, to which the mask is stretched
weft_result weft_sdpa_check(weft_node *n, int first);       // that q, k, v and mask fit

// Where rows of one of the batch lie: the first, and how far it is to the next, in elements. Of q, k and v, and of what they receive, and of y and dy.
typedef struct weft_sdpa_rows { int64_t at, step; } weft_sdpa_rows;
weft_sdpa_rows weft_sdpa_rows_of(const weft_node *n, int first, int which, int64_t z);
weft_sdpa_rows weft_sdpa_y_rows(const weft_sdpa_sizes *size, int64_t z);

// One query of the truth, row `row` of all batches: its products with the `keys` keys that it may see.
typedef struct weft_sdpa_line {
    const weft_real *q, *k, *mask;
    int64_t d, k_step, mask_step, keys;
    double scale;
} weft_sdpa_line;
weft_sdpa_line weft_sdpa_line_of(const weft_node *n, int first, const void *const *in, int64_t row);
double weft_sdpa_score(const weft_sdpa_line *line, int64_t key);
double weft_sdpa_most(const weft_sdpa_line *line); // the largest of its scores; 0 where all are masked away

// Element of the mask where the scores of row `row` of all batches begin; *step: from one key to the next.
int64_t weft_sdpa_mask_row(const weft_node *n, int first, int64_t row, int64_t *step);

// For emit. A way's cut: invocations, own rows and other rows of a workgroup.
int weft_sdpa_ways(const weft_node *n, int first, const weft_emit *e, weft_way list[WEFT_MAX_WAYS]);
// A dispatch whose own rows are queries, or keys; `columns` are made of every own row (0: none). Kernel, binds and flops are the caller's.
weft_result weft_sdpa_dispatch(const weft_node *n, int first, const uint8_t *cut, bool keys, int64_t columns, weft_dispatch *d, struct sdpa_params *p);
weft_result weft_sdpa_fill(const weft_node *n, int first, bool keys, struct sdpa_params *p); // its numbers, all but the tiles

// Gradient rule of sdpa: sdpa_grad.c.
weft_result weft_sdpa_grad_rule(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx);

// Way "sdpa_stored", on software drivers alone, and while all scores are few: sdpa_stored.c.
bool weft_sdpa_can_store(const weft_node *n, int first, const weft_emit *e);
weft_result weft_sdpa_stored(const weft_node *n, weft_emit *e);
weft_result weft_sdpa_grad_stored(const weft_node *n, weft_emit *e);
