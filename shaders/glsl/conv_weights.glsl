// What the kernels of a convolution's weight gradient have in common: constants 3 to 6 and tensors. See params/conv_weights.h.
#include "params/conv_weights.h"
#include "glsl/padding.glsl"

layout(constant_id = 3) const uint PAD_MODE = 0;
layout(constant_id = 4) const bool PARTS = false;    // sums of parts of the pixels go to scratch
layout(constant_id = 5) const bool WIDE_IN = false;  // channels of x can be read in fours, none of which spans two groups
layout(constant_id = 6) const bool WIDE_OUT = false; // those of dy can

TENSOR_OUT(0, dw)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
TENSOR_IN(2, dy)
TENSOR_IN4(2, dy4)
layout(set = 0, binding = 3, std430) buffer parts_t { float parts[]; };
layout(set = 0, binding = 3, std430) buffer parts4_t { vec4 parts4[]; };

// The position of x on one axis, -1: none, which is zero.
int x_at(uint axis, int i) {
    int size = axis == 0 ? p.hi : p.wi;
    if (PAD_MODE == 0) return uint(i) < uint(size) ? i : -1;
    return pad_at(PAD_MODE, i, size);
}

// Four sums of one part: weights of tap and channel i of x's group, of channels o.. of dy, of which those before `end` are there.
void weights_put(uint part, uint tap, uint i, uint o, uint end, vec4 v) {
    uint at = ((part * uint(p.kernel[0] * p.kernel[1]) + tap) * p.ci_group + i) * p.co + o, to = o * p.o_step + i * p.i_step + tap * p.tap_step;
    if (PARTS && WIDE_OUT) parts4[at / 4] = v;
    else
        [[unroll]] for (uint l = 0; l < 4; l++) {
            if (o + l < end && PARTS) parts[at + l] = v[l];
            if (o + l < end && !PARTS) dw_put(to + l * p.o_step, v[l]);
        }
}
void weight_put(uint part, uint tap, uint i, uint o, float v) {
    if (PARTS) parts[((part * uint(p.kernel[0] * p.kernel[1]) + tap) * p.ci_group + i) * p.co + o] = v;
    else dw_put(o * p.o_step + i * p.i_step + tap * p.tap_step, v);
}
