// SPDX-License-Identifier: MIT
// A linear support vector machine by sequential minimal optimisation: two multipliers at a time, the first the one that violates the
// optimality conditions most, the second the one that then gains most (Fan, Chen, Lin 2005, working set 3).
#include "base/context.h"
#include "base/threads.h"
#include <math.h>
#include <string.h>
#include <weft/latent.h>
#include <weft/random.h>

enum { CACHE_BYTES = 1 << 28, STEPS_LEAST = 1000000, MOST = 1 << 20 };
#define FLAT 1e-12 // curvature of pairs that have none

struct problem {
    weft_context *ctx;
    const float *rows;
    int width, count;     // of the rows that are trained on
    const int *row;       // which ones
    const signed char *y; // +1, -1
    double cost, *alpha, *gradient, *diagonal;
    float **column;       // of the Gram matrix, those that were needed
    size_t columns, columns_most;
};

static const float *row_of(const struct problem *p, int i) { return p->rows + (size_t) p->row[i] * (size_t) p->width; }

static double dot(const float *a, const float *b, int n)
{
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    int i = 0;
    for (; i + 4 <= n; i += 4) {
        s0 += (double) a[i] * b[i], s1 += (double) a[i + 1] * b[i + 1];
        s2 += (double) a[i + 2] * b[i + 2], s3 += (double) a[i + 3] * b[i + 3];
    }
    for (; i < n; i++) s0 += (double) a[i] * b[i];
    return s0 + s1 + (s2 + s3);
}

struct fill { const struct problem *p; float *to; int i; };
static void fill_column(void *user, int64_t begin, int64_t end)
{
    const struct fill *f = user;
    for (int64_t k = begin; k < end; k++) f->to[k] = (float) dot(row_of(f->p, f->i), row_of(f->p, (int) k), f->p->width);
}

// Products of row i with all; NULL when memory is out. A column that does not fit pushes out one that is in no use.
static const float *column(struct problem *p, int i, int keep)
{
    if (p->column[i]) return p->column[i];
    float *to = NULL;
    if (p->columns < p->columns_most) to = weft_new(p->ctx, sizeof *to * (size_t) p->count), p->columns += to != NULL;
    for (int k = 1; !to && k < p->count; k++) {
        const int other = (i + k) % p->count;
        if (other != keep && p->column[other]) to = p->column[other], p->column[other] = NULL;
    }
    if (!to) return NULL;
    weft_parallel(p->ctx->pool, p->count, 64, fill_column, &(struct fill) { p, to, i });
    return p->column[i] = to;
}

static bool may_rise(const struct problem *p, int t) { return p->y[t] > 0 ? p->alpha[t] < p->cost : p->alpha[t] > 0; } // y alpha
static bool may_fall(const struct problem *p, int t) { return p->y[t] > 0 ? p->alpha[t] > 0 : p->alpha[t] < p->cost; }

static double curvature(const struct problem *p, const float *gram, int i, int j)
{
    const double q = p->diagonal[i] + p->diagonal[j] - 2.0 * gram[j];
    return q > FLAT ? q : FLAT;
}

// The pair to work on; false when the conditions hold to `tolerance`, or memory is out (*gram NULL).
static bool choose(struct problem *p, double tolerance, int *i, int *j, const float **gram)
{
    double high = -INFINITY, low = INFINITY, best = 0;
    *i = *j = -1;
    for (int t = 0; t < p->count; t++) {
        const double v = -p->y[t] * p->gradient[t];
        if (may_rise(p, t) && v > high) high = v, *i = t;
        if (may_fall(p, t) && v < low) low = v;
    }
    *gram = *i >= 0 ? column(p, *i, -1) : NULL;
    if (!*gram || high - low < tolerance) return false;
    for (int t = 0; t < p->count; t++) {
        const double gain = high + p->y[t] * p->gradient[t];
        if (!may_fall(p, t) || gain <= 0) continue;
        const double value = gain * gain / curvature(p, *gram, *i, t);
        if (value > best) best = value, *j = t;
    }
    return *j >= 0;
}

// Moves alpha i up and alpha j down along y, as far as it pays and as the box allows.
static weft_result move(struct problem *p, int i, int j, const float *gi)
{
    const double gain = -p->y[i] * p->gradient[i] + p->y[j] * p->gradient[j];
    double by = gain / curvature(p, gi, i, j);
    by = fmin(by, p->y[i] > 0 ? p->cost - p->alpha[i] : p->alpha[i]);
    by = fmin(by, p->y[j] > 0 ? p->alpha[j] : p->cost - p->alpha[j]);
    const float *gj = column(p, j, i);
    if (!gj) return WEFT_ERR_MEMORY;
    p->alpha[i] = fmax(0, fmin(p->cost, p->alpha[i] + p->y[i] * by));
    p->alpha[j] = fmax(0, fmin(p->cost, p->alpha[j] - p->y[j] * by));
    for (int t = 0; t < p->count; t++) p->gradient[t] += p->y[t] * by * ((double) gi[t] - gj[t]);
    return WEFT_OK;
}

static weft_result minimise(struct problem *p, double tolerance, int *steps)
{
    const int most = p->count > STEPS_LEAST / 100 ? 100 * p->count : STEPS_LEAST;
    const float *gram;
    int i, j;
    for (int t = 0; t < p->count; t++) p->gradient[t] = -1, p->diagonal[t] = dot(row_of(p, t), row_of(p, t), p->width);
    for (*steps = 0; choose(p, tolerance, &i, &j, &gram); ++*steps) {
        if (*steps == most) return weft_fail(WEFT_ERR_NUMERIC, "the classifier does not converge in %d steps; try a smaller cost", most);
        WEFT_TRY(move(p, i, j, gram));
    }
    return gram ? WEFT_OK : WEFT_ERR_MEMORY;
}

// The bias that the multipliers inside the box say, or the middle of what those at its sides allow.
static double bias_of(const struct problem *p)
{
    double sum = 0, low = -INFINITY, high = INFINITY;
    int inside = 0;
    for (int t = 0; t < p->count; t++) {
        const double b = -p->y[t] * p->gradient[t];
        if (p->alpha[t] > 0 && p->alpha[t] < p->cost) sum += b, inside++;
        else if (may_rise(p, t)) low = fmax(low, b);
        else high = fmin(high, b);
    }
    return inside ? sum / inside : (low + high) / 2;
}

static weft_result make_plane(const struct problem *p, float *direction, weft_separate_facts *facts)
{
    double *w = weft_new(p->ctx, sizeof *w * (size_t) p->width), norm = 0;
    if (!w) return WEFT_ERR_MEMORY;
    for (int t = 0; t < p->count; t++)
        for (int k = 0; p->alpha[t] > 0 && k < p->width; k++) w[k] += p->y[t] * p->alpha[t] * row_of(p, t)[k];
    for (int k = 0; k < p->width; k++) norm += w[k] * w[k];
    norm = sqrt(norm);
    for (int k = 0; norm > 0 && k < p->width; k++) direction[k] = (float) (w[k] / norm);
    weft_delete(p->ctx, w);
    if (!(norm > 0) || !isfinite(norm)) return weft_fail(WEFT_ERR_NUMERIC, "no plane separates the classes: their rows are the same");
    facts->margin = 1 / norm;
    facts->bias = bias_of(p) / norm;
    return WEFT_OK;
}

// --- Which rows. -----------------------------------------------------------------------------------------------

struct ranked { float score; int row; };
static bool before(struct ranked a, struct ranked b) { return a.score < b.score || (a.score == b.score && a.row < b.row); }

static void sift(struct ranked *r, int at, int count)
{
    const struct ranked moved = r[at];
    for (int child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(r[child], r[child + 1])) child++;
        if (!before(moved, r[child])) break;
        r[at] = r[child];
    }
    r[at] = moved;
}

static void sort(struct ranked *r, int count) // a heap: qsort may take memory of its own
{
    for (int i = count / 2; i-- > 0;) sift(r, i, count);
    for (int i = count; i-- > 1;) {
        const struct ranked last = r[i];
        r[i] = r[0], r[0] = last;
        sift(r, 0, i);
    }
}

struct choice { int *row; signed char *y; int count; };

static void pick(const struct ranked *r, int count, const weft_separate_params *p, struct choice *c)
{
    const int each = p->share > 0 ? (int) (p->share * count) : 0;
    for (int k = 0; k < count; k++) {
        if (p->share > 0 && k >= each && k < count - each) continue;
        c->y[c->count] = (p->share > 0 ? k >= count - each : r[k].score > p->threshold) ? 1 : -1;
        c->row[c->count++] = r[k].row;
    }
}

// Those held back go to the end. Gives how many stay.
static int shuffle(const weft_separate_params *p, struct choice *c)
{
    weft_random_state random;
    const int trained = c->count - (int) (p->held * c->count);
    if (trained == c->count) return trained;
    weft_random_seed(&random, p->seed);
    for (uint32_t i = (uint32_t) c->count; i-- > 1;) { // as weft_random_permutation
        const uint32_t j = weft_random_below(&random, i + 1);
        const int row = c->row[i];
        const signed char y = c->y[i];
        c->row[i] = c->row[j], c->row[j] = row;
        c->y[i] = c->y[j], c->y[j] = y;
    }
    return trained;
}

static double accuracy(const struct problem *p, const struct choice *c, int begin, int end, const float *direction, double bias)
{
    int right = 0;
    for (int k = begin; k < end; k++) right += (dot(p->rows + (size_t) c->row[k] * (size_t) p->width, direction, p->width) + bias > 0) == (c->y[k] > 0);
    return end > begin ? (double) right / (end - begin) : 1;
}

static weft_result solve(struct problem *p, const weft_separate_params *params, const struct choice *c, float *direction, weft_separate_facts *facts)
{
    weft_separate_facts f = { .held = c->count - p->count };
    for (int t = 0; t < p->count; t++) f.positive += p->y[t] > 0;
    f.negative = p->count - f.positive;
    if (!f.positive || !f.negative)
        return weft_fail(WEFT_ERR_ARGUMENT, "all %d rows are of one class; look at the labels and the threshold", p->count);
    WEFT_TRY(minimise(p, params->tolerance, &f.iterations));
    WEFT_TRY(make_plane(p, direction, &f));
    f.accuracy = accuracy(p, c, 0, p->count, direction, f.bias);
    f.held_accuracy = accuracy(p, c, p->count, c->count, direction, f.bias);
    if (facts) *facts = f;
    return WEFT_OK;
}

static weft_result train(weft_context *ctx, const float *rows, int width, int trained, const struct choice *c, const weft_separate_params *params,
                         float *direction, weft_separate_facts *facts)
{
    const size_t n = (size_t) trained, fits = CACHE_BYTES / (4 * n);
    double *room = weft_new(ctx, 8 * 3 * n);
    struct problem p = { ctx, rows, width, trained, c->row, c->y, params->cost, room, room ? room + n : NULL, room ? room + 2 * n : NULL, NULL, 0, fits < 2 ? 2 : fits };
    p.column = room ? weft_new(ctx, sizeof *p.column * n) : NULL;
    const weft_result r = p.column ? solve(&p, params, c, direction, facts) : WEFT_ERR_MEMORY;
    for (size_t i = 0; p.column && i < n; i++) weft_delete(ctx, p.column[i]);
    weft_delete(ctx, p.column);
    weft_delete(ctx, room);
    return r;
}

static weft_result check(const float *rows, int count, int width, const float *scores, const weft_separate_params *p)
{
    if (!(p->share >= 0 && p->share <= 0.5) || !(p->held >= 0 && p->held < 1) || !(p->cost > 0) || !(p->tolerance > 0))
        return weft_fail(WEFT_ERR_ARGUMENT, "weft_latent_separate: share is 0 to 0.5, held 0 to 1, cost and tolerance above 0");
    for (size_t i = 0; i < (size_t) count * (size_t) width; i++)
        if (!isfinite(rows[i])) return weft_fail(WEFT_ERR_NUMERIC, "row %zu holds NaN or infinity", i / (size_t) width);
    for (int i = 0; i < count; i++)
        if (!isfinite(scores[i])) return weft_fail(WEFT_ERR_NUMERIC, "score %d is NaN or infinity", i);
    return WEFT_OK;
}

weft_result weft_latent_separate(weft_context *ctx, const float *rows, int count, int width, const float *scores, const weft_separate_params *params,
                                 float *direction, weft_separate_facts *facts)
{
    weft_separate_params p = params ? *params : (weft_separate_params) { 0 };
    if (!ctx || !rows || !scores || !direction) return weft_fail(WEFT_ERR_ARGUMENT, "weft_latent_separate: an argument is NULL");
    if (count < 2 || count > MOST || width < 1 || width > MOST) return weft_fail(WEFT_ERR_ARGUMENT, "weft_latent_separate: %d rows of %d numbers", count, width);
    if (!p.cost) p.cost = 1;
    if (!p.tolerance) p.tolerance = 1e-3;
    WEFT_TRY(check(rows, count, width, scores, &p));
    struct ranked *ranked = weft_new(ctx, sizeof *ranked * (size_t) count);
    struct choice c = { weft_new(ctx, sizeof *c.row * (size_t) count), weft_new(ctx, (size_t) count), 0 };
    weft_result r = ranked && c.row && c.y ? WEFT_OK : WEFT_ERR_MEMORY;
    if (r == WEFT_OK) {
        for (int i = 0; i < count; i++) ranked[i] = (struct ranked) { scores[i], i };
        if (p.share > 0) sort(ranked, count);
        pick(ranked, count, &p, &c);
        const int trained = shuffle(&p, &c);
        if (trained < 2) r = weft_fail(WEFT_ERR_ARGUMENT, "%d rows are left to train on; two are the least", trained);
        if (r == WEFT_OK) r = train(ctx, rows, width, trained, &c, &p, direction, facts);
    }
    weft_delete(ctx, ranked);
    weft_delete(ctx, c.row);
    weft_delete(ctx, c.y);
    return r;
}

// --- Projection. -----------------------------------------------------------------------------------------------

// Takes from x what lies along the unit vectors at `basis`; gives its length then.
static double orthogonalise(double *x, int width, const double *basis, int count)
{
    double length = 0;
    for (int pass = 0; pass < 2; pass++) // once more for what rounding left
        for (int k = 0; k < count; k++) {
            const double *b = basis + (size_t) k * (size_t) width;
            double along = 0;
            for (int i = 0; i < width; i++) along += x[i] * b[i];
            for (int i = 0; i < width; i++) x[i] -= along * b[i];
        }
    for (int i = 0; i < width; i++) length += x[i] * x[i];
    return sqrt(length);
}

weft_result weft_latent_project(weft_context *ctx, float *direction, int width, const float *conditions, int count)
{
    if (!ctx || !direction || (count && !conditions)) return weft_fail(WEFT_ERR_ARGUMENT, "weft_latent_project: an argument is NULL");
    if (width < 1 || count < 0 || count > width) return weft_fail(WEFT_ERR_ARGUMENT, "weft_latent_project: %d conditions of %d numbers", count, width);
    double *basis = weft_new(ctx, sizeof *basis * (size_t) width * ((size_t) count + 1)), before = 0, left = 0;
    int kept = 0;
    if (!basis) return WEFT_ERR_MEMORY;
    for (int k = 0; k <= count; k++) { // the conditions one after the other, then the direction itself
        const float *from = k < count ? conditions + (size_t) k * (size_t) width : direction;
        double *x = basis + (size_t) kept * (size_t) width;
        for (int i = 0; i < width; i++) x[i] = from[i];
        before = orthogonalise(x, width, NULL, 0);
        left = orthogonalise(x, width, basis, kept);
        if (k == count || !(left > 1e-6 * before)) continue; // a condition that the others hold already
        for (int i = 0; i < width; i++) x[i] /= left;
        kept++;
    }
    const bool some = left > 1e-6 * before && isfinite(left);
    for (int i = 0; some && i < width; i++) direction[i] = (float) (basis[(size_t) kept * (size_t) width + (size_t) i] / left);
    weft_delete(ctx, basis);
    return some ? WEFT_OK : weft_fail(WEFT_ERR_ARGUMENT, "nothing of the direction lies across its conditions");
}
