#version 450
#extension GL_GOOGLE_include_directive : require
//! kernel reduce    sum, mean, largest, ... of some dimensions; LANES invocations share an output, long ones are split in chunks
//! variants DTYPE=f32,f16
#include "glsl/tensor.glsl"
#include "params/reduce.h"

layout(constant_id = 3) const uint HOW = 0; // enum weft_reduce
layout(constant_id = 4) const uint LANES = 1;
layout(constant_id = 5) const uint KEPT = 0;    // dimensions
layout(constant_id = 6) const uint REDUCED = 0;
layout(constant_id = 7) const bool FIRST = true; // reads x, not the states of a first pass
layout(constant_id = 8) const bool LAST = true;  // writes y

const uint SUM = 0, MEAN = 1, MAX = 2, MIN = 3, PROD = 4, L1 = 5, L2 = 6, SUM_SQUARE = 7, LOG_SUM_EXP = 8, ARGMAX = 9, ARGMIN = 10, SUM_PRODUCT = 11;
const float HUGE = 3.402823466e38;
const int NOWHERE = 0x7fffffff;

TENSOR_OUT(0, y)
TENSOR_OUT_I32(0, y_index)
TENSOR_IN(1, x)
layout(set = 0, binding = 2, std430) buffer states_t { ivec2 states[]; };
TENSOR_IN(3, by) // the second factor of SUM_PRODUCT

struct state { float v; int at; }; // at: index of the element, or the bits of log_sum_exp's sum, whose largest x is v
state nothing() {
    float v = HOW == MAX || HOW == ARGMAX || HOW == LOG_SUM_EXP ? -HUGE : HOW == MIN || HOW == ARGMIN ? HUGE : HOW == PROD ? 1 : 0;
    return state(v, HOW == LOG_SUM_EXP ? 0 : NOWHERE);
}
state taken(float v, uint at) {
    if (HOW == L1) v = abs(v);
    if (HOW == L2 || HOW == SUM_SQUARE) v *= v;
    return state(v, HOW == LOG_SUM_EXP ? floatBitsToInt(1.0) : int(at));
}
state join(state a, state b) {
    if (HOW == MAX) return state(max(a.v, b.v), 0);
    if (HOW == MIN) return state(min(a.v, b.v), 0);
    if (HOW == PROD) return state(a.v * b.v, 0);
    if (HOW == LOG_SUM_EXP) {
        float most = max(a.v, b.v);
        return state(most, floatBitsToInt(intBitsToFloat(a.at) * exp(a.v - most) + intBitsToFloat(b.at) * exp(b.v - most)));
    }
    if (HOW == ARGMAX || HOW == ARGMIN) {
        if (a.at == NOWHERE || b.at == NOWHERE) return a.at == NOWHERE ? b : a; // there are smaller numbers than -HUGE, and what is none
        bool better = HOW == ARGMAX ? b.v > a.v : b.v < a.v;
        if (better || (b.v == a.v && b.at < a.at)) return b;
        return a;
    }
    return state(a.v + b.v, 0);
}

shared float room_v[64];
shared int room_at[64];

void main() {
    uint lane = gl_LocalInvocationIndex % LANES, slot = LINEAR_GROUP * (64 / LANES) + gl_LocalInvocationIndex / LANES;
    bool live = slot < p.count * p.chunks;
    uint o = slot % p.count, part = slot / p.count, begin = part * p.chunk, end = live ? min(begin + p.chunk, p.len) : 0;
    uint first = 0, rest = o;
    [[unroll]] for (int d = int(KEPT) - 1; d >= 0; d--) {
        first += (d == 0 ? rest : rest % p.dim[d]) * p.x_stride[d];
        rest /= p.dim[d];
    }
    state s = nothing();
    for (uint i = begin + lane; i < end; i += LANES) {
        if (FIRST) {
            uint at = first, index = 0;
            rest = i;
            [[unroll]] for (int d = int(REDUCED) - 1; d >= 0; d--) {
                uint k = d == 0 ? rest : rest % p.dim[KEPT + d];
                rest /= p.dim[KEPT + d];
                at += k * p.x_stride[KEPT + d];
                index += k * p.index_stride[KEPT + d];
            }
            s = join(s, taken(HOW == SUM_PRODUCT ? x(at) * by(at) : x(at), index));
        } else {
            ivec2 b = states[o * p.len + i];
            s = join(s, state(intBitsToFloat(b.x), b.y));
        }
    }
    if (LANES > 1) {
        room_v[gl_LocalInvocationIndex] = s.v;
        room_at[gl_LocalInvocationIndex] = s.at;
        barrier();
        for (uint step_ = LANES / 2; step_ > 0; step_ /= 2) {
            if (lane < step_) {
                s = join(s, state(room_v[gl_LocalInvocationIndex + step_], room_at[gl_LocalInvocationIndex + step_]));
                room_v[gl_LocalInvocationIndex] = s.v;
                room_at[gl_LocalInvocationIndex] = s.at;
            }
            barrier();
        }
    }
    if (lane != 0 || !live) return;
    if (!LAST) states[o * p.chunks + part] = ivec2(floatBitsToInt(s.v), s.at);
    else if (HOW == ARGMAX || HOW == ARGMIN) y_index_put(o, s.at);
    else y_put(o, HOW == MEAN ? s.v / p.total : HOW == L2 ? sqrt(s.v) : HOW == LOG_SUM_EXP ? s.v + log(intBitsToFloat(s.at)) : s.v);
}
