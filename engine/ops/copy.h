// SPDX-License-Identifier: MIT
// Operators that only move elements (transpose, slice, concat, ...) are lists of boxes: a box is a set of positions,
// each read at a stride from an input and written at a stride to an output. A row states its boxes once; the
// processor and the device both follow them, each with the strides of the layout it uses.
#pragma once
#include "graph/op.h"

typedef struct weft_box {
    int out, in;                  // which output and input of the node; 0 and 0
    weft_shape shape;             // positions
    int64_t y_stride[WEFT_MAX_RANK], x_stride[WEFT_MAX_RANK]; // per dimension of `shape`, in elements; y's are positive
    int64_t y_offset, x_offset;
} weft_box;

// Fills box `k` of a node, zeroed before; false: there are no more. The boxes write every output element once.
typedef bool weft_box_at(const weft_node *n, int k, weft_box *box);

int64_t weft_copy_items(const weft_node *n); // the elements of all outputs
double weft_copy_flops(const weft_node *n);
void weft_copy_cpu(const weft_node *n, const weft_cpu_args *a, weft_box_at *at);
weft_result weft_copy_emit(const weft_node *n, weft_emit *e, weft_box_at *at);
weft_result weft_copy_emit_box(weft_emit *e, const weft_box *box, weft_bind y, weft_bind x); // one; its out and in do not count

// For a row `name` with a function name_box: the functions of its weft_op.
#define WEFT_COPY_FUNCTIONS(name)                                                                                   \
    static void name##_cpu(const weft_node *n, const weft_cpu_args *a) { weft_copy_cpu(n, a, name##_box); }         \
    static weft_result name##_emit(const weft_node *n, weft_emit *e) { return weft_copy_emit(n, e, name##_box); }
#define WEFT_COPY_ROW(name_) \
    .infer = name_##_infer, .items = weft_copy_items, .flops = weft_copy_flops, .cpu = name_##_cpu, .emit = name_##_emit

// A weft_list of the given integers, for cases.
#define WEFT_LIST(...) { sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), { __VA_ARGS__ } }

// Strides of an input or output as it lies in memory.
void weft_in_strides(const weft_node *n, int k, int64_t stride[WEFT_MAX_RANK]);
void weft_out_strides(const weft_node *n, int k, int64_t stride[WEFT_MAX_RANK]);

// An axis given as an attribute, -rank..rank-1, becomes 0..rank-1; -1 after a failure that names the node.
int weft_axis(const weft_node *n, int64_t axis, int rank);

// Row functions for rows of class WEFT_OP_ALIAS: the elements stay where they are.
void weft_same_cpu(const weft_node *n, const weft_cpu_args *a);
weft_result weft_same_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx);
