// The activation fused after a kernel: ACT is 0 for none, else 1 + line of params/unary.def. One way out: compilers
// take apart what returns from everywhere, for all the lines that do not count here.
#include "glsl/formula.glsl"

afloat act(uint which, afloat x, afloat a, afloat b) {
    uint op = 1;
    afloat y = x;
#define UNARY(name, attributes, values, doc, fwd, bwd) if (which == op++) y = fwd;
#include "params/unary.def"
#undef UNARY
    return y;
}
// Its derivative; y is act(which, x, a, b).
afloat act_slope(uint which, afloat x, afloat y, afloat a, afloat b) {
    uint op = 1;
    afloat slope = 1;
#define UNARY(name, attributes, values, doc, fwd, bwd) if (which == op++) slope = bwd;
#include "params/unary.def"
#undef UNARY
    return slope;
}
#undef rint
#undef tanh
#undef sin
#undef cos
