// How a convolution ends; engine/ops/conv.h says the same for C. `i` and `c`: element and channel of y.
#include "glsl/activation.glsl"

afloat finish(afloat sum, afloat gate, uint i, uint c) {
    if ((EXTRAS & (EXTRA_D | EXTRA_NOISE | EXTRA_ONE_NOISE)) != 0) {
        uint pixel = i / p.co, area = p.ho * p.wo;
        if ((EXTRAS & EXTRA_D) != 0) sum *= d(pixel / area * p.co + c);
        if ((EXTRAS & (EXTRA_NOISE | EXTRA_ONE_NOISE)) != 0)
            sum += noise((EXTRAS & EXTRA_NOISE) != 0 ? pixel : pixel % area) * ((EXTRAS & EXTRA_STRENGTH) != 0 ? strength(0) : 1);
    }
    if (BIAS) sum += bias(c);
    if (RESIDUAL == 2) sum += r(i);
    sum = act(ACT, sum, p.a, p.b);
    if (GAIN != 1) sum *= GAIN;
    if (CLAMP > 0) sum = clamp(sum, -CLAMP, CLAMP);
    if (GATE) {
        if (BIAS) gate += bias(p.co + c);
        sum *= 1 / (1 + exp(-gate));
    }
    if (RESIDUAL == 1) sum += r(i);
    return sum;
}
// The first `count` of four channels. Not unrolled here: what a compiler reads of the epilogue is long, once is enough.
avec4 finish4(avec4 sum, avec4 gate, uint i, uint c, uint count) {
    for (uint l = 0; l < 4; l++)
        if (l < count) sum[l] = finish(sum[l], gate[l], i + l, c + l);
    return sum;
}
