#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel lstm_cells    the cells of all steps of an LSTM from the sums of its gates: an invocation follows one unit through time
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/lstm_back.h"
#include "glsl/lstm.glsl"

layout(constant_id = 3) const bool C0 = false;

TENSOR_OUT_F32(0, cells)
TENSOR_IN(1, sums)
TENSOR_IN(2, c0)

void main() {
    uint id = LINEAR_ID, n = id / p.h, unit = id % p.h;
    if (n >= p.n) return;
    float c = C0 ? c0(id) : 0;
    for (uint s = 0; s < p.steps; s++) {
        uint row = row_of(n, s), at = row * 4 * p.h + unit;
        c = sigmoid(sums(at + p.h)) * c + sigmoid(sums(at)) * bounded_tanh(sums(at + 2 * p.h));
        cells_put(row * p.h + unit, c);
    }
}
