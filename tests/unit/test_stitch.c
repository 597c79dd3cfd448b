// SPDX-License-Identifier: MIT
// Resizing, and edited regions put back into photos: against plain sums, brute force and a direct solver.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "edit/feather.h"
#include "edit/image.h"
#include "edit/poisson.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <weft/edit.h>
#include <weft/random.h>

static weft_context *ctx;

static int set_up(void **state) { return (void) state, weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx); }
static int tear_down(void **state) { return (void) state, weft_context_destroy(&ctx), 0; }

#define assert_ok(call) do { if ((call) != WEFT_OK) fail_msg("%s", weft_error_text()); } while (0)

static weft_image *noise_image(uint32_t seed, int w, int h, int channels, int bits)
{
    weft_image *i = NULL;
    weft_random_state r;
    weft_random_seed(&r, seed);
    assert_ok(weft_image_create(ctx, w, h, channels, bits, &i));
    for (int64_t p = 0; p < (int64_t) w * h; p++)
        for (int c = 0; c < channels; c++) weft_image_put(i, p, c, weft_random_below(&r, weft_image_white(i) + 1));
    return i;
}

static weft_image *disc(int w, int h, double x, double y, double radius) // white on black
{
    weft_image *i = NULL;
    assert_ok(weft_image_create(ctx, w, h, 1, 8, &i));
    for (int p = 0; p < w * h; p++)
        if (hypot(p % w - x, p / w - y) <= radius) weft_image_put(i, p, 0, 255);
    return i;
}

// --- Resizing. -------------------------------------------------------------------------------------------------

// The integral of the picture over [x0, x1) x [y0, y1), where each pixel is a square of side 1, by fine sampling of its edges.
static double area(const weft_image *i, double x0, double x1, double y0, double y1, int c)
{
    double sum = 0;
    for (int y = 0; y < i->info.height; y++)
        for (int x = 0; x < i->info.width; x++) {
            const double w = fmin(x + 1, x1) - fmax(x, x0), h = fmin(y + 1, y1) - fmax(y, y0);
            if (w > 0 && h > 0) sum += w * h * weft_image_sample(i, (int64_t) y * i->info.width + x, c);
        }
    return sum / ((x1 - x0) * (y1 - y0));
}

static void shrinking_takes_the_mean_of_the_area(void **state)
{
    (void) state;
    static const int sizes[][2] = { { 1, 1 }, { 7, 5 }, { 16, 12 }, { 23, 17 }, { 22, 9 } };
    weft_image *i = noise_image(1, 23, 17, 3, 16), *o = NULL;
    for (size_t k = 0; k < 5; k++) {
        const int w = sizes[k][0], h = sizes[k][1];
        assert_ok(weft_image_resize(i, w, h, &o));
        for (int p = 0; p < w * h; p++)
            for (int c = 0; c < 3; c++) {
                const double x = p % w, y = p / w;
                const double want = area(i, x * 23 / w, (x + 1) * 23 / w, y * 17 / h, (y + 1) * 17 / h, c);
                assert_true(fabs(want - weft_image_sample(o, p, c)) < 0.5001);
            }
        weft_image_destroy(&o);
    }
    weft_image_destroy(&i);
}

static void growing_is_bilinear(void **state)
{
    (void) state;
    weft_image *i = noise_image(2, 5, 3, 1, 8), *o = NULL;
    assert_ok(weft_image_resize(i, 13, 8, &o));
    for (int p = 0; p < 13 * 8; p++) {
        const double x = fmax(0, fmin(4, (p % 13 + 0.5) * 5 / 13 - 0.5)), y = fmax(0, fmin(2, (p / 13 + 0.5) * 3 / 8 - 0.5));
        double want = 0;
        for (int q = 0; q < 15; q++) want += fmax(0, 1 - fabs(x - q % 5)) * fmax(0, 1 - fabs(y - q / 5)) * weft_image_sample(i, q, 0);
        assert_true(fabs(want - weft_image_sample(o, p, 0)) < 0.5001);
    }
    weft_image_destroy(&o);
    assert_ok(weft_image_resize(i, 5, 3, &o));
    assert_memory_equal(weft_image_view(i), weft_image_view(o), 15);
    weft_image_destroy(&o);
    weft_image_destroy(&i);
    i = noise_image(2, 1, 1, 3, 8);
    assert_ok(weft_image_resize(i, 4, 4, &o));
    assert_true(weft_image_sample(o, 15, 2) == weft_image_sample(i, 0, 2));
    weft_image_destroy(&o);
    assert_int_equal(weft_image_resize(i, 0, 4, &o), WEFT_ERR_ARGUMENT);
    weft_image_destroy(&i);
}

static void transparent_pixels_lend_no_colour(void **state)
{
    (void) state;
    weft_image *i = NULL, *o = NULL;
    assert_ok(weft_image_create(ctx, 2, 1, 4, 8, &i));
    for (int c = 0; c < 4; c++) weft_image_put(i, 0, c, 200), weft_image_put(i, 1, c, c < 3 ? 10 : 0);
    weft_image_put(i, 0, 3, 255);
    assert_ok(weft_image_resize(i, 1, 1, &o));
    assert_int_equal(weft_image_sample(o, 0, 0), 200);
    assert_int_equal(weft_image_sample(o, 0, 3), 128);
    weft_image_destroy(&i);
    weft_image_destroy(&o);
}

static void crops_are_parts(void **state)
{
    (void) state;
    weft_image *i = noise_image(3, 9, 7, 4, 16), *o = NULL;
    assert_ok(weft_image_crop(i, 2, 3, 5, 4, &o));
    for (int p = 0; p < 20; p++)
        for (int c = 0; c < 4; c++) assert_int_equal(weft_image_sample(o, p, c), weft_image_sample(i, (3 + p / 5) * 9 + 2 + p % 5, c));
    weft_image_destroy(&o);
    assert_int_equal(weft_image_crop(i, 5, 0, 5, 4, &o), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_image_crop(i, -1, 0, 5, 4, &o), WEFT_ERR_ARGUMENT);
    weft_image_destroy(&i);
}

// --- Alpha. ----------------------------------------------------------------------------------------------------

static void ramps_follow_the_distance_to_the_outside(void **state)
{
    (void) state;
    enum { W = 37, H = 29 };
    static float alpha[W * H];
    weft_random_state r;
    weft_random_seed(&r, 5);
    for (int kind = 0; kind < 3; kind++) {
        weft_hole h = { ctx, W, H, malloc(W * H), 0 };
        for (int i = 0; i < W * H; i++) h.at[i] = kind == 0 ? weft_random_below(&r, 50) > 0 : kind == 1 ? hypot(i % W - 18, i / W - 4) < 11 : 1;
        for (int ramp = 0; ramp < 9; ramp += 4) {
            assert_ok(weft_feather(&h, ramp, alpha));
            for (int i = 0; i < W * H; i++) {
                double least = INFINITY;
                for (int q = 0; q < W * H; q++)
                    if (!h.at[q]) least = fmin(least, hypot(q % W - i % W, q / W - i / W));
                assert_true(fabs(alpha[i] - fmin(1, least / (ramp + 1))) < 1e-5);
            }
        }
        free(h.at);
    }
}

static void alpha_blending_is_a_weighted_mean_inside_the_mask(void **state)
{
    (void) state;
    enum { W = 40, H = 30 };
    weft_image *photo = noise_image(6, W, H, 4, 8), *edit = noise_image(7, W, H, 3, 16), *mask = disc(W, H, 20, 15, 9), *out = NULL;
    weft_stitch_facts facts;
    weft_hole hole;
    static float ramp[W * H];
    assert_ok(weft_hole_make(mask, WEFT_MASK_HOLE, W, H, &hole));
    assert_ok(weft_feather(&hole, 3, ramp));
    assert_ok(weft_stitch(photo, edit, mask, &(weft_stitch_params) { .feather = 3 }, &out, &facts));
    assert_int_equal(facts.pixels, hole.count);
    for (int i = 0; i < W * H; i++)
        for (int c = 0; c < 4; c++) {
            const double p = weft_image_sample(photo, i, c), e = c < 3 ? weft_image_sample(edit, i, c) / 257.0 : p;
            assert_true(fabs(weft_image_sample(out, i, c) - (p + ramp[i] * (e - p))) < 0.501);
            assert_true(hole.at[i] || weft_image_sample(out, i, c) == p);
        }
    weft_image_destroy(&out);
    for (int i = 0; i < W * H; i++) weft_image_put(mask, i, 0, (uint32_t) (i % W * 6)); // a soft mask
    assert_ok(weft_stitch(photo, edit, mask, &(weft_stitch_params) { .mask_mode = WEFT_MASK_KEEP }, &out, NULL));
    for (int i = 0; i < W * H; i++) {
        const double a = 1 - i % W * 6 / 255.0, p = weft_image_sample(photo, i, 1), e = weft_image_sample(edit, i, 1) / 257.0;
        assert_true(fabs(weft_image_sample(out, i, 1) - (p + a * (e - p))) < 0.501);
    }
    weft_image_destroy(&out);
    weft_hole_free(&hole);
    weft_image_destroy(&photo), weft_image_destroy(&edit), weft_image_destroy(&mask);
}

// --- Poisson. --------------------------------------------------------------------------------------------------

// Equation 7 of Perez et al. for f itself, as a full matrix, by elimination. Gives f at every pixel.
static void solve_directly(const weft_image *photo, const weft_image *edit, const weft_hole *h, int c, bool mixed, double *f)
{
    const int w = photo->info.width, n = w * photo->info.height;
    double *a = calloc((size_t) n * (size_t) (n + 1), sizeof *a);
    assert_non_null(a);
    for (int p = 0; p < n; p++) {
        double *row = a + (size_t) p * (size_t) (n + 1);
        static const int dx[] = { 1, -1, 0, 0 }, dy[] = { 0, 0, 1, -1 };
        row[p] = 1, row[n] = weft_image_sample(photo, p, c);
        if (!h->at[p]) continue;
        row[p] = row[n] = 0;
        for (int k = 0; k < 4; k++) {
            const int x = p % w + dx[k], y = p / w + dy[k], q = y * w + x;
            if (x < 0 || y < 0 || x >= w || y >= n / w) continue;
            const double own = (double) weft_image_sample(edit, p, c) - weft_image_sample(edit, q, c);
            const double theirs = (double) weft_image_sample(photo, p, c) - weft_image_sample(photo, q, c);
            row[p] += 1, row[q] -= 1;
            row[n] += mixed && fabs(theirs) > fabs(own) ? theirs : own;
        }
    }
    for (int i = 0; i < n; i++)
        for (int r = i + 1; r < n; r++) { // diagonally dominant: no pivots
            const double m = a[(size_t) r * (size_t) (n + 1) + (size_t) i] / a[(size_t) i * (size_t) (n + 1) + (size_t) i];
            for (int k = i; m != 0 && k <= n; k++) a[(size_t) r * (size_t) (n + 1) + (size_t) k] -= m * a[(size_t) i * (size_t) (n + 1) + (size_t) k];
        }
    for (int i = n; i-- > 0;) {
        double v = a[(size_t) i * (size_t) (n + 1) + (size_t) n];
        for (int k = i + 1; k < n; k++) v -= a[(size_t) i * (size_t) (n + 1) + (size_t) k] * f[k];
        f[i] = v / a[(size_t) i * (size_t) (n + 1) + (size_t) i];
    }
    free(a);
}

static void poisson_blending_is_what_a_direct_solver_gives(void **state)
{
    (void) state;
    enum { W = 19, H = 16 };
    static double f[W * H];
    weft_image *photo = noise_image(8, W, H, 3, 16), *edit = noise_image(9, W, H, 3, 16), *out = NULL;
    for (int kind = 0; kind < 4; kind++) { // inside; at the border; scattered; all but one pixel
        weft_image *mask = kind == 2 ? noise_image(10, W, H, 1, 8) : disc(W, H, kind == 1 ? 0 : 9, 8, kind == 3 ? 100 : 6);
        weft_hole hole;
        if (kind == 3) weft_image_put(mask, 5 * W + 3, 0, 0);
        assert_ok(weft_hole_make(mask, WEFT_MASK_HOLE, W, H, &hole));
        for (int mixed = 0; mixed < 2; mixed++) {
            weft_stitch_facts facts;
            assert_ok(weft_stitch(photo, edit, mask, &(weft_stitch_params) { .blend = mixed ? WEFT_BLEND_MIXED : WEFT_BLEND_POISSON }, &out, &facts));
            assert_true(facts.pixels == hole.count && facts.iterations > 0);
            for (int c = 0; c < 3; c++) {
                solve_directly(photo, edit, &hole, c, mixed, f);
                for (int i = 0; i < W * H; i++) {
                    const double want = fmax(0, fmin(65535, f[i]));
                    if (fabs(want - weft_image_sample(out, i, c)) > 0.51) fail_msg("kind %d, pixel %d: %d, not %.3f", kind, i, weft_image_sample(out, i, c), want);
                    assert_true(hole.at[i] || weft_image_sample(out, i, c) == weft_image_sample(photo, i, c));
                }
            }
            weft_image_destroy(&out);
        }
        weft_hole_free(&hole);
        weft_image_destroy(&mask);
    }
    weft_image_destroy(&photo), weft_image_destroy(&edit);
}

// In double, without the picture's rounding: a harmonic polynomial is its own solution.
static void the_solver_is_exact_on_large_holes_in_few_steps(void **state)
{
    (void) state;
    enum { W = 301, H = 263 };
    weft_image *mask = disc(W, H, 150, 120, 115);
    weft_hole hole;
    weft_poisson p;
    int steps = 0;
    assert_ok(weft_hole_make(mask, WEFT_MASK_HOLE, W, H, &hole));
    assert_ok(weft_poisson_make(&hole, &p));
    double *b = calloc((size_t) p.count, sizeof *b), *x = calloc((size_t) p.count, sizeof *x);
    for (int i = 0; i < p.count; i++) {
        const int px = p.pixel[i] % W, py = p.pixel[i] / W;
        static const int dx[] = { 1, -1, 0, 0 }, dy[] = { 0, 0, 1, -1 };
        for (int k = 0; k < 4; k++) {
            const double u = px + dx[k] - 100, v = py + dy[k] - 90;
            if (!hole.at[(py + dy[k]) * W + px + dx[k]]) b[i] += u * u - v * v + 3 * u * v; // harmonic on the grid, too
        }
    }
    assert_ok(weft_poisson_solve(&p, b, 1e-10, x, &steps));
    for (int i = 0; i < p.count; i++) {
        const double u = p.pixel[i] % W - 100, v = p.pixel[i] / W - 90;
        assert_true(fabs(x[i] - (u * u - v * v + 3 * u * v)) < 1e-4); // of values up to 60000
    }
    print_message("%d unknowns: %d steps\n", p.count, steps);
    assert_true(steps < 150);
    free(b), free(x);
    weft_poisson_free(&p);
    weft_hole_free(&hole);
    weft_image_destroy(&mask);
}

static void poisson_blending_takes_the_light_of_the_photo(void **state)
{
    (void) state;
    enum { W = 64, H = 48 };
    weft_image *photo = NULL, *edit = NULL, *mask = disc(W, H, 30, 20, 14), *out = NULL;
    assert_ok(weft_image_create(ctx, W, H, 3, 8, &photo));
    for (int i = 0; i < W * H * 3; i++) ((uint8_t *) weft_image_data(photo))[i] = (uint8_t) (60 + i * 7 % 90);
    assert_ok(weft_image_copy(photo, &edit));
    for (int i = 0; i < W * H * 3; i++) ((uint8_t *) weft_image_data(edit))[i] += 50; // the photo, brighter
    assert_ok(weft_stitch(photo, edit, mask, &(weft_stitch_params) { .blend = WEFT_BLEND_POISSON }, &out, NULL));
    assert_memory_equal(weft_image_view(out), weft_image_view(photo), W * H * 3);
    weft_image_destroy(&out);
    weft_image_destroy(&photo), weft_image_destroy(&edit), weft_image_destroy(&mask);
}

static void a_region_keeps_the_edit_in_its_place(void **state)
{
    (void) state;
    enum { W = 50, H = 40, S = 16 };
    weft_image *photo = noise_image(11, W, H, 1, 8), *edit = noise_image(12, S, S, 3, 8), *mask = disc(W, H, 25, 20, 100), *sized = NULL, *out = NULL;
    const weft_region region = { 10, 4, 24, 30 };
    for (int blend = 0; blend < 3; blend++) {
        assert_ok(weft_stitch(photo, edit, mask, &(weft_stitch_params) { .blend = (weft_blend) blend, .region = region }, &out, NULL));
        assert_ok(weft_image_resize(edit, 24, 30, &sized));
        int changed = 0;
        for (int i = 0; i < W * H; i++) {
            const int x = i % W - 10, y = i / W - 4;
            const bool in = x >= 0 && y >= 0 && x < 24 && y < 30;
            changed += weft_image_sample(out, i, 0) != weft_image_sample(photo, i, 0);
            if (!in) assert_int_equal(weft_image_sample(out, i, 0), weft_image_sample(photo, i, 0));
            else if (!blend) {
                const int64_t p = y * 24 + x;
                const double grey = 0.299 * weft_image_sample(sized, p, 0) + 0.587 * weft_image_sample(sized, p, 1) + 0.114 * weft_image_sample(sized, p, 2);
                assert_true(fabs(grey - weft_image_sample(out, i, 0)) < 0.501);
            }
        }
        assert_true(changed > 600);
        weft_image_destroy(&sized);
        weft_image_destroy(&out);
    }
    weft_image_destroy(&photo), weft_image_destroy(&edit), weft_image_destroy(&mask);
}

static void what_cannot_be_stitched_is_told(void **state)
{
    (void) state;
    weft_image *photo = noise_image(1, 8, 8, 3, 8), *all = disc(8, 8, 4, 4, 100), *none = disc(8, 8, -9, -9, 1), *out = NULL;
    assert_int_equal(weft_stitch(photo, photo, all, &(weft_stitch_params) { .blend = WEFT_BLEND_POISSON }, &out, NULL), WEFT_ERR_ARGUMENT);
    assert_non_null(strstr(weft_error_text(), "no border to blend to"));
    assert_int_equal(weft_stitch(photo, photo, all, &(weft_stitch_params) { .region = { 4, 4, 5, 1 } }, &out, NULL), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_stitch(photo, photo, all, &(weft_stitch_params) { .blend = 3 }, &out, NULL), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_stitch(photo, photo, all, &(weft_stitch_params) { .feather = NAN }, &out, NULL), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_stitch(photo, photo, all, &(weft_stitch_params) { .mask_mode = WEFT_MASK_ALPHA }, &out, NULL), WEFT_ERR_ARGUMENT);
    for (int blend = 0; blend < 3; blend++) { // an empty mask: a copy
        assert_ok(weft_stitch(photo, all, none, &(weft_stitch_params) { .blend = (weft_blend) blend, .feather = 2 }, &out, NULL));
        assert_memory_equal(weft_image_view(out), weft_image_view(photo), 192);
        weft_image_destroy(&out);
    }
    weft_image_destroy(&photo), weft_image_destroy(&all), weft_image_destroy(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shrinking_takes_the_mean_of_the_area), cmocka_unit_test(growing_is_bilinear),
        cmocka_unit_test(transparent_pixels_lend_no_colour), cmocka_unit_test(crops_are_parts),
        cmocka_unit_test(ramps_follow_the_distance_to_the_outside), cmocka_unit_test(alpha_blending_is_a_weighted_mean_inside_the_mask),
        cmocka_unit_test(poisson_blending_is_what_a_direct_solver_gives), cmocka_unit_test(the_solver_is_exact_on_large_holes_in_few_steps),
        cmocka_unit_test(poisson_blending_takes_the_light_of_the_photo), cmocka_unit_test(a_region_keeps_the_edit_in_its_place),
        cmocka_unit_test(what_cannot_be_stitched_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
