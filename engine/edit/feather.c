// SPDX-License-Identifier: MIT
// The exact distance transform of Felzenszwalb and Huttenlocher (2012): along columns, then along rows, each pixel gets the least of
// parabolas that stand on the others.
#include "edit/feather.h"
#include <math.h>

#define FAR 1e18f // squared; larger than in any picture

struct work { float *in, *out, *edge; int *stand; };

static double meet(const float *f, int p, int q) // where the parabolas on p < q cross
{
    return ((f[q] + (double) q * q) - (f[p] + (double) p * p)) / (2.0 * (q - p));
}

static void transform(struct work *w, int n)
{
    int k = -1;
    for (int q = 0; q < n; q++) {
        if (w->in[q] >= FAR) continue;
        double from = -INFINITY;
        while (k >= 0 && (from = meet(w->in, w->stand[k], q)) <= w->edge[k]) k--;
        if (k < 0) from = -INFINITY;
        w->stand[++k] = q;
        w->edge[k] = (float) from;
    }
    for (int q = 0, at = 0; q < n; q++) {
        if (k < 0) {
            w->out[q] = FAR;
            continue;
        }
        while (at < k && w->edge[at + 1] < q) at++;
        const int d = q - w->stand[at];
        w->out[q] = w->in[w->stand[at]] + (float) d * (float) d;
    }
}

static void transform_all(struct work *w, float *f, int lines, int n, size_t line, size_t step)
{
    for (int l = 0; l < lines; l++) {
        float *p = f + (size_t) l * line;
        for (int i = 0; i < n; i++) w->in[i] = p[(size_t) i * step];
        transform(w, n);
        for (int i = 0; i < n; i++) p[(size_t) i * step] = w->out[i];
    }
}

weft_result weft_feather(const weft_hole *h, double ramp, float *alpha)
{
    const size_t pixels = (size_t) h->width * (size_t) h->height, side = (size_t) (h->width > h->height ? h->width : h->height);
    for (size_t i = 0; i < pixels; i++) alpha[i] = h->at[i] ? FAR : 0;
    if (ramp > 0) {
        float *room = weft_new(h->ctx, 4 * side * sizeof *room);
        if (!room) return WEFT_ERR_MEMORY;
        int *stand = weft_new(h->ctx, side * sizeof *stand);
        if (!stand) return weft_delete(h->ctx, room), WEFT_ERR_MEMORY;
        struct work w = { room, room + side, room + 2 * side, stand };
        transform_all(&w, alpha, h->width, h->height, 1, (size_t) h->width);
        transform_all(&w, alpha, h->height, h->width, (size_t) h->width, 1);
        weft_delete(h->ctx, room);
        weft_delete(h->ctx, stand);
    }
    for (size_t i = 0; i < pixels; i++) alpha[i] = (float) fmin(1, sqrt(alpha[i]) / (fmax(ramp, 0) + 1));
    return WEFT_OK;
}
