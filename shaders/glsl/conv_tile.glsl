// The tiled convolution, of conv_tile.comp and conv_tile_split.comp: pixels by channels, ROWS x QUADS x 4 per invocation. SPLIT: the sums are
// cut into parts, each of other taps and input channels, and written in f32 as they are; see engine/ops/conv_emit.h.
#include "glsl/raw.glsl"

layout(constant_id = OWN) const uint ACROSS = 8;  // invocations along the channels; the others lie along the pixels
layout(constant_id = OWN + 1) const uint ROWS = 8;   // pixels of an invocation
layout(constant_id = OWN + 2) const uint QUADS = 1;  // fours of channels of an invocation; even with a gate
layout(constant_id = OWN + 3) const uint WIDE_IN = 0;      // how inputs are read, see below
layout(constant_id = OWN + 4) const bool WIDE_OUT = false; // weights and outputs can be read and written in fours
#if defined(SPLIT)
layout(constant_id = OWN + 5) const uint PARTS = 1; // into which the sums are cut
#else
const uint PARTS = 1;
#endif
layout(constant_id = 0) const uint THREADS = 64;
const uint DEEP = 4; // fours of (tap, input channel) in a step
const uint DOWN = THREADS / ACROSS, TALL = DOWN * ROWS, WIDE = ACROSS * QUADS;
const uint X_LOADS = (TALL * DEEP + THREADS - 1) / THREADS, W_LOADS = (WIDE * DEEP * 4 + THREADS - 1) / THREADS;
const bool X_EVEN = X_LOADS * THREADS == TALL * DEEP, W_EVEN = W_LOADS * THREADS == WIDE * DEEP * 4;
const uint OUT = GATE ? QUADS / 2 : QUADS;

TENSOR_RAW4(1, x, false)
TENSOR_RAW4(2, w, HALF_W)
TENSOR_RAW4(8, s, false)

shared vec2 xs[DEEP * 2 * TALL];
shared vec4 ws[DEEP * 4 * WIDE];

// Inputs are read: one by one; in fours; in fours, of which an invocation knows for each of its pixels which rows and columns of taps meet
// any; or so with steps that lie in one tap each, which leaves little to be worked out in a step.
#define BY_ONE (WIDE_IN == 0)
#define BY_BITS (WIDE_IN >= 2)
#define BY_STEP (WIDE_IN == 3)

// What a row of a step stands for: where in w its channels begin, the input position relative to that of the first tap, and the input
// channel; ~0: past the last row. BY_BITS: instead of the last three the bits of the tap, the channel, and how many fours of x lie between its
// input and that of the first tap. Worked out once for all invocations, because of the divisions.
shared uvec4 plan[DEEP * 4];
const uint NOWHERE = 1 << 15; // a bit that no pixel has: taps are at most 15 on an axis, rows first
uvec4 row_at(tile s, int a, int b, uint c) {
    uint w_at = tile_tap(s, a, b) * p.w_tap + c * p.w_ci;
    int y = a * p.tap[0], x = b * p.tap[1];
    if (BY_BITS) return uvec4(w_at, 1 << a | 1 << (16 + b), c, ((y * p.wi + x) * int(p.ci) + int(c)) >> 2);
    return uvec4(w_at, y, x, c);
}
uvec4 row_of(tile s, uint k, uint deep) {
    if (k >= deep) return BY_BITS ? uvec4(0, NOWHERE, 0, 0) : uvec4(0, 0, 0, ~0u);
    uint t = k / p.ci_group, c = k - t * p.ci_group;
    int a = int(t) / s.tx.count;
    return row_at(s, a, int(t) - a * s.tx.count, c);
}

// What an invocation knows of a pixel whose inputs it loads: the input position of the first tap. BY_BITS: the four of x that lies there, and
// a bit for every row and column of taps that meets an input.
ivec2 pixel_of(tile s, int j) {
    int row = j / s.columns, h = s.ty.at + row * p.stride[0], v = s.tx.at + (j - row * s.columns) * p.stride[1];
    if (!BY_BITS) return ivec2(h, v);
    int there = 0;
    [[dont_unroll]] for (int a = 0; a < s.ty.count; a++) there |= int(uint(h + a * p.tap[0]) < uint(p.hi)) << a;
    [[dont_unroll]] for (int b = 0; b < s.tx.count; b++) there |= int(uint(v + b * p.tap[1]) < uint(p.wi)) << (16 + b);
    return ivec2((((int(s.n) * p.hi + h) * p.wi + v) * int(p.ci) + int(s.x_at)) >> 2, there);
}
// Where in x the channel of row d lies for a pixel, -1: nowhere, which is zero.
int x_place(tile s, ivec2 pixel, uvec4 d) {
    int hi = conv_at(0, pixel.x + int(d.y)), wi = conv_at(1, pixel.y + int(d.z));
    if (hi < 0 || wi < 0 || d.w == ~0u) return -1;
    return int(((s.n * p.hi + hi) * p.wi + wi) * p.ci + s.x_at + d.w);
}
int x_four_place(tile s, ivec2 pixel, uvec4 d) { // in fours; BY_STEP: 0 for nowhere, which is found out again
    return !BY_BITS ? x_place(s, pixel, d) >> 2 : mix(BY_STEP ? 0 : -1, pixel.x + int(d.w), (pixel.y & int(d.y)) == int(d.y));
}
vec4 x_ones(tile s, ivec2 pixel, uint quad) {
    vec4 all = vec4(0);
    [[dont_unroll]] for (uint l = 0; l < 4; l++) {
        uvec4 d = plan[quad * 4 + l];
        int i = x_place(s, pixel, d);
        all = vec4(all.yzw, 0); // moves along, because an index would put it into memory
        if (i >= 0) all.w = x_at(uint(i), s.n, s.x_at + d.w);
    }
    return all;
}
vec4 w_ones(tile s, uint at, uint quad) {
    vec4 all = vec4(0);
    [[dont_unroll]] for (uint l = 0; l < 4; l++) all = vec4(all.yzw, w(at + tile_column(s, quad * 4 + l, WIDE * 4)));
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
    int pixels = s.rows * s.columns;
    uint deep = uint(s.ty.count * s.tx.count) * p.ci_group, begin = 0;
    if (PARTS > 1) {
        const uint step_ = DEEP * 4;
        uint each = ((deep + step_ - 1) / step_ + PARTS - 1) / PARTS * step_;
        begin = LINEAR_GROUP % PARTS * each;
        deep = min(deep, begin + each);
    }
    // Loads of a step fly while the one before is computed. They wait in registers as they are stored, and become what they should be on
    // their way to shared memory. There are no branches around them, or they would be waited for one by one.
    vec4 sum[ROWS * QUADS];
    ivec2 mine[X_LOADS];
    const uint X_STEP = THREADS / DEEP, W_STEP = THREADS / WIDE; // from one load to the next: pixels, rows. Both divide THREADS
    uint quad = me % DEEP, pixel = me / DEEP, column = me % WIDE, row = me / WIDE, x_to = quad * 2 * TALL + pixel;
    uint w_column = (tile_column(s, column * 4, WIDE * 4) + (BY_STEP ? min(row, DEEP * 4 - 1) * p.w_ci : 0)) / 4;
    int a = 0, b = 0; // the tap of the step, BY_STEP
    uint c = 0;       // and its first channel
    [[dont_unroll]] for (uint i = 0; i < X_LOADS; i++) {
        ivec2 one = pixel_of(s, min(s.first_pixel + int(pixel + i * X_STEP), pixels - 1));
        if (BY_STEP) one.x += int(quad);
        [[unroll]] for (uint k = 0; k < X_LOADS - 1; k++) mine[k] = mine[k + 1];
        mine[X_LOADS - 1] = one;
    }
    if (BY_STEP) {
        uint t = begin / p.ci_group;
        a = int(t) / max(s.tx.count, 1), b = int(t) - a * s.tx.count, c = begin - t * p.ci_group;
    } else {
        if (me < DEEP * 4) plan[me] = row_of(s, begin + me, deep);
        barrier();
    }
    [[unroll]] for (uint i = 0; i < ROWS * QUADS; i++) sum[i] = vec4(0);
    for (uint k0 = begin;; k0 += DEEP * 4) {
        bool last = k0 >= deep;
        uvec4 xr[X_LOADS], wr[W_LOADS], sr = uvec4(0), now = uvec4(0); // here, or compilers carry them from step to step
        uint there = 0;
        if (!last) { // or compilers move the loads to where they are used
            if (BY_STEP) {
                now = row_at(s, a, b, c);
                bool turn = (c += DEEP * 4) == p.ci_group;
                c = mix(c, 0, turn), b += int(turn);
                turn = b == s.tx.count;
                b = mix(b, 0, turn), a += int(turn);
            }
            if (BY_ONE) // no loop that holds another is unrolled by compilers, and an index that is no constant puts arrays into memory
                [[dont_unroll]] for (uint i = 0; i < X_LOADS; i++) {
                    ivec2 one = mine[0];
                    vec4 all = vec4(0);
                    if (X_EVEN || pixel + i * X_STEP < TALL) all = x_ones(s, one, quad);
                    [[unroll]] for (uint k = 0; k < X_LOADS - 1; k++) mine[k] = mine[k + 1], xr[k] = xr[k + 1];
                    mine[X_LOADS - 1] = one, xr[X_LOADS - 1] = floatBitsToUint(all);
                }
            else {
                uvec4 d = BY_STEP ? now : plan[quad * 4];
                if (scaled()) sr = s4_raw((s.n * p.ci + s.x_at) / 4 + (BY_STEP ? d.z / 4 + quad : BY_BITS ? d.z / 4 : d.w == ~0u ? 0 : d.w / 4));
                [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
                    int at = x_four_place(s, mine[i], d);
                    if (!BY_STEP) there |= uint(at >= 0) << i;
                    xr[i] = x4_raw(uint(BY_STEP ? at : max(at, 0)));
                }
            }
            if (WIDE_OUT)
                [[unroll]] for (uint i = 0; i < W_LOADS; i++) {
                    uint k = W_EVEN ? row + i * W_STEP : min(row, DEEP * 4 - 1);
                    wr[i] = w4_raw((BY_STEP ? now.x + i * W_STEP * p.w_ci : plan[k].x) / 4 + w_column);
                }
            else
                [[dont_unroll]] for (uint i = 0; i < W_LOADS; i++) {
                    uint k = row + i * W_STEP;
                    vec4 all = vec4(0);
                    if (W_EVEN || k < DEEP * 4) all = w_ones(s, BY_STEP ? now.x + k * p.w_ci : plan[k].x, column);
                    [[unroll]] for (uint k = 0; k < W_LOADS - 1; k++) wr[k] = wr[k + 1];
                    wr[W_LOADS - 1] = floatBitsToUint(all);
                }
        }
        if (k0 != begin)
            [[dont_unroll]] for (uint k = 0; k < DEEP * 2; k++) { // half a four at a time, so that less waits in registers
                vec4 u[2 * QUADS];
                [[unroll]] for (uint l = 0; l < 2; l++)
                    [[unroll]] for (uint q = 0; q < QUADS; q++) u[l * QUADS + q] = ws[(k * 2 + l) * WIDE + tx + q * ACROSS];
                [[unroll]] for (uint i = 0; i < ROWS; i++) {
                    vec2 v = xs[k * TALL + ty + i * DOWN];
                    [[unroll]] for (uint l = 0; l < 2; l++)
                        [[unroll]] for (uint q = 0; q < QUADS; q++) sum[i * QUADS + q] = fma(vec4(v[l]), u[l * QUADS + q], sum[i * QUADS + q]);
                }
            }
        if (last) break;
        barrier();
        [[unroll]] for (uint i = 0; i < X_LOADS; i++) {
            vec4 v = uintBitsToFloat(xr[i]);
            bool meets = BY_STEP ? (mine[i].y & int(now.y)) == int(now.y) : (there & 1u << i) != 0;
            if (!BY_ONE) v = mix(vec4(0), scaled() ? x4_of(xr[i]) * s4_of(sr) : x4_of(xr[i]), bvec4(meets)); // and no branch, as before
            if (X_EVEN || pixel + i * X_STEP < TALL) xs[x_to + i * X_STEP] = v.xy, xs[x_to + i * X_STEP + TALL] = v.zw;
        }
        [[unroll]] for (uint i = 0; i < W_LOADS; i++) {
            vec4 v = WIDE_OUT ? w4_of(wr[i]) : uintBitsToFloat(wr[i]);
            if (!BY_STEP) v = mix(v, vec4(0), bvec4(int(row) >= int(deep - k0) - int(i * W_STEP)));
            if (W_EVEN || row + i * W_STEP < DEEP * 4) ws[me + i * THREADS] = v;
        }
        if (!BY_STEP && me < DEEP * 4) plan[me] = row_of(s, k0 + DEEP * 4 + me, deep);
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
