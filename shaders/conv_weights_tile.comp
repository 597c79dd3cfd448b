#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_weights_tile    weight gradient of a convolution as a matrix product through shared memory: (tap, channel of x) by channels of dy
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv_weights.glsl"

layout(constant_id = 7) const uint ACROSS = 8; // invocations along the channels of dy; the others lie along the rows
layout(constant_id = 8) const uint TALL = 1;   // fours of rows of an invocation
layout(constant_id = 9) const uint WIDE = 1;   // fours of channels of dy of an invocation
layout(constant_id = 10) const uint DEEP = 8;  // pixels of a step
layout(constant_id = 0) const uint THREADS = 64;
const uint DOWN = THREADS / ACROSS, ROW_QUADS = DOWN * TALL, COLUMN_QUADS = ACROSS * WIDE;
const uint X_LOADS = (ROW_QUADS * DEEP + THREADS - 1) / THREADS, Y_LOADS = (COLUMN_QUADS * DEEP + THREADS - 1) / THREADS;

shared vec4 xs[DEEP * ROW_QUADS];
shared vec4 ys[DEEP * COLUMN_QUADS];

shared ivec3 rows[ROW_QUADS * 4];
shared ivec3 pixels[DEEP];
#include "glsl/conv_weights_places.glsl"

vec4 x_four(uint quad, ivec3 pixel) {
    vec4 all = vec4(0);
    if (WIDE_IN) {
        int i = x_place(rows[quad * 4], pixel);
        if (i >= 0) all = x4(uint(i) / 4);
    } else
        [[dont_unroll]] for (uint l = 0; l < 4; l++) {
            int i = x_place(rows[quad * 4 + l], pixel);
            all = vec4(all.yzw, 0); // moves along, because an index would put it into memory
            if (i >= 0) all.w = x(uint(i));
        }
    return all;
}
vec4 dy_four(uint j, uint o, uint o_end) {
    if (WIDE_OUT) return o < o_end ? dy4((j * p.co + o) / 4) : vec4(0);
    vec4 all = vec4(0);
    [[dont_unroll]] for (uint l = 0; l < 4; l++) all = vec4(all.yzw, o + l < o_end ? dy(j * p.co + o + l) : 0);
    return all;
}

void main() {
    uint id = LINEAR_GROUP, groups = p.co / p.co_group, me = gl_LocalInvocationIndex, tx = me % ACROSS, ty = me / ACROSS;
    uint column = id % p.column_tiles, first_row = id / p.column_tiles % p.row_tiles * ROW_QUADS * 4;
    id /= p.column_tiles * p.row_tiles;
    uint group = id % groups, part = id / groups, o0 = group * p.co_group + column * COLUMN_QUADS * 4, o_end = (group + 1) * p.co_group;
    if (part >= p.parts) return;
    uint begin = part * p.part, end = min(begin + p.part, p.n * uint(p.ho * p.wo));
    vec4 sum[TALL * 4 * WIDE], xr[X_LOADS], yr[Y_LOADS];
    for (uint r = me; r < ROW_QUADS * 4; r += THREADS) rows[r] = row_of(first_row + r, group);
    if (me < DEEP) pixels[me] = pixel_of(begin + me, end);
    barrier();
    [[unroll]] for (uint i = 0; i < TALL * 4 * WIDE; i++) sum[i] = vec4(0);
    for (uint j = begin;; j += DEEP) { // loads of a step fly while the one before is computed
        bool last = j >= end;
        if (!last) {
            [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
                uint e = me + i * THREADS;
                if (e < ROW_QUADS * DEEP) xr[i] = x_four(e % ROW_QUADS, pixels[e / ROW_QUADS]);
            }
            [[unroll]] for (uint i = 0; i < Y_LOADS; i++) {
                uint e = me + i * THREADS, k = j + e / COLUMN_QUADS;
                yr[i] = vec4(0);
                if (e < COLUMN_QUADS * DEEP && k < end) yr[i] = dy_four(k, o0 + e % COLUMN_QUADS * 4, o_end);
            }
        }
        if (j != begin)
            for (uint k = 0; k < DEEP; k++) {
                vec4 v[TALL], u[WIDE];
                [[unroll]] for (uint i = 0; i < TALL; i++) v[i] = xs[k * ROW_QUADS + ty + i * DOWN];
                [[unroll]] for (uint q = 0; q < WIDE; q++) u[q] = ys[k * COLUMN_QUADS + tx + q * ACROSS];
                [[unroll]] for (uint i = 0; i < TALL; i++)
                    [[unroll]] for (uint l = 0; l < 4; l++)
                        [[unroll]] for (uint q = 0; q < WIDE; q++)
                            sum[(i * 4 + l) * WIDE + q] = fma(vec4(v[i][l]), u[q], sum[(i * 4 + l) * WIDE + q]);
            }
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < ROW_QUADS * DEEP) xs[e] = xr[i];
        }
        [[unroll]] for (uint i = 0; i < Y_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < COLUMN_QUADS * DEEP) ys[e] = yr[i];
        }
        if (me < DEEP) pixels[me] = pixel_of(j + DEEP + me, end);
        barrier();
    }
    [[unroll]] for (uint i = 0; i < TALL * 4; i++) {
        uint r = first_row + (ty + i / 4 * DOWN) * 4 + i % 4, tap = r / p.ci_group;
        bool there = tap < uint(p.kernel[0] * p.kernel[1]);
        [[unroll]] for (uint q = 0; q < WIDE; q++) {
            uint o = o0 + (tx + q * ACROSS) * 4;
            if (there && o < o_end) weights_put(part, tap, r - tap * p.ci_group, o, o_end, sum[i * WIDE + q]);
        }
    }
}
