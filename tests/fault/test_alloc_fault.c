// SPDX-License-Identifier: MIT
// The n-th allocation of host memory fails, for every n in the life of a model and of sessions on every kind of device:
// WEFT_ERR_MEMORY and a sentence come back, nothing leaks, nothing crashes. Where a failure costs only comfort, the run is right.
#include "../nets/small_generator.h"
#include "../vk/small_net.h"
#include "../vk/state_net.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/edit.h>
#include <weft/latent.h>
#include <weft/optimize.h>

typedef struct fault {
    _Atomic long calls, blocks;
    long at; // -1: none
} fault;

static void *hook(void *user, void *p, size_t old_bytes, size_t new_bytes)
{
    fault *f = user;
    (void) old_bytes;
    if (p && !new_bytes) return atomic_fetch_sub(&f->blocks, 1), free(p), NULL;
    if (atomic_fetch_add(&f->calls, 1) == f->at) return NULL;
    void *q = realloc(p, new_bytes);
    if (!p && q) atomic_fetch_add(&f->blocks, 1);
    return q;
}

static net_data want;
static state_data want_states;
static char file[64];

typedef struct subject { // a network, and one run of it with what it gives
    weft_result (*make)(weft_context *ctx, weft_model **out);
    weft_result (*run)(weft_session *s);
} subject;

static weft_result run_net(weft_session *s)
{
    net_data got;
    net_fill(&got);
    const weft_result r = net_run(s, &got);
    return r == WEFT_OK && !net_equal(&got, &want, 1e-5) ? WEFT_ERR_NUMERIC : r;
}

static weft_result run_states(weft_session *s)
{
    state_data got;
    const weft_result r = state_run(s, &got);
    return r == WEFT_OK && !state_equal(&got, &want_states) ? WEFT_ERR_NUMERIC : r;
}

static const subject plain = { small_net, run_net }, with_states = { state_net, run_states };

static weft_result on_device(weft_context *ctx, const subject *of, const weft_model *model, const char *name)
{
    weft_device *dev = NULL;
    weft_session *s = NULL;
    weft_result r = weft_device_open(ctx, &(weft_device_params) { .name = name }, &dev);
    if (r == WEFT_OK) r = weft_session_create(dev, model, NULL, &s);
    if (r == WEFT_OK) r = of->run(s);
    weft_session_destroy(&s);
    weft_device_destroy(&dev);
    return r;
}

static void drop_line(void *user, const char *text) { (void) user, (void) text; }

static weft_result file_life(weft_context *ctx, const subject *of)
{
    weft_model *built = NULL, *loaded = NULL;
    weft_model_facts facts;
    weft_result r = of->make(ctx, &built);
    if (r == WEFT_OK) r = weft_model_save(built, file);
    if (r == WEFT_OK) r = weft_model_load(ctx, file, &loaded);
    if (r == WEFT_OK) r = weft_model_measure(loaded, 0, NULL, 0, &facts);
    if (r == WEFT_OK) r = weft_model_print(loaded, 0, drop_line, NULL);
    if (r == WEFT_OK) r = on_device(ctx, of, loaded, "reference");
    if (r == WEFT_OK) r = on_device(ctx, of, loaded, "cpu");
    weft_model_destroy(&built);
    weft_model_destroy(&loaded);
    return r;
}

static weft_result device_life(weft_context *ctx, const subject *of)
{
    weft_model *model = NULL;
    weft_result r = of->make(ctx, &model);
    if (r == WEFT_OK) r = on_device(ctx, of, model, "vulkan");
    weft_model_destroy(&model);
    return r;
}

static weft_result model_life(weft_context *ctx) { return file_life(ctx, &plain); }
static weft_result state_life(weft_context *ctx) { return file_life(ctx, &with_states); }
static weft_result vulkan_life(weft_context *ctx) { return device_life(ctx, &plain); }
static weft_result vulkan_states(weft_context *ctx) { return device_life(ctx, &with_states); }

// The net called by another, that one's gradient, and a step along it.
static weft_result calling_life(weft_context *ctx)
{
    weft_model *net = NULL, *caller = NULL, *gradient = NULL, *step = NULL;
    weft_builder *b = NULL;
    weft_value y[2] = { -1, -1 };
    weft_result r = small_net(ctx, &net);
    if (r == WEFT_OK) r = weft_builder_create(ctx, &b);
    if (r == WEFT_OK) {
        const weft_value x = weft_build_input(b, "x", WEFT_F32, (weft_shape) WEFT_SHAPE(1, NET_C, NET_H, NET_W));
        const weft_value m = weft_build_input(b, "m", WEFT_F32, (weft_shape) WEFT_SHAPE(1, 1, NET_H, NET_W));
        const weft_value s = weft_build_input(b, "s", WEFT_F32, (weft_shape) WEFT_SHAPE(NET_C, 1, 1));
        const weft_port_arg in[] = { { "x", x }, { "m", m } }, by = { "scale", s };
        weft_build_call(b, &(weft_call) { net, 0, in, 2, &by, 1, "net" }, y, 2);
        weft_build_output(b, "loss", weft_build_op(b, "sum_square", y, 1, NULL, 0));
        r = weft_builder_finish(&b, &caller);
    }
    weft_model_destroy(&net);
    const char *wrt[] = { "s", "net/grid" };
    if (r == WEFT_OK) r = weft_model_grad(caller, &(weft_model_grad_params) { .loss = "loss", .wrt = wrt, .wrt_count = 2 }, &gradient);
    if (r == WEFT_OK) r = weft_model_save(gradient, file);
    const weft_step_variable variables[] = { { "s", .normalize = 1 }, { "net/grid" } };
    const weft_step_params params = { .variables = variables, .variable_count = 2, .steps = 2, .rate = 0.5, .clip_norm = 1 };
    if (r == WEFT_OK) r = weft_model_step(caller, &params, &step);
    weft_model_destroy(&step);
    weft_model_destroy(&caller);
    weft_model_destroy(&gradient);
    return r;
}

static weft_result live(fault *f, weft_result (*life)(weft_context *))
{
    weft_context *ctx = NULL;
    weft_result r = weft_context_create(&(weft_context_params) { .allocator = { hook, f }, .threads = 1 }, &ctx);
    if (r == WEFT_OK) r = life(ctx);
    weft_context_destroy(&ctx);
    return r;
}

// A generator from the model to a picture put back into a photo, and directions.
static weft_result generator_life(weft_context *ctx)
{
    float z[3 * GEN_Z], ws[3 * GEN_L * GEN_W], image[GEN_PICTURE], directions[2 * GEN_W];
    const float scores[] = { 1, -1, 1 };
    weft_model *model = NULL;
    weft_device *dev = NULL;
    weft_generator *g = NULL;
    weft_pca *pca = NULL;
    weft_image *photo = NULL, *edit = NULL, *mask = NULL, *out = NULL;
    weft_random_state random;
    weft_random_seed(&random, 1);
    weft_result r = small_generator(ctx, &(generator_kind) { 0 }, &model);
    if (r == WEFT_OK) r = weft_device_open(ctx, &(weft_device_params) { .name = "reference" }, &dev);
    if (r == WEFT_OK) r = weft_generator_create(ctx, dev, model, NULL, &g);
    for (uint32_t i = 0; r == WEFT_OK && i < 3; i++) weft_generator_seed(g, i, z + i * GEN_Z);
    if (r == WEFT_OK) r = weft_generator_map(g, 3, z, NULL, ws);
    if (r == WEFT_OK) r = weft_generator_truncate(g, 3, ws, 0.5, -1);
    if (r == WEFT_OK) r = weft_pca_create(ctx, GEN_W, &pca);
    if (r == WEFT_OK) r = weft_pca_add(pca, ws, 3);
    if (r == WEFT_OK) r = weft_pca_solve(pca, 1, NULL, directions, NULL, NULL);
    if (r == WEFT_OK) r = weft_latent_separate(ctx, ws, 3, GEN_L * GEN_W, scores, NULL, ws, NULL);
    if (r == WEFT_OK) r = weft_latent_project(ctx, directions, GEN_W, ws, 1);
    if (r == WEFT_OK) r = weft_generator_run(g, 1, ws, &(weft_noise) { WEFT_NOISE_RANDOM, .random = &random }, image);
    if (r == WEFT_OK) r = weft_generator_picture(g, image, 8, &edit);
    if (r == WEFT_OK) r = weft_image_create(ctx, 20, 12, 3, 8, &photo);
    if (r == WEFT_OK) r = weft_image_create(ctx, 10, 6, 1, 8, &mask);
    if (r == WEFT_OK) memset((char *) weft_image_data(mask) + 14, 255, 30);
    for (int blend = 0; r == WEFT_OK && blend < 3; blend++) {
        r = weft_stitch(photo, edit, mask, &(weft_stitch_params) { .blend = (weft_blend) blend, .feather = 2 }, &out, NULL);
        weft_image_destroy(&out);
    }
    weft_image_destroy(&photo), weft_image_destroy(&edit), weft_image_destroy(&mask);
    weft_pca_destroy(&pca);
    weft_generator_destroy(&g);
    weft_device_destroy(&dev);
    weft_model_destroy(&model);
    return r;
}

static int test_life(const char *name, weft_result (*life)(weft_context *))
{
    fault clean = { .at = -1 };
    int bad = 0;
    weft_result r = live(&clean, life);
    if (r == WEFT_ERR_NO_DEVICE) return printf("skip %s: %s\n", name, weft_error_text()), 0;
    if (r != WEFT_OK || clean.blocks) return printf("FAIL %s without a fault: %s: %s\n", name, weft_result_name(r), weft_error_text()), 1;
    for (long at = 0; at < clean.calls; at++) {
        fault f = { .at = at };
        r = live(&f, life);
        const char *text = weft_error_text();
        if ((r == WEFT_OK || (r == WEFT_ERR_MEMORY && strstr(text, "memory"))) && !f.blocks) continue;
        bad++;
        printf("FAIL %s, allocation %ld: gives %s (%s), %ld blocks not freed\n", name, at, weft_result_name(r), text, (long) f.blocks);
    }
    printf("%s: %ld allocations, %d bad\n", name, (long) clean.calls, bad);
    return bad;
}

int main(void)
{
    char folder[] = "/tmp/weft-fault-XXXXXX";
    fault none = { .at = -1 };
    weft_context *ctx = NULL;
    weft_model *model = NULL;
    if (!mkdtemp(folder)) return 1;
    snprintf(file, sizeof file, "%s/net.weft", folder);
    if (weft_context_create(&(weft_context_params) { .allocator = { hook, &none } }, &ctx) || small_net(ctx, &model) || net_reference(ctx, model, &want))
        return printf("FAIL %s\n", weft_error_text()), 1;
    weft_model_destroy(&model);
    if (state_net(ctx, &model) || state_reference(ctx, model, &want_states)) return printf("FAIL %s\n", weft_error_text()), 1;
    weft_model_destroy(&model);
    weft_context_destroy(&ctx);
    int bad = test_life("model, reference and cpu", model_life);
    bad += test_life("calls and gradients", calling_life);
    bad += test_life("states, reference and cpu", state_life);
    bad += test_life("generator, edits", generator_life);
    bad += test_life("vulkan", vulkan_life);
    bad += test_life("states, vulkan", vulkan_states);
    remove(file);
    rmdir(folder);
    return bad != 0;
}
