// SPDX-License-Identifier: MIT
// Generators: seeds, mapping, truncation, noise, batches, styles and pictures, against sessions run by hand.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "nets/small_generator.h"
#include "nets/small_stylegan.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 5 };
static weft_context *ctx;
static weft_device *dev;
static float z[COUNT * GEN_Z], ws[COUNT * GEN_L * GEN_W], image[COUNT * GEN_PICTURE], other[COUNT * GEN_PICTURE];

static int set_up(void **state)
{
    (void) state;
    if (weft_context_create(&(weft_context_params) { .threads = 1 }, &ctx)) return 1;
    return weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &dev);
}

static int tear_down(void **state)
{
    (void) state;
    weft_device_destroy(&dev);
    weft_context_destroy(&ctx);
    return 0;
}

#define assert_ok(call) do { if ((call) != WEFT_OK) fail_msg("%s", weft_error_text()); } while (0)
static void assert_says(const char *words)
{
    if (!strstr(weft_error_text(), words)) fail_msg("wanted '%s' in: %s", words, weft_error_text());
}

typedef struct made { weft_model *model; weft_generator *g; } made;
static made make_on(weft_device *d, generator_kind kind, weft_generator_params params)
{
    made m = { 0 };
    assert_ok(small_generator(ctx, &kind, &m.model));
    assert_ok(weft_generator_create(ctx, d, m.model, &params, &m.g));
    return m;
}
static made make(generator_kind kind, weft_generator_params params) { return make_on(dev, kind, params); }
static void drop(made *m)
{
    weft_generator_destroy(&m->g);
    weft_model_destroy(&m->model);
}

// An entry run by hand, for batches of `n`.
static void by_hand(const weft_model *m, const char *entry, int n, const weft_io *in, int in_count, float *out, size_t numbers)
{
    weft_session *s = NULL;
    const weft_port *ports;
    weft_port_shape shapes[8];
    const int e = weft_model_find_entry(m, entry), count = weft_model_inputs(m, e, &ports);
    assert_int_equal(count, in_count);
    for (int i = 0; i < count; i++) {
        shapes[i] = (weft_port_shape) { ports[i].name, ports[i].shape };
        if (shapes[i].shape.dim[0] < 0) shapes[i].shape.dim[0] = n;
    }
    assert_ok(weft_session_create(dev, m, &(weft_session_params) { .entry = e, .shapes = shapes, .shape_count = count }, &s));
    assert_ok(weft_session_run(s, in, in_count, &(weft_io) { NULL, out, 4 * numbers }, 1));
    weft_session_destroy(&s);
}

static void assert_near(const float *a, const float *b, int count, double tolerance)
{
    for (int i = 0; i < count; i++)
        if (!(fabs((double) a[i] - b[i]) <= tolerance)) fail_msg("number %d is %.9g, not %.9g", i, a[i], b[i]);
}

static void seed_all(weft_generator *g)
{
    for (int i = 0; i < COUNT; i++) weft_generator_seed(g, (uint32_t) i, z + i * GEN_Z);
}

static void what_it_is_is_read_from_the_ports(void **state)
{
    (void) state;
    made m = make((generator_kind) { .classes = 3 }, (weft_generator_params) { 0 });
    const weft_generator_info *i = weft_generator_get_info(m.g);
    const char *name;
    int h, w, c;
    assert_true(i->z == GEN_Z && i->w == GEN_W && i->layers == GEN_L && i->classes == 3);
    assert_true(i->channels == 3 && i->height == GEN_SIZE && i->width == GEN_SIZE);
    assert_true(i->noise_count == 2 && i->style_count == 2 && i->style_numbers == GEN_S0 + GEN_S1 && i->has_none && i->has_average);
    assert_true(weft_generator_noise(m.g, 1, &name, &h, &w) && h == 16 && w == 16);
    assert_string_equal(name, "b16.noise_const");
    assert_true(weft_generator_style(m.g, 1, &name, &c) && c == GEN_S1);
    assert_false(weft_generator_noise(m.g, 2, NULL, NULL, NULL) || weft_generator_style(m.g, -1, NULL, NULL));
    drop(&m);
    m = make((generator_kind) { .no_mapping = true, .no_average = true, .no_noise = true, .no_styles = true }, (weft_generator_params) { 0 });
    i = weft_generator_get_info(m.g);
    assert_true(!i->z && !i->classes && !i->noise_count && !i->style_count && !i->has_none && !i->has_average);
    drop(&m);
}

static void seeds_give_the_z_of_published_programs(void **state)
{
    (void) state;
    static const float want[] = { 1.62434536f, -0.61175641f, -0.52817175f, -1.07296862f, 0.86540763f, -2.30153870f, 1.74481176f, -0.76120690f };
    made m = make((generator_kind) { 0 }, (weft_generator_params) { 0 }); // RandomState(1).randn(1, 8)
    weft_generator_seed(m.g, 1, z);
    assert_near(z, want, GEN_Z, 2e-7);
    drop(&m);
}

static void batches_of_any_size_give_what_single_pictures_give(void **state)
{
    (void) state;
    for (int batch = 1; batch <= COUNT + 1; batch++) {
        made m = make((generator_kind) { 0 }, (weft_generator_params) { .batch = batch });
        seed_all(m.g);
        assert_ok(weft_generator_map(m.g, COUNT, z, NULL, ws));
        assert_ok(weft_generator_run(m.g, COUNT, ws, NULL, image));
        for (int i = 0; i < COUNT; i++) {
            float one[GEN_L * GEN_W];
            by_hand(m.model, "mapping", 1, &(weft_io) { "z", z + i * GEN_Z, 4 * GEN_Z }, 1, one, GEN_L * GEN_W);
            assert_near(ws + i * GEN_L * GEN_W, one, GEN_L * GEN_W, 0);
            by_hand(m.model, "synthesis", 1, &(weft_io) { "ws", one, sizeof one }, 1, other, GEN_PICTURE);
            assert_near(image + i * GEN_PICTURE, other, GEN_PICTURE, 0);
        }
        drop(&m);
    }
}

static void classes_are_one_hot(void **state)
{
    (void) state;
    const int classes[COUNT] = { 0, 2, 1, 2, 0 };
    float c[COUNT * 3] = { 0 }, want[COUNT * GEN_L * GEN_W];
    made m = make((generator_kind) { .classes = 3 }, (weft_generator_params) { 0 });
    seed_all(m.g);
    for (int i = 0; i < COUNT; i++) c[i * 3 + classes[i]] = 1;
    assert_ok(weft_generator_map(m.g, COUNT, z, classes, ws));
    by_hand(m.model, "mapping", COUNT, (const weft_io[]) { { "z", z, sizeof z }, { "c", c, sizeof c } }, 2, want, COUNT * GEN_L * GEN_W);
    assert_near(ws, want, COUNT * GEN_L * GEN_W, 0);
    assert_int_equal(weft_generator_map(m.g, COUNT, z, NULL, ws), WEFT_ERR_ARGUMENT);
    assert_says("wants a class, 0 to 2");
    assert_int_equal(weft_generator_map(m.g, 1, z, &(int) { 3 }, ws), WEFT_ERR_ARGUMENT);
    drop(&m);
}

static void truncation_moves_the_first_layers_towards_the_mean(void **state)
{
    (void) state;
    static const double psis[] = { 0, 0.3, 0.7, 1, 1.4, -0.5 };
    for (int k = 0; k < 2; k++) {
        made m = make((generator_kind) { .average_per_layer = k }, (weft_generator_params) { 0 });
        float mean[GEN_L * GEN_W], from[COUNT * GEN_L * GEN_W];
        assert_ok(weft_generator_average(m.g, mean));
        assert_true(!memcmp(mean, mean + GEN_W, 4 * GEN_W) == !k);
        seed_all(m.g);
        assert_ok(weft_generator_map(m.g, COUNT, z, NULL, from));
        for (size_t p = 0; p < 6; p++)
            for (int cutoff = -1; cutoff <= GEN_L + 1; cutoff++) {
                memcpy(ws, from, sizeof from);
                assert_ok(weft_generator_truncate(m.g, COUNT, ws, psis[p], cutoff));
                for (int i = 0; i < COUNT * GEN_L * GEN_W; i++) {
                    const int layer = i / GEN_W % GEN_L;
                    const double w = mean[i % (GEN_L * GEN_W)], full = w + psis[p] * (from[i] - w);
                    const bool moved = psis[p] != 1 && (cutoff < 0 || layer < cutoff);
                    assert_true(moved ? fabs(ws[i] - full) < 1e-6 : ws[i] == from[i]);
                }
            }
        drop(&m);
    }
}

static void noise_is_constant_none_random_or_given(void **state)
{
    (void) state;
    made m = make((generator_kind) { 0 }, (weft_generator_params) { .batch = 2 });
    static float maps[2][COUNT * 256]; // of each picture
    weft_random_state r, mine;
    seed_all(m.g);
    assert_ok(weft_generator_map(m.g, COUNT, z, NULL, ws));
    assert_ok(weft_generator_run(m.g, COUNT, ws, &(weft_noise) { WEFT_NOISE_NONE }, image));
    by_hand(m.model, "synthesis_none", COUNT, &(weft_io) { NULL, ws, sizeof ws }, 1, other, COUNT * GEN_PICTURE);
    assert_near(image, other, COUNT * GEN_PICTURE, 0);
    weft_random_seed(&r, 4);
    mine = r;
    assert_ok(weft_generator_run(m.g, COUNT, ws, &(weft_noise) { WEFT_NOISE_RANDOM, .random = &r }, image));
    for (int i = 0; i < COUNT; i++) {
        weft_random_normals(&mine, maps[0], 16);
        weft_random_normals(&mine, maps[1], 256);
        const weft_io in[] = { { NULL, ws + i * GEN_L * GEN_W, 4 * GEN_L * GEN_W }, { NULL, maps[0], 64 }, { NULL, maps[1], 1024 } };
        by_hand(m.model, "synthesis_noise", 1, in, 3, other + i * GEN_PICTURE, GEN_PICTURE);
    }
    assert_near(image, other, COUNT * GEN_PICTURE, 0);
    assert_true(memcmp(image, image + GEN_PICTURE, 4 * GEN_PICTURE) != 0);
    const float *const given[] = { maps[0], maps[1] };
    assert_ok(weft_generator_run(m.g, COUNT, ws, &(weft_noise) { WEFT_NOISE_MAPS, .maps = given }, other));
    assert_near(image + 4 * GEN_PICTURE, other + 4 * GEN_PICTURE, GEN_PICTURE, 0); // the last one's maps
    assert_true(memcmp(image, other, 4 * GEN_PICTURE) != 0);
    assert_int_equal(weft_generator_run(m.g, 1, ws, &(weft_noise) { WEFT_NOISE_RANDOM }, other), WEFT_ERR_ARGUMENT);
    drop(&m);
}

static void styles_in_between_give_the_same_picture(void **state)
{
    (void) state;
    for (int batch = 1; batch < 4; batch++) {
        made m = make((generator_kind) { 0 }, (weft_generator_params) { .batch = batch });
        float styles[COUNT * (GEN_S0 + GEN_S1)];
        seed_all(m.g);
        assert_ok(weft_generator_map(m.g, COUNT, z, NULL, ws));
        assert_ok(weft_generator_run(m.g, COUNT, ws, NULL, image));
        assert_ok(weft_generator_styles(m.g, COUNT, ws, styles));
        assert_ok(weft_generator_run_styles(m.g, COUNT, styles, other));
        assert_near(image, other, COUNT * GEN_PICTURE, 0);
        drop(&m);
    }
}

static void pictures_are_rounded_as_published(void **state)
{
    (void) state;
    made m = make((generator_kind) { 0 }, (weft_generator_params) { 0 });
    weft_image *picture = NULL;
    static const float x[] = { -1, 1, 0, -2, 2, -0.9999f, 0.0039f, 0.99f };
    static const uint8_t want[] = { 0, 255, 128, 0, 255, 0, 128, 254 };                     // (x * 127.5 + 128).clamp(0, 255).to(uint8)
    static const uint16_t deep[] = { 0, 65535, 32768, 0, 65535, 3, 32895, 65207 }; // and with 32767.5 and 32768
    for (int i = 0; i < GEN_PICTURE; i++) image[i] = x[i % 256 % 8];
    assert_ok(weft_generator_picture(m.g, image, 8, &picture));
    for (int i = 0; i < 8 * 3; i++) assert_int_equal(((const uint8_t *) weft_image_view(picture))[i], want[i / 3]);
    weft_image_destroy(&picture);
    assert_ok(weft_generator_picture(m.g, image, 16, &picture));
    for (int i = 0; i < 8 * 3; i++) assert_int_equal(((const uint16_t *) weft_image_view(picture))[i], deep[i / 3]);
    weft_image_destroy(&picture);
    image[7] = NAN;
    assert_int_equal(weft_generator_picture(m.g, image, 8, &picture), WEFT_ERR_NUMERIC);
    assert_int_equal(weft_generator_picture(m.g, image, 12, &picture), WEFT_ERR_ARGUMENT);
    drop(&m);
    m = make((generator_kind) { .key = "image.range", .value = "0..1" }, (weft_generator_params) { 0 });
    for (int i = 0; i < GEN_PICTURE; i++) image[i] = (x[i % 256 % 8] + 1) / 2;
    assert_ok(weft_generator_picture(m.g, image, 8, &picture));
    for (int i = 0; i < 8 * 3; i++) assert_int_equal(((const uint8_t *) weft_image_view(picture))[i], want[i / 3]);
    weft_image_destroy(&picture);
    drop(&m);
}

static int stop_at_three(void *user, double done)
{
    double *last = user;
    assert_true(done >= *last && done <= 1);
    *last = done;
    return done > 0.5;
}

static void progress_rises_and_stops_a_run(void **state)
{
    (void) state;
    double last = 0;
    made m = make((generator_kind) { .no_mapping = true }, (weft_generator_params) { .progress = stop_at_three, .progress_user = &last });
    memset(ws, 0, sizeof ws);
    assert_int_equal(weft_generator_run(m.g, COUNT, ws, NULL, image), WEFT_ERR_CANCELLED);
    assert_true(last > 0.5 && last < 1);
    last = 0;
    assert_int_equal(weft_generator_run(m.g, COUNT, ws, NULL, image), WEFT_ERR_CANCELLED); // and goes again from the beginning
    drop(&m);
}

static weft_result create(generator_kind kind)
{
    weft_model *m = NULL;
    weft_generator *g = NULL;
    assert_ok(small_generator(ctx, &kind, &m));
    const weft_result r = weft_generator_create(ctx, dev, m, NULL, &g);
    weft_generator_destroy(&g);
    weft_model_destroy(&m);
    return r;
}

static void what_is_no_generator_or_cannot_do_it_is_told(void **state)
{
    (void) state;
    weft_builder *b;
    weft_model *model = NULL;
    weft_generator *g = NULL;
    assert_int_equal(create((generator_kind) { .key = "generator.classes", .value = "5" }), WEFT_ERR_FORMAT);
    assert_says("generator.classes=5, but its ports say 0");
    assert_int_equal(create((generator_kind) { .key = "image.range", .value = "1..-1" }), WEFT_ERR_FORMAT);
    assert_ok(weft_builder_create(ctx, &b));
    weft_build_meta(b, "task", "inpaint");
    weft_build_output(b, "y", weft_build_op(b, "tanh", (weft_value[]) { weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3)) }, 1, NULL, 0));
    assert_ok(weft_builder_finish(&b, &model));
    assert_int_equal(weft_generator_create(ctx, dev, model, NULL, &g), WEFT_ERR_ARGUMENT);
    assert_says("no entry 'synthesis', and its metadata says task=inpaint");
    weft_model_destroy(&model);
    assert_ok(weft_builder_create(ctx, &b));
    weft_build_entry(b, "synthesis");
    weft_build_output(b, "y", weft_build_op(b, "tanh", (weft_value[]) { weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3)) }, 1, NULL, 0));
    assert_ok(weft_builder_finish(&b, &model));
    assert_int_equal(weft_generator_create(ctx, dev, model, NULL, &g), WEFT_ERR_ARGUMENT);
    assert_says("port 'x' of entry 'synthesis' is not f32 [n, layers, w]");
    weft_model_destroy(&model);

    made m = make((generator_kind) { .no_mapping = true, .no_average = true, .no_noise = true, .no_styles = true }, (weft_generator_params) { 0 });
    assert_int_equal(weft_generator_map(m.g, 1, z, NULL, ws), WEFT_ERR_UNSUPPORTED);
    assert_int_equal(weft_generator_truncate(m.g, 1, ws, 0.5, -1), WEFT_ERR_UNSUPPORTED);
    assert_ok(weft_generator_truncate(m.g, 1, ws, 1, -1));
    assert_int_equal(weft_generator_run(m.g, 1, ws, &(weft_noise) { WEFT_NOISE_NONE }, image), WEFT_ERR_UNSUPPORTED);
    assert_says("no entry 'synthesis_none'");
    assert_int_equal(weft_generator_styles(m.g, 1, ws, image), WEFT_ERR_UNSUPPORTED);
    assert_int_equal(weft_generator_run(m.g, 0, ws, NULL, image), WEFT_ERR_ARGUMENT);
    assert_int_equal(weft_generator_run(m.g, 1, NULL, NULL, image), WEFT_ERR_ARGUMENT);
    drop(&m);
}

static void a_vulkan_device_makes_the_same_pictures(void **state)
{
    (void) state;
    weft_device *vk = NULL;
    weft_random_state r;
    const weft_result opened = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan" }, &vk);
    if (opened == WEFT_ERR_NO_DEVICE) {
        print_message("no Vulkan device\n");
        skip();
    }
    assert_ok(opened);
    made m = make((generator_kind) { 0 }, (weft_generator_params) { .batch = 2 }), v = make_on(vk, (generator_kind) { 0 }, (weft_generator_params) { .batch = 2 });
    float same[COUNT * GEN_L * GEN_W];
    seed_all(m.g);
    assert_ok(weft_generator_map(m.g, COUNT, z, NULL, ws));
    assert_ok(weft_generator_map(v.g, COUNT, z, NULL, same));
    assert_ok(weft_generator_truncate(m.g, COUNT, ws, 0.7, 2));
    assert_ok(weft_generator_truncate(v.g, COUNT, same, 0.7, 2));
    assert_near(ws, same, COUNT * GEN_L * GEN_W, 1e-6);
    weft_random_seed(&r, 0);
    assert_ok(weft_generator_run(m.g, COUNT, ws, &(weft_noise) { WEFT_NOISE_RANDOM, .random = &r }, image));
    weft_random_seed(&r, 0);
    assert_ok(weft_generator_run(v.g, COUNT, ws, &(weft_noise) { WEFT_NOISE_RANDOM, .random = &r }, other));
    assert_near(image, other, COUNT * GEN_PICTURE, 1e-5);
    drop(&m);
    drop(&v);
    weft_device_destroy(&vk);
}

// A real StyleGAN2, small: conditional, modulated, with noise in every layer.
static void stylegan2_goes_through_every_entry(void **state)
{
    (void) state;
    enum { SIDE = 16, PICTURE = 3 * SIDE * SIDE };
    weft_model *m = NULL;
    weft_generator *one = NULL, *three = NULL;
    weft_device *cpu = NULL, *vk = NULL;
    const int classes[] = { 1, 0, 1 };
    assert_ok(weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &cpu));
    assert_ok(small_stylegan(ctx, SIDE, 8, 2, &m));
    assert_ok(weft_generator_create(ctx, cpu, m, NULL, &one));
    assert_ok(weft_generator_create(ctx, cpu, m, &(weft_generator_params) { .batch = 3 }, &three));
    const weft_generator_info *i = weft_generator_get_info(one);
    const size_t w = (size_t) i->layers * (size_t) i->w, all = 3 * PICTURE;
    float *v = calloc(3 * ((size_t) i->z + 2 * w + (size_t) i->style_numbers) + 3 * all, sizeof *v), *from = v, *a = from + 3 * i->z, *b = a + 3 * w;
    float *styles = b + 3 * w, *x = styles + 3 * i->style_numbers, *y = x + all, *n = y + all;
    assert_true(v && i->classes == 2 && i->height == SIDE && i->noise_count == 5 && i->style_count >= 5 && i->has_none);
    for (int k = 0; k < 3; k++) weft_generator_seed(one, (uint32_t) k, from + k * i->z);
    assert_ok(weft_generator_map(one, 3, from, classes, a));
    for (int k = 0; k < 3; k++) assert_ok(weft_generator_map(one, 1, from + k * i->z, classes + k, b + (size_t) k * w));
    assert_near(a, b, (int) (3 * w), 1e-5);
    assert_ok(weft_generator_run(one, 3, a, NULL, x));
    assert_ok(weft_generator_run(three, 3, a, NULL, y));
    assert_near(x, y, (int) all, 1e-4);
    assert_ok(weft_generator_styles(three, 3, a, styles));
    assert_ok(weft_generator_run_styles(three, 3, styles, y));
    assert_near(x, y, (int) all, 1e-4);
    assert_ok(weft_generator_run(one, 3, a, &(weft_noise) { WEFT_NOISE_NONE }, n));
    double apart = 0;
    for (size_t k = 0; k < all; k++) apart = fmax(apart, fabs((double) x[k] - n[k]));
    assert_true(apart > 1e-3); // noise does something
    const weft_result opened = weft_device_open(ctx, &(weft_device_params) { .name = "vulkan" }, &vk);
    if (opened == WEFT_OK) {
        weft_generator *g = NULL;
        assert_ok(weft_generator_create(ctx, vk, m, &(weft_generator_params) { .batch = 3 }, &g));
        assert_ok(weft_generator_run(g, 3, a, NULL, y));
        assert_near(x, y, (int) all, 1e-3);
        weft_generator_destroy(&g);
    } else assert_int_equal(opened, WEFT_ERR_NO_DEVICE);
    weft_device_destroy(&vk);
    free(v);
    weft_generator_destroy(&one), weft_generator_destroy(&three);
    weft_model_destroy(&m);
    weft_device_destroy(&cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_is_is_read_from_the_ports), cmocka_unit_test(seeds_give_the_z_of_published_programs),
        cmocka_unit_test(batches_of_any_size_give_what_single_pictures_give), cmocka_unit_test(classes_are_one_hot),
        cmocka_unit_test(truncation_moves_the_first_layers_towards_the_mean), cmocka_unit_test(noise_is_constant_none_random_or_given),
        cmocka_unit_test(styles_in_between_give_the_same_picture), cmocka_unit_test(pictures_are_rounded_as_published),
        cmocka_unit_test(progress_rises_and_stops_a_run), cmocka_unit_test(what_is_no_generator_or_cannot_do_it_is_told),
        cmocka_unit_test(a_vulkan_device_makes_the_same_pictures), cmocka_unit_test(stylegan2_goes_through_every_entry),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
