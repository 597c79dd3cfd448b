#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_weights_sum    adds up the parts of a weight gradient, always in one order
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv_weights.glsl"

void main() {
    const uint columns = WIDE_OUT ? 4 : 1;
    uint rows = uint(p.kernel[0] * p.kernel[1]) * p.ci_group, e = LINEAR_ID * columns;
    if (e >= rows * p.co) return;
    uint row = e / p.co, o = e - row * p.co, tap = row / p.ci_group, step_ = rows * p.co / columns;
    e /= columns;
    vec4 sum = vec4(0);
    for (uint k = 0; k < p.parts; k++) sum += WIDE_OUT ? parts4[e + k * step_] : vec4(parts[e + k * step_]);
    uint at = o * p.o_step + (row - tap * p.ci_group) * p.i_step + tap * p.tap_step;
    [[unroll]] for (uint l = 0; l < columns; l++) dw_put(at + l * p.o_step, sum[l]);
}
