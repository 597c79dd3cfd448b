// SPDX-License-Identifier: MIT
// weft invert as a user meets it: what it writes, says and refuses, on a generator of a few channels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli.h"
#include "nets/small_stylegan.h"
#include <cjson/cJSON.h>
#include <sys/stat.h>
#include <weft/edit.h>
#include <weft/generate.h>

#define assert_ok(call) do { if ((call) != WEFT_OK) fail_msg("%s", weft_error_text()); } while (0)
#define QUICK "-n g.weft -d cpu --w-avg-samples 200 --no-cache"

static void save_model(weft_model *m, const char *name)
{
    assert_ok(weft_model_save(m, in_folder(name)));
    weft_model_destroy(&m);
}

static void make_picture(const char *name, int w, int h, int seed)
{
    weft_image *i;
    assert_ok(weft_image_create(ctx, w, h, 3, 8, &i));
    for (int k = 0; k < w * h * 3; k++) ((unsigned char *) weft_image_data(i))[k] = (unsigned char) (128 + 100 * sin(0.05 * seed * (k / 3 % w) + 0.2 * (k / 3 / w) + k % 3));
    assert_ok(weft_image_save(i, in_folder(name), NULL));
    weft_image_destroy(&i);
}

static void make_encoder(void)
{
    weft_builder *b;
    weft_model *m;
    static float bias[6 * SG_W];
    for (int i = 0; i < 6 * SG_W; i++) bias[i] = 0.01f * (float) (i % 9);
    assert_ok(weft_builder_create(ctx, &b));
    weft_build_meta(b, "task", "encoder");
    weft_build_entry(b, "encode");
    const weft_value x = weft_build_input(b, "image", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3, 32, 32));
    const weft_value mean = weft_build(b, "mean", WEFT_IN(x), WEFT_NUM("axes", 1, 2, 3), WEFT_NUM("keep", 0));
    const weft_value flat = weft_build(b, "reshape", WEFT_IN(mean), WEFT_NUM("shape", 1, 1, 1));
    weft_build_output(b, "codes", weft_build_op(b, "add", (weft_value[]) { flat, weft_build_weight(b, "codes", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 6, SG_W), bias) }, 2, NULL, 0));
    assert_ok(weft_builder_finish(&b, &m));
    save_model(m, "encoder.weft");
}

static void make_network(void)
{
    stylegan s = { 0 };
    weft_model *m;
    assert_ok(weft_builder_create(ctx, &s.b));
    weft_build_meta(s.b, "task", "perceptual");
    weft_build_entry(s.b, "features");
    const int64_t h = weft_build_dim(s.b, "h", 8, 1), w = weft_build_dim(s.b, "w", 8, 1);
    weft_value x = weft_build_input(s.b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 3, h, w));
    x = weft_build(s.b, "conv2d", WEFT_IN(x, sg_weight(&s, "c", (weft_shape) WEFT_SHAPE(4, 3, 3, 3), 0.3)), WEFT_NUM("pads", 1));
    weft_build_output(s.b, "tap", x);
    assert_ok(weft_builder_finish(&s.b, &m));
    save_model(m, "lpips.weft");
}

static int set_up(void **state)
{
    (void) state;
    weft_model *m;
    if (make_folder()) return 1;
    assert_ok(small_stylegan(ctx, 16, 4, 0, &m));
    save_model(m, "g.weft");
    make_picture("photo.png", 20, 16, 1);
    if (mkdir(in_folder("photos"), 0777)) return 1;
    make_picture("photos/a.png", 16, 16, 2);
    make_picture("photos/b.png", 16, 16, 3);
    make_encoder();
    make_network();
    weft_image *mask;
    assert_ok(weft_image_create(ctx, 20, 16, 1, 8, &mask));
    for (int i = 0; i < 20 * 16; i++) ((unsigned char *) weft_image_data(mask))[i] = i % 20 > 9 ? 255 : 0;
    assert_ok(weft_image_save(mask, in_folder("mask.png"), NULL));
    weft_image_destroy(&mask);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    return drop_folder();
}

static cJSON *read_json(const char *name)
{
    static char file[1 << 16];
    FILE *f = fopen(in_folder(name), "rb");
    assert_non_null(f);
    file[fread(file, 1, sizeof file - 1, f)] = 0;
    fclose(f);
    cJSON *j = cJSON_Parse(file);
    assert_non_null(j);
    return j;
}

static double number_in(const cJSON *j, const char *key)
{
    const cJSON *v = cJSON_GetObjectItem(j, key);
    if (!cJSON_IsNumber(v)) fail_msg("the log has no number '%s'", key);
    return v->valuedouble;
}

static void one_photo_gives_pictures_latents_and_a_log(void **state)
{
    (void) state;
    assert_code(0, "invert -i photo.png -o one " QUICK " --num-steps 20 --frames 4");
    assert_says("20 steps");
    static const char *const files[] = { "one/proj.png", "one/target.png", "one/sheet.png", "one/projected_w.npz", "one/latents.npy", "one/log.json" };
    for (int i = 0; i < 6; i++)
        if (!exists(files[i])) fail_msg("there is no %s", files[i]);
    assert_false(exists("one/checkpoint.weft") || exists("one/filled.png"));
    cJSON *j = read_json("one/log.json");
    assert_true(number_in(j, "steps") == 20 && number_in(j, "steps_per_second") > 0 && number_in(j, "step_bytes") > 1000 && number_in(j, "psnr_db") > 3);
    const cJSON *losses = cJSON_GetObjectItem(cJSON_GetObjectItem(j, "losses"), "loss");
    assert_int_equal(cJSON_GetArraySize(losses), 20);
    assert_true(cJSON_GetArrayItem(losses, 19)->valuedouble < cJSON_GetArrayItem(losses, 0)->valuedouble);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(j, "device"), "name")->valuestring, "cpu");
    cJSON_Delete(j);
    // What was found makes the picture again, and is a start.
    assert_code(0, "generate g.weft --latents one/projected_w.npz:w -o again.png -d cpu --no-cache");
    assert_code(0, "metrics one/proj.png again.png");
    assert_code(0, "invert -i photo.png -o two " QUICK " --num-steps 2 --initial-noise-factor 0 --init one/projected_w.npz");
    j = read_json("two/log.json");
    cJSON *before = read_json("one/log.json");
    const double was = cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(before, "losses"), "loss"), 18)->valuedouble;
    assert_true(cJSON_GetArrayItem(cJSON_GetObjectItem(cJSON_GetObjectItem(j, "losses"), "loss"), 0)->valuedouble < 1.2 * was);
    cJSON_Delete(before);
    cJSON_Delete(j);
}

static void options_reach_the_library(void **state)
{
    (void) state;
    assert_code(0, "invert --target photo.png --outdir noise --network g.weft -d cpu --w-avg-samples 100 --num-steps 5 -s w --noise optimize --no-sheet -l smooth-l1=2 -l latent-mean=0.1 --pyramid 2 --lpips lpips.weft");
    cJSON *j = read_json("noise/log.json");
    const cJSON *l = cJSON_GetObjectItem(j, "losses");
    assert_true(cJSON_HasObjectItem(l, "smooth-l1") && cJSON_HasObjectItem(l, "latent-mean") && cJSON_HasObjectItem(l, "noise") && cJSON_HasObjectItem(l, "lpips"));
    assert_false(exists("noise/sheet.png"));
    cJSON_Delete(j);
    assert_code(0, "invert -i photo.png -o filled " QUICK " --num-steps 5 -m mask.png --fill --stretch");
    assert_true(exists("filled/filled.png"));
    assert_code(0, "invert -i photo.png -o segments " QUICK " --num-steps 3 --segment mask.png --segment photo.png");
    assert_code(0, "invert -i photo.png -o encoded " QUICK " --num-steps 3 --init encoder encoder.weft");
    assert_code(0, "invert -i photo.png -o tuned " QUICK " --num-steps 3 --tune 3");
    assert_code(0, "generate tuned/generator.weft --latents tuned/latents.npy --space w -o tuned.png -d cpu --no-cache");
    assert_code(0, "metrics tuned/proj.png tuned.png");
    assert_code(0, "invert -i photo.png -o styles " QUICK " --num-steps 3 -s s");
    assert_false(exists("styles/latents.npy"));
}

static void a_folder_of_photos_is_gone_through_and_gone_on_with(void **state)
{
    (void) state;
    FILE *f = fopen(in_folder("photos/c.png"), "wb");
    fputs("no picture", f);
    fclose(f);
    assert_code(1, "invert -i photos -o all " QUICK " --num-steps 3");
    assert_says("1 of 3 pictures failed");
    assert_true(exists("all/a/proj.png") && exists("all/b/proj.png"));
    unlink(in_folder("photos/c.png"));
    assert_code(0, "invert -i photos -o all " QUICK " --num-steps 3 --resume");
    assert_says("2 of 2 were there already");
}

static void a_stop_leaves_a_checkpoint_and_resume_goes_on(void **state)
{
    (void) state;
    weft("invert -i photo.png -o stopped " QUICK " --num-steps 100000 --checkpoint-every 20 --no-sheet 2>&1 & sleep 3; kill -INT $!; wait $!");
    assert_says("--resume goes on");
    assert_true(exists("stopped/checkpoint.weft") && !exists("stopped/log.json"));
    assert_code(5, "invert -i photo.png -o stopped " QUICK " --num-steps 5 --resume --no-sheet");
    assert_says("another inversion");
    assert_code(0, "info stopped/checkpoint.weft");
}

static void mistakes_are_told_in_sentences(void **state)
{
    (void) state;
    assert_code(2, "invert -i photo.png -o x");
    assert_says("-n MODEL is missing");
    assert_code(2, "invert -i photo.png -o x " QUICK " --loss lpips");
    assert_says("--arch lpips-alex");
    assert_code(2, "invert -i photo.png -o x " QUICK " --loss lpip");
    assert_says("did you mean 'lpips'");
    assert_code(2, "invert -i photo.png -o x " QUICK " --loss l2=much");
    assert_code(2, "invert -i photo.png -o x " QUICK " --initial-learning-rate fast");
    assert_code(2, "invert -i photo.png -o x " QUICK " --fill");
    assert_code(2, "invert -i photo.png -o x " QUICK " --init encoder");
    assert_says("e4e");
    assert_code(5, "invert -i photo.png -o x " QUICK " --init nothing.npy");
    assert_code(5, "invert -i nothing.png -o x " QUICK " --num-steps 1");
    assert_code(5, "invert -i photo.png -o x -n lpips.weft -d cpu");
    assert_says("synthesis");
    assert_code(1, "invert -i photo.png -o x " QUICK " --initial-learning-rate 1e30 --num-steps 40");
    assert_says("step ");
    assert_false(exists("x/log.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_photo_gives_pictures_latents_and_a_log),
        cmocka_unit_test(options_reach_the_library),
        cmocka_unit_test(a_folder_of_photos_is_gone_through_and_gone_on_with),
        cmocka_unit_test(a_stop_leaves_a_checkpoint_and_resume_goes_on),
        cmocka_unit_test(mistakes_are_told_in_sentences),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
