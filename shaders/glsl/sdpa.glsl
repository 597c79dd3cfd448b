// Attention in tiles: OWN rows belong to the workgroup, the others pass by, OTHER at a time. An invocation first multiplies one other row
// with SCORED own ones, which it then weighs down to weights for everybody, and adds up four columns of MIXED own rows.
layout(constant_id = 3) const uint GROUP = 64; // invocations; a multiple of OWN, OTHER and LANES
layout(constant_id = 4) const uint OWN = 16;
layout(constant_id = 5) const uint OTHER = 32;
layout(constant_id = 6) const uint LANES = 16;     // invocations side by side along columns
layout(constant_id = 7) const bool D_WIDE = false; // rows of q and k are whole quads
layout(constant_id = 8) const bool E_WIDE = false; // rows of v and y are
layout(constant_id = 9) const bool CAUSAL = false;
layout(constant_id = 10) const bool MASK = false;
const uint SCORED = OWN * OTHER / GROUP, MIXED = OWN * LANES / GROUP;
const uint STEP = OTHER + 1, ROOM = 1056; // of weights, [OWN][STEP]: rows begin in different banks
#include "glsl/sdpa_mask.glsl"

// Where an invocation's rows begin; written so that a driver sees where all take the same ones.
uint first_scored() { return GROUP == OTHER ? 0 : gl_LocalInvocationIndex / OTHER * SCORED; }
uint first_mixed() { return GROUP == LANES ? 0 : gl_LocalInvocationIndex / LANES * MIXED; }
uint other_lane() { return GROUP == OTHER ? gl_LocalInvocationIndex : gl_LocalInvocationIndex % OTHER; }
uint column_lane() { return GROUP == LANES ? gl_LocalInvocationIndex : gl_LocalInvocationIndex % LANES; }

// product[i] = row min(first + i, last) of those of `own`, which begin at `own_at`, times the one of `other` at `at`, of `width` numbers each.
#define SDPA_PRODUCTS(product, own, own4, own_at, step, first, last, other, other4, at, width, WIDE)                    \
    [[unroll]] for (uint i = 0; i < SCORED; i++) product[i] = 0;                                                        \
    if (WIDE) for (uint c = 0; c < width; c += 4) {                                                                     \
        avec4 a = other4(((at) + c) / 4);                                                                               \
        [[unroll]] for (uint i = 0; i < SCORED; i++) {                                                                  \
            avec4 b = own4(((own_at) + min((first) + i, last) * (step) + c) / 4);                                       \
            product[i] = fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, product[i]))));                        \
        }                                                                                                               \
    } else for (uint c = 0; c < width; c++) {                                                                           \
        afloat a = other((at) + c);                                                                                     \
        [[unroll]] for (uint i = 0; i < SCORED; i++) product[i] = fma(a, own((own_at) + min((first) + i, last) * (step) + c), product[i]); \
    }

// Four numbers from `at` on of a row whose quad `quad` they are; zeros beyond its end.
#define SDPA_QUAD(value, name, name4, at, quad, width, WIDE)                                                            \
    avec4 value = avec4(0);                                                                                             \
    if (WIDE) { if ((quad) * 4 < width) value = name4((at) / 4); }                                                      \
    else [[unroll]] for (uint c = 0; c < 4; c++) if ((quad) * 4 + c < width) value[c] = name((at) + c);

#define SDPA_PUT(name_put, name4_put, at, quad, width, WIDE, value)                                                     \
    if (WIDE) { if ((quad) * 4 < width) name4_put((at) / 4, value); }                                                   \
    else [[unroll]] for (uint c = 0; c < 4; c++) if ((quad) * 4 + c < width) name_put((at) + c, (value)[c]);
