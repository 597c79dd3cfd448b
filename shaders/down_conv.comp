#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel down_conv    3 x 3 convolution with stride 2 of a filtered image, of which nothing is stored
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/down_conv.h"
#include "glsl/conv_constants.glsl"
#include "glsl/raw.glsl"

layout(constant_id = 0) const uint THREADS = 64;
layout(constant_id = OWN) const int TALL = 8;       // rows and columns of y that a workgroup makes
layout(constant_id = OWN + 1) const int WIDE = 8;
layout(constant_id = OWN + 2) const int QUADS = 8;  // fours of channels of a workgroup, of which an invocation has one
layout(constant_id = OWN + 3) const int PIXELS = 8; // pixels of an invocation, side by side; divides WIDE
layout(constant_id = OWN + 4) const int FH = 4;     // the filter's size
layout(constant_id = OWN + 5) const int FW = 4;
layout(constant_id = OWN + 6) const bool FLIP = false;    // the filter is taken as it lies
layout(constant_id = OWN + 7) const bool WIDE_IN = false;  // channels of x can be read in fours
layout(constant_id = OWN + 8) const bool WIDE_OUT = false; // channels of w and y, too

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
WEIGHT_IN(2, w, HALF_W)
TENSOR_IN(3, bias)
TENSOR_IN(4, r)
TENSOR_IN(5, d)
TENSOR_IN(6, noise)
TENSOR_IN(7, strength)
TENSOR_IN(8, s)
TENSOR_IN(9, f)
TENSOR_RAW4(1, x, false)
TENSOR_RAW4(2, w, HALF_W)
TENSOR_RAW4(8, s, false)
#include "glsl/epilogue.glsl"

const int TAPS = 9;
const int Z_TALL = 2 * TALL + 1, Z_WIDE = 2 * WIDE + 1;              // what of the filtered image such a tile meets
const int X_TALL = Z_TALL + FH - 1, X_WIDE = Z_WIDE + FW - 1, X_ROOM = X_TALL * X_WIDE; // and what of x
const int W_ROOM = TAPS * 4 * QUADS;
const int X_LOADS = (X_ROOM + int(THREADS) - 1) / int(THREADS), W_LOADS = (W_ROOM + int(THREADS) - 1) / int(THREADS);
const int STACKS = int(THREADS) / Z_WIDE > 0 ? int(THREADS) / Z_WIDE : 1; // THREADS is at least Z_WIDE
const int STACK = (Z_TALL + STACKS - 1) / STACKS; // pixels below each other that an invocation filters: one column, so that their inputs are shared
const bool SCALED = (EXTRAS & EXTRA_S) != 0;
shared vec4 image[X_ROOM]; // four channels of x, then of x filtered
shared vec4 weights[W_ROOM];
shared float taps[FH * FW];

struct place { int n, h, v, c; }; // image, the first row and column of x, the first channel of y

void load_x_ones(place at, int me, int k0) {
    [[dont_unroll]] for (int e = me; e < X_ROOM; e += int(THREADS)) {
        int row = e / X_WIDE, h = at.h + row, v = at.v + e - row * X_WIDE;
        vec4 all = vec4(0);
        [[dont_unroll]] for (int c = k0; c < k0 + 4; c++) {
            all = vec4(all.yzw, 0); // moves along, because an index would put it into memory
            if (uint(h) < uint(p.hi) && uint(v) < uint(p.wi) && c < int(p.ci))
                all.w = x(uint(((at.n * p.hi + h) * p.wi + v) * int(p.ci) + c)) * (SCALED ? s(uint(at.n * int(p.ci) + c)) : 1);
        }
        image[e] = all;
    }
}

void load_w_ones(place at, int me, int k0) {
    [[dont_unroll]] for (int e = me; e < W_ROOM; e += int(THREADS)) {
        int row = e / QUADS, c = k0 + row % 4;
        vec4 all = vec4(0);
        [[dont_unroll]] for (int o = at.c + e % QUADS * 4, l = 0; l < 4; l++) {
            all = vec4(all.yzw, 0);
            if (c < int(p.ci) && o + l < int(p.co)) all.w = w((uint(row / 4) * p.ci + uint(c)) * p.co + uint(o + l));
        }
        weights[e] = all;
    }
}

// Loads of a step are all asked for before the first is waited for: without branches around them, and as they are stored. What lies outside is
// zero, and of what is beyond the last channels w may be anything.
void load(place at, int me, int k0) {
    uvec4 xr[X_LOADS], wr[W_LOADS], sr = uvec4(0);
    bool there[X_LOADS];
    if (WIDE_IN) {
        if (SCALED) sr = s4_raw(uint(at.n * int(p.ci) + k0) / 4);
        [[unroll]] for (int i = 0; i < X_LOADS; i++) {
            int e = me + i * int(THREADS), row = e / X_WIDE, h = at.h + row, v = at.v + e - row * X_WIDE;
            there[i] = uint(h) < uint(p.hi) && uint(v) < uint(p.wi);
            xr[i] = x4_raw((uint((at.n * p.hi + clamp(h, 0, p.hi - 1)) * p.wi + clamp(v, 0, p.wi - 1)) * p.ci + uint(k0)) / 4);
        }
    }
    if (WIDE_OUT)
        [[unroll]] for (int i = 0; i < W_LOADS; i++) {
            int e = min(me + i * int(THREADS), W_ROOM - 1), row = e / QUADS, c = min(k0 + row % 4, int(p.ci) - 1);
            wr[i] = w4_raw(((uint(row / 4) * p.ci + uint(c)) * p.co + uint(min(at.c + e % QUADS * 4, int(p.co) - 4))) / 4);
        }
    if (WIDE_IN) {
        vec4 style = SCALED ? s4_of(sr) : vec4(1);
        [[unroll]] for (int i = 0; i < X_LOADS; i++) {
            int e = me + i * int(THREADS);
            if (e < X_ROOM) image[e] = mix(vec4(0), x4_of(xr[i]) * style, bvec4(there[i]));
        }
    } else load_x_ones(at, me, k0);
    if (WIDE_OUT)
        [[unroll]] for (int i = 0; i < W_LOADS; i++) {
            int e = me + i * int(THREADS);
            if (e < W_ROOM) weights[e] = w4_of(wr[i]);
        }
    else load_w_ones(at, me, k0);
}

// A step's image becomes the filtered one in its place. top, left: which pixel of all of that the first is.
void filter_image(int me, int top, int left) {
    int first = me / Z_WIDE * STACK, column = me % Z_WIDE;
    vec4 sum[STACK];
    [[unroll]] for (int k = 0; k < STACK; k++) sum[k] = vec4(0);
    [[unroll]] for (int i = 0; i < STACK + FH - 1; i++) { // rows of x
        int begin = min(first + i, X_TALL - 1) * X_WIDE + column;
        [[unroll]] for (int b = 0; b < FW; b++) {
            vec4 v = image[begin + b];
            [[unroll]] for (int a = 0; a < FH; a++)
                if (i >= a && i - a < STACK) sum[i - a] = fma(vec4(taps[a * FW + b]), v, sum[i - a]);
        }
    }
    barrier();
    [[unroll]] for (int k = 0; k < STACK; k++) {
        int row = first + k;
        bool there = uint(top + row) < uint(p.between[0]) && uint(left + column) < uint(p.between[1]);
        if (row < Z_TALL) image[row * Z_WIDE + column] = mix(vec4(0), sum[k], bvec4(there));
    }
}

void main() {
    uint me = gl_LocalInvocationIndex, id = LINEAR_GROUP, block = id % p.blocks;
    id /= p.blocks;
    int column = int(id % p.across) * WIDE, row = int(id / p.across % p.down) * TALL, n = int(id / p.across / p.down);
    if (n >= int(p.n)) return;
    int q = int(me) % QUADS, own = int(me) / QUADS, mine_h = own / (WIDE / PIXELS), mine_v = own % (WIDE / PIXELS) * PIXELS;
    int top = row * 2 - p.crop[0], left = column * 2 - p.crop[1], from = mine_h * 2 * Z_WIDE + mine_v * 2;
    place at = place(n, top - p.pads[0], left - p.pads[1], int(block) * QUADS * 4);
    [[dont_unroll]] for (int i = int(me); i < FH * FW; i += int(THREADS)) taps[i] = f(uint(FLIP ? i : FH * FW - 1 - i)) * p.gain;

    vec4 sum[PIXELS];
    [[unroll]] for (int i = 0; i < PIXELS; i++) sum[i] = vec4(0);
    [[dont_unroll]] for (int k0 = 0; k0 < int(p.ci); k0 += 4) {
        barrier();
        load(at, int(me), k0);
        barrier();
        filter_image(int(me), top, left);
        barrier();
        [[dont_unroll]] for (int tap = 0; tap < TAPS; tap++) {
            int here = from + tap / 3 * Z_WIDE + tap % 3;
            vec4 u[4];
            [[unroll]] for (int k = 0; k < 4; k++) u[k] = weights[(tap * 4 + k) * QUADS + q];
            [[unroll]] for (int i = 0; i < PIXELS; i++) {
                vec4 v = image[here + i * 2];
                [[unroll]] for (int k = 0; k < 4; k++) sum[i] = fma(vec4(v[k]), u[k], sum[i]);
            }
        }
    }
    uint c = uint(at.c + q * 4);
    int h = row + mine_h;
    [[dont_unroll]] for (int v = column + mine_v, i = 0; i < PIXELS; i++, v++) { // all of them move along: the epilogue is too long to be unrolled
        if (h >= p.ho || v >= p.wo || c >= p.co) return;
        uint to = uint((n * p.ho + h) * p.wo + v) * p.co + c;
        vec4 all = sum[0];
        [[unroll]] for (int k = 0; k < PIXELS - 1; k++) sum[k] = sum[k + 1];
        [[dont_unroll]] for (uint l = 0; l < 4; l++) {
            float one = c + l < p.co ? finish(all.x, 0, to + l, c + l) : 0;
            all = vec4(all.yzw, one);
            if (!WIDE_OUT && c + l < p.co) y_put(to + l, one);
        }
        if (WIDE_OUT) y4_put(to / 4, all);
    }
}
