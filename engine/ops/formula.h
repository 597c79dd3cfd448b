// SPDX-License-Identifier: MIT
// What the formulas of params/*.def mean in C, in the type of their arguments. Include last: these names are everybody's.
#pragma once
#include <stdint.h>
#include <tgmath.h>

// A NaN comes through where it is the first argument, as in networks' limits max(x, 0).
static inline float weft_max_f(float a, float b) { return a < b ? b : a; }
static inline double weft_max_d(double a, double b) { return a < b ? b : a; }
static inline int64_t weft_max_i(int64_t a, int64_t b) { return a < b ? b : a; }
static inline float weft_min_f(float a, float b) { return b < a ? b : a; }
static inline double weft_min_d(double a, double b) { return b < a ? b : a; }
static inline int64_t weft_min_i(int64_t a, int64_t b) { return b < a ? b : a; }

// The remainder that has the sign of the divisor: Python's %, ONNX Mod, torch.remainder.
static inline double weft_modulo_d(double a, double b)
{
    const double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static inline float weft_modulo_f(float a, float b) { return (float) weft_modulo_d(a, b); }
static inline int64_t weft_modulo_i(int64_t a, int64_t b)
{
    const int64_t r = b ? a % b : 0;
    return r && (r < 0) != (b < 0) ? r + b : r;
}

#define WEFT_BY_TYPE(name, a, b) _Generic((a) + (b), float: weft_##name##_f, double: weft_##name##_d, default: weft_##name##_i)(a, b)
#define max(a, b) WEFT_BY_TYPE(max, a, b)
#define min(a, b) WEFT_BY_TYPE(min, a, b)
#define modulo(a, b) WEFT_BY_TYPE(modulo, a, b)
#define abs(a) fabs(a)
#define sign(a) (((a) > 0) - ((a) < 0))
