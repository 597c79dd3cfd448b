#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel conv_weights_matrix    weight gradient of a convolution on matrix units: (tap, channel of x) by channels of dy, ROWS x COLUMNS matrices a subgroup
//! variants DTYPE=f16
//! needs cooperative_matrix
#include "glsl/tensor.glsl"
#include "glsl/conv_weights.glsl"

layout(constant_id = 7) const uint DOWN = 2;    // subgroups along the rows
layout(constant_id = 8) const uint ACROSS = 2;  // and along the channels of dy
layout(constant_id = 9) const uint ROWS = 2;    // matrices of a subgroup along the rows
layout(constant_id = 10) const uint COLUMNS = 2;
layout(constant_id = 11) const uint M = 16;     // of a matrix; K divides DEEP
layout(constant_id = 12) const uint N = 16;
layout(constant_id = 13) const uint K = 16;
layout(constant_id = 14) const uint LANES = 32; // of every subgroup
layout(constant_id = 15) const uint DEEP = 32;  // pixels of a step
layout(constant_id = 16) const bool X_EIGHTS = false; // channels of x can be read in eights too
layout(constant_id = 17) const bool Y_EIGHTS = false; // those of dy can
const uint THREADS = DOWN * ACROSS * LANES, TALL = DOWN * ROWS * M, WIDE = ACROSS * COLUMNS * N, X_FOURS = TALL / 4, Y_FOURS = WIDE / 4;
const uint X_EACH = X_EIGHTS ? 2 : 1, Y_EACH = Y_EIGHTS ? 2 : 1, X_LINE = X_FOURS / X_EACH, Y_LINE = Y_FOURS / Y_EACH; // fours of a load
const uint X_LOADS = (DEEP * X_LINE + THREADS - 1) / THREADS, Y_LOADS = (DEEP * Y_LINE + THREADS - 1) / THREADS;
const uint X_STEP = X_FOURS + 2, Y_STEP = Y_FOURS + 2, ROOM = M * N / 4; // room against bank conflicts

#include "glsl/eight.glsl"
TENSOR_IN8(1, x8)
TENSOR_IN8(2, dy8)

shared f16vec4 xs[DEEP * X_STEP]; // [pixel][row]
shared f16vec4 ys[DEEP * Y_STEP]; // [pixel][channel]
shared vec4 room[DOWN * ACROSS * ROOM]; // sums on their way to memory
shared ivec3 rows[TALL];
shared ivec3 pixels[DEEP];
#include "glsl/conv_weights_places.glsl"

eight x_some(uint four, ivec3 pixel) {
    eight all = EIGHT_ZEROS;
    if (WIDE_IN) {
        int i = x_place(rows[four * 4], pixel);
        if (i >= 0 && X_EIGHTS) all = eight_of(x8(i / 8));
        else if (i >= 0) all.a = x4_data[i / 4];
    } else
        [[unroll]] for (uint l = 0; l < 4; l++) {
            int i = x_place(rows[four * 4 + l], pixel);
            if (i >= 0) all.a[l] = x_data[i];
        }
    return all;
}
eight dy_some(uint j, uint o, uint o_end) {
    eight all = EIGHT_ZEROS;
    uint at = j * p.co + o;
    if (WIDE_OUT) {
        if (o < o_end && Y_EIGHTS) all = eight_of(dy8(at / 8));
        else if (o < o_end) all.a = dy4_data[at / 4];
    } else
        [[unroll]] for (uint l = 0; l < 4; l++)
            if (o + l < o_end) all.a[l] = dy_data[at + l];
    return all;
}

void main() {
    uint id = LINEAR_GROUP, groups = p.co / p.co_group, me = gl_LocalInvocationIndex, lane = gl_SubgroupInvocationID;
    uint down = gl_SubgroupID / ACROSS, across = gl_SubgroupID % ACROSS;
    uint column = id % p.column_tiles, first_row = id / p.column_tiles % p.row_tiles * TALL;
    id /= p.column_tiles * p.row_tiles;
    uint group = id % groups, part = id / groups, o0 = group * p.co_group + column * WIDE, o_end = (group + 1) * p.co_group;
    if (part >= p.parts) return;
    uint begin = part * p.part, end = min(begin + p.part, p.n * uint(p.ho * p.wo));
    eight xr[X_LOADS], yr[Y_LOADS];
    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum[ROWS * COLUMNS];
    for (uint r = me; r < TALL; r += THREADS) rows[r] = row_of(first_row + r, group);
    for (uint k = me; k < DEEP; k += THREADS) pixels[k] = pixel_of(begin + k, end);
    barrier();
    [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++) sum[i] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0);
    for (uint j = begin;; j += DEEP) { // loads of a step fly while the one before is computed
        bool last = j >= end;
        if (!last) {
            [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
                uint e = me + i * THREADS;
                if (e < DEEP * X_LINE) xr[i] = x_some(e % X_LINE * X_EACH, pixels[e / X_LINE]);
            }
            [[unroll]] for (uint i = 0; i < Y_LOADS; i++) {
                uint e = me + i * THREADS, k = j + e / Y_LINE;
                yr[i] = EIGHT_ZEROS;
                if (e < DEEP * Y_LINE && k < end) yr[i] = dy_some(k, o0 + e % Y_LINE * Y_EACH * 4, o_end);
            }
        }
        if (j != begin)
            for (uint k = 0; k < DEEP; k += K) {
                coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> u[ROWS];
                [[unroll]] for (uint i = 0; i < ROWS; i++)
                    coopMatLoad(u[i], xs, k * X_STEP + (down * ROWS + i) * M / 4, X_STEP, gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint q = 0; q < COLUMNS; q++) {
                    coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> v;
                    coopMatLoad(v, ys, k * Y_STEP + (across * COLUMNS + q) * N / 4, Y_STEP, gl_CooperativeMatrixLayoutRowMajor);
                    [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i * COLUMNS + q] = coopMatMulAdd(u[i], v, sum[i * COLUMNS + q]);
                }
            }
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
            uint e = me + i * THREADS, at = e / X_LINE * X_STEP + e % X_LINE * X_EACH;
            if (e < DEEP * X_LINE) xs[at] = xr[i].a;
            if (e < DEEP * X_LINE && X_EIGHTS) xs[at + 1] = xr[i].b;
        }
        [[unroll]] for (uint i = 0; i < Y_LOADS; i++) {
            uint e = me + i * THREADS, at = e / Y_LINE * Y_STEP + e % Y_LINE * Y_EACH;
            if (e < DEEP * Y_LINE) ys[at] = yr[i].a;
            if (e < DEEP * Y_LINE && Y_EIGHTS) ys[at + 1] = yr[i].b;
        }
        for (uint k = me; k < DEEP; k += THREADS) pixels[k] = pixel_of(j + DEEP + k, end);
        barrier();
    }
    // One matrix after another. Their numbers must be constants, or they would lie in memory.
    [[dont_unroll]] for (uint each = 0; each < ROWS * COLUMNS; each++) {
        [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++)
            if (i == each) coopMatStore(sum[i], room, gl_SubgroupID * ROOM, N / 4, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();
        [[dont_unroll]] for (uint e = lane; e < ROOM; e += LANES) {
            uint r = first_row + (down * ROWS + each / COLUMNS) * M + e / (N / 4), tap = r / p.ci_group;
            uint o = o0 + (across * COLUMNS + each % COLUMNS) * N + e % (N / 4) * 4;
            if (tap < uint(p.kernel[0] * p.kernel[1]) && o < o_end) weights_put(part, tap, r - tap * p.ci_group, o, o_end, room[gl_SubgroupID * ROOM + e]);
        }
        subgroupBarrier();
    }
}
