// SPDX-License-Identifier: MIT
// Householder's reduction to a tridiagonal matrix, then implicit QR steps with Wilkinson's shift (Golub and Van Loan, Matrix
// Computations, 8.3). Every loop runs along rows.
#include "edit/eigen.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { STEPS_MOST = 60 }; // per eigenvalue; two or three are usual

struct tridiagonal { int n; double *a, *d, *e, *beta, *p; }; // a: the reflectors, below the diagonal in columns, kept as rows

static double *row(const struct tridiagonal *t, int i) { return t->a + (size_t) i * (size_t) t->n; }

// Column k below the diagonal becomes (e, 0, ...); its reflector I - beta v v' is applied to what is left from both sides.
// v is kept in row k, right of the diagonal, where the symmetric matrix has the same numbers.
static void reflect(struct tridiagonal *t, int k)
{
    const int n = t->n;
    double *v = row(t, k), length = 0, norm = 0, half = 0;
    for (int i = k + 1; i < n; i++) length += v[i] * v[i];
    length = sqrt(length);
    t->d[k] = v[k];
    t->e[k] = v[k + 1] > 0 ? -length : length;
    t->beta[k] = 0;
    if (length == 0) return;
    v[k + 1] -= t->e[k];
    for (int i = k + 1; i < n; i++) norm += v[i] * v[i];
    const double beta = t->beta[k] = 2 / norm;
    for (int i = k + 1; i < n; i++) {
        const double *a = row(t, i);
        double sum = 0;
        for (int j = k + 1; j < n; j++) sum += a[j] * v[j];
        t->p[i] = beta * sum;
    }
    for (int i = k + 1; i < n; i++) half += t->p[i] * v[i];
    half *= beta / 2;
    for (int i = k + 1; i < n; i++) t->p[i] -= half * v[i];
    for (int i = k + 1; i < n; i++) {
        double *a = row(t, i);
        const double vi = v[i], pi = t->p[i];
        for (int j = k + 1; j < n; j++) a[j] -= vi * t->p[j] + pi * v[j];
    }
}

// The product of the reflectors, transposed: its rows become the eigenvectors.
static void accumulate(struct tridiagonal *t, double *q)
{
    const int n = t->n;
    memset(q, 0, sizeof *q * (size_t) n * (size_t) n);
    for (int i = 0; i < n; i++) q[(size_t) i * (size_t) n + (size_t) i] = 1;
    for (int k = n - 3; k >= 0; k--) {
        const double *v = row(t, k);
        for (int i = k + 1; i < n; i++) { // each row of the transposed product times the reflector
            double *x = q + (size_t) i * (size_t) n, sum = 0;
            for (int j = k + 1; j < n; j++) sum += x[j] * v[j];
            sum *= t->beta[k];
            for (int j = k + 1; j < n; j++) x[j] -= sum * v[j];
        }
    }
}

static void turn(double *x, double *y, int n, double c, double s)
{
    for (int i = 0; i < n; i++) {
        const double a = x[i], b = y[i];
        x[i] = c * a - s * b;
        y[i] = s * a + c * b;
    }
}

// One QR step on the block low ... high.
static void step(struct tridiagonal *t, int low, int high, double *q)
{
    double *d = t->d, *e = t->e;
    const double half = (d[high - 1] - d[high]) / 2, off = e[high - 1];
    const double shift = d[high] - off * off / (half + copysign(hypot(half, off), half));
    double x = d[low] - shift, z = e[low];
    for (int k = low; k < high; k++) {
        const double r = hypot(x, z), c = r > 0 ? x / r : 1, s = r > 0 ? -z / r : 0;
        const double a = d[k], b = d[k + 1], m = e[k];
        if (k > low) e[k - 1] = r;
        d[k] = c * c * a - 2 * c * s * m + s * s * b;
        d[k + 1] = s * s * a + 2 * c * s * m + c * c * b;
        e[k] = c * s * (a - b) + (c * c - s * s) * m;
        if (k + 1 < high) z = -s * e[k + 1], e[k + 1] *= c;
        x = e[k];
        turn(q + (size_t) k * (size_t) t->n, q + (size_t) (k + 1) * (size_t) t->n, t->n, c, s);
    }
}

static bool is_small(const struct tridiagonal *t, int i) { return fabs(t->e[i]) <= DBL_EPSILON / 2 * (fabs(t->d[i]) + fabs(t->d[i + 1])); }

static weft_result diagonalise(struct tridiagonal *t, double *q)
{
    int high = t->n - 1, steps = 0;
    double scale = 0;
    for (int i = 0; i < t->n; i++) scale = fmax(scale, fmax(fabs(t->d[i]), i ? fabs(t->e[i - 1]) : 0));
    while (high > 0) {
        int low = high;
        while (low > 0 && !is_small(t, low - 1) && fabs(t->e[low - 1]) > DBL_EPSILON * DBL_EPSILON * scale) low--;
        if (low > 0) t->e[low - 1] = 0;
        if (low == high) {
            high--, steps = 0;
            continue;
        }
        if (++steps > STEPS_MOST) return weft_fail(WEFT_ERR_NUMERIC, "eigenvalue %d does not converge", high);
        step(t, low, high, q);
    }
    return WEFT_OK;
}

static void sort(int n, double *values, double *vectors)
{
    for (int i = 0; i < n; i++) {
        int best = i;
        for (int j = i + 1; j < n; j++)
            if (values[j] > values[best]) best = j;
        if (best == i) continue;
        const double v = values[i];
        values[i] = values[best], values[best] = v;
        double *a = vectors + (size_t) i * (size_t) n, *b = vectors + (size_t) best * (size_t) n;
        for (int k = 0; k < n; k++) {
            const double x = a[k];
            a[k] = b[k], b[k] = x;
        }
    }
}

weft_result weft_eigen(weft_context *ctx, int n, double *a, double *values, double *vectors)
{
    double *room = weft_new(ctx, sizeof *room * 3 * ((size_t) n + 1));
    if (!room) return WEFT_ERR_MEMORY;
    struct tridiagonal t = { n, a, values, room, room + n + 1, room + 2 * (n + 1) };
    for (int k = 0; k + 2 < n; k++) reflect(&t, k);
    if (n > 1) values[n - 2] = row(&t, n - 2)[n - 2], t.e[n - 2] = row(&t, n - 2)[n - 1];
    values[n - 1] = row(&t, n - 1)[n - 1];
    accumulate(&t, vectors);
    const weft_result r = diagonalise(&t, vectors);
    sort(n, values, vectors);
    weft_delete(ctx, room);
    return r;
}
