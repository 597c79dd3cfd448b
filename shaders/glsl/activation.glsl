// The activation fused after a kernel: ACT is 0 for none, else 1 + line of params/unary.def.
#define rint(x) roundEven(x)

// Polynomials fitted by least squares, in x^2 below 1 and of log(1 - erf(x)) from 1 to 4: within 1.1e-7 everywhere.
float erf(float x) {
    float t = min(abs(x), 4.0), s = t * t;
    float low = t * (1.12837911 + s * (-0.376123488 + s * (0.112803645 + s * (-0.026716385 + s * (0.00492327753 - s * 0.000565410592)))));
    float high = -0.000341962354 + t * (-1.1270889 + t * (-0.638142467 + t * (-0.103111453 + t * (0.0218417067 +
                 t * (-0.00294894585 + t * 0.000186551712)))));
    return sign(x) * (t < 1.0 ? low : 1.0 - exp(high));
}

// Drivers may compute the ratio of sums of exponentials, which is infinity over infinity for large x.
float bounded_tanh(float x) { return tanh(clamp(x, -10.0, 10.0)); }
#define tanh(x) bounded_tanh(x)

afloat act(uint which, afloat x, afloat a, afloat b) {
    uint op = 1;
#define UNARY(name, attributes, values, doc, fwd) if (which == op++) return fwd;
#include "params/unary.def"
#undef UNARY
    return x;
}
#undef tanh
#undef rint
