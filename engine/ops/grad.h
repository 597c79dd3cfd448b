// SPDX-License-Identifier: MIT
// What gradient rules have in common.
#pragma once
#include "graph/grad.h"

// `v` summed over the dimensions along which `to` was stretched (NumPy's rule), in the shape `to`: the adjoint of broadcasting.
weft_value weft_grad_unstretch(weft_graph *g, weft_value v, weft_shape to);
weft_value weft_grad_reshape(weft_graph *g, weft_value v, weft_shape to);
weft_value weft_grad_expand(weft_graph *g, weft_value v, weft_shape to); // stretched to it
weft_value weft_grad_scale(weft_graph *g, weft_value v, double factor);  // factor v
weft_value weft_grad_shift(weft_graph *g, weft_value v, double by);      // v + by
weft_value weft_grad_slice(weft_graph *g, weft_value v, int axis, int64_t begin, int64_t end);
weft_value weft_grad_pad(weft_graph *g, weft_value v, int axis, int64_t before, int64_t after); // with zeros; negative: takes away
weft_value weft_grad_permute(weft_graph *g, weft_value v, const int *perm);                     // one number per dimension

// Reductions over the dimensions of `mask` (bit d: dimension d), which stay with size 1.
weft_value weft_grad_reduce(weft_graph *g, const char *op, weft_value v, uint32_t mask);

// Short forms by name: one, two and three inputs, default attributes.
weft_value weft_grad_unary(weft_graph *g, const char *op, weft_value x);
weft_value weft_grad_binary(weft_graph *g, const char *op, weft_value a, weft_value b);
weft_value weft_grad_where(weft_graph *g, weft_value cond, weft_value a, weft_value b);
weft_value weft_grad_mul(weft_graph *g, weft_value a, weft_value b);

// Attributes by name, for rows whose struct is their own affair: weft_grad_call(g, "pad", WEFT_V(x), WEFT_WITH({ "mode", "reflect" })).
typedef struct weft_grad_attr {
    const char *name, *word; // a word, or
    int count;               // so many numbers
    double num[WEFT_MAX_RANK];
} weft_grad_attr;
#define WEFT_WITH(...) (const weft_grad_attr[]) { __VA_ARGS__, { NULL } }
weft_value weft_grad_call(weft_graph *g, const char *op, const weft_value *in, int in_count, const weft_grad_attr *with);
