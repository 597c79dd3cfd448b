// What convolution kernels have in common: constants 3 to 8, tensors, and which taps count. See params/conv.h.
#include "params/conv.h"
#include "glsl/padding.glsl"

layout(constant_id = 3) const bool TRANSPOSED = false;
layout(constant_id = 4) const uint PAD_MODE = 0;
layout(constant_id = 5) const bool BIAS = false;
layout(constant_id = 6) const uint ACT = 0;
layout(constant_id = 7) const bool GATE = false;   // channels co.. of w and b gate the first ones
layout(constant_id = 8) const uint RESIDUAL = 0;   // 1: r is added after the activation, 2: before

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
TENSOR_IN(2, w)
TENSOR_IN4(2, w4)
TENSOR_IN(3, bias)
TENSOR_IN(4, r)
#include "glsl/epilogue.glsl"

// The taps of one axis that count for a phase: the first and how many, and where output 0 of the phase meets the first.
struct taps { int first, count, at; };
taps taps_of(uint axis, int phase) {
    if (!TRANSPOSED) return taps(0, p.kernel[axis], -p.pad[axis]);
    uint by = uint(p.phases[axis]), t = uint(phase + p.pad[axis]);
    taps s = taps(0, 0, 0);
    while (s.first < p.tap_by[axis] && uint(s.first * p.dilation[axis]) % by != t % by) s.first++;
    if (s.first < p.tap_by[axis] && s.first < p.kernel[axis]) // else stride and dilation never meet here
        s.count = (p.kernel[axis] - s.first + p.tap_by[axis] - 1) / p.tap_by[axis];
    s.at = (int(t) - s.first * p.dilation[axis]) / int(by);
    return s;
}

// The input position on one axis, -1: none, which is zero.
int conv_at(uint axis, int i) {
    int size = axis == 0 ? p.hi : p.wi;
    if (TRANSPOSED || PAD_MODE == 0) return uint(i) < uint(size) ? i : -1;
    return pad_at(PAD_MODE, i, size);
}

// Where the weights of output channel c (of all of w's) and the inputs of its group begin.
uint conv_w(uint c) { return c / p.co_group * p.w_group + c % p.co_group; }
uint conv_c(uint c) { return c / p.co_group * p.ci_group; }
