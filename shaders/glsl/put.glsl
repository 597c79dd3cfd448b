// How kernels that filter end: the sum at row ho and column wo of image n, channel c (WIDE: four of them), becomes y. The kernel has tensors y and
// y4, glsl/ending.glsl, and its p has what params/upfirdn2d.h calls c, ho, wo, gain, act_gain and clamp.
void put(ending e, vec4 sum, uint n, uint ho, uint wo, uint c) {
    uint pixel = ho * p.wo + wo, area = p.ho * p.wo, at = (n * area + pixel) * p.c + c;
    vec4 u = under(e, sum * p.gain, n, pixel, area);
    for (uint l = 0; l < 4; l++) // not unrolled here: what a compiler reads of the activation is long, once is enough
        if (WIDE || l == 0) u[l] = over(u[l], p.act_gain, p.clamp);
    if (WIDE) y4_put(at, u);
    else y_put(at, u.x);
}
