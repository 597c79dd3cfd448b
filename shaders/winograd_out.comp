#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel winograd_out    planes of products as tiles of m x m outputs: A^T m A, and the epilogue; one tile and channel per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/conv.h"
#include "glsl/winograd.glsl"

TENSOR_OUT(0, y)
TENSOR_IN(1, m)
TENSOR_IN(2, bias)
TENSOR_IN(3, r)
TENSOR_IN(4, d)
TENSOR_IN(5, noise)
TENSOR_IN(6, strength)
#include "glsl/epilogue.glsl"

struct square { float at[16]; };
square outputs(uint tile, uint column) {
    uint step = p.pixel_tiles * p.w_ci, first = tile * p.w_ci + column;
    float half_way[24], line[4];
    square s;
    [[unroll]] for (int k = 0; k < 6; k++) {
        if (k >= M + 2) continue;
        float v[6];
        [[unroll]] for (int r = 0; r < 6; r++) v[r] = r < M + 2 ? m((r * (M + 2) + k) * step + first) : 0;
        line = output_line(v[0], v[1], v[2], v[3], v[4], v[5]);
        [[unroll]] for (int r = 0; r < 4; r++) half_way[r * 6 + k] = line[r];
    }
    [[unroll]] for (int r = 0; r < 4; r++) {
        if (r >= M) continue;
        line = output_line(half_way[r * 6], half_way[r * 6 + 1], half_way[r * 6 + 2], half_way[r * 6 + 3], half_way[r * 6 + 4], half_way[r * 6 + 5]);
        [[unroll]] for (int k = 0; k < 4; k++) s.at[r * 4 + k] = line[k];
    }
    return s;
}

void main() {
    uint id = LINEAR_ID;
    if (id >= p.pixel_tiles * p.co) return;
    uint c = id % p.co, tile = id / p.co, rows = (p.ho + M - 1) / M, n = tile / (p.column_tiles * rows);
    int top = int(tile / p.column_tiles % rows) * M, left = int(tile % p.column_tiles) * M;
    square s = outputs(tile, c), gate;
    if (GATE) gate = outputs(tile, p.co + c);
    [[unroll]] for (int k = 0; k < 4; k++)
        [[unroll]] for (int q = 0; q < 4; q++) {
            if (k >= M || q >= M || top + k >= p.ho || left + q >= p.wo) continue;
            uint at = ((n * p.ho + top + k) * p.wo + left + q) * p.co + c;
            y_put(at, finish(s.at[k * 4 + q], GATE ? gate.at[k * 4 + q] : 0, at, c));
        }
}
