// SPDX-License-Identifier: MIT
// What an lstm node is: its attributes, inputs and outputs by place, and its sizes.
#pragma once
#include "graph/graph.h"

typedef struct weft_lstm_attrs { int32_t direction, time_first; } weft_lstm_attrs;
enum { WEFT_LSTM_FORWARD, WEFT_LSTM_REVERSE, WEFT_LSTM_BIDIRECTIONAL };
enum { WEFT_LSTM_X, WEFT_LSTM_W_IH, WEFT_LSTM_W_HH, WEFT_LSTM_B, WEFT_LSTM_H0, WEFT_LSTM_C0 };
enum { WEFT_LSTM_Y, WEFT_LSTM_HN, WEFT_LSTM_CN };

// n sequences of t steps; x_n and x_t: from one sequence and from one step to the next in x, in rows of `in` numbers;
// y_n, y_t: the same in y, in numbers.
typedef struct weft_lstm_sizes { int64_t n, t, in, h, dirs, x_n, x_t, y_n, y_t; } weft_lstm_sizes;
weft_lstm_sizes weft_lstm_sizes_of(const weft_node *n);

// Gradient rule: lstm_grad.c.
weft_result weft_lstm_grad(const weft_node *n, weft_graph *g, const weft_value *dy, const bool *want, weft_value *dx);

// One direction of that, from what the outputs receive to what the sums of the gates receive: lstm_back.c.
typedef struct weft_lstm_back_attrs { int32_t backwards, time_first; } weft_lstm_back_attrs;
weft_result weft_lstm_back_unfuse(const weft_node *n, weft_graph *g, weft_value *out); // in other rows: lstm_grad.c
