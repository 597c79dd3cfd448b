#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel upfirdn2d_block    the same for a block of outputs per invocation, which reads every input once: small filters and factors
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "glsl/upfirdn2d.glsl"

layout(constant_id = 10) const int FH = 4;       // the filter's size
layout(constant_id = 11) const int FW = 4;
layout(constant_id = 12) const int UP_Y = 1;
layout(constant_id = 13) const int UP_X = 1;
layout(constant_id = 14) const int DOWN_Y = 1;
layout(constant_id = 15) const int DOWN_X = 1;
layout(constant_id = 16) const int SKIP_Y = 0;   // the first tap of every block's first output that meets a pixel
layout(constant_id = 17) const int SKIP_X = 0;
layout(constant_id = 18) const int TALL = 2;     // outputs of a block; TALL DOWN_Y is a multiple of UP_Y
layout(constant_id = 19) const int ACROSS = 4;

// Pixels that a block reads on each axis.
const int ROWS = ((TALL - 1) * DOWN_Y + FH - 1 - SKIP_Y + UP_Y) / UP_Y, COLUMNS = ((ACROSS - 1) * DOWN_X + FW - 1 - SKIP_X + UP_X) / UP_X;

void main() {
    uint i = LINEAR_ID, c = i % p.c;
    if (i >= p.count) return;
    i /= p.c;
    uint across = (p.wo + ACROSS - 1) / ACROSS, down = (p.ho + TALL - 1) / TALL, bx = i % across;
    i /= across;
    uint by = i % down, n = i / down;
    int ho = int(by) * TALL, wo = int(bx) * ACROSS;
    int top = (ho * DOWN_Y - p.pad[0] + SKIP_Y) / UP_Y, left = (wo * DOWN_X - p.pad[1] + SKIP_X) / UP_X; // both without remainder
    avec4 sum[TALL * ACROSS];
    [[unroll]] for (int k = 0; k < TALL * ACROSS; k++) sum[k] = avec4(0);
    [[dont_unroll]] for (int k = 0; k < ROWS; k++) {
        if (uint(top + k) >= uint(p.hi)) continue;
        uint line = (n * uint(p.hi) + uint(top + k)) * uint(p.wi);
        avec4 v[COLUMNS];
        [[unroll]] for (int j = 0; j < COLUMNS; j++) {
            uint at = (line + uint(clamp(left + j, 0, p.wi - 1))) * p.c + c;
            v[j] = WIDE ? x4(at) : avec4(x(at));
            if (uint(left + j) >= uint(p.wi)) v[j] = avec4(0);
        }
        [[unroll]] for (int r = 0; r < TALL; r++) {
            int a = k * UP_Y + SKIP_Y - r * DOWN_Y;
            if (a < 0 || a >= FH) continue;
            float tap[FW];
            [[unroll]] for (int b = 0; b < FW; b++) tap[b] = f(uint(FLIP ? a * FW + b : (FH - 1 - a) * FW + FW - 1 - b));
            [[unroll]] for (int t = 0; t < ACROSS; t++)
                [[unroll]] for (int j = 0; j < COLUMNS; j++) {
                    int b = j * UP_X + SKIP_X - t * DOWN_X;
                    if (b >= 0 && b < FW) sum[r * ACROSS + t] = fma(avec4(tap[b]), v[j], sum[r * ACROSS + t]);
                }
        }
    }
    ending e = ending_of(n, c);
    [[dont_unroll]] for (int r = 0; r < TALL && ho + r < int(p.ho); r++) { // the sums move along: a constant index keeps them in registers
        [[unroll]] for (int t = 0; t < ACROSS; t++)
            if (wo + t < int(p.wo)) put(e, sum[t], n, uint(ho + r), uint(wo + t), c);
        [[unroll]] for (int k = 0; k < (TALL - 1) * ACROSS; k++) sum[k] = sum[k + ACROSS];
    }
}
