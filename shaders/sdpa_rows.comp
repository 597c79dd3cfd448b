#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel sdpa_rows    of every query of an attention: largest score, 1 / sum of the weights, and y . dy
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/sdpa.h"
#include "glsl/sdpa.glsl"

TENSOR_OUT_AS(0, rows, vec4, vec4)
TENSOR_IN(1, q)
TENSOR_IN4(1, q4)
TENSOR_IN(2, k)
TENSOR_IN4(2, k4)
TENSOR_IN(3, y)
TENSOR_IN(4, dy)
TENSOR_IN(5, mask)

shared float most[ROOM], sum[ROOM];

void main() {
    uint id = gl_LocalInvocationIndex, tile = LINEAR_GROUP;
    uint own_first = tile % p.tiles * OWN, z = tile / p.tiles;
    if (z >= p.batch) return;
    uint mask_at = mask_first(z), own = own_first + first_scored();
    uint q_at = rows_first(0, p.own, z, p.d), k_at = rows_first(1, p.other, z, p.d), y_at = y_first(p.own, z);
    float top[SCORED], all[SCORED], product[SCORED]; // over the keys that this invocation meets
    [[unroll]] for (uint i = 0; i < SCORED; i++) top[i] = LEAST, all[i] = 0;
    uint keys = CAUSAL ? min(p.other, own_first + OWN) : p.other;
    for (uint key = other_lane(); key < keys; key += OTHER) {
        SDPA_PRODUCTS(product, q, q4, q_at, p.step[0], own, p.own - 1, k, k4, k_at + key * p.step[1], p.d, D_WIDE)
        [[unroll]] for (uint i = 0; i < SCORED; i++) {
            float score = product[i] * p.scale;
            if (MASK) score += mask(mask_at + min(own + i, p.own - 1) * p.mask_own + key * p.mask_other);
            if (!(score > LEAST) || (CAUSAL && key > own + i)) continue;
            float by = exp(-abs(score - top[i]));
            all[i] = score > top[i] ? fma(all[i], by, 1) : all[i] + by;
            top[i] = max(top[i], score);
        }
    }
    [[unroll]] for (uint i = 0; i < SCORED; i++) {
        uint at = (first_scored() + i) * STEP + other_lane();
        most[at] = top[i];
        sum[at] = all[i];
    }
    barrier();
    if (id >= OWN || own_first + id >= p.own) return;
    float highest = LEAST, whole = 0, along = 0;
    for (uint i = 0; i < OTHER; i++) highest = max(highest, most[id * STEP + i]);
    for (uint i = 0; i < OTHER; i++) whole += sum[id * STEP + i] * exp(most[id * STEP + i] - highest);
    y_at += (own_first + id) * y_step();
    for (uint c = 0; c < p.e; c++) along = fma(y(y_at + c), dy(y_at + c), along);
    rows_put(z * p.own + own_first + id, vec4(highest, whole > 0 ? 1 / whole : 0, along, 0));
}
