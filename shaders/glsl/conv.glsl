// What convolution kernels have in common: constants 3 to 11, tensors, and which taps count. See params/conv.h.
#include "params/conv.h"
#include "glsl/padding.glsl"

#include "glsl/conv_constants.glsl"

TENSOR_OUT(0, y)
TENSOR_OUT4(0, y4)
TENSOR_IN(1, x)
TENSOR_IN4(1, x4)
WEIGHT_IN(2, w, HALF_W)
WEIGHT_IN4(2, w4, HALF_W)
TENSOR_IN(3, bias)
TENSOR_IN(4, r)
TENSOR_IN(5, d)
TENSOR_IN(6, noise)
TENSOR_IN(7, strength)
TENSOR_IN(8, s)
TENSOR_IN4(8, s4)
#include "glsl/epilogue.glsl"

// The taps of one axis that count for a phase: the first and how many, and where output 0 of the phase meets the first.
struct taps { int first, count, at; };
taps taps_of(uint axis, int phase) {
    if (!TRANSPOSED) return taps(0, p.kernel[axis], -p.pad[axis]);
    uint by = uint(p.phases[axis]), t = uint(phase + p.pad[axis]);
    taps s = taps(0, 0, 0);
    while (s.first < p.tap_by[axis] && uint(s.first * p.dilation[axis]) % by != t % by) s.first++;
    if (s.first < p.tap_by[axis] && s.first < p.kernel[axis]) // else stride and dilation never meet here
        s.count = (p.kernel[axis] - s.first + p.tap_by[axis] - 1) / p.tap_by[axis];
    s.at = (int(t) - s.first * p.dilation[axis]) / int(by);
    return s;
}

// Element i of x, which lies in channel c of image n; fours of channels, i and c counted in elements too.
bool scaled() { return (EXTRAS & EXTRA_S) != 0; }
afloat x_at(uint i, uint n, uint c) { return scaled() ? x(i) * s(n * p.ci + c) : x(i); }
avec4 x4_at(uint i, uint n, uint c) { return scaled() ? x4(i / 4) * s4((n * p.ci + c) / 4) : x4(i / 4); }

// The input position on one axis, -1: none, which is zero.
int conv_at(uint axis, int i) {
    int size = axis == 0 ? p.hi : p.wi;
    if (TRANSPOSED || PAD_MODE == 0) return uint(i) < uint(size) ? i : -1;
    return pad_at(PAD_MODE, i, size);
}

// Where the weights of output channel c (of all of w's) and the inputs of its group begin.
uint conv_w(uint c) { return c / p.co_group * p.w_group + c % p.co_group; }
uint conv_c(uint c) { return c / p.co_group * p.ci_group; }

// A workgroup's part of the work where it covers some pixels of one phase and some channels of one group. With a gate
// the first half of its columns are channels of y and the second half their gates.
struct tile {
    taps ty, tx;
    uint n;             // image
    int rows, columns;  // outputs of the phase on each axis
    int first_pixel;    // numbered row by row in the phase
    int phase_y, phase_x;
    uint x_at;          // first input channel of the group
    uint w_at;          // what is added to a channel of w to find its weights
    uint c, end;        // channels of y: the first, and the end of the group
};
// False: there is nothing for this workgroup. wide: columns of the tile, gates and all.
bool tile_of(uint id, uint pixels, uint wide, out tile s) {
    uint span = GATE ? p.co : p.co_group, phases = uint(p.phases[0] * p.phases[1]), groups = GATE ? 1 : p.co / p.co_group;
    uint all_columns = p.column_tiles * groups, part = id % (all_columns * p.pixel_tiles), pixel_tile, column, g;
    id /= all_columns * p.pixel_tiles;
    if (p.by_pixels != 0) pixel_tile = part % p.pixel_tiles, column = part / p.pixel_tiles;
    else pixel_tile = part / all_columns, column = part % all_columns;
    g = column / p.column_tiles, column -= g * p.column_tiles;
    s.first_pixel = int(pixel_tile * pixels);
    s.phase_y = int(id % phases) / p.phases[1], s.phase_x = int(id % phases) % p.phases[1];
    s.n = id / phases;
    s.rows = (p.ho - s.phase_y + p.phases[0] - 1) / p.phases[0];
    s.columns = (p.wo - s.phase_x + p.phases[1] - 1) / p.phases[1];
    s.ty = taps_of(0, s.phase_y), s.tx = taps_of(1, s.phase_x);
    s.x_at = g * p.ci_group, s.w_at = g * (p.w_group - p.co_group);
    s.c = g * p.co_group + column * (GATE ? wide / 2 : wide), s.end = g * p.co_group + span;
    return s.n < p.n && s.first_pixel < s.rows * s.columns;
}
// Where in w the channel lies that column u of the tile stands for; past the end of the group: its last one.
uint tile_column(tile s, uint u, uint wide) {
    uint half_ = wide / 2;
    return s.w_at + (GATE && u >= half_ ? p.co + min(s.c + u - half_, s.end - 1) : min(s.c + u, s.end - 1));
}
// Where pixel j of the phase lies in y.
uint tile_pixel(tile s, int j) {
    int row = j / s.columns, ho = row * p.phases[0] + s.phase_y, wo = (j - row * s.columns) * p.phases[1] + s.phase_x;
    return (uint((s.n * p.ho + ho) * p.wo + wo)) * p.co;
}
// The tap of w that is number a, b of those that count.
uint tile_tap(tile s, int a, int b) { return uint((s.ty.first + a * p.tap_by[0]) * p.kernel[1] + s.tx.first + b * p.tap_by[1]); }
