#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_weights_direct    weight gradient of a convolution: ROWS channels of x by one or four of dy per invocation, any case
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv_weights.glsl"

layout(constant_id = 7) const uint ROWS = 1;   // channels of x, all of one tap: a multiple of 4 with WIDE_IN
layout(constant_id = 8) const uint LANES = 64; // invocations side by side along the channels of dy
layout(constant_id = 9) const bool DEPTHWISE = false; // 4 channels, each a group of its own; ROWS is 1

void main() {
    const uint columns = WIDE_OUT ? 4 : 1;
    uint tile = LINEAR_GROUP, o = (tile % p.column_tiles * LANES + gl_LocalInvocationIndex % LANES) * columns;
    uint block = tile / p.column_tiles % p.row_tiles, part = tile / (p.column_tiles * p.row_tiles);
    if (LANES < gl_WorkGroupSize.x) block = block * (gl_WorkGroupSize.x / LANES) + gl_LocalInvocationIndex / LANES; // else uniform
    uint blocks = (p.ci_group + ROWS - 1) / ROWS, tap = block / blocks, i0 = block % blocks * ROWS;
    if (o >= p.co || tap >= uint(p.kernel[0] * p.kernel[1]) || part >= p.parts) return;

    int ky = int(tap) / p.kernel[1], kx = int(tap) - ky * p.kernel[1];
    int top = ky * p.dilation[0] - p.pad[0], left = kx * p.dilation[1] - p.pad[1];
    int from = 0, to = p.wo; // columns whose x is no zero
    if (PAD_MODE == 0) {
        if (left < 0) from = (-left + p.stride[1] - 1) / p.stride[1];
        to = min(to, p.wi > left ? (p.wi - left - 1) / p.stride[1] + 1 : 0);
    }
    uint xc = DEPTHWISE ? o : o / p.co_group * p.ci_group + i0, place[ROWS];
    avec4 sum[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        sum[r] = avec4(0);
        place[r] = min(r, p.ci_group - 1 - i0); // past the group's end: its last one, which is left out at the end
    }
    for (uint line = part * p.part; line < min((part + 1) * p.part, p.n * uint(p.ho)); line++) {
        uint n = line / uint(p.ho);
        int hi = x_at(0, int(line - n * uint(p.ho)) * p.stride[0] + top);
        if (hi < 0) continue;
        uint x_line = (n * uint(p.hi) + uint(hi)) * uint(p.wi), y_line = line * uint(p.wo);
        for (int wo = from; wo < to; wo++) {
            int wi = wo * p.stride[1] + left;
            if (PAD_MODE != 0) wi = pad_at(PAD_MODE, wi, p.wi);
            uint at = (x_line + uint(wi)) * p.ci + xc, to_y = (y_line + uint(wo)) * p.co + o;
            avec4 d = WIDE_OUT ? dy4(to_y / 4) : avec4(dy(to_y));
            if (DEPTHWISE) sum[0] = fma(x4(at / 4), d, sum[0]);
            else if (WIDE_IN)
                [[unroll]] for (uint r = 0; r < ROWS; r += 4) {
                    avec4 v = x4((at + min(r, p.ci_group - 4 - i0)) / 4);
                    [[unroll]] for (uint l = 0; l < 4; l++) sum[r + l] = fma(avec4(v[l]), d, sum[r + l]);
                }
            else
                [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r] = fma(avec4(x(at + place[r])), d, sum[r]);
        }
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        if (i0 + r < p.ci_group) weights_put(part, tap, i0 + r, o, min(o + columns, p.co), sum[r]);
}
