#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel winograd_in    tiles of (m + 2) x (m + 2) pixels, overlapping by 2, as planes of products: B^T d B; one tile and channel per invocation
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/conv.h"
#include "glsl/padding.glsl"
#include "glsl/winograd.glsl"

TENSOR_OUT(0, y)
TENSOR_IN(1, x)
TENSOR_IN(2, s)

int place(uint axis, int i) {
    int size = axis == 0 ? p.hi : p.wi;
    return PAD_MODE == 0 ? (uint(i) < uint(size) ? i : -1) : pad_at(PAD_MODE, i, size);
}

void main() {
    uint id = LINEAR_ID, tiles = p.pixel_tiles;
    if (id >= tiles * p.ci) return;
    uint c = id % p.ci, tile = id / p.ci, rows = (p.ho + M - 1) / M, n = tile / (p.column_tiles * rows);
    int top = int(tile / p.column_tiles % rows) * M - p.pad[0], left = int(tile % p.column_tiles) * M - p.pad[1];
    float d[36], line[6], scale = (EXTRAS & EXTRA_S) != 0 ? s(n * p.ci + c) : 1;
    int h[6], v[6];
    [[unroll]] for (int r = 0; r < 6; r++) h[r] = place(0, top + r), v[r] = place(1, left + r);
    // What is no pixel is read somewhere else and put out afterwards: a load under a condition waits for the one before it.
    [[unroll]] for (int r = 0; r < 6; r++)
        [[unroll]] for (int k = 0; k < 6; k++)
            d[r * 6 + k] = r < M + 2 && k < M + 2 ? x(((n * p.hi + max(h[r], 0)) * p.wi + max(v[k], 0)) * p.ci + c) : 0;
    [[unroll]] for (int r = 0; r < 6; r++)
        [[unroll]] for (int k = 0; k < 6; k++) d[r * 6 + k] = h[r] >= 0 && v[k] >= 0 ? d[r * 6 + k] * scale : 0;
    [[unroll]] for (int k = 0; k < 6; k++) {
        if (k >= M + 2) continue;
        line = input_line(d[k], d[6 + k], d[12 + k], d[18 + k], d[24 + k], d[30 + k]);
        [[unroll]] for (int r = 0; r < 6; r++) d[r * 6 + k] = line[r];
    }
    [[unroll]] for (int r = 0; r < 6; r++) {
        if (r >= M + 2) continue;
        line = input_line(d[r * 6], d[r * 6 + 1], d[r * 6 + 2], d[r * 6 + 3], d[r * 6 + 4], d[r * 6 + 5]);
        [[unroll]] for (int k = 0; k < 6; k++)
            if (k < M + 2) y_put(((r * (M + 2) + k) * tiles + tile) * p.ci + c, line[k]);
    }
}
