#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel gather_grad    dx[.., r, ..] = sum of dy[.., k, ..] over all k with ids[k] = r
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/gather_grad.h"

TENSOR_OUT(0, dx)
TENSOR_IN(1, dy)
TENSOR_IN_I32(2, ids)

void main() {
    uint i = LINEAR_ID;
    if (i >= p.count) return;
    uint inner = i % p.inner, r = i / p.inner % p.size, outer = i / (p.inner * p.size);
    int size = int(p.size);
    float sum = 0.0;
    for (uint first = 0; first < p.ids; first += 4096)
        for (uint k = first; k < min(first + 4096, p.ids); k++) {
            int id = ids(k);
            id = clamp(id < 0 ? id + size : id, 0, size - 1);
            if (id == int(r)) sum += dy((outer * p.ids + k) * p.inner + inner);
        }
    dx_put(i, sum);
}
