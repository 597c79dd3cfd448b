// SPDX-License-Identifier: MIT
// weft generate and weft edit as a user meets them, on a generator of a few nodes; pictures are compared with those that the library makes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli.h"
#include "nets/small_generator.h"
#include <math.h>
#include <weft/edit.h>
#include <weft/latent.h>

static weft_device *dev;
static weft_model *model;
static weft_generator *g;
enum { WS = GEN_L * GEN_W, SIDE = GEN_SIZE };

#define assert_ok(call) do { if ((call) != WEFT_OK) fail_msg("%s", weft_error_text()); } while (0)

static void save_generator(generator_kind kind, const char *name)
{
    weft_model *m = NULL;
    assert_ok(small_generator(ctx, &kind, &m));
    assert_ok(weft_model_save(m, in_folder(name)));
    weft_model_destroy(&m);
}

static int set_up(void **state)
{
    (void) state;
    if (make_folder() || weft_device_open(ctx, &(weft_device_params) { .name = "cpu" }, &dev)) return 1;
    save_generator((generator_kind) { 0 }, "g.weft");
    save_generator((generator_kind) { .classes = 3 }, "classes.weft");
    save_generator((generator_kind) { .no_mapping = true, .no_average = true, .no_noise = true }, "bare.weft");
    assert_ok(weft_model_load(ctx, in_folder("g.weft"), &model));
    return weft_generator_create(ctx, dev, model, NULL, &g);
}

static int tear_down(void **state)
{
    (void) state;
    weft_generator_destroy(&g);
    weft_model_destroy(&model);
    weft_device_destroy(&dev);
    return drop_folder();
}

static void seed_ws(uint32_t seed, double psi, int cutoff, float *ws)
{
    float z[GEN_Z];
    weft_generator_seed(g, seed, z);
    assert_ok(weft_generator_map(g, 1, z, NULL, ws));
    assert_ok(weft_generator_truncate(g, 1, ws, psi, cutoff));
}

// Cell (column, row) of the picture file `name`, `columns` x `rows` cells large, is what ws makes.
static void assert_cell(const char *name, int columns, int rows, int column, int row, const float *ws, const weft_noise *noise)
{
    float image[GEN_PICTURE];
    weft_image *want = NULL, *is = NULL;
    assert_ok(weft_generator_run(g, 1, ws, noise, image));
    assert_ok(weft_generator_picture(g, image, 8, &want));
    assert_ok(weft_image_load(ctx, in_folder(name), &is));
    const weft_image_info *i = weft_image_get_info(is);
    if (i->width != columns * SIDE || i->height != rows * SIDE) fail_msg("%s is %d x %d", name, i->width, i->height);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < 3 * SIDE; x++) {
            const int a = ((const uint8_t *) weft_image_view(is))[((row * SIDE + y) * columns * SIDE + column * SIDE) * 3 + x];
            const int b = ((const uint8_t *) weft_image_view(want))[y * SIDE * 3 + x];
            if (abs(a - b) > 0) fail_msg("%s: cell %d, %d differs at %d, %d: %d, not %d", name, column, row, x / 3, y, a, b);
        }
    weft_image_destroy(&want);
    weft_image_destroy(&is);
}

static void seeds_become_pictures_named_after_them(void **state)
{
    (void) state;
    float ws[WS];
    assert_code(0, "generate g.weft -d cpu --seeds 0,3-4,4294967295 --trunc 0.7 --trunc-cutoff 2 -o out");
    static const uint32_t seeds[] = { 0, 3, 4, 4294967295 };
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "out/seed%04lu.png", (unsigned long) seeds[i]);
        seed_ws(seeds[i], 0.7, 2, ws);
        assert_cell(name, 1, 1, 0, 0, ws, NULL);
    }
    assert_code(0, "generate g.weft -d cpu --seeds 7 -o one.png");
    seed_ws(7, 1, -1, ws);
    assert_cell("one.png", 1, 1, 0, 0, ws, NULL);
}

static void several_pictures_become_a_sheet(void **state)
{
    (void) state;
    float ws[WS];
    assert_code(0, "generate g.weft -d cpu --seeds 0-4 -o sheet.png --batch 2");
    for (int i = 0; i < 5; i++) seed_ws((uint32_t) i, 1, -1, ws), assert_cell("sheet.png", 3, 2, i % 3, i / 3, ws, NULL);
    assert_code(0, "generate g.weft -d cpu --seeds 0-4 -o both --sheet wide.png --columns 5");
    assert_true(exists("both/seed0004.png"));
    for (int i = 0; i < 5; i++) seed_ws((uint32_t) i, 1, -1, ws), assert_cell("wide.png", 5, 1, i, 0, ws, NULL);
}

static void noise_is_what_was_asked_for(void **state)
{
    (void) state;
    float ws[WS];
    weft_random_state r;
    seed_ws(2, 1, -1, ws);
    assert_code(0, "generate g.weft -d cpu --seeds 1,2 --noise none -o none");
    assert_cell("none/seed0002.png", 1, 1, 0, 0, ws, &(weft_noise) { WEFT_NOISE_NONE });
    assert_code(0, "generate g.weft -d cpu --seeds 1,2 --noise random --noise-seed 9 -o random");
    weft_random_seed_array(&r, (const uint32_t[]) { 9, 2 }, 2); // does not depend on the seeds before it
    assert_cell("random/seed0002.png", 1, 1, 0, 0, ws, &(weft_noise) { WEFT_NOISE_RANDOM, .random = &r });
}

static void latents_go_out_and_come_back(void **state)
{
    (void) state;
    float ws[WS];
    seed_ws(6, 0.5, -1, ws);
    assert_code(0, "generate g.weft -d cpu --seeds 5,6 --trunc 0.5 -o a --save-latents l.npz");
    assert_code(0, "generate g.weft -d cpu --latents l.npz -o again"); // w is found first and is truncated already
    assert_cell("again/latent0001.png", 1, 1, 0, 0, ws, NULL);
    assert_code(0, "generate g.weft -d cpu --latents l.npz:z --trunc 0.5 -o z");
    assert_cell("z/latent0001.png", 1, 1, 0, 0, ws, NULL);
    assert_code(0, "generate g.weft -d cpu --seeds 5,6 --trunc 0.5 --save-latents w.npy"); // no pictures
    assert_code(0, "generate g.weft -d cpu --latents w.npy -o w.png");
    assert_cell("w.png", 2, 1, 1, 0, ws, NULL);
    assert_code(5, "generate g.weft -d cpu --latents l.npz:q -o q");
    assert_says("there is no array 'q'");
    assert_code(5, "generate g.weft -d cpu --latents l.npz:seeds -o q");
    assert_says("is neither z (8 numbers), w (6) nor w+ (4 x 6)");
    assert_code(5, "generate g.weft -d cpu --latents nothing.npz -o q");
    assert_code(5, "generate g.weft -d cpu --latents g.weft -o q");
    assert_says("neither a .npy nor a .npz file");
}

static void styles_are_mixed_in_a_grid(void **state)
{
    (void) state;
    static const uint32_t rows[] = { 1, 2 }, cols[] = { 5, 6, 7 };
    float row[WS], col[WS];
    assert_code(0, "generate g.weft -d cpu --style-mix 1,2/5-7/0,2-3 --trunc 0.8 -o mixed");
    for (int r = 0; r < 2; r++)
        for (int k = 0; k < 3; k++) {
            char name[64];
            seed_ws(rows[r], 0.8, -1, row), seed_ws(cols[k], 0.8, -1, col);
            assert_cell("mixed/grid.png", 4, 3, 0, r + 1, row, NULL);
            assert_cell("mixed/grid.png", 4, 3, k + 1, 0, col, NULL);
            memcpy(row, col, 4 * GEN_W);                                   // layer 0
            memcpy(row + 2 * GEN_W, col + 2 * GEN_W, 4 * 2 * GEN_W);       // and 2 to 3
            assert_cell("mixed/grid.png", 4, 3, k + 1, r + 1, row, NULL);
            snprintf(name, sizeof name, "mixed/%lu-%lu.png", (unsigned long) rows[r], (unsigned long) cols[k]);
            assert_cell(name, 1, 1, 0, 0, row, NULL);
        }
    assert_code(0, "generate g.weft -d cpu --style-mix 1/5/1 -o grid.png");
    seed_ws(1, 1, -1, row);
    assert_cell("grid.png", 2, 2, 0, 1, row, NULL);
    assert_code(2, "generate g.weft -d cpu --style-mix 1/5/4 -o grid.png");
    assert_says("the generator has 0 to 3");
    assert_code(2, "generate g.weft -d cpu --style-mix 1/5 -o grid.png");
    assert_code(2, "generate g.weft -d cpu --style-mix 1/5/0 --seeds 4 -o grid.png");
}

static void paths_lead_from_latent_to_latent(void **state)
{
    (void) state;
    float a[WS], b[WS], w[WS], za[GEN_Z], zb[GEN_Z], z[GEN_Z];
    seed_ws(3, 0.7, -1, a), seed_ws(4, 0.7, -1, b);
    assert_code(0, "generate g.weft -d cpu --seeds 3,4 --trunc 0.7 --interpolate 4 -o strip.png");
    for (int i = 0; i <= 4; i++) {
        for (int k = 0; k < WS; k++) w[k] = (float) (i == 4 ? b[k] : a[k] + i / 4.0 * ((double) b[k] - a[k]));
        assert_cell("strip.png", 5, 1, i, 0, w, NULL);
    }
    assert_code(0, "generate g.weft -d cpu --seeds 3,4 --trunc 0.7 --interpolate 2 --path z --loop -o frames");
    assert_true(exists("frames/frame00003.png") && !exists("frames/frame00004.png"));
    weft_generator_seed(g, 3, za), weft_generator_seed(g, 4, zb);
    weft_latent_slerp(zb, za, GEN_Z, 0.5, z);
    assert_ok(weft_generator_map(g, 1, z, NULL, w));
    assert_ok(weft_generator_truncate(g, 1, w, 0.7, -1));
    assert_cell("frames/frame00003.png", 1, 1, 0, 0, w, NULL);
    assert_code(2, "generate g.weft -d cpu --seeds 3 --interpolate 4 -o strip.png");
    assert_says("wants two latents");
    assert_code(2, "generate g.weft --seeds 3,4 --loop -o strip.png");
}

static void classes_are_asked_for(void **state)
{
    (void) state;
    assert_code(2, "generate classes.weft -d cpu --seeds 0 -o c.png");
    assert_says("--class 0 to 2 is missing");
    assert_code(2, "generate classes.weft -d cpu --seeds 0 --class 3 -o c.png");
    assert_code(2, "generate classes.weft -d cpu --seeds 0 --class x -o c.png");
    assert_code(0, "generate classes.weft -d cpu --seeds 0 --class 2 -o c.png");
    assert_code(0, "generate g.weft -d cpu --seeds 0 --class 2 -o c2.png");
    assert_says("--class does nothing");
}

static void deep_pictures_have_16_bits(void **state)
{
    (void) state;
    weft_image *i = NULL;
    assert_code(0, "generate g.weft -d cpu --seeds 0 --bits 16 -o deep.png");
    assert_ok(weft_image_load(ctx, in_folder("deep.png"), &i));
    assert_int_equal(weft_image_get_info(i)->bits, 16);
    weft_image_destroy(&i);
}

static void what_cannot_be_done_says_why(void **state)
{
    (void) state;
    assert_code(2, "generate");
    assert_code(2, "generate g.weft --seeds 0");
    assert_says("-o OUT is missing");
    assert_code(2, "generate g.weft -o x.png");
    assert_code(2, "generate g.weft --seeds 0 --latents x.npy -o x.png");
    static const char *const lists[] = { "x", "1,", "3-1", "-1", "4294967296", "1--2", "1,,2", "1 2", "0-4294967295", "''" };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) assert_code(2, "generate g.weft -d cpu --seeds=%s -o x.png", lists[i]);
    assert_code(2, "generate g.weft --seeds 0 --trunc much -o x.png");
    assert_code(2, "generate g.weft --seeds 0 --trunc nan -o x.png");
    assert_code(2, "generate g.weft --seeds 0 --trunc-cutoff 3 -o x.png");
    assert_code(4, "generate bare.weft -d cpu --seeds 0 -o x.png");
    assert_says("no mapping network");
    assert_code(5, "generate none.weft -d cpu --seeds 0 -o x.png");
    assert_code(5, "generate noname -d cpu --seeds 0 -o x.png");
    assert_code(1, "generate g.weft -d cpu --seeds 0 -o /nowhere/at/all.png");
    assert_code(1, "generate g.weft -d cpu --seeds 0 -o /nowhere/at/all");
    assert_code(0, "generate g.weft -d cpu --seeds 0 --save-latents w.npz");
    assert_code(0, "generate bare.weft -d cpu --latents w.npz -o x.png");
    assert_code(4, "generate bare.weft -d cpu --latents w.npz --trunc 0.5 -o x.png");
    assert_says("no entry 'average'");
    assert_code(4, "generate bare.weft -d cpu --latents w.npz --noise none -o x.png");
    assert_code(2, "generate g.weft -d cpu --seeds 0-100 --columns 101 -o x.gif --sheet y.gif");
    assert_code(2, "generate g.weft -d cpu --seeds 0-9999 --columns 10000 -o wide.png");
    assert_says("too many for one sheet");
    assert_false(exists("x.gif") && exists("wide.png"));
}

// --- weft edit. ------------------------------------------------------------------------------------------------

static void write_npy(const char *name, const char *shape, const float *data, size_t count)
{
    char head[128];
    const int n = snprintf(head, sizeof head, "\x93NUMPY\x01%c%c%c{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", 0, 118, 0, shape);
    FILE *f = fopen(in_folder(name), "wb");
    assert_true(f && n > 0 && n < 128);
    memset(head + n, ' ', sizeof head - (size_t) n);
    head[127] = '\n';
    assert_true(fwrite(head, 1, 128, f) == 128 && fwrite(data, 4, count, f) == count);
    fclose(f);
}

static void directions_make_strips(void **state)
{
    (void) state;
    static const double first[] = { -1, 0, 2.5 };
    float one[GEN_W], each[3 * WS], ws[WS];
    weft_random_state r;
    weft_random_seed(&r, 1);
    weft_random_normals(&r, one, GEN_W), weft_random_normals(&r, each, 3 * WS);
    write_npy("one.npy", "6,", one, GEN_W);
    write_npy("each.npy", "3, 4, 6", each, 3 * WS);
    assert_code(0, "edit g.weft -d cpu --seeds 2,8 --trunc 0.7 --direction one.npy --direction each.npy:1 --strength=-1,0,2.5 --strength 0.5 "
                   "--layers 1-2 --layers 0,3 -o strip.png --save-latents moved.npz");
    for (int k = 0; k < 6; k++) {
        seed_ws(k < 3 ? 2 : 8, 0.7, -1, ws);
        weft_latent_move(ws, GEN_L, GEN_W, one, 1, first[k % 3], 6);
        weft_latent_move(ws, GEN_L, GEN_W, each + WS, GEN_L, 0.5, 9);
        assert_cell("strip.png", 3, 2, k % 3, k / 3, ws, NULL);
    }
    assert_code(0, "generate g.weft -d cpu --latents moved.npz -o moved"); // without truncating again
    assert_cell("moved/latent0005.png", 1, 1, 0, 0, ws, NULL);
    assert_code(0, "edit g.weft -d cpu --seeds 2,8 --trunc 0.7 --direction one.npy --strength=-1,2 -o edits --sheet edits.png");
    seed_ws(8, 0.7, -1, ws);
    weft_latent_move(ws, GEN_L, GEN_W, one, 1, 2, WEFT_ALL_LAYERS);
    assert_cell("edits/seed0008-01.png", 1, 1, 0, 0, ws, NULL);
    assert_cell("edits.png", 2, 2, 1, 1, ws, NULL);
    assert_code(2, "edit g.weft -d cpu --seeds 2 --direction each.npy -o x.png");
    assert_says("3 directions; choose one");
    assert_code(2, "edit g.weft -d cpu --seeds 2 --direction each.npy:3 -o x.png");
    assert_code(2, "edit g.weft -d cpu --seeds 2 --direction one.npy --strength 1,x -o x.png");
    assert_code(2, "edit g.weft -d cpu --seeds 2 --direction one.npy --direction one.npy --strength 1,2 --strength 1,2,3 -o x.png");
    assert_code(2, "edit g.weft -d cpu --seeds 2 --direction one.npy --layers 4 -o x.png");
    assert_code(2, "edit g.weft -d cpu --seeds 2 --strength 3 -o x.png");
    write_npy("wrong.npy", "5,", one, 5);
    assert_code(5, "edit g.weft -d cpu --seeds 2 --direction wrong.npy -o x.png");
    assert_says("is no direction of this generator: [6], or [4, 6]");
}

static void components_are_found_and_followed(void **state)
{
    (void) state;
    enum { SAMPLES = 700 };
    static float z[SAMPLES * GEN_Z], w[SAMPLES * WS];
    float directions[3 * GEN_W], stdev[3], ws[WS];
    weft_random_state r;
    weft_pca *p = NULL;
    weft_random_seed(&r, 5);
    weft_random_normals(&r, z, SAMPLES * GEN_Z);
    assert_ok(weft_generator_map(g, SAMPLES, z, NULL, w));
    assert_ok(weft_pca_create(ctx, GEN_W, &p));
    for (int k = 0; k < SAMPLES; k++) assert_ok(weft_pca_add(p, w + k * WS, 1));
    assert_ok(weft_pca_solve(p, 3, NULL, directions, stdev, NULL));
    weft_pca_destroy(&p);
    assert_code(0, "edit g.weft -d cpu --find-pca 3 --samples 700 --sample-seed 5 -o pca.npz");
    assert_says("3 components of w hold");
    assert_code(0, "edit g.weft -d cpu --seeds 1 --direction pca.npz:2 --strength=-2 -o pca.png");
    seed_ws(1, 1, -1, ws);
    weft_latent_move(ws, GEN_L, GEN_W, directions + 2 * GEN_W, 1, -2.0 * stdev[2], WEFT_ALL_LAYERS);
    assert_cell("pca.png", 1, 1, 0, 0, ws, NULL);
    assert_code(2, "edit g.weft -d cpu --find-pca 7 -o pca.npz");
    assert_code(2, "edit g.weft -d cpu --find-pca 3 -o pca.png");
    assert_code(4, "edit bare.weft -d cpu --find-pca 3 -o pca.npz");
}

static void planes_are_found_and_conditioned(void **state)
{
    (void) state;
    enum { ROWS = 60 };
    static float w[ROWS * WS], x[ROWS * GEN_W], score[ROWS];
    float direction[GEN_W], condition[GEN_W] = { 0.5f, 0, 2, 0, 0, 0 }, ws[WS];
    weft_random_state r;
    weft_random_seed(&r, 2);
    for (int k = 0; k < ROWS; k++) {
        seed_ws((uint32_t) k, 1, -1, w + k * WS);
        memcpy(x + k * GEN_W, w + k * WS, sizeof *x * GEN_W);
        score[k] = (float) (x[k * GEN_W + 2] + x[k * GEN_W + 4] + 0.3 * weft_random_normal(&r));
    }
    write_npy("scores.npy", "60, 1", score, ROWS);
    write_npy("condition.npy", "6,", condition, GEN_W);
    assert_ok(weft_latent_separate(ctx, x, ROWS, GEN_W, score, &(weft_separate_params) { .cost = 0.5, .threshold = 0.1 }, direction, NULL));
    assert_code(0, "generate g.weft -d cpu --seeds 0-59 --save-latents sixty.npz");
    assert_code(0, "edit --find-plane scores.npy --latents sixty.npz --cost 0.5 --threshold 0.1 -o plane.npz");
    assert_says("accuracy");
    assert_code(0, "edit g.weft -d cpu --seeds 1 --direction plane.npz --strength 1.5 -o plane.png");
    seed_ws(1, 1, -1, ws);
    weft_latent_move(ws, GEN_L, GEN_W, direction, 1, 1.5, WEFT_ALL_LAYERS);
    assert_cell("plane.png", 1, 1, 0, 0, ws, NULL);
    assert_ok(weft_latent_project(ctx, direction, GEN_W, condition, 1));
    assert_code(0, "edit --find-plane scores.npy --latents sixty.npz --cost 0.5 --threshold 0.1 --condition condition.npy -o across.npz");
    assert_code(0, "edit g.weft -d cpu --seeds 1 --direction across.npz:direction --strength 1.5 -o across.png");
    seed_ws(1, 1, -1, ws);
    weft_latent_move(ws, GEN_L, GEN_W, direction, 1, 1.5, WEFT_ALL_LAYERS);
    assert_cell("across.png", 1, 1, 0, 0, ws, NULL);
    assert_code(0, "edit --find-plane scores.npy --latents sixty.npz --share 0.2 --held 0.25 -o plane.npz");
    assert_says("8 positive and 10 negative");
    assert_says("of 6 held back");
    assert_code(5, "edit --find-plane scores.npy --latents sixty.npz --threshold 100 -o plane.npz");
    assert_says("one class");
    assert_code(5, "edit --find-plane condition.npy --latents sixty.npz -o plane.npz");
    assert_says("6 scores for 60 latents");
    assert_code(2, "edit --find-plane scores.npy -o plane.npz");
}

static void latents_are_mixed(void **state)
{
    (void) state;
    float a[WS], b[WS];
    assert_code(0, "generate g.weft -d cpu --seeds 3 --save-latents b.npz");
    assert_code(0, "edit g.weft -d cpu --seeds 1,2 --mix b.npz --mix-layers 0,2 -o mixed.png");
    seed_ws(2, 1, -1, a), seed_ws(3, 1, -1, b);
    weft_latent_mix(a, b, GEN_L, GEN_W, 5);
    assert_cell("mixed.png", 2, 1, 1, 0, a, NULL);
    assert_code(2, "edit g.weft -d cpu --seeds 1,2 --mix b.npz -o mixed.png");
    assert_code(2, "edit g.weft -d cpu --seeds 1,2 --mix b.npz --mix-layers 9 -o mixed.png");
}

static void edits_go_back_into_the_photo(void **state)
{
    (void) state;
    enum { W = 40, H = 30 };
    float ws[WS], image[GEN_PICTURE];
    weft_image *photo = NULL, *mask = NULL, *edit = NULL;
    seed_ws(4, 1, -1, ws);
    assert_ok(weft_generator_run(g, 1, ws, NULL, image));
    assert_ok(weft_generator_picture(g, image, 8, &edit));
    assert_ok(weft_image_save(edit, in_folder("edit.png"), NULL));
    assert_ok(weft_image_create(ctx, W, H, 3, 8, &photo));
    assert_ok(weft_image_create(ctx, W, H, 1, 8, &mask));
    for (int i = 0; i < W * H * 3; i++) ((uint8_t *) weft_image_data(photo))[i] = (uint8_t) (i * 31 % 200);
    for (int i = 0; i < W * H; i++) ((uint8_t *) weft_image_data(mask))[i] = hypot(i % W - 20, i / W - 14) < 9 ? 255 : 0;
    assert_ok(weft_image_save(photo, in_folder("photo.png"), NULL));
    assert_ok(weft_image_save(mask, in_folder("mask.png"), NULL));
    static const char *const words[] = { "", "--blend alpha --feather 3", "--blend mixed --region 8,2,24,26" };
    static const weft_stitch_params params[] = { { .blend = WEFT_BLEND_POISSON }, { .feather = 3 }, { .blend = WEFT_BLEND_MIXED, .region = { 8, 2, 24, 26 } } };
    for (int k = 0; k < 3; k++)
        for (int model = 0; model < 2; model++) {
            weft_image *want = NULL, *is = NULL;
            assert_ok(weft_stitch(photo, edit, mask, &params[k], &want, NULL));
            assert_code(0, "edit %s -i photo.png -m mask.png -o stitched.png %s", model ? "g.weft -d cpu --seeds 4" : "--edited edit.png", words[k]);
            assert_ok(weft_image_load(ctx, in_folder("stitched.png"), &is));
            assert_memory_equal(weft_image_view(is), weft_image_view(want), W * H * 3);
            weft_image_destroy(&want), weft_image_destroy(&is);
        }
    assert_code(2, "edit --edited edit.png -i photo.png -o stitched.png");
    assert_says("--mask is missing");
    assert_code(2, "edit --edited edit.png -i photo.png -m mask.png --region 1,2,3 -o stitched.png");
    assert_code(5, "edit --edited edit.png -i photo.png -m mask.png --region 30,0,20,20 -o stitched.png");
    assert_says("is not inside the photo of 40 x 30");
    assert_code(5, "edit --edited edit.png -i photo.png -m nothing.png -o stitched.png");
    assert_code(2, "edit g.weft --edited edit.png -i photo.png -m mask.png -o stitched.png");
    assert_code(2, "edit --latents b.npz -o x.png");
    assert_says("the generator is missing");
    weft_image_destroy(&photo), weft_image_destroy(&mask), weft_image_destroy(&edit);
}

static void the_bundled_generator_is_found_by_name(void **state)
{
    (void) state;
    assert_code(0, "generate garment-generator -d cpu --seeds 1,2 --trunc 0.7 -o garments.png --save-latents garments.npz");
    assert_code(0, "edit garment-generator -d cpu --find-pca 2 --samples 200 -o garments-pca.npz");
    assert_code(0, "edit garment-generator -d cpu --latents garments.npz --direction garments-pca.npz:0 --direction garments-pca.npz:1 --strength=-2,0,2 "
                   "--layers 0-3 -o edited.png");
    weft_image *i = NULL;
    assert_ok(weft_image_load(ctx, in_folder("edited.png"), &i));
    assert_int_equal(weft_image_get_info(i)->width, 3 * 64);
    weft_image *from = NULL;
    assert_ok(weft_image_load(ctx, in_folder("garments.png"), &from));
    for (int y = 0; y < 128; y++) // strength 0 is the picture itself
        assert_memory_equal((const char *) weft_image_view(i) + (y * 192 + 64) * 3, (const char *) weft_image_view(from) + (y % 64 * 128 + y / 64 * 64) * 3, 192);
    weft_image_destroy(&i), weft_image_destroy(&from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_become_pictures_named_after_them), cmocka_unit_test(several_pictures_become_a_sheet),
        cmocka_unit_test(noise_is_what_was_asked_for), cmocka_unit_test(latents_go_out_and_come_back),
        cmocka_unit_test(styles_are_mixed_in_a_grid), cmocka_unit_test(paths_lead_from_latent_to_latent),
        cmocka_unit_test(classes_are_asked_for), cmocka_unit_test(deep_pictures_have_16_bits),
        cmocka_unit_test(what_cannot_be_done_says_why), cmocka_unit_test(directions_make_strips),
        cmocka_unit_test(components_are_found_and_followed), cmocka_unit_test(planes_are_found_and_conditioned),
        cmocka_unit_test(latents_are_mixed), cmocka_unit_test(edits_go_back_into_the_photo),
        cmocka_unit_test(the_bundled_generator_is_found_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
