// SPDX-License-Identifier: MIT
// Arithmetic on latents: in double, rounded once.
#include <math.h>
#include <string.h>
#include <weft/latent.h>

void weft_latent_lerp(const float *a, const float *b, size_t count, double t, float *out)
{
    for (size_t i = 0; i < count; i++) out[i] = (float) (t < 0.5 ? a[i] + t * ((double) b[i] - a[i]) : b[i] - (1 - t) * ((double) b[i] - a[i]));
}

void weft_latent_slerp(const float *a, const float *b, size_t count, double t, float *out)
{
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < count; i++) aa += (double) a[i] * a[i], bb += (double) b[i] * b[i], ab += (double) a[i] * b[i];
    const double cosine = fmax(-1, fmin(1, ab / sqrt(aa * bb))), angle = acos(cosine), sine = sin(angle);
    if (!(sine > 1e-6)) { // parallel, opposite, or zero
        weft_latent_lerp(a, b, count, t, out);
        return;
    }
    const double p = sin((1 - t) * angle) / sine, q = sin(t * angle) / sine;
    for (size_t i = 0; i < count; i++) out[i] = (float) (p * a[i] + q * b[i]);
}

static int is_chosen(uint64_t chosen, int layer) { return layer < WEFT_MAX_LAYERS ? (int) (chosen >> layer & 1) : chosen == WEFT_ALL_LAYERS; }

void weft_latent_mix(float *ws, const float *from, int layers, int width, uint64_t chosen)
{
    const size_t row = (size_t) width;
    for (int l = 0; l < layers; l++)
        if (is_chosen(chosen, l)) memcpy(ws + (size_t) l * row, from + (size_t) l * row, sizeof *ws * row);
}

void weft_latent_move(float *ws, int layers, int width, const float *direction, int direction_layers, double strength, uint64_t chosen)
{
    for (int l = 0; l < layers; l++) {
        const float *d = direction + (direction_layers > 1 ? (size_t) l * (size_t) width : 0);
        float *w = ws + (size_t) l * (size_t) width;
        for (int i = 0; is_chosen(chosen, l) && i < width; i++) w[i] = (float) (w[i] + strength * d[i]);
    }
}
