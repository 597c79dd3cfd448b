// Matrix products on matrix units. matmul_matrix has several matrices in every subgroup; with WHOLE, for matmul_matrix2, one is as large as the
// workgroup's tile, and the driver divides it.
#include "glsl/tensor.glsl"
#include "params/matmul.h"
#include "glsl/matmul.glsl"
#include "glsl/matmul_tile.glsl"
#include "glsl/eight.glsl"

layout(constant_id = 3) const bool A_TURNED = false; // elements next to each other: of one k, else of one row
layout(constant_id = 4) const bool B_TURNED = true;  // of one k, else of one column
layout(constant_id = 5) const uint A_WIDE = 0;       // a can be read in 1: fours, 2: eights
layout(constant_id = 6) const uint B_WIDE = 0;
layout(constant_id = 7) const bool Y_WIDE = false;   // y can be written in fours
layout(constant_id = 8) const bool BIAS = false;
layout(constant_id = 9) const bool PARTS = false;    // k is split: sums go to scratch memory
#if defined(WHOLE)
layout(constant_id = 10) const uint TALL = 16;       // of the tile, which is one matrix
layout(constant_id = 11) const uint WIDE = 16;
layout(constant_id = 12) const uint THREADS = 32;    // of the workgroup
layout(constant_id = 13) const uint SCOPE = gl_ScopeSubgroup; // of the matrix: all of the workgroup, whichever it says
layout(constant_id = 14) const uint DEEP = 32;       // k of a step
#else
layout(constant_id = 10) const uint DOWN = 2;        // subgroups along the rows
layout(constant_id = 11) const uint ACROSS = 2;      // and along the columns
layout(constant_id = 12) const uint ROWS = 2;        // matrices of a subgroup along the rows
layout(constant_id = 13) const uint COLUMNS = 2;
layout(constant_id = 14) const uint M = 16;          // of a matrix; K divides DEEP
layout(constant_id = 15) const uint N = 16;
layout(constant_id = 16) const uint K = 16;
layout(constant_id = 17) const uint LANES = 32;      // of every subgroup
layout(constant_id = 18) const uint DEEP = 32;       // k of a step
const uint THREADS = DOWN * ACROSS * LANES;
const uint TALL = DOWN * ROWS * M, WIDE = ACROSS * COLUMNS * N; // of the tile
#endif
// Operands lie in shared memory as they do outside, in fours, with room against bank conflicts.
const uint A_STEP = (A_TURNED ? TALL : DEEP) / 4 + 2, B_STEP = (B_TURNED ? WIDE : DEEP) / 4 + 2;
// From one four, or eight, that an invocation loads to its next.
const uint A_EACH = A_WIDE == 2 ? 8 : 4, B_EACH = B_WIDE == 2 ? 8 : 4;
const uint A_LINES = A_TURNED ? 0 : THREADS / (DEEP / A_EACH), A_DEEP = A_TURNED ? THREADS / (TALL / A_EACH) : 0;
const uint B_LINES = B_TURNED ? 0 : THREADS / (DEEP / B_EACH), B_DEEP = B_TURNED ? THREADS / (WIDE / B_EACH) : 0;
const uint A_ALL = TALL * DEEP / A_EACH, B_ALL = WIDE * DEEP / B_EACH;
const uint A_LOADS = (A_ALL + THREADS - 1) / THREADS, B_LOADS = (B_ALL + THREADS - 1) / THREADS;

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_OUT_F32(0, part)
TENSOR_IN(1, a)
TENSOR_IN4(1, a4)
TENSOR_IN(2, b)
TENSOR_IN4(2, b4)
TENSOR_IN8(1, a8)
TENSOR_IN8(2, b8)
TENSOR_IN(3, bias)

shared f16vec4 as[(A_TURNED ? DEEP : TALL) * A_STEP];
shared f16vec4 bs[(B_TURNED ? DEEP : WIDE) * B_STEP];
#if !defined(WHOLE)
const uint ROOM = M * N / 4;
shared vec4 room[DOWN * ACROSS * ROOM]; // sums on their way to y
#endif

// As stored.
#define A_STORED(i) a_data[i]
#define A4_STORED(i) a4_data[i]
#define B_STORED(i) b_data[i]
#define B4_STORED(i) b4_data[i]
PIECE_LOAD(a_four, f16vec4, float16_t, A_STORED, A4_STORED, A_WIDE == 1)
PIECE_LOAD(b_four, f16vec4, float16_t, B_STORED, B4_STORED, B_WIDE == 1)
eight a_load(uint i, uint count) {
    if (A_WIDE < 2) return eight(a_four(i, count), f16vec4(0));
    return count == 0 ? EIGHT_ZEROS : eight_of(a8(i / 8));
}
eight b_load(uint i, uint count) {
    if (B_WIDE < 2) return eight(b_four(i, count), f16vec4(0));
    return count == 0 ? EIGHT_ZEROS : eight_of(b8(i / 8));
}

uint place(bool turned, piece s, uint step) { return turned ? s.k * step + s.line / 4 : s.line * step + s.k / 4; }

#if defined(WHOLE)
#define SUM coopmat<float, SCOPE, TALL, WIDE, gl_MatrixUseAccumulator>
// Called with one sum after another, by whoever holds it.
float with_bias(const in uint row, const in uint column, const in float v, const in uint first) { return v + bias(min(first + column, p.n - 1)); }
float end_one(const in uint row, const in uint column, const in float v, const in uint first_row, const in uint first_column, const in uint y_first) {
    uint i = first_row + row, j = first_column + column, at = y_first + i * p.n + j;
    if (i >= p.m || j >= p.n) return v;
    if (PARTS) part_put(at, v);
    else y_put(at, BIAS ? v + bias(j) : v);
    return v;
}
// A tile that is full is stored as it is; Y_WIDE: its rows begin at multiples of 16 bytes.
void end_all(tile s, SUM sum) {
    uint at = s.y_first + s.row * p.n + s.column;
    if (!Y_WIDE || s.row + TALL > p.m || s.column + WIDE > p.n) {
        coopMatPerElementNV(sum, sum, end_one, s.row, s.column, s.y_first);
    } else if (PARTS) {
        coopMatStore(sum, part_data, at, p.n, gl_CooperativeMatrixLayoutRowMajor);
    } else {
        if (BIAS) coopMatPerElementNV(sum, sum, with_bias, s.column);
        coopMatStore(coopmat<float16_t, SCOPE, TALL, WIDE, gl_MatrixUseAccumulator>(sum), y_data, at, p.n, gl_CooperativeMatrixLayoutRowMajor);
    }
}
#endif

void main() {
    tile s;
    if (!tile_of(LINEAR_GROUP, TALL, WIDE, s)) return;
    uint me = gl_LocalInvocationIndex;
    piece pa = piece_of(A_TURNED, me, A_EACH, DEEP, TALL, s.a_first + s.row * p.a_row + s.begin * p.a_k, p.a_row, p.a_k);
    piece pb = piece_of(B_TURNED, me, B_EACH, DEEP, WIDE, s.b_first + s.column * p.b_column + s.begin * p.b_k, p.b_column, p.b_k);
    eight ra[A_LOADS], rb[B_LOADS];
#if defined(WHOLE)
    SUM sum = SUM(0);
#else
    uint lane = gl_SubgroupInvocationID, down = gl_SubgroupID / ACROSS, across = gl_SubgroupID % ACROSS;
    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum[ROWS * COLUMNS];
    [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++) sum[i] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0);
#endif
    uint steps = (s.end - s.begin + DEEP - 1) / DEEP;
    for (uint step = 0;; step++) { // loads of a step fly while the one before is computed
        if (step < steps) {
            uint deep = s.end - s.begin - step * DEEP;
            [[unroll]] for (uint i = 0; i < A_LOADS; i++) {
                piece n = piece_next(pa, i, A_LINES, A_DEEP, p.a_row, p.a_k);
                if (me + i * THREADS < A_ALL) ra[i] = a_load(n.at, piece_count(A_TURNED, n, p.m - s.row, deep));
            }
            [[unroll]] for (uint i = 0; i < B_LOADS; i++) {
                piece n = piece_next(pb, i, B_LINES, B_DEEP, p.b_column, p.b_k);
                if (me + i * THREADS < B_ALL) rb[i] = b_load(n.at, piece_count(B_TURNED, n, p.n - s.column, deep));
            }
            pa.at += DEEP * p.a_k;
            pb.at += DEEP * p.b_k;
        }
#if defined(WHOLE)
        if (step != 0) {
            coopmat<float16_t, SCOPE, TALL, DEEP, gl_MatrixUseA> u;
            coopmat<float16_t, SCOPE, DEEP, WIDE, gl_MatrixUseB> v;
            if (A_TURNED) coopMatLoad(u, as, 0, A_STEP, gl_CooperativeMatrixLayoutColumnMajor);
            else coopMatLoad(u, as, 0, A_STEP, gl_CooperativeMatrixLayoutRowMajor);
            if (B_TURNED) coopMatLoad(v, bs, 0, B_STEP, gl_CooperativeMatrixLayoutRowMajor);
            else coopMatLoad(v, bs, 0, B_STEP, gl_CooperativeMatrixLayoutColumnMajor);
            sum = coopMatMulAdd(u, v, sum);
        }
#else
        if (step != 0)
            for (uint k = 0; k < DEEP; k += K) {
                coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> u[ROWS];
                [[unroll]] for (uint i = 0; i < ROWS; i++) {
                    uint row = (down * ROWS + i) * M;
                    if (A_TURNED) coopMatLoad(u[i], as, k * A_STEP + row / 4, A_STEP, gl_CooperativeMatrixLayoutColumnMajor);
                    else coopMatLoad(u[i], as, row * A_STEP + k / 4, A_STEP, gl_CooperativeMatrixLayoutRowMajor);
                }
                [[unroll]] for (uint j = 0; j < COLUMNS; j++) {
                    coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> v;
                    uint column = (across * COLUMNS + j) * N;
                    if (B_TURNED) coopMatLoad(v, bs, k * B_STEP + column / 4, B_STEP, gl_CooperativeMatrixLayoutRowMajor);
                    else coopMatLoad(v, bs, column * B_STEP + k / 4, B_STEP, gl_CooperativeMatrixLayoutColumnMajor);
                    [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i * COLUMNS + j] = coopMatMulAdd(u[i], v, sum[i * COLUMNS + j]);
                }
            }
#endif
        if (step == steps) break;
        barrier();
        [[unroll]] for (uint i = 0; i < A_LOADS; i++) {
            uint at = place(A_TURNED, piece_next(pa, i, A_LINES, A_DEEP, 0, 0), A_STEP);
            if (me + i * THREADS < A_ALL) as[at] = ra[i].a;
            if (me + i * THREADS < A_ALL && A_WIDE == 2) as[at + 1] = ra[i].b;
        }
        [[unroll]] for (uint i = 0; i < B_LOADS; i++) {
            uint at = place(B_TURNED, piece_next(pb, i, B_LINES, B_DEEP, 0, 0), B_STEP);
            if (me + i * THREADS < B_ALL) bs[at] = rb[i].a;
            if (me + i * THREADS < B_ALL && B_WIDE == 2) bs[at + 1] = rb[i].b;
        }
        barrier();
    }
#if defined(WHOLE)
    end_all(s, sum);
#else
    // One matrix after another. Their numbers must be constants, or they would lie in memory.
    [[dont_unroll]] for (uint each = 0; each < ROWS * COLUMNS; each++) {
        [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++)
            if (i == each) coopMatStore(sum[i], room, gl_SubgroupID * ROOM, N / 4, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();
        uint first_row = s.row + (down * ROWS + each / COLUMNS) * M, first_column = s.column + (across * COLUMNS + each % COLUMNS) * N;
        [[dont_unroll]] for (uint e = lane; e < ROOM; e += LANES) {
            uint row = first_row + e / (N / 4), column = first_column + e % (N / 4) * 4, at = s.y_first + row * p.n + column;
            vec4 v = room[gl_SubgroupID * ROOM + e];
            if (row >= p.m || column >= p.n) continue;
            if (BIAS && !PARTS) [[unroll]] for (uint l = 0; l < 4; l++) v[l] += bias(min(column + l, p.n - 1));
            if (Y_WIDE && !PARTS) y4_put(at / 4, v);
            else [[unroll]] for (uint l = 0; l < 4; l++) {
                if (column + l >= p.n) break;
                if (PARTS) part_put(at + l, v[l]);
                else y_put(at + l, v[l]);
            }
        }
        subgroupBarrier();
    }
#endif
}
