// The subgroup convolution, of conv_subgroup.comp and conv_subgroup_long.comp: lanes are pixels, PIXELS of them each, and a weight is loaded by
// one lane alone and broadcast. Software drivers pay for every load of every lane, by the element, however wide it is: LONG_LOADS
// reads 64 bits at once, which wants input and output channels in fours. All subgroups must have LANES invocations. GPUs can load a weight for
// all lanes at once, AMD's into a scalar register: UNIFORM.
#if defined(LONG_LOADS)
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(set = 0, binding = 1, std430) readonly restrict buffer x_long_t { uint64_t x_long[]; };
layout(set = 0, binding = 2, std430) readonly restrict buffer w_long_t { uint64_t w_long[]; };
vec4 halves(uint64_t v) {
    uvec2 u = unpackUint2x32(v);
    return vec4(unpackHalf2x16(u.x), unpackHalf2x16(u.y));
}
#define w_lane vec4
#if defined(DTYPE_F16)
const uint W_LANES = 4; // weights that a lane loads at once
avec4 x_read(uint i) { return halves(x_long[i / 4]); }
vec4 w_word(uint64_t v) { return halves(v); }
#else
const uint W_LANES = HALF_W ? 4 : 2;
vec2 word(uint64_t v) { return uintBitsToFloat(unpackUint2x32(v)); }
avec4 x_read(uint i) { return avec4(word(x_long[i / 2]), word(x_long[i / 2 + 1])); }
vec4 w_word(uint64_t v) {
    if (HALF_W) return halves(v);
    return vec4(word(v), 0, 0);
}
#endif
w_lane w_read(uint i) { return w_word(w_long[i / W_LANES]); }
#define W_PICK(v, l) v[l]
#else
const uint W_LANES = 1;
#define w_lane afloat
#define W_PICK(v, l) v
w_lane w_read(uint i) { return w(i); }
avec4 x_read(uint i) { return x4(i / 4); }
#endif
layout(constant_id = OWN) const uint LANES = 8;
layout(constant_id = OWN + 1) const uint PIXELS = 4;   // of each lane
layout(constant_id = OWN + 2) const uint COLUMNS = 16; // channels of the workgroup, gates and all
layout(constant_id = OWN + 3) const bool WIDE = false; // inputs can be read in fours
layout(constant_id = OWN + 4) const bool WIDE_OUT = false; // outputs can be written in fours, and weights read
layout(constant_id = OWN + 5) const bool ROOM = true; // sums go to the epilogue through shared memory, which is a processor's memory anyway
layout(constant_id = OWN + 6) const bool UNIFORM = false;
layout(constant_id = 0) const uint THREADS = 64;
const uint DEEP = WIDE ? 4 : 1; // input channels of a step
const uint LOADS = (COLUMNS / W_LANES + LANES - 1) / LANES;
const bool MANY = !ROOM && W_LANES == 1 && LANES > COLUMNS; // the weights of a step lie across the lanes one after another, so that none idles
const uint MANY_LOADS = (DEEP * COLUMNS + LANES - 1) / LANES;
const uint OUT = GATE ? COLUMNS / 2 : COLUMNS;

shared float room[ROOM ? THREADS * PIXELS * COLUMNS : 1];

// What channels c.. of x are multiplied by, c counted through all images.
avec4 style_at(uint c) { return !scaled() ? avec4(1) : WIDE ? s4(c / 4) : avec4(s(c)); }

void main() {
    tile s;
    if (!tile_of(LINEAR_GROUP, THREADS * PIXELS, COLUMNS, s)) return;
    uint me = gl_LocalInvocationIndex;
    int pixels = s.rows * s.columns, h0[PIXELS], w0[PIXELS];
    uint mine[UNIFORM ? COLUMNS : 4 * LOADS]; // the columns whose weights this lane loads
    float sum[PIXELS * COLUMNS];
    [[unroll]] for (uint i = 0; i < PIXELS; i++) {
        int j = min(s.first_pixel + int(i * THREADS + me), pixels - 1);
        h0[i] = s.ty.at + j / s.columns * p.stride[0];
        w0[i] = s.tx.at + j % s.columns * p.stride[1];
        [[unroll]] for (uint q = 0; q < COLUMNS; q++) sum[i * COLUMNS + q] = 0;
    }
    if (UNIFORM) [[unroll]] for (uint q = 0; q < COLUMNS; q += WIDE_OUT ? 4 : 1) mine[q] = tile_column(s, q, COLUMNS);
    else if (MANY) [[unroll]] for (uint j = 0; j < MANY_LOADS; j++) {
        uint e = min(j * LANES + gl_SubgroupInvocationID, DEEP * COLUMNS - 1);
        mine[j] = e / COLUMNS * p.w_ci + tile_column(s, e % COLUMNS, COLUMNS);
    }
    else [[unroll]] for (uint j = 0; j < LOADS; j++) mine[j] = tile_column(s, min((j * LANES + gl_SubgroupInvocationID) * W_LANES, COLUMNS - W_LANES), COLUMNS) / W_LANES * W_LANES;
    for (int a = 0; a < s.ty.count; a++)
        for (int b = 0; b < s.tx.count; b++) {
            uint from[PIXELS], wi = tile_tap(s, a, b) * p.w_tap;
            bool inside[PIXELS];
            [[unroll]] for (uint i = 0; i < PIXELS; i++) {
                int hi = conv_at(0, h0[i] + a * p.tap[0]), wi_ = conv_at(1, w0[i] + b * p.tap[1]);
                inside[i] = hi >= 0 && wi_ >= 0;
                from[i] = s.x_at + (inside[i] ? ((s.n * p.hi + hi) * p.wi + wi_) * p.ci : 0);
            }
            for (uint c = 0; c < p.ci_group; c += DEEP) {
                avec4 v[PIXELS], style = style_at(s.n * p.ci + s.x_at + c);
                w_lane weight[4 * LOADS];
                if (!UNIFORM && MANY) [[unroll]] for (uint j = 0; j < MANY_LOADS; j++) weight[j] = w_read(wi + mine[j]);
                else if (!UNIFORM) [[unroll]] for (uint k = 0; k < DEEP; k++)
                    [[unroll]] for (uint j = 0; j < LOADS; j++) weight[k * LOADS + j] = w_read(wi + k * p.w_ci + mine[j]);
                [[unroll]] for (uint i = 0; i < PIXELS; i++) {
                    v[i] = (WIDE ? x_read(from[i] + c) : avec4(x(from[i] + c))) * style;
                    v[i] = inside[i] ? v[i] : avec4(0);
                }
                [[unroll]] for (uint q = 0; q < COLUMNS; q++)
                    [[unroll]] for (uint k = 0; k < DEEP; k++) {
                        float u;
                        if (UNIFORM) u = WIDE_OUT ? w4((wi + k * p.w_ci + mine[q / 4 * 4]) / 4)[q % 4] : w(wi + k * p.w_ci + mine[q]);
                        else if (MANY) u = subgroupBroadcast(W_PICK(weight[(k * COLUMNS + q) / LANES], 0), (k * COLUMNS + q) % LANES);
                        else u = subgroupBroadcast(W_PICK(weight[k * LOADS + q / W_LANES / LANES], q % W_LANES), q / W_LANES % LANES);
                        [[unroll]] for (uint i = 0; i < PIXELS; i++) sum[i * COLUMNS + q] = fma(v[i][k], u, sum[i * COLUMNS + q]);
                    }
                wi += DEEP * p.w_ci;
            }
        }
    if (ROOM) [[unroll]] for (uint i = 0; i < PIXELS * COLUMNS; i++) room[i * THREADS + me] = sum[i];
    [[dont_unroll]] for (uint i = 0; i < PIXELS; i++) { // each invocation reads what it wrote
        int j = s.first_pixel + int(i * THREADS + me);
        if (j >= pixels) break;
        uint at = tile_pixel(s, j);
        if (ROOM) {
            [[dont_unroll]] for (uint q = 0; q < OUT && s.c + q < s.end; q++) {
                uint o = (i * COLUMNS + q) * THREADS + me;
                y_put(at + s.c + q, finish(room[o], GATE ? room[o + OUT * THREADS] : 0, at + s.c + q, s.c + q));
            }
            continue;
        }
        // Constant indices alone keep an array in registers: what is next moves along.
        float row[COLUMNS];
        [[unroll]] for (uint q = 0; q < COLUMNS; q++) row[q] = sum[q];
        [[unroll]] for (uint k = 0; k < (PIXELS - 1) * COLUMNS; k++) sum[k] = sum[k + COLUMNS];
        [[dont_unroll]] for (uint c = s.c; c < min(s.c + OUT, s.end); c += 4) {
            avec4 v = avec4(row[0], row[1], row[2], row[3]), gate = GATE ? avec4(row[OUT], row[OUT + 1], row[OUT + 2], row[OUT + 3]) : avec4(0);
            v = finish4(v, gate, at + c, c, min(4, s.end - c));
            if (WIDE_OUT) y4_put((at + c) / 4, v);
            else [[unroll]] for (uint l = 0; l < 4; l++)
                if (c + l < s.end) y_put(at + c + l, v[l]);
            [[unroll]] for (uint q = 0; q < COLUMNS - 4; q++) row[q] = row[q + 4];
        }
    }
}
