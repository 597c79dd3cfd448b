#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel sdpa_matrix2    attention with matrices as large as the workgroup's tile, whose rows they reduce: VK_NV_cooperative_matrix2
//! variants DTYPE=f16
//! needs cooperative_matrix2
#include "glsl/tensor.glsl"
#include "params/sdpa.h"

layout(constant_id = 3) const bool D_WIDE = false; // rows of q and k are whole fours
layout(constant_id = 4) const bool E_WIDE = false; // rows of v are
layout(constant_id = 5) const bool CAUSAL = false;
layout(constant_id = 6) const bool MASK = false;
layout(constant_id = 7) const uint OWN = 16;       // queries
layout(constant_id = 8) const uint OTHER = 32;     // keys of a stretch
layout(constant_id = 9) const uint WIDE = 16;      // columns of v
layout(constant_id = 10) const uint DEEP = 64;     // d and zeros
layout(constant_id = 11) const uint THREADS = 32;  // of the workgroup
layout(constant_id = 12) const uint SCOPE = gl_ScopeSubgroup; // of the matrices: all of the workgroup, whichever it says
layout(constant_id = 13) const bool Y_WIDE = false; // rows of y begin at multiples of 16 bytes
const uint D_FOURS = DEEP / 4, E_FOURS = WIDE / 4, D_STEP = D_FOURS + 2, E_STEP = E_FOURS + 2; // room against bank conflicts
const uint K_LOADS = (OTHER * D_FOURS + THREADS - 1) / THREADS, V_LOADS = (OTHER * E_FOURS + THREADS - 1) / THREADS;
#include "glsl/sdpa_mask.glsl"

TENSOR_OUT(0, y)
TENSOR_IN(1, q)
TENSOR_IN4(1, q4)
TENSOR_IN(2, k)
TENSOR_IN4(2, k4)
TENSOR_IN(3, v)
TENSOR_IN4(3, v4)
TENSOR_IN(4, mask)

// Queries; then, since they are held in registers, keys and values.
const uint Q_ROOM = OWN * D_STEP, KV_ROOM = OTHER * (D_STEP + E_STEP), VS = OTHER * D_STEP;
shared f16vec4 rows[Q_ROOM > KV_ROOM ? Q_ROOM : KV_ROOM];

#include "glsl/sdpa_matrix.glsl"
FOUR(q_four, q_data, q4_data, D_WIDE)
FOUR(k_four, k_data, k4_data, D_WIDE)
FOUR(v_four, v_data, v4_data, E_WIDE)

#define SCORES coopmat<float, SCOPE, OWN, OTHER, gl_MatrixUseAccumulator>
#define MIX coopmat<float, SCOPE, OWN, WIDE, gl_MatrixUseAccumulator>

float larger(const in float a, const in float b) { return max(a, b); }
float added(const in float a, const in float b) { return a + b; }
// Called with one element after another, by whoever holds it. Rows are queries, columns keys, or columns of y.
float seen(const in uint row, const in uint column, const in float score, const in uint own_first, const in uint key_first, const in uint mask_at) {
    uint own = own_first + row, key = key_first + column;
    float s = score * p.scale;
    if (key >= p.other || (CAUSAL && key > own)) return LEAST;
    if (MASK) s += mask(mask_at + min(own, p.own - 1) * p.mask_own + key * p.mask_other);
    return max(s, LEAST);
}
float larger_of(const in uint row, const in uint column, const in float a, const in float b) { return max(a, b); }
float shrink_by(const in uint row, const in uint column, const in float before, const in float now) { return exp(before - now); }
float weight(const in uint row, const in uint column, const in float score, const in float most) { // as it is multiplied
    return score > LEAST ? float(float16_t(exp(score - most))) : 0;
}
float inverse_of(const in uint row, const in uint column, const in float sum) { return sum > 0 ? 1 / sum : 0; } // 0: a query that sees nothing
float keep(const in uint row, const in uint column, const in float v, const in uint own_first, const in uint first_column, const in uint z) {
    uint own = own_first + row, c = first_column + column;
    if (own < p.own && c < p.e) y_put(y_first(p.own, z) + own * y_step() + c, v);
    return v;
}

void main() {
    uint me = gl_LocalInvocationIndex, tile = LINEAR_GROUP;
    uint first_column = tile % p.column_tiles * WIDE;
    uint own_first = tile / p.column_tiles % p.tiles * OWN, z = tile / (p.column_tiles * p.tiles);
    if (z >= p.batch) return;
    uint mask_at = mask_first(z);
    uint q_at = rows_first(0, p.own, z, p.d), k_at = rows_first(1, p.other, z, p.d), v_at = rows_first(2, p.other, z, p.e);
    for (uint e = me; e < OWN * D_FOURS; e += THREADS) {
        uint own = own_first + e / D_FOURS;
        rows[e / D_FOURS * D_STEP + e % D_FOURS] = q_four(own < p.own, q_at + own * p.step[0], e % D_FOURS * 4, p.d);
    }
    barrier();
    coopmat<float16_t, SCOPE, OWN, DEEP, gl_MatrixUseA> queries;
    coopMatLoad(queries, rows, 0, D_STEP, gl_CooperativeMatrixLayoutRowMajor);
    SCORES most = SCORES(LEAST), sum = SCORES(0); // alike along a row
    MIX mix_ = MIX(0), by_column;
    f16vec4 kr[K_LOADS], vr[V_LOADS];
    uint keys = CAUSAL ? min(p.other, own_first + OWN) : p.other;
    for (uint next = 0;; next += OTHER) { // loads of a stretch fly while the one before is computed
        bool last = next >= keys;
        if (!last) {
            [[unroll]] for (uint i = 0; i < K_LOADS; i++) {
                uint e = me + i * THREADS, key = next + e / D_FOURS;
                if (e < OTHER * D_FOURS) kr[i] = k_four(key < p.other, k_at + key * p.step[1], e % D_FOURS * 4, p.d);
            }
            [[unroll]] for (uint i = 0; i < V_LOADS; i++) {
                uint e = me + i * THREADS, key = next + e / E_FOURS;
                if (e < OTHER * E_FOURS) vr[i] = v_four(key < p.other, v_at + key * p.step[2], first_column + e % E_FOURS * 4, p.e);
            }
        }
        if (next != 0) {
            coopmat<float16_t, SCOPE, DEEP, OTHER, gl_MatrixUseB> right;
            coopmat<float16_t, SCOPE, OTHER, WIDE, gl_MatrixUseB> values;
            coopMatLoad(right, rows, 0, D_STEP, gl_CooperativeMatrixLayoutColumnMajor);
            SCORES score = coopMatMulAdd(queries, right, SCORES(0)), top, all;
            coopMatPerElementNV(score, score, seen, own_first, next - OTHER, mask_at);
            coopMatReduceNV(top, score, gl_CooperativeMatrixReduceRowNV, larger);
            coopMatPerElementNV(top, top, larger_of, most);
            coopMatPerElementNV(score, score, weight, top);
            coopMatReduceNV(all, score, gl_CooperativeMatrixReduceRowNV, added);
            // What was summed so far shrinks where a new maximum appears.
            coopMatPerElementNV(most, most, shrink_by, top);
            sum = sum * most + all;
            coopMatReduceNV(by_column, most, gl_CooperativeMatrixReduceRowNV, larger); // as many columns as mix_ has
            most = top;
            coopMatLoad(values, rows, VS, E_STEP, gl_CooperativeMatrixLayoutRowMajor);
            mix_ = coopMatMulAdd(coopmat<float16_t, SCOPE, OWN, OTHER, gl_MatrixUseA>(score), values, mix_ * by_column);
        }
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < K_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < OTHER * D_FOURS) rows[e / D_FOURS * D_STEP + e % D_FOURS] = kr[i];
        }
        [[unroll]] for (uint i = 0; i < V_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < OTHER * E_FOURS) rows[VS + e / E_FOURS * E_STEP + e % E_FOURS] = vr[i];
        }
        barrier();
    }
    coopMatPerElementNV(sum, sum, inverse_of);
    coopMatReduceNV(by_column, sum, gl_CooperativeMatrixReduceRowNV, larger);
    mix_ = mix_ * by_column;
    if (Y_WIDE && own_first + OWN <= p.own && first_column + WIDE <= p.e) // a tile that is full is stored as it is
        coopMatStore(coopmat<float16_t, SCOPE, OWN, WIDE, gl_MatrixUseAccumulator>(mix_), y_data, y_first(p.own, z) + own_first * y_step() + first_column, y_step(),
                     gl_CooperativeMatrixLayoutRowMajor);
    else coopMatPerElementNV(mix_, mix_, keep, own_first, first_column, z);
}
