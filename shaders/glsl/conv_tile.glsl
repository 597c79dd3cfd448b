// The tiled convolution, of conv_tile.comp and conv_tile_split.comp: pixels by channels, ROWS x QUADS x 4 per invocation. SPLIT: the sums are
// cut into parts, each of other taps and input channels, and written in f32 as they are; see engine/ops/conv_emit.h.
layout(constant_id = OWN) const uint ACROSS = 8;  // invocations along the channels; the others lie along the pixels
layout(constant_id = OWN + 1) const uint ROWS = 8;   // pixels of an invocation
layout(constant_id = OWN + 2) const uint QUADS = 1;  // fours of channels of an invocation; even with a gate
layout(constant_id = OWN + 3) const bool WIDE_IN = false;  // inputs can be read in fours
layout(constant_id = OWN + 4) const bool WIDE_OUT = false; // weights and outputs too
#if defined(SPLIT)
layout(constant_id = OWN + 5) const uint PARTS = 1; // into which the sums are cut
#else
const uint PARTS = 1;
#endif
layout(constant_id = 0) const uint THREADS = 64;
const uint DEEP = 4; // fours of (tap, input channel) in a step
const uint DOWN = THREADS / ACROSS, TALL = DOWN * ROWS, WIDE = ACROSS * QUADS;
const uint X_LOADS = (TALL * DEEP + THREADS - 1) / THREADS, W_LOADS = (WIDE * DEEP * 4 + THREADS - 1) / THREADS;
const uint OUT = GATE ? QUADS / 2 : QUADS;

shared vec4 xs[DEEP * TALL];
shared vec4 ws[DEEP * 4 * WIDE];

// What the rows of a step stand for: where in w their channels begin, the input position relative to that of the first
// tap, and the input channel; ~0: past the last row. Worked out once for all invocations, because of the divisions.
shared uvec4 plan[DEEP * 4];
uvec4 depth(tile s, uint k, uint deep) {
    if (k >= deep) return uvec4(0, 0, 0, ~0u);
    uint t = k / p.ci_group, c = k - t * p.ci_group;
    int a = int(t) / s.tx.count, b = int(t) - a * s.tx.count;
    return uvec4(tile_tap(s, a, b) * p.w_tap + c * p.w_ci, a * p.tap[0], b * p.tap[1], c);
}

// Where in x row k of the step lies for a pixel, -1: nowhere, which is zero.
int x_place(tile s, int h, int v, uint k) {
    uvec4 d = plan[k];
    int hi = conv_at(0, h + int(d.y)), wi = conv_at(1, v + int(d.z));
    if (hi < 0 || wi < 0 || d.w == ~0u) return -1;
    return int(((s.n * p.hi + hi) * p.wi + wi) * p.ci + s.x_at + d.w);
}
vec4 x_four(tile s, int h, int v, uint quad) {
    vec4 all = vec4(0);
    if (WIDE_IN) {
        int i = x_place(s, h, v, quad * 4);
        if (i >= 0) all = x4_at(uint(i), s.n, s.x_at + plan[quad * 4].w);
    } else
        [[dont_unroll]] for (uint l = 0; l < 4; l++) {
            int i = x_place(s, h, v, quad * 4 + l);
            all = vec4(all.yzw, 0); // moves along, because an index would put it into memory
            if (i >= 0) all.w = x_at(uint(i), s.n, s.x_at + plan[quad * 4 + l].w);
        }
    return all;
}
vec4 w_four(tile s, uint k, uint quad) {
    uvec4 d = plan[k];
    if (d.w == ~0u) return vec4(0);
    if (WIDE_OUT) return w4((d.x + tile_column(s, quad * 4, WIDE * 4)) / 4);
    vec4 all = vec4(0);
    [[dont_unroll]] for (uint l = 0; l < 4; l++) all = vec4(all.yzw, w(d.x + tile_column(s, quad * 4 + l, WIDE * 4)));
    return all;
}

// What becomes of an invocation's quad q of a pixel, with its gate; `at`: where the pixel begins in y.
#if defined(SPLIT)
const uint ENDS = QUADS;
layout(set = 0, binding = 0, std430) writeonly restrict buffer sums_t { float sums[]; };
layout(set = 0, binding = 0, std430) writeonly restrict buffer sums4_t { vec4 sums4[]; };
void tile_end(tile s, uint at, uint tx, uint q, vec4 v, vec4 gate) {
    bool gates = GATE && q >= OUT;
    uint all = GATE ? 2 * p.co : p.co, pixel = at / p.co + LINEAR_GROUP % PARTS * (p.n * p.ho * p.wo);
    uint c = s.c + (tx + (gates ? q - OUT : q) * ACROSS) * 4, to = pixel * all + c + (gates ? p.co : 0);
    if (WIDE_OUT && c < s.end) sums4[to / 4] = v;
    if (!WIDE_OUT)
        [[dont_unroll]] for (uint l = 0; l < 4; l++, v = v.yzwx)
            if (c + l < s.end) sums[to + l] = v.x;
}
#else
const uint ENDS = OUT;
void tile_end(tile s, uint at, uint tx, uint q, vec4 v, vec4 gate) {
    uint c = s.c + (tx + q * ACROSS) * 4;
    [[dont_unroll]] for (uint l = 0; l < 4; l++) {
        float f = c + l < s.end ? finish(v.x, gate.x, at + c + l, c + l) : 0;
        v = vec4(v.yzw, f), gate = gate.yzwx;
        if (!WIDE_OUT && c + l < s.end) y_put(at + c + l, f);
    }
    if (WIDE_OUT && c < s.end) y4_put((at + c) / 4, v);
}
#endif

void main() {
    tile s;
    if (!tile_of(LINEAR_GROUP / PARTS, TALL, WIDE * 4, s)) return;
    uint me = gl_LocalInvocationIndex, tx = me % ACROSS, ty = me / ACROSS;
    int pixels = s.rows * s.columns, h0[X_LOADS], w0[X_LOADS];
    uint deep = uint(s.ty.count * s.tx.count) * p.ci_group, begin = 0;
    if (PARTS > 1) {
        const uint step_ = DEEP * 4;
        uint each = ((deep + step_ - 1) / step_ + PARTS - 1) / PARTS * step_;
        begin = LINEAR_GROUP % PARTS * each;
        deep = min(deep, begin + each);
    }
    vec4 sum[ROWS * QUADS], xr[X_LOADS], wr[W_LOADS];
    [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
        int j = min(s.first_pixel + int((me + i * THREADS) / DEEP), pixels - 1);
        int row = j / s.columns;
        h0[i] = s.ty.at + row * p.stride[0];
        w0[i] = s.tx.at + (j - row * s.columns) * p.stride[1];
    }
    if (me < DEEP * 4) plan[me] = depth(s, begin + me, deep);
    barrier();
    [[unroll]] for (uint i = 0; i < ROWS * QUADS; i++) sum[i] = vec4(0);
    for (uint k0 = begin;; k0 += DEEP * 4) { // loads of a step fly while the one before is computed
        bool last = k0 >= deep;
        if (!last && WIDE_IN)
            [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
                uint e = me + i * THREADS;
                if (e < TALL * DEEP) xr[i] = x_four(s, h0[i], w0[i], e % DEEP);
            }
        else if (!last) // no loop that holds another is unrolled by compilers, and an index that is no constant puts arrays into memory
            [[dont_unroll]] for (uint i = 0; i < X_LOADS; i++) {
                uint e = me + i * THREADS;
                int h = h0[0], v = w0[0];
                vec4 all = vec4(0);
                if (e < TALL * DEEP) all = x_four(s, h, v, e % DEEP);
                [[unroll]] for (uint k = 0; k < X_LOADS - 1; k++) h0[k] = h0[k + 1], w0[k] = w0[k + 1], xr[k] = xr[k + 1];
                h0[X_LOADS - 1] = h, w0[X_LOADS - 1] = v, xr[X_LOADS - 1] = all;
            }
        if (!last && WIDE_OUT)
            [[unroll]] for (uint i = 0; i < W_LOADS; i++) {
                uint e = me + i * THREADS;
                if (e < WIDE * DEEP * 4) wr[i] = w_four(s, e / WIDE, e % WIDE);
            }
        else if (!last)
            [[dont_unroll]] for (uint i = 0; i < W_LOADS; i++) {
                uint e = me + i * THREADS;
                vec4 all = vec4(0);
                if (e < WIDE * DEEP * 4) all = w_four(s, e / WIDE, e % WIDE);
                [[unroll]] for (uint k = 0; k < W_LOADS - 1; k++) wr[k] = wr[k + 1];
                wr[W_LOADS - 1] = all;
            }
        if (k0 != begin)
            for (uint k = 0; k < DEEP; k++) {
                vec4 v[ROWS];
                [[unroll]] for (uint i = 0; i < ROWS; i++) v[i] = xs[k * TALL + ty + i * DOWN];
                [[unroll]] for (uint l = 0; l < 4; l++) {
                    vec4 u[QUADS];
                    [[unroll]] for (uint q = 0; q < QUADS; q++) u[q] = ws[(k * 4 + l) * WIDE + tx + q * ACROSS];
                    [[unroll]] for (uint i = 0; i < ROWS; i++)
                        [[unroll]] for (uint q = 0; q < QUADS; q++) sum[i * QUADS + q] = fma(vec4(v[i][l]), u[q], sum[i * QUADS + q]);
                }
            }
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < TALL * DEEP) xs[e % DEEP * TALL + e / DEEP] = xr[i];
        }
        [[unroll]] for (uint i = 0; i < W_LOADS; i++) {
            uint e = me + i * THREADS;
            if (e < WIDE * DEEP * 4) ws[e] = wr[i];
        }
        if (me < DEEP * 4) plan[me] = depth(s, k0 + DEEP * 4 + me, deep);
        barrier();
    }
    [[dont_unroll]] for (uint i = 0; i < ROWS; i++) { // all of them move along: the epilogue is too long to be unrolled
        int j = s.first_pixel + int(ty + i * DOWN);
        if (j >= pixels) return;
        uint at = tile_pixel(s, j);
        vec4 row[QUADS];
        [[unroll]] for (uint q = 0; q < QUADS; q++) row[q] = sum[q];
        [[unroll]] for (uint k = 0; k < (ROWS - 1) * QUADS; k++) sum[k] = sum[k + QUADS];
        [[dont_unroll]] for (uint q = 0; q < ENDS; q++) {
            tile_end(s, at, tx, q, row[0], GATE ? row[OUT] : vec4(0));
            [[unroll]] for (uint k = 0; k < QUADS - 1; k++) row[k] = row[k + 1];
        }
    }
}
