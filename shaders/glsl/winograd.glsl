// Transforms of one line for m = 2 and m = 4 outputs and 3 taps (Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks):
// interpolation at 0, 1, -1 and at 0, 1, -1, 2, -2. Numbers past m + 2, or past m, mean nothing.
#include "glsl/conv_constants.glsl"
layout(constant_id = OWN) const int M = 4;

float[6] weights_line(float a, float b, float c) { // G
    if (M == 2) return float[6](a, (a + b + c) * 0.5, (a - b + c) * 0.5, c, 0, 0);
    float even = a + c, far = a + 4 * c;
    return float[6](a / 4, -(even + b) / 6, -(even - b) / 6, (far + 2 * b) / 24, (far - 2 * b) / 24, c);
}

float[6] input_line(float a, float b, float c, float d, float e, float f) { // B^T
    if (M == 2) return float[6](a - c, b + c, c - b, b - d, 0, 0);
    float even = e - 4 * c, odd = d - 4 * b, twice = 2 * (d - b), far = e - c;
    return float[6](4 * a - 5 * c + e, even + odd, even - odd, far + twice, far - twice, 4 * b - 5 * d + f);
}

float[4] output_line(float a, float b, float c, float d, float e, float f) { // A^T
    if (M == 2) return float[4](a + b + c, b - c - d, 0, 0);
    float near = b + c, near_odd = b - c, far = d + e, far_odd = d - e;
    return float[4](a + near + far, near_odd + 2 * far_odd, near + 4 * far, near_odd + 8 * far_odd + f);
}
