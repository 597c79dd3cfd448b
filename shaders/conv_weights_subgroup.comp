#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
//! kernel conv_weights_subgroup    weight gradient of a convolution in registers: lanes are channels of dy, those of x are loaded once and broadcast
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv_weights.glsl"

// Software drivers pay for every load of every lane. A workgroup is one subgroup of LANES invocations.
layout(constant_id = 7) const uint LANES = 8;
layout(constant_id = 8) const uint ROWS = 32;  // channels of x, all of one tap
layout(constant_id = 9) const uint COLUMNS = 4; // channels of dy of each lane
const uint X_LOADS = (ROWS + LANES - 1) / LANES;

void main() {
    uint id = LINEAR_GROUP, lane = gl_SubgroupInvocationID, groups = p.co / p.co_group;
    uint column = id % p.column_tiles, block = id / p.column_tiles % p.row_tiles;
    id /= p.column_tiles * p.row_tiles;
    uint group = id % groups, part = id / groups, blocks = (p.ci_group + ROWS - 1) / ROWS, tap = block / blocks, i0 = block % blocks * ROWS;
    if (part >= p.parts) return;
    int ky = int(tap) / p.kernel[1], kx = int(tap) - ky * p.kernel[1];
    int top = ky * p.dilation[0] - p.pad[0], left = kx * p.dilation[1] - p.pad[1], from = 0, to = p.wo;
    if (PAD_MODE == 0) { // columns whose x is no zero
        if (left < 0) from = (-left + p.stride[1] - 1) / p.stride[1];
        to = min(to, p.wi > left ? (p.wi - left - 1) / p.stride[1] + 1 : 0);
    }
    uint x_mine[X_LOADS], y_mine[COLUMNS], o[COLUMNS], o_end = (group + 1) * p.co_group;
    float sum[ROWS * COLUMNS];
    // Past the end: the last one, which is left out when sums are stored.
    [[unroll]] for (uint j = 0; j < X_LOADS; j++) x_mine[j] = group * p.ci_group + min(i0 + j * LANES + lane, p.ci_group - 1);
    [[unroll]] for (uint q = 0; q < COLUMNS; q++) {
        o[q] = group * p.co_group + (column * COLUMNS + q) * LANES + lane;
        y_mine[q] = min(o[q], o_end - 1);
    }
    [[unroll]] for (uint k = 0; k < ROWS * COLUMNS; k++) sum[k] = 0;
    for (uint line = part * p.part; line < min((part + 1) * p.part, p.n * uint(p.ho)); line++) {
        uint n = line / uint(p.ho);
        int hi = x_at(0, int(line - n * uint(p.ho)) * p.stride[0] + top);
        if (hi < 0) continue;
        uint x_line = (n * uint(p.hi) + uint(hi)) * uint(p.wi), y_line = line * uint(p.wo);
        for (int wo = from; wo < to; wo++) {
            int wi = wo * p.stride[1] + left;
            if (PAD_MODE != 0) wi = pad_at(PAD_MODE, wi, p.wi);
            uint at = (x_line + uint(wi)) * p.ci, to_y = (y_line + uint(wo)) * p.co;
            float v[X_LOADS], d[COLUMNS];
            [[unroll]] for (uint j = 0; j < X_LOADS; j++) v[j] = x(at + x_mine[j]);
            [[unroll]] for (uint q = 0; q < COLUMNS; q++) d[q] = dy(to_y + y_mine[q]);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                float u = subgroupBroadcast(v[r / LANES], r % LANES);
                [[unroll]] for (uint q = 0; q < COLUMNS; q++) sum[r * COLUMNS + q] = fma(u, d[q], sum[r * COLUMNS + q]);
            }
        }
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        [[unroll]] for (uint q = 0; q < COLUMNS; q++)
            if (i0 + r < p.ci_group && o[q] < o_end) weight_put(part, tap, i0 + r, o[q], sum[r * COLUMNS + q]);
}
