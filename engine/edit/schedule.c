// SPDX-License-Identifier: MIT
// Learning rates and strengths as data.
#include <math.h>
#include <weft/optimize.h>

static const double pi = 3.14159265358979323846;

void weft_schedule_constant(float *rates, int64_t steps, double rate)
{
    for (int64_t i = 0; i < steps; i++) rates[i] = (float) rate;
}

static double part(int64_t i, int64_t steps) { return steps > 1 ? (double) i / (double) (steps - 1) : 0; } // 0 to 1, both reached

void weft_schedule_cosine(float *rates, int64_t steps, double first, double last)
{
    for (int64_t i = 0; i < steps; i++) rates[i] = (float) (last + (first - last) * (0.5 + 0.5 * cos(pi * part(i, steps))));
}

void weft_schedule_exponential(float *rates, int64_t steps, double first, double last)
{
    for (int64_t i = 0; i < steps; i++) rates[i] = (float) (first * pow(last / first, part(i, steps)));
}

void weft_schedule_ramps(float *rates, int64_t steps, double rate, double up, double down)
{
    for (int64_t i = 0; i < steps; i++) {
        const double t = (double) i / (double) steps;
        const double fall = down > 0 ? fmin(1, (1 - t) / down) : 1, rise = up > 0 ? fmin(1, t / up) : 1;
        rates[i] = (float) (rate * (0.5 - 0.5 * cos(pi * fall)) * rise);
    }
}

void weft_schedule_fade(float *strengths, int64_t steps, double strength, double length)
{
    for (int64_t i = 0; i < steps; i++) {
        const double left = length > 0 ? fmax(0, 1 - (double) i / (double) steps / length) : 0;
        strengths[i] = (float) (strength * left * left);
    }
}
