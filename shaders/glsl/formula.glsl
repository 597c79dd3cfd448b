// What the formulas of params/unary.def mean beyond GLSL's own functions; engine/ops/formula.h says the same for C.
// Drivers compute some functions so roughly (sines to 2^-11, by the standard) that results would not be those of the
// reference. Coefficients are least-squares fits.
#define rint(x) roundEven(x)

// The complement of the error function. Polynomials fitted by least squares: erf(t) / t in t^2 below 1, exp(t^2) erfc(t) in
// 1 / (1 + t / 2) above. Within 1.1e-7 everywhere, and within 1e-6 of a small result.
float erfc(float x) {
    float t = abs(x), s = t * t, u = 1.0 / (1.0 + 0.5 * t);
    float low = 1.0 - t * (1.12837911 + s * (-0.376123488 + s * (0.112803645 + s * (-0.026716385 + s * (0.00492327753 - s * 0.000565410592)))));
    float high = exp(-s) * (-2.81655812e-05 + u * (0.282798886 + u * (0.274686277 + u * (0.289518714 + u * (0.0301962644 +
                 u * (0.381899774 + u * (-0.33684364 + u * 0.0773827583)))))));
    float tail = t < 1.0 ? low : high;
    return x < 0.0 ? 2.0 - tail : tail;
}

// Drivers may compute the ratio of sums of exponentials, which is infinity over infinity for large x.
float bounded_tanh(float x) { return tanh(clamp(x, -10.0, 10.0)); }
#define tanh(x) bounded_tanh(x)

// To 1e-7 for |x| up to 10^4: x less the nearest multiple of pi / 2, taken away in three parts so that nothing is lost.
float sine(float x, uint quarter_turns) {
    float k = roundEven(x * 0.636619772);
    precise float r = ((x - k * 1.5703125) - k * 4.83751297e-4) - k * 7.54978995e-8;
    float s = r * r;
    uint q = uint(int(k)) + quarter_turns;
    float v = (q & 1u) == 0u ? r + r * s * (-0.166666493 + s * (0.00833198428 - s * 0.000194972381))
                             : 1.0 + s * (-0.5 + s * (0.041666612 + s * (-0.00138865272 + s * 2.43714712e-05)));
    return (q & 2u) == 0u ? v : -v;
}
#define sin(x) sine(x, 0u)
#define cos(x) sine(x, 1u)
