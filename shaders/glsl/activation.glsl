// The activation fused after a kernel: ACT is 0 for none, else 1 + line of params/unary.def.
#include "glsl/formula.glsl"

afloat act(uint which, afloat x, afloat a, afloat b) {
    uint op = 1;
#define UNARY(name, attributes, values, doc, fwd, bwd) if (which == op++) return fwd;
#include "params/unary.def"
#undef UNARY
    return x;
}
// Its derivative; y is act(which, x, a, b).
afloat act_slope(uint which, afloat x, afloat y, afloat a, afloat b) {
    uint op = 1;
#define UNARY(name, attributes, values, doc, fwd, bwd) if (which == op++) return bwd;
#include "params/unary.def"
#undef UNARY
    return 1;
}
#undef rint
#undef tanh
#undef sin
#undef cos
