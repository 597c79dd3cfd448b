#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel sdpa_grad_matrix    gradient of attention on matrix units: by q, or (KEYS) by k and v, M rows per subgroup, with what sdpa_rows found
//! variants DTYPE=f16
//! needs cooperative_matrix
#include "glsl/tensor.glsl"
#include "params/sdpa.h"

layout(constant_id = 3) const bool D_WIDE = false; // rows of q and k are whole fours
layout(constant_id = 4) const bool E_WIDE = false; // rows of v and y are
layout(constant_id = 5) const bool CAUSAL = false;
layout(constant_id = 6) const bool MASK = false;
layout(constant_id = 7) const uint SUBGROUPS = 2;
layout(constant_id = 8) const uint OTHER = 32;   // rows of a stretch; a multiple of N and K
layout(constant_id = 9) const uint COLUMNS = 4;  // matrices side by side along the columns of da, and of db
layout(constant_id = 10) const uint D_DEEP = 64; // d and zeros; a multiple of K and N
layout(constant_id = 11) const uint E_DEEP = 64; // e and zeros
layout(constant_id = 12) const uint M = 16;      // of a matrix
layout(constant_id = 13) const uint N = 16;
layout(constant_id = 14) const uint K = 16;
layout(constant_id = 15) const uint LANES = 32;  // of every subgroup
layout(constant_id = 16) const bool KEYS = false; // own rows are keys, the others queries; else the other way round
const uint OWN = SUBGROUPS * M, THREADS = SUBGROUPS * LANES, WIDE = COLUMNS * N, D_FOURS = D_DEEP / 4, E_FOURS = E_DEEP / 4;
const uint D_STEP = D_FOURS + 2, E_STEP = E_FOURS + 2, P_STEP = OTHER / 4 + 2, S_STEP = OTHER / 4 + 1; // room against bank conflicts
const uint A_LOADS = (OTHER * D_FOURS + THREADS - 1) / THREADS, B_LOADS = (OTHER * E_FOURS + THREADS - 1) / THREADS;
const float MOST = 65504; // of f16
#include "glsl/sdpa_mask.glsl"

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

shared f16vec4 own_as[OWN * D_STEP], own_bs[OWN * E_STEP], other_as[OTHER * D_STEP], other_bs[OTHER * E_STEP];
shared f16vec4 slopes[OWN * P_STEP], weights[KEYS ? OWN * P_STEP : 1];
shared vec4 scores[OWN * S_STEP], alongs[OWN * S_STEP]; // of a subgroup alone; scores at last the sums on their way out

#include "glsl/sdpa_matrix.glsl"
FOUR(own_a_four, own_a_data, own_a4_data, D_WIDE)
FOUR(own_b_four, own_b_data, own_b4_data, E_WIDE)
FOUR(other_a_four, other_a_data, other_a4_data, D_WIDE)
FOUR(other_b_four, other_b_data, other_b4_data, E_WIDE)

// `to`: M own rows times the OTHER rows of the stretch.
#define PRODUCTS(to, own, others, step_, deep)                                                                          \
    {                                                                                                                   \
        SUM all[OTHER / N];                                                                                             \
        [[unroll]] for (uint j = 0; j < OTHER / N; j++) all[j] = SUM(0);                                                \
        for (uint c = 0; c < deep; c += K) {                                                                            \
            LEFT u;                                                                                                     \
            coopMatLoad(u, own, mine * step_ + c / 4, step_, gl_CooperativeMatrixLayoutRowMajor);                       \
            [[unroll]] for (uint j = 0; j < OTHER / N; j++) {                                                           \
                RIGHT w;                                                                                                \
                coopMatLoad(w, others, j * N * step_ + c / 4, step_, gl_CooperativeMatrixLayoutColumnMajor);            \
                all[j] = coopMatMulAdd(u, w, all[j]);                                                                   \
            }                                                                                                           \
        }                                                                                                               \
        [[unroll]] for (uint j = 0; j < OTHER / N; j++)                                                                 \
            coopMatStore(all[j], to, mine * S_STEP + j * N / 4, S_STEP, gl_CooperativeMatrixLayoutRowMajor);            \
    }
// Adds the stretch's rows by their slopes or weights.
#define MIX(sum, by, others, step_, deep)                                                                               \
    for (uint c = 0; c < OTHER; c += K) {                                                                               \
        LEFT u;                                                                                                         \
        coopMatLoad(u, by, mine * P_STEP + c / 4, P_STEP, gl_CooperativeMatrixLayoutRowMajor);                          \
        [[unroll]] for (uint j = 0; j < COLUMNS; j++)                                                                   \
            if (first_column + j * N < deep) {                                                                          \
                RIGHT w;                                                                                                \
                coopMatLoad(w, others, c * step_ + (first_column + j * N) / 4, step_, gl_CooperativeMatrixLayoutRowMajor); \
                sum[j] = coopMatMulAdd(u, w, sum[j]);                                                                   \
            }                                                                                                           \
    }
// One matrix after another. Their numbers must be constants, or they would lie in memory.
#define STORE(sum, first, step, width, WIDE_, put, put4, by)                                                            \
    [[dont_unroll]] for (uint each = 0; each < COLUMNS; each++) {                                                       \
        subgroupBarrier();                                                                                              \
        [[unroll]] for (uint j = 0; j < COLUMNS; j++)                                                                   \
            if (j == each) coopMatStore(sum[j], scores, mine * S_STEP, N / 4, gl_CooperativeMatrixLayoutRowMajor);      \
        subgroupBarrier();                                                                                              \
        for (uint e = lane; e < M * N / 4; e += LANES) {                                                                \
            uint own = own_first + mine + e / (N / 4), c = first_column + each * N + e % (N / 4) * 4, at = first + own * step + c; \
            if (own >= p.own || c >= width) continue;                                                                   \
            vec4 all = scores[mine * S_STEP + e] * (by);                                                                \
            if (WIDE_) put4(at / 4, all);                                                                               \
            else [[unroll]] for (uint l = 0; l < 4; l++)                                                                \
                if (c + l < width) put(at + l, all[l]);                                                                 \
        }                                                                                                               \
    }

void main() {
    uint me = gl_LocalInvocationIndex, lane = gl_SubgroupInvocationID, tile = LINEAR_GROUP, mine = gl_SubgroupID * M;
    uint first_column = tile % p.column_tiles * WIDE;
    uint own_first = tile / p.column_tiles % p.tiles * OWN, z = tile / (p.column_tiles * p.tiles);
    if (z >= p.batch) return;
    uint mask_at = mask_first(z);
    // Weights of many keys are small, and what is smaller than 6e-5 loses digits in f16: without what all of a query's have in common,
    // or half-way between one and their mean. A power of two.
    float grow = KEYS ? exp2(floor(log2(float(p.own)) * 0.5)) : 1;
    // Own rows are k and v, or q and dy; those that pass by the others. What they receive lies as they do.
    uint q_at = rows_first(0, KEYS ? p.other : p.own, z, p.d), k_at = rows_first(1, KEYS ? p.own : p.other, z, p.d);
    uint v_at = rows_first(2, KEYS ? p.own : p.other, z, p.e), dy_at = y_first(KEYS ? p.other : p.own, z);
    uint own_a_at = KEYS ? k_at : q_at, own_a_step = p.step[KEYS ? 1 : 0], own_b_at = KEYS ? v_at : dy_at, own_b_step = KEYS ? p.step[2] : y_step();
    uint other_a_at = KEYS ? q_at : k_at, other_a_step = p.step[KEYS ? 0 : 1], other_b_at = KEYS ? dy_at : v_at, other_b_step = KEYS ? y_step() : p.step[2];
    for (uint e = me; e < OWN * D_FOURS; e += THREADS) {
        uint own = own_first + e / D_FOURS;
        own_as[e / D_FOURS * D_STEP + e % D_FOURS] = own_a_four(own < p.own, own_a_at + own * own_a_step, e % D_FOURS * 4, p.d);
    }
    for (uint e = me; e < OWN * E_FOURS; e += THREADS) {
        uint own = own_first + e / E_FOURS;
        own_bs[e / E_FOURS * E_STEP + e % E_FOURS] = own_b_four(own < p.own, own_b_at + own * own_b_step, e % E_FOURS * 4, p.e);
    }
    SUM sum_a[COLUMNS], sum_b[COLUMNS];
    [[unroll]] for (uint j = 0; j < COLUMNS; j++) sum_a[j] = SUM(0);
    if (KEYS) [[unroll]] for (uint j = 0; j < COLUMNS; j++) sum_b[j] = SUM(0);
    f16vec4 ar[A_LOADS], br[B_LOADS];
    uint begin = CAUSAL && KEYS ? own_first / OTHER * OTHER : 0, end = CAUSAL && !KEYS ? min(p.other, own_first + OWN) : p.other;
    for (uint next = begin;; next += OTHER) { // loads of a stretch fly while the one before is computed
        bool last = next >= end;
        if (!last) {
            [[unroll]] for (uint i = 0; i < A_LOADS; i++) {
                uint e = me + i * THREADS, other = next + e / D_FOURS;
                if (e < OTHER * D_FOURS) ar[i] = other_a_four(other < p.other, other_a_at + other * other_a_step, e % D_FOURS * 4, p.d);
            }
            [[unroll]] for (uint i = 0; i < B_LOADS; i++) {
                uint e = me + i * THREADS, other = next + e / E_FOURS;
                if (e < OTHER * E_FOURS) br[i] = other_b_four(other < p.other, other_b_at + other * other_b_step, e % E_FOURS * 4, p.e);
            }
        }
        if (next != begin) {
            PRODUCTS(scores, own_as, other_as, D_STEP, D_DEEP)
            PRODUCTS(alongs, own_bs, other_bs, E_STEP, E_DEEP)
            subgroupBarrier();
            for (uint e = lane; e < M * OTHER / 4; e += LANES) {
                uint row = mine + e / (OTHER / 4), four = e % (OTHER / 4), own = own_first + row;
                vec4 s = scores[row * S_STEP + four] * p.scale, along = alongs[row * S_STEP + four], about = vec4(0), w;
                if (!KEYS) about = rows(z * p.own + min(own, p.own - 1));
                [[unroll]] for (uint l = 0; l < 4; l++) {
                    uint met = next - OTHER + four * 4 + l, other = min(met, p.other - 1);
                    if (KEYS) about = rows(z * p.other + other);
                    if (MASK) s[l] += mask(mask_at + min(own, p.own - 1) * p.mask_own + other * p.mask_other);
                    bool seen = met < p.other && !(CAUSAL && (KEYS ? own > met : met > own));
                    w[l] = seen ? exp(max(s[l], LEAST) - about.x) : 0;
                    if (KEYS) w[l] *= about.y * grow;
                    along[l] = clamp(w[l] * (along[l] - about.z), -MOST, MOST);
                }
                slopes[row * P_STEP + four] = f16vec4(along);
                if (KEYS) weights[row * P_STEP + four] = f16vec4(min(w, vec4(MOST)));
            }
            subgroupBarrier();
            MIX(sum_a, slopes, other_as, D_STEP, D_DEEP)
            if (KEYS) MIX(sum_b, weights, other_bs, E_STEP, E_DEEP)
        }
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < A_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < OTHER * D_FOURS) other_as[e / D_FOURS * D_STEP + e % D_FOURS] = ar[i];
        }
        [[unroll]] for (uint i = 0; i < B_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < OTHER * E_FOURS) other_bs[e / E_FOURS * E_STEP + e % E_FOURS] = br[i];
        }
        barrier();
    }
    STORE(sum_a, own_a_at, own_a_step, p.d, D_WIDE, da_put, da4_put, p.scale * (KEYS ? 1 / grow : rows(z * p.own + own).y))
    if (KEYS) STORE(sum_b, own_b_at, own_b_step, p.e, E_WIDE, db_put, db4_put, 1 / grow)
}
