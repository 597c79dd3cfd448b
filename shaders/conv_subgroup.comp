#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
//! kernel conv_subgroup    convolution in registers: lanes are pixels, weights are loaded once per subgroup and broadcast
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"

// Software drivers pay for every load of every lane, so a weight is loaded by one lane alone. All subgroups must have
// LANES invocations.
layout(constant_id = OWN) const uint LANES = 8;
layout(constant_id = OWN + 1) const uint PIXELS = 4;   // of each lane
layout(constant_id = OWN + 2) const uint COLUMNS = 16; // channels of the workgroup, gates and all
layout(constant_id = OWN + 3) const bool WIDE = false; // inputs can be read in fours
layout(constant_id = 0) const uint THREADS = 64;
const uint DEEP = WIDE ? 4 : 1; // input channels of a step
const uint LOADS = (COLUMNS + LANES - 1) / LANES;
const uint OUT = GATE ? COLUMNS / 2 : COLUMNS;

shared float room[THREADS * PIXELS * COLUMNS]; // sums on their way to the epilogue, which is too long to be unrolled

void main() {
    tile s;
    if (!tile_of(LINEAR_GROUP, THREADS * PIXELS, COLUMNS, s)) return;
    uint me = gl_LocalInvocationIndex;
    int pixels = s.rows * s.columns, h0[PIXELS], w0[PIXELS];
    uint mine[LOADS]; // the columns whose weights this lane loads
    float sum[PIXELS * COLUMNS];
    [[unroll]] for (uint i = 0; i < PIXELS; i++) {
        int j = min(s.first_pixel + int(i * THREADS + me), pixels - 1);
        h0[i] = s.ty.at + j / s.columns * p.stride[0];
        w0[i] = s.tx.at + j % s.columns * p.stride[1];
        [[unroll]] for (uint q = 0; q < COLUMNS; q++) sum[i * COLUMNS + q] = 0;
    }
    [[unroll]] for (uint j = 0; j < LOADS; j++) mine[j] = tile_column(s, min(j * LANES + gl_SubgroupInvocationID, COLUMNS - 1), COLUMNS);
    for (int a = 0; a < s.ty.count; a++)
        for (int b = 0; b < s.tx.count; b++) {
            uint from[PIXELS], wi = tile_tap(s, a, b) * p.w_tap;
            bool inside[PIXELS];
            [[unroll]] for (uint i = 0; i < PIXELS; i++) {
                int hi = conv_at(0, h0[i] + a * p.tap[0]), wi_ = conv_at(1, w0[i] + b * p.tap[1]);
                inside[i] = hi >= 0 && wi_ >= 0;
                from[i] = s.x_at + (inside[i] ? ((s.n * p.hi + hi) * p.wi + wi_) * p.ci : 0);
            }
            for (uint c = 0; c < p.ci_group; c += DEEP) {
                avec4 v[PIXELS];
                float weight[4 * LOADS];
                [[unroll]] for (uint k = 0; k < DEEP; k++)
                    [[unroll]] for (uint j = 0; j < LOADS; j++) weight[k * LOADS + j] = w(wi + k * p.w_ci + mine[j]);
                wi += DEEP * p.w_ci;
                [[unroll]] for (uint i = 0; i < PIXELS; i++) {
                    v[i] = WIDE ? x4_at(from[i] + c, s.n, s.x_at + c) : avec4(x_at(from[i] + c, s.n, s.x_at + c));
                    v[i] = inside[i] ? v[i] : avec4(0);
                }
                [[unroll]] for (uint q = 0; q < COLUMNS; q++)
                    [[unroll]] for (uint k = 0; k < DEEP; k++) {
                        float u = subgroupBroadcast(weight[k * LOADS + q / LANES], q % LANES);
                        [[unroll]] for (uint i = 0; i < PIXELS; i++) sum[i * COLUMNS + q] = fma(v[i][k], u, sum[i * COLUMNS + q]);
                    }
            }
        }
    [[unroll]] for (uint i = 0; i < PIXELS * COLUMNS; i++) room[i * THREADS + me] = sum[i];
    [[dont_unroll]] for (uint i = 0; i < PIXELS; i++) { // each invocation reads what it wrote
        int j = s.first_pixel + int(i * THREADS + me);
        if (j >= pixels) break;
        uint at = tile_pixel(s, j);
        [[dont_unroll]] for (uint q = 0; q < OUT && s.c + q < s.end; q++) {
            uint o = (i * COLUMNS + q) * THREADS + me;
            y_put(at + s.c + q, finish(room[o], GATE ? room[o + OUT * THREADS] : 0, at + s.c + q, s.c + q));
        }
    }
}
