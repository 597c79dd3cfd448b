// What the formulas of params/binary.def mean beyond GLSL's own functions.
float modulo(float a, float b) {
    float r = a - b * floor(a / b); // the quotient may be off by one
    if (r != 0.0 && (r < 0.0) != (b < 0.0)) r += b;
    return abs(r) >= abs(b) ? r - b : r;
}
int modulo(int a, int b) { // % of a negative number is not defined in GLSL
    if (b == 0) return 0;
    uint size = b < 0 ? 0u - uint(b) : uint(b), r = (a < 0 ? 0u - uint(a) : uint(a)) % size;
    if (r != 0u && (a < 0) != (b < 0)) r = size - r;
    return b < 0 ? -int(r) : int(r);
}

float power(float a, float b) { // pow(negative, b) is not defined in GLSL
    if (a > 0.0) return pow(a, b);
    if (b == 0.0) return 1.0;
    bool odd = abs(b) < 16777216.0 && b == floor(b) && modulo(b, 2.0) == 1.0;
    if (a == 0.0) return b > 0.0 ? 0.0 : 1.0 / 0.0;
    if (b != floor(b)) return 0.0 / 0.0;
    return odd ? -pow(-a, b) : pow(-a, b);
}
#define pow(a, b) power(a, b)
#define atan2(a, b) atan(a, b)
