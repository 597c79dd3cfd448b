// The transposed convolution and its filter, of up_conv.comp and up_conv_subgroup.comp. SUBGROUPS: lanes lie side by side and load different weights, which
// they broadcast to each other; all subgroups must have LANES of them.
#include "params/up_conv.h"
#include "glsl/raw.glsl"

layout(constant_id = 0) const uint THREADS = 64;
layout(constant_id = 4) const bool FLIP = false;   // the filter is taken as it lies
layout(constant_id = 10) const int CELLS = 32;     // 2 x 2 pixels between convolution and filter, side by side; an invocation has those of one column
layout(constant_id = 11) const int TALL = 2;       // and so many of them in a step
layout(constant_id = 12) const int QUADS = 4;      // fours of channels of a workgroup, of which an invocation has one
layout(constant_id = 13) const int FH = 4;         // the filter's size
layout(constant_id = 14) const int FW = 4;
layout(constant_id = 15) const int ODD_Y = 0;      // 1: the first pixel that is of use is a cell's second
layout(constant_id = 16) const int ODD_X = 0;
layout(constant_id = 17) const bool WIDE_IN = false; // channels of x can be read in fours
layout(constant_id = 18) const bool STYLED = false;  // x is multiplied by s
layout(constant_id = 19) const bool HALF_W = false;  // w is stored in f16, though all else may be f32
#if defined(SUBGROUPS)
layout(constant_id = 20) const uint LANES = 8; // divides CELLS
#endif

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
WEIGHT_IN(2, w, HALF_W)
WEIGHT_IN4(2, w4, HALF_W)
TENSOR_IN(3, f)
TENSOR_IN(4, bias)
TENSOR_IN4(4, bias4)
TENSOR_IN(5, noise)
TENSOR_IN(6, strength)
TENSOR_IN(7, d)
TENSOR_IN4(7, d4)
TENSOR_IN(8, s)
TENSOR_IN4(8, s4)
TENSOR_RAW4(1, x, false)
TENSOR_RAW4(2, w, HALF_W)
TENSOR_RAW4(8, s, false)
#include "glsl/ending.glsl"
#include "glsl/put.glsl"

const int DEEP = 2;       // fours of input channels in a step of the sums
const int TAPS = 9;
#if defined(SUBGROUPS)
const int WEIGHTS = (4 * TAPS + int(LANES) - 1) / int(LANES); // fours of a lane
#endif
const int ACROSS = (2 * CELLS - FW + 1 - ODD_X) & ~1; // columns of y; even, so that all strips begin alike
const int X_WIDE = CELLS + 1, X_ROOM = DEEP * (TALL + 1) * X_WIDE, W_ROOM = DEEP * 4 * TAPS * QUADS, BETWEEN = 4 * CELLS * QUADS;
const int X_LOADS = (X_ROOM + int(THREADS) - 1) / int(THREADS), W_LOADS = (W_ROOM + int(THREADS) - 1) / int(THREADS); // THREADS is even
shared vec4 room[X_ROOM + W_ROOM > BETWEEN ? X_ROOM + W_ROOM : BETWEEN]; // inputs and weights, or one row of cells on its way to the filter
shared float taps[FH * FW];

struct place { int n, i, j, c; }; // image, cell of invocation 0, first channel

void load_x_ones(place at, int me, int k0) {
    [[dont_unroll]] for (int e = me; e < X_ROOM; e += int(THREADS)) {
        int quad = e % DEEP, i = e / DEEP, row = i / X_WIDE, h = at.i - 1 + row, v = at.j - 1 + i - row * X_WIDE;
        vec4 all = vec4(0);
        [[dont_unroll]] for (int c = k0 + quad * 4; c < k0 + quad * 4 + 4; c++) {
            all = vec4(all.yzw, 0);
            if (uint(h) < uint(p.hi) && uint(v) < uint(p.wi) && c < int(p.ci))
                all.w = x(uint(((at.n * p.hi + h) * p.wi + v) * int(p.ci) + c)) * (STYLED ? s(uint(at.n * int(p.ci) + c)) : 1);
        }
        room[quad * (TALL + 1) * X_WIDE + i] = all;
    }
}

void load_w_ones(place at, int me, int k0) {
    [[dont_unroll]] for (int e = me; e < W_ROOM; e += int(THREADS)) {
        int row = e / QUADS, tap = row % TAPS, c = k0 + row / TAPS;
        vec4 all = vec4(0);
        [[dont_unroll]] for (int o = at.c + e % QUADS * 4, l = 0; l < 4; l++) {
            all = vec4(all.yzw, 0);
            if (c < int(p.ci) && o + l < int(p.co)) all.w = w((uint(tap) * p.ci + uint(c)) * p.co + uint(o + l));
        }
        room[X_ROOM + e] = all;
    }
}

// Loads of a step are all asked for before the first is waited for: without branches around them, and as they are stored. What lies outside is
// zero, and of what is beyond the last channels w may be anything.
void load(place at, int me, int k0) {
    uvec4 xr[X_LOADS], wr[W_LOADS], sr = uvec4(0);
    bool there[X_LOADS];
    if (WIDE_IN) {
        int c = k0 + me % DEEP * 4, near = min(c, int(p.ci) - 4);
        if (STYLED) sr = s4_raw(uint(at.n * int(p.ci) + near) / 4);
        [[unroll]] for (int i = 0; i < X_LOADS; i++) {
            int e = me / DEEP + i * (int(THREADS) / DEEP), row = e / X_WIDE, h = at.i - 1 + row, v = at.j - 1 + e - row * X_WIDE;
            there[i] = uint(h) < uint(p.hi) && uint(v) < uint(p.wi) && c < int(p.ci);
            xr[i] = x4_raw(uint((at.n * p.hi + clamp(h, 0, p.hi - 1)) * p.wi + clamp(v, 0, p.wi - 1)) * p.ci / 4 + uint(near) / 4);
        }
    }
    if (WIDE)
        [[unroll]] for (int i = 0; i < W_LOADS; i++) {
            int e = min(me + i * int(THREADS), W_ROOM - 1), row = e / QUADS, tap = row % TAPS, c = min(k0 + row / TAPS, int(p.ci) - 1);
            wr[i] = w4_raw(((uint(tap) * p.ci + uint(c)) * p.co + uint(min(at.c + e % QUADS * 4, int(p.co) - 4))) / 4);
        }
    if (WIDE_IN) {
        vec4 style = STYLED ? s4_of(sr) : vec4(1);
        [[unroll]] for (int i = 0; i < X_LOADS; i++) {
            int e = me / DEEP + i * (int(THREADS) / DEEP);
            if (e < (TALL + 1) * X_WIDE) room[me % DEEP * (TALL + 1) * X_WIDE + e] = mix(vec4(0), x4_of(xr[i]) * style, bvec4(there[i]));
        }
    } else load_x_ones(at, me, k0);
    if (WIDE)
        [[unroll]] for (int i = 0; i < W_LOADS; i++) {
            int e = me + i * int(THREADS);
            if (e < W_ROOM) room[X_ROOM + e] = w4_of(wr[i]);
        }
    else load_w_ones(at, me, k0);
}

void main() {
    uint me = gl_LocalInvocationIndex, id = LINEAR_GROUP, block = id % p.blocks;
    id /= p.blocks;
    uint strip = id % p.strips, segment = id / p.strips % p.segments, n = id / p.strips / p.segments;
    if (n >= p.n) return;
#if defined(SUBGROUPS)
    int q = int(me) / CELLS, mine = int(me) % CELLS; // a four of channels, a column of cells
#else
    int q = int(me) % QUADS, mine = int(me) / QUADS; // neighbours write neighbouring channels
#endif
    int first = int(segment * p.tall), end = min(first + int(p.tall), int(p.ho)), left = int(strip) * ACROSS;
    place at = place(int(n), (first + p.from[0] - ODD_Y) / 2, (left + p.from[1] - ODD_X) / 2, int(block) * QUADS * 4);
    uint c = uint(at.c + q * 4);
    bool ends = mine < ACROSS / 2 && c < p.co; // this invocation has two columns of y
    if (me < FH * FW) taps[me] = f(FLIP ? me : FH * FW - 1 - me);

    // Sums of the next FH rows of y, two columns each. They move along from row to row: a constant index keeps them in registers.
    vec4 sums[FH * 2];
    [[unroll]] for (int k = 0; k < FH * 2; k++) sums[k] = vec4(0);
    [[dont_unroll]] for (int row = -ODD_Y; row < end - first + FH - 1; row += 2 * TALL, at.i += TALL) { // between convolution and filter, from `first` on
        vec4 cell[TALL * 4];
        [[unroll]] for (int k = 0; k < TALL * 4; k++) cell[k] = vec4(0);
        [[dont_unroll]] for (int k0 = 0; k0 < int(p.ci); k0 += DEEP * 4) {
            barrier();
            load(at, int(me), k0);
            barrier();
            [[dont_unroll]] for (int quad = 0; quad < DEEP; quad++) {
                vec4 v[(TALL + 1) * 2];
                [[unroll]] for (int k = 0; k < (TALL + 1) * 2; k++) v[k] = room[(quad * (TALL + 1) + k / 2) * X_WIDE + mine + k % 2];
#if defined(SUBGROUPS)
                vec4 held[WEIGHTS];
                [[unroll]] for (int i = 0; i < WEIGHTS; i++)
                    held[i] = room[X_ROOM + (quad * 4 * TAPS + min(i * int(LANES) + int(gl_SubgroupInvocationID), 4 * TAPS - 1)) * QUADS + q];
#endif
                [[unroll]] for (int k = 0; k < 4; k++)
                    [[unroll]] for (int tap = 0; tap < TAPS; tap++) { // on an axis: 0 and 1 meet a cell's own input, 2 the one before; 1 makes its second pixel
                        int y_ = tap / 3, x_ = tap % 3, phase = (y_ & 1) * 2 + (x_ & 1), near = (y_ < 2 ? 2 : 0) + (x_ < 2 ? 1 : 0);
#if defined(SUBGROUPS)
                        vec4 u = subgroupBroadcast(held[(k * TAPS + tap) / int(LANES)], uint(k * TAPS + tap) % LANES);
#else
                        vec4 u = room[X_ROOM + ((quad * 4 + k) * TAPS + tap) * QUADS + q];
#endif
                        [[unroll]] for (int r = 0; r < TALL; r++) cell[r * 4 + phase] = fma(u, vec4(v[r * 2 + near][k]), cell[r * 4 + phase]);
                    }
            }
        }
        [[dont_unroll]] for (int r = 0; r < TALL; r++) {
            barrier();
            [[unroll]] for (int k = 0; k < 4; k++) {
                int h = (at.i + r) * 2 + k / 2, v = (at.j + mine) * 2 + k % 2;
                bool there = h >= p.begin[0] && h < p.end[0] && v >= p.begin[1] && v < p.end[1];
                room[(k * CELLS + mine) * QUADS + q] = there ? cell[k] : vec4(0);
            }
            [[unroll]] for (int k = 0; k < (TALL - 1) * 4; k++) cell[k] = cell[k + 4];
            barrier();
            [[dont_unroll]] for (int k = 0; k < 2; k++) { // a row of pixels
                vec4 v[FW + 1];
                [[unroll]] for (int b = 0; b < FW + 1; b++) {
                    int i = ODD_X + b;
                    v[b] = room[((k * 2 + i % 2) * CELLS + min(mine + i / 2, CELLS - 1)) * QUADS + q];
                }
                [[unroll]] for (int a = 0; a < FH; a++)
                    [[unroll]] for (int b = 0; b < FW; b++) {
                        vec4 tap = vec4(taps[a * FW + b]);
                        int to = (FH - 1 - a) * 2;
                        sums[to] = fma(tap, v[b], sums[to]), sums[to + 1] = fma(tap, v[b + 1], sums[to + 1]);
                    }
                int done = row + r * 2 + k - (FH - 1), h = first + done, column = left + mine * 2;
                vec4 now = sums[0], next = sums[1];
                [[dont_unroll]] for (int e = 0; ends && done >= 0 && h < end && e < (WIDE ? 2 : 8); e++) { // a pixel, or a channel of one: put() is long
                    uint l = WIDE ? 0 : uint(e) % 4;
                    if (e == (WIDE ? 1 : 4)) now = next, column++;
                    if (column < int(p.wo) && c + l < p.co) put(ending_of(n, WIDE ? c / 4 : c + l), now, n, uint(h), uint(column), WIDE ? c / 4 : c + l);
                    now = now.yzwx;
                }
                [[unroll]] for (int m = 0; m < (FH - 1) * 2; m++) sums[m] = sums[m + 2];
                sums[FH * 2 - 2] = sums[FH * 2 - 1] = vec4(0);
            }
        }
    }
}
