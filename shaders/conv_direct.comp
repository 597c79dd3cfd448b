#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel conv_direct    convolution and its transpose, one or four output channels of a pixel per invocation: any case
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/conv.glsl"

layout(constant_id = OWN) const uint PATH = 0;
// Channels of an invocation and how it reads: all of a group's inputs in fours, or one by one; or only its own (depthwise).
#define PATH_ONE 0u        // 1 channel, inputs one by one
#define PATH_ONE_WIDE 1u   // 1 channel, inputs in fours
#define PATH_FOUR 2u       // 4 channels of one group, inputs one by one
#define PATH_FOUR_WIDE 3u  // 4 channels of one group, inputs in fours
#define PATH_DEPTHWISE 4u  // 4 channels, each a group of one input and one output

// Adds the products of one tap: x from xi, w from wi on.
avec4 tap(avec4 sum, uint n, uint pixel, uint ci, uint wi) { // the pixel's first channel in x, and the first channel that counts
    uint xi = pixel + ci;
    if (PATH == PATH_DEPTHWISE) return fma(x4_at(xi, n, ci), w4(wi / 4), sum);
    if (PATH == PATH_ONE)
        for (uint c = 0; c < p.ci_group; c++) sum.x = fma(x_at(xi + c, n, ci + c), w(wi + c * p.w_ci), sum.x);
    if (PATH == PATH_ONE_WIDE)
        for (uint c = 0; c < p.ci_group; c += 4) {
            uint k = wi + c * p.w_ci;
            sum = fma(x4_at(xi + c, n, ci + c), avec4(w(k), w(k + p.w_ci), w(k + 2 * p.w_ci), w(k + 3 * p.w_ci)), sum);
        }
    if (PATH == PATH_FOUR)
        for (uint c = 0; c < p.ci_group; c++) sum = fma(avec4(x_at(xi + c, n, ci + c)), w4((wi + c * p.w_ci) / 4), sum);
    if (PATH == PATH_FOUR_WIDE)
        for (uint c = 0; c < p.ci_group; c += 4) {
            avec4 v = x4_at(xi + c, n, ci + c);
            uint k = (wi + c * p.w_ci) / 4, step = p.w_ci / 4;
            sum = fma(avec4(v.x), w4(k), sum);
            sum = fma(avec4(v.y), w4(k + step), sum);
            sum = fma(avec4(v.z), w4(k + 2 * step), sum);
            sum = fma(avec4(v.w), w4(k + 3 * step), sum);
        }
    return sum;
}

// The sums of channels c.. of w at output (jy, jx) of a phase of image n.
avec4 conv_sum(taps ty, taps tx, int jy, int jx, uint n, uint c) {
    avec4 sum = avec4(0);
    uint xi = conv_c(c), wi = conv_w(c);
    for (int a = 0; a < ty.count; a++) {
        int i = conv_at(0, ty.at + jy * p.stride[0] + a * p.tap[0]);
        if (i < 0) continue;
        for (int b = 0; b < tx.count; b++) {
            int k = conv_at(1, tx.at + jx * p.stride[1] + b * p.tap[1]);
            if (k < 0) continue;
            uint at = uint((ty.first + a * p.tap_by[0]) * p.kernel[1] + tx.first + b * p.tap_by[1]);
            sum = tap(sum, n, ((n * p.hi + i) * p.wi + k) * p.ci, xi, wi + at * p.w_tap);
        }
    }
    if (PATH == PATH_ONE_WIDE) sum.x = sum.x + sum.y + (sum.z + sum.w);
    return sum;
}

void main() {
    const uint lanes = PATH <= PATH_ONE_WIDE ? 1 : 4;
    uint i = LINEAR_ID * lanes; // elements of y in the order they lie
    if (i >= p.n * p.ho * p.wo * p.co) return;
    uint c = i % p.co, wo = i / p.co % p.wo, ho = i / p.co / p.wo % p.ho, n = i / p.co / p.wo / p.ho;
    taps ty = taps_of(0, int(ho % p.phases[0])), tx = taps_of(1, int(wo % p.phases[1]));
    int jy = int(ho / p.phases[0]), jx = int(wo / p.phases[1]);
    avec4 sum = conv_sum(ty, tx, jy, jx, n, c), gate = avec4(0);
    if (GATE) gate = conv_sum(ty, tx, jy, jx, n, p.co + c);
    sum = finish4(sum, gate, i, c, lanes);
    if (lanes == 1) y_put(i, sum.x);
    else y4_put(i / 4, sum);
}
