// The half-precision number nearest to x, ties to even. In integers, because devices differ in packHalf2x16's rounding.
float nearest_half(float x) {
    uint bits = floatBitsToUint(x), sign = bits & 0x80000000u;
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return x;                                     // NaN
    if (bits >= 0x477ff000u) return uintBitsToFloat(sign | 0x7f800000u);  // rounds to infinity
    if (bits < 0x38800000u) {                                             // subnormal: a multiple of 2^-24
        float steps = roundEven(uintBitsToFloat(bits) * 16777216.0);
        return uintBitsToFloat(sign | floatBitsToUint(steps / 16777216.0));
    }
    bits += 0xfffu + (bits >> 13 & 1u);
    return uintBitsToFloat(sign | (bits & ~0x1fffu));
}
