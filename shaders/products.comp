#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel products    products of a few rows and matrices of their own: a workgroup makes some columns of one
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/activation.glsl"
#include "params/products.h"

layout(constant_id = 3) const uint ROWS = 1;
layout(constant_id = 4) const bool TRANSPOSED = false; // w is [k, width]
layout(constant_id = 5) const bool WIDE = false;       // four of w's numbers at once
layout(constant_id = 6) const bool HALVES = false;
layout(constant_id = 7) const uint BEFORE = 0;
layout(constant_id = 8) const uint BEFORE_BACK = 0;
layout(constant_id = 9) const uint BEHIND = 0;
layout(constant_id = 10) const uint BEHIND_BACK = 0;
layout(constant_id = 11) const uint LANES = 8; // that share a column
layout(constant_id = 12) const uint ROOM = 1;  // ROWS times the largest k

layout(constant_id = 13) const uint OPERANDS = 0; // bits: there are x, p, b, m, r
layout(constant_id = 14) const uint MATRICES = 5; // at most; a driver that compiles slowly gets one
const bool STAGED = LANES > 1; // x waits in shared memory; a processor has one matrix and reads x where it is,
                                // because its drivers compile barriers for very long

TENSOR_OUT(0, y)
TENSOR_IN_I32(1, table)
TENSOR_IN(2, x)
TENSOR_IN(3, partner)
TENSOR_IN(4, b)
TENSOR_IN(5, m)
TENSOR_IN(6, residual)
#define MATRIX(i, binding_) WEIGHT_IN(binding_, w##i, HALVES) WEIGHT_IN4(binding_, v##i, HALVES)
MATRIX(0, 7) MATRIX(1, 8) MATRIX(2, 9) MATRIX(3, 10) MATRIX(4, 11)
#define ALL_MATRICES EACH(0) EACH(1) EACH(2) EACH(3) EACH(4)

shared float row[STAGED ? ROOM : 1];
shared vec4 part[64];

// Over the lanes of a column; lane 0 has the sum.
vec4 add_lanes(vec4 v, uint at, uint step) {
    if (LANES == 1) return v;
    barrier();
    part[gl_LocalInvocationIndex] = v;
    barrier();
    for (uint l = 1; l < LANES; l++) v += part[(at + l * step) % 64];
    return v;
}

// Element c of row r of x, with what is done to it first.
struct operand { uint at, step, p_at, p_step; };
float before(operand o, uint r, uint c) {
    float v = act(BEFORE, x(o.at + r * o.step + c), p.a[0], p.b[0]);
    if (BEFORE_BACK != 0) {
        float f = partner(o.p_at + r * o.p_step + c);
        v *= act_slope(BEFORE_BACK, f, f, p.a[1], p.b[1]);
    }
    return v;
}

void put(uint line, uint r, uint c, float sum) {
    float v = intBitsToFloat(table(line + 12)) * sum + intBitsToFloat(table(line + 14));
    if ((OPERANDS & 4u) != 0) v += intBitsToFloat(table(line + 13)) * b(uint(table(line + 15)) + c);
    v = act(BEHIND, v, p.a[2], p.b[2]);
    if (BEHIND_BACK != 0) {
        float f = m(uint(table(line + 6)) + r * uint(table(line + 7)) + c);
        v *= act_slope(BEHIND_BACK, f, f, p.a[3], p.b[3]);
    }
    if ((OPERANDS & 16u) != 0) v += residual(uint(table(line + 8)) + r * uint(table(line + 9)) + c);
    y_put(uint(table(line + 10)) - p.begin + r * uint(table(line + 11)) + c, v);
}

void main() {
    uint group = LINEAR_GROUP, i = 0;
    if (MATRICES > 1) {
        [[unroll]] for (uint s = 0; s < 4; s++) if (group >= p.end[s]) i = s + 1;
        if (i > 0) group -= p.end[i - 1];
    }
    uint line = 16 * (p.first + i), k = uint(table(line)), width = uint(table(line + 1));
    uint id = gl_LocalInvocationIndex, columns = 64 / LANES, lane = TRANSPOSED ? id / columns : id % LANES;

    operand o = operand(uint(table(line + 2)), uint(table(line + 3)), 0, 0);
    if (BEFORE_BACK != 0) o.p_at = uint(table(line + 4)), o.p_step = uint(table(line + 5));
    if (STAGED) {
        for (uint at = id; at < ROWS * k; at += 64) row[at] = before(o, at / k, at % k);
        barrier();
    }

    vec4 sum[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r] = vec4(0);
    uint c = group * columns + (TRANSPOSED ? id % columns : id / LANES);
    if (!STAGED) {
        bool fours = TRANSPOSED && WIDE;
        for (uint at = 0; c < (fours ? width / 4 : width) && at < k; at++) {
            vec4 w = fours ? v0(at * (width / 4) + c) : vec4(w0(TRANSPOSED ? at * width + c : c * k + at));
            [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r] += before(o, r, at) * w;
        }
    } else if (TRANSPOSED && WIDE) {
        uint quads = width / 4;
#define EACH(s) if (s < MATRICES && i == s && c < quads) for (uint at = lane; at < k; at += LANES) { \
            vec4 w = v##s(at * quads + c); \
            [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r] += row[r * k + at] * w; \
        }
        ALL_MATRICES
#undef EACH
    } else if (TRANSPOSED) {
#define EACH(s) if (s < MATRICES && i == s && c < width) for (uint at = lane; at < k; at += LANES) { \
            float w = w##s(at * width + c); \
            [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r].x += row[r * k + at] * w; \
        }
        ALL_MATRICES
#undef EACH
    } else if (WIDE) {
#define EACH(s) if (s < MATRICES && i == s && c < width) for (uint at = 4 * lane; at < k; at += 4 * LANES) { \
            vec4 w = v##s((c * k + at) / 4); \
            [[unroll]] for (uint r = 0; r < ROWS; r++) { \
                uint f = r * k + at; \
                sum[r].x += dot(vec4(row[f], row[f + 1], row[f + 2], row[f + 3]), w); \
            } \
        }
        ALL_MATRICES
#undef EACH
    } else {
#define EACH(s) if (s < MATRICES && i == s && c < width) for (uint at = lane; at < k; at += LANES) { \
            float w = w##s(c * k + at); \
            [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r].x += row[r * k + at] * w; \
        }
        ALL_MATRICES
#undef EACH
    }
    [[dont_unroll]] for (uint r = 0; r < ROWS; r++) { // sums move along: what is behind is too long to be unrolled
        vec4 v = add_lanes(sum[0], id, TRANSPOSED ? columns : 1);
        [[unroll]] for (uint s = 1; s < ROWS; s++) sum[s - 1] = sum[s];
        if (lane != 0) continue;
        uint fours = TRANSPOSED && WIDE ? 4 : 1;
        [[dont_unroll]] for (uint l = 0; l < fours && fours * c < width; l++) {
            put(line, r, fours * c + l, v.x);
            v = v.yzwx;
        }
    }
}
