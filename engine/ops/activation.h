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

// For activations that can be gone back from their value (params/unary_back.def): the line there, from 1 on, with 0 for no activation
// at all; -1: this one cannot.
int weft_activation_back(int act, double a);
double weft_activation_slope_from(int line, double y, double a);   // the derivative where the value is y
double weft_activation_x_slope_from(int line, double y, double a); // where that is, times the derivative

const char *weft_activation_row(int act); // the elementwise row that does the same; act > 0

// The activation that this elementwise node is. False: it is none.
bool weft_activation_of(const weft_node *n, weft_activation *out);
// The one whose derivative it takes, at its inputs 0 (argument) and 1 (value), times input 2.
bool weft_activation_slope_of(const weft_node *n, weft_activation *out);
