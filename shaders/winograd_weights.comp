#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel winograd_weights    weights of 3 x 3 taps as the planes of (m + 2) x (m + 2) products: G g G^T
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/conv.h"
#include "glsl/winograd.glsl"

TENSOR_OUT(0, y)
WEIGHT_IN(1, w, HALF_W)

void main() {
    uint i = LINEAR_ID, columns = p.w_ci, count = columns * p.ci; // in w and y alike: [ci, columns]
    if (i >= count) return;
    float g[3 * 3], half_way[6 * 3], line[6];
    [[unroll]] for (int k = 0; k < 9; k++) g[k] = w(k * p.w_tap + i);
    [[unroll]] for (int c = 0; c < 3; c++) {
        line = weights_line(g[c], g[3 + c], g[6 + c]);
        [[unroll]] for (int r = 0; r < 6; r++) half_way[r * 3 + c] = line[r];
    }
    [[unroll]] for (int r = 0; r < 6; r++) {
        if (r >= M + 2) break;
        line = weights_line(half_way[r * 3], half_way[r * 3 + 1], half_way[r * 3 + 2]);
        [[unroll]] for (int c = 0; c < 6; c++)
            if (c < M + 2) y_put((r * (M + 2) + c) * count + i, line[c]);
    }
}
