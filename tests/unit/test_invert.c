// SPDX-License-Identifier: MIT
// Inversion through the library, with generators of a few channels: it finds what was made, in every space, under masks, in segments,
// with tuned weights; twice the same bits, and the same after a stop; devices agree; losses are what they say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "nets/small_stylegan.h"
#include <unistd.h>
#include <weft/invert.h>

enum { SMALL = 16, PIXELS = SMALL * SMALL };
static weft_context *ctx;
static weft_device *cpu;
static weft_model *small; // 16 x 16, 6 channels
static char checkpoint[] = "/tmp/weft invert-XXXXXX";

#define OK(call) do { if ((call) != WEFT_OK) fail_msg("%s: %s", #call, weft_error_text()); } while (0)

static int set_up(void **state)
{
    (void) state;
    const int file = mkstemp(checkpoint);
    if (file < 0 || close(file) || unlink(checkpoint)) return 1;
    return weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx) || weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &cpu) ||
           small_stylegan(ctx, SMALL, 6, 0, &small);
}

static int tear_down(void **state)
{
    (void) state;
    unlink(checkpoint);
    weft_model_destroy(&small);
    weft_device_destroy(&cpu);
    weft_context_destroy(&ctx);
    return 0;
}

// What the generator makes of a seed: ws [layers, W] and the picture.
static weft_image *made(const weft_model *g, uint32_t seed, float *ws)
{
    weft_generator *gen;
    weft_image *i;
    OK(weft_generator_create(ctx, cpu, g, NULL, &gen));
    const weft_generator_info *is = weft_generator_get_info(gen);
    float *planes = malloc(sizeof *planes * (size_t) (3 * is->width * is->height)), *z = malloc(sizeof *z * (size_t) is->z), *own = malloc(sizeof *own * (size_t) (is->layers * is->w));
    const int class = 0;
    weft_generator_seed(gen, seed, z);
    OK(weft_generator_map(gen, 1, z, is->classes ? &class : NULL, own));
    OK(weft_generator_run(gen, 1, own, NULL, planes));
    OK(weft_generator_picture(gen, planes, 8, &i));
    if (ws) memcpy(ws, own, sizeof *own * (size_t) (is->layers * is->w));
    free(planes);
    free(z);
    free(own);
    weft_generator_destroy(&gen);
    return i;
}

static weft_invert_params quick(int steps) { return (weft_invert_params) { .steps = steps, .samples = 200, .frames = -1, .latent_noise = -1 }; }

static weft_inversion *invert_on(weft_device *dev, const weft_model *g, const weft_invert_params *p, const weft_invert_job *job)
{
    weft_inverter *inverter;
    weft_inversion *v;
    OK(weft_inverter_create(ctx, dev, g, p, &inverter));
    OK(weft_inverter_run(inverter, job, &v));
    weft_inverter_destroy(&inverter);
    return v;
}
static weft_inversion *invert(const weft_invert_params *p, const weft_invert_job *job) { return invert_on(cpu, small, p, job); }

static double loss_at(const weft_inversion *v, int row, const char *name)
{
    const char *const *names;
    const float *rows;
    int columns;
    const int count = weft_inversion_log(v, &names, &columns, &rows);
    if (row < 0) row += count;
    assert_in_range(row, 0, count - 1);
    for (int k = 0; k < columns; k++)
        if (!strcmp(names[k], name)) return (double) rows[row * columns + k];
    fail_msg("no loss '%s'", name);
    return 0;
}

static const weft_array *array_of(const weft_inversion *v, const char *name)
{
    const weft_array *arrays;
    const int count = weft_inversion_arrays(v, &arrays);
    for (int i = 0; i < count; i++)
        if (!strcmp(arrays[i].name, name)) return &arrays[i];
    return NULL;
}

static size_t numbers(const weft_array *a)
{
    size_t n = 1;
    for (int d = 0; d < a->shape.rank; d++) n *= (size_t) a->shape.dim[d];
    return n;
}

static void assert_same(const weft_inversion *a, const weft_inversion *b)
{
    const weft_array *x, *y;
    const int count = weft_inversion_arrays(a, &x);
    assert_int_equal(weft_inversion_arrays(b, &y), count);
    for (int i = 0; i < count; i++) assert_memory_equal(x[i].data, y[i].data, numbers(&x[i]) * sizeof(float));
    const char *const *names;
    const float *p, *q;
    int columns;
    const int rows = weft_inversion_log(a, &names, &columns, &p);
    assert_int_equal(weft_inversion_log(b, &names, &columns, &q), rows);
    assert_memory_equal(p, q, sizeof *p * (size_t) (rows * columns));
    assert_memory_equal(weft_image_view(weft_inversion_image(a)), weft_image_view(weft_inversion_image(b)), PIXELS * 3);
}

static double psnr(const weft_image *a, const weft_image *b)
{
    weft_metrics m;
    OK(weft_compare(a, b, NULL, WEFT_MASK_HOLE, &m, NULL));
    return m.psnr_db;
}

// Brightness of a rectangle; the rest is black.
static weft_image *rectangle(int x0, int y0, int x1, int y1, int level)
{
    weft_image *i;
    OK(weft_image_create(ctx, SMALL, SMALL, 1, 8, &i));
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) ((unsigned char *) weft_image_data(i))[y * SMALL + x] = (unsigned char) level;
    return i;
}

// --- Finding. ----------------------------------------------------------------------------------------------------

static void a_picture_made_by_the_generator_is_recovered_within_the_default_steps(void **state)
{
    (void) state;
    weft_model *g;
    float ws[16 * SG_W];
    weft_random random = { 5 };
    OK(small_stylegan(ctx, 64, 8, 0, &g));
    weft_image *photo = made(g, 3, ws);
    for (int i = 0; i < 10 * SG_W; i++) ws[i] += (float) weft_random_uniform(&random, -0.7, 0.7);
    const weft_array start = { "w", WEFT_SHAPE(10, SG_W), ws };
    const weft_invert_params p = { .samples = 500, .frames = -1, .stop_loss = 0.008 }; // all else: the defaults
    weft_inversion *v = invert_on(cpu, g, &p, &(weft_invert_job) { .photo = photo, .start = &start, .start_count = 1 });
    const double db = psnr(weft_inversion_image(v), photo);
    if (!(db > 35)) fail_msg("PSNR %.2f dB after %d steps, loss %g", db, weft_inversion_get_facts(v)->steps, loss_at(v, -1, "loss"));
    assert_true(loss_at(v, 0, "l2") > 0.01); // it did not start there
    weft_inversion_destroy(&v);
    weft_image_destroy(&photo);
    weft_model_destroy(&g);
}

static void every_space_comes_closer_and_gives_its_latents(void **state)
{
    (void) state;
    weft_image *photo = made(small, 7, NULL);
    static const weft_space spaces[] = { WEFT_SPACE_WPLUS, WEFT_SPACE_W, WEFT_SPACE_Z, WEFT_SPACE_S };
    for (int i = 0; i < 4; i++) {
        weft_invert_params p = quick(60);
        p.space = spaces[i];
        weft_inversion *v = invert(&p, &(weft_invert_job) { .photo = photo });
        if (!(loss_at(v, -1, "loss") < 0.7 * loss_at(v, 0, "loss"))) fail_msg("space %d: %g, then %g", i, loss_at(v, 0, "loss"), loss_at(v, -1, "loss"));
        const weft_array *w = array_of(v, "w"), *z = array_of(v, "z"), *s = array_of(v, "b4.conv1.style");
        assert_true(!w == (spaces[i] == WEFT_SPACE_S) && !z == (spaces[i] != WEFT_SPACE_Z) && !s == (spaces[i] != WEFT_SPACE_S));
        if (w) { // and they make that picture
            float planes[3 * PIXELS];
            weft_generator *gen;
            weft_image *again;
            assert_int_equal(numbers(w), 6 * SG_W);
            OK(weft_generator_create(ctx, cpu, small, NULL, &gen));
            OK(weft_generator_run(gen, 1, w->data, NULL, planes));
            OK(weft_generator_picture(gen, planes, 8, &again));
            assert_true(psnr(again, weft_inversion_image(v)) > 45);
            weft_image_destroy(&again);
            weft_generator_destroy(&gen);
            if (spaces[i] != WEFT_SPACE_WPLUS) assert_memory_equal(w->data, w->data + SG_W, sizeof(float) * SG_W); // one w for all layers
        }
        weft_inversion_destroy(&v);
    }
    weft_image_destroy(&photo);
}

static void a_class_is_kept_to(void **state)
{
    (void) state;
    weft_model *g;
    OK(small_stylegan(ctx, 8, 4, 3, &g));
    weft_image *photo = made(g, 2, NULL);
    weft_inversion *v[3];
    for (int i = 0; i < 3; i++) {
        weft_invert_params p = quick(20);
        p.space = WEFT_SPACE_Z, p.class_index = i ? 2 : 0, p.seed = (uint32_t) i;
        v[i] = invert_on(cpu, g, &p, &(weft_invert_job) { .photo = photo });
        assert_true(loss_at(v[i], -1, "loss") < loss_at(v[i], 0, "loss"));
    }
    assert_true(memcmp(array_of(v[0], "w")->data, array_of(v[1], "w")->data, sizeof(float) * SG_W) != 0);
    assert_memory_equal(array_of(v[1], "w")->data, array_of(v[2], "w")->data, sizeof(float) * SG_W); // without noise the seed is nothing
    for (int i = 0; i < 3; i++) weft_inversion_destroy(&v[i]);
    weft_image_destroy(&photo);
    weft_model_destroy(&g);
}

static void what_a_mask_hides_does_not_count_and_can_be_filled(void **state)
{
    (void) state;
    weft_image *photo = made(small, 9, NULL), *spoilt, *mask = rectangle(4, 4, 10, 12, 255);
    OK(weft_image_copy(photo, &spoilt));
    unsigned char *at = weft_image_data(spoilt);
    for (int y = 4; y < 12; y++) memset(at + (y * SMALL + 4) * 3, 13 * y, 18);
    const weft_invert_params p = quick(30);
    weft_inversion *a = invert(&p, &(weft_invert_job) { .photo = photo, .mask = mask, .fill = 1 });
    weft_inversion *b = invert(&p, &(weft_invert_job) { .photo = spoilt, .mask = mask, .fill = 1 });
    assert_same(a, b);
    weft_inversion *c = invert(&p, &(weft_invert_job) { .photo = spoilt });
    assert_true(memcmp(array_of(a, "w")->data, array_of(c, "w")->data, sizeof(float) * SG_W) != 0); // the mask mattered
    const unsigned char *filled = weft_image_view(weft_inversion_filled(b)), *found = weft_image_view(weft_inversion_image(b));
    for (int i = 0; i < PIXELS * 3; i++) {
        const int x = i / 3 % SMALL, y = i / 3 / SMALL;
        const bool hidden = x >= 4 && x < 10 && y >= 4 && y < 12;
        assert_int_equal(filled[i], hidden ? found[i] : at[i]);
    }
    weft_inversion_destroy(&a);
    weft_inversion_destroy(&b);
    weft_inversion_destroy(&c);
    weft_image *all = rectangle(0, 0, SMALL, SMALL, 255);
    weft_inverter *inverter;
    OK(weft_inverter_create(ctx, cpu, small, &p, &inverter));
    assert_int_equal(weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .mask = all }, &a), WEFT_ERR_ARGUMENT);
    weft_inverter_destroy(&inverter);
    weft_image_destroy(&all);
    weft_image_destroy(&mask);
    weft_image_destroy(&spoilt);
    weft_image_destroy(&photo);
}

static void segments_have_latents_of_their_own(void **state)
{
    (void) state;
    weft_image *left = made(small, 1, NULL), *right = made(small, 2, NULL), *photo, *masks[2];
    OK(weft_image_copy(left, &photo));
    for (int y = 0; y < SMALL; y++) memcpy((char *) weft_image_data(photo) + (y * SMALL + 8) * 3, (const char *) weft_image_view(right) + (y * SMALL + 8) * 3, 24);
    masks[0] = rectangle(0, 0, 8, SMALL, 255), masks[1] = rectangle(8, 0, SMALL, 14, 255); // two rows at the right belong to none
    const weft_invert_params p = quick(80);
    weft_inversion *one = invert(&p, &(weft_invert_job) { .photo = photo });
    weft_inversion *two = invert(&p, &(weft_invert_job) { .photo = photo, .segments = (const weft_image *const *) masks, .segment_count = 2 });
    const weft_array *w = array_of(two, "w");
    assert_int_equal(w->shape.dim[0], 2);
    assert_true(memcmp(w->data, w->data + numbers(w) / 2, sizeof(float) * SG_W) != 0);
    assert_true(psnr(weft_inversion_image(two), photo) > psnr(weft_inversion_image(one), photo));
    const unsigned char *got = weft_image_view(weft_inversion_image(two)), *want = weft_image_view(photo);
    for (int y = 14; y < SMALL; y++)
        for (int i = 8 * 3; i < SMALL * 3; i++) assert_in_range(got[y * SMALL * 3 + i] + 1 - want[y * SMALL * 3 + i], 0, 2);
    weft_inversion_destroy(&one);
    weft_inversion_destroy(&two);
    for (int i = 0; i < 2; i++) weft_image_destroy(&masks[i]);
    weft_image_destroy(&left);
    weft_image_destroy(&right);
    weft_image_destroy(&photo);
}

static void tuning_changes_a_copy_of_the_generator(void **state)
{
    (void) state;
    weft_image *photo = made(small, 4, NULL), *before = made(small, 5, NULL);
    unsigned char *at = weft_image_data(photo);
    for (int i = 0; i < PIXELS; i++) at[3 * i] = (unsigned char) (255 - at[3 * i]); // nothing that it makes
    weft_invert_params p = quick(40);
    p.tune = 40, p.tune_rate = 0.01;
    weft_inversion *v = invert(&p, &(weft_invert_job) { .photo = photo });
    assert_int_equal(weft_inversion_get_facts(v)->tune_steps, 40);
    assert_true(loss_at(v, 79, "loss") < 0.8 * loss_at(v, 39, "loss"));
    assert_non_null(weft_inversion_generator(v));
    const weft_array *w = array_of(v, "w");
    float planes[3 * PIXELS];
    weft_generator *gen;
    weft_image *again;
    OK(weft_generator_create(ctx, cpu, weft_inversion_generator(v), NULL, &gen));
    OK(weft_generator_run(gen, 1, w->data, NULL, planes));
    OK(weft_generator_picture(gen, planes, 8, &again));
    assert_true(psnr(again, weft_inversion_image(v)) > 45);
    weft_generator_destroy(&gen);
    weft_image_destroy(&again);
    again = made(small, 5, NULL);
    assert_memory_equal(weft_image_view(again), weft_image_view(before), PIXELS * 3); // the one it came from is as it was
    weft_image_destroy(&again);
    weft_inversion_destroy(&v);
    weft_image_destroy(&photo);
    weft_image_destroy(&before);
}

static void noise_maps_are_found_and_stay_normal(void **state)
{
    (void) state;
    weft_image *photo = made(small, 6, NULL);
    weft_invert_params p = quick(20);
    p.maps = WEFT_MAPS_OPTIMIZE;
    for (int s = 0; s < 2; s++) {
        p.space = s ? WEFT_SPACE_S : WEFT_SPACE_W;
        weft_inversion *v = invert(&p, &(weft_invert_job) { .photo = photo });
        const weft_array *m = array_of(v, "b16.conv1.noise_const");
        double sum = 0, squares = 0;
        assert_non_null(m);
        for (int i = 0; i < PIXELS; i++) sum += m->data[i], squares += (double) m->data[i] * m->data[i];
        assert_true(fabs(sum / PIXELS) < 1e-4 && fabs(squares / PIXELS - 1) < 1e-3);
        assert_true(loss_at(v, -1, "loss") < loss_at(v, 0, "loss"));
        assert_true(loss_at(v, 0, "noise") > 0);
        weft_inversion_destroy(&v);
    }
    p.maps = WEFT_MAPS_NONE, p.space = WEFT_SPACE_WPLUS;
    weft_inversion *v = invert(&p, &(weft_invert_job) { .photo = photo });
    assert_true(loss_at(v, -1, "loss") < loss_at(v, 0, "loss"));
    weft_inversion_destroy(&v);
    weft_image_destroy(&photo);
}

// --- Again, later, elsewhere. --------------------------------------------------------------------------------------

static int stop_at(void *user, const weft_invert_progress *p) { return p->tuning == ((int *) user)[0] && p->step >= ((int *) user)[1]; }

static void two_runs_are_the_same_bits_and_so_is_one_that_was_stopped(void **state)
{
    (void) state;
    weft_image *photo = made(small, 8, NULL);
    weft_invert_params p = quick(50);
    p.latent_noise = 0, p.seed = 3, p.maps = WEFT_MAPS_OPTIMIZE, p.tune = 20, p.check_every = 7, p.frames = 5;
    weft_inversion *whole = invert(&p, &(weft_invert_job) { .photo = photo }), *again = invert(&p, &(weft_invert_job) { .photo = photo });
    assert_same(whole, again);
    weft_inversion_destroy(&again);
    int stops[2][2] = { { 0, 23 }, { 1, 5 } };
    weft_inverter *inverter;
    p.progress = stop_at;
    for (int i = 0; i < 2; i++) { // once in the search, once in the tuning
        p.progress_user = stops[i];
        OK(weft_inverter_create(ctx, cpu, small, &p, &inverter));
        assert_int_equal(weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .checkpoint = checkpoint, .resume = 1 }, &again), WEFT_ERR_CANCELLED);
        weft_inverter_destroy(&inverter);
        assert_int_equal(access(checkpoint, R_OK), 0);
    }
    p.progress = NULL;
    again = invert(&p, &(weft_invert_job) { .photo = photo, .checkpoint = checkpoint, .resume = 1 });
    assert_same(whole, again);
    assert_memory_equal(weft_image_view(weft_inversion_sheet(whole)), weft_image_view(weft_inversion_sheet(again)), 3 * SMALL * SMALL * 6);
    weft_inversion_destroy(&again);
    p.seed = 4; // another inversion's checkpoint is refused
    OK(weft_inverter_create(ctx, cpu, small, &p, &inverter));
    assert_int_equal(weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .checkpoint = checkpoint, .resume = 1 }, &again), WEFT_ERR_ARGUMENT);
    assert_non_null(strstr(weft_error_text(), "another inversion"));
    weft_inverter_destroy(&inverter);
    unlink(checkpoint);
    weft_inversion_destroy(&whole);
    weft_image_destroy(&photo);
}

static void an_inverter_takes_one_photo_after_another(void **state)
{
    (void) state;
    weft_image *first = made(small, 1, NULL), *second = made(small, 2, NULL);
    const weft_invert_params p = quick(12);
    weft_inversion *alone = invert(&p, &(weft_invert_job) { .photo = second }), *a, *b;
    weft_inverter *inverter;
    OK(weft_inverter_create(ctx, cpu, small, &p, &inverter));
    OK(weft_inverter_run(inverter, &(weft_invert_job) { .photo = first }, &a));
    OK(weft_inverter_run(inverter, &(weft_invert_job) { .photo = second }, &b));
    assert_same(alone, b);
    assert_true(weft_inversion_get_facts(b)->build_ns == 0); // the session of the first served
    weft_inverter_destroy(&inverter);
    weft_inversion_destroy(&alone);
    weft_inversion_destroy(&a);
    weft_inversion_destroy(&b);
    weft_image_destroy(&first);
    weft_image_destroy(&second);
}

static void devices_agree_on_the_loss(void **state)
{
    (void) state;
    weft_device *gpu;
    if (weft_device_open(ctx, &(weft_device_params) { .name = "vulkan" }, &gpu) != WEFT_OK) {
        print_message("skipped: %s\n", weft_error_text());
        skip();
    }
    const int steps = 101;
    weft_image *photo = made(small, 12, NULL);
    weft_invert_params p = quick(steps);
    p.latent_noise = 0;
    weft_inversion *a = invert(&p, &(weft_invert_job) { .photo = photo });
    weft_inversion *b = invert_on(gpu, small, &p, &(weft_invert_job) { .photo = photo }), *c = invert_on(gpu, small, &p, &(weft_invert_job) { .photo = photo });
    assert_same(b, c);
    const double x = loss_at(a, steps - 1, "loss"), y = loss_at(b, steps - 1, "loss");
    if (fabs(x - y) > 0.01 * x) fail_msg("at step %d: %g on cpu, %g on %s", steps, x, y, weft_device_get_info(gpu)->name);
    assert_true(x < 0.8 * loss_at(a, 0, "loss"));
    weft_inversion_destroy(&a);
    weft_inversion_destroy(&b);
    weft_inversion_destroy(&c);
    weft_image_destroy(&photo);
    weft_device_destroy(&gpu);
}

// --- Ends. -------------------------------------------------------------------------------------------------------

static void a_loss_that_is_no_number_ends_it_with_the_step(void **state)
{
    (void) state;
    weft_image *photo = made(small, 1, NULL);
    weft_inversion *v = NULL;
    weft_inverter *inverter;
    int stop[2] = { 0, 4 };
    weft_invert_params p = quick(30);
    p.rate = 1e30, p.rampup = 0.5, p.progress = stop_at, p.progress_user = stop, p.check_every = 1;
    stop[1] = 1; // before the rate has done harm: the first step's is 0
    OK(weft_inverter_create(ctx, cpu, small, &p, &inverter));
    assert_int_equal(weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .checkpoint = checkpoint }, &v), WEFT_ERR_CANCELLED);
    stop[1] = 1000;
    assert_int_equal(weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .checkpoint = checkpoint, .resume = 1 }, &v), WEFT_ERR_NUMERIC);
    assert_non_null(strstr(weft_error_text(), "step "));
    assert_null(v);
    stop[1] = 1; // the checkpoint from before is still good
    assert_int_equal(weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .checkpoint = checkpoint, .resume = 1 }, &v), WEFT_ERR_CANCELLED);
    weft_inverter_destroy(&inverter);
    unlink(checkpoint);
    weft_image_destroy(&photo);
}

static void it_stops_early_when_told_to(void **state)
{
    (void) state;
    weft_image *photo = made(small, 1, NULL);
    weft_invert_params p = quick(200);
    weft_inversion *v = invert(&(weft_invert_params) { .steps = 1, .samples = 200, .frames = -1, .latent_noise = -1 }, &(weft_invert_job) { .photo = photo });
    const double enough = 0.6 * loss_at(v, 0, "loss");
    weft_inversion_destroy(&v);
    p.stop_loss = enough, p.check_every = 5;
    v = invert(&p, &(weft_invert_job) { .photo = photo });
    const int steps = weft_inversion_get_facts(v)->steps;
    assert_true(weft_inversion_get_facts(v)->stopped && steps < 200 && steps % 5 == 0);
    double least = 1e9;
    for (int i = steps - 5; i < steps; i++) least = fmin(least, loss_at(v, i, "loss"));
    assert_true(steps > 5 && least < enough);
    for (int i = 0; i < steps - 5; i++) assert_true(loss_at(v, i, "loss") >= enough);
    weft_inversion_destroy(&v);
    p.stop_loss = 0, p.steps = 5, p.tune = 100, p.tune_rate = 0.01, p.tune_stop_loss = enough;
    v = invert(&p, &(weft_invert_job) { .photo = photo });
    assert_true(weft_inversion_get_facts(v)->steps == 5 && weft_inversion_get_facts(v)->tune_steps < 100 && !weft_inversion_get_facts(v)->stopped);
    weft_inversion_destroy(&v);
    p.tune = 0, p.steps = 200, p.patience = 10, p.rate = 1e-9; // it does not fall
    v = invert(&p, &(weft_invert_job) { .photo = photo });
    assert_true(weft_inversion_get_facts(v)->stopped && weft_inversion_get_facts(v)->steps <= 20);
    weft_inversion_destroy(&v);
    weft_image_destroy(&photo);
}

// --- Memory. -----------------------------------------------------------------------------------------------------

typedef struct memory { long calls, blocks, fail_at, seen; } memory;

static void *counted(void *user, void *p, size_t old_bytes, size_t new_bytes)
{
    memory *m = user;
    (void) old_bytes;
    if (p && !new_bytes) return m->blocks--, free(p), NULL;
    if (m->calls++ == m->fail_at) return NULL;
    void *q = realloc(p, new_bytes);
    if (!p && q) m->blocks++;
    return q;
}

static int look(void *user, const weft_invert_progress *p)
{
    memory *m = user;
    if (p->step >= 2 && !m->seen) m->seen = m->calls;
    if (p->step == p->steps) m->seen = m->calls - m->seen;
    return 0;
}

// An inversion with everything in it, from opening the device on.
static weft_result life(memory *m, int steps, bool all)
{
    weft_context *own = NULL;
    weft_device *dev = NULL;
    weft_model *g = NULL;
    weft_image *photo = NULL, *mask = NULL;
    weft_inverter *inverter = NULL;
    weft_inversion *v = NULL;
    weft_invert_params p = quick(steps);
    p.samples = 20, p.progress = look, p.progress_user = m;
    if (all) p.tune = 2, p.frames = 3, p.maps = WEFT_MAPS_OPTIMIZE, p.latent_noise = 0;
    weft_result r = weft_context_create(&(weft_context_params) { .threads = 1, .allocator = { counted, m } }, &own);
    if (r == WEFT_OK) r = weft_device_open(own, &(weft_device_params) { .name = "cpu" }, &dev);
    if (r == WEFT_OK) r = small_stylegan(own, 8, 2, 0, &g);
    if (r == WEFT_OK) r = weft_image_create(own, 9, 9, 3, 8, &photo);
    if (r == WEFT_OK) r = weft_image_create(own, 9, 9, 1, 8, &mask);
    if (r == WEFT_OK) ((unsigned char *) weft_image_data(mask))[40] = 255;
    if (r == WEFT_OK) r = weft_inverter_create(own, dev, g, &p, &inverter);
    if (r == WEFT_OK) r = weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .mask = all ? mask : NULL, .fill = all, .checkpoint = all ? checkpoint : NULL }, &v);
    weft_inversion_destroy(&v);
    weft_inverter_destroy(&inverter);
    weft_image_destroy(&mask);
    weft_image_destroy(&photo);
    weft_model_destroy(&g);
    weft_device_destroy(&dev);
    weft_context_destroy(&own);
    return r;
}

static void steps_allocate_nothing(void **state)
{
    (void) state;
    memory m = { .fail_at = -1 };
    assert_int_equal(life(&m, 300, false), WEFT_OK);
    assert_int_equal(m.seen, 0);
    assert_int_equal(m.blocks, 0);
}

static void an_allocation_that_fails_is_an_error_and_leaks_nothing(void **state)
{
    (void) state;
    memory whole = { .fail_at = -1 };
    int failed = 0;
    assert_int_equal(life(&whole, 4, true), WEFT_OK);
    assert_int_equal(whole.blocks, 0);
    for (long at = 0; at < whole.calls; at += at < 20 ? 1 : whole.calls / 61 + 1) {
        memory m = { .fail_at = at };
        const weft_result r = life(&m, 4, true);
        if (r != WEFT_OK && r != WEFT_ERR_MEMORY) fail_msg("allocation %ld fails: %s", at, weft_error_text());
        if (m.blocks) fail_msg("allocation %ld fails: %ld blocks are lost", at, m.blocks);
        failed += r == WEFT_ERR_MEMORY;
    }
    assert_true(failed > 40);
    unlink(checkpoint);
}

// --- Losses. -----------------------------------------------------------------------------------------------------

// A network of two layers: features relu1_2 [4, h, w] and relu2_2 [6, h/2, w/2]; or one embedding of `size` numbers.
static weft_model *network(const char *task, const char *entry, int size, int side)
{
    stylegan s = { 0 };
    weft_model *m;
    OK(weft_builder_create(ctx, &s.b));
    weft_build_meta(s.b, "task", task);
    weft_build_meta(s.b, "image.range", "0..1");
    weft_build_meta(s.b, "image.mean", "0.4,0.5,0.6");
    weft_build_meta(s.b, "image.std", "0.2,0.3,0.4");
    const int64_t h = size ? side : weft_build_dim(s.b, "h", 8, 1), w = size ? side : weft_build_dim(s.b, "w", 8, 1);
    weft_build_entry(s.b, entry);
    weft_value x = weft_build_input(s.b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(weft_build_dim(s.b, "n", 1, 1), 3, h, w));
    x = weft_build(s.b, "conv2d", WEFT_IN(x, sg_weight(&s, "c1", (weft_shape) WEFT_SHAPE(4, 3, 3, 3), 0.3)), WEFT_NUM("pads", 1));
    x = weft_build_op(s.b, "relu", &x, 1, NULL, 0);
    if (!size) weft_build_output(s.b, "relu1_2", x);
    x = weft_build(s.b, "conv2d", WEFT_IN(x, sg_weight(&s, "c2", (weft_shape) WEFT_SHAPE(6, 4, 3, 3), 0.3)), WEFT_NUM("pads", 1), WEFT_NUM("stride", 2));
    x = weft_build_op(s.b, "relu", &x, 1, NULL, 0);
    if (!size) weft_build_output(s.b, "relu2_2", x);
    if (size) {
        x = weft_build(s.b, "reshape", WEFT_IN(x), WEFT_NUM("shape", 1, 6 * side * side / 4));
        weft_build_output(s.b, "embedding", weft_build_op(s.b, "linear", (weft_value[]) { x, sg_weight(&s, "fc", (weft_shape) WEFT_SHAPE(size, 6 * side * side / 4), 0.2) }, 2, NULL, 0));
    }
    OK(weft_builder_finish(&s.b, &m));
    return m;
}

// A picture of 8 bits as the network takes it.
static void prepared(const weft_image *i, float *to)
{
    static const double mean[] = { 0.4, 0.5, 0.6 }, std[] = { 0.2, 0.3, 0.4 };
    const unsigned char *p = weft_image_view(i);
    for (int k = 0; k < 3; k++)
        for (int at = 0; at < PIXELS; at++) to[k * PIXELS + at] = (float) ((p[at * 3 + k] / 255.0 - mean[k]) / std[k]);
}

static void features(const weft_model *m, const weft_image *i, float *one, float *two)
{
    float x[3 * PIXELS];
    weft_session *s;
    const weft_port_shape shape = { "x", WEFT_SHAPE(1, 3, SMALL, SMALL) };
    prepared(i, x);
    OK(weft_session_create(cpu, m, &(weft_session_params) { .shapes = &shape, .shape_count = 1 }, &s));
    OK(weft_session_run(s, &(weft_io) { NULL, x, sizeof x }, 1, (weft_io[]) { { NULL, one, sizeof(float) * 4 * PIXELS }, { NULL, two, sizeof(float) * 6 * PIXELS / 4 } }, 2));
    weft_session_destroy(&s);
}

static double squares(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
    return sum;
}

static double gram_distance(const float *a, const float *b, int channels, int pixels)
{
    double sum = 0;
    for (int i = 0; i < channels; i++)
        for (int k = 0; k < channels; k++) {
            double d = 0;
            for (int p = 0; p < pixels; p++) d += (double) a[i * pixels + p] * a[k * pixels + p] - (double) b[i * pixels + p] * b[k * pixels + p];
            sum += d * d / ((double) channels * pixels) / ((double) channels * pixels);
        }
    return sum;
}

#define NEAR(got, want) do { const double g_ = (got), w_ = (want); if (fabs(g_ - w_) > 0.03 * fabs(w_)) fail_msg("%s: %g, not %g", #got, g_, w_); } while (0)

static void losses_of_networks_are_what_they_say(void **state)
{
    (void) state;
    float ws[6 * SG_W], a1[4 * PIXELS], a2[6 * PIXELS / 4], b1[4 * PIXELS], b2[6 * PIXELS / 4];
    weft_image *photo = made(small, 21, NULL), *begun = made(small, 22, ws);
    weft_model *seer = network("perceptual", "features", 0, 0), *face = network("identity", "main", 8, 112), *clip = network("clip", "image", 5, 12);
    static const char *const taps[] = { "relu1_2" };
    static const float embedding[] = { 1, -2, 0.5f, 3, -1 };
    const weft_loss losses[] = {
        { WEFT_LOSS_PERCEPTUAL, .model = seer, .taps = taps, .tap_count = 1 }, { WEFT_LOSS_PERCEPTUAL, 2, .model = seer }, { WEFT_LOSS_STYLE, .model = seer },
        { WEFT_LOSS_LPIPS, .model = seer }, { WEFT_LOSS_IDENTITY, .model = face }, { WEFT_LOSS_CLIP, .model = clip }, { WEFT_LOSS_CLIP, .model = clip, .embedding = embedding, .embedding_count = 5 },
        { WEFT_LOSS_L2, .levels = 1 }, { WEFT_LOSS_TOTAL_VARIATION, 0.1 }, { WEFT_LOSS_LATENT_MEAN, 0.01 }, { WEFT_LOSS_LATENT_L2, 0.01 }, { WEFT_LOSS_LATENT_SPREAD, 0.01 },
        { WEFT_LOSS_SMOOTH_L1 }, { WEFT_LOSS_CHARBONNIER },
    };
    weft_invert_params p = quick(12);
    p.losses = losses, p.loss_count = sizeof losses / sizeof *losses;
    const weft_array start = { "w", WEFT_SHAPE(1, 6, SG_W), ws };
    weft_inversion *v = invert(&p, &(weft_invert_job) { .photo = photo, .start = &start, .start_count = 1 });
    features(seer, photo, a1, a2);
    features(seer, begun, b1, b2);
    const double first = squares(a1, b1, 4 * PIXELS), second = squares(a2, b2, 6 * PIXELS / 4);
    NEAR(loss_at(v, 0, "perceptual"), first / (4 * PIXELS));
    NEAR(loss_at(v, 0, "perceptual.2"), first / (4 * PIXELS) + second / (6 * PIXELS / 4));
    NEAR(loss_at(v, 0, "lpips"), first + second);
    NEAR(loss_at(v, 0, "style"), gram_distance(a1, b1, 4, PIXELS) + gram_distance(a2, b2, 6, PIXELS / 4));
    double pixels = 0;
    for (int i = 0; i < 3 * PIXELS; i++) {
        const double d = (((const unsigned char *) weft_image_view(photo))[i] - ((const unsigned char *) weft_image_view(begun))[i]) / 127.5;
        pixels += d * d;
    }
    NEAR(loss_at(v, 0, "l2"), pixels / (3 * PIXELS));
    NEAR(loss_at(v, 0, "latent-mean") / loss_at(v, 0, "latent-l2"), loss_at(v, 5, "latent-mean") / loss_at(v, 5, "latent-l2"));
    assert_true(loss_at(v, 0, "latent-spread") < 1e-9 && loss_at(v, -1, "latent-spread") > 1e-6); // one w at first, then many
    assert_true(loss_at(v, 0, "identity") > 0 && loss_at(v, 0, "clip") > 0 && loss_at(v, 0, "clip.2") > 0 && loss_at(v, 0, "clip") < 2);
    assert_true(fabs(loss_at(v, 0, "clip") - loss_at(v, 0, "clip.2")) > 1e-4);
    double sum = 0;
    for (int i = 0; i < p.loss_count; i++) {
        static const char *const names[] = { "perceptual", "perceptual.2", "style", "lpips", "identity", "clip", "clip.2", "l2", "tv", "latent-mean", "latent-l2", "latent-spread", "smooth-l1", "charbonnier" };
        sum += (losses[i].weight ? losses[i].weight : 1) * loss_at(v, 3, names[i]);
    }
    assert_true(fabs(sum - loss_at(v, 3, "loss")) < 1e-4 * sum);
    assert_true(loss_at(v, -1, "loss") < loss_at(v, 0, "loss"));
    weft_inversion_destroy(&v);
    // Under a mask what is hidden changes nothing, for networks that look everywhere too.
    weft_image *mask = rectangle(0, 0, 6, SMALL, 255), *spoilt;
    OK(weft_image_copy(photo, &spoilt));
    for (int y = 0; y < SMALL; y++) memset((char *) weft_image_data(spoilt) + y * SMALL * 3, 200, 15);
    p.steps = 5;
    v = invert(&p, &(weft_invert_job) { .photo = photo, .mask = mask });
    weft_inversion *u = invert(&p, &(weft_invert_job) { .photo = spoilt, .mask = mask });
    assert_same(u, v);
    weft_inversion_destroy(&u);
    weft_inversion_destroy(&v);
    weft_image_destroy(&mask);
    weft_image_destroy(&spoilt);
    weft_image_destroy(&photo);
    weft_image_destroy(&begun);
    weft_model_destroy(&seer);
    weft_model_destroy(&face);
    weft_model_destroy(&clip);
}

// --- What is refused. ----------------------------------------------------------------------------------------------

static void refused(const weft_model *g, weft_invert_params p, const char *words)
{
    weft_inverter *inverter = NULL;
    const weft_result r = weft_inverter_create(ctx, cpu, g, &p, &inverter);
    if (r != WEFT_ERR_ARGUMENT || !strstr(weft_error_text(), words)) fail_msg("%d: '%s' does not say '%s'", r, weft_error_text(), words);
    assert_null(inverter);
}

static void what_makes_no_sense_is_refused_in_a_sentence(void **state)
{
    (void) state;
    weft_model *seer = network("perceptual", "features", 0, 0);
    static const char *const taps[] = { "relu9_9" };
    refused(seer, quick(1), "synthesis");
    refused(small, (weft_invert_params) { .steps = -1 }, "steps");
    refused(small, (weft_invert_params) { .rate = NAN }, "rate");
    refused(small, (weft_invert_params) { .class_index = 2 }, "class 2");
    refused(small, (weft_invert_params) { .losses = &(weft_loss) { WEFT_LOSS_LPIPS }, .loss_count = 1 }, "needs a network");
    refused(small, (weft_invert_params) { .losses = &(weft_loss) { WEFT_LOSS_IDENTITY, .model = seer }, .loss_count = 1 }, "task=perceptual");
    refused(small, (weft_invert_params) { .losses = &(weft_loss) { WEFT_LOSS_STYLE, .model = seer, .taps = taps, .tap_count = 1 }, .loss_count = 1 }, "relu9_9");
    refused(small, (weft_invert_params) { .losses = &(weft_loss) { WEFT_LOSS_NOISE }, .loss_count = 1 }, "noise");
    weft_model_destroy(&seer);
    // A start that does not fit.
    weft_image *photo = made(small, 1, NULL);
    weft_inverter *inverter;
    weft_inversion *v;
    const weft_invert_params p = quick(1);
    const weft_array start = { "w", WEFT_SHAPE(1, 5), (const float[5]) { 0 } };
    OK(weft_inverter_create(ctx, cpu, small, &p, &inverter));
    assert_int_equal(weft_inverter_run(inverter, &(weft_invert_job) { .photo = photo, .start = &start, .start_count = 1 }, &v), WEFT_ERR_ARGUMENT);
    weft_inverter_destroy(&inverter);
    weft_image_destroy(&photo);
}

static void a_photo_of_any_shape_is_cut_or_stretched(void **state)
{
    (void) state;
    weft_image *photo;
    OK(weft_image_create(ctx, 40, 30, 4, 16, &photo));
    uint16_t *at = weft_image_data(photo);
    for (int i = 0; i < 40 * 30 * 4; i++) at[i] = (uint16_t) (i / 4 % 40 * 1600);
    weft_invert_params p = quick(3);
    for (int stretch = 0; stretch < 2; stretch++) {
        p.stretch = stretch;
        weft_inversion *v = invert(&p, &(weft_invert_job) { .photo = photo });
        const int *crop = weft_inversion_get_facts(v)->crop, want[] = { stretch ? 0 : 5, 0, stretch ? 40 : 30, 30 };
        assert_memory_equal(crop, want, sizeof want);
        const unsigned char *t = weft_image_view(weft_inversion_target(v));
        const double scale = (stretch ? 40 : 30) / 16.0, shift = stretch ? 0 : 5; // a ramp stays one
        for (int x = 3; x < 13; x++) assert_true(fabs(t[(8 * SMALL + x) * 3] - ((x + 0.5) * scale - 0.5 + shift) * 1600 / 257) < 1.6);
        weft_inversion_destroy(&v);
    }
    weft_image_destroy(&photo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_space_comes_closer_and_gives_its_latents),
        cmocka_unit_test(a_class_is_kept_to),
        cmocka_unit_test(what_a_mask_hides_does_not_count_and_can_be_filled),
        cmocka_unit_test(segments_have_latents_of_their_own),
        cmocka_unit_test(tuning_changes_a_copy_of_the_generator),
        cmocka_unit_test(noise_maps_are_found_and_stay_normal),
        cmocka_unit_test(two_runs_are_the_same_bits_and_so_is_one_that_was_stopped),
        cmocka_unit_test(an_inverter_takes_one_photo_after_another),
        cmocka_unit_test(a_loss_that_is_no_number_ends_it_with_the_step),
        cmocka_unit_test(it_stops_early_when_told_to),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(an_allocation_that_fails_is_an_error_and_leaks_nothing),
        cmocka_unit_test(losses_of_networks_are_what_they_say),
        cmocka_unit_test(what_makes_no_sense_is_refused_in_a_sentence),
        cmocka_unit_test(a_photo_of_any_shape_is_cut_or_stretched),
        cmocka_unit_test(devices_agree_on_the_loss),
        cmocka_unit_test(a_picture_made_by_the_generator_is_recovered_within_the_default_steps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
