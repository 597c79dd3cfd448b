#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_finish    adds up the parts of a convolution's sums, always in one order, and ends it
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"

layout(constant_id = OWN) const uint PARTS = 1;
layout(constant_id = OWN + 1) const bool WIDE = false; // four channels per invocation, else one
layout(set = 0, binding = 1, std430) readonly restrict buffer sums_t { float sums[]; };
layout(set = 0, binding = 1, std430) readonly restrict buffer sums4_t { vec4 sums4[]; };

vec4 add_up(uint i, uint step_) { // from element i on
    vec4 sum = vec4(0);
    for (uint k = 0; k < PARTS; k++, i += step_) sum += WIDE ? sums4[i / 4] : vec4(sums[i]);
    return sum;
}

void main() {
    const uint lanes = WIDE ? 4 : 1;
    uint i = LINEAR_ID * lanes, pixels = p.n * p.ho * p.wo, all = GATE ? 2 * p.co : p.co;
    if (i >= pixels * p.co) return;
    uint pixel = i / p.co, c = i - pixel * p.co;
    vec4 sum = add_up(pixel * all + c, pixels * all), gate = GATE ? add_up(pixel * all + p.co + c, pixels * all) : vec4(0);
    sum = finish4(sum, gate, i, c, lanes);
    if (WIDE) y4_put(i / 4, sum);
    else y_put(i, sum.x);
}
