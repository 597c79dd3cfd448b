// SPDX-License-Identifier: MIT
// Conjugate gradients (Hestenes and Stiefel, 1952) preconditioned by the modified incomplete Cholesky factor without fill-in
// (Gustafsson, 1978): the number of steps grows with the square root of the hole's diameter.
#include "edit/poisson.h"
#include <math.h>
#include <string.h>

enum { LEFT, UP, RIGHT, DOWN, STEPS_MOST = 20000 };
#define RELAXED 0.97   // how much of what the factor drops goes to its diagonal
#define LEAST 0.25     // of the diagonal: below, the factor falls back to it

void weft_poisson_free(weft_poisson *p)
{
    weft_delete(p->ctx, p->pixel);
    weft_delete(p->ctx, p->neighbour);
    weft_delete(p->ctx, p->degree);
    weft_delete(p->ctx, p->factor);
    *p = (weft_poisson) { 0 };
}

static void connect(const weft_hole *h, const int *number, weft_poisson *p)
{
    for (int i = 0; i < p->count; i++) {
        const int at = p->pixel[i], x = at % h->width, y = at / h->width;
        const bool there[4] = { x > 0, y > 0, x + 1 < h->width, y + 1 < h->height };
        const int place[4] = { at - 1, at - h->width, at + 1, at + h->width };
        for (int k = 0; k < 4; k++) {
            p->neighbour[i][k] = there[k] && h->at[place[k]] ? number[place[k]] : -1;
            p->degree[i] = (uint8_t) (p->degree[i] + there[k]);
        }
    }
}

// The factor L has the diagonal 1 / factor and, for neighbours j before i, -factor[j].
static void factorise(weft_poisson *p)
{
    for (int i = 0; i < p->count; i++) {
        double e = p->degree[i];
        for (int k = LEFT; k <= UP; k++) {
            const int j = p->neighbour[i][k];
            if (j < 0) continue;
            const double f = p->factor[j] * p->factor[j];
            e -= f;
            if (p->neighbour[j][k == LEFT ? DOWN : RIGHT] >= 0) e -= RELAXED * f; // fill-in that is dropped
        }
        if (e < LEAST * p->degree[i]) e = p->degree[i];
        p->factor[i] = 1 / sqrt(e);
    }
}

weft_result weft_poisson_make(const weft_hole *h, weft_poisson *out)
{
    const size_t pixels = (size_t) h->width * (size_t) h->height, n = (size_t) h->count;
    if (n == pixels) return weft_fail(WEFT_ERR_ARGUMENT, "the mask covers the whole picture: there is no border to blend to; use alpha blending");
    weft_poisson p = { .ctx = h->ctx };
    int *number = weft_new(h->ctx, sizeof *number * pixels);
    p.pixel = weft_new(h->ctx, sizeof *p.pixel * n + 1);
    p.neighbour = weft_new(h->ctx, sizeof *p.neighbour * n + 1);
    p.degree = weft_new(h->ctx, n + 1);
    p.factor = weft_new(h->ctx, sizeof *p.factor * n + 1);
    if (!number || !p.pixel || !p.neighbour || !p.degree || !p.factor) {
        weft_delete(h->ctx, number);
        weft_poisson_free(&p);
        return WEFT_ERR_MEMORY;
    }
    for (size_t i = 0; i < pixels; i++)
        if (h->at[i]) number[i] = p.count, p.pixel[p.count++] = (int) i;
    connect(h, number, &p);
    weft_delete(h->ctx, number);
    factorise(&p);
    *out = p;
    return WEFT_OK;
}

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double at(const double *x, int i) { return i < 0 ? 0 : x[i]; }

static void multiply(const weft_poisson *p, const double *x, double *y)
{
    for (int i = 0; i < p->count; i++) {
        const int *n = p->neighbour[i];
        y[i] = p->degree[i] * x[i] - at(x, n[LEFT]) - at(x, n[UP]) - at(x, n[RIGHT]) - at(x, n[DOWN]);
    }
}

static void precondition(const weft_poisson *p, const double *r, double *z)
{
    const double *f = p->factor;
    for (int i = 0; i < p->count; i++) {
        const int left = p->neighbour[i][LEFT], up = p->neighbour[i][UP];
        z[i] = f[i] * (r[i] + (left < 0 ? 0 : f[left] * z[left]) + (up < 0 ? 0 : f[up] * z[up]));
    }
    for (int i = p->count; i-- > 0;) z[i] = f[i] * (z[i] + f[i] * (at(z, p->neighbour[i][RIGHT]) + at(z, p->neighbour[i][DOWN])));
}

static weft_result iterate(const weft_poisson *p, const double *b, double tolerance, double *x, double *r, double *z, double *d, int *steps)
{
    const int n = p->count;
    const double enough = tolerance * tolerance * dot(b, b, n);
    multiply(p, x, z);
    for (int i = 0; i < n; i++) r[i] = b[i] - z[i];
    precondition(p, r, z);
    memcpy(d, z, sizeof *d * (size_t) n);
    double rz = dot(r, z, n);
    for (int step = 0; dot(r, r, n) > enough; step++, ++*steps) {
        if (step == STEPS_MOST || !isfinite(rz)) return weft_fail(WEFT_ERR_NUMERIC, "Poisson blending does not converge in %d steps", step);
        multiply(p, d, z);
        const double length = rz / dot(d, z, n);
        for (int i = 0; i < n; i++) x[i] += length * d[i], r[i] -= length * z[i];
        precondition(p, r, z);
        const double next = dot(r, z, n), turn = next / rz;
        for (int i = 0; i < n; i++) d[i] = z[i] + turn * d[i];
        rz = next;
    }
    return WEFT_OK;
}

weft_result weft_poisson_solve(const weft_poisson *p, const double *b, double tolerance, double *x, int *iterations)
{
    double *work = weft_new(p->ctx, sizeof *work * 3 * (size_t) p->count + 1);
    if (!work) return WEFT_ERR_MEMORY;
    const weft_result r = iterate(p, b, tolerance, x, work, work + p->count, work + 2 * (size_t) p->count, iterations);
    weft_delete(p->ctx, work);
    return r;
}
