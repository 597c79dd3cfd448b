#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel lstm_back    one step of time back through an LSTM: a workgroup makes what 32 units of a sequence receive
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/lstm_back.h"
#include "glsl/lstm.glsl"

layout(constant_id = 3) const bool C0 = false;
layout(constant_id = 4) const bool DY = false;
layout(constant_id = 5) const bool DH = false;
layout(constant_id = 6) const bool DC = false;
layout(constant_id = 7) const bool HALF_W = false; // w lies in f16 though all else is f32

layout(set = 0, binding = 0, std430) buffer dsums_t { sfloat dsums[]; }; // the step after this one left its own there
TENSOR_OUT(1, dh0)
TENSOR_OUT(2, dc0)
TENSOR_IN(3, sums)
WEIGHT_IN(4, w, HALF_W)
TENSOR_IN(5, c0)
TENSOR_IN(6, dy)
TENSOR_IN(7, dh)
TENSOR_IN(8, dc)
layout(set = 0, binding = 9, std430) buffer cells_t { float cells[]; }; // of all steps, then what the cells receive

const uint UNITS = 32, PARTS = 4;
shared float room[UNITS * PARTS];

void main() {
    uint id = gl_LocalInvocationIndex, tile = LINEAR_GROUP, part = id / UNITS;
    uint n = tile / p.tiles, unit = tile % p.tiles * UNITS + id % UNITS;
    if (n >= p.n) return;
    bool last = p.step + 1 == p.steps;
    float sum = 0;
    if (!last) {
        uint after = row_of(n, p.step + 1) * 4 * p.h;
        if (p.step == p.steps) after = row_of(n, 0) * 4 * p.h;
        for (uint k = part; k < 4 * p.h; k += PARTS) sum = fma(afloat(dsums[after + k]), w(k * p.h + min(unit, p.h - 1)), sum);
    }
    room[id] = sum;
    barrier();
    if (part != 0 || unit >= p.h) return;
    uint state = n * p.h + unit, carry = p.n * p.steps * p.h + state;
    float back = room[id] + room[id + UNITS] + room[id + 2 * UNITS] + room[id + 3 * UNITS];
    if (p.step == p.steps) {
        dh0_put(state, back);
        return;
    }
    uint row = row_of(n, p.step), at = row * 4 * p.h + unit;
    if (last && DH) back += dh(state);
    if (DY) back += dy(row * p.h + unit);
    float i = sigmoid(sums(at)), f = sigmoid(sums(at + p.h)), g = bounded_tanh(sums(at + 2 * p.h)), o = sigmoid(sums(at + 3 * p.h));
    float c = bounded_tanh(cells[row * p.h + unit]), before = 0;
    if (p.step > 0) before = cells[row_of(n, p.step - 1) * p.h + unit];
    else if (C0) before = c0(state);
    float came = last ? DC ? dc(state) : 0 : cells[carry];
    came += back * o * (1 - c * c);
    dsums[at] = sfloat(came * g * i * (1 - i));
    dsums[at + p.h] = sfloat(came * before * f * (1 - f));
    dsums[at + 2 * p.h] = sfloat(came * i * (1 - g * g));
    dsums[at + 3 * p.h] = sfloat(back * c * o * (1 - o));
    if (p.step == 0) dc0_put(state, came * f);
    else cells[carry] = came * f;
}
