// SPDX-License-Identifier: MIT
// What gradient rules have in common.
#pragma once
#include "graph/graph.h"

// `v` summed over the dimensions along which `to` was stretched (NumPy's rule), in the shape `to`: the adjoint of broadcasting.
weft_value weft_grad_unstretch(weft_graph *g, weft_value v, weft_shape to);
weft_value weft_grad_reshape(weft_graph *g, weft_value v, weft_shape to);
weft_value weft_grad_scale(weft_graph *g, weft_value v, double factor);

// Short forms by name: one and two inputs, default attributes.
weft_value weft_grad_unary(weft_graph *g, const char *op, weft_value x);
weft_value weft_grad_binary(weft_graph *g, const char *op, weft_value a, weft_value b);
