#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
//! kernel sdpa_matrix    attention on matrix units: M queries per subgroup, the keys in stretches, with a running maximum and sum
//! variants DTYPE=f16
//! needs cooperative_matrix
#include "glsl/tensor.glsl"
#include "params/sdpa.h"

layout(constant_id = 3) const bool D_WIDE = false; // rows of q and k are whole fours
layout(constant_id = 4) const bool E_WIDE = false; // rows of v and y are
layout(constant_id = 5) const bool CAUSAL = false;
layout(constant_id = 6) const bool MASK = false;
layout(constant_id = 7) const uint SUBGROUPS = 4;
layout(constant_id = 8) const uint OTHER = 32;   // keys of a stretch; a multiple of N, K and of fours for all lanes of a row
layout(constant_id = 9) const uint COLUMNS = 4;  // matrices side by side along the columns of v
layout(constant_id = 10) const uint DEEP = 64;   // d and zeros; a multiple of K
layout(constant_id = 11) const uint M = 16;      // of a matrix
layout(constant_id = 12) const uint N = 16;
layout(constant_id = 13) const uint K = 16;
layout(constant_id = 14) const uint LANES = 32;  // of every subgroup
const uint OWN = SUBGROUPS * M, THREADS = SUBGROUPS * LANES, WIDE = COLUMNS * N, D_FOURS = DEEP / 4, E_FOURS = WIDE / 4;
const uint D_STEP = D_FOURS + 2, E_STEP = E_FOURS + 2, P_STEP = OTHER / 4 + 2, S_STEP = OTHER / 4 + 1; // room against bank conflicts
const uint K_LOADS = (OTHER * D_FOURS + THREADS - 1) / THREADS, V_LOADS = (OTHER * E_FOURS + THREADS - 1) / THREADS;
const uint SIDE = LANES > M ? LANES / M : 1, ROUNDS = M * SIDE / LANES; // lanes that share a row of scores, rows that a lane has a part of
const uint CHUNK = OTHER / SIDE / 4;                                    // fours of a row that a lane has
const uint HELD = DEEP / K <= 4 ? DEEP / K : 1;                         // matrices of queries in registers, where those are few
#include "glsl/sdpa_mask.glsl"

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, q)
TENSOR_IN4(1, q4)
TENSOR_IN(2, k)
TENSOR_IN4(2, k4)
TENSOR_IN(3, v)
TENSOR_IN4(3, v4)
TENSOR_IN(4, mask)

// Queries, then keys and values; where queries are held in registers their room is the keys' too.
const uint Q_ROOM = OWN * D_STEP, KV_ROOM = OTHER * (D_STEP + E_STEP), KS = DEEP / K == HELD ? 0 : Q_ROOM, VS = KS + OTHER * D_STEP;
shared f16vec4 rows[KS > 0 ? Q_ROOM + KV_ROOM : Q_ROOM > KV_ROOM ? Q_ROOM : KV_ROOM];
shared f16vec4 weights[OWN * P_STEP];
shared vec4 scores[OWN * S_STEP]; // of a subgroup alone; then what its sums shrink by, and at last the sums on their way to y
shared float part[THREADS], by_row[OWN];

#include "glsl/sdpa_matrix.glsl"
FOUR(q_four, q_data, q4_data, D_WIDE)
FOUR(k_four, k_data, k4_data, D_WIDE)
FOUR(v_four, v_data, v4_data, E_WIDE)

// Queries, K of their numbers, with all keys of a stretch.
#define SCORE(queries)                                                                                                  \
    [[unroll]] for (uint j = 0; j < OTHER / N; j++) {                                                                   \
        RIGHT w;                                                                                                        \
        coopMatLoad(w, rows, KS + j * N * D_STEP + c * K / 4, D_STEP, gl_CooperativeMatrixLayoutColumnMajor);                  \
        score[j] = coopMatMulAdd(queries, w, score[j]);                                                                 \
    }

void main() {
    uint me = gl_LocalInvocationIndex, lane = gl_SubgroupInvocationID, tile = LINEAR_GROUP, mine = gl_SubgroupID * M;
    uint first_column = tile % p.column_tiles * WIDE;
    uint own_first = tile / p.column_tiles % p.tiles * OWN, z = tile / (p.column_tiles * p.tiles);
    if (z >= p.batch) return;
    uint mask_at = mask_first(z), side = lane % SIDE;
    uint q_at = rows_first(0, p.own, z, p.d), k_at = rows_first(1, p.other, z, p.d), v_at = rows_first(2, p.other, z, p.e);
    for (uint e = me; e < OWN * D_FOURS; e += THREADS) {
        uint own = own_first + e / D_FOURS;
        rows[e / D_FOURS * D_STEP + e % D_FOURS] = q_four(own < p.own, q_at + own * p.step[0], e % D_FOURS * 4, p.d);
    }
    barrier();
    LEFT held[HELD];
    if (DEEP / K == HELD)
        [[unroll]] for (uint c = 0; c < HELD; c++) coopMatLoad(held[c], rows, mine * D_STEP + c * K / 4, D_STEP, gl_CooperativeMatrixLayoutRowMajor);
    SUM mix_[COLUMNS];
    [[unroll]] for (uint j = 0; j < COLUMNS; j++) mix_[j] = SUM(0);
    float most[ROUNDS], sum[ROUNDS];
    [[unroll]] for (uint r = 0; r < ROUNDS; r++) most[r] = LEAST, sum[r] = 0;
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
            uint first = next - OTHER;
            SUM score[OTHER / N];
            [[unroll]] for (uint j = 0; j < OTHER / N; j++) score[j] = SUM(0);
            if (DEEP / K == HELD)
                [[unroll]] for (uint c = 0; c < HELD; c++) SCORE(held[c])
            else
                [[dont_unroll]] for (uint c = 0; c < DEEP / K; c++) {
                    coopMatLoad(held[0], rows, mine * D_STEP + c * K / 4, D_STEP, gl_CooperativeMatrixLayoutRowMajor);
                    SCORE(held[0])
                }
            [[unroll]] for (uint j = 0; j < OTHER / N; j++)
                coopMatStore(score[j], scores, mine * S_STEP + j * N / 4, S_STEP, gl_CooperativeMatrixLayoutRowMajor);
            subgroupBarrier();
            float top[ROUNDS];
            [[unroll]] for (uint r = 0; r < ROUNDS; r++) {
                uint row = lane / SIDE + r * LANES, own = own_first + mine + row;
                top[r] = LEAST;
                [[unroll]] for (uint f = 0; f < CHUNK; f++) {
                    uint at = (mine + row) * S_STEP + side * CHUNK + f, key = first + (side * CHUNK + f) * 4;
                    vec4 s = scores[at] * p.scale;
                    [[unroll]] for (uint l = 0; l < 4; l++) {
                        if (MASK) s[l] += mask(mask_at + min(own, p.own - 1) * p.mask_own + min(key + l, p.other - 1) * p.mask_other);
                        if (key + l >= p.other || (CAUSAL && key + l > own)) s[l] = LEAST;
                    }
                    scores[at] = s = max(s, vec4(LEAST));
                    top[r] = max(top[r], max(max(s.x, s.y), max(s.z, s.w)));
                }
            }
            if (SIDE > 1) { // then there is one round
                part[me] = top[0];
                subgroupBarrier();
                [[unroll]] for (uint i = 0; i < SIDE; i++) top[0] = max(top[0], part[me - side + i]);
            }
            // What was summed so far shrinks where a new maximum appears.
            float by[ROUNDS];
            [[unroll]] for (uint r = 0; r < ROUNDS; r++) {
                uint row = lane / SIDE + r * LANES;
                top[r] = max(top[r], most[r]);
                by[r] = exp(most[r] - top[r]);
                most[r] = top[r];
                sum[r] *= by[r];
                [[unroll]] for (uint f = 0; f < CHUNK; f++) {
                    vec4 s = scores[(mine + row) * S_STEP + side * CHUNK + f];
                    f16vec4 w = f16vec4(mix(vec4(0), exp(s - top[r]), greaterThan(s, vec4(LEAST))));
                    weights[(mine + row) * P_STEP + side * CHUNK + f] = w;
                    sum[r] += dot(vec4(w), vec4(1)); // as they are multiplied
                }
            }
            subgroupBarrier();
            [[unroll]] for (uint r = 0; r < ROUNDS; r++)
                for (uint f = side; f < N / 4; f += SIDE) scores[mine * S_STEP + (lane / SIDE + r * LANES) * (N / 4) + f] = vec4(by[r]);
            subgroupBarrier();
            SUM shrink;
            coopMatLoad(shrink, scores, mine * S_STEP, N / 4, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint j = 0; j < COLUMNS; j++) mix_[j] = mix_[j] * shrink;
            for (uint c = 0; c < OTHER / K; c++) {
                LEFT u;
                coopMatLoad(u, weights, mine * P_STEP + c * K / 4, P_STEP, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint j = 0; j < COLUMNS; j++) {
                    RIGHT w;
                    coopMatLoad(w, rows, VS + c * K * E_STEP + j * N / 4, E_STEP, gl_CooperativeMatrixLayoutRowMajor);
                    mix_[j] = coopMatMulAdd(u, w, mix_[j]);
                }
            }
        }
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < K_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < OTHER * D_FOURS) rows[KS + e / D_FOURS * D_STEP + e % D_FOURS] = kr[i];
        }
        [[unroll]] for (uint i = 0; i < V_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < OTHER * E_FOURS) rows[VS + e / E_FOURS * E_STEP + e % E_FOURS] = vr[i];
        }
        barrier();
    }
    [[unroll]] for (uint r = 0; r < ROUNDS; r++) {
        float all = sum[r];
        if (SIDE > 1) {
            part[me] = all;
            subgroupBarrier();
            all = 0;
            [[unroll]] for (uint i = 0; i < SIDE; i++) all += part[me - side + i];
        }
        if (side == 0) by_row[mine + lane / SIDE + r * LANES] = all > 0 ? 1 / all : 0; // 0: a query that sees nothing
    }
    // One matrix after another. Their numbers must be constants, or they would lie in memory.
    [[dont_unroll]] for (uint each = 0; each < COLUMNS; each++) {
        subgroupBarrier();
        [[unroll]] for (uint j = 0; j < COLUMNS; j++)
            if (j == each) coopMatStore(mix_[j], scores, mine * S_STEP, N / 4, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();
        for (uint e = lane; e < M * N / 4; e += LANES) {
            uint row = mine + e / (N / 4), own = own_first + row, c = first_column + each * N + e % (N / 4) * 4, at = y_first(p.own, z) + own * y_step() + c;
            if (own >= p.own || c >= p.e) continue;
            vec4 all = scores[mine * S_STEP + e] * by_row[row];
            if (E_WIDE) y4_put(at / 4, all);
            else [[unroll]] for (uint l = 0; l < 4; l++)
                if (c + l < p.e) y_put(at + l, all[l]);
        }
    }
}
