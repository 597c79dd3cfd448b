// SPDX-License-Identifier: MIT
// The activation that ends a fused operator: a line of params/unary.def, or none.
#pragma once
#include "graph/op.h"

typedef struct weft_activation {
    int32_t act;  // 0: none, else 1 + line of unary.def
    float a, b;   // its parameters
} weft_activation;

extern const char weft_activation_names[]; // "none|relu|...": the choices of an attribute `act`

double weft_activate(int act, double x, double a, double b);
double weft_activate_slope(int act, double x, double y, double a, double b); // its derivative; y is its value

const char *weft_activation_row(int act); // the elementwise row that does the same; act > 0

// The activation that this elementwise node is. False: it is none.
bool weft_activation_of(const weft_node *n, weft_activation *out);
