// SPDX-License-Identifier: MIT
// Reverse-mode differentiation: the backward pass as an ordinary graph.
#pragma once
#include "graph/graph.h"

typedef struct weft_grad_request {
    // Which outputs have a cotangent (d loss / d output), by index into from->outputs; it becomes an input "d.<output>".
    // loss >= 0 instead: that output is the loss, of one element, and its cotangent is 1.
    const bool *cotangents;
    int loss;
    const weft_value *wrt; // inputs, states or constants of `from` to differentiate by
    int wrt_count;
} weft_grad_request;

// `from` is bound. `to` has from's inputs and the cotangents, from's outputs, and one output per `wrt`, called "d.<input>", "d.<state>" or
// "d.<weight>", of its shape (zeros where nothing flows). Rows are asked for their `grad`; one without it is expanded first.
// Errors: WEFT_ERR_UNSUPPORTED names the node whose operator has no gradient; WEFT_ERR_ARGUMENT.
weft_result weft_pass_grad(const weft_graph *from, const weft_grad_request *request, weft_graph *to);

// The sum of two gradients of one value; in ops/, where the operator is.
weft_value weft_grad_add(weft_graph *g, weft_value a, weft_value b);
// Whether this gradient is that of a part of a value, with zeros around it.
bool weft_grad_is_part(const weft_graph *g, weft_value v);
// The sum of such gradients: side by side, where parts lie so along one axis.
weft_value weft_grad_join(weft_graph *g, const weft_value *parts, int count);
