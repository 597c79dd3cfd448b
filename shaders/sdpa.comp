#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel sdpa    attention of 16 queries per workgroup, 32 keys at a time, with a running maximum and sum
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/sdpa.h"

layout(constant_id = 3) const uint LANES = 16;    // invocations side by side along e
layout(constant_id = 4) const bool D_WIDE = false; // rows of q and k are whole quads
layout(constant_id = 5) const bool E_WIDE = false; // rows of v and y are
layout(constant_id = 6) const bool CAUSAL = false;
layout(constant_id = 7) const bool MASK = false;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, q)
TENSOR_IN4(1, q4)
TENSOR_IN(2, k)
TENSOR_IN4(2, k4)
TENSOR_IN(3, v)
TENSOR_IN4(3, v4)
TENSOR_IN(4, mask)

const uint QUERIES = SDPA_QUERIES, KEYS = SDPA_KEYS;
const uint SCORED = QUERIES * KEYS / 64;     // scores that an invocation makes
const uint GROUPS = 64 / LANES, MIXED = QUERIES / GROUPS; // queries that an invocation mixes values for
const float LEAST = -3.402823466e38;

shared float weight[QUERIES][KEYS];
shared float most[QUERIES], sum[QUERIES], shrink[QUERIES];

float scored(uint z, uint query, uint key, float product, uint mask_first) {
    if (key >= p.s || (CAUSAL && key > query)) return LEAST;
    float score = product * p.scale;
    if (MASK) score += mask(mask_first + query * p.mask_l + key * p.mask_s);
    return max(score, LEAST);
}

void main() {
    uint id = gl_LocalInvocationIndex, tile = LINEAR_GROUP;
    uint e_tile = tile % p.e_tiles, l_first = tile / p.e_tiles % p.tiles * QUERIES, z = tile / (p.e_tiles * p.tiles);
    if (z >= p.batch) return;
    uint mask_first = 0, rest = z;
    if (MASK) [[unroll]] for (int d = SDPA_BATCH - 1; d >= 0; d--) {
        mask_first += rest % p.dim[d] * p.mask_step[d];
        rest /= p.dim[d];
    }
    uint quad = e_tile * LANES + id % LANES, first_mixed = id / LANES * MIXED;
    bool mixes = quad * 4 < p.e;
    avec4 mix_[MIXED];
    [[unroll]] for (uint i = 0; i < MIXED; i++) mix_[i] = avec4(0);
    if (id < QUERIES) {
        most[id] = LEAST;
        sum[id] = 0;
    }
    uint keys = CAUSAL ? min(p.s, l_first + QUERIES) : p.s;
    for (uint s_first = 0; s_first < keys; s_first += KEYS) {
        // Scores: an invocation takes one key and SCORED queries.
        uint key = s_first + id % KEYS, first_scored = id / KEYS * SCORED;
        float product[SCORED];
        [[unroll]] for (uint i = 0; i < SCORED; i++) product[i] = 0;
        uint k_row = (z * p.s + min(key, p.s - 1)) * p.d;
        if (D_WIDE) for (uint d = 0; d < p.d; d += 4) {
            avec4 a = k4((k_row + d) / 4);
            [[unroll]] for (uint i = 0; i < SCORED; i++)
                product[i] += dot(a, q4(((z * p.l + min(l_first + first_scored + i, p.l - 1)) * p.d + d) / 4));
        } else for (uint d = 0; d < p.d; d++) {
            afloat a = k(k_row + d);
            [[unroll]] for (uint i = 0; i < SCORED; i++) product[i] += a * q((z * p.l + min(l_first + first_scored + i, p.l - 1)) * p.d + d);
        }
        [[unroll]] for (uint i = 0; i < SCORED; i++)
            weight[first_scored + i][id % KEYS] = scored(z, min(l_first + first_scored + i, p.l - 1), key, product[i], mask_first);
        barrier();
        // Weights: what was summed so far shrinks where a new maximum appears.
        if (id < QUERIES) {
            float top = most[id], total = 0;
            for (uint i = 0; i < KEYS; i++) top = max(top, weight[id][i]);
            for (uint i = 0; i < KEYS; i++) {
                float w = weight[id][i] > LEAST ? exp(weight[id][i] - top) : 0;
                weight[id][i] = w;
                total += w;
            }
            shrink[id] = exp(most[id] - top);
            sum[id] = sum[id] * shrink[id] + total;
            most[id] = top;
        }
        barrier();
        [[unroll]] for (uint i = 0; i < MIXED; i++) mix_[i] *= shrink[first_mixed + i];
        uint end = min(KEYS, p.s - s_first);
        if (mixes) for (uint s = 0; s < end; s++) {
            uint at = (z * p.s + s_first + s) * p.e + quad * 4;
            avec4 value = avec4(0);
            if (E_WIDE) value = v4(at / 4);
            else [[unroll]] for (uint c = 0; c < 4; c++) if (quad * 4 + c < p.e) value[c] = v(at + c);
            [[unroll]] for (uint i = 0; i < MIXED; i++) mix_[i] += weight[first_mixed + i][s] * value;
        }
        barrier();
    }
    if (!mixes) return;
    [[unroll]] for (uint i = 0; i < MIXED; i++) {
        uint l = l_first + first_mixed + i;
        if (l >= p.l) return;
        avec4 value = sum[first_mixed + i] > 0 ? mix_[i] / sum[first_mixed + i] : avec4(0);
        uint at = (z * p.l + l) * p.e + quad * 4;
        if (E_WIDE) y4_put(at / 4, value);
        else [[unroll]] for (uint c = 0; c < 4; c++) if (quad * 4 + c < p.e) y_put(at + c, value[c]);
    }
}
