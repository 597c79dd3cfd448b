#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_weights_tile    weight gradient of a convolution as a matrix product through shared memory: (tap, channel of x) by channels of dy
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv_weights.glsl"
#include "glsl/raw.glsl"

layout(constant_id = 7) const uint ACROSS = 8; // invocations along the channels of dy; the others lie along the rows
layout(constant_id = 8) const uint TALL = 1;   // fours of rows of an invocation
layout(constant_id = 9) const uint WIDE = 1;   // fours of channels of dy of an invocation
layout(constant_id = 10) const uint DEEP = 8;  // pixels of a step
layout(constant_id = 0) const uint THREADS = 64;
const uint DOWN = THREADS / ACROSS, ROW_QUADS = DOWN * TALL, COLUMN_QUADS = ACROSS * WIDE;
const uint X_LOADS = (ROW_QUADS * DEEP + THREADS - 1) / THREADS, Y_LOADS = (COLUMN_QUADS * DEEP + THREADS - 1) / THREADS;
const bool X_EVEN = X_LOADS * THREADS == ROW_QUADS * DEEP, Y_EVEN = Y_LOADS * THREADS == COLUMN_QUADS * DEEP;
const uint X_STEP = THREADS / ROW_QUADS, Y_STEP = THREADS / COLUMN_QUADS; // pixels from one load to the next: both divide THREADS

TENSOR_RAW4(1, x, false)
TENSOR_RAW4(2, dy, false)

shared vec4 xs[DEEP * ROW_QUADS];
shared vec4 ys[DEEP * COLUMN_QUADS];

shared ivec3 rows[ROW_QUADS * 4];
shared ivec3 pixels[DEEP];
#include "glsl/conv_weights_places.glsl"

// As x_place, without branches: a load in a branch is waited for before the next is asked for.
int x_four_place(ivec3 row, ivec3 pixel) {
    int hi = x_at(0, pixel.y + row.x), wi = x_at(1, pixel.z + row.y), at = ((pixel.x + hi) * p.wi + wi) * int(p.ci) + row.z;
    return mix(at >> 2, -1, min(min(row.z, pixel.x), min(hi, wi)) < 0);
}
vec4 x_ones(uint quad, ivec3 pixel) { // one by one
    vec4 all = vec4(0);
    [[dont_unroll]] for (uint l = 0; l < 4; l++) {
        int i = x_place(rows[quad * 4 + l], pixel);
        all = vec4(all.yzw, 0); // moves along, because an index would put it into memory
        if (i >= 0) all.w = x(uint(i));
    }
    return all;
}
vec4 dy_ones(uint j, uint o, uint o_end) {
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
    vec4 sum[TALL * 4 * WIDE];
    for (uint r = me; r < ROW_QUADS * 4; r += THREADS) rows[r] = row_of(first_row + r, group);
    if (me < DEEP) pixels[me] = pixel_of(begin + me, end);
    barrier();
    uint row_quad = me % ROW_QUADS, x_pixel = me / ROW_QUADS, y_pixel = me / COLUMN_QUADS, o = o0 + me % COLUMN_QUADS * 4;
    ivec3 row = rows[row_quad * 4];
    [[unroll]] for (uint i = 0; i < TALL * 4 * WIDE; i++) sum[i] = vec4(0);
    for (uint j = begin;; j += DEEP) { // loads of a step fly while the one before is computed: see glsl/conv_tile.glsl
        bool last = j >= end;
        uvec4 xr[X_LOADS], yr[Y_LOADS];
        uint there = 0;
        if (!last) {
            [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
                ivec3 pixel = pixels[X_EVEN ? x_pixel + i * X_STEP : min(x_pixel + i * X_STEP, DEEP - 1)];
                int at = WIDE_IN ? x_four_place(row, pixel) : 0;
                if (WIDE_IN) there |= uint(at >= 0) << i, xr[i] = x4_raw(uint(max(at, 0)));
                else xr[i] = floatBitsToUint(x_ones(row_quad, pixel));
            }
            [[unroll]] for (uint i = 0; i < Y_LOADS; i++) {
                uint k = min(j + y_pixel + i * Y_STEP, end - 1);
                if (WIDE_OUT) yr[i] = dy4_raw(mix(0, k * p.co + o, o < o_end) / 4);
                else yr[i] = floatBitsToUint(dy_ones(k, o, o_end));
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
            vec4 v = WIDE_IN ? mix(vec4(0), x4_of(xr[i]), bvec4((there & 1u << i) != 0)) : uintBitsToFloat(xr[i]);
            if (X_EVEN || x_pixel + i * X_STEP < DEEP) xs[me + i * THREADS] = v;
        }
        [[unroll]] for (uint i = 0; i < Y_LOADS; i++) {
            vec4 v = WIDE_OUT ? dy4_of(yr[i]) : uintBitsToFloat(yr[i]);
            if (Y_EVEN || y_pixel + i * Y_STEP < DEEP) ys[me + i * THREADS] = mix(vec4(0), v, bvec4(j + y_pixel + i * Y_STEP < end));
        }
        if (me < DEEP) pixels[me] = pixel_of(j + DEEP + me, end);
        barrier();
    }
    [[unroll]] for (uint i = 0; i < TALL * 4; i++) {
        uint r = first_row + (ty + i / 4 * DOWN) * 4 + i % 4, tap = r / p.ci_group;
        bool there = tap < uint(p.kernel[0] * p.kernel[1]);
        [[unroll]] for (uint q = 0; q < WIDE; q++) {
            uint to = o0 + (tx + q * ACROSS) * 4;
            if (there && to < o_end) weights_put(part, tap, r - tap * p.ci_group, to, o_end, sum[i * WIDE + q]);
        }
    }
}
