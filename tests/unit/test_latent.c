// SPDX-License-Identifier: MIT
// Latents: between, mixed, moved; principal components against NumPy's SVD (tests/unit/pca_values.py); the separating plane against the
// conditions that make it the best one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <weft/latent.h>
#include <weft/random.h>

static weft_context *ctx;

static int set_up(void **state) { return (void) state, weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx); }
static int tear_down(void **state) { return (void) state, weft_context_destroy(&ctx), 0; }

#define assert_ok(call) do { if ((call) != WEFT_OK) fail_msg("%s", weft_error_text()); } while (0)
static void near(const char *what, double is, double want, double tolerance)
{
    if (!(fabs(is - want) <= tolerance)) fail_msg("%s is %.9g, not %.9g", what, is, want);
}
#define assert_near(a, b, tolerance) near(#a, a, b, tolerance)

static void normals(uint32_t seed, float *x, size_t count)
{
    weft_random_state r;
    weft_random_seed(&r, seed);
    weft_random_normals(&r, x, count);
}

static double dot(const float *a, const float *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double) a[i] * b[i];
    return sum;
}

// --- Between, mixed, moved. ------------------------------------------------------------------------------------

static void lines_and_circles_begin_and_end_where_they_should(void **state)
{
    (void) state;
    enum { N = 33 };
    float a[N], b[N], x[N], y[N];
    normals(1, a, N), normals(2, b, N);
    for (int kind = 0; kind < 2; kind++) {
        void (*path)(const float *, const float *, size_t, double, float *) = kind ? weft_latent_slerp : weft_latent_lerp;
        path(a, b, N, 0, x), path(a, b, N, 1, y);
        for (int i = 0; i < N; i++) assert_near(x[i], a[i], kind * 1e-6), assert_near(y[i], b[i], kind * 1e-6);
        path(a, b, N, 0.3, x), path(b, a, N, 0.7, y);
        for (int i = 0; i < N; i++) assert_near(x[i], y[i], 1e-6);
    }
    weft_latent_lerp(a, b, N, 0.25, x);
    for (int i = 0; i < N; i++) assert_near(x[i], 0.75 * a[i] + 0.25 * b[i], 1e-6);
    // On the circle of two vectors of one length the length stays, and the angle grows evenly.
    const double scale = sqrt(dot(a, a, N) / dot(b, b, N));
    for (int i = 0; i < N; i++) b[i] = (float) (b[i] * scale);
    const double whole = acos(dot(a, b, N) / dot(a, a, N));
    for (double t = 0; t <= 1; t += 0.125) {
        weft_latent_slerp(a, b, N, t, x);
        assert_near(dot(x, x, N), dot(a, a, N), 1e-4);
        assert_near(acos(fmin(1, dot(a, x, N) / dot(a, a, N))), t * whole, 1e-3);
    }
    for (int i = 0; i < N; i++) b[i] = -a[i]; // no circle is the one
    weft_latent_slerp(a, b, N, 0.5, x);
    for (int i = 0; i < N; i++) assert_near(x[i], 0, 1e-6);
}

static void layers_are_mixed_and_moved_by_choice(void **state)
{
    (void) state;
    enum { L = 5, D = 3 };
    float a[L * D], b[L * D], w[L * D], one[D], each[L * D];
    normals(1, a, L * D), normals(2, b, L * D), normals(3, one, D), normals(4, each, L * D);
    const uint64_t chosen = 1 << 0 | 1 << 3;
    memcpy(w, a, sizeof w);
    weft_latent_mix(w, b, L, D, chosen);
    for (int i = 0; i < L * D; i++) assert_true(w[i] == (chosen >> i / D & 1 ? b[i] : a[i]));
    memcpy(w, a, sizeof w);
    weft_latent_move(w, L, D, one, 1, -2.5, chosen);
    for (int i = 0; i < L * D; i++) assert_near(w[i], a[i] - (chosen >> i / D & 1 ? 2.5 * one[i % D] : 0), 1e-6);
    memcpy(w, a, sizeof w);
    weft_latent_move(w, L, D, each, L, 2, WEFT_ALL_LAYERS);
    for (int i = 0; i < L * D; i++) assert_near(w[i], a[i] + 2.0 * each[i], 1e-6);
}

// --- Principal components. -------------------------------------------------------------------------------------

static const double mean[] = { 1.907445547, 2.571682336, 1.885003368, 2.092049733, 1.822770527, 1.727526528, 1.746580251, 2.132255068, 1.808406907, 1.980294421, 1.949653900, 2.050625868 };
static const double stdev[] = { 6.680377803, 3.942510488, 3.771561167, 3.513538731, 3.441150023, 3.045042209, 2.593915248, 2.347538485, 1.738568329, 1.343042324, 0.918181749, 0.579483016 };
static const double direction_0[] = { 0.785125933, 0.611991089, 0.049636515, -0.047286399, -0.059483963, 0.009086575, -0.006736217, 0.012443838, 0.006521496, -0.011923843, 0.011444194, 0.014407535 };
static const double direction_1[] = { -0.359276040, 0.374411492, 0.813243799, -0.226434242, -0.046061990, -0.003575655, 0.115141941, -0.012779512, -0.046946752, -0.011617536, 0.010080257, 0.010137481 };
static const double direction_2[] = { -0.480372330, 0.655627122, -0.535773745, -0.129130335, 0.055500274, -0.158398604, -0.073012784, 0.036708364, 0.016732643, 0.010993226, 0.020405454, -0.001170252 };

static void components_are_those_of_numpy(void **state)
{
    (void) state;
    enum { ROWS = 200, N = 12 };
    static float x[ROWS * N];
    float m[N], d[N * N], s[N];
    const double *const want[] = { direction_0, direction_1, direction_2 };
    weft_pca *p = NULL;
    double share;
    normals(3, x, ROWS * N);
    for (int i = 0; i < ROWS * N; i++) x[i] *= (float) (5 - 0.4 * (i % N));
    for (int i = 0; i < ROWS; i++) x[i * N] += 0.5f * x[i * N + 1];
    for (int i = 0; i < ROWS * N; i++) x[i] += 2;
    assert_ok(weft_pca_create(ctx, N, &p));
    for (int i = 0; i < ROWS; i += 7) assert_ok(weft_pca_add(p, x + i * N, i + 7 < ROWS ? 7 : (size_t) (ROWS - i)));
    assert_ok(weft_pca_solve(p, N, m, d, s, &share));
    assert_near(share, 1, 1e-12);
    for (int i = 0; i < N; i++) {
        assert_near(m[i], mean[i], 1e-6);
        assert_near(s[i], stdev[i], 1e-6);
        for (int k = 0; k < 3; k++) assert_near(d[k * N + i], want[k][i], 1e-6);
    }
    assert_ok(weft_pca_solve(p, 3, NULL, NULL, s, &share)); // again, fewer
    double all = 0, first = 0;
    for (int i = 0; i < N; i++) all += stdev[i] * stdev[i], first += i < 3 ? stdev[i] * stdev[i] : 0;
    assert_near(share, first / all, 1e-7);
    weft_pca_destroy(&p);
}

static void components_are_a_basis_even_of_rows_that_span_less(void **state)
{
    (void) state;
    enum { ROWS = 40, N = 97 }; // at most 39 components have any variance
    static float x[ROWS * N], d[N * N], s[N], m[N];
    weft_pca *p = NULL;
    normals(5, x, ROWS * N);
    for (int i = 0; i < ROWS; i++) x[i * N + 50] = 3; // and one number never changes
    assert_ok(weft_pca_create(ctx, N, &p));
    assert_ok(weft_pca_add(p, x, ROWS));
    assert_ok(weft_pca_solve(p, N, m, d, s, NULL));
    for (int a = 0; a < N; a++) {
        int most = 0;
        for (int b = 0; b < N; b++) assert_near(dot(d + a * N, d + b * N, N), a == b, 1e-6);
        for (int i = 0; i < N; i++) most = fabs(d[a * N + i]) > fabs(d[a * N + most]) ? i : most;
        assert_true(d[a * N + most] > 0 && (!a || s[a] <= s[a - 1]));
        assert_true(a < ROWS - 1 ? s[a] > 0.1 : s[a] < 1e-6);
        double along = 0; // the variance of the rows along it
        for (int r = 0; r < ROWS; r++) {
            double v = 0;
            for (int i = 0; i < N; i++) v += ((double) x[r * N + i] - m[i]) * d[a * N + i];
            along += v * v / ROWS;
        }
        assert_near(sqrt(along), s[a], 1e-5);
    }
    weft_pca_destroy(&p);
}

static void what_has_no_components_is_told(void **state)
{
    (void) state;
    weft_pca *p = NULL;
    float x[3] = { 1, 2, NAN };
    assert_int_equal(weft_pca_create(ctx, 0, &p), WEFT_ERR_ARGUMENT);
    assert_ok(weft_pca_create(ctx, 3, &p));
    assert_int_equal(weft_pca_add(p, x, 1), WEFT_ERR_NUMERIC);
    x[2] = 3;
    assert_ok(weft_pca_add(p, x, 1));
    assert_int_equal(weft_pca_solve(p, 1, NULL, x, NULL, NULL), WEFT_ERR_ARGUMENT);
    assert_ok(weft_pca_add(p, x, 1));
    assert_int_equal(weft_pca_solve(p, 4, NULL, x, NULL, NULL), WEFT_ERR_ARGUMENT);
    assert_ok(weft_pca_solve(p, 1, NULL, x, NULL, NULL)); // two equal rows: no variance, but a direction
    assert_near(dot(x, x, 3), 1, 1e-6);
    weft_pca_destroy(&p);
}

// --- The separating plane. -------------------------------------------------------------------------------------

static void two_points_are_parted_in_the_middle(void **state)
{
    (void) state;
    const float x[] = { 1, 2, 4, 6 }, scores[] = { -1, 1 };
    float d[2];
    weft_separate_facts f;
    assert_ok(weft_latent_separate(ctx, x, 2, 2, scores, &(weft_separate_params) { .tolerance = 1e-9 }, d, &f));
    assert_near(d[0], 0.6, 1e-6), assert_near(d[1], 0.8, 1e-6);
    assert_near(f.margin, 2.5, 1e-6);
    assert_near(f.bias, -(2.5 * 0.6 + 4 * 0.8), 1e-5);
    assert_true(f.accuracy == 1 && f.positive == 1 && f.negative == 1);
}

// Half |w|^2 + C sum of max(0, 1 - y (w.x + b)) with w = direction / margin: convex, so a point that no small change betters is the best.
static double objective(const float *x, const float *y, int rows, int n, double cost, const double *w, double b)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += w[i] * w[i] / 2;
    for (int r = 0; r < rows; r++) {
        double v = b;
        for (int i = 0; i < n; i++) v += w[i] * x[r * n + i];
        sum += cost * fmax(0, 1 - (y[r] > 0 ? v : -v));
    }
    return sum;
}

static void no_other_plane_is_better(void **state)
{
    (void) state;
    enum { ROWS = 240, N = 7 };
    static float x[ROWS * N], y[ROWS], change[200 * (N + 1)];
    normals(6, x, ROWS * N), normals(7, y, ROWS), normals(8, change, 200 * (N + 1));
    for (int r = 0; r < ROWS; r++) y[r] += 2 * x[r * N + 1] - x[r * N + 4] - 0.5f; // with noise: the classes overlap
    for (int c = 0; c < 3; c++) {
        const double cost = c == 0 ? 0.01 : c == 1 ? 1 : 50;
        float d[N];
        double w[N], v[N];
        weft_separate_facts f;
        assert_ok(weft_latent_separate(ctx, x, ROWS, N, y, &(weft_separate_params) { .cost = cost, .tolerance = 1e-7 }, d, &f));
        assert_near(dot(d, d, N), 1, 1e-6);
        assert_true(d[1] > 0.7 && d[4] < -0.2 && f.accuracy > 0.8 && f.accuracy < 1);
        for (int i = 0; i < N; i++) w[i] = d[i] / f.margin;
        const double b = f.bias / f.margin, best = objective(x, y, ROWS, N, cost, w, b);
        int worse = 0;
        for (int k = 0; k < 200; k++)
            for (double size = 1; size > 1e-4; size /= 10) {
                const float *e = change + k * (N + 1);
                for (int i = 0; i < N; i++) v[i] = w[i] + size * e[i];
                const double other = objective(x, y, ROWS, N, cost, v, b + size * e[N]);
                assert_true(other > best - 1e-5 * fmax(1, best));
                worse += other > best;
            }
        assert_true(worse > 700);
        for (double t = -1e-3; t < 2e-3; t += 2e-3) // along the largest scale
            for (int i = 0; i < N; i++) {
                memcpy(v, w, sizeof v);
                v[i] += t;
                assert_true(objective(x, y, ROWS, N, cost, v, b) > best - 1e-5 * fmax(1, best));
            }
    }
}

static void shares_and_held_rows_are_counted(void **state)
{
    (void) state;
    enum { ROWS = 500, N = 16 };
    static float x[ROWS * N], y[ROWS];
    float d[N];
    weft_separate_facts f;
    normals(9, x, ROWS * N);
    for (int r = 0; r < ROWS; r++) y[r] = 3 * x[r * N + 2] + 10; // scores that are all positive
    assert_int_equal(weft_latent_separate(ctx, x, ROWS, N, y, &(weft_separate_params) { .threshold = -100 }, d, &f), WEFT_ERR_ARGUMENT);
    assert_non_null(strstr(weft_error_text(), "one class"));
    assert_ok(weft_latent_separate(ctx, x, ROWS, N, y, &(weft_separate_params) { .share = 0.1, .held = 0.3, .seed = 4 }, d, &f));
    assert_true(f.positive + f.negative == 70 && f.held == 30 && f.accuracy == 1 && f.held_accuracy == 1 && d[2] > 0.9);
    assert_ok(weft_latent_separate(ctx, x, ROWS, N, y, &(weft_separate_params) { .threshold = 10 }, d, &f));
    assert_true(f.positive + f.negative == ROWS && f.held == 0 && f.held_accuracy == 1 && f.accuracy > 0.97);
    for (int i = 0; i < 40; i++) x[i] = 1;
    const float same[] = { -1, 1 };
    assert_int_equal(weft_latent_separate(ctx, x, 2, N, same, NULL, d, &f), WEFT_ERR_NUMERIC); // one point, two labels
}

// --- Projection. -----------------------------------------------------------------------------------------------

static void conditions_are_projected_out(void **state)
{
    (void) state;
    enum { N = 20 };
    float n[N], c[3 * N], x[N];
    normals(10, n, N), normals(11, c, 3 * N);
    const double cc = dot(c, c, N), along = dot(n, c, N) / cc;
    double length = 0;
    for (int i = 0; i < N; i++) length += pow(n[i] - along * c[i], 2);
    memcpy(x, n, sizeof x);
    assert_ok(weft_latent_project(ctx, x, N, c, 1)); // n - (n.c) c for the unit c, normalised
    for (int i = 0; i < N; i++) assert_near(x[i], (n[i] - along * c[i]) / sqrt(length), 1e-6);
    for (int i = 0; i < N; i++) c[2 * N + i] = c[i] + 2 * c[N + i]; // holds nothing new
    memcpy(x, n, sizeof x);
    assert_ok(weft_latent_project(ctx, x, N, c, 3));
    assert_near(dot(x, x, N), 1, 1e-6);
    for (int k = 0; k < 3; k++) assert_near(dot(x, c + k * N, N), 0, 1e-5);
    for (int i = 0; i < N; i++) x[i] = c[i] - 3 * c[N + i];
    assert_int_equal(weft_latent_project(ctx, x, N, c, 2), WEFT_ERR_ARGUMENT);
    memcpy(x, n, sizeof x);
    assert_ok(weft_latent_project(ctx, x, N, NULL, 0)); // no condition: normalised
    assert_near(dot(x, x, N), 1, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_circles_begin_and_end_where_they_should), cmocka_unit_test(layers_are_mixed_and_moved_by_choice),
        cmocka_unit_test(components_are_those_of_numpy), cmocka_unit_test(components_are_a_basis_even_of_rows_that_span_less),
        cmocka_unit_test(what_has_no_components_is_told), cmocka_unit_test(two_points_are_parted_in_the_middle),
        cmocka_unit_test(no_other_plane_is_better), cmocka_unit_test(shares_and_held_rows_are_counted),
        cmocka_unit_test(conditions_are_projected_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
