// Convolution on matrix units, of conv_matrix.comp and conv_matrix_split.comp: pixels by channels, ROWS x COLUMNS matrices of M x N per subgroup.
// WHOLE, of conv_matrix2.comp and conv_matrix2_split.comp: one matrix of the workgroup's tile, with a gate two of half of it.
// SPLIT: the sums are cut into parts, each of other taps and input channels, and written in f32 as they are; see engine/ops/conv_emit.h.
layout(constant_id = OWN) const uint WIDE_IN = 0;          // inputs can be read in 1: fours, 2: eights
layout(constant_id = OWN + 1) const uint WIDE_OUT = 0;     // weights and outputs too
#if defined(WHOLE)
layout(constant_id = OWN + 2) const uint TALL = 16;        // pixels of the tile
layout(constant_id = OWN + 3) const uint WIDE = 16;        // and channels; with a gate the second half are gates
layout(constant_id = OWN + 4) const uint THREADS = 32;     // of the workgroup
layout(constant_id = OWN + 5) const uint SCOPE = gl_ScopeSubgroup; // of the matrices: all of the workgroup, whichever it says
layout(constant_id = OWN + 6) const uint DEEP = 32;        // (tap, input channel) of a step
#if defined(SPLIT)
layout(constant_id = OWN + 7) const uint PARTS = 1;        // into which the sums are cut
#endif
#else
layout(constant_id = OWN + 2) const uint DOWN = 2;         // subgroups along the pixels
layout(constant_id = OWN + 3) const uint ACROSS = 2;       // and along the channels
layout(constant_id = OWN + 4) const uint ROWS = 2;         // matrices of a subgroup along the pixels
layout(constant_id = OWN + 5) const uint COLUMNS = 2;      // and along the channels; even with a gate
layout(constant_id = OWN + 6) const uint M = 16;           // of a matrix; K divides DEEP
layout(constant_id = OWN + 7) const uint N = 16;
layout(constant_id = OWN + 8) const uint K = 16;
layout(constant_id = OWN + 9) const uint LANES = 32;       // of every subgroup
layout(constant_id = OWN + 10) const uint DEEP = 32;       // (tap, input channel) of a step
#if defined(SPLIT)
layout(constant_id = OWN + 11) const uint PARTS = 1;       // into which the sums are cut
#endif
const uint THREADS = DOWN * ACROSS * LANES, TALL = DOWN * ROWS * M, WIDE = ACROSS * COLUMNS * N;
#endif
#if defined(SPLIT)
const bool GATES = false; // both halves end alike
layout(set = 0, binding = 0, std430) writeonly restrict buffer sums_t { float sums[]; };
layout(set = 0, binding = 0, std430) writeonly restrict buffer sums4_t { vec4 sums4[]; };
#else
const uint PARTS = 1;
const bool GATES = GATE; // a matrix ends together with its gates
#endif
const uint X_FOURS = DEEP / 4, W_FOURS = WIDE / 4;
const uint X_EACH = WIDE_IN == 2 ? 2 : 1, W_EACH = WIDE_OUT == 2 ? 2 : 1, X_LINE = X_FOURS / X_EACH, W_LINE = W_FOURS / W_EACH; // fours of a load
const uint X_LOADS = (TALL * X_LINE + THREADS - 1) / THREADS, W_LOADS = (DEEP * W_LINE + THREADS - 1) / THREADS;
const uint X_STEP = X_FOURS + 2, W_STEP = W_FOURS + 2; // room against bank conflicts

#include "glsl/eight.glsl"
TENSOR_IN8(1, x8)
TENSOR_IN8(2, w8)

shared f16vec4 xs[TALL * X_STEP]; // [pixel][k]
shared f16vec4 ws[DEEP * W_STEP]; // [k][channel]

// As in conv_tile: where in w the channels of a row of the step begin, the input position relative to the first tap's, the
// input channel; ~0: past the last row.
shared uvec4 plan[DEEP];
uvec4 depth(tile s, uint k, uint deep) {
    if (k >= deep) return uvec4(0, 0, 0, ~0u);
    uint t = k / p.ci_group, c = k - t * p.ci_group;
    int a = int(t) / s.tx.count, b = int(t) - a * s.tx.count;
    return uvec4(tile_tap(s, a, b) * p.w_tap + c * p.w_ci, a * p.tap[0], b * p.tap[1], c);
}

// Where in x row k of the step lies for a pixel, -1: nowhere, which is zero.
int x_place(tile s, ivec2 first, uvec4 d) {
    int hi = conv_at(0, first.x + int(d.y)), wi = conv_at(1, first.y + int(d.z));
    if (hi < 0 || wi < 0 || d.w == ~0u) return -1;
    return int(((s.n * p.hi + hi) * p.wi + wi) * p.ci + s.x_at + d.w);
}
const float MOST = 65504; // of f16, which a style may leave
float16_t x_one(tile s, ivec2 first, uint k) {
    uvec4 d = plan[k];
    int i = x_place(s, first, d);
    if (i < 0) return float16_t(0);
    return scaled() ? float16_t(clamp(x_at(uint(i), s.n, s.x_at + d.w), -MOST, MOST)) : x_data[i];
}
f16vec4 styled(f16vec4 v, tile s, uint c) { return f16vec4(clamp(vec4(v) * s4((s.n * p.ci + c) / 4), -MOST, MOST)); }
eight x_some(tile s, ivec2 first, uint k) {
    eight all = EIGHT_ZEROS;
    if (WIDE_IN == 0) {
        all.a = f16vec4(x_one(s, first, k), x_one(s, first, k + 1), x_one(s, first, k + 2), x_one(s, first, k + 3));
        return all;
    }
    uvec4 d = plan[k];
    int i = x_place(s, first, d);
    if (i < 0) return all;
    if (WIDE_IN == 1) all.a = x4_data[i / 4];
    else all = eight_of(x8_data[i / 8]);
    if (scaled()) all.a = styled(all.a, s, s.x_at + d.w);
    if (scaled() && WIDE_IN == 2) all.b = styled(all.b, s, s.x_at + d.w + 4);
    return all;
}
eight w_some(tile s, uint k, uint u) {
    eight all = EIGHT_ZEROS;
    uvec4 d = plan[k];
    if (d.w == ~0u) return all;
    uint at = d.x + tile_column(s, u, WIDE);
    if (WIDE_OUT == 2) all = eight_of(w8_data[at / 8]);
    else if (WIDE_OUT == 1) all.a = w4_data[at / 4];
    else all.a = f16vec4(w_data[at], w_data[d.x + tile_column(s, u + 1, WIDE)], w_data[d.x + tile_column(s, u + 2, WIDE)],
                         w_data[d.x + tile_column(s, u + 3, WIDE)]);
    return all;
}

#if defined(WHOLE)
#include "glsl/conv_matrix_whole.glsl"
#else
const uint OUT = GATE ? COLUMNS / 2 : COLUMNS, ENDS = GATES ? OUT : COLUMNS, ROOM = M * N / 4;
shared vec4 room[DOWN * ACROSS * ROOM * (GATES ? 2 : 1)]; // sums on their way to the epilogue

// The first column of a subgroup's matrix: gates lie in the second half of the tile.
uint block(uint across, uint j) {
    if (!GATE) return (across * COLUMNS + j) * N;
    return (j < OUT ? across * OUT + j : (ACROSS + across) * OUT + j - OUT) * N;
}

// What becomes of four sums of a pixel and their gates: channels c.. of y, which begins at `at` there, or, with `gate` in a split, their gates.
#if defined(SPLIT)
void end_four(tile s, uint at, uint c, bool gates, vec4 v, vec4 gate) {
    uint all = GATE ? 2 * p.co : p.co, pixel = at / p.co + LINEAR_GROUP % PARTS * (p.n * p.ho * p.wo), to = pixel * all + c + (gates ? p.co : 0);
    if (WIDE_OUT > 0) sums4[to / 4] = v;
    else [[unroll]] for (uint l = 0; l < 4; l++)
        if (c + l < s.end) sums[to + l] = v[l];
}
#else
void end_four(tile s, uint at, uint c, bool gates, vec4 v, vec4 gate) {
    [[dont_unroll]] for (uint l = 0; l < 4; l++) { // moves along: the epilogue is too long to be unrolled
        float f = c + l < s.end ? finish(v.x, gate.x, at + c + l, c + l) : 0;
        v = vec4(v.yzw, f), gate = gate.yzwx;
        if (WIDE_OUT == 0 && c + l < s.end) y_put(at + c + l, f);
    }
    if (WIDE_OUT > 0) y4_put((at + c) / 4, v);
}
#endif
#endif

void main() {
    tile s;
    if (!tile_of(LINEAR_GROUP / PARTS, TALL, WIDE, s)) return;
    uint me = gl_LocalInvocationIndex;
    int pixels = s.rows * s.columns;
    uint deep = uint(s.ty.count * s.tx.count) * p.ci_group, begin = 0;
    if (PARTS > 1) {
        uint each = ((deep + DEEP - 1) / DEEP + PARTS - 1) / PARTS * DEEP;
        begin = LINEAR_GROUP % PARTS * each;
        deep = min(deep, begin + each);
    }
    ivec2 first[X_LOADS]; // input position of the first tap
    eight xr[X_LOADS], wr[W_LOADS];
    [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
        int j = min(s.first_pixel + int((me + i * THREADS) / X_LINE), pixels - 1), row = j / s.columns;
        first[i] = ivec2(s.ty.at + row * p.stride[0], s.tx.at + (j - row * s.columns) * p.stride[1]);
    }
    if (me < DEEP) plan[me] = depth(s, begin + me, deep);
    if (me + THREADS < DEEP) plan[me + THREADS] = depth(s, begin + me + THREADS, deep);
    barrier();
#if defined(WHOLE)
    SUM sum = SUM(0), gate = SUM(0);
#else
    uint lane = gl_SubgroupInvocationID, down = gl_SubgroupID / ACROSS, across = gl_SubgroupID % ACROSS;
    coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum[ROWS * COLUMNS];
    [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++) sum[i] = coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>(0);
#endif
    for (uint k0 = begin;; k0 += DEEP) { // loads of a step fly while the one before is computed
        bool last = k0 >= deep;
        if (!last) {
            [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
                uint e = me + i * THREADS;
                if (e < TALL * X_LINE) xr[i] = x_some(s, first[i], e % X_LINE * X_EACH * 4);
            }
            [[unroll]] for (uint i = 0; i < W_LOADS; i++) {
                uint e = me + i * THREADS;
                if (e < DEEP * W_LINE) wr[i] = w_some(s, e / W_LINE, e % W_LINE * W_EACH * 4);
            }
        }
#if defined(WHOLE)
        if (k0 != begin) multiply(sum, gate);
#else
        if (k0 != begin)
            for (uint k = 0; k < DEEP; k += K) {
                coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> u[ROWS];
                [[unroll]] for (uint i = 0; i < ROWS; i++)
                    coopMatLoad(u[i], xs, (down * ROWS + i) * M * X_STEP + k / 4, X_STEP, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint j = 0; j < COLUMNS; j++) {
                    coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> v;
                    coopMatLoad(v, ws, k * W_STEP + block(across, j) / 4, W_STEP, gl_CooperativeMatrixLayoutRowMajor);
                    [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i * COLUMNS + j] = coopMatMulAdd(u[i], v, sum[i * COLUMNS + j]);
                }
            }
#endif
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
            uint e = me + i * THREADS, at = e / X_LINE * X_STEP + e % X_LINE * X_EACH;
            if (e < TALL * X_LINE) xs[at] = xr[i].a;
            if (e < TALL * X_LINE && X_EACH == 2) xs[at + 1] = xr[i].b;
        }
        [[unroll]] for (uint i = 0; i < W_LOADS; i++) {
            uint e = me + i * THREADS, at = e / W_LINE * W_STEP + e % W_LINE * W_EACH;
            if (e < DEEP * W_LINE) ws[at] = wr[i].a;
            if (e < DEEP * W_LINE && W_EACH == 2) ws[at + 1] = wr[i].b;
        }
        if (me < DEEP) plan[me] = depth(s, k0 + DEEP + me, deep);
        if (me + THREADS < DEEP) plan[me + THREADS] = depth(s, k0 + DEEP + me + THREADS, deep);
        barrier();
    }
#if defined(WHOLE)
    end_all(s, sum, gate);
#else
    // One matrix after another, or one and its gates. Their numbers must be constants, or they would lie in memory.
    uint mine = gl_SubgroupID * ROOM * (GATES ? 2 : 1);
    [[dont_unroll]] for (uint each = 0; each < ROWS * ENDS; each++) {
        [[unroll]] for (uint i = 0; i < ROWS * ENDS; i++)
            if (i == each) {
                coopMatStore(sum[i / ENDS * COLUMNS + i % ENDS], room, mine, N / 4, gl_CooperativeMatrixLayoutRowMajor);
                if (GATES) coopMatStore(sum[i / ENDS * COLUMNS + (i % ENDS + OUT) % COLUMNS], room, mine + ROOM, N / 4, gl_CooperativeMatrixLayoutRowMajor);
            }
        subgroupBarrier();
        uint column = each % ENDS;
        bool gates = GATE && column >= OUT;
        [[dont_unroll]] for (uint e = lane; e < ROOM; e += LANES) {
            int j = s.first_pixel + int((down * ROWS + each / ENDS) * M + e / (N / 4));
            uint c = s.c + (across * OUT + column - (gates ? OUT : 0)) * N + e % (N / 4) * 4;
            if (j < pixels && c < s.end) end_four(s, tile_pixel(s, j), c, gates, room[mine + e], GATES ? room[mine + ROOM + e] : vec4(0));
        }
        subgroupBarrier();
    }
#endif
}
