#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel sdpa    attention: some queries per workgroup, the keys in stretches, with a running maximum and sum
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/sdpa.h"
#include "glsl/sdpa.glsl"

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, q)
TENSOR_IN4(1, q4)
TENSOR_IN(2, k)
TENSOR_IN4(2, k4)
TENSOR_IN(3, v)
TENSOR_IN4(3, v4)
TENSOR_IN(4, mask)

const uint PARTS = GROUP / OWN; // invocations that look for a row's maximum

shared float weight[ROOM];
shared float part[128], shrink[32];

void main() {
    uint id = gl_LocalInvocationIndex, tile = LINEAR_GROUP;
    uint quad = tile % p.column_tiles * LANES + column_lane();
    uint own_first = tile / p.column_tiles % p.tiles * OWN, z = tile / (p.column_tiles * p.tiles);
    if (z >= p.batch) return;
    uint mask_at = mask_first(z), row = id / PARTS, chunk = row * STEP + id % PARTS * SCORED;
    uint q_at = rows_first(0, p.own, z, p.d), k_at = rows_first(1, p.other, z, p.d), v_at = rows_first(2, p.other, z, p.e), y_at = y_first(p.own, z);
    float most = LEAST, sum = 0; // of the invocation's part of a row
    avec4 mix_[MIXED];
    [[unroll]] for (uint i = 0; i < MIXED; i++) mix_[i] = avec4(0);
    uint keys = CAUSAL ? min(p.other, own_first + OWN) : p.other;
    for (uint first = 0; first < keys; first += OTHER) {
        uint key = first + other_lane(), own = own_first + first_scored();
        float product[SCORED];
        SDPA_PRODUCTS(product, q, q4, q_at, p.step[0], own, p.own - 1, k, k4, k_at + min(key, p.other - 1) * p.step[1], p.d, D_WIDE)
        [[unroll]] for (uint i = 0; i < SCORED; i++) {
            float score = product[i] * p.scale;
            if (MASK) score += mask(mask_at + min(own + i, p.own - 1) * p.mask_own + min(key, p.other - 1) * p.mask_other);
            if (key >= p.other || (CAUSAL && key > own + i)) score = LEAST;
            weight[(first_scored() + i) * STEP + other_lane()] = max(score, LEAST);
        }
        barrier();
        // What was summed so far shrinks where a new maximum appears.
        float top = LEAST;
        [[unroll]] for (uint i = 0; i < SCORED; i++) top = max(top, weight[chunk + i]);
        part[id] = top;
        barrier();
        top = most;
        [[unroll]] for (uint i = 0; i < PARTS; i++) top = max(top, part[row * PARTS + i]);
        float by = exp(most - top);
        sum *= by;
        [[unroll]] for (uint i = 0; i < SCORED; i++) {
            float w = weight[chunk + i] > LEAST ? exp(weight[chunk + i] - top) : 0;
            weight[chunk + i] = w;
            sum += w;
        }
        most = top;
        if (id % PARTS == 0) shrink[row] = by;
        barrier();
        [[unroll]] for (uint i = 0; i < MIXED; i++) mix_[i] *= shrink[first_mixed() + i];
        uint end = min(OTHER, p.other - first);
        for (uint s = 0; s < end; s++) {
            SDPA_QUAD(value, v, v4, v_at + (first + s) * p.step[2] + quad * 4, quad, p.e, E_WIDE)
            [[unroll]] for (uint i = 0; i < MIXED; i++) mix_[i] = fma(avec4(weight[(first_mixed() + i) * STEP + s]), value, mix_[i]);
        }
        barrier();
    }
    part[id] = sum;
    barrier();
    [[unroll]] for (uint i = 0; i < MIXED; i++) {
        uint mixed = first_mixed() + i;
        if (own_first + mixed >= p.own) return;
        float all = 0;
        [[unroll]] for (uint k = 0; k < PARTS; k++) all += part[mixed * PARTS + k];
        avec4 value = all > 0 ? mix_[i] / all : avec4(0); // a query that sees nothing
        SDPA_PUT(y_put, y4_put, y_at + (own_first + mixed) * y_step() + quad * 4, quad, p.e, E_WIDE, value)
    }
}
