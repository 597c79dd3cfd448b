// SPDX-License-Identifier: MIT
// Masks, metrics, Telea's method, and inpainting with models of a few nodes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/number.h"
#include "edit/convention.h"
#include "edit/image.h"
#include "edit/mask.h"
#include "edit/telea.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/build.h>
#include <weft/edit.h>

static weft_context *ctx;
static weft_device *dev;

static int set_up(void **state)
{
    (void) state;
    return weft_context_create(NULL, &ctx) || weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &dev);
}
static int tear_down(void **state)
{
    (void) state;
    weft_device_destroy(&dev);
    weft_context_destroy(&ctx);
    return 0;
}

static weft_image *blank(int w, int h, int channels, int bits)
{
    weft_image *i = NULL;
    assert_int_equal(weft_image_create(ctx, w, h, channels, bits, &i), WEFT_OK);
    return i;
}

static weft_image *noise(int w, int h, int channels, int bits)
{
    weft_image *i = blank(w, h, channels, bits);
    uint32_t x = 12345;
    for (int64_t p = 0; p < (int64_t) w * h; p++)
        for (int k = 0; k < channels; k++) {
            x = x * 1664525u + 1013904223u;
            weft_image_put(i, p, k, x >> (32 - bits));
        }
    return i;
}

// A grey mask with white boxes x, y, w, h ending in 0, 0, 0, 0.
static weft_image *boxes(int w, int h, const int (*box)[4])
{
    weft_image *m = blank(w, h, 1, 8);
    for (; (*box)[2]; box++)
        for (int y = (*box)[1]; y < (*box)[1] + (*box)[3]; y++)
            memset((char *) weft_image_data(m) + y * w + (*box)[0], 255, (size_t) (*box)[2]);
    return m;
}

// --- Numbers and masks. ------------------------------------------------------------------------------------------

static void numbers_are_read_as_a_compiler_reads_them(void **state)
{
    (void) state;
    static const struct { const char *text; double value; const char *rest; } cases[] = {
        { "0.485,", 0.485, "," }, { "-1..1", -1, "..1" }, { "255", 255, "" }, { "2.5e-3x", 2.5e-3, "x" }, { "+.5", .5, "" }, { "1e3", 1e3, "" }, { "1e", 1, "e" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *p = cases[i].text;
        double v = 0;
        assert_true(weft_read_number(&p, &v));
        assert_true(v == cases[i].value);
        assert_string_equal(p, cases[i].rest);
    }
    const char *none = ".e1";
    double v = 0;
    assert_false(weft_read_number(&none, &v));
    assert_string_equal(none, ".e1");
}

static void masks_of_any_size_and_mode_give_the_same_hole(void **state)
{
    (void) state;
    // 2 x 1: left 127 or its like, right 128.
    weft_image *small = blank(2, 1, 1, 8), *deep = blank(2, 1, 3, 16), *alpha = blank(2, 1, 2, 8);
    weft_image_put(small, 0, 0, 127), weft_image_put(small, 1, 0, 128);
    for (int k = 0; k < 3; k++) weft_image_put(deep, 0, k, 127 * 257), weft_image_put(deep, 1, k, 127 * 257 + 1);
    weft_image_put(alpha, 0, 1, 128), weft_image_put(alpha, 1, 1, 127);
    const struct { const weft_image *mask; weft_mask_mode mode; int left; } cases[] = {
        { small, WEFT_MASK_HOLE, 0 }, { small, WEFT_MASK_KEEP, 1 }, { deep, WEFT_MASK_HOLE, 0 }, { deep, WEFT_MASK_KEEP, 1 }, { alpha, WEFT_MASK_ALPHA, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_hole h;
        assert_int_equal(weft_hole_make(cases[i].mask, cases[i].mode, 6, 3, &h), WEFT_OK);
        assert_int_equal(h.count, 9);
        for (int p = 0; p < 18; p++) assert_int_equal(h.at[p], (p % 6 < 3) == cases[i].left);
        weft_hole_free(&h);
    }
    weft_hole h;
    assert_int_equal(weft_hole_make(small, WEFT_MASK_ALPHA, 6, 3, &h), WEFT_ERR_ARGUMENT);
    weft_image_destroy(&small);
    weft_image_destroy(&deep);
    weft_image_destroy(&alpha);
}

static void windows_cover_every_hole_with_its_margin_and_do_not_overlap(void **state)
{
    (void) state;
    enum { W = 301, H = 203 };
    uint32_t x = 7;
    for (int margin = 1; margin < 50; margin += 12)
        for (int turn = 0; turn < 20; turn++) {
            weft_hole h = { ctx, W, H, weft_new(ctx, W * H), 0 };
            weft_window *list;
            int count;
            for (int k = 0; k < turn; k++) {
                x = x * 1664525u + 1013904223u;
                h.at[x % (W * H)] = 1;
            }
            assert_int_equal(weft_hole_windows(&h, margin, &list, &count), WEFT_OK);
            for (int p = 0; p < W * H; p++) {
                if (!h.at[p]) continue;
                int in = 0;
                for (int i = 0; i < count; i++) {
                    const weft_window *w = &list[i];
                    const int l = p % W - margin, t = p / W - margin, r = p % W + margin, b = p / W + margin;
                    in += w->x <= (l < 0 ? 0 : l) && w->y <= (t < 0 ? 0 : t) && w->x + w->w > (r < W ? r : W - 1) && w->y + w->h > (b < H ? b : H - 1);
                }
                assert_int_equal(in, 1);
            }
            for (int i = 0; i < count; i++)
                for (int j = 0; j < i; j++)
                    assert_true(list[i].x >= list[j].x + list[j].w || list[j].x >= list[i].x + list[i].w ||
                                list[i].y >= list[j].y + list[j].h || list[j].y >= list[i].y + list[i].h);
            weft_delete(ctx, list);
            weft_hole_free(&h);
        }
}

// --- Metrics. --------------------------------------------------------------------------------------------------

static void equal_pictures_are_perfect_and_flat_ones_have_known_figures(void **state)
{
    (void) state;
    weft_image *a = noise(20, 17, 3, 8), *b = blank(20, 17, 1, 8), *c = blank(20, 17, 3, 16);
    weft_metrics m;
    assert_int_equal(weft_compare(a, a, NULL, WEFT_MASK_HOLE, &m, NULL), WEFT_OK);
    assert_true(m.l1_percent == 0 && m.l2_percent == 0 && isinf(m.psnr_db) && fabs(m.ssim - 1) < 1e-12 && m.pixels == 340);
    memset(weft_image_data(b), 51, 340); // 0.2
    for (int p = 0; p < 340; p++)
        for (int k = 0; k < 3; k++) weft_image_put(c, p, k, 65535 / 10 * 3); // 0.3, less 5 / 65535 x 0.3
    const double v = 65535 / 10 * 3 / 65535.0, d = v - 0.2;
    assert_int_equal(weft_compare(b, c, NULL, WEFT_MASK_HOLE, &m, NULL), WEFT_OK);
    assert_float_equal(m.l1_percent, 100 * d, 1e-9);
    assert_float_equal(m.l2_percent, 100 * d * d, 1e-9);
    assert_float_equal(m.psnr_db, -20 * log10(d), 1e-9);
    assert_float_equal(m.ssim, (2 * v * .2 + 1e-4) / (v * v + .04 + 1e-4), 1e-9);
    weft_image_destroy(&b);
    b = blank(20, 16, 1, 8);
    assert_int_equal(weft_compare(a, b, NULL, WEFT_MASK_HOLE, &m, NULL), WEFT_ERR_ARGUMENT);
    weft_image_destroy(&a);
    weft_image_destroy(&b);
    weft_image_destroy(&c);
}

static void ssim_is_the_published_formula_under_an_11x11_window(void **state)
{
    (void) state;
    weft_image *a = noise(11, 11, 1, 8), *b = blank(11, 11, 1, 8); // one window fits: its figure is the whole
    double total = 0, ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (int p = 0; p < 121; p++) weft_image_put(b, p, 0, (weft_image_sample(a, p, 0) * 3 + weft_image_sample(a, 120 - p, 0)) / 4);
    for (int turn = 0; turn < 2; turn++)
        for (int p = 0; p < 121; p++) {
            const double dx = p % 11 - 5, dy = p / 11 - 5, k = exp(-(dx * dx + dy * dy) / 4.5);
            const double x = weft_image_sample(a, p, 0) / 255.0, y = weft_image_sample(b, p, 0) / 255.0;
            if (!turn) total += k;
            else ma += k / total * x, mb += k / total * y, aa += k / total * x * x, bb += k / total * y * y, ab += k / total * x * y;
        }
    const double want = (2 * ma * mb + 1e-4) * (2 * (ab - ma * mb) + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (aa - ma * ma + bb - mb * mb + 9e-4));
    weft_metrics m, hole;
    weft_image *mask = boxes(11, 11, (const int[][4]) { { 5, 5, 1, 1 }, { 0 } });
    assert_int_equal(weft_compare(a, b, mask, WEFT_MASK_HOLE, &m, &hole), WEFT_OK);
    assert_float_equal(m.ssim, want, 1e-12);
    assert_float_equal(hole.ssim, want, 1e-12);
    assert_int_equal(hole.pixels, 1);
    assert_float_equal(hole.l1_percent, 100 * abs((int) weft_image_sample(a, 60, 0) - (int) weft_image_sample(b, 60, 0)) / 255.0, 1e-12);
    weft_image_destroy(&a);
    weft_image_destroy(&b);
    weft_image_destroy(&mask);
}

// --- Telea. ----------------------------------------------------------------------------------------------------

static void telea_continues_flat_areas_and_slopes(void **state)
{
    (void) state;
    enum { W = 40, H = 30 };
    static float f[2 * W * H], again[2 * W * H];
    static uint8_t hole[W * H];
    for (int p = 0; p < W * H; p++) {
        hole[p] = p % W >= 15 && p % W < 24 && p / W >= 10 && p / W < 19;
        f[p] = hole[p] ? 0.9f : 0.25f;
        f[W * H + p] = hole[p] ? 0 : 0.2f + 0.01f * (float) (p % W);
    }
    memcpy(again, f, sizeof f);
    assert_int_equal(weft_telea(ctx, f, 2, hole, W, H, 4, NULL, NULL), WEFT_OK);
    for (int p = 0; p < W * H; p++) {
        assert_true(fabsf(f[p] - 0.25f) < (hole[p] ? 1e-5f : 1e-9f));
        assert_true(fabsf(f[W * H + p] - (0.2f + 0.01f * (float) (p % W))) < (hole[p] ? 0.05f : 1e-9f));
    }
    assert_int_equal(weft_telea(ctx, again, 2, hole, W, H, 4, NULL, NULL), WEFT_OK);
    assert_memory_equal(f, again, sizeof f);
}

static void telea_fills_holes_at_corners_and_single_known_pixels(void **state)
{
    (void) state;
    weft_image *a = noise(31, 23, 4, 16), *out = NULL;
    weft_image *mask = boxes(31, 23, (const int[][4]) { { 0, 0, 9, 9 }, { 22, 20, 9, 3 }, { 0 } });
    assert_int_equal(weft_inpaint(ctx, NULL, NULL, NULL, a, mask, &out), WEFT_OK);
    for (int p = 0; p < 31 * 23; p++)
        for (int k = 0; k < 4; k++)
            if (k == 3 || !weft_image_sample(mask, p, 0)) assert_int_equal(weft_image_sample(a, p, k), weft_image_sample(out, p, k));
    weft_image_destroy(&out);
    memset(weft_image_data(mask), 255, 31 * 23);
    assert_int_equal(weft_inpaint(ctx, NULL, NULL, NULL, a, mask, &out), WEFT_ERR_ARGUMENT); // nothing known
    weft_image_put(mask, 40, 0, 0);
    assert_int_equal(weft_inpaint(ctx, NULL, NULL, NULL, a, mask, &out), WEFT_OK);
    for (int p = 0; p < 31 * 23; p++) assert_in_range(weft_image_sample(out, p, 1) + 2 - weft_image_sample(a, 40, 1), 0, 4); // rounded in f32
    weft_image_destroy(&out);
    weft_image_destroy(&mask);
    weft_image_destroy(&a);
}

// --- Models. ---------------------------------------------------------------------------------------------------

enum kind { IDENTITY, BLUR, CONSTANT, NOT_A_NUMBER };
struct plan { enum kind kind; int colours, fixed, multiple, planes; const char *meta[8]; };

static weft_model *make_model(struct plan p)
{
    weft_builder *b;
    weft_model *m = NULL;
    static float w[3 * 5 * 25];
    const int colours = p.colours ? p.colours : 3, in = p.planes ? p.planes : colours, k = p.kind == BLUR ? 5 : 1;
    assert_int_equal(weft_builder_create(ctx, &b), WEFT_OK);
    for (int i = 0; i < 8 && p.meta[i]; i += 2) weft_build_meta(b, p.meta[i], p.meta[i + 1]);
    const int64_t h = p.fixed ? p.fixed : weft_build_dim(b, "h", p.multiple ? 4 * p.multiple : 64, p.multiple ? p.multiple : 8);
    const int64_t v = p.fixed ? p.fixed : weft_build_dim(b, "w", p.multiple ? 4 * p.multiple : 64, p.multiple ? p.multiple : 8);
    const weft_value image = weft_build_input(b, "image", WEFT_F32, (weft_shape) WEFT_SHAPE(1, in, h, v));
    const weft_value mask = weft_build_input(b, "mask", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 1, h, v));
    memset(w, 0, sizeof w);
    for (int c = 0; c < colours; c++)
        for (int t = 0; t < k * k; t++) w[(c * in + c) * k * k + t] = 1 / (float) (k * k) * (p.kind == BLUR ? 1 + (float) (t % 3) / 4 : 1);
    weft_value y = weft_build(b, "conv2d", WEFT_IN(image, weft_build_weight(b, "w", WEFT_F32, (weft_shape) WEFT_SHAPE(colours, in, k, k), w)),
                              WEFT_NUM("pads", k / 2));
    const weft_value zero = weft_build(b, "sub", WEFT_IN(y, y), { 0 });
    if (p.kind == CONSTANT) y = weft_build(b, "add", WEFT_IN(zero, weft_build_scalar(b, 1)), { 0 });
    if (p.kind == NOT_A_NUMBER) y = weft_build(b, "div", WEFT_IN(zero, weft_build(b, "sub", WEFT_IN(mask, mask), { 0 })), { 0 });
    if (p.kind == BLUR) weft_build_output(b, "other", mask);
    weft_build_output(b, "output", y);
    assert_int_equal(weft_builder_finish(&b, &m), WEFT_OK);
    return m;
}

static void nothing_outside_the_hole_changes_at_any_size_or_depth(void **state)
{
    (void) state;
    weft_model *m = make_model((struct plan) { .kind = BLUR });
    for (int channels = 1; channels <= 4; channels++)
        for (int bits = 8; bits <= 16; bits += 8) {
            const int w = 37 + channels, h = 29 + bits;
            weft_image *a = noise(w, h, channels, bits), *out = NULL, *mask = boxes(w, h, (const int[][4]) { { 7, 5, 11, 13 }, { w - 3, h - 4, 3, 4 }, { 0 } });
            weft_image_set_icc(a, "profile", 7);
            int changed = 0;
            assert_int_equal(weft_inpaint(ctx, dev, m, NULL, a, mask, &out), WEFT_OK);
            assert_int_equal(weft_image_get_info(out)->bits, bits);
            assert_int_equal(weft_image_get_info(out)->icc_bytes, 7);
            for (int p = 0; p < w * h; p++)
                for (int k = 0; k < channels; k++) {
                    const bool alpha = channels % 2 == 0 && k == channels - 1, same = weft_image_sample(a, p, k) == weft_image_sample(out, p, k);
                    if (alpha || !weft_image_sample(mask, p, 0)) assert_true(same);
                    else changed += !same;
                }
            assert_true(changed > 100);
            weft_image_destroy(&a);
            weft_image_destroy(&out);
            weft_image_destroy(&mask);
        }
    weft_model_destroy(&m);
}

static void ranges_means_and_planes_come_back_as_they_went_in(void **state)
{
    (void) state;
    const struct plan plans[] = {
        { .meta = { "image.hole", "keep" } },
        { .meta = { "image.hole", "keep", "image.range", "0..255", "task", "inpaint" } },
        { .meta = { "image.hole", "keep", "image.range", "0..1", "image.mean", "0.485,0.456, 0.406", "image.std", "0.229,0.224,0.225" } },
        { .meta = { "image.hole", "keep", "image.planes", "image,one,mask", "mask.hole", "0" }, .planes = 5 },
        { .meta = { "image.hole", "keep" }, .fixed = 32 },
        { .meta = { "image.hole", "keep" }, .multiple = 13 },
        { .meta = { "image.hole", "keep" }, .colours = 1 },
    };
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        for (int bits = 8; bits <= 16; bits += 8) {
            weft_model *m = make_model(plans[i]);
            weft_image *a = noise(41, 53, plans[i].colours ? 2 : 3, bits), *out = NULL;
            weft_image *mask = boxes(41, 53, (const int[][4]) { { 1, 1, 20, 30 }, { 37, 49, 4, 4 }, { 0 } });
            assert_int_equal(weft_inpaint(ctx, dev, m, NULL, a, mask, &out), WEFT_OK);
            assert_memory_equal(weft_image_view(a), weft_image_view(out), weft_image_row_bytes(a) * 53);
            weft_image_destroy(&a);
            weft_image_destroy(&out);
            weft_image_destroy(&mask);
            weft_model_destroy(&m);
        }
}

static void the_model_sees_the_hole_value_and_the_mask_its_metadata_ask_for(void **state)
{
    (void) state;
    // Identity with image.hole 0.5 in -1..1: the hole becomes 0.75 of white, or the mask plane's value where that is the picture.
    weft_model *m = make_model((struct plan) { .meta = { "image.hole", "0.5" } });
    weft_image *a = blank(24, 24, 3, 8), *out = NULL, *mask = boxes(24, 24, (const int[][4]) { { 4, 4, 3, 3 }, { 0 } });
    weft_inpainter *p;
    weft_inpaint_facts facts;
    assert_int_equal(weft_inpainter_create(ctx, dev, m, NULL, &p), WEFT_OK);
    assert_int_equal(weft_inpainter_run(p, a, mask, &out, &facts), WEFT_OK); // 9 pixels are too few to be called flat
    assert_int_equal(weft_image_sample(out, 4 * 24 + 4, 0), 191);
    assert_int_equal(facts.hole_pixels, 9);
    assert_int_equal(facts.sessions, 1);
    weft_image_destroy(&out);
    assert_int_equal(weft_inpainter_run(p, a, mask, &out, &facts), WEFT_OK);
    assert_int_equal(facts.sessions, 0); // the same size: the session is kept
    weft_image_destroy(&out);
    weft_inpainter_destroy(&p);
    weft_model_destroy(&m);
    weft_image_destroy(&a);
    weft_image_destroy(&mask);
}

static void windows_give_what_the_whole_picture_gives(void **state)
{
    (void) state;
    weft_model *m = make_model((struct plan) { .kind = BLUR }), *fixed = make_model((struct plan) { .kind = BLUR, .fixed = 48 });
    weft_image *a = noise(301, 203, 3, 8), *whole = NULL, *out = NULL;
    weft_image *mask = boxes(301, 203, (const int[][4]) { { 20, 20, 12, 9 }, { 250, 150, 30, 30 }, { 40, 150, 5, 13 }, { 0 } });
    weft_inpainter *p;
    weft_inpaint_facts facts;
    assert_int_equal(weft_inpaint(ctx, dev, m, NULL, a, mask, &whole), WEFT_OK);
    const weft_inpaint_params params[] = { { .context = 16 }, { .max_bytes = 400000 }, { 0 } };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(weft_inpainter_create(ctx, dev, i == 2 ? fixed : m, &params[i], &p), WEFT_OK);
        assert_int_equal(weft_inpainter_run(p, a, mask, &out, &facts), WEFT_OK);
        assert_true(facts.windows > 1);
        assert_memory_equal(weft_image_view(whole), weft_image_view(out), 301 * 203 * 3);
        weft_image_destroy(&out);
        weft_inpainter_destroy(&p);
    }
    assert_int_equal(weft_inpaint(ctx, dev, m, &(weft_inpaint_params) { .context = WEFT_CONTEXT_FULL, .max_bytes = 100000 }, a, mask, &out), WEFT_ERR_VRAM);
    assert_non_null(strstr(weft_error_text(), "100000"));
    weft_image_destroy(&mask);
    mask = boxes(301, 203, (const int[][4]) { { 20, 20, 80, 9 }, { 0 } });
    assert_int_equal(weft_inpaint(ctx, dev, fixed, NULL, a, mask, &out), WEFT_ERR_UNSUPPORTED);
    weft_image_destroy(&a);
    weft_image_destroy(&whole);
    weft_image_destroy(&mask);
    weft_model_destroy(&m);
    weft_model_destroy(&fixed);
}

static void nan_and_flat_fills_are_errors_but_white_on_white_is_not(void **state)
{
    (void) state;
    weft_model *nan = make_model((struct plan) { .kind = NOT_A_NUMBER }), *flat = make_model((struct plan) { .kind = CONSTANT });
    weft_image *a = noise(40, 30, 3, 8), *out = NULL, *mask = boxes(40, 30, (const int[][4]) { { 4, 4, 9, 9 }, { 0 } });
    assert_int_equal(weft_inpaint(ctx, dev, nan, NULL, a, mask, &out), WEFT_ERR_NUMERIC);
    assert_non_null(strstr(weft_error_text(), "243 of 243"));
    assert_int_equal(weft_inpaint(ctx, dev, flat, NULL, a, mask, &out), WEFT_ERR_NUMERIC);
    memset(weft_image_data(a), 255, 40 * 30 * 3);
    assert_int_equal(weft_inpaint(ctx, dev, flat, NULL, a, mask, &out), WEFT_OK);
    weft_image_destroy(&out);
    weft_image_destroy(&a);
    weft_image_destroy(&mask);
    weft_model_destroy(&nan);
    weft_model_destroy(&flat);
}

static void alpha_masks_make_the_filled_pixels_opaque(void **state)
{
    (void) state;
    weft_image *a = noise(20, 20, 4, 8), *out = NULL;
    for (int p = 0; p < 400; p++) weft_image_put(a, p, 3, p / 20 < 6 && p % 20 < 6 ? 0 : 255);
    assert_int_equal(weft_inpaint(ctx, NULL, NULL, &(weft_inpaint_params) { .mask_mode = WEFT_MASK_ALPHA }, a, a, &out), WEFT_OK);
    for (int p = 0; p < 400; p++) assert_int_equal(weft_image_sample(out, p, 3), 255);
    weft_image_destroy(&a);
    weft_image_destroy(&out);
}

static int stop(void *user, double done)
{
    *(double *) user = done;
    return 1;
}

static void progress_can_stop_a_run_and_nothing_comes_out(void **state)
{
    (void) state;
    weft_model *m = make_model((struct plan) { .kind = BLUR });
    weft_image *a = noise(40, 30, 3, 8), *out = NULL, *mask = boxes(40, 30, (const int[][4]) { { 4, 4, 9, 9 }, { 0 } });
    double done = -1;
    assert_int_equal(weft_inpaint(ctx, dev, m, &(weft_inpaint_params) { .progress = stop, .progress_user = &done }, a, mask, &out), WEFT_ERR_CANCELLED);
    assert_true(done >= 0 && done <= 1);
    assert_null(out);
    weft_image_destroy(&a);
    weft_image_destroy(&mask);
    weft_model_destroy(&m);
}

static void models_that_are_not_for_inpainting_are_refused_with_the_reason(void **state)
{
    (void) state;
    const struct { struct plan plan; const char *text; } cases[] = {
        { { .meta = { "task", "classify" } }, "task=classify" },
        { { .meta = { "image.range", "1..0" } }, "image.range=1..0" },
        { { .meta = { "image.std", "1,1" } }, "image.std=1,1" },
        { { .meta = { "image.planes", "one,two" } }, "image.planes=one,two" },
        { { .meta = { "image.planes", "image,one" } }, "image.planes makes 4" },
        { { .meta = { "port.output", "nothing" } }, "port.output" },
        { { .meta = { "mask.hole", "2" } }, "mask.hole=2" },
        { { .colours = 2 }, "2 channels" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_model *m = make_model(cases[i].plan);
        weft_inpainter *p = NULL;
        assert_int_not_equal(weft_inpainter_create(ctx, dev, m, NULL, &p), WEFT_OK);
        if (!strstr(weft_error_text(), cases[i].text)) fail_msg("wanted '%s' in: %s", cases[i].text, weft_error_text());
        weft_model_destroy(&m);
    }
}

// --- Memory that runs out. -------------------------------------------------------------------------------------

struct faults { int left, alive; }; // allocations until one fails; blocks not freed yet

static void *failing(void *user, void *p, size_t old_bytes, size_t new_bytes)
{
    struct faults *f = user;
    (void) old_bytes;
    if (!new_bytes) return free(p), f->alive -= p != NULL, NULL;
    if (f->left-- == 0) return NULL;
    if (!p) f->alive++;
    return realloc(p, new_bytes);
}

static const char *const fault_path[] = { "/tmp/weft-fault.png", "/tmp/weft-fault.jpg" };

// The whole way of a picture; whatever is made is freed again.
static weft_result whole_way(weft_context *c, int jpeg)
{
    weft_device *d = NULL;
    weft_builder *b = NULL;
    weft_model *m = NULL;
    weft_image *photo = NULL, *mask = NULL, *filled = NULL, *more = NULL;
    weft_metrics all, hole;
    weft_result r = weft_device_open(c, &(weft_device_params) { .name = "cpu" }, &d);
    if (r == WEFT_OK) r = weft_builder_create(c, &b);
    if (r == WEFT_OK) {
        const weft_value x = weft_build_input(b, "image", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3, 32, 32));
        weft_build_input(b, "mask", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 1, 32, 32));
        weft_build_meta(b, "image.hole", "keep");
        weft_build_output(b, "output", weft_build_op(b, "tanh", &x, 1, NULL, 0));
        r = weft_builder_finish(&b, &m);
    }
    if (r == WEFT_OK) r = weft_image_load(c, fault_path[jpeg], &photo);
    if (r == WEFT_OK) r = weft_image_create(c, 40, 50, 1, 8, &mask);
    if (r == WEFT_OK) weft_image_put(mask, 1000, 0, 255), weft_image_put(mask, 10, 0, 255);
    if (r == WEFT_OK) r = weft_inpaint(c, d, m, NULL, photo, mask, &filled);
    if (r == WEFT_OK) r = weft_inpaint(c, NULL, NULL, NULL, filled, mask, &more);
    if (r == WEFT_OK) r = weft_compare(photo, more, mask, WEFT_MASK_HOLE, &all, &hole);
    if (r == WEFT_OK) r = weft_image_save(more, fault_path[jpeg], NULL);
    weft_image_destroy(&photo);
    weft_image_destroy(&mask);
    weft_image_destroy(&filled);
    weft_image_destroy(&more);
    weft_model_destroy(&m);
    weft_device_destroy(&d);
    return r;
}

static void the_nth_allocation_may_fail_and_nothing_is_lost(void **state)
{
    (void) state;
    for (int jpeg = 0; jpeg < 2; jpeg++) {
        weft_image *i = noise(40, 50, 3, 8);
        weft_image_set_icc(i, "profile", 7);
        assert_int_equal(weft_image_save(i, fault_path[jpeg], NULL), WEFT_OK);
        weft_image_destroy(&i);
        weft_result r = WEFT_ERR_MEMORY;
        int n = 0;
        for (; r != WEFT_OK; n++) {
            struct faults f = { n, 0 };
            weft_context *c = NULL;
            r = weft_context_create(&(weft_context_params) { .allocator = { failing, &f }, .threads = 1 }, &c);
            if (r == WEFT_OK) r = whole_way(c, jpeg);
            weft_context_destroy(&c);
            if (r != WEFT_OK) assert_int_equal(r, WEFT_ERR_MEMORY);
            assert_int_equal(f.alive, 0);
        }
        assert_true(n > 50);
        remove(fault_path[jpeg]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_as_a_compiler_reads_them),
        cmocka_unit_test(masks_of_any_size_and_mode_give_the_same_hole),
        cmocka_unit_test(windows_cover_every_hole_with_its_margin_and_do_not_overlap),
        cmocka_unit_test(equal_pictures_are_perfect_and_flat_ones_have_known_figures),
        cmocka_unit_test(ssim_is_the_published_formula_under_an_11x11_window),
        cmocka_unit_test(telea_continues_flat_areas_and_slopes),
        cmocka_unit_test(telea_fills_holes_at_corners_and_single_known_pixels),
        cmocka_unit_test(nothing_outside_the_hole_changes_at_any_size_or_depth),
        cmocka_unit_test(ranges_means_and_planes_come_back_as_they_went_in),
        cmocka_unit_test(the_model_sees_the_hole_value_and_the_mask_its_metadata_ask_for),
        cmocka_unit_test(windows_give_what_the_whole_picture_gives),
        cmocka_unit_test(nan_and_flat_fills_are_errors_but_white_on_white_is_not),
        cmocka_unit_test(alpha_masks_make_the_filled_pixels_opaque),
        cmocka_unit_test(progress_can_stop_a_run_and_nothing_comes_out),
        cmocka_unit_test(models_that_are_not_for_inpainting_are_refused_with_the_reason),
        cmocka_unit_test(the_nth_allocation_may_fail_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
