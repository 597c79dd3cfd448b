#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel sdpa_grad    gradient of attention by q, or (KEYS) by k and v: weights are made again from what sdpa_rows found
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/sdpa.h"
#include "glsl/sdpa.glsl"

layout(constant_id = 11) const bool KEYS = false; // own rows are keys, the others queries; else the other way round

TENSOR_OUT(0, da) // dq, or dk
TENSOR_OUT4(0, da4)
TENSOR_OUT(1, db) // dv
TENSOR_OUT4(1, db4)
TENSOR_IN(2, own_a) // q, or k
TENSOR_IN4(2, own_a4)
TENSOR_IN(3, own_b) // dy, or v
TENSOR_IN4(3, own_b4)
TENSOR_IN(4, other_a) // k, or q
TENSOR_IN4(4, other_a4)
TENSOR_IN(5, other_b) // v, or dy
TENSOR_IN4(5, other_b4)
TENSOR_IN(6, mask)
TENSOR_IN_AS(7, rows, vec4, vec4)

shared float weight[ROOM], slope[ROOM]; // of a score, and d loss / d the score

void main() {
    uint tile = LINEAR_GROUP;
    uint quad = tile % p.column_tiles * LANES + column_lane();
    uint own_first = tile / p.column_tiles % p.tiles * OWN, z = tile / (p.column_tiles * p.tiles);
    if (z >= p.batch) return;
    uint mask_at = mask_first(z), own = own_first + first_scored();
    // Own rows are k and v, or q and dy; those that pass by the others. What they receive lies as they do.
    uint q_at = rows_first(0, KEYS ? p.other : p.own, z, p.d), k_at = rows_first(1, KEYS ? p.own : p.other, z, p.d);
    uint v_at = rows_first(2, KEYS ? p.own : p.other, z, p.e), dy_at = y_first(KEYS ? p.other : p.own, z);
    uint own_a_at = KEYS ? k_at : q_at, own_a_step = p.step[KEYS ? 1 : 0], own_b_at = KEYS ? v_at : dy_at, own_b_step = KEYS ? p.step[2] : y_step();
    uint other_a_at = KEYS ? q_at : k_at, other_a_step = p.step[KEYS ? 0 : 1], other_b_at = KEYS ? dy_at : v_at, other_b_step = KEYS ? y_step() : p.step[2];
    avec4 sum_a[MIXED], sum_b[KEYS ? MIXED : 1];
    [[unroll]] for (uint i = 0; i < MIXED; i++) {
        sum_a[i] = avec4(0);
        if (KEYS) sum_b[i] = avec4(0);
    }
    uint begin = CAUSAL && KEYS ? own_first / OTHER * OTHER : 0, end = CAUSAL && !KEYS ? min(p.other, own_first + OWN) : p.other;
    for (uint first = begin; first < end; first += OTHER) {
        uint met = first + other_lane(), other = min(met, p.other - 1);
        float score[SCORED], along[SCORED];
        SDPA_PRODUCTS(score, own_a, own_a4, own_a_at, own_a_step, own, p.own - 1, other_a, other_a4, other_a_at + other * other_a_step, p.d, D_WIDE)
        SDPA_PRODUCTS(along, own_b, own_b4, own_b_at, own_b_step, own, p.own - 1, other_b, other_b4, other_b_at + other * other_b_step, p.e, E_WIDE)
        vec4 row = rows(KEYS ? z * p.other + other : 0);
        [[unroll]] for (uint i = 0; i < SCORED; i++) {
            uint mine = min(own + i, p.own - 1), at = (first_scored() + i) * STEP + other_lane();
            if (!KEYS) row = rows(z * p.own + mine);
            float s = score[i] * p.scale, w = 0;
            if (MASK) s += mask(mask_at + mine * p.mask_own + other * p.mask_other);
            if (met < p.other && !(CAUSAL && (KEYS ? mine > met : met > mine))) w = exp(max(s, LEAST) - row.x) * row.y;
            weight[at] = w;
            slope[at] = w * (along[i] - row.z);
        }
        barrier();
        uint count = min(OTHER, p.other - first);
        for (uint s = 0; s < count; s++) {
            SDPA_QUAD(a, other_a, other_a4, other_a_at + (first + s) * other_a_step + quad * 4, quad, p.d, D_WIDE)
            [[unroll]] for (uint i = 0; i < MIXED; i++) sum_a[i] = fma(avec4(slope[(first_mixed() + i) * STEP + s]), a, sum_a[i]);
            if (KEYS) {
                SDPA_QUAD(b, other_b, other_b4, other_b_at + (first + s) * other_b_step + quad * 4, quad, p.e, E_WIDE)
                [[unroll]] for (uint i = 0; i < MIXED; i++) sum_b[i] = fma(avec4(weight[(first_mixed() + i) * STEP + s]), b, sum_b[i]);
            }
        }
        barrier();
    }
    [[unroll]] for (uint i = 0; i < MIXED; i++) {
        uint mixed = own_first + first_mixed() + i;
        if (mixed >= p.own) return;
        SDPA_PUT(da_put, da4_put, own_a_at + mixed * own_a_step + quad * 4, quad, p.d, D_WIDE, sum_a[i] * p.scale)
        if (KEYS) { SDPA_PUT(db_put, db4_put, own_b_at + mixed * own_b_step + quad * 4, quad, p.e, E_WIDE, sum_b[i]) }
    }
}
